//! The pages of policies: the list, one of them, the forms, the deletion.
pub mod deletion;
pub mod forms;
pub mod list;
pub mod replacement;
