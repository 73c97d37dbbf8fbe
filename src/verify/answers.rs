//! How `/verify` answers, in headers.
use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    fmt::{self, Write},
    time::SystemTime,
};

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue, HttpDate},
    },
    web::BytesMut,
};
use chrono::{DateTime, Utc};

use super::{Holder, personal::Person};
use crate::{
    clock::iso,
    domain::{Denial, Permissions, shown_label},
    error::Error,
    metrics::Outcome,
};

/// Not parsed anew in each answer.
mod named {
    use actix_web::http::header::HeaderName;

    pub const EXPIRES: HeaderName = HeaderName::from_static("keyward-expires");
    pub const KEY_GROUP: HeaderName = HeaderName::from_static("keyward-key-group");
    pub const KEY_INSTANCE: HeaderName = HeaderName::from_static("keyward-key-instance");
    pub const PERMISSIONS: HeaderName = HeaderName::from_static("keyward-permissions");
    pub const REASON: HeaderName = HeaderName::from_static("keyward-reason");
    pub const SUBSCRIPTION: HeaderName = HeaderName::from_static("keyward-subscription");
    pub const USER: HeaderName = HeaderName::from_static("keyward-user");
    pub const WARNING: HeaderName = HeaderName::from_static("keyward-warning");
    pub const SUNSET: HeaderName = HeaderName::from_static("sunset");
}

/// Of every answer: it is kept nowhere, and is nothing that a browser could show, run or frame.
const GUARDED: [(HeaderName, HeaderValue); 3] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// Bytes of `Keyward-Permissions`: half of what nginx takes as the whole head of an answer.
const LONGEST_LIST: usize = 2_048;

/// An answer, and what it is counted as.
pub(super) type Counted = (Outcome, HttpResponse);

/// What room the values of many answers are given at once.
const ROOM: usize = 8_192;

thread_local! {
    static VALUES: Cell<BytesMut> = Cell::default();
    static LISTS: RefCell<Lists> = RefCell::default();
}

/// Lists of permissions that were told lately, by where they lie in memory, with the value of the header:
/// many keys share one, and it is the longest by far.
struct Lists([Option<(Permissions, HeaderValue)>; 64]);

impl Default for Lists {
    fn default() -> Self {
        Self([const { None }; 64])
    }
}

impl Lists {
    fn value(&mut self, of: &Permissions) -> Option<HeaderValue> {
        let slot = of.as_str().as_ptr().addr() / 16 % self.0.len();
        // It is held here, so that no other can come to lie where it does.
        if let Some((known, value)) = &self.0[slot]
            && known.is_shared_with(of)
        {
            return Some(value.clone());
        }
        let value = HeaderValue::from_str(of.as_str()).ok()?;
        self.0[slot] = Some((of.clone(), value.clone()));
        Some(value)
    }
}

/// The key is good. The values of its headers lie side by side in a buffer, which the thread uses again
/// once all of them are sent.
struct NoContent {
    answer: HttpResponse,
    values: BytesMut,
}

impl NoContent {
    fn new() -> Self {
        let mut answer = HttpResponse::new(StatusCode::NO_CONTENT);
        for (name, value) in GUARDED {
            answer.headers_mut().insert(name, value);
        }
        let mut values = VALUES.take();
        if values.capacity() < LONGEST_LIST {
            values.reserve(ROOM);
        }
        Self { answer, values }
    }

    /// Of visible ASCII and spaces; a header cannot have another value, and is left out.
    fn tell(&mut self, name: HeaderName, value: &str) {
        self.values.extend_from_slice(value.as_bytes());
        self.end(name);
    }

    fn tell_made(&mut self, name: HeaderName, value: fmt::Arguments<'_>) {
        // It grows as needed.
        let _ = self.values.write_fmt(value);
        self.end(name);
    }

    fn end(&mut self, name: HeaderName) {
        if let Ok(value) = HeaderValue::from_maybe_shared(self.values.split().freeze()) {
            self.answer.headers_mut().insert(name, value);
        }
    }

    fn tell_end(&mut self, until: Option<DateTime<Utc>>) {
        match until {
            Some(until) => self.tell(named::EXPIRES, &iso(until)),
            None => self.tell(named::EXPIRES, "never"),
        }
    }

    /// Proxies refuse long heads, and half a list would be a wrong one: ask with `permission=` then.
    fn tell_permissions(&mut self, permissions: &Permissions) {
        if permissions.as_str().len() <= LONGEST_LIST {
            self.tell(named::PERMISSIONS, permissions.as_str());
        }
    }

    /// The same of what memory lends, which will be told again.
    fn tell_lent_permissions(&mut self, permissions: &Permissions) {
        if permissions.is_empty() || permissions.as_str().len() > LONGEST_LIST {
            self.tell_permissions(permissions);
        } else if let Some(value) = LISTS.with_borrow_mut(|it| it.value(permissions)) {
            self.answer.headers_mut().insert(named::PERMISSIONS, value);
        }
    }

    fn finish(self) -> HttpResponse {
        VALUES.set(self.values);
        self.answer
    }
}

pub(super) fn accepted(holder: &Holder<'_>, now: DateTime<Utc>) -> HttpResponse {
    let mut answer = NoContent::new();
    let until = holder.facts.period.until();
    answer.tell(named::SUBSCRIPTION, &holder.subscription);
    answer.tell(named::KEY_GROUP, &header_text(&holder.group_name));
    answer.tell_made(named::KEY_INSTANCE, format_args!("{}", shown_label(holder.label)));
    answer.tell_end(until);
    match &holder.permissions {
        Cow::Borrowed(lent) => answer.tell_lent_permissions(lent),
        Cow::Owned(made) => answer.tell_permissions(made),
    }
    if let (Some(_), Some(until)) = (holder.facts.warning(now), until) {
        answer.tell(named::WARNING, "expires_soon");
        // RFC 8594: the callers' own code can warn its people.
        answer
            .tell_made(named::SUNSET, format_args!("{}", HttpDate::from(SystemTime::from(until))));
    }
    answer.finish()
}

pub(super) fn accepted_person(person: &Person) -> HttpResponse {
    let mut answer = NoContent::new();
    answer.tell(named::USER, &header_text(&person.email));
    answer.tell_made(named::KEY_INSTANCE, format_args!("{}", person.key));
    answer.tell_end(person.until);
    if let Some(slug) = &person.subscription {
        answer.tell(named::SUBSCRIPTION, slug);
    }
    answer.tell_permissions(&person.permissions);
    answer.finish()
}

/// Names may hold any letter; a header holds ASCII. The rest is percent-encoded.
fn header_text(name: &str) -> Cow<'_, str> {
    let plain = |it: u8| (b' '..=b'~').contains(&it) && it != b'%';
    if name.bytes().all(plain) {
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
pub(super) fn denied(denial: Denial, is_holder: bool) -> Counted {
    let told = Told::of(if is_holder { denial } else { Denial::Unknown });
    let answer = problem(told.status, told.code)
        .insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static(told.challenge)))
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .body(told.body);
    (Outcome::Denied(denial), answer)
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
pub(super) fn malformed(code: &'static str) -> Counted {
    (Outcome::Malformed, problem(StatusCode::BAD_REQUEST, code).json(code_body(code)))
}

/// The database is away: neither valid nor invalid. Nor was a chosen secret looked at where too many
/// are tried at once, or too many were wrong.
pub(super) fn unanswered(error: &Error) -> Counted {
    if let Error::TooMany(seconds) = error {
        let answer = problem(StatusCode::TOO_MANY_REQUESTS, "too_many_requests")
            .insert_header((header::RETRY_AFTER, seconds.to_string()))
            .json(code_body("too_many_requests"));
        return (Outcome::Throttled, answer);
    }
    tracing::error!(?error, "a verification could not be answered");
    let answer = problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        .insert_header((header::RETRY_AFTER, "1"))
        .json(code_body("unavailable"));
    (Outcome::Unavailable, answer)
}

fn problem(status: StatusCode, code: &'static str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    for header in GUARDED {
        answer.insert_header(header);
    }
    answer.insert_header((named::REASON, HeaderValue::from_static(code)));
    answer
}

fn code_body(code: &str) -> serde_json::Value {
    serde_json::json!({ "valid": false, "code": code })
}

#[cfg(test)]
mod tests {
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
    fn answers_that_wait_to_be_sent_keep_their_own_values() {
        let person = |n: u128| Person {
            key: uuid::Uuid::from_u128(n),
            email: format!("{n}@example.com").into(),
            subscription: Some(format!("tenant-{n}")),
            until: None,
            permissions: Permissions::stored("orders:read ".repeat(n as usize * 20)),
        };
        // Two at a time, so that the buffer is used again, and is not.
        let mut waiting = std::collections::VecDeque::new();
        for n in 0..100 {
            waiting.push_back((n % 5, accepted_person(&person(n % 5))));
            let Some((n, answer)) = (waiting.len() > 2).then(|| waiting.pop_front()).flatten()
            else {
                continue;
            };
            let told = |name: &str| answer.headers().get(name).and_then(|it| it.to_str().ok());
            let person = person(n);
            assert_eq!(told("keyward-user"), Some(&*person.email));
            assert_eq!(told("keyward-key-instance"), Some(&*person.key.to_string()));
            assert_eq!(told("keyward-subscription"), person.subscription.as_deref());
            assert_eq!(told("keyward-permissions"), Some(person.permissions.as_str()));
            assert_eq!(told("keyward-expires"), Some("never"));
        }
    }

    #[test]
    fn names_fit_into_a_header() {
        assert_eq!(header_text("quote-engine"), "quote-engine");
        assert_eq!(header_text("Ä 1%\r\n"), "%C3%84 1%25%0D%0A");
    }
}
