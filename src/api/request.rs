//! A request that creates something: its body, and the `Idempotency-Key` by which a program can send
//! it again without making a second thing.
use actix_web::{HttpRequest, web::Payload};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::caller::Caller;
use crate::{
    http::{
        App,
        fault::{self, Cause},
    },
    submissions::Submission,
};

const NAME: &str = "idempotency-key";
const LONGEST: usize = 255;

/// Reads both. Without a key, each request is one of its own.
pub async fn creating<T: DeserializeOwned>(
    caller: &Caller,
    req: &HttpRequest,
    payload: Payload,
) -> Result<(T, Submission), Cause> {
    let body = fault::json_bytes(req, payload).await?;
    let owner = caller.act().scope.id();
    Ok((fault::parse(&body)?, submission(&caller.app, owner, req, &body)?))
}

/// The same of a body that was read.
pub fn submission(
    app: &App,
    owner: Uuid,
    req: &HttpRequest,
    body: &[u8],
) -> Result<Submission, Cause> {
    let mut keys = req.headers().get_all(NAME);
    match (keys.next(), keys.next()) {
        (None, _) => Ok(Submission::unique()),
        (Some(key), None) if (1..=LONGEST).contains(&key.len()) => {
            Ok(Submission::of_request(app, owner, key.as_bytes(), (req.path(), body)))
        }
        _ => {
            let told = format!("Idempotency-Key stands once and has 1 to {LONGEST} characters.");
            Err(Cause::malformed("malformed_idempotency_key", told))
        }
    }
}
