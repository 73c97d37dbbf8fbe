//! How calls are refused: what follows from the kind of a call is told here once, for all of them.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::operation::{Operation, reference};
use crate::server::Access;

/// All refusals of a call, with what each of them means.
pub fn of(it: &Operation, access: Access) -> BTreeMap<u16, &'static str> {
    let mut all = BTreeMap::new();
    let mut may = |status: u16, text: &'static str, is: bool| {
        if is {
            all.insert(status, text);
        }
    };
    let takes_token = matches!(access, Access::Token(_) | Access::TokenOrKey(_));
    may(400, "The request cannot be read; the detail says why.", takes_token);
    may(401, "No credential, or one that is not good.", takes_token);
    may(403, "The credential is good and may not do this.", takes_token);
    may(503, "The database does not answer. Nothing was done.", takes_token);
    let names_a_thing = it.path.contains('{') && !it.path.contains("{service}");
    may(404, "There is no such thing in this subscription.", names_a_thing);
    // A body that is not asked for is read too.
    let may_have_one = it.has_body() || it.method != "GET";
    may(408, "The body came too slowly.", may_have_one);
    may(413, "The body has more than 64 KiB.", may_have_one);
    may(415, "The body is not `application/json`.", it.has_body());
    may(422, "A value in the body will not do; `errors` says which and why.", it.has_body());
    may(409, "A rule refuses it; the detail says which.", takes_token && it.method != "GET");
    may(412, "It has changed since it had this `ETag`.", it.has("IfMatch"));
    all.extend(it.refused());
    all
}

/// A refusal as a Response Object.
pub fn answer(status: u16, text: &str) -> Value {
    let mut answer = json!({
        "description": text,
        "content": { "application/problem+json": { "schema": reference("Problem") } }
    });
    let header = |name: &str| json!({ "$ref": format!("#/components/headers/{name}") });
    match status {
        401 => answer["headers"]["WWW-Authenticate"] = header("WWW-Authenticate"),
        429 | 503 => answer["headers"]["Retry-After"] = header("Retry-After"),
        _ => {}
    }
    answer
}

/// What every refusal says (RFC 9457).
pub fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Why a request was refused (RFC 9457).",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {
                "type": "string",
                "pattern": "^urn:keyward:problem:[a-z_]+$",
                "description": "Tells refusals apart: `urn:keyward:problem:` and a word."
            },
            "title": { "type": "string", "description": "The status in words." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "What to do about it." },
            "instance": {
                "type": "string",
                "description": "The id of the request, which the logs have too."
            },
            "errors": {
                "type": "array",
                "description": "What is wrong at which place of the body.",
                "items": {
                    "type": "object",
                    "required": ["pointer", "detail"],
                    "properties": {
                        "pointer": { "type": "string", "description": "A JSON pointer (RFC 6901)." },
                        "detail": { "type": "string" }
                    }
                }
            },
            "policy": reference("Reference"),
            "key_groups": {
                "type": "array",
                "description": "Of a deletion that needs consent: what would be deleted.",
                "items": reference("DoomedKeyGroup")
            },
            "keys": { "type": "integer", "description": "The number of keys in them." }
        },
        "examples": [{
            "type": "urn:keyward:problem:invalid",
            "title": "Unprocessable Entity",
            "status": 422,
            "detail": "Enter a name.",
            "instance": "019a9fd0c1f27c41a3c66b0d5cf0e1aa",
            "errors": [{ "pointer": "/name", "detail": "Enter a name." }]
        }]
    })
}
