//! The queries of what key groups hold. Every one starts from the subscription.
use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ActiveValue::Set,
    Condition, ExprTrait, FromQueryResult, JoinType, QueryOrder, QuerySelect, QueryTrait, Select,
    entity::prelude::*,
    sea_query::{Func, SelectStatement},
};

use super::{
    Held,
    entity::{ActiveModel, COLUMN, Column, Entity, Model},
};
use crate::{
    clock::new_id,
    db::{self, Tx},
    domain::access::Source,
    error::Result,
    key_groups::{KeyGroup, entity as groups},
    policies::entity as policies,
    subscriptions::{Act, Scope},
    user_groups::entity as user_groups,
    workspaces::entity::{self as workspaces, roles},
};

/// The only way to start a query here: inside one subscription.
fn of(scope: &Scope) -> Select<Entity> {
    Entity::find().filter(COLUMN.subscription_id.eq(scope.id()))
}

fn source(row: &Model) -> Option<Source> {
    let user_group = row.user_group_id.map(Source::UserGroup);
    row.policy_id.map(Source::Policy).or(user_group).or(row.workspace_role_id.map(Source::Role))
}

pub(super) async fn of_groups(
    db: &impl ConnectionTrait,
    scope: &Scope,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, Source)>> {
    let mut found = Vec::new();
    // Both databases limit the parameters of a statement.
    for ids in ids.chunks(1_000) {
        let rows = of(scope).filter(COLUMN.key_group_id.is_in(ids.to_vec())).all(db).await?;
        found.extend(rows.iter().filter_map(|it| Some((it.key_group_id, source(it)?))));
    }
    Ok(found)
}

/// The user groups that these key groups are in, in the order of their ids: one statement.
pub(super) async fn user_groups(act: &Act<'_>, ids: &[Uuid]) -> Result<Vec<(Uuid, Uuid, String)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = of(act.scope)
        .select_only()
        .columns([Column::KeyGroupId, Column::UserGroupId])
        .column(user_groups::Column::Name)
        .filter(COLUMN.key_group_id.is_in(ids.to_vec()))
        .order_by_asc(Column::UserGroupId);
    QueryTrait::query(&mut query).inner_join(
        user_groups::Entity,
        Expr::col((user_groups::Entity, user_groups::Column::Id))
            .equals((Entity, Column::UserGroupId)),
    );
    Ok(query.into_tuple().all(act.app.db.read()).await?)
}

/// One thing that a group holds, by name.
#[derive(FromQueryResult)]
pub(super) struct Named {
    pub(super) key_group_id: Uuid,
    pub(super) user_group: Option<String>,
    /// The policy that it is, or that it is a role of.
    pub(super) policy: Option<String>,
    pub(super) workspace_role_id: Option<Uuid>,
    pub(super) workspace: Option<String>,
}

/// The names of what these groups hold: one statement, for lists.
pub(super) async fn names(act: &Act<'_>, ids: &[Uuid]) -> Result<Vec<Named>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = of(act.scope)
        .select_only()
        .columns([Column::KeyGroupId, Column::WorkspaceRoleId])
        .column_as(user_groups::Column::Name, "user_group")
        .column_as(policies::Column::Name, "policy")
        .column_as(workspaces::Column::Name, "workspace")
        .filter(COLUMN.key_group_id.is_in(ids.to_vec()));
    let policy = Func::coalesce([
        Expr::col((Entity, Column::PolicyId)),
        Expr::col((roles::Entity, roles::Column::PolicyId)),
    ]);
    QueryTrait::query(&mut query)
        .left_join(
            user_groups::Entity,
            Expr::col((user_groups::Entity, user_groups::Column::Id))
                .equals((Entity, Column::UserGroupId)),
        )
        .left_join(
            roles::Entity,
            Expr::col((roles::Entity, roles::Column::Id)).equals((Entity, Column::WorkspaceRoleId)),
        )
        .left_join(
            workspaces::Entity,
            Expr::col((workspaces::Entity, workspaces::Column::Id))
                .equals((roles::Entity, roles::Column::WorkspaceId)),
        )
        .left_join(
            policies::Entity,
            Expr::col((policies::Entity, policies::Column::Id)).eq(policy),
        );
    Ok(query.into_model().all(act.app.db.read()).await?)
}

/// What these groups hold becomes this.
pub(super) async fn replace_all(act: &Act<'_>, tx: &Tx, held: &[(Uuid, &Held)]) -> Result<()> {
    Entity::delete_many()
        .filter(COLUMN.subscription_id.eq(act.scope.id()))
        .filter(COLUMN.key_group_id.is_in(held.iter().map(|it| it.0)))
        .exec(tx)
        .await?;
    let of = |(id, held): &(Uuid, &Held)| {
        let id = *id;
        held.sources().map(move |it| row(act, id, it)).collect::<Vec<_>>()
    };
    let rows: Vec<_> = held.iter().flat_map(of).collect();
    // Both databases limit the parameters of a statement.
    for rows in rows.chunks(500) {
        Entity::insert_many(rows.to_vec()).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// One thing that a group holds.
pub(crate) fn row(act: &Act<'_>, group: Uuid, source: Source) -> ActiveModel {
    let mut row = ActiveModel {
        id: Set(new_id(act.now)),
        subscription_id: Set(act.scope.id()),
        key_group_id: Set(group),
        policy_id: Set(None),
        user_group_id: Set(None),
        workspace_role_id: Set(None),
    };
    match source {
        Source::Policy(id) => row.policy_id = Set(Some(id)),
        Source::UserGroup(id) => row.user_group_id = Set(Some(id)),
        Source::Role(id) => row.workspace_role_id = Set(Some(id)),
    }
    row
}

/// Counts a change of what these groups hold: at most 1,000.
pub(super) async fn touch(tx: &Tx, scope: &Scope, ids: &[Uuid]) -> Result<()> {
    touch_where(tx, scope, groups::COLUMN.id.is_in(ids.to_vec())).await
}

/// The same for all that hold one of these, whose deletion takes it away from them.
pub(crate) async fn touch_holders(tx: &Tx, scope: &Scope, sources: &[Source]) -> Result<()> {
    touch_where(tx, scope, groups::Column::Id.in_subquery(holders(scope, sources))).await
}

async fn touch_where(tx: &Tx, scope: &Scope, which: Expr) -> Result<()> {
    // In order, as batches of usage do: two that lock many rows must not wait for each other.
    let rows = groups::Entity::find()
        .filter(groups::COLUMN.subscription_id.eq(scope.id()))
        .filter(which.clone());
    db::lock_in_order(tx, rows, groups::Column::Id).await?;
    let up = Expr::col(groups::Column::AccessVersion).add(1);
    groups::Entity::update_many()
        .col_expr(groups::Column::AccessVersion, up)
        .filter(groups::COLUMN.subscription_id.eq(scope.id()))
        .filter(which)
        .exec(tx)
        .await?;
    Ok(())
}

/// The ids of sources, by the column that they stand in.
fn by_column(sources: &[Source]) -> Vec<(Column, Vec<Uuid>)> {
    let columns = [Column::PolicyId, Column::UserGroupId, Column::WorkspaceRoleId];
    let mut all = columns.map(|it| (it, Vec::new()));
    for source in sources {
        match source {
            Source::Policy(id) => all[0].1.push(*id),
            Source::UserGroup(id) => all[1].1.push(*id),
            Source::Role(id) => all[2].1.push(*id),
        }
    }
    all.into_iter().filter(|it| !it.1.is_empty()).collect()
}

/// Ids of the key groups that hold any of these.
pub(crate) fn holders(scope: &Scope, sources: &[Source]) -> SelectStatement {
    let mut any = Condition::any();
    for (column, ids) in by_column(sources) {
        any = any.add(column.is_in(ids));
    }
    let none = any.is_empty();
    let query = of(scope).select_only().column(Column::KeyGroupId).filter(any);
    // Without any source nobody holds one; an empty condition would mean everybody.
    let query = if none { query.filter(Expr::value(false)) } else { query };
    query.into_query()
}

#[derive(FromQueryResult)]
struct Count {
    key_groups: i64,
    keys: Option<i64>,
}

/// How many key groups hold any of these, and how many keys they have.
pub(super) async fn count(act: &Act<'_>, sources: &[Source]) -> Result<(i64, i64)> {
    let count = groups::Entity::find()
        .select_only()
        .column_as(groups::Column::Id.count(), "key_groups")
        .column_as(keys().sum().cast_as("BIGINT"), "keys")
        .filter(groups::COLUMN.subscription_id.eq(act.scope.id()))
        .filter(groups::Column::Id.in_subquery(holders(act.scope, sources)))
        .into_model::<Count>()
        .one(act.app.db.read())
        .await?;
    Ok(count.map_or((0, 0), |it| (it.key_groups, it.keys.unwrap_or_default())))
}

/// All instances of a group, from its summary.
fn keys() -> Expr {
    use groups::Column as G;
    let col = |it| Expr::col((groups::Entity, it));
    col(G::ActiveCount)
        .add(col(G::FutureCount))
        .add(col(G::ExpiredCount))
        .add(col(G::DeactivatedCount))
}

#[derive(FromQueryResult)]
struct CountOf {
    id: Uuid,
    key_groups: i64,
    keys: Option<i64>,
}

/// For lists: how many key groups hold each policy, user group or role, and how many keys they have.
pub(super) async fn count_by(
    act: &Act<'_>,
    column: Column,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, (i64, i64)>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let to_group =
        Entity::belongs_to(groups::Entity).from(Column::KeyGroupId).to(groups::Column::Id);
    let rows = of(act.scope)
        .select_only()
        .column_as(column, "id")
        .column_as(Column::KeyGroupId.count(), "key_groups")
        .column_as(keys().sum().cast_as("BIGINT"), "keys")
        .join(JoinType::InnerJoin, to_group.into())
        .filter(column.is_in(ids))
        .group_by(column)
        .into_model::<CountOf>()
        .all(act.app.db.read())
        .await?;
    Ok(rows.into_iter().map(|it| (it.id, (it.key_groups, it.keys.unwrap_or_default()))).collect())
}

/// Key groups that hold any of these, the oldest first: each kind of source from its own index.
pub(super) async fn groups_of(
    act: &Act<'_>,
    sources: &[Source],
    limit: u64,
) -> Result<Vec<KeyGroup>> {
    let mut found = BTreeSet::new();
    for (column, ids) in by_column(sources) {
        let ids: Vec<Uuid> = of(act.scope)
            .select_only()
            .distinct()
            .column(Column::KeyGroupId)
            .filter(column.is_in(ids))
            .order_by_asc(Column::KeyGroupId)
            .limit(limit)
            .into_tuple()
            .all(act.app.db.read())
            .await?;
        found.extend(ids);
    }
    let first = found.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
    let query = groups::Entity::find()
        .filter(groups::COLUMN.subscription_id.eq(act.scope.id()))
        .filter(groups::COLUMN.id.is_in(first))
        .order_by_asc(groups::Column::Id);
    Ok(query.all(act.app.db.read()).await?)
}

/// The id of one key group, if it is in the subscription.
pub(super) fn one(scope: &Scope, group: Uuid) -> SelectStatement {
    groups::Entity::find()
        .select_only()
        .column(groups::Column::Id)
        .filter(groups::COLUMN.subscription_id.eq(scope.id()))
        .filter(groups::COLUMN.id.eq(group))
        .into_query()
}

/// Every key group whose policy this is, by id.
pub(crate) async fn groups_of_policy(
    db: &impl ConnectionTrait,
    scope: &Scope,
    policy: Uuid,
) -> Result<Vec<KeyGroup>> {
    let query = groups::Entity::find()
        .filter(groups::COLUMN.subscription_id.eq(scope.id()))
        .filter(groups::Column::Id.in_subquery(holders(scope, &[Source::Policy(policy)])))
        .order_by_asc(groups::Column::Id);
    Ok(query.all(db).await?)
}

/// The policy of all these groups becomes another one.
pub(crate) async fn move_policy(tx: &Tx, scope: &Scope, from: Uuid, to: Uuid) -> Result<()> {
    touch_holders(tx, scope, &[Source::Policy(from)]).await?;
    Entity::update_many()
        .col_expr(Column::PolicyId, Expr::value(to))
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(COLUMN.policy_id.eq(from))
        .exec(tx)
        .await?;
    Ok(())
}
