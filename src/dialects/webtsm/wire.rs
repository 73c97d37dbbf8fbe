//! What stands in bodies: PascalCase as the document has it.
use actix_web::HttpRequest;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    clock::instant,
    error::Error,
    http::fault::{self, Cause},
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
pub fn after(req: &HttpRequest) -> Result<Option<Uuid>, Cause> {
    let mut fields = form_urlencoded::parse(req.query_string().as_bytes());
    let after = fields.find(|it| it.0 == "after").map(|it| Uuid::try_parse(&it.1));
    after.transpose().map_err(|_| Cause::malformed("malformed_query", "after is a KeyId."))
}

/// The document's POST has no body. One that says nothing is no body either.
pub fn expect_nothing(req: &HttpRequest, body: &[u8]) -> Result<(), Cause> {
    if body.is_empty() {
        return Ok(());
    }
    if !fault::is_json(req) {
        return Err(Cause::UnsupportedMediaType);
    }
    match serde_json::from_slice(body) {
        Ok(Value::Null) => Ok(()),
        Ok(Value::Object(fields)) => match fields.keys().next() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(100).collect();
                let told = format!("There is no field {name} here.");
                Err(Cause::UnknownField(format!("/{name}"), told))
            }
        },
        _ => {
            let told = "Send no body, or an empty JSON object.";
            Err(Cause::malformed("malformed_body", told))
        }
    }
}
