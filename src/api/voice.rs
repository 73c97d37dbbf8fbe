//! How this interface words its refusals: `application/problem+json` (RFC 9457).
use actix_web::{HttpResponse, HttpResponseBuilder, http::header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::http::{
    fault::{self, Told, Voice},
    guard,
};

pub type Problem = fault::Fault<Native>;

#[derive(Debug)]
pub struct Native;

impl Voice for Native {
    const SIGN_IN: &'static str = "Show an automation token that is good: Authorization: Bearer kwa_... An admin makes one in \
         the settings of the subscription.";
    const KEY_MANAGES_NOTHING: &'static str =
        "A key manages nothing. Show an automation token: Authorization: Bearer kwa_...";
    const CHALLENGE: Option<&'static str> = Some("Bearer realm=\"keyward\"");

    fn tell(answer: &mut HttpResponseBuilder, it: &Told<'_>) -> HttpResponse {
        send(answer, problem(it))
    }
}

/// A problem as a body, which may say more than others.
pub fn send(answer: &mut HttpResponseBuilder, problem: Value) -> HttpResponse {
    answer.insert_header((CONTENT_TYPE, "application/problem+json")).json(problem)
}

/// The body that every refusal has.
pub fn problem(it: &Told<'_>) -> Value {
    let error = |pointer: String, detail: &str| json!({ "pointer": pointer, "detail": detail });
    let mut errors: Vec<Value> =
        it.errors.iter().map(|at| error(format!("/{}", at.field), &at.message)).collect();
    errors.extend(it.pointer.map(|at| error(at.to_owned(), it.text)));
    let mut problem = json!({
        "type": format!("urn:keyward:problem:{}", it.code),
        "title": it.status.canonical_reason().unwrap_or("Refused"),
        "status": it.status.as_u16(),
        "detail": it.text,
        // The request id, which the log and the audit log have too.
        "instance": guard::current_request_id(),
    });
    if !errors.is_empty() {
        problem["errors"] = errors.into();
    }
    problem
}
