//! The web kit that every face shares: the application's state, who is calling, pages and forms,
//! cookies, headers, static files. It knows no rule of the domain.
pub mod assets;
pub mod caller;
pub mod cookies;
pub mod download;
pub mod fault;
pub mod flash;
pub mod form;
pub mod guard;
pub mod headers;
mod icon;
pub mod listing;
pub mod once;
pub mod page;
pub mod words;

use std::sync::Arc;

use actix_web::{HttpResponse, http::StatusCode, http::header::LOCATION};

pub use self::{
    caller::{Admin, AuditReader, InPlace, Owner, SignedIn, Viewer},
    flash::Flash,
    form::{Errors, Form},
    icon::{icon, small_icon},
    page::{Page, PageError, html},
};
pub use crate::audit::Client;
use crate::{
    clock::Clock,
    config::{Config, Site},
    db::Db,
    error::Error,
    live::Live,
    metrics::Metrics,
    notices::Senders,
    pepper::Keyring,
    users::Passwords,
    verify::{ClientSecrets, usage::Recorder},
};

/// What every handler may use. One value, made by `main` and by the tests alike.
pub struct App {
    pub db: Db,
    /// What verifications depend on, in memory.
    pub live: Arc<Live>,
    pub clock: Clock,
    pub config: Config,
    pub site: Site,
    pub peppers: Arc<Keyring>,
    pub passwords: Passwords,
    pub client_secrets: ClientSecrets,
    pub recorder: Recorder,
    pub metrics: Metrics,
    /// Of webhooks and e-mail.
    pub senders: Senders,
    /// Encrypts the cookies that carry something: flash, drafts, shown-once secrets.
    pub sealing_key: actix_web::cookie::Key,
}

/// The one map from reasons to status codes. Each face words its own body.
pub fn status_code(error: &Error) -> StatusCode {
    match error {
        Error::Refused(_) => StatusCode::CONFLICT,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Malformed(_) => StatusCode::BAD_REQUEST,
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::Gone(_) => StatusCode::GONE,
        Error::AlreadyDone { .. } | Error::Unproved => StatusCode::SEE_OTHER,
        Error::Unauthenticated => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) | Error::CrossSite => StatusCode::FORBIDDEN,
        Error::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Error::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Error::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// 303 to a path of ours: what every accepted form ends with.
pub fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

/// Whether `path` stays on our origin when a browser follows it.
pub fn is_local_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|it| it.is_ascii_graphic() && it != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_our_own_origin_are_followed() {
        assert!(is_local_path("/s/acme/groups?show=soon&after=1_2"));
        assert!(is_local_path("/%2fe") && is_local_path("/x%0d%0aSet-Cookie:a=b"));
        for away in
            ["//e", "/\\e", "https:e", "/\t/e", "javascript:alert(1)", "", "e", "/a\r\nb", "/ä"]
        {
            assert!(!is_local_path(away), "{away:?}");
        }
    }
}
