//! What a supervisor and a load balancer ask.
use std::time::Duration;

use actix_web::{HttpResponse, web::Data};
use tokio::time::timeout;

use crate::{
    error::Error,
    http::{self, App},
};

/// A database that is silent for so long is away.
const LATEST: Duration = Duration::from_secs(3);

/// Alive: this process answers.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// Ready: the database answers too.
pub(super) async fn readyz(app: Data<App>) -> HttpResponse {
    match timeout(LATEST, app.db.ping()).await {
        Ok(Ok(())) => HttpResponse::Ok().content_type("text/plain").body("ready\n"),
        Ok(Err(_)) | Err(_) => {
            let status = http::status_code(&Error::Unavailable(anyhow::anyhow!("no database")));
            HttpResponse::build(status).content_type("text/plain").body("the database is away\n")
        }
    }
}
