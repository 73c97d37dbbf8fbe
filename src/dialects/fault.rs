//! What the refusals of all dialects have in common. Each words its own body.
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
};

use crate::error::Error;

/// A word for a status, for programs to tell refusals apart by.
pub(super) fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "malformed",
        401 => "unauthenticated",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "too_slow",
        409 => "refused",
        413 => "too_large",
        415 => "unsupported_media_type",
        422 => "invalid",
        429 => "too_many",
        503 => "unavailable",
        _ => "internal",
    }
}

/// The sentence for what no handler has answered.
pub(super) fn sentence(status: StatusCode) -> String {
    match status {
        StatusCode::NOT_FOUND => Error::NotFound.to_string(),
        StatusCode::REQUEST_TIMEOUT => Error::TooSlow.to_string(),
        StatusCode::METHOD_NOT_ALLOWED => "This address answers other methods only.".to_owned(),
        _ => "This cannot be answered.".to_owned(),
    }
}

/// An answer that says when to come back, if that helps. A fault of ours is logged, once.
pub(super) fn answer(status: StatusCode, error: Option<&Error>) -> HttpResponseBuilder {
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
pub(super) fn is_json(req: &HttpRequest) -> bool {
    let kind = req.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
