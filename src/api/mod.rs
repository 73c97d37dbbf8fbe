//! The native management interface (API.md): what admins do, for programs that show an automation
//! token. JSON in and out; refusals are RFC 9457. A handler reads the request, calls the verb that a
//! page calls too, and words the answer.
pub mod caller;
mod etag;
pub mod instances;
pub mod key_groups;
pub(crate) mod paging;
pub(crate) mod request;
pub mod verify;
mod voice;
pub(crate) mod wire;

pub use self::voice::Native;
