//! Who is asking. A handler says in its arguments who may call it; roles are read at each request.
use std::{
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    ops::Deref,
};

use actix_session::SessionExt;
use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{Method, header::USER_AGENT},
    web::Data,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures_util::future::LocalBoxFuture;
use ipnet::IpNet;
use uuid::Uuid;

use super::{App, Flash, PageError, guard, headers::Headers, words::Here};
use crate::{
    audit::{Actor, Client},
    clock::millis,
    db::Applied,
    domain::Role,
    error::Error,
    key_groups, notices, sessions,
    subscriptions::{self, Act, Place, Scope, Subscription},
    users::User,
};

/// Where a request comes from, whoever sent it.
fn client(req: &HttpRequest, app: &App) -> Client {
    let agent = req.headers().get(USER_AGENT).map(|it| it.as_bytes());
    let agent = String::from_utf8_lossy(agent.unwrap_or_default());
    Client {
        address: address(req.peer_addr(), Headers::Map(req.headers()), &app.config.trusted_proxies),
        agent: agent.chars().filter(|it| !it.is_control()).take(200).collect(),
        request_id: guard::current_request_id(),
    }
}

impl FromRequest for Client {
    type Error = PageError;
    type Future = std::future::Ready<Result<Self, PageError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(app_of(req).map(|app| client(req, &app)).map_err(PageError::from))
    }
}

/// The caller's address. `X-Forwarded-For` counts only behind proxies that the operator named:
/// from right to left, the first address that is none of them.
pub fn address(peer: Option<SocketAddr>, headers: Headers<'_>, proxies: &[IpNet]) -> IpAddr {
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |it| it.ip().to_canonical());
    let trusted = |it: &IpAddr| proxies.iter().any(|net| net.contains(it));
    if !trusted(&peer) {
        return peer;
    }
    let lines = headers.named("x-forwarded-for");
    let hops: Vec<&[u8]> = lines.flat_map(|it| it.split(|it| *it == b',')).collect();
    let parse = |it: &&[u8]| str::from_utf8(it).ok()?.trim().parse::<IpAddr>().ok();
    let parsed = hops.iter().rev().map_while(parse).map(|it| it.to_canonical());
    let mut last = peer;
    for hop in parsed {
        last = hop;
        if !trusted(&hop) {
            break;
        }
    }
    last
}

/// Of whoever may do what is asked: says so where it is to change something.
pub fn note_wish(req: &HttpRequest) {
    if !req.method().is_safe() {
        Applied::note_change_wanted();
    }
}

fn app_of(req: &HttpRequest) -> Result<Data<App>, Error> {
    let app = req.app_data::<Data<App>>().cloned();
    app.ok_or_else(|| Error::Internal(anyhow::anyhow!("the server sets the App")))
}

/// A person with a live session.
pub struct SignedIn {
    pub app: Data<App>,
    pub user: User,
    pub client: Client,
    pub here: Here,
    pub flash: Option<Flash>,
    /// The person's subscriptions, by name; the first 50.
    pub places: Vec<Place>,
}

impl SignedIn {
    async fn of(req: HttpRequest) -> Result<Self, PageError> {
        let app = app_of(&req)?;
        let Some((user, places)) = sessions::person_of(&app, &req.get_session()).await? else {
            return Err(match way_back(&req) {
                Some(way) => PageError::coming_back_to(Error::Unauthenticated, way),
                None => Error::Unauthenticated.into(),
            });
        };
        let zone = user.time_zone.parse().unwrap_or(Tz::UTC);
        Ok(Self {
            here: Here { now: app.clock.now(), zone },
            client: client(&req, &app),
            flash: Flash::take(&app, &req),
            places,
            user,
            app,
        })
    }

    pub fn actor(&self) -> Actor {
        Actor {
            user_id: Some(self.user.id),
            name: self.user.email.clone(),
            client: self.client.clone(),
        }
    }
}

/// Beside every resource that has a page: an address that only takes forms leads nowhere.
pub struct HasPage;

/// The page to come back to after signing in. A POST comes back to the page of its form, which
/// lives at the same path.
fn way_back(req: &HttpRequest) -> Option<String> {
    let uri = req.uri().path_and_query().map_or("/", |it| it.as_str());
    let path = if req.method().is_safe() { uri } else { req.path() };
    req.app_data::<HasPage>().map(|_| path.to_owned())
}

/// Beside every resource with rows that demand a fresh proof of the password: their methods.
pub struct Fresh(pub Vec<Method>);

/// After the role, so that nobody types a password to be told that they may not.
fn demand_proof(req: &HttpRequest, now: DateTime<Utc>) -> Result<(), PageError> {
    let method = if *req.method() == Method::HEAD { &Method::GET } else { req.method() };
    let demanded = req.app_data::<Fresh>().is_some_and(|it| it.0.contains(method));
    if !demanded || sessions::is_proved(&req.get_session(), now) {
        return Ok(());
    }
    let way = way_back(req).unwrap_or_else(|| "/".to_owned());
    Err(PageError::coming_back_to(Error::Unproved, offering(&way)))
}

/// A file does not show itself: the page that offers it is the one to come back to.
fn offering(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let page = path.strip_suffix(".csv").unwrap_or(path);
    let page = page.split_once("/download.").map_or(page, |it| it.0);
    if query.is_empty() { page.to_owned() } else { format!("{page}?{query}") }
}

impl FromRequest for SignedIn {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            let me = Self::of(req.clone()).await?;
            demand_proof(&req, me.here.now)?;
            note_wish(&req);
            Ok(me)
        })
    }
}

/// A signed-in person who runs the installation.
pub struct Owner(pub SignedIn);

impl Deref for Owner {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.0
    }
}

impl FromRequest for Owner {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            let me = SignedIn::of(req.clone()).await?;
            if me.user.is_owner {
                demand_proof(&req, me.here.now)?;
                note_wish(&req);
                return Ok(Self(me));
            }
            refuse(&me, None, "Only an owner of this installation can do this.").await
        })
    }
}

/// A person in a subscription of theirs.
pub struct InPlace {
    pub me: SignedIn,
    pub scope: Scope,
    pub role: Role,
    /// Notices that the person has not seen.
    pub unseen: u64,
}

impl InPlace {
    async fn of(req: HttpRequest) -> Result<Self, PageError> {
        let me = SignedIn::of(req.clone()).await?;
        let slug = req.match_info().get("slug").unwrap_or_default();
        let entered = subscriptions::enter(&me.app.db, me.user.id, &me.places, slug).await;
        let (scope, role) = entered?;
        let known = me.places.iter().find(|it| it.subscription.id == scope.id());
        let unseen = if role.sees_keys(scope.subscription().members_see_keys) {
            let seen = known.map(|it| it.notices_seen_at);
            notices::unseen(&me.app.db, &scope, (me.user.id, seen), role).await?
        } else {
            0
        };
        // Whoever has more subscriptions than are read with the person asks once more.
        let first = known.map_or(Some(0), |it| it.changes_at);
        let is_due = first.is_some_and(|at| at <= millis(me.here.now));
        let mut it = Self { me, scope, role, unseen };
        // What time has changed is brought up to date before a page reads it.
        if is_due && key_groups::bring_up_to_date(&it.act()).await? {
            let fresh = subscriptions::enter(&it.me.app.db, it.me.user.id, &[], slug).await?;
            it.scope = fresh.0;
        }
        Ok(it)
    }

    /// What a verb needs: where, who, when.
    pub fn act(&self) -> Act<'_> {
        Act { app: &self.me.app, scope: &self.scope, actor: self.me.actor(), now: self.me.here.now }
    }

    /// The path of something in this subscription, such as `/s/acme/groups`.
    pub fn path(&self, rest: &str) -> String {
        self.scope.path(rest)
    }
}

/// Every refusal is in the audit log: of the subscription if there is one, else of the installation.
async fn refuse<T>(me: &SignedIn, scope: Option<Uuid>, why: &'static str) -> Result<T, PageError> {
    crate::audit::refusal(&me.app, scope, &me.actor(), why).await?;
    Err(Error::Forbidden(why).into())
}

/// What a role must allow for a handler to run.
pub trait Demand: 'static {
    const ELSE: &'static str;
    fn allows(role: Role, subscription: &Subscription) -> bool;
}

/// A member whose role allows what `D` demands.
pub struct Allowed<D>(InPlace, PhantomData<D>);

impl<D> Deref for Allowed<D> {
    type Target = InPlace;

    fn deref(&self) -> &InPlace {
        &self.0
    }
}

impl<D: Demand> FromRequest for Allowed<D> {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            let it = InPlace::of(req.clone()).await?;
            if D::allows(it.role, it.scope.subscription()) {
                demand_proof(&req, it.me.here.now)?;
                note_wish(&req);
                return Ok(Self(it, PhantomData));
            }
            refuse(&it.me, Some(it.scope.id()), D::ELSE).await
        })
    }
}

/// May see key groups and instances, masked.
pub type Viewer = Allowed<ToSeeKeys>;
/// May change keys and settings.
pub type Admin = Allowed<ToChangeKeys>;
/// May read the audit log.
pub type AuditReader = Allowed<ToReadAudit>;

pub struct ToSeeKeys;
pub struct ToChangeKeys;
pub struct ToReadAudit;

impl Demand for ToSeeKeys {
    const ELSE: &'static str = "Members of this subscription do not see its keys. Ask an admin.";
    fn allows(role: Role, subscription: &Subscription) -> bool {
        role.sees_keys(subscription.members_see_keys)
    }
}

impl Demand for ToChangeKeys {
    const ELSE: &'static str = "Only admins of this subscription can do this. Ask one of them.";
    fn allows(role: Role, _: &Subscription) -> bool {
        role.changes_keys()
    }
}

impl Demand for ToReadAudit {
    const ELSE: &'static str = "Only admins and auditors read the audit log.";
    fn allows(role: Role, _: &Subscription) -> bool {
        role.reads_audit()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
    use httparse::Header;

    use super::*;

    #[test]
    fn a_file_leads_back_to_the_page_that_offers_it() {
        assert_eq!(offering("/s/acme/audit.csv?since=x.csv"), "/s/acme/audit?since=x.csv");
        assert_eq!(offering("/g/1/keys/2/secret/download.env"), "/g/1/keys/2/secret");
        assert_eq!(offering("/s/acme/groups/new"), "/s/acme/groups/new");
    }

    #[test]
    fn forwarded_addresses_count_only_behind_named_proxies() {
        let proxies: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let seen = |peer: &str, header: &'static str, proxies: &[IpNet]| {
            let lines = header
                .split('|')
                .map(|it| Header { name: "X-Forwarded-For", value: it.as_bytes() });
            let lines: Vec<_> = lines.collect();
            let mut map = HeaderMap::new();
            for line in &lines {
                let value = HeaderValue::from_bytes(line.value).unwrap();
                map.append(HeaderName::from_static("x-forwarded-for"), value);
            }
            let peer = Some(SocketAddr::new(peer.parse().unwrap(), 1));
            let [by_us, by_actix] = [Headers::Lines(&lines), Headers::Map(&map)]
                .map(|it| address(peer, it, proxies).to_string());
            assert_eq!(by_us, by_actix);
            by_us
        };
        assert_eq!(seen("192.0.2.1", "198.51.100.7", &proxies), "192.0.2.1");
        assert_eq!(seen("10.0.0.1", "198.51.100.7", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", "198.51.100.7", &proxies), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", "6.6.6.6, 198.51.100.7, 10.2.2.2", &proxies), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", "rubbish", &proxies), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", "198.51.100.7|10.2.2.2", &proxies), "198.51.100.7");
        // Whoever sends such a line does not make the one that the proxy adds to disappear.
        assert_eq!(seen("10.0.0.1", "6.6.6.6|\u{e4}, 198.51.100.7", &proxies), "198.51.100.7");
    }
}
