//! The row of a personal key as the database has it now, with what its person may do: one statement. It is
//! asked where memory cannot be relied on.
use sea_orm::{
    FromQueryResult, JoinType, QuerySelect, QueryTrait, Select, entity::prelude::*,
    sea_query::ExprTrait,
};

use crate::{
    domain::{
        Access, Permissions,
        access::{Holding, Place, Source},
    },
    error::Result,
    http::App,
    live::FoundPerson,
    members::entity as members,
    personal_keys::{
        entity::{self as keys, user_groups as named},
        token::public_key,
    },
    policies::entity as policies,
    subscriptions::entity as subscriptions,
    user_groups::entity::{members as people, policies as in_user_groups},
    users::entity as users,
    workspaces::entity as workspaces,
};

pub(super) async fn find(
    app: &App,
    id: Uuid,
    slug: Option<&str>,
    workspace: Option<&str>,
) -> Result<Option<FoundPerson>> {
    let mut rows: Vec<Row> = select(id, slug, workspace).into_model().all(app.db.read()).await?;
    let access: Access = rows.iter_mut().filter_map(Row::holding).collect();
    let Some(row) = rows.pop() else { return Ok(None) };
    let place = match (workspace, row.asked) {
        (None, _) => Place::Subscription,
        (Some(_), Some(id)) => Place::Workspace(id),
        (Some(_), None) => Place::Nowhere,
    };
    Ok(Some(FoundPerson {
        user: row.user_id,
        public_key: public_key(&row.public_key),
        email: row.email.into(),
        until: row.active_until,
        is_member: row.member.is_some(),
        is_suspended: row.suspended_at.is_some(),
        permissions: access.permissions(place),
    }))
}

/// Of each of these subscriptions that the person is a member of, whether it is suspended.
pub(super) async fn places_of(app: &App, user: Uuid, slugs: Vec<&str>) -> Result<Vec<bool>> {
    let found: Vec<Option<i64>> = members::Entity::find()
        .select_only()
        .column(subscriptions::Column::SuspendedAt)
        .inner_join(subscriptions::Entity)
        .filter(members::COLUMN.user_id.eq(user))
        .filter(subscriptions::COLUMN.slug.is_in(slugs))
        .into_tuple()
        .all(app.db.read())
        .await?;
    Ok(found.iter().map(Option::is_some).collect())
}

/// One for each policy that counts; one without any if none does.
#[derive(FromQueryResult)]
struct Row {
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
    fn holding(&mut self) -> Option<Holding> {
        Some(Holding {
            source: Source::UserGroup(self.user_group?),
            policy: self.policy?,
            workspace: None,
            permissions: Permissions::stored(self.permissions.take()?),
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
        .columns([K::UserId, K::PublicKey, K::ActiveUntil])
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
