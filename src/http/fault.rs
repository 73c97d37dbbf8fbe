//! Why an interface that programs speak refuses a request. The reasons are the same for all of them;
//! each says them in its own words, which is its [`Voice`].
use std::{borrow::Cow, fmt, marker::PhantomData};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    web::{Bytes, Payload},
};
use serde::de::DeserializeOwned;

use super::{form, status_code};
use crate::{
    domain::{ApiScope, Refusal},
    error::{Error, FieldError},
};

/// Why a request is refused.
#[derive(Debug)]
pub enum Cause {
    /// No credential, or one that opens nothing.
    Unauthenticated,
    /// A key was shown.
    KeyManagesNothing,
    InsecureTransport,
    /// A good token, which may not do this.
    LacksScope(ApiScope),
    UnsupportedMediaType,
    /// A body of the wrong form: where (a JSON pointer), and what is wrong.
    Unreadable(String, String),
    /// The same of a field that there is none of.
    UnknownField(String, String),
    /// A code and a sentence.
    Malformed(&'static str, String),
    /// It is not what `If-Match` says any more.
    Changed,
    Other(Error),
}

impl Cause {
    pub fn malformed(code: &'static str, text: impl Into<String>) -> Self {
        Self::Malformed(code, text.into())
    }

    /// One field of a body, and what to change.
    pub fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Other(Error::Invalid(vec![FieldError::new(field, message)]))
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::KeyManagesNothing | Self::InsecureTransport | Self::LacksScope(_) => {
                StatusCode::FORBIDDEN
            }
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unreadable(..) | Self::UnknownField(..) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Malformed(..) => StatusCode::BAD_REQUEST,
            Self::Changed => StatusCode::PRECONDITION_FAILED,
            // A program that sends the same once more finds what the first one has made.
            Self::Other(Error::AlreadyDone { .. }) => StatusCode::CONFLICT,
            Self::Other(Error::Invalid(fields)) if fields.iter().all(|it| it.is_rule) => {
                StatusCode::CONFLICT
            }
            Self::Other(error) => status_code(error),
        }
    }

    /// A word, for programs to tell refusals apart by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(code, _) => code,
            Self::UnknownField(..) => "unknown_field",
            Self::KeyManagesNothing => "key_not_accepted",
            Self::InsecureTransport => "insecure_transport",
            Self::LacksScope(_) => "insufficient_scope",
            Self::Other(Error::AlreadyDone { .. }) => "already_done",
            other => code(other.status()),
        }
    }

    /// The sentence for whoever reads the answer.
    fn text<V: Voice>(&self) -> Cow<'_, str> {
        match self {
            Self::Unauthenticated => V::SIGN_IN.into(),
            Self::KeyManagesNothing => V::KEY_MANAGES_NOTHING.into(),
            Self::InsecureTransport => {
                "This connection is not encrypted, so no password is taken on it.".into()
            }
            Self::LacksScope(scope) => {
                format!("This takes the scope {}, which the token lacks.", scope.as_str()).into()
            }
            Self::UnsupportedMediaType => "A body here is application/json.".into(),
            Self::Unreadable(_, text) | Self::UnknownField(_, text) | Self::Malformed(_, text) => {
                text.into()
            }
            Self::Changed => "It has changed since you read it. Read it once more.".into(),
            Self::Other(Error::Invalid(fields)) => {
                let texts: Vec<_> = fields.iter().map(V::tell_field).collect();
                texts.join(" ").into()
            }
            Self::Other(error) => error.to_string().into(),
        }
    }

    fn errors(&self) -> &[FieldError] {
        match self {
            Self::Other(Error::Invalid(fields)) => fields,
            _ => &[],
        }
    }
}

impl From<Error> for Cause {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated => Self::Unauthenticated,
            other => Self::Other(other),
        }
    }
}

impl From<Refusal> for Cause {
    fn from(refusal: Refusal) -> Self {
        Self::Other(refusal.into())
    }
}

/// What is to be told in the words of an interface.
pub struct Told<'a> {
    pub status: StatusCode,
    pub code: &'a str,
    pub text: &'a str,
    /// Where in the body, as a JSON pointer, if it could not be read.
    pub pointer: Option<&'a str>,
    pub errors: &'a [FieldError],
}

/// The same request was sent before, and its answer had a secret, which is not given again: 409 with where what it
/// made is. `told` says what to do if that is lost.
pub fn given_once<V: Voice>(location: String, told: &str) -> HttpResponse {
    let told = Told {
        status: StatusCode::CONFLICT,
        code: "already_done",
        text: told,
        pointer: None,
        errors: &[],
    };
    V::tell(HttpResponse::Conflict().insert_header((LOCATION, location)), &told)
}

/// The words of one interface.
pub trait Voice: fmt::Debug + 'static {
    /// For who has shown no credential.
    const SIGN_IN: &'static str;
    /// For who has shown a key where keys manage nothing.
    const KEY_MANAGES_NOTHING: &'static str;
    /// What `WWW-Authenticate` asks for.
    const CHALLENGE: Option<&'static str> = None;

    fn tell_field(it: &FieldError) -> String {
        it.message.clone()
    }

    fn tell(answer: &mut HttpResponseBuilder, it: &Told<'_>) -> HttpResponse;
}

/// A refusal in the words of `V`.
pub struct Fault<V>(pub Cause, PhantomData<V>);

impl<V> From<Cause> for Fault<V> {
    fn from(cause: Cause) -> Self {
        Self(cause, PhantomData)
    }
}

impl<V> From<Error> for Fault<V> {
    fn from(error: Error) -> Self {
        Cause::from(error).into()
    }
}

impl<V> From<Refusal> for Fault<V> {
    fn from(refusal: Refusal) -> Self {
        Cause::from(refusal).into()
    }
}

impl<V> fmt::Debug for Fault<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<V: Voice> fmt::Display for Fault<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text::<V>())
    }
}

impl<V: Voice> ResponseError for Fault<V> {
    fn status_code(&self) -> StatusCode {
        self.0.status()
    }

    fn error_response(&self) -> HttpResponse {
        let error = if let Cause::Other(error) = &self.0 { Some(error) } else { None };
        let mut answer = begin(self.status_code(), error);
        if let (Cause::Unauthenticated, Some(challenge)) = (&self.0, V::CHALLENGE) {
            answer.insert_header((WWW_AUTHENTICATE, challenge));
        }
        let pointer = match &self.0 {
            Cause::Unreadable(at, _) | Cause::UnknownField(at, _) => Some(at.as_str()),
            _ => None,
        };
        let it = Told {
            status: self.status_code(),
            code: self.0.code(),
            text: &self.0.text::<V>(),
            pointer,
            errors: self.0.errors(),
        };
        V::tell(&mut answer, &it)
    }
}

/// What no handler of an interface has answered, in its words.
pub fn refuse<V: Voice>(status: StatusCode) -> HttpResponse {
    let it =
        Told { status, code: code(status), text: &sentence(status), pointer: None, errors: &[] };
    V::tell(&mut HttpResponse::build(status), &it)
}

fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "malformed",
        401 => "unauthenticated",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "too_slow",
        409 => "refused",
        410 => "gone",
        412 => "changed",
        413 => "too_large",
        415 => "unsupported_media_type",
        422 => "invalid",
        429 => "too_many",
        503 => "unavailable",
        _ => "internal",
    }
}

fn sentence(status: StatusCode) -> String {
    match status {
        StatusCode::NOT_FOUND => Error::NotFound.to_string(),
        StatusCode::REQUEST_TIMEOUT => Error::TooSlow.to_string(),
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge.to_string(),
        StatusCode::BAD_REQUEST => "The request ended too early.".to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => "This address answers other methods only.".to_owned(),
        _ => "This cannot be answered.".to_owned(),
    }
}

/// An answer that says when to come back, if that helps. A fault of ours is logged, once.
fn begin(status: StatusCode, error: Option<&Error>) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    match error {
        Some(Error::TooMany(seconds)) => {
            answer.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        Some(Error::Unavailable(cause)) => {
            tracing::error!(error = ?cause, "a request could not be answered");
            answer.insert_header((RETRY_AFTER, "2"));
        }
        Some(Error::Internal(cause)) => {
            tracing::error!(error = ?cause, "a request could not be answered");
        }
        _ => {}
    }
    answer
}

/// Whether the request says that its body is JSON.
pub fn is_json(req: &HttpRequest) -> bool {
    let kind = req.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// A body of JSON, within the limits of every form.
pub async fn json<T: DeserializeOwned>(req: &HttpRequest, payload: Payload) -> Result<T, Cause> {
    parse(&json_bytes(req, payload).await?)
}

/// The same as it was sent.
pub async fn json_bytes(req: &HttpRequest, payload: Payload) -> Result<Bytes, Cause> {
    if !is_json(req) {
        return Err(Cause::UnsupportedMediaType);
    }
    Ok(form::read_body(&mut payload.into_inner()).await?)
}

/// The same where nothing need be said: no body is one that says nothing.
pub async fn optional_json<T: DeserializeOwned + Default>(
    req: &HttpRequest,
    payload: Payload,
) -> Result<T, Cause> {
    let body = form::read_body(&mut payload.into_inner()).await?;
    match (body.is_empty(), is_json(req)) {
        (true, _) => Ok(T::default()),
        (false, true) => parse(&body),
        (false, false) => Err(Cause::UnsupportedMediaType),
    }
}

/// The same of bytes that were read.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Cause> {
    // serde would take the fields of an object by their places.
    if body.trim_ascii_start().starts_with(b"[") {
        let told = "The body is a JSON object, not a list.".to_owned();
        return Err(Cause::Unreadable(String::new(), told));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = pointer(error.path());
        unreadable(path, error.into_inner())
    })?;
    reader.end().map_err(|error| unreadable(String::new(), error))?;
    Ok(read)
}

fn unreadable(path: String, error: serde_json::Error) -> Cause {
    if !error.is_data() {
        return Cause::malformed("malformed_json", error.to_string());
    }
    // serde names fields and places; what was sent it repeats only in these two, and that may be half
    // of a secret.
    let text = error.to_string();
    let told = in_words(text.split(" at line ").next().unwrap_or_default());
    let place = format!(" (line {}, column {})", error.line(), error.column());
    match text.starts_with("unknown field") {
        true => Cause::UnknownField(path, told + &place),
        false => Cause::Unreadable(path, told + &place),
    }
}

pub const INSTANT: &str = "an instant, such as 2027-02-18T10:30:00Z";

/// Whether it is chrono that says so.
pub fn is_of_instant(text: &str) -> bool {
    let words = ["input ", "premature end of input", "trailing input", "no possible date"];
    words.iter().any(|it| text.starts_with(it))
}

/// What serde says of a value, without the value itself.
fn in_words(text: &str) -> String {
    if is_of_instant(text) {
        return format!("This is not {INSTANT}.");
    }
    if !text.starts_with("invalid type") && !text.starts_with("invalid value") {
        return text.to_owned();
    }
    let expected = text.rsplit_once("expected ").map(|it| it.1).unwrap_or_default();
    let kind = match expected.split(' ').next().unwrap_or_default() {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" => "a whole number",
        "a" if expected == "a string" => "text",
        "a" if expected == "a boolean" => "true or false",
        "a" if expected == "a sequence" => "a list",
        "a" if expected == "a map" => "an object",
        "struct" => "an object",
        "a" if expected.starts_with("a formatted date") => INSTANT,
        "an" if expected.contains("RFC 3339") => INSTANT,
        _ => return "This has the wrong type.".to_owned(),
    };
    format!("This has the wrong type. It takes {kind}.")
}

/// RFC 6901
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for it in path.iter() {
        match it {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                let key: String = key.chars().take(100).collect();
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        n: u8,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only read")]
        list: Vec<Inner>,
    }

    fn fault(text: &str) -> (u16, String, String) {
        match parse::<Outer>(text.as_bytes()).unwrap_err() {
            Cause::Unreadable(pointer, text) | Cause::UnknownField(pointer, text) => {
                (422, pointer, text)
            }
            Cause::Malformed(code, _) => (400, String::new(), code.to_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_read_is_pointed_at_and_not_repeated() {
        let (status, pointer, text) =
            fault(r#"{"list": [{"n": 1}, {"n": "kw_half-of-a-secret"}]}"#);
        assert_eq!((status, pointer.as_str()), (422, "/list/1/n"));
        assert!(text.starts_with("This has the wrong type."), "{text}");
        let (_, pointer, text) = fault(r#"{"list": [], "a/b~c": 1}"#);
        assert_eq!(pointer, "/a~1b~0c");
        assert!(text.starts_with("unknown field `a/b~c`, expected `list`"), "{text}");
        assert_eq!(fault(r#"{"list": []} x"#).0, 400);
        assert_eq!(fault("{").2, "malformed_json");
    }
}
