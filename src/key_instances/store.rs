//! The queries of key instances. Every one starts from the subscription.
use chrono::{DateTime, Utc};
use sea_orm::{
    ExprTrait, Order, QueryOrder, QuerySelect, QueryTrait, Select, TryIntoModel,
    entity::prelude::*,
    sea_query::{SimpleExpr, SubQueryStatement},
};

use super::{
    entity::{ActiveModel, COLUMN, Column, Entity, Model},
    exposures,
};
use crate::{
    clock::millis,
    db::{self, Tx},
    domain::Refusal,
    error::{Error, Result, is_duplicate},
    key_groups::{KeyGroup, entity as groups, store::contains},
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

/// One tab of a list of instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    #[default]
    All,
    Active,
    ExpiringSoon,
    Future,
    Expired,
    Deactivated,
    /// Active or active in the future.
    Live,
}

/// By use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Used {
    #[default]
    Any,
    Never,
    /// Within so many days.
    Within(i64),
    /// Not for so many days.
    NotFor(i64),
}

/// What a list of instances is narrowed to, and where it goes on.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub group: Option<Uuid>,
    pub show: Show,
    pub used: Used,
    /// Active at some instant of `[from, until)`.
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// It ends before this instant.
    pub ends_before: Option<DateTime<Utc>>,
    /// Whose secret this user knows.
    pub known_to: Option<Uuid>,
    /// A label such as `k-7`, or part of the note.
    pub text: String,
    pub after: Option<(i64, Uuid)>,
}

pub struct Listing {
    pub instances: Vec<Model>,
    pub next: Option<(i64, Uuid)>,
}

/// The column and direction in which a filter's index gives its rows.
fn order(filter: &Filter) -> (Column, Order) {
    match (filter.show, filter.used) {
        (Show::Active | Show::ExpiringSoon, _) | (Show::Live, Used::Any) => {
            (Column::EndsAt, Order::Asc)
        }
        (Show::Expired | Show::Deactivated, _) => (Column::EndsAt, Order::Desc),
        (Show::Future, _) => (Column::ActiveFrom, Order::Asc),
        (Show::All | Show::Live, Used::Within(_)) => (Column::IdleSince, Order::Desc),
        (Show::All | Show::Live, Used::NotFor(_)) => (Column::IdleSince, Order::Asc),
        // Of those that nobody ever used, the oldest first.
        (Show::Live, Used::Never) => (Column::IdleSince, Order::Asc),
        _ if filter.group.is_some() => (Column::Label, Order::Desc),
        _ => (Column::Id, Order::Desc),
    }
}

pub(super) async fn list(act: &Act<'_>, filter: &Filter, limit: u64) -> Result<Listing> {
    let (column, direction) = order(filter);
    let mut query = narrowed(act, filter);
    if let Some((value, id)) = filter.after {
        query = query.filter(behind(column, &direction, value, id));
    }
    let mut query = query.order_by(column, direction.clone()).limit(limit + 1);
    // Labels and ids are distinct by themselves.
    if !matches!(column, Column::Label | Column::Id) {
        query = query.order_by(Column::Id, direction);
    }
    let mut instances = query.all(act.app.db.read()).await?;
    let more = instances.len() as u64 > limit;
    instances.truncate(limit as usize);
    let value = |it: &Model| match column {
        Column::EndsAt => it.ends_at,
        Column::ActiveFrom => it.active_from,
        Column::IdleSince => it.idle_since,
        Column::Label => it.label.into(),
        _ => 0,
    };
    let next = instances.last().filter(|_| more).map(|it| (value(it), it.id));
    Ok(Listing { instances, next })
}

fn narrowed(act: &Act<'_>, filter: &Filter) -> Select<Entity> {
    let now = millis(act.now);
    let mut query = match filter.group {
        Some(group) => in_group(act.scope, group),
        None => of(act.scope),
    };
    query = match filter.show {
        Show::All => query,
        Show::Active => {
            live(query).filter(COLUMN.ends_at.gt(now)).filter(COLUMN.active_from.lte(now))
        }
        Show::ExpiringSoon => live(query)
            .filter(COLUMN.ends_at.gt(now))
            // No warning is longer than 30 days, which bounds what the index gives.
            .filter(COLUMN.ends_at.lte(now + 30 * 86_400_000))
            .filter(COLUMN.active_from.lte(now))
            .filter(COLUMN.warns_at.lte(now)),
        Show::Future => {
            live(query).filter(COLUMN.active_from.gt(now)).filter(COLUMN.ends_at.gt(now))
        }
        Show::Expired => live(query).filter(COLUMN.ends_at.lte(now)),
        Show::Deactivated => query.filter(COLUMN.is_off.eq(true)),
        Show::Live => live(query).filter(COLUMN.ends_at.gt(now)),
    };
    query = match filter.used {
        Used::Any => query,
        // By when they were made, so that the index of the review is read in its order.
        Used::Never if filter.show == Show::Live => {
            query.filter(COLUMN.last_used_at.is_null()).filter(COLUMN.idle_since.lte(now))
        }
        Used::Never => query.filter(COLUMN.last_used_at.is_null()),
        Used::Within(days) => query
            .filter(COLUMN.idle_since.gte(now - days * 86_400_000))
            .filter(COLUMN.last_used_at.is_not_null()),
        Used::NotFor(days) => query.filter(COLUMN.idle_since.lt(now - days * 86_400_000)),
    };
    // What starts later, or only just did, is no key that nobody uses. As a sum, so that the index by
    // start is not read.
    let since = match filter.used {
        Used::NotFor(days) => Some(now - days * 86_400_000),
        Used::Never => Some(now),
        _ => None,
    };
    if let Some(since) = since.filter(|_| matches!(filter.show, Show::Live | Show::Active)) {
        query = query.filter(Expr::col((Entity, Column::ActiveFrom)).add(0).lte(since));
    }
    if let Some(from) = filter.from {
        query = query.filter(COLUMN.ends_at.gt(millis(from)));
    }
    if let Some(until) = filter.until {
        query = query.filter(COLUMN.active_from.lt(millis(until)));
    }
    if let Some(end) = filter.ends_before {
        query = query.filter(COLUMN.ends_at.lt(millis(end)));
    }
    if let Some(user) = filter.known_to {
        // What is revoked opens nothing, whoever knows it.
        query = query.filter(exposures::known_to(user)).filter(COLUMN.revoked_at.is_null());
    }
    if filter.text.is_empty() {
        return query;
    }
    let by_note = contains(Column::NoteFolded, &filter.text);
    let label = filter.text.trim().to_lowercase();
    match label.strip_prefix("k-").and_then(|it| it.parse::<i32>().ok()) {
        Some(label) => query.filter(by_note.or(COLUMN.label.eq(label))),
        None => query.filter(by_note),
    }
}

/// All of the subscription that are or will be accepted.
pub(super) fn live_in(act: &Act<'_>) -> Select<Entity> {
    live(of(act.scope)).filter(COLUMN.ends_at.gt(millis(act.now)))
}

fn live(query: Select<Entity>) -> Select<Entity> {
    query.filter(COLUMN.is_off.eq(false))
}

/// Behind `(value, id)` in the given direction, in a form that an index serves.
fn behind(column: Column, direction: &Order, value: i64, id: Uuid) -> SimpleExpr {
    let at = || Expr::col((Entity, column));
    let by_id = || Expr::col((Entity, Column::Id));
    match (column, direction) {
        (Column::Id, _) => by_id().lt(id),
        (_, Order::Desc) => at().lte(value).and(at().lt(value).or(by_id().lt(id))),
        _ => at().gte(value).and(at().gt(value).or(by_id().gt(id))),
    }
}
