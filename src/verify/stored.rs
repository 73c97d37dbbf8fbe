//! The row of a secret as the database has it now, with all that its group holds: one statement, so that
//! no edit can come between its parts. It is asked where memory cannot be relied on.
use std::borrow::Cow;

use sea_orm::{
    FromQueryResult, JoinType, QuerySelect, QueryTrait,
    entity::prelude::*,
    sea_query::{ExprTrait, Func},
};

use crate::{
    access::entity as access,
    clock::instant,
    domain::{
        Access, ActivePeriod, Facts, Permissions,
        access::{Holding, Place, Source},
    },
    error::Result,
    http::App,
    key_groups::entity as groups,
    key_instances::entity as instances,
    live::Found,
    pepper::Digest32,
    policies::entity as policies,
    subscriptions::entity as subscriptions,
    user_groups::entity::policies as in_user_groups,
    workspaces::entity::{self as workspaces, roles},
};

/// One for each policy that the group holds; one without any if it holds none.
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
    client_id: String,
    slug: String,
    suspended_at: Option<i64>,
    own_policy: Option<Uuid>,
    user_group: Option<Uuid>,
    role: Option<Uuid>,
    workspace: Option<Uuid>,
    policy: Option<Uuid>,
    permissions: Option<String>,
    /// The workspace that was asked for.
    asked: Option<Uuid>,
}

impl Row {
    fn holding(&mut self) -> Option<Holding> {
        let user_group = self.user_group.map(Source::UserGroup);
        let source = self.own_policy.map(Source::Policy).or(user_group);
        Some(Holding {
            source: source.or(self.role.map(Source::Role))?,
            policy: self.policy?,
            workspace: self.workspace,
            permissions: Permissions::stored(self.permissions.take()?),
        })
    }
}

pub(super) async fn find(
    app: &App,
    digests: &[Digest32],
    workspace: Option<&str>,
) -> Result<Option<Found<'static>>> {
    let mut rows: Vec<Row> = select(digests, workspace).into_model().all(app.db.read()).await?;
    let access: Access = rows.iter_mut().filter_map(Row::holding).collect();
    let Some(row) = rows.pop() else { return Ok(None) };
    let place = match (workspace, row.asked) {
        (None, _) => Place::Subscription,
        (Some(_), Some(id)) => Place::Workspace(id),
        (Some(_), None) => Place::Nowhere,
    };
    let period = ActivePeriod::new(instant(row.active_from), row.active_until.map(instant))?;
    Ok(Some(Found {
        digest: row.digest.as_slice().try_into().map_err(anyhow::Error::from)?,
        instance: row.id,
        label: row.label,
        group: row.key_group_id,
        group_name: row.group_name.into(),
        client_id: row.client_id.into(),
        subscription: row.slug.into(),
        suspended: row.suspended_at.is_some(),
        facts: Facts {
            period,
            deactivated_at: row.deactivated_at.map(instant),
            revoked_at: row.revoked_at.map(instant),
        },
        permissions: Cow::Owned(access.permissions(place)),
    }))
}

fn select(digests: &[Digest32], workspace: Option<&str>) -> Select<instances::Entity> {
    use access::Column as A;
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
    let mut select = instances::Entity::find()
        .select_only()
        .columns(facts)
        .column_as(groups::Column::Name, "group_name")
        .column(groups::Column::ClientId)
        .column(subscriptions::Column::Slug)
        .column(subscriptions::Column::SuspendedAt)
        .column_as(A::PolicyId, "own_policy")
        .column_as(A::UserGroupId, "user_group")
        .column_as(A::WorkspaceRoleId, "role")
        .column_as(roles::Column::WorkspaceId, "workspace")
        .column_as(policies::Column::Id, "policy")
        .column(policies::Column::Permissions)
        .join(JoinType::InnerJoin, to_group.into())
        .join(JoinType::InnerJoin, to_subscription.into())
        .filter(I::Digest.is_in(digests.iter().map(|it| it.to_vec())));
    let policy = Func::coalesce([
        Expr::col((access::Entity, A::PolicyId)),
        Expr::col((in_user_groups::Entity, in_user_groups::Column::PolicyId)),
        Expr::col((roles::Entity, roles::Column::PolicyId)),
    ]);
    let query = QueryTrait::query(&mut select);
    query
        .left_join(
            access::Entity,
            Expr::col((access::Entity, A::KeyGroupId)).equals((instances::Entity, I::KeyGroupId)),
        )
        .left_join(
            in_user_groups::Entity,
            Expr::col((in_user_groups::Entity, in_user_groups::Column::UserGroupId))
                .equals((access::Entity, A::UserGroupId)),
        )
        .left_join(
            roles::Entity,
            Expr::col((roles::Entity, roles::Column::Id))
                .equals((access::Entity, A::WorkspaceRoleId)),
        )
        .left_join(
            policies::Entity,
            Expr::col((policies::Entity, policies::Column::Id)).eq(policy),
        );
    match workspace {
        Some(slug) => {
            query
                .expr_as(Expr::col((workspaces::Entity, workspaces::Column::Id)), "asked")
                .left_join(
                    workspaces::Entity,
                    Expr::col((workspaces::Entity, workspaces::Column::SubscriptionId))
                        .equals((instances::Entity, I::SubscriptionId))
                        .and(Expr::col((workspaces::Entity, workspaces::Column::Slug)).eq(slug)),
                );
        }
        None => {
            query.expr_as(Expr::value(None::<Uuid>), "asked");
        }
    }
    select
}
