//! What a supervisor and a load balancer ask.
use actix_web::{HttpResponse, web::Data};

use crate::{
    error::Error,
    http::{self, App},
};

/// Alive: this process answers.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// Ready: the database answers too.
pub(super) async fn readyz(app: Data<App>) -> HttpResponse {
    match app.db.ping().await {
        Ok(()) => HttpResponse::Ok().content_type("text/plain").body("ready\n"),
        Err(_) => {
            let status = http::status_code(&Error::Unavailable(anyhow::anyhow!("no database")));
            HttpResponse::build(status).content_type("text/plain").body("the database is away\n")
        }
    }
}
