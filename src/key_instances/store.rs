//! The queries of key instances. Every one starts from the subscription.
use chrono::{DateTime, Utc};
use sea_orm::{
    ExprTrait, QueryOrder, QuerySelect, QueryTrait, Select, TryIntoModel, entity::prelude::*,
    sea_query::SubQueryStatement,
};

use super::entity::{ActiveModel, COLUMN, Column, Entity, Model};
use crate::{
    clock::millis,
    db::{self, Tx},
    domain::Refusal,
    error::{Error, Result, is_duplicate},
    key_groups::{KeyGroup, entity as groups},
    subscriptions::{Act, Scope},
};

/// The only way to start a query on key instances: inside one subscription.
pub(super) fn of(scope: &Scope) -> Select<Entity> {
    Entity::find().filter(COLUMN.subscription_id.eq(scope.id()))
}

/// Inside one group of the subscription: by a sub-query, so that an index of the group serves the
/// rest of the query and never one of the whole subscription.
pub(crate) fn in_group(scope: &Scope, group: Uuid) -> Select<Entity> {
    let own = groups::Entity::find()
        .select_only()
        .column(groups::Column::Id)
        .filter(groups::COLUMN.id.eq(group))
        .filter(groups::COLUMN.subscription_id.eq(scope.id()))
        .into_query();
    let own = Expr::from(SubQueryStatement::from(own));
    Entity::find().filter(Expr::col((Entity, Column::KeyGroupId)).eq(own))
}

/// Inside several groups, which were read within their subscription.
pub(super) fn in_groups<'a>(groups: impl IntoIterator<Item = &'a KeyGroup>) -> Select<Entity> {
    Entity::find().filter(COLUMN.key_group_id.is_in(groups.into_iter().map(|it| it.id)))
}

pub(super) async fn find(
    db: &impl ConnectionTrait,
    scope: &Scope,
    (group, id): (Uuid, Uuid),
) -> Result<Model> {
    let found = in_group(scope, group).filter(COLUMN.id.eq(id));
    found.one(db).await?.ok_or(Error::NotFound)
}

/// The same for a change, which locks its row where others write beside it: a batch of usage may have it.
pub(super) async fn find_to_change(
    db: &impl ConnectionTrait,
    scope: &Scope,
    (group, id): (Uuid, Uuid),
) -> Result<Model> {
    let found = in_group(scope, group).filter(COLUMN.id.eq(id)).lock_exclusive();
    found.one(db).await?.ok_or(Error::NotFound)
}

/// Those of `ids` that are in the subscription.
pub(super) async fn find_all(
    db: &impl ConnectionTrait,
    scope: &Scope,
    ids: &[Uuid],
) -> Result<Vec<Model>> {
    Ok(of(scope).filter(COLUMN.id.is_in(ids.to_vec())).all(db).await?)
}

/// Locks instances, in order, as batches of usage do.
pub(super) async fn lock(tx: &Tx, scope: &Scope, ids: Vec<Uuid>) -> Result<()> {
    let rows = of(scope).filter(COLUMN.id.is_in(ids));
    Ok(db::lock_in_order(tx, rows, Column::Id).await?)
}

pub(super) async fn by_digest(
    db: &impl ConnectionTrait,
    scope: &Scope,
    digests: Vec<Vec<u8>>,
) -> Result<Option<Model>> {
    Ok(of(scope).filter(Column::Digest.is_in(digests)).one(db).await?)
}

/// The instances of a group that may still be accepted, now or later.
pub(super) async fn ahead(act: &Act<'_>, group: Uuid) -> Result<Vec<Model>> {
    ahead_in(act.app.db.read(), act.scope, group, act.now).await
}

/// The same as of a transaction.
pub(super) async fn ahead_in(
    db: &impl ConnectionTrait,
    scope: &Scope,
    group: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Model>> {
    let rows = in_group(scope, group)
        .filter(COLUMN.is_off.eq(false))
        .filter(COLUMN.ends_at.gt(millis(now)))
        .order_by_asc(Column::EndsAt)
        .limit(200)
        .all(db)
        .await?;
    Ok(rows)
}

/// The instances of several groups that are not deactivated and have not ended before `since`; and of
/// groups with nothing active, the one that refused last.
pub(super) async fn of_groups(
    act: &Act<'_>,
    groups: &[KeyGroup],
    since: DateTime<Utc>,
) -> Result<Vec<Model>> {
    let mut rows = in_groups(groups)
        .filter(COLUMN.is_off.eq(false))
        .filter(COLUMN.ends_at.gt(millis(since)))
        .limit(1_000)
        .all(act.app.db.read())
        .await?;
    let refusing: Vec<_> = groups.iter().filter(|it| it.nothing_active).collect();
    if !refusing.is_empty() {
        let times: Vec<_> = refusing.iter().filter_map(|it| it.last_refused_at).collect();
        let refused = in_groups(refusing)
            .filter(COLUMN.last_refused_at.is_in(times))
            .all(act.app.db.read())
            .await?;
        rows.extend(refused);
    }
    Ok(rows)
}

/// Hashes of the chosen secrets that a client has or had, the newest first: the last five.
pub(super) async fn secret_hashes(act: &Act<'_>, group: Uuid) -> Result<Vec<String>> {
    let rows = in_group(act.scope, group)
        .select_only()
        .column(Column::SecretHash)
        .filter(COLUMN.secret_hash.is_not_null())
        .order_by_desc(Column::Label)
        .limit(5)
        .into_tuple()
        .all(act.app.db.read())
        .await?;
    Ok(rows)
}

/// Never confirmed as saved, newest first.
pub(super) async fn unsaved(act: &Act<'_>, limit: u64) -> Result<Vec<Model>> {
    let rows = of(act.scope)
        .filter(COLUMN.saved_at.is_null())
        .filter(COLUMN.last_used_at.is_null())
        .filter(COLUMN.is_off.eq(false))
        // As a sum, so that the index of the unsaved is read in its order and not the one by end.
        .filter(Expr::col(Column::EndsAt).add(0).gt(millis(act.now)))
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(act.app.db.read())
        .await?;
    Ok(rows)
}

/// The instances of a group, the one used last first, and those that never were behind all others.
pub(super) async fn of_group(
    db: &impl ConnectionTrait,
    scope: &Scope,
    group: Uuid,
    limit: u64,
) -> Result<Vec<Model>> {
    let by_use = |is_used: bool| {
        let use_ = COLUMN.last_used_at;
        let some = if is_used { use_.is_not_null() } else { use_.is_null() };
        let query = in_group(scope, group).filter(some);
        query.order_by_desc(Column::IdleSince).order_by_desc(Column::Id)
    };
    let mut rows = by_use(true).limit(limit).all(db).await?;
    let left = limit - rows.len() as u64;
    if left > 0 {
        rows.extend(by_use(false).limit(left).all(db).await?);
    }
    Ok(rows)
}

pub(super) async fn refused_last(act: &Act<'_>, group: Uuid) -> Result<Option<Model>> {
    let last = in_group(act.scope, group)
        .filter(COLUMN.last_refused_at.is_not_null())
        .order_by_desc(Column::LastRefusedAt);
    Ok(last.one(act.app.db.read()).await?)
}

/// At most `limit` instances of these groups, group by group, the last used first.
pub(super) async fn of_dying(
    db: &impl ConnectionTrait,
    groups: &[KeyGroup],
    limit: u64,
) -> Result<Vec<Model>> {
    Ok(in_groups(groups)
        .order_by_asc(Column::KeyGroupId)
        .order_by_desc(Column::IdleSince)
        .order_by_desc(Column::Id)
        .limit(limit)
        .all(db)
        .await?)
}

/// Groups and labels of at most `limit` instances of these groups.
pub(super) async fn labels(
    db: &impl ConnectionTrait,
    groups: &[KeyGroup],
    limit: u64,
) -> Result<Vec<(Uuid, i32)>> {
    let rows = in_groups(groups)
        .select_only()
        .column(Column::KeyGroupId)
        .column(Column::Label)
        .order_by_asc(Column::KeyGroupId)
        .order_by_asc(Column::Label)
        .limit(limit);
    Ok(rows.into_tuple().all(db).await?)
}

/// All of the row is known: the database adds nothing to it.
pub(super) async fn insert(tx: &Tx, row: ActiveModel) -> Result<Model> {
    let stored = row.clone().try_into_model()?;
    if !stored.custom {
        // It is random: no other has the same digest.
        tx.later(Entity::insert(row).build(tx.get_database_backend()));
        return Ok(stored);
    }
    match Entity::insert(row).exec_without_returning(tx).await {
        Ok(_) => Ok(stored),
        Err(error) if is_duplicate(&error) => Err(Error::refused_at("key", Refusal::DuplicateKey)),
        Err(error) => Err(error.into()),
    }
}

/// Writes what is set in `row`, which has all the others too, and is there: nobody deletes it while its
/// subscription is locked. Gives what it will be then.
pub(super) fn change(tx: &Tx, row: ActiveModel) -> Result<Model> {
    tx.later(Entity::update(row.clone()).validate()?.build(tx.get_database_backend()));
    Ok(row.try_into_model()?)
}

pub(super) async fn update(tx: &Tx, row: ActiveModel) -> Result<Model> {
    use sea_orm::ActiveModelTrait;
    Ok(row.update(tx).await?)
}

/// All of the subscription that are or will be accepted.
pub(super) fn live_in(act: &Act<'_>) -> Select<Entity> {
    live(of(act.scope)).filter(COLUMN.ends_at.gt(millis(act.now)))
}

pub(super) fn live(query: Select<Entity>) -> Select<Entity> {
    query.filter(COLUMN.is_off.eq(false))
}
