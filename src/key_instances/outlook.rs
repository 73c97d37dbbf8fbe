//! What ends and starts in a subscription within a window of time. Each query is a range of an index
//! that the window bounds: what ended before it is not read, however much that is.
use chrono::{DateTime, Utc};
use sea_orm::{
    ExprTrait, FromQueryResult, Order, PaginatorTrait, QueryOrder, QuerySelect, QueryTrait,
    entity::prelude::*,
    sea_query::{Alias, Query, SelectStatement, SimpleExpr},
};

use super::{
    entity::{COLUMN, Column, Entity},
    store,
};
use crate::{
    clock::millis,
    domain::weeks::{WEEK, WEEKS},
    error::Result,
    subscriptions::Act,
};

/// One that ends or starts, as the overview tells of it: read in dozens, shown as a line.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Event {
    pub id: Uuid,
    pub key_group_id: Uuid,
    pub label: i32,
    pub active_from: i64,
    pub ends_at: i64,
}

/// Those that end after `from` and before `until`, the first one first.
pub async fn ending(
    act: &Act<'_>,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    limit: u64,
) -> Result<Vec<Event>> {
    between(act, Column::EndsAt, (from, until), (Order::Asc, limit)).await
}

/// Those that ended within that time, the last one first.
pub async fn ended(
    act: &Act<'_>,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    limit: u64,
) -> Result<Vec<Event>> {
    between(act, Column::EndsAt, (from, until), (Order::Desc, limit)).await
}

/// Those that start within that time, the first one first. One that starts later than now has not
/// ended, unless it was revoked before.
pub async fn starting(
    act: &Act<'_>,
    times: (DateTime<Utc>, DateTime<Utc>),
    limit: u64,
) -> Result<Vec<Event>> {
    between(act, Column::ActiveFrom, times, (Order::Asc, limit)).await
}

async fn between(
    act: &Act<'_>,
    column: Column,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    (order, limit): (Order, u64),
) -> Result<Vec<Event>> {
    let mut rows = store::of(act.scope).filter(COLUMN.is_off.eq(false));
    // One that was revoked has ended; it never starts.
    if matches!(column, Column::ActiveFrom) {
        rows = rows.filter(COLUMN.revoked_at.is_null());
    }
    let rows = rows
        .select_only()
        .columns([
            Column::Id,
            Column::KeyGroupId,
            Column::Label,
            Column::ActiveFrom,
            Column::EndsAt,
        ])
        .filter(column.gt(millis(from)))
        .filter(column.lt(millis(until)))
        .order_by(column, order.clone())
        .order_by(Column::Id, order)
        .limit(limit);
    Ok(rows.into_model().all(act.app.db.read()).await?)
}

/// How many end in each of the weeks from `today` on, counted from 0, apart by whether another one
/// takes over: `(week, has_successor, n)`. What has ended is not counted.
pub async fn weeks(act: &Act<'_>, today: DateTime<Utc>) -> Result<Vec<(i64, bool, i64)>> {
    let end = millis(today) + WEEK * i64::try_from(WEEKS).unwrap_or_default();
    let week = Expr::col((Entity, Column::EndsAt)).sub(millis(today)).div(WEEK);
    let ends = store::of(act.scope)
        .select_only()
        .column_as(week, "week")
        .column_as(SimpleExpr::from(Expr::exists(successor())), "covered")
        .filter(COLUMN.is_off.eq(false))
        .filter(COLUMN.ends_at.gt(millis(act.now)))
        .filter(COLUMN.ends_at.lt(end))
        .into_query();
    let [week, covered] = ["week", "covered"].map(Alias::new);
    let counted = Query::select()
        .column(week.clone())
        .column(covered.clone())
        .expr_as(Expr::col(week.clone()).count(), Alias::new("n"))
        .from_subquery(ends, Alias::new("ends"))
        .group_by_col(week)
        .group_by_col(covered)
        .take();
    let rows = act.app.db.read().query_all(&counted).await?;
    let row = |it: &sea_orm::QueryResult| {
        Ok((it.try_get("", "week")?, it.try_get("", "covered")?, it.try_get("", "n")?))
    };
    Ok(rows.iter().map(row).collect::<std::result::Result<_, DbErr>>()?)
}

/// The rule of `domain::coverage::successor`, for a row that has not ended.
fn successor() -> SelectStatement {
    let other = Alias::new("other");
    let theirs = |column| Expr::col((other.clone(), column));
    let own = |column| Expr::col((Entity, column));
    Query::select()
        .expr(Expr::val(1))
        .from_as(Entity, other.clone())
        .and_where(theirs(Column::KeyGroupId).eq(own(Column::KeyGroupId)))
        .and_where(theirs(Column::IsOff).eq(false))
        .and_where(theirs(Column::EndsAt).gt(own(Column::EndsAt)))
        // As a sum, so that the index by end is read and not the one by start: that has all of old.
        .and_where(theirs(Column::ActiveFrom).add(0).lte(own(Column::EndsAt)))
        .take()
}

/// How many are active and were not used for so many days, counted up to `at_most`.
pub async fn idle(act: &Act<'_>, days: i64, at_most: u64) -> Result<u64> {
    let now = millis(act.now);
    let idle = store::of(act.scope)
        .select_only()
        .column(Column::Id)
        .filter(COLUMN.is_off.eq(false))
        .filter(COLUMN.ends_at.gt(now))
        // As sums, so that what is live is read and not all that ever started or lay idle.
        .filter(Expr::col((Entity, Column::ActiveFrom)).add(0).lte(now - days * 86_400_000))
        .filter(Expr::col((Entity, Column::IdleSince)).add(0).lt(now - days * 86_400_000))
        .limit(at_most);
    Ok(idle.count(act.app.db.read()).await?)
}
