//! The pages of notices: what was told, to whom, and where it is posted to.
pub mod list;
pub mod settings;
pub mod webhooks;
