//! `GET /metrics`, on the listener for monitoring systems.
use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    web::Data,
};

use super::{LISTED, scrape};
use crate::http::App;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub async fn metrics(app: Data<App>) -> HttpResponse {
    match scrape(&app, LISTED).await {
        Ok(text) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, OPENMETRICS))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(text),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}
