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
mod voice;
mod wire;

use actix_web::{HttpRequest, HttpResponse, web::Payload};
use zeroize::Zeroizing;

pub use self::voice::Octane;
use self::{voice::Fault, wire::SignIn};
use crate::{
    audit::Actor,
    config::Cookies,
    error::Error,
    http::{
        App, Client,
        fault::{self, Cause},
    },
    sessions::{
        self,
        rest::{self, Holder},
    },
    verify::{self, Credential, Presented, Verdict, usage::Call},
};

/// `POST /authentication/sign_in`
pub async fn sign_in(
    req: HttpRequest,
    client: Client,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let app = auth::app_of(&req)?;
    if app.site.cookies == Cookies::Refused {
        return Err(Cause::InsecureTransport.into());
    }
    if auth::is_foreign(&req, &app) {
        return Err(Error::CrossSite.into());
    }
    auth::refuse_others(&req)?;
    let now = app.clock.now();
    let SignIn { user, password, client_id, client_secret } = fault::json(&req, payload).await?;
    let holder = match (user.zip(password), client_id.zip(client_secret)) {
        (Some((email, password)), None) => {
            let password = Zeroizing::new(password);
            let tried = sessions::SignIn { email, password, known_browser: None };
            Holder::User(Box::new(sessions::sign_in(&app, tried, client, now).await?))
        }
        (None, Some((id, secret))) => {
            let secret = Zeroizing::new(secret);
            // No client is called anything else; and not every database takes every text.
            if !id.bytes().all(|it| (b' '..=b'~').contains(&it)) {
                return Err(Cause::Unauthenticated.into());
            }
            of_client(&app, Credential::Client { id: &id, secret: &secret }, &client).await?
        }
        _ => {
            let text = "Send user and password, or client_id and client_secret.";
            return Err(Cause::Unreadable(String::new(), text.to_owned()).into());
        }
    };
    if let Some(old) = auth::token(&req) {
        rest::close(&app, &old).await?;
    }
    let token = rest::open(&app, &holder, now).await?;
    Ok(HttpResponse::Ok().cookie(auth::cookie(&app, token)).finish())
}

/// A client that could call now.
async fn of_client(app: &App, credential: Credential<'_>, from: &Client) -> Result<Holder, Fault> {
    let now = app.clock.now();
    let (from, agent) = (from.address, &from.agent);
    let call = |denial| Call { denial, from, agent, asked: None, workspace: None };
    let presented = Presented { credential, from, tenant: None, permission: None, workspace: None };
    match verify::verify(app, &presented, now).await? {
        Verdict::Accepted(it) => {
            app.recorder.note(&it, call(None), now);
            Ok(Holder::KeyInstance(it.instance))
        }
        Verdict::Denied(it, denial) => {
            app.recorder.note(&it, call(Some(denial)), now);
            Err(Cause::Unauthenticated.into())
        }
        Verdict::Unknown => Err(Cause::Unauthenticated.into()),
    }
}

/// `POST /authentication/sign_out`: whoever has no session has none afterwards either.
pub async fn sign_out(req: HttpRequest, client: Client) -> Result<HttpResponse, Fault> {
    let app = auth::app_of(&req)?;
    if auth::is_foreign(&req, &app) {
        return Err(Error::CrossSite.into());
    }
    auth::refuse_others(&req)?;
    if let Some(token) = auth::token(&req) {
        let now = app.clock.now();
        if let Some(Holder::User(user)) = rest::holder(&app, &token, now).await? {
            let actor = Actor { user_id: Some(user.id), name: user.email.clone(), client };
            sessions::sign_out(&app, user.id, &actor, now).await?;
        }
        rest::close(&app, &token).await?;
    }
    Ok(HttpResponse::Ok().cookie(auth::no_cookie(&app)).finish())
}
