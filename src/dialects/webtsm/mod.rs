//! The key management of WebTSM Services (document 003), as it stands there:
//!
//! ```text
//! POST   /auth/api-keys/keys           201, a string: the key, once; Location: the next path
//! GET    /auth/api-keys/keys           [{"KeyId", "Key", "IssuedAt", "ClaimValues", "OriginalIssuer", "KeyIssuer"}]
//! GET    /auth/api-keys/keys/<key-id>  one of them
//! DELETE /auth/api-keys/keys/<key-id>  204, and the key is refused from then on
//! ```
//!
//! Its caller is signed in by something else than a key. The public halves are a JWKS (RFC 7517).
mod auth;
mod voice;
mod wire;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, LINK, LOCATION},
    web::{Data, Path, Payload},
};

pub use self::voice::Webtsm;
use self::{auth::Caller, voice::Fault};
use uuid::Uuid;

use crate::{
    api::request,
    error::Error,
    http::{App, fault, form},
    personal_keys::{self, NewKey},
};

/// Keys of one page of the JWKS; a `Link` leads to the next one.
const JWKS_PAGE: usize = 1_000;
/// How long others may keep it, and so may believe in a key that was deleted: a minute.
const JWKS_CACHED: &str = "public, max-age=60";

/// `POST /auth/api-keys/keys`
pub async fn create(
    caller: Caller,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let body = form::read_body(&mut payload.into_inner()).await?;
    wire::expect_nothing(&req, &body)?;
    let own = caller.own();
    let submission = request::submission(own.app, own.user.id, &req, &body)?;
    let info = |id: Uuid| caller.app.site.url(&format!("/auth/api-keys/keys/{id}"));
    let issued = match personal_keys::issue(&own, NewKey::default(), submission).await {
        Err(Error::AlreadyDone { location }) => {
            // /profile/keys/{id}/secret
            let id = wire::id(location.rsplit('/').nth(1).unwrap_or_default());
            return Ok(made_before(info(id)));
        }
        issued => issued?,
    };
    let info = info(issued.key.id);
    let token = issued.token();
    Ok(HttpResponse::Created().insert_header((LOCATION, info)).json(token.expose()))
}

/// The same request was sent before, and its answer had the key: where what it made is.
fn made_before(info: String) -> HttpResponse {
    let told = "This was done already, and its answer had the key, which is not given again. If it is \
               lost, delete this one and make another.";
    fault::given_once::<Webtsm>(info, told)
}

/// `GET /auth/api-keys/keys`
pub async fn list(caller: Caller) -> Result<HttpResponse, Fault> {
    let keys = personal_keys::list(&caller.own()).await?;
    let infos: Result<Vec<_>, _> = keys.iter().map(wire::Info::of).collect();
    Ok(HttpResponse::Ok().json(infos?))
}

/// `GET /auth/api-keys/keys/{key_id}`
pub async fn show(caller: Caller, id: Path<String>) -> Result<HttpResponse, Fault> {
    let key = personal_keys::find(&caller.own(), wire::id(&id)).await?;
    Ok(HttpResponse::Ok().json(wire::Info::of(&key)?))
}

/// `DELETE /auth/api-keys/keys/{key_id}`
pub async fn delete(caller: Caller, id: Path<String>) -> Result<HttpResponse, Fault> {
    personal_keys::delete(&caller.own(), wire::id(&id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /.well-known/jwks.json`: the public halves of everybody's live keys.
pub async fn jwks(app: Data<App>, req: HttpRequest) -> Result<HttpResponse, Fault> {
    let after = wire::after(&req)?;
    let found = personal_keys::public_keys(&app, after, JWKS_PAGE, app.clock.now()).await?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, JWKS_CACHED));
    if let Some(last) = found.next {
        let next = app.site.url(&format!("/.well-known/jwks.json?after={last}"));
        answer.insert_header((LINK, format!("<{next}>; rel=\"next\"")));
    }
    Ok(answer.json(serde_json::json!({ "keys": found.keys })))
}
