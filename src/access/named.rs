//! The name and the description that a policy, a user group and a workspace have.
use crate::{
    domain::text,
    error::{Error, FieldError, Result},
};

/// Cleans both, or says what is wrong with each.
pub(crate) fn named(name: &str, description: &str) -> Result<(String, String)> {
    match (text::name(name), text::line(description, 500)) {
        (Ok(name), Ok(description)) => Ok((name, description)),
        (name, description) => {
            let error = |field, it: std::result::Result<_, String>| {
                it.err().map(|message| FieldError::new(field, message))
            };
            let errors = [error("name", name), error("description", description)];
            Err(Error::Invalid(errors.into_iter().flatten().collect()))
        }
    }
}
