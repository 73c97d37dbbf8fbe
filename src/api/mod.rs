//! The native management interface (API.md): what admins do, for programs that show an automation
//! token. JSON in and out; refusals are RFC 9457. A handler reads the request, calls the verb that a
//! page calls too, and words the answer.
mod answer;
pub mod audit;
pub mod caller;
pub(crate) mod etag;
pub mod instances;
pub mod key_groups;
mod kind;
pub mod openapi;
pub(crate) mod paging;
pub mod permissions;
pub mod policies;
mod reader;
pub(crate) mod request;
pub mod user_groups;
pub mod verify;
mod voice;
mod whole;
pub(crate) mod wire;
mod wire_access;
mod wire_change;
mod wire_verify;
pub mod workspaces;

pub use self::voice::Native;
