//! What is answered about one thing: its body, its `ETag`, and where it is if it was just made.
use actix_web::{
    HttpResponse,
    http::header::{ETAG, LOCATION},
};
use serde::Serialize;
use uuid::Uuid;

use super::wire;

/// A thing as it is now.
pub fn shown(etag: String, body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, etag)).json(body)
}

/// A thing that was made, now or by the same request before: it has no secret, so both answers are
/// the same.
pub fn made(path: String, etag: String, body: impl Serialize) -> HttpResponse {
    HttpResponse::Created().insert_header((LOCATION, path)).insert_header((ETAG, etag)).json(body)
}

/// The id at the end of where a page would find what was made.
pub fn id_in(location: &str) -> Uuid {
    wire::id(location.rsplit(['/', '#']).next().unwrap_or_default())
}
