//! API keys of Catena (document 002), as they stand there:
//!
//! ```text
//! AdminCreateApiKey          a unique name and a single policy
//! AdminUpdateApiKey          another policy: effective immediately
//! AdminDeleteApiKey          all services using it lose access immediately
//! AdminGetApiKeyPolicies     GET /api/v1/api_keys/policies     -> { "policies": [ { ... } ] }
//! AdminGetApiKeyPermissions  GET /api/v1/api_keys/permissions  -> { "permissions": [ { ... } ] }
//! ```
//!
//! The document names the calls and shows no more of their forms; the rest follows from these (a path
//! for each thing, and each call by its name at `/rpc`). A key is a `token` group with exactly one
//! policy. Its caller is a program with an automation token.
pub mod keys;
pub mod policies;
pub mod rpc;
mod voice;
mod wire;

pub use self::voice::Catena;
use crate::api::caller::{self, Token};

type KeysRead = Token<caller::KeysRead, Catena>;
type KeysWrite = Token<caller::KeysWrite, Catena>;
type AccessRead = Token<caller::AccessRead, Catena>;
type AccessWrite = Token<caller::AccessWrite, Catena>;
