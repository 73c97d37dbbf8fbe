//! Writing a batch of usage: few statements, whatever the number of keys.
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ExprTrait,
    entity::prelude::*,
    sea_query::{CaseStatement, OnConflict, SimpleExpr, Value},
};

use super::{
    Asked, Call, HOUR, Pending,
    entity::{days, hours, permissions},
};
use crate::{
    clock::millis,
    db::{self, Db, Tx},
    domain::Denial,
    error::Result,
    key_groups::{entity as groups, summary},
    key_instances::entity as instances,
};

const LACKING: Option<Denial> = Some(Denial::InsufficientPermissions);

/// Rows of one statement.
pub(super) const CHUNK: usize = 100;

type Rows<'a> = [(&'a (Uuid, i64), &'a Pending)];

/// Last uses and counts of a chunk of instances, in one transaction.
pub(super) async fn instances(db: &Db, rows: &Rows<'_>) -> Result<()> {
    let tx = db.write().await?;
    let used = rows.iter().map(|it| it.0.0);
    let used = instances::Entity::find().filter(instances::COLUMN.id.is_in(used));
    db::lock_in_order(&tx, used, instances::Column::Id).await?;
    write_last_uses(&tx, rows).await?;
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
    days::Entity::insert_many(by_day.into_values())
        .on_conflict(added(
            days::Entity,
            [days::Column::KeyInstanceId, days::Column::Day],
            [days::Column::Accepted, days::Column::Refused],
        ))
        .exec_without_returning(&tx)
        .await?;
    let hour_rows = rows.iter().map(|((id, hour), it)| hours::ActiveModel {
        key_instance_id: Set(*id),
        key_group_id: Set(it.group),
        hour: Set(i32::try_from(*hour).unwrap_or(i32::MAX)),
        accepted: Set(it.accepted),
        refused: Set(it.refused),
    });
    hours::Entity::insert_many(hour_rows)
        .on_conflict(added(
            hours::Entity,
            [hours::Column::KeyInstanceId, hours::Column::Hour],
            [hours::Column::Accepted, hours::Column::Refused],
        ))
        .exec_without_returning(&tx)
        .await?;
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

/// One update for all of them. A later time on the row stays.
async fn write_last_uses(tx: &Tx, rows: &Rows<'_>) -> Result<()> {
    use instances::Column as I;
    let accepted = latest(rows, |it| it.last_accepted.as_ref());
    if !accepted.is_empty() {
        let newer = |at| Newer { id: I::Id, time: I::LastUsedAt, at };
        let update = instances::Entity::update_many()
            .col_expr(I::LastUsedAt, chosen(&accepted, newer, I::LastUsedAt, |at, _| at.into()))
            .col_expr(I::IdleSince, chosen(&accepted, newer, I::IdleSince, |at, _| at.into()))
            .col_expr(
                I::LastUsedFrom,
                chosen(&accepted, newer, I::LastUsedFrom, |_, it| it.from.to_string().into()),
            )
            .col_expr(
                I::LastUsedAgent,
                chosen(&accepted, newer, I::LastUsedAgent, |_, it| it.agent.clone().into()),
            );
        let ids = accepted.iter().map(|it| it.0);
        update.filter(instances::COLUMN.id.is_in(ids)).exec(tx).await?;
    }
    let refused = latest(rows, |it| it.last_refused.as_ref());
    if !refused.is_empty() {
        let newer = |at| Newer { id: I::Id, time: I::LastRefusedAt, at };
        let update = instances::Entity::update_many()
            .col_expr(
                I::LastRefusedAt,
                chosen(&refused, newer, I::LastRefusedAt, |at, _| at.into()),
            )
            .col_expr(
                I::LastRefusedFrom,
                chosen(&refused, newer, I::LastRefusedFrom, |_, it| it.from.to_string().into()),
            )
            .col_expr(
                I::LastRefusedReason,
                chosen(&refused, newer, I::LastRefusedReason, |_, it| {
                    it.denial.map_or("", Denial::code).into()
                }),
            )
            .col_expr(
                I::LastRefusedAsked,
                chosen(&refused, newer, I::LastRefusedAsked, |_, it| {
                    it.asked.clone().filter(|_| it.denial == LACKING).into()
                }),
            );
        let ids = refused.iter().map(|it| it.0);
        update.filter(instances::COLUMN.id.is_in(ids)).exec(tx).await?;
    }
    Ok(())
}

/// The last call of each instance in the batch: two hours may hold the same one.
fn latest<'a>(
    rows: &Rows<'a>,
    last: impl Fn(&'a Pending) -> Option<&'a (i64, Call)>,
) -> Vec<(Uuid, i64, &'a Call)> {
    let mut by_id: HashMap<Uuid, (i64, &Call)> = HashMap::new();
    for ((id, _), it) in rows {
        if let Some((at, call)) = last(it) {
            let known = by_id.entry(*id).or_insert((*at, call));
            if *at > known.0 {
                *known = (*at, call);
            }
        }
    }
    by_id.into_iter().map(|(id, (at, call))| (id, at, call)).collect()
}

/// `id = ? AND (time IS NULL OR time < at)`
pub(super) struct Newer<C> {
    pub(super) id: C,
    pub(super) time: C,
    pub(super) at: (Uuid, i64),
}

impl<C: ColumnTrait> Newer<C> {
    fn condition(&self) -> SimpleExpr {
        let (id, at) = self.at;
        let time = || Expr::col(self.time);
        Expr::col(self.id).eq(id).and(time().is_null().or(time().lt(at)))
    }
}

/// `CASE WHEN <this row and newer> THEN value ... ELSE column END`
pub(super) fn chosen<C: ColumnTrait>(
    rows: &[(Uuid, i64, &Call)],
    newer: impl Fn((Uuid, i64)) -> Newer<C>,
    column: C,
    value: impl Fn(i64, &Call) -> Value,
) -> SimpleExpr {
    let case = rows.iter().fold(CaseStatement::new(), |case, (id, at, call)| {
        case.case(newer((*id, *at)).condition(), Expr::val(value(*at, call)))
    });
    case.finally(Expr::col(column)).into()
}

/// The groups' own last uses; and those that only refuse now need attention.
pub(super) async fn groups(
    db: &Db,
    batch: &HashMap<(Uuid, i64), Pending>,
    now: DateTime<Utc>,
) -> Result<()> {
    use groups::Column as G;
    let mut used: HashMap<Uuid, (Option<i64>, Option<i64>)> = HashMap::new();
    for it in batch.values() {
        let times = used.entry(it.group).or_default();
        times.0 = Ord::max(times.0, it.last_accepted.as_ref().map(|it| it.0));
        times.1 = Ord::max(times.1, it.last_refused.as_ref().map(|it| it.0));
    }
    let mut all: Vec<_> = used.iter().collect();
    all.sort_unstable();
    for chunk in all.chunks(CHUNK) {
        let tx = db.write().await?;
        let rows = chunk.iter().map(|it| *it.0);
        let rows = groups::Entity::find().filter(groups::COLUMN.id.is_in(rows));
        db::lock_in_order(&tx, rows, groups::Column::Id).await?;
        let accepted: Vec<_> = chunk.iter().filter_map(|(id, it)| Some((**id, it.0?))).collect();
        let refused: Vec<_> = chunk.iter().filter_map(|(id, it)| Some((**id, it.1?))).collect();
        if !accepted.is_empty() {
            set_times(&tx, &accepted, G::LastUsedAt, &[G::LastUsedAt, G::IdleSince]).await?;
        }
        if !refused.is_empty() {
            set_times(&tx, &refused, G::LastRefusedAt, &[G::LastRefusedAt]).await?;
        }
        tx.commit().await?;
        let refused: Vec<Uuid> = refused.into_iter().map(|it| it.0).collect();
        summary::refresh_refusing(db, &refused, now).await?;
    }
    Ok(())
}

async fn set_times(
    tx: &Tx,
    rows: &[(Uuid, i64)],
    time: groups::Column,
    columns: &[groups::Column],
) -> Result<()> {
    let update =
        groups::Entity::update_many().filter(groups::COLUMN.id.is_in(rows.iter().map(|it| it.0)));
    let update = columns.iter().fold(update, |update, column| {
        let case = rows.iter().fold(CaseStatement::new(), |case, at| {
            let newer = Newer { id: groups::Column::Id, time, at: *at };
            case.case(newer.condition(), Expr::val(at.1))
        });
        update.col_expr(*column, case.finally(Expr::col(*column)).into())
    });
    update.exec(tx).await?;
    Ok(())
}

/// A chunk of accepted calls by what they asked for.
pub(super) async fn asked(db: &Db, counts: &[(Asked, i64)]) -> Result<()> {
    let rows = counts.iter().map(|((group, permission, day), n)| permissions::ActiveModel {
        key_group_id: Set(*group),
        permission: Set(permission.clone()),
        day: Set(*day),
        accepted: Set(*n),
    });
    let key = [
        permissions::Column::KeyGroupId,
        permissions::Column::Permission,
        permissions::Column::Day,
    ];
    let tx = db.write().await?;
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
