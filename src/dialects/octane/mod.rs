//! API access keys of Octane (document 001), as they stand there:
//!
//! ```text
//! POST /authentication/sign_in   {"user", "password"} or {"client_id", "client_secret"}
//! POST /api/shared_spaces/1001/api_accesses?fields=client_id
//!      {"data": [{"client_secret", "name", "expiration", "workspace_roles": {"data": [{"type", "id"}]}}]}
//!   -> {"total_count": 1, "data": [{"type": "api_access", "id": "1003", "client_id", "is_valid": true}],
//!       "exceeds_total_count": false}
//! GET  /api/shared_spaces/1001/workspace_roles?fields=role&query="(workspace={id=1002})"
//! GET  /api/shared_spaces/1001/roles
//! PUT  /api/shared_spaces/1001/api_accesses/1003   {"is_valid": false}
//! ```
//!
//! A shared space is a subscription, an API access a `client_credentials` group, a role a policy.
pub mod accesses;
mod auth;
mod query;
pub mod roles;
mod wire;

use actix_web::{HttpRequest, HttpResponse, web::Payload};
use zeroize::Zeroizing;

pub use self::wire::refuse;
use self::wire::{Fault, SignIn};
use crate::{
    config::Cookies,
    error::Error,
    http::{App, Client},
    sessions::{
        self,
        rest::{self, Holder},
    },
    verify::{self, Credential, Presented, Verdict},
};

/// `POST /authentication/sign_in`
pub async fn sign_in(
    req: HttpRequest,
    client: Client,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let app = auth::app_of(&req)?;
    if app.site.cookies == Cookies::Refused {
        return Err(Fault::InsecureTransport);
    }
    if auth::is_foreign(&req, &app) {
        return Err(Error::CrossSite.into());
    }
    let now = app.clock.now();
    let holder = match wire::body(&req, payload).await? {
        SignIn::User(it) => {
            let password = Zeroizing::new(it.password);
            let tried = sessions::SignIn { email: it.user, password, known_browser: None };
            Holder::User(sessions::sign_in(&app, tried, client, now).await?.id)
        }
        SignIn::Client(it) => {
            let secret = Zeroizing::new(it.client_secret);
            let credential = Credential::Client { id: &it.client_id, secret: &secret };
            of_client(&app, credential, &client).await?
        }
    };
    if let Some(old) = auth::token(&req) {
        rest::close(&app, &old).await?;
    }
    let token = rest::open(&app, holder, now).await?;
    Ok(HttpResponse::Ok().cookie(auth::cookie(&app, token)).finish())
}

/// A client that could call now.
async fn of_client(app: &App, credential: Credential<'_>, from: &Client) -> Result<Holder, Fault> {
    let now = app.clock.now();
    let presented = Presented {
        credential,
        from: from.address,
        tenant: None,
        permission: None,
        workspace: None,
    };
    match verify::verify(app, &presented, now).await? {
        Verdict::Accepted(it) => Ok(Holder::KeyInstance(it.instance)),
        Verdict::Denied(..) | Verdict::Unknown => Err(Fault::Unauthenticated),
    }
}

/// `POST /authentication/sign_out`: whoever has no session has none afterwards either.
pub async fn sign_out(req: HttpRequest) -> Result<HttpResponse, Fault> {
    let app = auth::app_of(&req)?;
    if auth::is_foreign(&req, &app) {
        return Err(Error::CrossSite.into());
    }
    if let Some(token) = auth::token(&req) {
        rest::close(&app, &token).await?;
    }
    Ok(HttpResponse::Ok().cookie(auth::no_cookie(&app)).finish())
}
