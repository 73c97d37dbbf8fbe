//! What calls of the document share.
use serde_json::{Value, json};

use super::{operation::Schemas, refusals};

/// Schemas that no struct stands for.
pub fn schemas() -> Schemas {
    let gateway = json!({
        "type": "object",
        "description": "Why a gateway lets nothing through.",
        "required": ["valid", "code"],
        "properties": {
            "valid": { "type": "boolean", "enum": [false] },
            "code": { "type": "string", "pattern": "^[a-z_]+$" }
        },
        "examples": [{ "valid": false, "code": "expired" }]
    });
    Schemas::from([
        ("Problem".to_owned(), refusals::problem()),
        ("GatewayRefusal".to_owned(), gateway),
    ])
}

/// The chapters, in their order.
pub fn tags() -> Value {
    json!([
        { "name": "Key groups", "description": "A key group is what has access; its keys follow each other." },
        { "name": "Keys", "description": "Single keys: their period, their end, their use." },
        { "name": "Policies", "description": "Named sets of permissions." },
        { "name": "User groups", "description": "Policies that key groups and members hold together." },
        { "name": "Workspaces and roles", "description": "Parts of the subscription, and policies that count there." },
        { "name": "Permissions", "description": "What services let keys do. Each service declares its own." },
        { "name": "Verification", "description": "Whether a presented secret is good." },
        { "name": "Audit log", "description": "Who did what, and when." },
        { "name": "This document", "description": "OpenAPI, for programs." }
    ])
}

pub fn parameters() -> Value {
    let id = |name: &str, of: &str| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": format!("The id of {of}."),
            "schema": { "type": "string", "format": "uuid" }
        })
    };
    json!({
        "group": id("group", "the key group"),
        "key": id("key", "the key"),
        "policy": id("policy", "the policy"),
        "user_group": id("user_group", "the user group"),
        "workspace": id("workspace", "the workspace"),
        "role": id("role", "the workspace role"),
        "service": {
            "name": "service",
            "in": "path",
            "required": true,
            "description": "The name of the service, as it stands before the colon of its permissions. `keyward` is taken.",
            "schema": { "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$", "not": { "pattern": "^[Kk][Ee][Yy][Ww][Aa][Rr][Dd]$" } },
            "example": "orders"
        },
        "IfMatch": {
            "name": "If-Match",
            "in": "header",
            "description": "The `ETag` of what was read, or several of them: if it has changed since, the answer is 412 and nothing is done.",
            "schema": { "type": "string" }
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "A text of your own, new for each thing that shall be made. The same request can then be sent again: it makes no \
                second thing.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 }
        }
    })
}

pub fn headers() -> Value {
    let header = |text: &str, schema: Value| json!({ "description": text, "schema": schema });
    let text = || json!({ "type": "string" });
    json!({
        "ETag": header("Stands for the thing as it is now.", text()),
        "Location": header("Where the thing is.", text()),
        "Keyward-Applied": header(
            "On how many nodes a change that concerns verifications is in force, how many of them have confirmed it (the leases of \
             the others have run out), and after how many milliseconds. Not there where nothing of that kind has changed.",
            json!({ "type": "string", "pattern": "^nodes=\\d+, confirmed=\\d+, ms=\\d+$", "examples": ["nodes=2, confirmed=2, ms=3"] })
        ),
        "Link": header("The next page, with `rel=\"next\"`. The last page has none.", text()),
        "Retry-After": header("After so many seconds it is worth another try.", json!({ "type": "integer" })),
        "WWW-Authenticate": header("Which credential is asked for.", text()),
        "Keyward-Subscription": header("The short name of the subscription.", text()),
        "Keyward-Key-Group": header("The name of the key group; what is not ASCII is percent-encoded.", text()),
        "Keyward-Key-Instance": header("The label of the key, such as `k-7`; of a personal key its id.", text()),
        "Keyward-Permissions": header("All that it may do, with spaces between; not there if that is longer than 2,048 bytes.", text()),
        "Keyward-Expires": header("When it ends, or `never`.", text()),
        "Keyward-User": header("The person whose personal key it is.", text()),
        "Keyward-Warning": header("`expires_soon`, if it does.", text()),
        "Sunset": header("When it ends (RFC 8594), if that is soon.", text()),
        "Keyward-Reason": header("The code of the body.", text())
    })
}

pub fn security_schemes() -> Value {
    json!({
        "automationToken": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "kwa_...",
            "description": "An automation token of the subscription, with the scope that the call names."
        },
        "key": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "kw_...",
            "description": "A key, or a personal key. It is for services; it manages nothing."
        },
        "clientSecret": {
            "type": "http",
            "scheme": "basic",
            "description": "A client id and one of its secrets."
        },
        "customKey": {
            "type": "apiKey",
            "in": "header",
            "name": "x-synthetic-key",
            "description": "A key, beside `x-tenant-name`."
        },
        "tenant": {
            "type": "apiKey",
            "in": "header",
            "name": "x-tenant-name",
            "description": "The short name of the subscription."
        }
    })
}
