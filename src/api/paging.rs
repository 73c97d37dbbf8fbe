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
    if fault::is_of_instant(text) {
        return format!("{name} is {}; of an offset, + is written %2B.", fault::INSTANT);
    }
    format!("{name} has no such value.")
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

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use chrono::{DateTime, Utc};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        Red,
        Green,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Asked {
        limit: Option<u64>,
        color: Option<Color>,
        since: Option<DateTime<Utc>>,
    }

    #[test]
    fn a_refused_parameter_is_named_with_what_it_takes_and_not_what_was_sent() {
        for (sent, expected) in [
            ("limit=-1", "limit is a whole number."),
            ("color=pink", "color is red or green."),
            ("since=2027-01-01", "since is an instant, such as 2027-02-18T10:30:00Z"),
            ("since=2027-01-01T00:00:00+01:00", "of an offset, + is written %2B."),
            ("limit=1&limit=2", "Each parameter stands once"),
            ("kw_secret=1", "They are: limit, color, since."),
        ] {
            let req = TestRequest::with_uri(&format!("/?{sent}")).to_http_request();
            let refused = query::<Asked>(&req, "limit, color, since").unwrap_err();
            let Cause::Malformed(_, told) = refused else { panic!("{refused:?}") };
            assert!(told.contains(expected) && !told.contains("secret"), "{sent}: {told}");
        }
    }
}
