//! A presented personal key becomes a verdict: one indexed read of its row and of what its person may
//! do now. Its claims are fixed; where they said more than is true today, today counts.
use chrono::{DateTime, Utc};
use sea_orm::{
    FromQueryResult, JoinType, QuerySelect, QueryTrait, Select, entity::prelude::*,
    sea_query::ExprTrait,
};

use super::{Presented, Verdict};
use crate::{
    clock::{instant, millis},
    domain::{
        Access, Denial, Permissions,
        access::{Holding, Place, Source},
        text,
    },
    error::Result,
    http::App,
    members::entity as members,
    personal_keys::{
        Claims,
        entity::{self as keys, user_groups as named},
        token,
    },
    policies::entity as policies,
    subscriptions::entity as subscriptions,
    user_groups::entity::{members as people, policies as in_user_groups},
    users::entity as users,
    workspaces::entity as workspaces,
};

/// Whose key it is.
#[derive(Clone, Debug)]
pub struct Person {
    /// The KeyId.
    pub key: Uuid,
    pub email: String,
    /// The slug of the subscription that is meant; `None` where several could be and none is named.
    pub subscription: Option<String>,
    pub until: Option<DateTime<Utc>>,
    /// All that the person may do at the place that was asked for, as far as the claims go.
    pub permissions: Permissions,
}

/// Whether this is to be read as a personal key, good or not.
pub fn is_one(secret: &str) -> bool {
    token::is_jwt(secret)
}

pub async fn verify(
    app: &App,
    (key, it): (&str, &Presented<'_>),
    now: DateTime<Utc>,
) -> Result<Verdict<Person>> {
    let Some(shown) = token::Presented::read(key) else { return Ok(Verdict::Unknown) };
    // Not proven yet: it says what to look for, and nothing is told before the signature is right.
    let Some(claims) = shown.unproven() else { return Ok(Verdict::Unknown) };
    let slug = meant(&claims, it.tenant);
    let rows = select(shown.id, slug, it.workspace).into_model::<Row>().all(app.db.read()).await?;
    let Some(row) = rows.first() else { return Ok(Verdict::Unknown) };
    let same = claims.jti == row.id && claims.sub == row.user_id;
    if !shown.is_signed_by(&row.public_key) || !same {
        return Ok(Verdict::Unknown);
    }
    let mut denial = decide(row, &claims, slug, it.tenant, now);
    if denial.is_none() && slug.is_none() && !claims.subscriptions.is_empty() {
        // None is named of several: at least one of them must still be the person's.
        let claimed = claims.subscriptions.iter().map(|it| it.slug.as_str());
        let is_somewhere = is_member_of_any(app, row.user_id, claimed.collect()).await?;
        denial = (!is_somewhere).then_some(Denial::WrongSubscription);
    }
    let access: Access = rows.iter().filter_map(Row::holding).collect();
    let place = match (it.workspace, row.asked) {
        (None, _) => Place::Subscription,
        (Some(_), Some(id)) => Place::Workspace(id),
        (Some(_), None) => Place::Nowhere,
    };
    let person = Person {
        key: row.id,
        email: row.email.clone(),
        subscription: slug.map(str::to_owned),
        until: row.active_until.map(instant),
        permissions: access.permissions(place),
    };
    let lacks = it.permission.is_some_and(|asked| !person.permissions.contains(asked));
    let denial = denial.or(lacks.then_some(Denial::InsufficientPermissions));
    Ok(match denial {
        None => Verdict::Accepted(person),
        Some(denial) => Verdict::Denied(person, denial),
    })
}

/// Whether the person is a member of any of these subscriptions that is not suspended.
async fn is_member_of_any(app: &App, user: Uuid, slugs: Vec<&str>) -> Result<bool> {
    let found = members::Entity::find()
        .select_only()
        .column(members::Column::UserId)
        .inner_join(subscriptions::Entity)
        .filter(members::COLUMN.user_id.eq(user))
        .filter(subscriptions::COLUMN.slug.is_in(slugs))
        .filter(subscriptions::COLUMN.suspended_at.is_null())
        .limit(1)
        .into_tuple::<Uuid>()
        .one(app.db.read())
        .await?;
    Ok(found.is_some())
}

/// The subscription that is asked about, if the claims have it: the one that is named, else the only
/// one.
fn meant<'a>(claims: &'a Claims, tenant: Option<&str>) -> Option<&'a str> {
    let slug = match (tenant, claims.subscriptions.as_slice()) {
        (Some(tenant), places) => {
            places.iter().map(|it| it.slug.as_str()).find(|it| *it == tenant)?
        }
        (None, [only]) => &only.slug,
        (None, _) => return None,
    };
    // Anybody can write claims, and not every database takes every text.
    (text::slug(slug).as_deref() == Ok(slug)).then_some(slug)
}

/// In this order: a reason that lies deeper is not told before the ones above it.
fn decide(
    row: &Row,
    claims: &Claims,
    slug: Option<&str>,
    tenant: Option<&str>,
    now: DateTime<Utc>,
) -> Option<Denial> {
    let has_passed = |at: i64| at <= millis(now);
    let ends = [claims.exp.map(|it| it.saturating_mul(1_000)), row.active_until];
    if ends.into_iter().flatten().any(has_passed) {
        return Some(Denial::Expired);
    }
    let is_meant = tenant.is_some() || slug.is_some();
    if is_meant && (slug.is_none() || row.member.is_none()) {
        return Some(Denial::WrongSubscription);
    }
    row.suspended_at.map(|_| Denial::Suspended)
}

/// One for each policy that counts; one without any if none does.
#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    user_id: Uuid,
    public_key: Vec<u8>,
    active_until: Option<i64>,
    email: String,
    suspended_at: Option<i64>,
    /// The person, if she is a member of the subscription now.
    member: Option<Uuid>,
    /// A user group that the claims have and that she is in now.
    user_group: Option<Uuid>,
    policy: Option<Uuid>,
    permissions: Option<String>,
    /// The workspace that was asked for.
    asked: Option<Uuid>,
}

impl Row {
    fn holding(&self) -> Option<Holding> {
        Some(Holding {
            source: Source::UserGroup(self.user_group?),
            policy: self.policy?,
            workspace: None,
            permissions: Permissions::stored(self.permissions.clone()?),
        })
    }
}

fn select(id: Uuid, slug: Option<&str>, workspace: Option<&str>) -> Select<keys::Entity> {
    use keys::Column as K;
    use members::Column as M;
    use people::Column as P;
    let to_user = keys::Entity::belongs_to(users::Entity).from(K::UserId).to(users::Column::Id);
    let mut select = keys::Entity::find_by_id(id)
        .select_only()
        .columns([K::Id, K::UserId, K::PublicKey, K::ActiveUntil])
        .column(users::Column::Email)
        .column(subscriptions::Column::SuspendedAt)
        .column_as(M::UserId, "member")
        .column_as(P::UserGroupId, "user_group")
        .column_as(policies::Column::Id, "policy")
        .column(policies::Column::Permissions)
        .column_as(workspaces::Column::Id, "asked")
        .join(JoinType::InnerJoin, to_user.into());
    let subscription = || (subscriptions::Entity, subscriptions::Column::Id);
    let person = || (keys::Entity, K::UserId);
    QueryTrait::query(&mut select)
        .left_join(
            subscriptions::Entity,
            Expr::col((subscriptions::Entity, subscriptions::Column::Slug)).eq(slug),
        )
        .left_join(
            members::Entity,
            Expr::col((members::Entity, M::SubscriptionId))
                .equals(subscription())
                .and(Expr::col((members::Entity, M::UserId)).equals(person())),
        )
        .left_join(
            named::Entity,
            Expr::col((named::Entity, named::Column::PersonalKeyId))
                .equals((keys::Entity, K::Id))
                .and(
                    Expr::col((named::Entity, named::Column::SubscriptionId))
                        .equals((members::Entity, M::SubscriptionId)),
                ),
        )
        .left_join(
            people::Entity,
            Expr::col((people::Entity, P::UserGroupId))
                .equals((named::Entity, named::Column::UserGroupId))
                .and(Expr::col((people::Entity, P::UserId)).equals(person())),
        )
        .left_join(
            in_user_groups::Entity,
            Expr::col((in_user_groups::Entity, in_user_groups::Column::UserGroupId))
                .equals((people::Entity, P::UserGroupId)),
        )
        .left_join(
            policies::Entity,
            Expr::col((policies::Entity, policies::Column::Id))
                .equals((in_user_groups::Entity, in_user_groups::Column::PolicyId)),
        )
        .left_join(
            workspaces::Entity,
            Expr::col((workspaces::Entity, workspaces::Column::SubscriptionId))
                .equals(subscription())
                .and(Expr::col((workspaces::Entity, workspaces::Column::Slug)).eq(workspace)),
        );
    select
}
