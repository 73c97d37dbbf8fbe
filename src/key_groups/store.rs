//! The queries of key groups. Every one starts from the subscription.
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ExprTrait, Order, PaginatorTrait, QueryOrder, QuerySelect, QueryTrait,
    Select,
    entity::prelude::*,
    sea_query::{LikeExpr, SimpleExpr, SubQueryStatement},
};

use super::entity::{ActiveModel, COLUMN, Column, Entity, Model};
use crate::{
    access,
    clock::millis,
    db::{self, Db, Tx},
    domain::{Refusal, access::Source},
    error::{Error, Result, is_duplicate},
    key_instances::entity as instances,
    subscriptions::{Act, Scope, entity as subscriptions},
};

/// The only way to start a query on key groups: inside one subscription.
fn of(scope: &Scope) -> Select<Entity> {
    Entity::find().filter(COLUMN.subscription_id.eq(scope.id()))
}

pub(crate) async fn find(db: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<Model> {
    of(scope).filter(COLUMN.id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// The groups of `ids` that are in the subscription.
pub(super) async fn find_all(db: &Db, scope: &Scope, ids: Vec<Uuid>) -> Result<Vec<Model>> {
    Ok(of(scope).filter(COLUMN.id.is_in(ids)).all(db.read()).await?)
}

/// The same as of a transaction.
pub(crate) async fn find_in(
    db: &impl ConnectionTrait,
    scope: &Scope,
    ids: &[Uuid],
) -> Result<Vec<Model>> {
    Ok(of(scope).filter(COLUMN.id.is_in(ids.to_vec())).all(db).await?)
}

fn clients(scope: &Scope) -> Select<Entity> {
    // As a literal, so that the partial index serves it.
    of(scope).filter(Expr::cust("key_groups.kind = 'client_credentials'"))
}

/// What the clients of a subscription are narrowed to, and which of them are asked for.
#[derive(Clone, Debug, Default)]
pub struct ClientFilter {
    pub number: Option<i32>,
    pub name: Option<String>,
    pub client_id: Option<String>,
    pub offset: u64,
    pub limit: u64,
}

/// Clients by their numbers, and how many there are, counted up to [`MOST_COUNTED`] and one.
pub(super) async fn list_clients(
    act: &Act<'_>,
    filter: &ClientFilter,
) -> Result<(Vec<Model>, u64)> {
    let mut query = clients(act.scope);
    if let Some(number) = filter.number {
        query = query.filter(COLUMN.number.eq(number));
    }
    if let Some(name) = &filter.name {
        query = query.filter(COLUMN.name_folded.eq(name.to_lowercase()));
    }
    if let Some(client_id) = &filter.client_id {
        query = query.filter(COLUMN.client_id.eq(client_id));
    }
    let counted = query.clone().select_only().column(Column::Id).limit(MOST_COUNTED + 1);
    let count = counted.count(act.app.db.read()).await?;
    let page = query.order_by_asc(Column::Number).offset(filter.offset).limit(filter.limit);
    Ok((page.all(act.app.db.read()).await?, count))
}

/// Clients that are counted for a list; more of them are "more".
pub const MOST_COUNTED: u64 = 10_000;

/// One tab of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    #[default]
    All,
    ExpiringSoon,
    NoSuccessor,
    NothingActive,
    /// Not used for 30 days.
    Unused,
}

/// By what the list is sorted where that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    Name,
    Coverage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub by: SortBy,
    pub descending: bool,
}

/// What the list of groups is narrowed to, and where it goes on.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub show: Show,
    /// Part of the name or the description.
    pub text: String,
    /// Holds this user group.
    pub user_group: Option<Uuid>,
    /// Instead of the tab's own order.
    pub sort: Option<Sort>,
    /// The last row of the page before: its value in the order, and its id.
    pub after: Option<(i64, Uuid)>,
    /// The same of a list by name: the name, folded.
    pub after_name: Option<String>,
}

pub struct Listing {
    pub groups: Vec<Model>,
    pub next: Option<(i64, Uuid)>,
}

/// How long a group or an instance may lie idle before it counts as unused.
pub const UNUSED_AFTER: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// In order of coverage, what runs out first before all else; the unused ones longest first.
pub(super) async fn list(act: &Act<'_>, filter: &Filter, limit: u64) -> Result<Listing> {
    let (column, order) = match (filter.sort, filter.show) {
        (Some(Sort { by: SortBy::Name, descending }), _) => (Column::NameFolded, order(descending)),
        (Some(it), _) => (Column::CoverageRank, order(it.descending)),
        (None, Show::Unused) => (Column::IdleSince, Order::Asc),
        (None, _) => (Column::CoverageRank, Order::Asc),
    };
    let mut query = of(act.scope);
    query = match filter.show {
        Show::All => query,
        Show::ExpiringSoon => query.filter(COLUMN.warns.eq(true)),
        Show::NoSuccessor => query.filter(COLUMN.no_successor.eq(true)),
        Show::NothingActive => query.filter(COLUMN.nothing_active.eq(true)),
        Show::Unused => query.filter(COLUMN.idle_since.lt(millis(act.now - UNUSED_AFTER))),
    };
    if !filter.text.is_empty() {
        query = query.filter(contains(Column::SearchText, &filter.text));
    }
    if let Some(id) = filter.user_group {
        let holders = access::store::holders(act.scope, &[Source::UserGroup(id)]);
        query = query.filter(Column::Id.in_subquery(holders));
    }
    query = query.order_by(column, order.clone()).limit(limit + 1);
    if matches!(column, Column::NameFolded) {
        // No two have one name.
        if let Some(name) = &filter.after_name {
            query = query.filter(past(Expr::col((Entity, column)), &order, name.as_str()));
        }
    } else {
        if let Some((value, id)) = filter.after {
            query = query.filter(behind(column, &order, value, id));
        }
        query = query.order_by(Column::Id, order);
    }
    let mut groups = query.all(act.app.db.read()).await?;
    let more = groups.len() as u64 > limit;
    groups.truncate(limit as usize);
    let value = |it: &Model| match column {
        Column::IdleSince => it.idle_since,
        _ => it.coverage_rank,
    };
    let next = groups.last().filter(|_| more).map(|it| (value(it), it.id));
    Ok(Listing { groups, next })
}

fn order(descending: bool) -> Order {
    if descending { Order::Desc } else { Order::Asc }
}

/// Behind `(value, id)` in that order, in a form that both databases read from an index.
fn behind(column: Column, order: &Order, value: i64, id: Uuid) -> SimpleExpr {
    let at = || Expr::col((Entity, column));
    let here = match order {
        Order::Desc => at().lte(value),
        _ => at().gte(value),
    };
    here.and(past(at(), order, value).or(past(Expr::col((Entity, Column::Id)), order, id)))
}

fn past(it: SimpleExpr, order: &Order, value: impl Into<sea_orm::Value>) -> SimpleExpr {
    match order {
        Order::Desc => it.lt(value.into()),
        _ => it.gt(value.into()),
    }
}

/// A column that was folded to lower case contains what was typed.
pub(crate) fn contains(column: impl ColumnTrait, typed: &str) -> SimpleExpr {
    let typed = typed.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    column.into_expr().like(LikeExpr::new(format!("%{typed}%")).escape('\\'))
}

/// How many groups are unused, counted up to `at_most`.
pub(super) async fn count_unused(act: &Act<'_>, at_most: u64) -> Result<u64> {
    let unused = of(act.scope)
        .select_only()
        .column(Column::Id)
        .filter(COLUMN.idle_since.lt(millis(act.now - UNUSED_AFTER)))
        .limit(at_most);
    Ok(unused.count(act.app.db.read()).await?)
}

/// Groups that need attention, the most urgent first.
pub(super) async fn attention(act: &Act<'_>, limit: u64) -> Result<Vec<Model>> {
    let query = of(act.scope)
        .filter(COLUMN.attention.gt(0))
        .order_by_asc(Column::Attention)
        .order_by_asc(Column::CoverageRank)
        .order_by_asc(Column::Id)
        .limit(limit);
    Ok(query.all(act.app.db.read()).await?)
}

/// The end of coverage that comes next in the subscription.
pub(super) async fn next_end(act: &Act<'_>) -> Result<Option<Model>> {
    let query = of(act.scope)
        .filter(COLUMN.covered_until.is_not_null())
        .order_by_asc(Column::CoverageRank)
        .order_by_asc(Column::Id)
        .limit(1);
    Ok(query.one(act.app.db.read()).await?)
}

/// Groups by their coverage, what runs out first before all else: all of them, or those that run out
/// before `until`.
pub(super) async fn by_coverage(
    act: &Act<'_>,
    until: Option<DateTime<Utc>>,
    limit: u64,
) -> Result<Vec<Model>> {
    let mut query = of(act.scope);
    if let Some(until) = until {
        query = query.filter(COLUMN.coverage_rank.lt(millis(until)));
    }
    let query = query.order_by_asc(Column::CoverageRank).order_by_asc(Column::Id).limit(limit);
    Ok(query.all(act.app.db.read()).await?)
}

/// When a group of each of these subscriptions stops being covered next: one look into an index for
/// each of them.
pub(super) async fn next_ends(db: &Db, ids: Vec<Uuid>) -> Result<Vec<(Uuid, Option<i64>)>> {
    let first = Entity::find()
        .select_only()
        .column_as(COLUMN.coverage_rank.min(), "first")
        .filter(
            Expr::col((Entity, Column::SubscriptionId))
                .equals((subscriptions::Entity, subscriptions::Column::Id)),
        )
        .into_query();
    let rows = subscriptions::Entity::find()
        .select_only()
        .column(subscriptions::Column::Id)
        .column_as(Expr::from(SubQueryStatement::from(first)), "first")
        .filter(subscriptions::COLUMN.id.is_in(ids));
    Ok(rows.into_tuple().all(db.read()).await?)
}

pub(super) async fn insert(tx: &Tx, group: Model) -> Result<()> {
    let row = ActiveModel::from(group).reset_all();
    let inserted = Entity::insert(row).exec_without_returning(tx).await;
    inserted.map(|_| ()).map_err(taken)
}

pub(super) async fn update(tx: &Tx, changed: ActiveModel) -> Result<()> {
    changed.update(tx).await.map(|_| ()).map_err(taken)
}

fn taken(error: DbErr) -> Error {
    if is_duplicate(&error) {
        Error::refused_at("name", Refusal::NameTaken { what: "key group" })
    } else {
        error.into()
    }
}

/// Counts one change of the group or of its instances, and so many labels.
pub(super) async fn touch(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: Uuid,
    labels: i32,
    now: DateTime<Utc>,
) -> Result<Model> {
    let rows = Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::LastLabel, Expr::col(Column::LastLabel).add(labels))
        .col_expr(Column::ChangedAt, millis(now).into())
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(COLUMN.id.eq(id))
        .exec_with_returning(db)
        .await?;
    rows.into_iter().next().ok_or(Error::NotFound)
}

/// The same for several groups, which are locked in order.
pub(crate) async fn touch_all(
    tx: &Tx,
    scope: &Scope,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<()> {
    let rows = || of(scope).filter(COLUMN.id.is_in(ids.to_vec()));
    db::lock_in_order(tx, rows(), Column::Id).await?;
    Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::ChangedAt, millis(now).into())
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(COLUMN.id.is_in(ids.to_vec()))
        .exec(tx)
        .await?;
    Ok(())
}

/// With their instances, which are locked first and in order, as batches of usage do.
pub(super) async fn delete(tx: &Tx, scope: &Scope, ids: &[Uuid]) -> Result<()> {
    let rows = instances::Entity::find().filter(instances::COLUMN.key_group_id.is_in(ids.to_vec()));
    db::lock_in_order(tx, rows, instances::Column::Id).await?;
    db::lock_in_order(tx, of(scope).filter(COLUMN.id.is_in(ids.to_vec())), Column::Id).await?;
    Entity::delete_many()
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(COLUMN.id.is_in(ids.to_vec()))
        .exec(tx)
        .await?;
    Ok(())
}
