//! The credential that a request shows, as `/verify` and the list of keys take it: exactly one.
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::Credential;
use crate::http::headers::Headers;

/// What the headers of a request show.
pub struct Shown<'a> {
    pub what: What<'a>,
    /// `x-tenant-name`
    pub tenant: Option<&'a str>,
    /// As what the caller is remembered: `x-bs-clientid` (document 000), or the user agent; cut after
    /// 200 characters.
    pub agent: &'a str,
    pub has_cookies: bool,
    /// Whether there is a header for a credential, be it good for anything or not.
    pub is_something: bool,
}

/// The credential of a request, at least one line of text.
pub enum What<'a> {
    /// None, or one that can be no credential of ours.
    Nothing,
    Bearer(&'a str),
    Synthetic(&'a str),
    /// `client_id:secret` of HTTP Basic; `None` if it is none.
    Basic(Option<Zeroizing<String>>),
}

/// Several credentials, or a header that is there twice.
#[derive(Debug)]
pub struct Ambiguous;

impl<'a> Shown<'a> {
    /// In one pass: there are few headers, and to look for each costs more.
    pub fn read(headers: Headers<'a>) -> Result<Self, Ambiguous> {
        let (mut authorization, mut synthetic, mut tenant) = (None, None, None);
        let (mut client, mut user_agent, mut has_cookies) = (None, None, false);
        for (name, value) in headers.iter() {
            let is = |it: &str| name.eq_ignore_ascii_case(it);
            if is("authorization") {
                single(&mut authorization, value)?;
            } else if is("x-synthetic-key") {
                single(&mut synthetic, value)?;
            } else if is("x-tenant-name") {
                single(&mut tenant, value)?;
            } else if is("x-bs-clientid") {
                client = client.or_else(|| ascii(value));
            } else if is("user-agent") {
                user_agent = user_agent.or_else(|| ascii(value));
            } else if is("cookie") {
                has_cookies = true;
            }
        }
        let (what, is_something) = match (authorization, synthetic) {
            (Some(_), Some(_)) => return Err(Ambiguous),
            (Some(value), None) => (What::authorization(value), true),
            (None, Some(key)) => (What::Synthetic(key), true),
            (None, None) => (What::Nothing, false),
        };
        let agent: &str = client.or(user_agent).unwrap_or_default();
        let agent = agent.get(..200).unwrap_or(agent);
        Ok(Self { what, tenant, agent, has_cookies, is_something })
    }

    /// As a key instance. The first colon splits; nothing is trimmed (RFC 7617).
    pub fn credential(&self) -> Option<Credential<'_>> {
        match &self.what {
            What::Nothing => None,
            // It means nothing without the tenant's name (document 004).
            What::Synthetic(_) if self.tenant.is_none() => None,
            What::Bearer(text) | What::Synthetic(text) => Some(Credential::Token(text)),
            What::Basic(pair) => {
                let (id, secret) = pair.as_ref()?.split_once(':')?;
                Some(Credential::Client { id, secret })
            }
        }
    }
}

impl<'a> What<'a> {
    fn authorization(value: &'a str) -> Self {
        let of = |scheme: &str| {
            let (start, rest) = value.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        match (of("bearer "), of("basic ")) {
            // After one space or more (RFC 9110, section 11.4).
            (Some(token), _) => Self::Bearer(token.trim_start_matches(' ')),
            (_, Some(pair)) => Self::Basic(basic_pair(pair)),
            _ => Self::Nothing,
        }
    }
}

/// Strict base64 of visible ASCII. Whatever else it is, no client of ours is called that.
fn basic_pair(encoded: &str) -> Option<Zeroizing<String>> {
    let bytes = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let visible = bytes.iter().all(|it| (b' '..=b'~').contains(it));
    let text = std::str::from_utf8(&bytes).ok().filter(|_| visible)?;
    Some(Zeroizing::new(text.to_owned()))
}

/// The one value of a header, as text without trimming. Not text: it can be no credential of ours,
/// which an impossible one stands for.
fn single<'a>(known: &mut Option<&'a str>, value: &'a [u8]) -> Result<(), Ambiguous> {
    match known.replace(ascii(value).unwrap_or("?")) {
        Some(_) => Err(Ambiguous),
        None => Ok(()),
    }
}

/// What `HeaderValue::to_str` gives, which looks at each byte: there are no control characters in a value.
fn ascii(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok().filter(|it| it.is_ascii())
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::HeaderValue, test::TestRequest};

    use super::*;

    #[test]
    fn basic_is_decoded_to_the_letter() {
        let shown = |pair: &str| {
            let req = TestRequest::default().insert_header(("authorization", pair));
            let req = req.to_http_request();
            match Shown::read(Headers::Map(req.headers())).unwrap().credential() {
                Some(Credential::Client { id, secret }) => Some((id.to_owned(), secret.to_owned())),
                _ => None,
            }
        };
        let of = |pair: &[u8]| shown(&format!("Basic {}", STANDARD.encode(pair)));
        let both = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(of(b"id:se:cret"), both("id", "se:cret"));
        assert_eq!(of(b" id : secret "), both(" id ", " secret "));
        assert_eq!(of(b"id:"), both("id", ""));
        for wrong in [&b"id"[..], b"", b"id:se\0cret", b"id:se\ncret", "id:s\u{e4}".as_bytes()] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
        assert_eq!(shown("bASIC aWQ6c2VjcmV0"), both("id", "secret"));
        for wrong in ["Basic aWQ6c2VjcmV", "Basic  aWQ6c2VjcmV0", "Basic aWQ6c2VjcmV0 ", "Basic"] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn values_are_text_as_the_library_has_it() {
        let values = (0..=u8::MAX).map(|it| [b'a', it, b'z']);
        for value in values.filter_map(|it| HeaderValue::from_bytes(&it).ok()) {
            assert_eq!(ascii(value.as_bytes()), value.to_str().ok(), "{value:?}");
        }
    }
}
