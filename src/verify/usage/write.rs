//! Writing a batch of usage: few statements, whatever the number of keys.
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ExprTrait, QueryTrait,
    entity::prelude::*,
    sea_query::{OnConflict, TableRef, UpdateStatement, Value, ValueTuple},
};

use super::{
    HOUR,
    batch::{Asked, Pending, Uses},
    entity::{days, hours, permissions},
};
use crate::{
    clock::millis,
    db::{self, Db, Tx},
    error::Result,
    key_groups::{entity as groups, summary},
    key_instances::entity as instances,
};

/// Rows of one statement.
pub(super) const CHUNK: usize = 500;

/// How far `idle_since` may lie behind the last use, in milliseconds: it is in five indexes, which sort
/// and filter by days.
const LISTS_LAG: i64 = 60_000;

type Rows<'a> = [(&'a (Uuid, i64), &'a Pending)];

/// Last uses and counts of a chunk of instances, in one transaction.
pub(super) async fn instances(db: &Db, rows: &Rows<'_>) -> Result<()> {
    let tx = db.write_in_time().await?;
    let used = rows.iter().map(|it| it.0.0);
    let used = instances::Entity::find().filter(instances::COLUMN.id.is_in(used));
    db::lock_in_order(&tx, used, instances::Column::Id).await?;
    write_last_uses(&tx, rows);
    let day_rows = rows.iter().map(|((id, hour), it)| days::ActiveModel {
        key_instance_id: Set(*id),
        key_group_id: Set(it.group),
        day: Set(i32::try_from(hour / 24).unwrap_or(i32::MAX)),
        accepted: Set(it.accepted),
        refused: Set(it.refused),
    });
    // Two hours of one day must not meet the same row twice in one statement.
    let mut by_day: BTreeMap<(Uuid, i32), days::ActiveModel> = BTreeMap::new();
    for row in day_rows {
        let key = (*row.key_instance_id.as_ref(), *row.day.as_ref());
        match by_day.entry(key) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(row);
            }
            std::collections::btree_map::Entry::Occupied(mut same) => {
                let same = same.get_mut();
                same.accepted = Set(same.accepted.as_ref() + row.accepted.as_ref());
                same.refused = Set(same.refused.as_ref() + row.refused.as_ref());
            }
        }
    }
    let backend = tx.get_database_backend();
    let by_day = days::Entity::insert_many(by_day.into_values()).on_conflict(added(
        days::Entity,
        [days::Column::KeyInstanceId, days::Column::Day],
        [days::Column::Accepted, days::Column::Refused],
    ));
    tx.later(by_day.build(backend));
    let hour_rows = rows.iter().map(|((id, hour), it)| hours::ActiveModel {
        key_instance_id: Set(*id),
        key_group_id: Set(it.group),
        hour: Set(i32::try_from(*hour).unwrap_or(i32::MAX)),
        accepted: Set(it.accepted),
        refused: Set(it.refused),
    });
    let by_hour = hours::Entity::insert_many(hour_rows).on_conflict(added(
        hours::Entity,
        [hours::Column::KeyInstanceId, hours::Column::Hour],
        [hours::Column::Accepted, hours::Column::Refused],
    ));
    tx.later(by_hour.build(backend));
    Ok(tx.commit().await?)
}

/// `ON CONFLICT DO UPDATE`: the counts are added to what is there.
fn added<E: EntityTrait, C: ColumnTrait, const K: usize, const N: usize>(
    table: E,
    key: [C; K],
    counts: [C; N],
) -> OnConflict {
    let mut conflict = OnConflict::columns(key);
    for count in counts {
        let sum = Expr::col((table, count)).add(Expr::col(("excluded", count)));
        conflict.value(count, sum);
    }
    conflict.to_owned()
}

/// A later time on the row stays.
fn write_last_uses(tx: &Tx, rows: &Rows<'_>) {
    use instances::Column as I;
    let accepted = latest(rows, |it| it.last_accepted.as_ref(), |it| it.at);
    let times = accepted.iter().map(|(id, it)| (*id, it.at, []));
    set_newer(tx, I::Id, (I::IdleSince, LISTS_LAG), [], times);
    let accepted = accepted
        .iter()
        .map(|(id, it)| (*id, it.at, [it.from.to_string().into(), (*it.agent).to_owned().into()]));
    set_newer(tx, I::Id, (I::LastUsedAt, 0), [I::LastUsedFrom, I::LastUsedAgent], accepted);
    let refused = latest(rows, |it| it.last_refused.as_deref(), |it| it.at);
    let refused = refused.iter().map(|(id, it)| {
        let reason = it.denial.code().to_owned();
        (*id, it.at, [it.from.to_string().into(), reason.into(), it.asked.clone().into()])
    });
    let others = [I::LastRefusedFrom, I::LastRefusedReason, I::LastRefusedAsked];
    set_newer(tx, I::Id, (I::LastRefusedAt, 0), others, refused);
}

/// The last call of each instance in the batch: two hours may hold the same one.
fn latest<'a, L>(
    rows: &Rows<'a>,
    last: impl Fn(&'a Pending) -> Option<&'a L>,
    at: impl Fn(&L) -> i64,
) -> BTreeMap<Uuid, &'a L> {
    let mut by_id: BTreeMap<Uuid, &L> = BTreeMap::new();
    for ((id, _), it) in rows {
        if let Some(it) = last(it) {
            let known = by_id.entry(*id).or_insert(it);
            if at(it) > at(known) {
                *known = it;
            }
        }
    }
    by_id
}

/// Sets `time` of many rows, each to a time of its own, and `others` with it, where it lies before that
/// by more than `lag` milliseconds, or nowhere. One statement, whose cost grows with the rows.
pub(super) fn set_newer<C: ColumnTrait, const N: usize>(
    tx: &Tx,
    id: C,
    (time, lag): (C, i64),
    others: [C; N],
    rows: impl IntoIterator<Item = (Uuid, i64, [Value; N])>,
) {
    let row = |(id, at, others): (Uuid, i64, [Value; N])| {
        ValueTuple::Many([id.into(), at.into()].into_iter().chain(others).collect())
    };
    let rows: Vec<ValueTuple> = rows.into_iter().map(row).collect();
    if rows.is_empty() {
        return;
    }
    // Both databases call the columns of VALUES so.
    let given = |n: usize| Expr::col(("given", format!("column{n}")));
    let mut update = UpdateStatement::new();
    update.table(id.entity_name()).from(TableRef::ValuesList(rows, "given".into()));
    update.value(time, given(2));
    for (n, column) in others.into_iter().enumerate() {
        update.value(column, given(3 + n));
    }
    let known = || Expr::col(time.as_column_ref());
    update
        .and_where(Expr::col(id.as_column_ref()).eq(given(1)))
        .and_where(known().is_null().or(known().lt(given(2).sub(lag))));
    tx.later(tx.get_database_backend().build(&update));
}

/// The groups' own last uses; and those that only refuse now need attention.
pub(super) async fn groups(db: &Db, batch: &Uses, now: DateTime<Utc>) -> Result<()> {
    use groups::Column as G;
    // When calls were accepted and refused last.
    let mut used: BTreeMap<Uuid, [Option<i64>; 2]> = BTreeMap::new();
    for it in batch.values() {
        let [accepted, refused] = used.entry(it.group).or_default();
        *accepted = Ord::max(*accepted, it.last_accepted.as_ref().map(|it| it.at));
        *refused = Ord::max(*refused, it.last_refused.as_ref().map(|it| it.at));
    }
    let all: Vec<_> = used.into_iter().collect();
    for chunk in all.chunks(CHUNK) {
        let tx = db.write_in_time().await?;
        let rows =
            groups::Entity::find().filter(groups::COLUMN.id.is_in(chunk.iter().map(|it| it.0)));
        db::lock_in_order(&tx, rows, groups::Column::Id).await?;
        let accepted = chunk.iter().filter_map(|(id, it)| Some((*id, it[0]?, [])));
        set_newer(&tx, G::Id, (G::IdleSince, LISTS_LAG), [], accepted.clone());
        set_newer(&tx, G::Id, (G::LastUsedAt, 0), [], accepted);
        let refused = chunk.iter().filter_map(|(id, it)| Some((*id, it[1]?, [])));
        set_newer(&tx, G::Id, (G::LastRefusedAt, 0), [], refused.clone());
        tx.commit().await?;
        let refused: Vec<Uuid> = refused.map(|it| it.0).collect();
        summary::refresh_refusing(db, &refused, now).await?;
    }
    Ok(())
}

/// A chunk of accepted calls by what they asked for.
pub(super) async fn asked(db: &Db, counts: &[(Asked, i64)]) -> Result<()> {
    let rows = counts.iter().rev().map(|((group, permission, day), n)| permissions::ActiveModel {
        key_group_id: Set(*group),
        permission: Set((**permission).to_owned()),
        day: Set(*day),
        accepted: Set(*n),
    });
    let key = [
        permissions::Column::KeyGroupId,
        permissions::Column::Permission,
        permissions::Column::Day,
    ];
    let tx = db.write_in_time().await?;
    permissions::Entity::insert_many(rows)
        .on_conflict(added(permissions::Entity, key, [permissions::Column::Accepted]))
        .exec_without_returning(&tx)
        .await?;
    Ok(tx.commit().await?)
}

/// With the deletion of groups go their counts.
pub(crate) async fn forget_groups(tx: &Tx, groups: &[Uuid]) -> Result<()> {
    let groups = || groups.iter().copied();
    days::Entity::delete_many().filter(days::COLUMN.key_group_id.is_in(groups())).exec(tx).await?;
    permissions::Entity::delete_many()
        .filter(permissions::COLUMN.key_group_id.is_in(groups()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Hours are kept for two days, what was asked for 60; days stay.
pub async fn prune(db: &Db, now: DateTime<Utc>) -> Result<()> {
    let day = i32::try_from(millis(now - TimeDelta::days(60)) / HOUR / 24).unwrap_or(0);
    permissions::Entity::delete_many()
        .filter(permissions::COLUMN.day.lt(day))
        .exec(db.read())
        .await?;
    let hour = i32::try_from(millis(now - TimeDelta::hours(48)) / HOUR).unwrap_or(0);
    hours::Entity::delete_many().filter(hours::COLUMN.hour.lt(hour)).exec(db.read()).await?;
    Ok(())
}
