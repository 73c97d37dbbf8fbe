//! The queries of calendar feeds, and of the ends that they show.
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, PaginatorTrait, QueryOrder, QuerySelect, Select, entity::prelude::*,
};

use super::entity::{ActiveModel, COLUMN, Entity, Model};
use crate::{
    clock::millis,
    db::{Db, Tx},
    error::{Error, Result},
    key_groups::{KeyGroup, entity as groups},
    key_instances::{KeyInstance, entity as instances},
    subscriptions::{Scope, Subscription, entity as subscriptions},
};

/// Ends that lie longer ago are not shown any more.
const BEHIND: TimeDelta = TimeDelta::days(30);
/// Nor those that lie further ahead: two years.
const AHEAD: TimeDelta = TimeDelta::days(731);

fn of(scope: &Scope) -> Select<Entity> {
    Entity::find().filter(COLUMN.subscription_id.eq(scope.id()))
}

pub(super) async fn list(db: &Db, scope: &Scope, limit: u64) -> Result<Vec<Model>> {
    Ok(of(scope).limit(limit).all(db.read()).await?)
}

pub(super) async fn count(tx: &Tx, scope: &Scope) -> Result<u64> {
    Ok(of(scope).count(tx).await?)
}

pub(super) async fn find(db: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<Model> {
    of(scope).filter(COLUMN.id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// The feed of a group; without one, of the whole subscription.
pub(super) async fn find_of(
    db: &impl ConnectionTrait,
    scope: &Scope,
    group: Option<Uuid>,
) -> Result<Option<Model>> {
    let query = match group {
        Some(group) => of(scope).filter(COLUMN.key_group_id.eq(group)),
        None => of(scope).filter(COLUMN.key_group_id.is_null()),
    };
    Ok(query.one(db).await?)
}

pub(super) async fn insert(tx: &Tx, row: ActiveModel) -> Result<Model> {
    Ok(row.insert(tx).await?)
}

pub(super) async fn delete(tx: &Tx, id: Uuid) -> Result<()> {
    Entity::delete_by_id(id).exec(tx).await?;
    Ok(())
}

/// By the digest of its address, with its subscription.
pub(super) async fn by_digest(db: &Db, digest: String) -> Result<(Model, Subscription)> {
    let found = Entity::find()
        .filter(COLUMN.digest.eq(digest))
        .find_also_related(subscriptions::Entity)
        .one(db.read())
        .await?;
    found.and_then(|(feed, of)| Some((feed, of?))).ok_or(Error::NotFound)
}

/// Instances whose planned end lies in the window: those ahead, the soonest first, then as many as
/// fit of those behind, the last first.
pub(super) async fn ends(
    db: &Db,
    feed: &Model,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<Vec<KeyInstance>> {
    let all = instances::Entity::find();
    let all = match feed.key_group_id {
        Some(group) => all.filter(instances::COLUMN.key_group_id.eq(group)),
        None => all.filter(instances::COLUMN.subscription_id.eq(feed.subscription_id)),
    };
    let planned = instances::COLUMN.planned_end;
    let mut found = all
        .clone()
        .filter(planned.gt(millis(now)))
        .filter(planned.lte(millis(now + AHEAD)))
        .order_by_asc(instances::Column::PlannedEnd)
        .order_by_asc(instances::Column::Id)
        .limit(limit)
        .all(db.read())
        .await?;
    let room = limit.saturating_sub(found.len() as u64);
    if room > 0 {
        let behind = all
            .filter(planned.lte(millis(now)))
            .filter(planned.gte(millis(now - BEHIND)))
            .order_by_desc(instances::Column::PlannedEnd)
            .order_by_desc(instances::Column::Id)
            .limit(room);
        found.extend(behind.all(db.read()).await?);
    }
    Ok(found)
}

/// Both databases limit the parameters of a statement.
const IDS: usize = 1_000;

/// The groups with these ids, which were read within one subscription.
pub(super) async fn groups(db: &Db, ids: &[Uuid]) -> Result<HashMap<Uuid, KeyGroup>> {
    let mut found = HashMap::new();
    for ids in ids.chunks(IDS) {
        let some = groups::Entity::find().filter(groups::COLUMN.id.is_in(ids.to_vec()));
        found.extend(some.all(db.read()).await?.into_iter().map(|it| (it.id, it)));
    }
    Ok(found)
}

/// Of each of these groups, the latest end of what is active now.
pub(super) async fn covered(
    db: &Db,
    groups: &[Uuid],
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, i64>> {
    let mut ends = HashMap::new();
    for ids in groups.chunks(IDS) {
        let active = instances::Entity::find()
            .select_only()
            .column(instances::Column::KeyGroupId)
            .column_as(instances::Column::EndsAt.max(), "until")
            .filter(instances::COLUMN.key_group_id.is_in(ids.to_vec()))
            .filter(instances::COLUMN.is_off.eq(false))
            .filter(instances::COLUMN.ends_at.gt(millis(now)))
            .filter(instances::COLUMN.active_from.lte(millis(now)))
            .group_by(instances::Column::KeyGroupId);
        let rows: Vec<(Uuid, i64)> = active.into_tuple().all(db.read()).await?;
        ends.extend(rows);
    }
    Ok(ends)
}
