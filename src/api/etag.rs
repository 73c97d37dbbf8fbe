//! `ETag` and `If-Match` (RFC 9110): whoever changes a thing can say as what it was read.
use actix_web::{
    HttpRequest,
    http::header::{HeaderValue, IF_MATCH},
};

use crate::{
    domain::Refusal, error::Error, http::fault::Cause, key_groups::KeyGroup,
    key_instances::KeyInstance, policies::deletion::Doomed,
};

/// Changes with every change of the group, of what it holds, and of its instances.
pub fn of_group(it: &KeyGroup) -> String {
    format!("\"{}.{}\"", it.version, it.access_version)
}

/// Of what the group holds.
pub fn of_access(it: &KeyGroup) -> String {
    format!("\"{}\"", it.access_version)
}

/// Changes with every change of its facts; a use of it is no change.
pub fn of_instance(it: &KeyInstance) -> String {
    format!("\"{}\"", it.revision)
}

/// Of a thing that counts its changes.
pub fn of_version(version: i32) -> String {
    format!("\"{version}\"")
}

/// Of what would die.
pub fn of_doomed(it: &Doomed) -> String {
    format!("\"{}\"", it.fence)
}

/// Whether the request is about the thing as it is now. `false`: it does not say.
pub fn matches(req: &HttpRequest, now: &str) -> Result<bool, Cause> {
    let mut lines = req.headers().get_all(IF_MATCH).peekable();
    if lines.peek().is_none() {
        return Ok(false);
    }
    let tags = lines.filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(',')).map(str::trim);
    for tag in tags {
        if tag == "*" {
            return Ok(false);
        }
        if tag == now {
            return Ok(true);
        }
    }
    Err(Cause::Changed)
}

/// Of a change that was refused: what the request named and was, when it was read, is another by the time that
/// it is locked.
pub fn changed(req: &HttpRequest) -> impl Fn(Error) -> Cause {
    let names = |it: &HeaderValue| it.to_str().is_ok_and(|it| !it.contains('*'));
    let is_named = req.headers().get_all(IF_MATCH).any(names);
    move |error| match error {
        Error::Refused(Refusal::ChangedMeanwhile | Refusal::GroupChanged | Refusal::KeyChanged)
            if is_named =>
        {
            Cause::Changed
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_request_is_about_what_it_names() {
        let of = |value: &str| {
            let req = TestRequest::default().insert_header((IF_MATCH, value)).to_http_request();
            matches(&req, "\"3.1\"").map_err(|it| it.status().as_u16())
        };
        assert_eq!(of("\"3.1\""), Ok(true));
        assert_eq!(of("\"2.1\", \"3.1\""), Ok(true));
        assert_eq!(of("*"), Ok(false));
        // A weak one never matches (RFC 9110, 13.1.1).
        for other in ["\"2.1\"", "W/\"3.1\"", "3.1", ""] {
            assert_eq!(of(other), Err(412), "{other}");
        }
        let none = TestRequest::default().to_http_request();
        assert!(!matches(&none, "\"3.1\"").unwrap());
    }
}
