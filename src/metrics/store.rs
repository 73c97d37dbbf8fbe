//! What the database says at the moment of a scrape: each by an index, and each with an end to it.
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{Order, PaginatorTrait, QueryOrder, QuerySelect, Select, entity::prelude::*};

use crate::{
    clock::millis,
    db::Db,
    domain::label_name,
    error::Result,
    key_groups::entity as groups,
    key_instances::entity::{self as instances, NEVER},
    notices, sessions,
    subscriptions::entity as subscriptions,
};

/// For so long an end that has passed is told.
const BEHIND: TimeDelta = TimeDelta::days(7);
/// Ends within this time that are not listed are counted.
const AHEAD: TimeDelta = TimeDelta::days(90);
/// So many of them.
const MOST_COUNTED: u64 = 10_000;

/// An instance that ends.
#[derive(Debug)]
pub(super) struct Expiry {
    pub(super) subscription: String,
    pub(super) key_group: String,
    pub(super) key_instance: String,
    pub(super) ends_at: i64,
}

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) expiries: Vec<Expiry>,
    pub(super) not_listed: u64,
    pub(super) key_groups: [(&'static str, i64); 5],
    pub(super) sessions: u64,
    pub(super) waiting: u64,
}

impl Stored {
    pub(super) async fn read(db: &Db, listed: u64, now: DateTime<Utc>) -> Result<Self> {
        let expiries = expiries(db, listed, now).await?;
        let until = millis(now + AHEAD);
        let near = expiries.iter().filter(|it| it.ends_at <= until).count() as u64;
        let within = ending(now)
            .filter(instances::COLUMN.ends_at.lte(until))
            .select_only()
            .column(instances::Column::Id)
            .limit(listed.saturating_add(MOST_COUNTED))
            .count(db.read())
            .await?;
        Ok(Self {
            not_listed: within.saturating_sub(near),
            expiries,
            key_groups: key_groups(db).await?,
            sessions: sessions::count_live(db, now).await?,
            waiting: notices::count_waiting(db, MOST_COUNTED).await?,
        })
    }
}

/// Instances that are in use and have an end, of every subscription.
fn ending(now: DateTime<Utc>) -> Select<instances::Entity> {
    instances::Entity::find()
        .filter(instances::COLUMN.is_off.eq(false))
        .filter(instances::COLUMN.ends_at.gte(millis(now - BEHIND)))
        .filter(instances::COLUMN.ends_at.lt(NEVER))
        .filter(instances::COLUMN.revoked_at.is_null())
}

async fn expiries(db: &Db, limit: u64, now: DateTime<Utc>) -> Result<Vec<Expiry>> {
    use instances::{COLUMN, Column};
    let ends = async |side: Select<instances::Entity>, order: Order, limit: u64| {
        side.select_only()
            .columns([Column::KeyGroupId, Column::Label, Column::EndsAt])
            .order_by(Column::EndsAt, order.clone())
            .order_by(Column::Id, order)
            .limit(limit)
            .into_tuple::<(Uuid, i32, i64)>()
            .all(db.read())
            .await
    };
    // What ended must not crowd out what will.
    let ahead = ending(now).filter(COLUMN.ends_at.gt(millis(now)));
    let ahead = ends(ahead, Order::Asc, limit).await?;
    let behind = ending(now).filter(COLUMN.ends_at.lte(millis(now)));
    let mut rows = ends(behind, Order::Desc, limit - ahead.len() as u64).await?;
    rows.reverse();
    rows.extend(ahead);
    let names = names(db, &rows).await?;
    let expiry = |(group, label, ends_at): (Uuid, i32, i64)| {
        // One that was deleted a moment ago has no name.
        let (subscription, key_group) = names.get(&group)?.clone();
        Some(Expiry { subscription, key_group, key_instance: label_name(label), ends_at })
    };
    Ok(rows.into_iter().filter_map(expiry).collect())
}

/// Slugs of subscriptions and names, by group.
async fn names(db: &Db, rows: &[(Uuid, i32, i64)]) -> Result<HashMap<Uuid, (String, String)>> {
    let mut ids: Vec<Uuid> = rows.iter().map(|it| it.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let found: Vec<(Uuid, Uuid, String)> = groups::Entity::find()
        .select_only()
        .columns([groups::Column::Id, groups::Column::SubscriptionId, groups::Column::Name])
        .filter(groups::COLUMN.id.is_in(ids))
        .into_tuple()
        .all(db.read())
        .await?;
    let of: Vec<Uuid> = found.iter().map(|it| it.1).collect();
    let slugs: Vec<(Uuid, String)> = subscriptions::Entity::find()
        .select_only()
        .columns([subscriptions::Column::Id, subscriptions::Column::Slug])
        .filter(subscriptions::COLUMN.id.is_in(of))
        .into_tuple()
        .all(db.read())
        .await?;
    let slugs: HashMap<Uuid, String> = slugs.into_iter().collect();
    let named = |(id, of, name)| Some((id, (slugs.get(&of)?.clone(), name)));
    Ok(found.into_iter().filter_map(named).collect())
}

/// From the sums that each subscription keeps.
async fn key_groups(db: &Db) -> Result<[(&'static str, i64); 5]> {
    let states = [
        ("all", subscriptions::Column::GroupCount),
        ("expires_soon", subscriptions::Column::WarningGroups),
        ("no_successor", subscriptions::Column::NoSuccessorGroups),
        ("nothing_active", subscriptions::Column::NothingActiveGroups),
        ("needs_attention", subscriptions::Column::AttentionGroups),
    ];
    let query = states.iter().fold(subscriptions::Entity::find().select_only(), |it, state| {
        it.column_as(state.1.sum(), state.0)
    });
    type Sum = Option<i64>;
    let sums: Option<(Sum, Sum, Sum, Sum, Sum)> = query.into_tuple().one(db.read()).await?;
    let (all, soon, alone, nothing, attention) = sums.unwrap_or_default();
    let sums = [all, soon, alone, nothing, attention];
    Ok(std::array::from_fn(|n| (states[n].0, sums[n].unwrap_or_default())))
}
