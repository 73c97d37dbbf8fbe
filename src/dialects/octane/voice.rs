//! How Octane words its refusals.
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::json;

use crate::{
    error::FieldError,
    http::{
        fault::{self, Told, Voice},
        guard,
    },
};

pub type Fault = fault::Fault<Octane>;

#[derive(Debug)]
pub struct Octane;

impl Voice for Octane {
    const SIGN_IN: &'static str =
        "Not signed in, or not with these credentials: POST /authentication/sign_in.";
    const KEY_MANAGES_NOTHING: &'static str =
        "A request that shows a key manages nothing. Sign in with user and password.";

    fn tell_field(it: &FieldError) -> String {
        // The dialect's own names of our fields.
        let field = match it.field {
            "key" => "client_secret",
            "until" => "expiration",
            other => other,
        };
        format!("{field}: {}", it.message)
    }

    fn tell(answer: &mut HttpResponseBuilder, it: &Told<'_>) -> HttpResponse {
        let request = Some(guard::current_request_id()).filter(|it| !it.is_empty());
        answer.json(json!({
            "error_code": format!("platform.{}", it.code),
            "description": it.text,
            "correlation_id": request,
        }))
    }
}
