//! Pages about people: one's own profile with password and sessions, and the owners.
pub mod owners;
pub mod password;
pub mod profile;
pub mod sessions;
