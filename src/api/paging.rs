//! Lists: `limit` and an opaque `cursor`; the next page is in the body and in a `Link` header. There
//! is no total, which would cost a scan.
use actix_web::{HttpRequest, HttpResponse, http::header::LINK};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::http::{
    fault::{self, Cause},
    listing,
};

/// Rows of a page, unless asked otherwise, and at most.
const LIMIT: u64 = 50;
const MOST: u64 = 200;

/// The query of a request, which knows `names` and nothing else. What was sent is not said again: it
/// may be a secret in the wrong place.
pub fn query<T: DeserializeOwned>(req: &HttpRequest, names: &str) -> Result<T, Cause> {
    let query = req.query_string();
    // Not every database takes this character, so none is asked for it.
    if query.contains("%00") {
        let told = "No parameter holds the character U+0000.";
        return Err(Cause::malformed("malformed_query", told));
    }
    let pairs = form_urlencoded::parse(query.as_bytes());
    let reader = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let name = error.path().to_string();
        let text = error.inner().to_string();
        let known = names.split(", ").find(|it| *it == name);
        Cause::malformed("malformed_query", told(known, &text, names))
    })
}

/// What is wrong with the parameter of this name, if it is one of `names`.
fn told(known: Option<&str>, text: &str, names: &str) -> String {
    let Some(name) = known.filter(|_| !text.starts_with("duplicate field")) else {
        return format!("Each parameter stands once, with a value of its kind. They are: {names}.");
    };
    // What was sent stands before this.
    if let Some((_, all)) = text.rsplit_once(", expected ") {
        return format!("{name} is {}.", all.replace('`', ""));
    }
    if text.contains("digit") || text.contains("number") || text.contains("empty string") {
        return format!("{name} is a whole number.");
    }
    match fault::in_words(text) {
        told if told.contains("an instant") => {
            format!(
                "{name} is an instant, such as 2027-02-18T10:30:00Z; of an offset, + is written %2B."
            )
        }
        _ => format!("{name} has no such value."),
    }
}

pub fn limit(given: Option<u64>) -> Result<u64, Cause> {
    match given.unwrap_or(LIMIT) {
        it @ 1..=MOST => Ok(it),
        _ => Err(Cause::malformed("malformed_query", format!("limit is 1 to {MOST}."))),
    }
}

pub fn cursor(given: Option<&str>) -> Result<Option<(i64, Uuid)>, Cause> {
    given.map(|it| listing::cursor(it).ok_or_else(no_cursor)).transpose()
}

pub fn no_cursor() -> Cause {
    Cause::malformed("malformed_cursor", "This cursor is none that a list has given.")
}

#[derive(Serialize)]
struct Listed<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
}

/// One page, and where the next one is.
pub fn page<T: Serialize>(
    req: &HttpRequest,
    data: Vec<T>,
    next: Option<(i64, Uuid)>,
) -> HttpResponse {
    page_until(req, data, next.map(listing::cursor_text))
}

/// The same with a cursor of any form.
pub fn page_until<T: Serialize>(
    req: &HttpRequest,
    data: Vec<T>,
    next_cursor: Option<String>,
) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    if let Some(cursor) = &next_cursor {
        answer.insert_header((LINK, link(req, cursor)));
    }
    answer.json(Listed { data, next_cursor })
}

/// To the next page of the list that was asked for.
pub fn link(req: &HttpRequest, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let fields = form_urlencoded::parse(req.query_string().as_bytes());
    query.extend_pairs(fields.filter(|it| it.0 != "cursor")).append_pair("cursor", cursor);
    format!("<{}?{}>; rel=\"next\"", req.path(), query.finish())
}
