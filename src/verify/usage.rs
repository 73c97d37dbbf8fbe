//! Who used which key when: gathered in memory, written in batches at most 10 seconds late and at
//! shutdown. Never one write per call, never going backwards. A crash loses the last batch only.
use std::{collections::HashMap, net::IpAddr, sync::Mutex, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ExprTrait, FromQueryResult, QuerySelect,
    entity::prelude::*,
    sea_query::{CaseStatement, OnConflict, SimpleExpr, Value},
};

use super::Holder;
use crate::{
    clock::millis,
    db::{Db, Tx},
    domain::Denial,
    error::Result,
    key_groups::{entity as groups, summary},
    key_instances::entity as instances,
};

pub(crate) mod days {
    //! Calls per instance and day since 1970.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_days")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key_instance_id: Uuid,
        pub key_group_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: i32,
        pub accepted: i64,
        pub refused: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod hours {
    //! Calls per instance and hour since 1970, kept for two days.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_hours")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key_instance_id: Uuid,
        pub key_group_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub hour: i32,
        pub accepted: i64,
        pub refused: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Between two batches.
pub const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// Rows of one statement.
const CHUNK: usize = 100;
const HOUR: i64 = 3_600_000;

/// One call with a known key.
#[derive(Clone, Debug)]
pub struct Call {
    /// `None`: it was accepted.
    pub denial: Option<Denial>,
    pub from: IpAddr,
    /// The user agent, or `x-bs-clientid` (document 000).
    pub agent: String,
}

/// What has come in since the last batch, by instance and hour.
#[derive(Default)]
pub struct Recorder(Mutex<HashMap<(Uuid, i64), Pending>>);

#[derive(Clone)]
struct Pending {
    group: Uuid,
    accepted: i64,
    refused: i64,
    last_accepted: Option<(i64, Call)>,
    last_refused: Option<(i64, Call)>,
}

impl Pending {
    fn of(group: Uuid) -> Self {
        Self { group, accepted: 0, refused: 0, last_accepted: None, last_refused: None }
    }

    fn merge(&mut self, later: Self) {
        self.accepted += later.accepted;
        self.refused += later.refused;
        self.last_accepted = newest(self.last_accepted.take(), later.last_accepted);
        self.last_refused = newest(self.last_refused.take(), later.last_refused);
    }
}

fn newest(a: Option<(i64, Call)>, b: Option<(i64, Call)>) -> Option<(i64, Call)> {
    a.into_iter().chain(b).max_by_key(|it| it.0)
}

impl Recorder {
    pub fn note(&self, holder: &Holder, call: Call, now: DateTime<Utc>) {
        self.note_many((holder.instance, holder.group), call, 1, now);
    }

    /// `n` calls at once, of an instance and its group.
    pub fn note_many(
        &self,
        (instance, group): (Uuid, Uuid),
        call: Call,
        n: i64,
        now: DateTime<Utc>,
    ) {
        let at = millis(now);
        let mut one = Pending::of(group);
        if call.denial.is_none() {
            (one.accepted, one.last_accepted) = (n, Some((at, call)));
        } else {
            (one.refused, one.last_refused) = (n, Some((at, call)));
        }
        let mut all = self.0.lock().expect("no holder of this lock panics");
        let key = (instance, at / HOUR);
        all.entry(key).or_insert_with(|| Pending::of(group)).merge(one);
    }

    /// Writes what has come in. What cannot be written is kept for the next time.
    pub async fn flush(&self, db: &Db, now: DateTime<Utc>) -> Result<()> {
        let batch = std::mem::take(&mut *self.0.lock().expect("no holder of this lock panics"));
        if batch.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = batch.iter().collect();
        for (n, chunk) in rows.chunks(CHUNK).enumerate() {
            if let Err(error) = write_instances(db, chunk).await {
                self.keep(&rows[n * CHUNK..]);
                return Err(error);
            }
        }
        write_groups(db, &batch, now).await
    }

    fn keep(&self, rows: &[(&(Uuid, i64), &Pending)]) {
        let mut all = self.0.lock().expect("no holder of this lock panics");
        for (key, older) in rows {
            let mut merged = (*older).clone();
            if let Some(newer) = all.remove(key) {
                merged.merge(newer);
            }
            all.insert(**key, merged);
        }
    }
}

type Rows<'a> = [(&'a (Uuid, i64), &'a Pending)];

/// Last uses and counts of a chunk of instances, in one transaction.
async fn write_instances(db: &Db, rows: &Rows<'_>) -> Result<()> {
    let tx = db.write().await?;
    write_last_uses(&tx, rows).await?;
    let day_rows = rows.iter().map(|((id, hour), it)| days::ActiveModel {
        key_instance_id: Set(*id),
        key_group_id: Set(it.group),
        day: Set(i32::try_from(hour / 24).unwrap_or(i32::MAX)),
        accepted: Set(it.accepted),
        refused: Set(it.refused),
    });
    // Two hours of one day must not meet the same row twice in one statement.
    let mut by_day: HashMap<(Uuid, i32), days::ActiveModel> = HashMap::new();
    for row in day_rows {
        let key = (*row.key_instance_id.as_ref(), *row.day.as_ref());
        match by_day.entry(key) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(row);
            }
            std::collections::hash_map::Entry::Occupied(mut same) => {
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
        .exec_without_returning(&*tx)
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
        .exec_without_returning(&*tx)
        .await?;
    Ok(tx.commit().await?)
}

/// `ON CONFLICT DO UPDATE`: the counts are added to what is there.
fn added<E: EntityTrait, C: ColumnTrait>(table: E, key: [C; 2], counts: [C; 2]) -> OnConflict {
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
        update.filter(instances::COLUMN.id.is_in(ids)).exec(&**tx).await?;
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
            );
        let ids = refused.iter().map(|it| it.0);
        update.filter(instances::COLUMN.id.is_in(ids)).exec(&**tx).await?;
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
struct Newer<C> {
    id: C,
    time: C,
    at: (Uuid, i64),
}

impl<C: ColumnTrait> Newer<C> {
    fn condition(&self) -> SimpleExpr {
        let (id, at) = self.at;
        let time = || Expr::col(self.time);
        Expr::col(self.id).eq(id).and(time().is_null().or(time().lt(at)))
    }
}

/// `CASE WHEN <this row and newer> THEN value ... ELSE column END`
fn chosen<C: ColumnTrait>(
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
async fn write_groups(
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
    let all: Vec<_> = used.iter().collect();
    for chunk in all.chunks(CHUNK) {
        let tx = db.write().await?;
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
    update.exec(&**tx).await?;
    Ok(())
}

/// Accepted and refused calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub accepted: i64,
    pub refused: i64,
}

#[derive(FromQueryResult)]
struct Sum {
    id: Uuid,
    accepted: Option<i64>,
    refused: Option<i64>,
}

fn by_id(rows: Vec<Sum>) -> HashMap<Uuid, Calls> {
    let calls = |it: &Sum| Calls {
        accepted: it.accepted.unwrap_or_default(),
        refused: it.refused.unwrap_or_default(),
    };
    rows.iter().map(|it| (it.id, calls(it))).collect()
}

fn today(now: DateTime<Utc>) -> i32 {
    i32::try_from(millis(now) / HOUR / 24).unwrap_or(i32::MAX)
}

/// Calls of the last 30 days, today included, of each of these groups.
pub async fn of_groups(
    db: &Db,
    groups: Vec<Uuid>,
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, Calls>> {
    let rows = days::Entity::find()
        .select_only()
        .column_as(days::Column::KeyGroupId, "id")
        .column_as(days::Column::Accepted.sum().cast_as("BIGINT"), "accepted")
        .column_as(days::Column::Refused.sum().cast_as("BIGINT"), "refused")
        .filter(days::COLUMN.key_group_id.is_in(groups))
        .filter(days::COLUMN.day.gt(today(now) - 30))
        .group_by(days::Column::KeyGroupId)
        .into_model::<Sum>()
        .all(db.read())
        .await?;
    Ok(by_id(rows))
}

/// Calls of the last 24 hours of each of these instances, whole hours.
pub async fn last_day(
    db: &Db,
    instances: Vec<Uuid>,
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, Calls>> {
    let hour = i32::try_from(millis(now - TimeDelta::hours(24)) / HOUR).unwrap_or(i32::MAX);
    let rows = hours::Entity::find()
        .select_only()
        .column_as(hours::Column::KeyInstanceId, "id")
        .column_as(hours::Column::Accepted.sum().cast_as("BIGINT"), "accepted")
        .column_as(hours::Column::Refused.sum().cast_as("BIGINT"), "refused")
        .filter(hours::COLUMN.key_instance_id.is_in(instances))
        .filter(hours::COLUMN.hour.gte(hour))
        .group_by(hours::Column::KeyInstanceId)
        .into_model::<Sum>()
        .all(db.read())
        .await?;
    Ok(by_id(rows))
}

/// With the deletion of a group go its counts.
pub(crate) async fn forget_group(tx: &Tx, group: Uuid) -> Result<()> {
    days::Entity::delete_many().filter(days::COLUMN.key_group_id.eq(group)).exec(&**tx).await?;
    Ok(())
}

/// Hours are kept for two days; days stay.
pub async fn prune(db: &Db, now: DateTime<Utc>) -> Result<()> {
    let hour = i32::try_from(millis(now - TimeDelta::hours(48)) / HOUR).unwrap_or(0);
    hours::Entity::delete_many().filter(hours::COLUMN.hour.lt(hour)).exec(db.read()).await?;
    Ok(())
}
