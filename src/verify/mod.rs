//! A presented secret becomes a verdict: one indexed read of the live row, no cache.
pub mod gateway;
mod live;
pub mod personal;
pub mod usage;

use chrono::{DateTime, Utc};
use sea_orm::{QuerySelect, entity::prelude::*};
use subtle::ConstantTimeEq;

use self::live::Live;
use crate::{
    domain::{
        self, Denial, Facts, Permissions,
        secret::{Kind, Shape, shape},
    },
    error::Result,
    http::App,
    subscriptions::entity as subscriptions,
};

/// Exactly one credential, as its caller showed it.
pub struct Presented<'a> {
    pub secret: &'a str,
    /// `x-tenant-name`: the slug of the subscription.
    pub tenant: Option<&'a str>,
    /// The permission asked for, if one is.
    pub permission: Option<&'a str>,
    /// The slug of the workspace in which, if one is named.
    pub workspace: Option<&'a str>,
}

/// The answer to a presented secret.
pub enum Verdict<H = Holder> {
    Accepted(H),
    /// The holder of the complete secret is told why.
    Denied(H, Denial),
    /// Unknown, malformed or foreign: one constant answer.
    Unknown,
}

/// Whose secret it is.
#[derive(Clone, Debug)]
pub struct Holder {
    pub instance: Uuid,
    pub label: i32,
    pub group: Uuid,
    pub group_name: String,
    pub subscription: String,
    pub facts: Facts,
    /// All that it may do at the place that was asked for.
    pub permissions: Permissions,
}

/// Decides. Says nothing about a database that is away: that is an error, never a verdict.
pub async fn verify(app: &App, it: &Presented<'_>, now: DateTime<Utc>) -> Result<Verdict> {
    let digests = match (shape(it.secret), it.tenant) {
        (Shape::Generated(Kind::KeyInstance), _) => app.peppers.candidates(it.secret),
        // Custom keys are unique only within their subscription, which must be named.
        (Shape::Custom, Some(tenant)) => match subscription_id(app, tenant).await? {
            Some(id) => app.peppers.custom_candidates(id, it.secret),
            None => return Ok(Verdict::Unknown),
        },
        _ => return Ok(Verdict::Unknown),
    };
    let Some(live) = live::find(app, &digests, it.workspace).await? else {
        return Ok(Verdict::Unknown);
    };
    let same = digests.iter().any(|digest| digest.as_slice().ct_eq(&live.digest).into());
    if !same {
        return Ok(Verdict::Unknown);
    }
    let foreign = it.tenant.is_some_and(|tenant| tenant != live.holder.subscription);
    let Live { holder, suspended, .. } = live;
    let verdict = if foreign {
        Err(Denial::WrongSubscription)
    } else {
        domain::decide(suspended, &holder.facts, &holder.permissions, it.permission, now)
    };
    Ok(match verdict {
        Ok(()) => Verdict::Accepted(holder),
        Err(denial) => Verdict::Denied(holder, denial),
    })
}

async fn subscription_id(app: &App, slug: &str) -> Result<Option<Uuid>> {
    Ok(subscriptions::Entity::find()
        .select_only()
        .column(subscriptions::Column::Id)
        .filter(subscriptions::COLUMN.slug.eq(slug))
        .into_tuple()
        .one(app.db.read())
        .await?)
}
