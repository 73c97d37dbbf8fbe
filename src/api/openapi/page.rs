//! The document for people: a viewer that is served from here, and that asks here only.
use actix_web::HttpResponse;
use askama::Template;

use crate::http::{Page, PageError, html};

#[derive(Template)]
#[template(path = "api/docs.html")]
struct DocsPage {
    page: Page,
    document: &'static str,
}

/// `GET /api/docs`. Whoever is signed in gets the same page: a token is typed, and no cookie is sent.
pub async fn docs() -> Result<HttpResponse, PageError> {
    html(&DocsPage { page: Page::plain(), document: "/api/v1/openapi.json" })
}
