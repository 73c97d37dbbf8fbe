//! Who calls: a program with an automation token. A handler says in its arguments which scope it
//! takes. Cookies mean nothing here, and a key manages nothing (document 003).
use std::{marker::PhantomData, ops::Deref};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HeaderValue},
    web::Data,
};
use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;

use super::voice::Problem;
use crate::{
    audit,
    automation_tokens::{self, AutomationToken},
    domain::ApiScope,
    error::Error,
    http::{App, Client, fault::Cause},
    key_groups,
    sessions::pages::cookie_name,
    subscriptions::{self, Act, Scope},
};

/// A program in the subscription of its token.
pub struct Caller {
    pub app: Data<App>,
    pub now: DateTime<Utc>,
    pub client: Client,
    scope: Scope,
    token: AutomationToken,
}

impl Caller {
    /// Whoever shows a good token with this scope.
    pub async fn of(req: &HttpRequest, wanted: ApiScope) -> Result<Self, Cause> {
        let app = req.app_data::<Data<App>>().cloned();
        let app = app.ok_or_else(|| Error::Internal(anyhow::anyhow!("the server sets the App")))?;
        let now = app.clock.now();
        let text = shown(req, &app)?;
        let client = Client::extract(req).await.map_err(|_| Cause::Unauthenticated)?;
        let token = automation_tokens::recognize(&app, text, client.address, now).await?;
        let token = token.ok_or(Cause::Unauthenticated)?;
        let scope = subscriptions::enter_with_token(&app.db, &token).await?;
        let it = Self { app, now, client, scope, token };
        it.demand(wanted).await?;
        // What time has changed is brought up to date before it is read.
        key_groups::bring_up_to_date(&it.act()).await?;
        Ok(it)
    }

    /// What a verb needs: where, who, when.
    pub fn act(&self) -> Act<'_> {
        let actor = automation_tokens::actor(&self.token, self.client.clone());
        Act { app: &self.app, scope: &self.scope, actor, now: self.now }
    }

    /// Refuses a token without this scope, and tells the audit log.
    pub async fn demand(&self, wanted: ApiScope) -> Result<(), Cause> {
        if self.token.scopes().allow(wanted) {
            return Ok(());
        }
        let (scope, actor) = (Some(self.scope.id()), self.act().actor);
        audit::refusal(&self.app, scope, &actor, "The token lacks the scope.").await?;
        Err(Cause::LacksScope(wanted))
    }
}

/// The one bearer token of a request.
fn shown<'a>(req: &'a HttpRequest, app: &App) -> Result<&'a str, Cause> {
    let headers = req.headers();
    let authorization: Vec<&HeaderValue> = headers.get_all(AUTHORIZATION).collect();
    let keys = authorization.len() + headers.get_all("x-synthetic-key").count();
    let has_session = req.cookie(cookie_name(app.site.cookies)).is_some();
    if keys > 1 || (keys == 1 && has_session) {
        let told = "Show one credential, not several.";
        return Err(Cause::malformed("ambiguous_credentials", told));
    }
    let Some(value) = authorization.first() else {
        return Err(if keys == 1 { Cause::KeyManagesNothing } else { Cause::Unauthenticated });
    };
    let value = value.to_str().map_err(|_| Cause::Unauthenticated)?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            if token.starts_with("kwa_") { Ok(token) } else { Err(Cause::KeyManagesNothing) }
        }
        // Of a client, or of a person.
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("basic") => Err(Cause::KeyManagesNothing),
        _ => Err(Cause::Unauthenticated),
    }
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
pub struct Token<N>(Caller, PhantomData<N>);

impl<N> Deref for Token<N> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<N: Needs> FromRequest for Token<N> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move { Ok(Self(Caller::of(&req, N::SCOPE).await?, PhantomData)) })
    }
}
