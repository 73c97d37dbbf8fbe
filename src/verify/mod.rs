//! A presented secret becomes a verdict: one indexed read of the live row, no cache.
pub mod gateway;
pub mod usage;

use chrono::{DateTime, Utc};
use sea_orm::{FromQueryResult, JoinType, QuerySelect, entity::prelude::*};
use subtle::ConstantTimeEq;

use crate::{
    clock::instant,
    domain::{
        ActivePeriod, Denial, Facts,
        secret::{Kind, Shape, shape},
    },
    error::Result,
    http::App,
    key_groups::entity as groups,
    key_instances::entity as instances,
    pepper::Digest32,
    subscriptions::entity as subscriptions,
};

/// Exactly one credential, as its caller showed it.
pub struct Presented<'a> {
    pub secret: &'a str,
    /// `x-tenant-name`: the slug of the subscription.
    pub tenant: Option<&'a str>,
    /// The permission asked for, if one is.
    pub permission: Option<&'a str>,
}

/// The answer to a presented secret.
pub enum Verdict {
    Accepted(Holder),
    /// The holder of the complete secret is told why.
    Denied(Holder, Denial),
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
    let Some(row) = find(app, &digests).await? else { return Ok(Verdict::Unknown) };
    let same = digests.iter().any(|digest| digest.as_slice().ct_eq(&row.digest).into());
    if !same {
        return Ok(Verdict::Unknown);
    }
    let suspended = row.suspended_at.is_some();
    let holder = row.holder()?;
    Ok(match decide(&holder, suspended, it, now) {
        Ok(()) => Verdict::Accepted(holder),
        Err(denial) => Verdict::Denied(holder, denial),
    })
}

fn decide(
    holder: &Holder,
    suspended: bool,
    it: &Presented<'_>,
    now: DateTime<Utc>,
) -> std::result::Result<(), Denial> {
    if it.tenant.is_some_and(|tenant| tenant != holder.subscription) {
        return Err(Denial::WrongSubscription);
    }
    if suspended {
        return Err(Denial::Suspended);
    }
    holder.facts.accept(now)?;
    // No key holds a permission yet: policies and user groups come with access.
    if it.permission.is_some() { Err(Denial::InsufficientPermissions) } else { Ok(()) }
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    digest: Vec<u8>,
    label: i32,
    active_from: i64,
    active_until: Option<i64>,
    deactivated_at: Option<i64>,
    revoked_at: Option<i64>,
    key_group_id: Uuid,
    group_name: String,
    slug: String,
    suspended_at: Option<i64>,
}

impl Row {
    fn holder(self) -> Result<Holder> {
        let until = self.active_until.map(instant);
        let period = ActivePeriod::new(instant(self.active_from), until)?;
        Ok(Holder {
            instance: self.id,
            label: self.label,
            group: self.key_group_id,
            group_name: self.group_name,
            subscription: self.slug,
            facts: Facts {
                period,
                deactivated_at: self.deactivated_at.map(instant),
                revoked_at: self.revoked_at.map(instant),
            },
        })
    }
}

async fn find(app: &App, digests: &[Digest32]) -> Result<Option<Row>> {
    use instances::Column as I;
    let to_group =
        instances::Entity::belongs_to(groups::Entity).from(I::KeyGroupId).to(groups::Column::Id);
    let to_subscription = instances::Entity::belongs_to(subscriptions::Entity)
        .from(I::SubscriptionId)
        .to(subscriptions::Column::Id);
    let facts = [
        I::Id,
        I::Digest,
        I::Label,
        I::ActiveFrom,
        I::ActiveUntil,
        I::DeactivatedAt,
        I::RevokedAt,
        I::KeyGroupId,
    ];
    Ok(instances::Entity::find()
        .select_only()
        .columns(facts)
        .column_as(groups::Column::Name, "group_name")
        .column(subscriptions::Column::Slug)
        .column(subscriptions::Column::SuspendedAt)
        .join(JoinType::InnerJoin, to_group.into())
        .join(JoinType::InnerJoin, to_subscription.into())
        .filter(I::Digest.is_in(digests.iter().map(|it| it.to_vec())))
        .into_model()
        .one(app.db.read())
        .await?)
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
