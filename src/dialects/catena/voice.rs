//! How this interface words its refusals: a code and a sentence.
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::json;

use crate::{
    api::Native,
    http::fault::{self, Told, Voice},
};

pub type Fault = fault::Fault<Catena>;

#[derive(Debug)]
pub struct Catena;

impl Voice for Catena {
    const SIGN_IN: &'static str = Native::SIGN_IN;
    const KEY_MANAGES_NOTHING: &'static str = Native::KEY_MANAGES_NOTHING;
    const CHALLENGE: Option<&'static str> = Native::CHALLENGE;

    fn tell(answer: &mut HttpResponseBuilder, it: &Told<'_>) -> HttpResponse {
        answer.json(json!({ "error": it.code, "message": it.text }))
    }
}
