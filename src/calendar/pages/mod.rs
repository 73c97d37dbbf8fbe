//! The page of calendar feeds, and dialogs over it.
pub mod address;
pub mod list;
pub mod removal;
