//! Pages of automation tokens, below the settings of a subscription.
pub mod issue;
pub mod list;
pub mod revocation;
pub mod secret;
