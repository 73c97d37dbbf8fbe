//! Who calls: a program with an automation token. A handler says in its arguments which scope it
//! takes. Cookies mean nothing here, and a key manages nothing (document 003).
use std::{marker::PhantomData, ops::Deref};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;

use super::voice::Native;
use crate::{
    audit::{self, Actor},
    automation_tokens,
    clock::millis,
    domain::{
        ApiScope, ApiScopes,
        secret::{Shape, shape},
    },
    error::Error,
    http::{
        App, Client,
        caller::note_wish,
        fault::{Cause, Fault, Voice},
        headers::Headers,
    },
    key_groups,
    personal_keys::token,
    sessions::pages::cookie_name,
    subscriptions::{Act, Scope},
    verify::shown::{Ambiguous, Shown, What},
};

/// A program in the subscription of its token, or of its key.
pub struct Caller {
    pub app: Data<App>,
    pub now: DateTime<Utc>,
    pub client: Client,
    scope: Scope,
    actor: Actor,
    /// A key has none.
    scopes: ApiScopes,
}

impl Caller {
    /// Whoever shows a good token with this scope.
    pub async fn of(req: &HttpRequest, wanted: ApiScope) -> Result<Self, Cause> {
        let app = app_of(req)?;
        match shown(req, &app)?.what {
            What::Bearer(text) if is_token(text) => Self::of_token(app, req, text, wanted).await,
            What::Nothing => Err(Cause::Unauthenticated),
            // Of a key, of a client, or of a person.
            _ => Err(Cause::KeyManagesNothing),
        }
    }

    pub(super) async fn of_token(
        app: Data<App>,
        req: &HttpRequest,
        text: &str,
        wanted: ApiScope,
    ) -> Result<Self, Cause> {
        let (now, client) = (app.clock.now(), client_of(req).await?);
        let token = automation_tokens::recognize(&app, text, client.address, now).await?;
        let (token, scope, changes_at) = token.ok_or(Cause::Unauthenticated)?;
        let actor = automation_tokens::actor(&token, client.clone());
        let it = Self { app, now, client, scope, actor, scopes: token.scopes() };
        it.demand(wanted).await?;
        if changes_at.is_some_and(|at| at <= millis(now)) { it.current().await } else { Ok(it) }
    }

    /// Whoever has shown a key of this subscription.
    pub(super) async fn of_key(
        app: Data<App>,
        (now, client): (DateTime<Utc>, Client),
        scope: Scope,
        name: String,
    ) -> Result<Self, Cause> {
        let actor = Actor { user_id: None, name, client: client.clone() };
        Self { app, now, client, scope, actor, scopes: ApiScopes::default() }.current().await
    }

    /// What time has changed is brought up to date before it is read.
    async fn current(self) -> Result<Self, Cause> {
        key_groups::bring_up_to_date(&self.act()).await?;
        Ok(self)
    }

    /// What a verb needs: where, who, when.
    pub fn act(&self) -> Act<'_> {
        Act { app: &self.app, scope: &self.scope, actor: self.actor.clone(), now: self.now }
    }

    /// Refuses a token without this scope, and tells the audit log.
    pub async fn demand(&self, wanted: ApiScope) -> Result<(), Cause> {
        if self.scopes.allow(wanted) {
            return Ok(());
        }
        let scope = Some(self.scope.id());
        audit::refusal(&self.app, scope, &self.actor, "The token lacks the scope.").await?;
        Err(Cause::LacksScope(wanted))
    }
}

pub(super) fn app_of(req: &HttpRequest) -> Result<Data<App>, Error> {
    let app = req.app_data::<Data<App>>().cloned();
    app.ok_or_else(|| Error::Internal(anyhow::anyhow!("the server sets the App")))
}

pub(super) async fn client_of(req: &HttpRequest) -> Result<Client, Cause> {
    Client::extract(req).await.map_err(|_| Cause::Unauthenticated)
}

/// What people call a credential that they put into a URL.
const CREDENTIALS: [&str; 9] = [
    "access_token",
    "api_key",
    "apikey",
    "authorization",
    "client_secret",
    "key",
    "password",
    "secret",
    "token",
];

/// Whatever stands in a URL ends in logs.
fn is_in_url(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, value)| {
        CREDENTIALS.contains(&name.to_ascii_lowercase().as_str())
            || matches!(shape(&value), Shape::Generated(_))
            || token::Presented::read(&value).is_some()
    })
}

/// Whoever shows a credential in the URL is told so, be it good for anything or not.
pub(crate) fn refuse_in_url(req: &HttpRequest) -> Result<(), Cause> {
    if is_in_url(req.query_string()) {
        let told = "A credential in a URL ends in logs. Show it in a header.";
        return Err(Cause::malformed("credentials_never_in_url", told));
    }
    Ok(())
}

/// The one credential of a request: not two, none beside the cookie of a session, and none in its URL.
pub(super) fn shown<'a>(req: &'a HttpRequest, app: &App) -> Result<Shown<'a>, Cause> {
    refuse_in_url(req)?;
    let has_session = req.cookie(cookie_name(app.site.cookies)).is_some();
    match Shown::read(Headers::Map(req.headers())) {
        Ok(it) if !(it.is_something && has_session) => Ok(it),
        Ok(_) | Err(Ambiguous) => {
            let told = "Show one credential, not several.";
            Err(Cause::malformed("ambiguous_credentials", told))
        }
    }
}

pub(super) fn is_token(text: &str) -> bool {
    text.starts_with("kwa_")
}

/// What a token must allow for a handler to run.
pub trait Needs: 'static {
    const SCOPE: ApiScope;
}

pub struct KeysRead;
pub struct KeysWrite;
pub struct AccessRead;
pub struct AccessWrite;
pub struct KeysVerify;
pub struct AuditRead;

impl Needs for KeysRead {
    const SCOPE: ApiScope = ApiScope::KeysRead;
}

impl Needs for KeysWrite {
    const SCOPE: ApiScope = ApiScope::KeysWrite;
}

impl Needs for AccessRead {
    const SCOPE: ApiScope = ApiScope::AccessRead;
}

impl Needs for AccessWrite {
    const SCOPE: ApiScope = ApiScope::AccessWrite;
}

impl Needs for KeysVerify {
    const SCOPE: ApiScope = ApiScope::KeysVerify;
}

impl Needs for AuditRead {
    const SCOPE: ApiScope = ApiScope::AuditRead;
}

/// A program whose token has the scope that `N` needs.
/// It is refused in the words of `V`.
pub struct Token<N, V = Native>(Caller, PhantomData<(N, V)>);

impl<N, V> Deref for Token<N, V> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<N: Needs, V: Voice> FromRequest for Token<N, V> {
    type Error = Fault<V>;
    type Future = LocalBoxFuture<'static, Result<Self, Fault<V>>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            let caller = Caller::of(&req, N::SCOPE).await?;
            note_wish(&req);
            Ok(Self(caller, PhantomData))
        })
    }
}
