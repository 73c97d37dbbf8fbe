//! Calls that ask: about a secret, what was done, and for this very document.
use serde_json::json;

use super::operation::{Operation, collect, get, operation, post, reference};
use crate::api::{audit, openapi::texts, wire::Question, wire_verify::VerdictBody};

const VERIFICATION: &str = "Verification";

#[rustfmt::skip]
pub fn operations() -> Vec<Operation> {
    vec![
        operation(post("/api/v1/verify", "verifySecret"), VERIFICATION, ("Ask whether a secret is good",
            "For services. Whatever the answer says, it is 200: `valid` is the answer. It knows the own subscription only."))
            .takes::<Question>().refuses(429, "Too many wrong client secrets came from this address.")
            .gives::<VerdictBody>(200, "Whether it is good, and if not, why.", &[]),
        at_gateway(get("/verify", "checkCredential")),
        at_gateway(post("/verify", "checkCredentialByPost")),
        operation(get("/api/v1/audit", "listAuditEvents"), "Audit log", ("Read the audit log", "The newest comes first."))
            .asks::<audit::Asked>().page::<audit::EventBody>(),
        operation(get("/api/v1/openapi.json", "getOpenApi"), "This document", ("Read this document", "OpenAPI 3.1, made from the code that answers."))
            .answer(200, "The document.", &["ETag"], Some(json!({ "application/json": { "schema": { "type": "object" } } })))
            .answer(304, "It has not changed since it had this `ETag`.", &["ETag"], None),
    ]
}

/// A gateway shows what was shown to it, and nothing else.
fn at_gateway(call: (&'static str, &'static str, &'static str)) -> Operation {
    let mut it = operation(
        call,
        VERIFICATION,
        (
            "Check the credential that is shown",
            "For gateways: the credential of the request itself is checked, exactly one. 204 lets a call through; nothing \
             else does. A bearer key needs `x-tenant-name` only if its text was chosen. A gateway for one subscription \
             names it: permissions of others can be called the same.",
        ),
    )
    .query("subscription", "Whose keys are let through: the short name.", &reference("WorkspaceSlug"))
    .query("permission", "What the credential shall be good for.", &reference("PermissionName"))
    .query("workspace", "Where it shall be good for that.", &reference("WorkspaceSlug"));
    collect::<texts::PermissionName>(&mut it.schemas);
    collect::<texts::WorkspaceSlug>(&mut it.schemas);
    let headers = [
        "Keyward-Subscription",
        "Keyward-Key-Group",
        "Keyward-Key-Instance",
        "Keyward-Permissions",
        "Keyward-Expires",
        "Keyward-User",
        "Keyward-Warning",
        "Sunset",
    ];
    it = it.answer(204, "The credential is good; the headers say whose it is.", &headers, None);
    let content = json!({ "application/json": { "schema": reference("GatewayRefusal") } });
    for (status, text, header) in [
        (400, "Several credentials, or a parameter that is none.", None),
        (401, "No credential, or one that is not good.", Some("WWW-Authenticate")),
        (403, "It is good, and lacks the permission.", Some("WWW-Authenticate")),
        (429, "Too many wrong client secrets came from this address.", Some("Retry-After")),
        (503, "Nothing was decided.", Some("Retry-After")),
    ] {
        let headers: Vec<&str> = header.into_iter().chain(["Keyward-Reason"]).collect();
        it = it.answer(status, text, &headers, Some(content.clone()));
    }
    it
}
