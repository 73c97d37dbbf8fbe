//! `GET /calendar/{token}.ics`: for calendar programs, which have no session. Its address is a secret, so
//! it stands outside of the request log.
use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, RETRY_AFTER},
    },
    web::{Data, Path},
};

use crate::{
    error::Error,
    http::{App, status_code},
    pepper::token_digest,
};

/// The calendar, or 304 to whoever has it already.
pub async fn feed(app: Data<App>, req: HttpRequest, token: Path<String>) -> HttpResponse {
    let text = match super::read(&app, &token, app.clock.now()).await {
        Ok(text) => text,
        Err(error) => return refused(error),
    };
    let tag = format!("\"{}\"", &token_digest(&text)[..32]);
    let is_known = knows(&req, &tag);
    let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CACHE_CONTROL, "private, no-cache")).insert_header((ETAG, tag));
    if is_known {
        return answer.finish();
    }
    answer.content_type("text/calendar; charset=utf-8").body(text)
}

/// Whether the caller has the text with this tag (RFC 9110, 13.1.2: compared weakly).
fn knows(req: &HttpRequest, tag: &str) -> bool {
    let lines = req.headers().get_all(IF_NONE_MATCH).filter_map(|it| it.to_str().ok());
    let mut tags = lines.flat_map(|it| it.split(',')).map(str::trim);
    tags.any(|it| it == "*" || it.strip_prefix("W/").unwrap_or(it) == tag)
}

fn refused(error: Error) -> HttpResponse {
    let status = status_code(&error);
    let mut answer = HttpResponse::build(status);
    if status.is_server_error() {
        tracing::error!(?error, "a calendar cannot be made");
        answer.insert_header((RETRY_AFTER, "60"));
    }
    answer.content_type("text/plain; charset=utf-8").body(format!("{error}\n"))
}
