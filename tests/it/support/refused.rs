//! Why a verb did not do what it was told.
use keyward::{
    domain::Refusal,
    error::{Error, Result},
};

/// The rule that refused.
#[track_caller]
pub(crate) fn refusal<T>(done: Result<T>) -> Refusal {
    match done {
        Err(Error::Refused(it)) => it,
        Err(other) => panic!("no rule refused it, but: {other:?}"),
        Ok(_) => panic!("nothing refused it"),
    }
}

/// The one field that needs a change.
#[track_caller]
pub(crate) fn blamed<T>(done: Result<T>) -> &'static str {
    match done {
        Err(Error::Invalid(fields)) if fields.len() == 1 => fields[0].field,
        Err(other) => panic!("no single field is to blame, but: {other:?}"),
        Ok(_) => panic!("nothing is to blame"),
    }
}
