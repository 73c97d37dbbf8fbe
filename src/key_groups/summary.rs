//! The summary on each group's row: counts by status and coverage, derived from its instances. It
//! makes lists answer from an index. Verbs refresh it in their transaction; what time alone changes
//! is refreshed before a list is read, when `changes_at` has passed. No verdict ever looks at it.
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ExprTrait, FromQueryResult, IdenStatic, Iterable, QueryOrder, QuerySelect,
    QueryTrait, Select, entity::prelude::*, sea_query::UnionType,
};

use super::entity::{ActiveModel, COLUMN, Column, Entity, Model};
use crate::{
    clock::millis,
    db::{Db, Tx},
    domain::{
        Coverage, Facts,
        coverage::{Counts, Run},
    },
    error::Result,
    key_instances::{KeyInstance, entity as instances, store::in_group},
    subscriptions::{Act, entity as subscriptions},
};

/// Ranks behind every date: groups that never run out, then those with nothing active.
const RANK_FOREVER: i64 = i64::MAX - 1;
const RANK_NOTHING: i64 = i64::MAX;

/// The end of coverage that a rank stands for, if it is one.
pub(super) fn end_of(rank: i64) -> Option<i64> {
    (rank < RANK_FOREVER).then_some(rank)
}

/// Refreshed at once by one reader; the rest by the next.
const BATCH: u64 = 200;

/// Why a group needs attention, the most urgent first. 0 on the row: it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Nothing is active, and calls were refused since.
    Refusing = 1,
    /// It runs out, and nothing follows.
    RunsOut = 2,
    /// It is covered now, and not later.
    Gap = 3,
    /// It has a successor, and its callers have not moved: see `domain::coverage::lags`. Never on a row,
    /// because each call can change it.
    Lagging = 4,
    /// Nothing is active any more, but something starts later.
    Waiting = 5,
}

impl Attention {
    pub fn of(group: &Model) -> Option<Self> {
        [Self::Refusing, Self::RunsOut, Self::Gap, Self::Waiting]
            .into_iter()
            .find(|it| *it as i16 == group.attention)
    }
}

/// Refreshes a batch of what time has changed. Whether there was anything.
pub(super) async fn refresh_due(act: &Act<'_>) -> Result<bool> {
    let due = due(act).select_only().column(Column::Id);
    let ids: Vec<Uuid> = due.into_tuple().all(act.app.db.read()).await?;
    if ids.is_empty() {
        return Ok(false);
    }
    let tx = act.app.db.write().await?;
    crate::subscriptions::lock(&tx, act.scope.id()).await?;
    refresh(&tx, act.scope.id(), &ids, act.now).await?;
    tx.commit().await?;
    Ok(true)
}

/// Refreshes what time has changed anywhere, subscription by subscription.
pub(super) async fn refresh_all_due(db: &Db, now: DateTime<Utc>) -> Result<bool> {
    let due: Vec<(Uuid, Uuid)> = Entity::find()
        .select_only()
        .column(Column::SubscriptionId)
        .column(Column::Id)
        .filter(COLUMN.changes_at.lte(millis(now)))
        .order_by_asc(Column::ChangesAt)
        .limit(BATCH)
        .into_tuple()
        .all(db.read())
        .await?;
    refresh_by_subscription(&due, now, async || db.write().await).await?;
    Ok(!due.is_empty())
}

async fn refresh_by_subscription(
    groups: &[(Uuid, Uuid)],
    now: DateTime<Utc>,
    begin: impl AsyncFn() -> Result<Tx, DbErr>,
) -> Result<()> {
    let mut by_subscription: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for (subscription, group) in groups {
        by_subscription.entry(*subscription).or_default().push(*group);
    }
    for (subscription, ids) in by_subscription {
        let tx = begin().await?;
        crate::subscriptions::lock(&tx, subscription).await?;
        refresh(&tx, subscription, &ids, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn due(act: &Act<'_>) -> Select<Entity> {
    Entity::find()
        .filter(COLUMN.subscription_id.eq(act.scope.id()))
        .filter(COLUMN.changes_at.lte(millis(act.now)))
        .order_by_asc(Column::ChangesAt)
        .limit(BATCH)
}

/// Computes the summaries of `ids` anew, and moves the sums on the subscription with them. The
/// caller holds the lock of the subscription.
pub(crate) async fn refresh(
    tx: &Tx,
    subscription: Uuid,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<()> {
    let groups = Entity::find()
        .filter(COLUMN.subscription_id.eq(subscription))
        .filter(COLUMN.id.is_in(ids.to_vec()))
        .order_by_asc(Column::Id)
        .all(tx)
        .await?;
    refresh_known(tx, &groups, now).await
}

/// The same of groups of one subscription whose rows the transaction knows, as they are now.
pub(crate) async fn refresh_known(tx: &Tx, groups: &[Model], now: DateTime<Utc>) -> Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = groups.iter().map(|it| it.id).collect();
    let of = || instances::Entity::find().filter(instances::COLUMN.key_group_id.is_in(ids.clone()));
    let mut parts = parts(tx, of, now).await?;
    write(tx, groups.iter().map(|it| (it, parts.remove(&it.id).unwrap_or_default())), now)
}

/// The same of a group of which it is known what its summary is made of.
pub(crate) fn refresh_of(tx: &Tx, group: &Model, parts: Parts, now: DateTime<Utc>) -> Result<()> {
    write(tx, [(group, parts)], now)
}

fn write<'a>(
    tx: &Tx,
    all: impl IntoIterator<Item = (&'a Model, Parts)>,
    now: DateTime<Utc>,
) -> Result<()> {
    let (mut subscription, mut sums) = (None, Sums::default());
    for (group, of) in all {
        let mut coverage = Coverage::of(&of.ahead, now);
        // What has ended since `now`, by the other's clock, is counted in `ahead` already.
        coverage.counts.expired += of.expired;
        coverage.counts.deactivated = of.deactivated;
        let fresh = Model { woken_at: Some(millis(now)), ..summarised(group, &coverage, now) };
        sums.subtract(group);
        sums.add(&fresh);
        let row = changed(group, fresh);
        if row.is_changed() {
            tx.later(Entity::update(row).validate()?.build(tx.get_database_backend()));
        }
        subscription = Some(group.subscription_id);
    }
    if let Some(it) = subscription {
        sums.apply(tx, it);
    }
    Ok(())
}

/// Only what differs is written: each column that is named costs the indexes that have it.
fn changed(before: &Model, after: Model) -> ActiveModel {
    let mut row = ActiveModel::from(before.clone());
    let after = ActiveModel::from(after);
    for column in Column::iter() {
        if let Some(value) = after.get(column).into_value()
            && row.get(column).into_value().as_ref() != Some(&value)
        {
            row.set(column, value);
        }
    }
    row
}

/// A group with the summary of these instances, all of which it has.
pub(crate) fn of_instances(group: &Model, all: &[Facts], now: DateTime<Utc>) -> Model {
    summarised(group, &Coverage::of(all, now), now)
}

fn summarised(group: &Model, coverage: &Coverage, now: DateTime<Utc>) -> Model {
    let Counts { active, soon, future, expired, deactivated } = coverage.counts;
    let (name, next) = match coverage.run {
        Run::Nothing { next } => ("nothing", next),
        Run::Gap { next, .. } => ("gap", Some(next)),
        Run::RunsOut { .. } => ("runs_out", None),
        Run::Covered { .. } => ("covered", None),
        Run::Forever => ("forever", None),
    };
    let until = coverage.run.until();
    let nothing = matches!(coverage.run, Run::Nothing { .. });
    let lost_at = match (nothing, group.nothing_active) {
        (false, _) => None,
        (true, true) => group.lost_at,
        // It ended by itself at its end, or by a verb just now.
        (true, false) => group
            .covered_until
            .filter(|it| *it <= millis(now))
            .or((group.active_count > 0).then(|| millis(now))),
    };
    let mut fresh = Model {
        active_count: active,
        soon_count: soon,
        future_count: future,
        expired_count: expired,
        deactivated_count: deactivated,
        coverage: name.to_owned(),
        covered_until: until.map(millis),
        next_start: next.map(millis),
        coverage_rank: match (until, nothing) {
            (Some(until), _) => millis(until),
            (None, true) => RANK_NOTHING,
            (None, false) => RANK_FOREVER,
        },
        warns: soon > 0,
        no_successor: matches!(coverage.run, Run::RunsOut { .. }),
        nothing_active: nothing,
        changes_at: coverage.changes_at.map(millis),
        lost_at,
        ..group.clone()
    };
    fresh.attention = attention(&fresh, coverage.run);
    fresh
}

fn attention(group: &Model, run: Run) -> i16 {
    let refused_since =
        group.lost_at.zip(group.last_refused_at).is_some_and(|(lost, at)| at >= lost);
    match run {
        Run::Nothing { .. } if refused_since => Attention::Refusing as i16,
        // One that never had an active key begins as planned.
        Run::Nothing { next: Some(_) } if group.lost_at.is_some() => Attention::Waiting as i16,
        Run::RunsOut { .. } => Attention::RunsOut as i16,
        Run::Gap { .. } => Attention::Gap as i16,
        _ => 0,
    }
}

/// What the summary of a group is made of.
#[derive(Default)]
pub(crate) struct Parts {
    /// Facts of what is not deactivated and has not ended.
    ahead: Vec<Facts>,
    /// The others, counted.
    expired: i32,
    deactivated: i32,
}

impl Parts {
    /// Of one group, which need not have any.
    pub(crate) async fn of(act: &Act<'_>, db: &impl ConnectionTrait, group: Uuid) -> Result<Self> {
        let all = parts(db, || in_group(act.scope, group), act.now).await?;
        Ok(all.into_values().next().unwrap_or_default())
    }

    /// With an instance more.
    pub(crate) fn add(&mut self, it: &KeyInstance, now: DateTime<Utc>) {
        match (it.is_off, it.ends_at <= millis(now)) {
            (true, _) => self.deactivated += 1,
            (false, true) => self.expired += 1,
            (false, false) => self.ahead.push(it.facts()),
        }
    }

    /// Without one of those that it was made of: which of them makes no difference where two have the same
    /// facts.
    pub(crate) fn remove(&mut self, it: &KeyInstance, now: DateTime<Utc>) {
        match (it.is_off, it.ends_at <= millis(now)) {
            (true, _) => self.deactivated -= 1,
            (false, true) => self.expired -= 1,
            (false, false) => {
                let at = self.ahead.iter().position(|facts| *facts == it.facts());
                debug_assert!(at.is_some(), "it is one of those that were asked for");
                at.map(|at| self.ahead.swap_remove(at));
            }
        }
    }
}

/// An instance, or so many of a kind.
#[derive(FromQueryResult)]
struct Part {
    key_group_id: Uuid,
    is_off: bool,
    /// `None`: of the counted ones.
    active_from: Option<i64>,
    active_until: Option<i64>,
    deactivated_at: Option<i64>,
    revoked_at: Option<i64>,
    n: i64,
}

async fn parts(
    db: &impl ConnectionTrait,
    of: impl Fn() -> Select<instances::Entity>,
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, Parts>> {
    use instances::{COLUMN, Column, FACTS};
    let of_groups = || of().select_only().column(Column::KeyGroupId).column(Column::IsOff);
    let ahead = of_groups()
        .columns(FACTS)
        .expr_as(Expr::cust("1"), "n")
        .filter(COLUMN.is_off.eq(false))
        .filter(COLUMN.ends_at.gt(millis(now)));
    let counted = FACTS
        .iter()
        .fold(of_groups(), |it, column| it.expr_as(Expr::cust("NULL"), column.as_str()))
        .column_as(Column::Id.count(), "n")
        .filter(COLUMN.is_off.eq(true).or(COLUMN.ends_at.lte(millis(now))))
        .group_by(Column::KeyGroupId)
        .group_by(Column::IsOff);
    let mut all = ahead.into_query();
    all.union(UnionType::All, counted.into_query());
    let mut parts: HashMap<Uuid, Parts> = HashMap::new();
    for row in db.query_all(&all).await? {
        let row = Part::from_query_result(&row, "")?;
        let of = parts.entry(row.key_group_id).or_default();
        let n = i32::try_from(row.n).unwrap_or(i32::MAX);
        match row.active_from {
            Some(from) => of.ahead.push(instances::facts(
                from,
                row.active_until,
                row.deactivated_at,
                row.revoked_at,
            )),
            None if row.is_off => of.deactivated = n,
            None => of.expired = n,
        }
    }
    Ok(parts)
}

/// What changes on the subscription's row.
#[derive(Default)]
pub(crate) struct Sums([i32; 10]);

impl Sums {
    const COLUMNS: [subscriptions::Column; 10] = [
        subscriptions::Column::GroupCount,
        subscriptions::Column::WarningGroups,
        subscriptions::Column::NoSuccessorGroups,
        subscriptions::Column::NothingActiveGroups,
        subscriptions::Column::AttentionGroups,
        subscriptions::Column::ActiveCount,
        subscriptions::Column::SoonCount,
        subscriptions::Column::FutureCount,
        subscriptions::Column::ExpiredCount,
        subscriptions::Column::DeactivatedCount,
    ];

    pub(crate) fn add(&mut self, group: &Model) {
        self.shift(group, 1);
    }

    pub(super) fn subtract(&mut self, group: &Model) {
        self.shift(group, -1);
    }

    fn shift(&mut self, it: &Model, sign: i32) {
        let parts = [
            1,
            it.warns.into(),
            it.no_successor.into(),
            it.nothing_active.into(),
            (it.attention != 0).into(),
            it.active_count,
            it.soon_count,
            it.future_count,
            it.expired_count,
            it.deactivated_count,
        ];
        for (sum, part) in self.0.iter_mut().zip(parts) {
            *sum += sign * part;
        }
    }

    pub(crate) fn apply(self, tx: &Tx, subscription: Uuid) {
        if self.0.iter().all(|it| *it == 0) {
            return;
        }
        let update =
            subscriptions::Entity::update_many().filter(subscriptions::COLUMN.id.eq(subscription));
        let update = Self::COLUMNS
            .into_iter()
            .zip(self.0)
            .fold(update, |it, (column, by)| it.col_expr(column, Expr::col(column).add(by)));
        tx.later(update.build(tx.get_database_backend()));
    }
}

/// Calls of these groups were refused. Those with nothing active need attention from then on.
pub(crate) async fn refresh_refusing(db: &Db, ids: &[Uuid], now: DateTime<Utc>) -> Result<()> {
    let newly = Entity::find()
        .filter(COLUMN.id.is_in(ids.to_vec()))
        .filter(COLUMN.nothing_active.eq(true))
        .filter(COLUMN.attention.ne(Attention::Refusing as i16))
        .all(db.read())
        .await?;
    let newly: Vec<_> = newly.iter().map(|it| (it.subscription_id, it.id)).collect();
    refresh_by_subscription(&newly, now, async || db.write_in_time().await).await
}
