//! Pages of members: the list, inviting, another role, removal; and accepting an invitation.
pub mod accept;
pub mod forms;
pub mod invite;
pub mod link;
pub mod list;
