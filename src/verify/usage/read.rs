//! How much keys are used.
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    FromQueryResult, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, SelectStatement},
};

use super::{
    HOUR,
    entity::{days, hours, permissions},
};
use crate::{clock::millis, db::Db, error::Result};

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

/// Calls of the last 24 hours of each of these instances, in whole hours.
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
        .filter(hours::COLUMN.hour.gt(hour))
        .group_by(hours::Column::KeyInstanceId)
        .into_model::<Sum>()
        .all(db.read())
        .await?;
    Ok(by_id(rows))
}

/// Accepted calls of an instance, short ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// Since the start of the hour before this one.
    pub hour: i64,
    /// Of the last 24 hours, in whole hours.
    pub day: i64,
}

/// Short-term use of a few instances, such as the two of a rotation.
pub async fn last_hours(
    db: &Db,
    instances: Vec<Uuid>,
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, Recent>> {
    let this = i32::try_from(millis(now) / HOUR).unwrap_or(i32::MAX);
    let rows = hours::Entity::find()
        .filter(hours::COLUMN.key_instance_id.is_in(instances))
        .filter(hours::COLUMN.hour.gt(this - 24))
        .all(db.read())
        .await?;
    let mut recent: HashMap<Uuid, Recent> = HashMap::new();
    for row in rows {
        let it = recent.entry(row.key_instance_id).or_default();
        it.day += row.accepted;
        it.hour += if row.hour >= this - 1 { row.accepted } else { 0 };
    }
    Ok(recent)
}

/// The last 31 days on which an instance was called, counted since 1970: 30 in a row, and one before.
pub async fn days_with_calls(db: &Db, instance: Uuid) -> Result<Vec<i32>> {
    let days = days::Entity::find()
        .select_only()
        .column(days::Column::Day)
        .filter(days::COLUMN.key_instance_id.eq(instance))
        .order_by_desc(days::Column::Day)
        .limit(31);
    Ok(days.into_tuple().all(db.read()).await?)
}

/// Accepted calls of the last 30 days, today included, by which of these permissions they asked
/// for; of the key groups whose ids `groups` gives.
pub(crate) async fn by_permission(
    db: &Db,
    groups: SelectStatement,
    names: Vec<String>,
    now: DateTime<Utc>,
) -> Result<HashMap<String, i64>> {
    let rows: Vec<(String, Option<i64>)> = permissions::Entity::find()
        .select_only()
        .column(permissions::Column::Permission)
        .column_as(permissions::Column::Accepted.sum().cast_as("BIGINT"), "n")
        .filter(permissions::Column::KeyGroupId.in_subquery(groups))
        .filter(permissions::COLUMN.permission.is_in(names))
        .filter(permissions::COLUMN.day.gt(today(now) - 30))
        .group_by(permissions::Column::Permission)
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(rows.into_iter().map(|(name, n)| (name, n.unwrap_or_default())).collect())
}
