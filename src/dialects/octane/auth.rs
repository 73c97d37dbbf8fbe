//! Who calls: whoever has the cookie that `sign_in` gave. Managing needs an admin who signed in with a
//! password; a key manages nothing.
use std::ops::Deref;

use actix_web::{
    FromRequest, HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
    dev::Payload,
    http::header::{AUTHORIZATION, ORIGIN},
    web::Data,
};
use futures_util::future::LocalBoxFuture;

use super::voice::Fault;
use crate::{
    api::caller::refuse_in_url,
    audit::{self, Actor},
    config::Cookies,
    error::{Error, Result},
    http::{App, Client, caller::note_wish, fault::Cause},
    key_groups,
    sessions::rest::{self, Holder},
    subscriptions::{self, Act, Scope},
    users::User,
};

/// As document 001's clients expect it.
const COOKIE: &str = "LWSSO_COOKIE_KEY";

/// The cookie of a session. It lives as long as the program that keeps it.
pub fn cookie(app: &App, token: String) -> Cookie<'static> {
    Cookie::build(COOKIE, token)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(app.site.cookies != Cookies::Insecure)
        .finish()
}

/// The same, to be forgotten.
pub fn no_cookie(app: &App) -> Cookie<'static> {
    let mut cookie = cookie(app, String::new());
    cookie.set_max_age(Duration::ZERO);
    cookie
}

pub fn token(req: &HttpRequest) -> Option<String> {
    req.cookie(COOKIE).map(|it| it.value().to_owned())
}

/// A browser that another site has sent here is turned away: its cookie is not its wish.
pub fn is_foreign(req: &HttpRequest, app: &App) -> bool {
    let header = |name: &str| req.headers().get(name).map(|it| it.as_bytes());
    let foreign_site =
        header("sec-fetch-site").is_some_and(|it| it != b"same-origin" && it != b"none");
    foreign_site || header(ORIGIN.as_str()).is_some_and(|it| it != app.site.origin.as_bytes())
}

/// An admin of the shared space in the path.
pub struct SpaceAdmin {
    app: Data<App>,
    user: User,
    client: Client,
    scope: Scope,
    now: chrono::DateTime<chrono::Utc>,
}

impl SpaceAdmin {
    pub fn act(&self) -> Act<'_> {
        Act { app: &self.app, scope: &self.scope, actor: self.actor(), now: self.now }
    }

    fn actor(&self) -> Actor {
        let (user_id, name) = (Some(self.user.id), self.user.email.clone());
        Actor { user_id, name, client: self.client.clone() }
    }

    async fn of(req: HttpRequest) -> Result<Self, Fault> {
        let app = app_of(&req)?;
        let now = app.clock.now();
        let user = signed_in(&req, &app, now).await?;
        let client = Client::extract(&req).await.map_err(|_| Cause::Unauthenticated)?;
        let space = req.match_info().get("space").unwrap_or_default();
        let (scope, role) = subscriptions::enter_space(&app, user.id, space).await?;
        let it = Self { app, user, client, scope, now };
        let only_keys = it.scope.subscription().rest_keys_only;
        for (refuses, why) in [
            (!role.changes_keys(), "Only admins of this shared space manage its API accesses."),
            (only_keys, "The REST interface of this shared space is for API keys only."),
        ] {
            if refuses {
                audit::refusal(&it.app, Some(it.scope.id()), &it.actor(), why).await?;
                return Err(Error::Forbidden(why).into());
            }
        }
        // What time has changed is brought up to date before it is read.
        key_groups::bring_up_to_date(&it.act()).await?;
        note_wish(&req);
        Ok(it)
    }
}

impl FromRequest for SpaceAdmin {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(Self::of(req.clone()))
    }
}

pub fn app_of(req: &HttpRequest) -> Result<Data<App>> {
    let app = req.app_data::<Data<App>>().cloned();
    app.ok_or_else(|| Error::Internal(anyhow::anyhow!("the server sets the App")))
}

fn shows_key(req: &HttpRequest) -> bool {
    let headers = [AUTHORIZATION.as_str(), "x-synthetic-key"];
    headers.iter().any(|it| req.headers().contains_key(*it))
}

fn several() -> Cause {
    Cause::malformed("ambiguous_credentials", "Show one credential, not several.")
}

/// Of a request whose body is its credential, or whose cookie is.
pub fn refuse_others(req: &HttpRequest) -> Result<(), Cause> {
    refuse_in_url(req)?;
    if shows_key(req) { Err(several()) } else { Ok(()) }
}

/// The user behind the one credential of the request.
async fn signed_in(
    req: &HttpRequest,
    app: &App,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<User, Fault> {
    refuse_in_url(req)?;
    let token = match (token(req), shows_key(req)) {
        (Some(_), true) => return Err(several().into()),
        (None, true) => return Err(Cause::KeyManagesNothing.into()),
        (None, false) => return Err(Cause::Unauthenticated.into()),
        (Some(token), false) => token,
    };
    if is_foreign(req, app) {
        return Err(Error::CrossSite.into());
    }
    match rest::holder(app, &token, now).await? {
        Some(Holder::User(user)) => Ok(*user),
        Some(Holder::KeyInstance(_)) => Err(Cause::KeyManagesNothing.into()),
        None => Err(Cause::Unauthenticated.into()),
    }
}

impl Deref for SpaceAdmin {
    type Target = Scope;

    fn deref(&self) -> &Scope {
        &self.scope
    }
}
