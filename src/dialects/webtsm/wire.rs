//! What stands in bodies: PascalCase as the document has it, and refusals with a code and a sentence.
use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header::WWW_AUTHENTICATE},
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::super::fault;
use crate::{
    clock::instant,
    error::Error,
    http::status_code,
    personal_keys::{Claims, Jwk, PersonalKey},
};

/// All that is told about a key: never the key.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Info {
    key_id: Uuid,
    key: Jwk,
    /// `2025-04-08T11:27:25+00:00`
    issued_at: String,
    claim_values: Claims,
    original_issuer: String,
    key_issuer: String,
}

impl Info {
    pub fn of(it: &PersonalKey) -> Result<Self, Error> {
        let claims = it.claims()?;
        Ok(Self {
            key_id: it.id,
            key: it.jwk(),
            issued_at: instant(it.issued_at).format("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            original_issuer: claims.original_issuer.clone(),
            key_issuer: claims.iss.clone(),
            claim_values: claims,
        })
    }
}

/// A KeyId; the nil one for rubbish, which no key has.
pub fn id(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap_or_default()
}

/// Where a list goes on: `?after=<KeyId>`.
pub fn after(req: &HttpRequest) -> Result<Option<Uuid>, Fault> {
    let mut fields = form_urlencoded::parse(req.query_string().as_bytes());
    let after = fields.find(|it| it.0 == "after").map(|it| Uuid::try_parse(&it.1));
    after.transpose().map_err(|_| Fault::Malformed("malformed_query", "after is a KeyId."))
}

/// The document's POST has no body. One that says nothing is no body either.
pub fn expect_nothing(req: &HttpRequest, body: &[u8]) -> Result<(), Fault> {
    if body.is_empty() {
        return Ok(());
    }
    if !fault::is_json(req) {
        return Err(Fault::UnsupportedMediaType);
    }
    match serde_json::from_slice(body) {
        Ok(Value::Null) => Ok(()),
        Ok(Value::Object(fields)) => match fields.keys().next() {
            None => Ok(()),
            Some(name) => Err(Fault::UnknownField(name.chars().take(100).collect())),
        },
        _ => Err(Fault::Malformed("malformed_body", "Send no body, or an empty JSON object.")),
    }
}

/// Why a request is refused.
#[derive(Debug)]
pub enum Fault {
    /// No credential, or one that is wrong.
    Unauthenticated,
    /// A key was shown.
    KeyManagesNothing,
    InsecureTransport,
    UnsupportedMediaType,
    UnknownField(String),
    /// A code and a sentence.
    Malformed(&'static str, &'static str),
    Other(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated => Self::Unauthenticated,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated => {
                f.write_str("Sign in with HTTP Basic: your e-mail address and password.")
            }
            Self::KeyManagesNothing => f.write_str(
                "A request that shows a key manages no keys. Sign in with your e-mail address and \
                 password.",
            ),
            Self::InsecureTransport => {
                f.write_str("This connection is not encrypted, so no password is taken on it.")
            }
            Self::UnsupportedMediaType => f.write_str("A body here is application/json."),
            Self::UnknownField(name) => write!(f, "There is no field {name} here."),
            Self::Malformed(_, text) => f.write_str(text),
            Self::Other(Error::Invalid(fields)) => {
                let texts: Vec<&str> = fields.iter().map(|it| it.message.as_str()).collect();
                f.write_str(&texts.join(" "))
            }
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl Fault {
    fn code(&self) -> &'static str {
        match self {
            Self::KeyManagesNothing => "key_not_accepted",
            Self::InsecureTransport => "insecure_transport",
            Self::UnknownField(_) => "unknown_field",
            Self::Malformed(code, _) => code,
            other => fault::code(other.status_code()),
        }
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::KeyManagesNothing | Self::InsecureTransport => StatusCode::FORBIDDEN,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::UnknownField(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Malformed(..) => StatusCode::BAD_REQUEST,
            Self::Other(error) => status_code(error),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let error = if let Self::Other(error) = self { Some(error) } else { None };
        let mut answer = fault::answer(self.status_code(), error);
        if let Self::Unauthenticated = self {
            let challenge = "Basic realm=\"keyward\", charset=\"UTF-8\"";
            answer.insert_header((WWW_AUTHENTICATE, challenge));
        }
        told(&mut answer, self.code(), &self.to_string())
    }
}

fn told(answer: &mut HttpResponseBuilder, code: &str, message: &str) -> HttpResponse {
    answer.json(serde_json::json!({ "error": code, "message": message }))
}

/// What no handler of this face has answered.
pub fn refuse(status: StatusCode) -> HttpResponse {
    told(&mut HttpResponse::build(status), fault::code(status), &fault::sentence(status))
}
