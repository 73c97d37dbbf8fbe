//! A presented secret becomes a verdict: from the live state in memory, or by one indexed read of the
//! database where that cannot be relied on. No verdict is kept.
mod answers;
mod client_secrets;
pub mod gateway;
pub mod personal;
pub mod shown;
mod stored;
mod stored_personal;
pub mod usage;

use std::{borrow::Cow, net::IpAddr};

use chrono::{DateTime, Utc};
use sea_orm::{QuerySelect, entity::prelude::*};
use subtle::ConstantTimeEq;

pub use self::client_secrets::ClientSecrets;
use crate::{
    domain::{
        self, Denial, Facts, Permissions, client_secret,
        secret::{self, Kind, Shape, shape},
    },
    error::Result,
    http::App,
    live::Found,
    pepper::Digest32,
    subscriptions::entity as subscriptions,
};

/// What a caller shows.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// One string (document 004).
    Token(&'a str),
    /// A `client_id` and its secret (documents 000 and 001).
    Client { id: &'a str, secret: &'a str },
}

/// Exactly one credential, as its caller showed it.
pub struct Presented<'a> {
    pub credential: Credential<'a>,
    /// The caller's address: how often it may be wrong about a chosen secret is limited.
    pub from: IpAddr,
    /// `x-tenant-name`: the slug of the subscription.
    pub tenant: Option<&'a str>,
    /// The permission asked for, if one is.
    pub permission: Option<&'a str>,
    /// The slug of the workspace in which, if one is named.
    pub workspace: Option<&'a str>,
}

/// The answer to a presented secret.
pub enum Verdict<H = Holder<'static>> {
    Accepted(H),
    /// The holder of the complete secret is told why.
    Denied(H, Denial),
    /// Unknown, malformed or foreign: one constant answer.
    Unknown,
}

/// Whose secret it is.
#[derive(Clone, Debug)]
pub struct Holder<'a> {
    pub instance: Uuid,
    pub label: i32,
    pub group: Uuid,
    pub group_name: Cow<'a, str>,
    /// Its slug.
    pub subscription: Cow<'a, str>,
    pub facts: Facts,
    /// All that it may do at the place that was asked for.
    pub permissions: Cow<'a, Permissions>,
}

impl Holder<'_> {
    fn into_owned(self) -> Holder<'static> {
        Holder {
            group_name: Cow::Owned(self.group_name.into_owned()),
            subscription: Cow::Owned(self.subscription.into_owned()),
            permissions: Cow::Owned(self.permissions.into_owned()),
            ..self
        }
    }
}

impl Verdict<Holder<'_>> {
    fn into_owned(self) -> Verdict {
        match self {
            Self::Accepted(holder) => Verdict::Accepted(holder.into_owned()),
            Self::Denied(holder, denial) => Verdict::Denied(holder.into_owned(), denial),
            Self::Unknown => Verdict::Unknown,
        }
    }
}

/// Decides. Says nothing about a database that is away: that is an error, never a verdict.
pub async fn verify(app: &App, it: &Presented<'_>, now: DateTime<Utc>) -> Result<Verdict> {
    told(app, it, now, |it| it.into_owned()).await
}

/// The same, where what is told is made from what memory lends: nothing is copied on the way.
pub(crate) async fn told<T>(
    app: &App,
    it: &Presented<'_>,
    now: DateTime<Utc>,
    tell: impl Fn(Verdict<Holder<'_>>) -> T,
) -> Result<T> {
    if let Some(told) = told_at_once(app, it, now, &tell) {
        return Ok(told);
    }
    let digests = match it.credential {
        Credential::Token(secret) => of_token(app, secret, it.tenant).await?,
        Credential::Client { id, secret } => of_client(app, (id, secret), it.from, now).await?,
    };
    if digests.is_empty() {
        return Ok(tell(Verdict::Unknown));
    }
    let judged = |found: Option<Found<'_>>| tell(judge(found, &digests, it, now));
    match app.live.find(&digests, it.workspace, judged) {
        Some(told) => Ok(told),
        None => Ok(judged(stored::find(app, &digests, it.workspace).await?)),
    }
}

/// The same of a generated secret, as most are, where memory knows the answer. `None`: see [`told`].
pub(crate) fn told_at_once<T>(
    app: &App,
    it: &Presented<'_>,
    now: DateTime<Utc>,
    tell: impl Fn(Verdict<Holder<'_>>) -> T,
) -> Option<T> {
    let (kind, secret) = match it.credential {
        Credential::Token(secret) => (Kind::KeyInstance, secret),
        Credential::Client { secret, .. } => (Kind::ClientSecret, secret),
    };
    if secret::may_be(kind, secret) {
        // Its checksum would only spare looking for it.
        let digests = app.peppers.candidates(secret);
        let judged = |found: Option<Found<'_>>| tell(judge(found, &digests, it, now));
        return app.live.find(&digests, it.workspace, judged);
    }
    match (shape(secret), kind) {
        (Shape::Generated(_) | Shape::Impossible, Kind::KeyInstance) => {
            Some(tell(Verdict::Unknown))
        }
        // Chosen by somebody, perhaps.
        _ => None,
    }
}

/// What is found is evaluated now, at each call.
fn judge<'a>(
    found: Option<Found<'a>>,
    digests: &[Digest32],
    it: &Presented<'_>,
    now: DateTime<Utc>,
) -> Verdict<Holder<'a>> {
    let Some(found) = found else { return Verdict::Unknown };
    let same = digests.iter().any(|digest| digest.as_slice().ct_eq(&found.digest).into());
    let own = match it.credential {
        Credential::Token(_) => true,
        Credential::Client { id, .. } => id.as_bytes().ct_eq(found.client_id.as_bytes()).into(),
    };
    if !same || !own {
        return Verdict::Unknown;
    }
    let foreign = it.tenant.is_some_and(|tenant| tenant != found.subscription);
    let verdict = if foreign {
        Err(Denial::WrongSubscription)
    } else {
        domain::decide(found.suspended, &found.facts, &found.permissions, it.permission, now)
    };
    let holder = Holder {
        instance: found.instance,
        label: found.label,
        group: found.group,
        group_name: found.group_name,
        subscription: found.subscription,
        facts: found.facts,
        permissions: found.permissions,
    };
    match verdict {
        Ok(()) => Verdict::Accepted(holder),
        Err(denial) => Verdict::Denied(holder, denial),
    }
}

/// The digests under which such a token could be stored; none if it can be no key.
async fn of_token(app: &App, secret: &str, tenant: Option<&str>) -> Result<Vec<Digest32>> {
    Ok(match (shape(secret), tenant) {
        (Shape::Generated(Kind::KeyInstance), _) => app.peppers.candidates(secret),
        // Custom keys are unique only within their subscription, which must be named.
        (Shape::Custom, Some(tenant)) => match subscription_id(app, tenant).await? {
            Some(id) => app.peppers.custom_candidates(id, secret),
            None => Vec::new(),
        },
        _ => Vec::new(),
    })
}

/// The same for a client. A chosen secret is proved first; then its row decides, as it is now.
async fn of_client(
    app: &App,
    (id, secret): (&str, &str),
    from: IpAddr,
    now: DateTime<Utc>,
) -> Result<Vec<Digest32>> {
    if shape(secret) == Shape::Generated(Kind::ClientSecret) {
        return Ok(app.peppers.candidates(secret));
    }
    if !client_secret::has_the_shape(secret) {
        return Ok(Vec::new());
    }
    Ok(client_secrets::find(app, (id, secret), from, now).await?.into_iter().collect())
}

async fn subscription_id(app: &App, slug: &str) -> Result<Option<Uuid>> {
    if let Some(known) = app.live.subscription_id(slug) {
        return Ok(known);
    }
    Ok(subscriptions::Entity::find()
        .select_only()
        .column(subscriptions::Column::Id)
        .filter(subscriptions::COLUMN.slug.eq(slug))
        .into_tuple()
        .one(app.db.read())
        .await?)
}
