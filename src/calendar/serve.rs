//! `GET /calendar/{token}.ics`: for calendar programs, which have no session. Its address is a secret, so
//! it stands outside of the request log.
use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, ETAG, RETRY_AFTER},
    },
    web::{Data, Path},
};
use tokio::time::timeout;

use crate::{
    error::Error,
    http::{App, assets::knows, status_code},
    pepper::token_digest,
};

/// This route stands outside of the deadline of pages.
const LATEST: Duration = Duration::from_secs(15);

/// The calendar, or 304 to whoever has it already.
pub async fn feed(app: Data<App>, req: HttpRequest, token: Path<String>) -> HttpResponse {
    let read = timeout(LATEST, super::read(&app, &token, app.clock.now())).await;
    let late = |_| Err(Error::Unavailable(anyhow::anyhow!("the database does not answer")));
    let text = match read.unwrap_or_else(late) {
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

fn refused(error: Error) -> HttpResponse {
    let status = status_code(&error);
    let mut answer = HttpResponse::build(status);
    if status.is_server_error() {
        tracing::error!(?error, "a calendar cannot be made");
        answer.insert_header((RETRY_AFTER, "60"));
    }
    answer.content_type("text/plain; charset=utf-8").body(format!("{error}\n"))
}
