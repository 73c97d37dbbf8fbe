//! The OpenAPI document of this interface, made from what the code has: paths, methods and scopes from
//! the route table, bodies from the structs that are read and written, refusals by rule. What only
//! people need stands in the tables beside: names, summaries, examples.
mod access;
mod asking;
mod components;
mod examples;
mod keys;
mod operation;
pub mod page;
mod refusals;
pub(super) mod texts;

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, ETAG},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use self::operation::Operation;
use crate::{
    http::assets,
    pepper::hex,
    server::{API_ROUTES, Face, MACHINE_ROUTES, Route},
};

/// What it begins with, for whoever reads it.
const ABOUT: &str = "Keyward administers API keys and tells whether a presented one is good.\n\n\
    A program shows an **automation token**: an admin makes one in the settings of the subscription, with the scopes that it \
    needs. Each call says which scope it takes. One credential per request, never in an address, never beside a cookie.\n\n\
    Bodies are JSON, and fields that nothing knows are refused. Instants are RFC 3339 in UTC with milliseconds. Lists come in pages: \
    ask again with `cursor` until `next_cursor` is null. A change can be bound to what was read (`If-Match`), and a creation can be \
    sent again (`Idempotency-Key`). Refusals are `application/problem+json` (RFC 9457).";

/// The document as it is served, and its `ETag`.
static DOCUMENT: LazyLock<(String, String)> = LazyLock::new(|| {
    let text = document().to_string();
    let tag = format!("\"{}\"", hex(&Sha256::digest(&text)[..8]));
    (text, tag)
});

/// `GET /api/v1/openapi.json`
pub async fn serve(req: HttpRequest) -> HttpResponse {
    let (text, tag) = &*DOCUMENT;
    let unchanged = assets::knows(&req, tag);
    let mut answer = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((ETAG, tag.as_str())).insert_header((CACHE_CONTROL, "no-cache"));
    if unchanged { answer.finish() } else { answer.content_type("application/json").body(&**text) }
}

fn operations() -> Vec<Operation> {
    let mut all = keys::operations();
    all.extend(access::operations());
    all.extend(asking::operations());
    all
}

/// The routes that it tells of.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    let native =
        API_ROUTES.iter().filter(|it| Face::of(it.path).is_some_and(|it| it.below == "/api/v1"));
    native.chain(MACHINE_ROUTES.iter().filter(|it| it.path == "/verify"))
}

/// How many operations the tables have, whether or not there is a route for them.
pub fn told() -> usize {
    operations().len()
}

/// The whole document. A call that has no route is left out, and a test misses it.
pub fn document() -> Value {
    let mut schemas = components::schemas();
    let mut paths = Map::new();
    let all = operations();
    for it in &all {
        let route = routes().find(|row| row.path == it.path && row.method.as_str() == it.method);
        if let Some(route) = route {
            let path = paths.entry(it.path).or_insert_with(|| json!({}));
            path[it.method.to_lowercase()] = it.object(route.access, &all);
        }
        schemas.extend(it.schemas.clone());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Keyward",
            "summary": env!("CARGO_PKG_DESCRIPTION"),
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") }
        },
        "servers": [{ "url": "/" }],
        "tags": components::tags(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": components::parameters(),
            "headers": components::headers(),
            "securitySchemes": components::security_schemes(),
        }
    })
}
