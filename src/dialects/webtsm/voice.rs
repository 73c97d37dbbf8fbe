//! How this interface words its refusals: a code and a sentence.
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::json;

use crate::http::fault::{self, Told, Voice};

pub type Fault = fault::Fault<Webtsm>;

#[derive(Debug)]
pub struct Webtsm;

impl Voice for Webtsm {
    const SIGN_IN: &'static str = "Sign in with HTTP Basic: your e-mail address and password.";
    const KEY_MANAGES_NOTHING: &'static str = "A request that shows a key manages no keys. Sign in \
                                               with your e-mail address and password.";
    const CHALLENGE: Option<&'static str> = Some("Basic realm=\"keyward\", charset=\"UTF-8\"");

    fn tell(answer: &mut HttpResponseBuilder, it: &Told<'_>) -> HttpResponse {
        answer.json(json!({ "error": it.code, "message": it.text }))
    }
}
