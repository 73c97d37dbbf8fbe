//! The native management interface (API.md): what admins do, for programs that show an automation
//! token. JSON in and out; refusals are RFC 9457. A handler reads the request, calls the verb that a
//! page calls too, and words the answer.
mod caller;
mod etag;
pub mod instances;
pub mod key_groups;
mod paging;
mod request;
pub mod verify;
mod voice;
mod wire;

pub use self::voice::Native;
