//! Keyward as other systems' documents show theirs. A dialect translates: it has no rule, no query
//! and no transaction of its own.
pub mod catena;
pub mod octane;
pub mod webtsm;
