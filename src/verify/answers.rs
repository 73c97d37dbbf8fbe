//! How `/verify` answers, in headers.
use std::{
    borrow::Cow,
    fmt::{self, Write},
    time::SystemTime,
};

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue, HttpDate},
    },
};
use chrono::{DateTime, Utc};

use super::{Holder, personal::Person};
use crate::{
    clock::iso,
    domain::{Denial, Permissions, shown_label},
    error::Error,
    metrics::Outcome,
};

/// Of every answer: it is kept nowhere, and is nothing that a browser could show, run or frame.
const GUARDED: &str = "cache-control: no-store\r\n\
    x-content-type-options: nosniff\r\n\
    content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n";

/// Bytes of `Keyward-Permissions`: half of what nginx takes as the whole head of an answer.
const LONGEST_LIST: usize = 2_048;

/// An answer, as whoever sends it needs it: actix, or we ourselves (`server::direct`).
pub struct Answer {
    /// What it is counted as.
    pub(super) outcome: Outcome,
    status: StatusCode,
    /// Its headers, each a line with its end.
    lines: String,
    /// JSON; nothing where there is no content.
    body: Cow<'static, str>,
}

impl Answer {
    fn new(outcome: Outcome, status: StatusCode, body: impl Into<Cow<'static, str>>) -> Self {
        let mut lines = String::with_capacity(512);
        lines.push_str(GUARDED);
        let body = body.into();
        if !body.is_empty() {
            lines.push_str("content-type: application/json\r\n");
        }
        Self { outcome, status, lines, body }
    }

    /// A header cannot have another value than of visible ASCII and spaces: it is left out then.
    pub(super) fn tell(&mut self, name: &str, value: &str) {
        let start = self.begin(name);
        self.lines.push_str(value);
        self.end(start);
    }

    fn tell_made(&mut self, name: &str, value: fmt::Arguments<'_>) {
        let start = self.begin(name);
        // It grows as needed.
        let _ = self.lines.write_fmt(value);
        self.end(start);
    }

    /// Where the line begins, and its value.
    fn begin(&mut self, name: &str) -> (usize, usize) {
        let line = self.lines.len();
        self.lines.push_str(name);
        self.lines.push_str(": ");
        (line, self.lines.len())
    }

    fn end(&mut self, (line, value): (usize, usize)) {
        let (_, value) = self.lines.split_at(value);
        if all(value, is_visible) {
            self.lines.push_str("\r\n");
        } else {
            self.lines.truncate(line);
        }
    }

    fn tell_end(&mut self, until: Option<DateTime<Utc>>) {
        match until {
            Some(until) => self.tell("keyward-expires", &iso(until)),
            None => self.tell("keyward-expires", "never"),
        }
    }

    /// Proxies refuse long heads, and half a list would be a wrong one: ask with `permission=` then.
    fn tell_permissions(&mut self, permissions: &Permissions) {
        if permissions.as_str().len() <= LONGEST_LIST {
            self.tell("keyward-permissions", permissions.as_str());
        }
    }

    /// For actix to send.
    pub fn into_response(self) -> HttpResponse {
        let mut answer = HttpResponse::new(self.status);
        for line in self.lines.lines() {
            let parts = line.split_once(": ").map(|(name, value)| {
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
            });
            if let Some((Ok(name), Ok(value))) = parts {
                answer.headers_mut().insert(name, value);
            }
        }
        match self.body {
            Cow::Borrowed("") => answer,
            body => answer.set_body(body.into_owned()).map_into_boxed_body(),
        }
    }

    /// As HTTP/1.1. `closes`: the connection is closed behind it.
    pub fn write(&self, date: &str, closes: bool, to: &mut Vec<u8>) {
        to.extend_from_slice(b"HTTP/1.1 ");
        to.extend_from_slice(self.status.as_str().as_bytes());
        to.push(b' ');
        to.extend_from_slice(self.status.canonical_reason().unwrap_or_default().as_bytes());
        to.extend_from_slice(b"\r\n");
        to.extend_from_slice(self.lines.as_bytes());
        if self.status != StatusCode::NO_CONTENT {
            to.extend_from_slice(b"content-length: ");
            to.extend_from_slice(self.body.len().to_string().as_bytes());
            to.extend_from_slice(b"\r\n");
        }
        if closes {
            to.extend_from_slice(b"connection: close\r\n");
        }
        to.extend_from_slice(b"date: ");
        to.extend_from_slice(date.as_bytes());
        to.extend_from_slice(b"\r\n\r\n");
        to.extend_from_slice(self.body.as_bytes());
    }
}

pub(super) fn accepted(holder: &Holder<'_>, now: DateTime<Utc>) -> Answer {
    let mut answer = Answer::new(Outcome::Accepted, StatusCode::NO_CONTENT, "");
    let until = holder.facts.period.until();
    answer.tell("keyward-subscription", &holder.subscription);
    answer.tell("keyward-key-group", &header_text(&holder.group_name));
    answer.tell_made("keyward-key-instance", format_args!("{}", shown_label(holder.label)));
    answer.tell_end(until);
    answer.tell_permissions(&holder.permissions);
    if let (Some(_), Some(until)) = (holder.facts.warning(now), until) {
        answer.tell("keyward-warning", "expires_soon");
        // RFC 8594: the callers' own code can warn its people.
        answer.tell_made("sunset", format_args!("{}", HttpDate::from(SystemTime::from(until))));
    }
    answer
}

pub(super) fn accepted_person(person: &Person) -> Answer {
    let mut answer = Answer::new(Outcome::Accepted, StatusCode::NO_CONTENT, "");
    answer.tell("keyward-user", &header_text(&person.email));
    answer.tell_made("keyward-key-instance", format_args!("{}", person.key));
    answer.tell_end(person.until);
    if let Some(slug) = &person.subscription {
        answer.tell("keyward-subscription", slug);
    }
    answer.tell_permissions(&person.permissions);
    answer
}

fn is_visible(it: u8) -> bool {
    (b' '..=b'~').contains(&it)
}

/// Of texts that nearly always are so: to look at several bytes at once is quicker than to stop at the first.
fn all(text: &str, is_so: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, it| all & is_so(it))
}

/// Names may hold any letter; a header holds ASCII. The rest is percent-encoded.
fn header_text(name: &str) -> Cow<'_, str> {
    let plain = |it: u8| is_visible(it) && it != b'%';
    if all(name, plain) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.bytes().fold(String::new(), |mut text, it| {
        if plain(it) {
            text.push(char::from(it))
        } else {
            text += &format!("%{it:02X}")
        }
        text
    }))
}

/// 401, or 403 where only the permission lacks. Strangers get one constant answer.
pub(super) fn denied(denial: Denial, is_holder: bool) -> Answer {
    let told = Told::of(if is_holder { denial } else { Denial::Unknown });
    let mut answer = Answer::new(Outcome::Denied(denial), told.status, told.body);
    answer.tell("keyward-reason", told.code);
    answer.tell("www-authenticate", told.challenge);
    answer
}

/// What a refused caller is told: the compiler puts it together, so that to refuse costs no more than to
/// accept.
struct Told {
    status: StatusCode,
    code: &'static str,
    challenge: &'static str,
    body: &'static str,
}

macro_rules! told {
    ($status:ident, $error:literal, $code:literal) => {
        Told {
            status: StatusCode::$status,
            code: $code,
            challenge: concat!(
                r#"Bearer realm="keyward", error=""#,
                $error,
                r#"", error_description=""#,
                $code,
                r#"""#
            ),
            body: concat!(r#"{"valid":false,"code":""#, $code, r#""}"#),
        }
    };
}

impl Told {
    fn of(denial: Denial) -> Self {
        match denial {
            Denial::Unknown => told!(UNAUTHORIZED, "invalid_token", "unknown"),
            Denial::Expired => told!(UNAUTHORIZED, "invalid_token", "expired"),
            Denial::Revoked => told!(UNAUTHORIZED, "invalid_token", "revoked"),
            Denial::Deactivated => told!(UNAUTHORIZED, "invalid_token", "deactivated"),
            Denial::NotYetActive => told!(UNAUTHORIZED, "invalid_token", "not_yet_active"),
            Denial::WrongSubscription => told!(UNAUTHORIZED, "invalid_token", "wrong_subscription"),
            Denial::Suspended => told!(UNAUTHORIZED, "invalid_token", "suspended"),
            Denial::InsufficientPermissions => {
                told!(FORBIDDEN, "insufficient_scope", "insufficient_permissions")
            }
        }
    }
}

/// The request makes no sense, and no secret was looked at.
pub(super) fn malformed(code: &'static str) -> Answer {
    problem(Outcome::Malformed, StatusCode::BAD_REQUEST, code)
}

/// The database is away: neither valid nor invalid. Nor was a chosen secret looked at where too many
/// are tried at once, or too many were wrong.
pub(super) fn unanswered(error: &Error) -> Answer {
    if let Error::TooMany(seconds) = error {
        let throttled = StatusCode::TOO_MANY_REQUESTS;
        let mut answer = problem(Outcome::Throttled, throttled, "too_many_requests");
        answer.tell_made("retry-after", format_args!("{seconds}"));
        return answer;
    }
    tracing::error!(?error, "a verification could not be answered");
    let away = StatusCode::SERVICE_UNAVAILABLE;
    let mut answer = problem(Outcome::Unavailable, away, "unavailable");
    answer.tell("retry-after", "1");
    answer
}

fn problem(outcome: Outcome, status: StatusCode, code: &'static str) -> Answer {
    let mut answer = Answer::new(outcome, status, code_body(code).to_string());
    answer.tell("keyward-reason", code);
    answer
}

fn code_body(code: &str) -> serde_json::Value {
    serde_json::json!({ "valid": false, "code": code })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_is_told_is_the_code_of_the_denial_everywhere() {
        for denial in Denial::ALL {
            let (told, code) = (Told::of(denial), denial.code());
            assert_eq!(told.code, code);
            assert_eq!(told.body, code_body(code).to_string());
            assert!(told.challenge.ends_with(&format!("error_description=\"{code}\"")), "{code}");
        }
    }

    #[test]
    fn an_answer_is_the_same_whoever_sends_it() {
        let person = Person {
            key: uuid::Uuid::from_u128(7),
            email: "a b@example.com".into(),
            subscription: Some("acme".to_owned()),
            until: None,
            permissions: Permissions::stored("orders:read orders:write".to_owned()),
        };
        let kinds: [&dyn Fn() -> Answer; 3] =
            [&|| accepted_person(&person), &|| denied(Denial::Unknown, false), &|| {
                malformed("empty_parameter")
            }];
        for made in kinds {
            let mut bytes = Vec::new();
            made().write("Mon, 30 Nov 2026 20:00:00 GMT", false, &mut bytes);
            let mut last = Vec::new();
            made().write("Mon, 30 Nov 2026 20:00:00 GMT", true, &mut last);
            let [text, last] = [bytes, last].map(|it| String::from_utf8(it).unwrap());
            assert_eq!(last.replacen("connection: close\r\n", "", 1), text);
            assert_ne!(last, text);
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let mut lines = head.lines();
            let status = lines.next().unwrap();
            let own = |it: &&str| !it.starts_with("date: ") && !it.starts_with("content-length: ");
            let mut told: Vec<String> = lines.filter(own).map(str::to_owned).collect();
            let by_actix = made().into_response();
            assert_eq!(status, format!("HTTP/1.1 {}", by_actix.status()));
            let shown = |(name, value): (&HeaderName, &HeaderValue)| {
                format!("{name}: {}", value.to_str().unwrap())
            };
            let mut known: Vec<String> = by_actix.headers().iter().map(shown).collect();
            told.sort();
            known.sort();
            assert_eq!(told, known);
            let length = head.lines().find_map(|it| it.strip_prefix("content-length: "));
            assert_eq!(length.map_or(0, |it| it.parse().unwrap()), body.len());
            assert_eq!(length.is_none(), by_actix.status() == StatusCode::NO_CONTENT);
            let by_actix = actix_web::body::to_bytes(by_actix.into_body());
            assert_eq!(by_actix.now_or_never().unwrap().unwrap(), body.as_bytes());
        }
    }

    #[test]
    fn a_value_that_no_header_can_have_is_left_out() {
        let mut answer = Answer::new(Outcome::Accepted, StatusCode::NO_CONTENT, "");
        for value in ["a\r\nkeyward-user: root", "\u{e4}", "a\tb", "\u{7f}"] {
            answer.tell("keyward-user", value);
        }
        answer.tell("keyward-key-group", "");
        answer.tell("keyward-expires", "never");
        let own = answer.lines.strip_prefix(GUARDED).unwrap();
        assert_eq!(own, "keyward-key-group: \r\nkeyward-expires: never\r\n");
    }

    #[test]
    fn names_fit_into_a_header() {
        assert_eq!(header_text("quote-engine"), "quote-engine");
        assert_eq!(header_text("Ä 1%\r\n"), "%C3%84 1%25%0D%0A");
    }
}
