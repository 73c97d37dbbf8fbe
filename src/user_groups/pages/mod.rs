//! The pages of user groups: the list, one of them, the forms, the deletion.
pub mod deletion;
pub mod forms;
pub mod list;
