//! Lists of instances: narrowed, in an order that an index gives, page by page.
use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use sea_orm::{
    ExprTrait, Order, QueryOrder, QuerySelect, Select, entity::prelude::*, sea_query::SimpleExpr,
};
use tokio::try_join;

use super::{
    entity::{COLUMN, Column, Entity, Model},
    exposures,
    store::{in_group, live, of},
};
use crate::{clock::millis, error::Result, key_groups::store::contains, subscriptions::Act};

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

/// By what a list is sorted where that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// When they were made: by their labels in a group. Only of a list that is narrowed neither by its tab nor
    /// by use, for which there is no index.
    Made,
    /// The effective end, never after all others.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub by: SortBy,
    pub descending: bool,
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
    /// Instead of the order that the tab and the filter by use have.
    pub sort: Option<Sort>,
    pub after: Option<(i64, Uuid)>,
}

pub struct Listing {
    pub instances: Vec<Model>,
    pub next: Option<(i64, Uuid)>,
}

/// The column and direction in which a filter's index gives its rows.
fn order(filter: &Filter) -> (Column, Order) {
    let made = if filter.group.is_some() { Column::Label } else { Column::Id };
    if let Some(Sort { by, descending }) = filter.sort {
        let column = if by == SortBy::End { Column::EndsAt } else { made };
        return (column, if descending { Order::Desc } else { Order::Asc });
    }
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
        _ => (made, Order::Desc),
    }
}

pub(super) async fn list(act: &Act<'_>, filter: &Filter, limit: u64) -> Result<Listing> {
    let (column, direction) = order(filter);
    let rows = async |query: Select<Entity>| {
        let mut query = query.order_by(column, direction.clone()).limit(limit + 1);
        if let Some((value, id)) = filter.after {
            query = query.filter(behind(column, &direction, value, id));
        }
        // Labels and ids are distinct by themselves.
        if !matches!(column, Column::Label | Column::Id) {
            query = query.order_by(Column::Id, direction.clone());
        }
        query.all(act.app.db.read()).await
    };
    let narrowed = narrowed(act, filter);
    let mut instances = if filter.show == Show::All && matches!(column, Column::EndsAt) {
        // The indexes by end have those that are off apart: both parts are in order.
        let part = |is_off| rows(narrowed.clone().filter(COLUMN.is_off.eq(is_off)));
        let (mut both, off) = try_join!(part(false), part(true))?;
        both.extend(off);
        match direction {
            Order::Desc => both.sort_unstable_by_key(|it| Reverse((it.ends_at, it.id))),
            _ => both.sort_unstable_by_key(|it| (it.ends_at, it.id)),
        }
        both.dedup_by_key(|it| it.id); // one that changed sides in between
        both
    } else {
        rows(narrowed).await?
    };
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
    // By its end it is sorted by an index that has this one as well: as a sum, so that none is read for it.
    let idle_since = match filter.sort {
        Some(Sort { by: SortBy::End, .. }) => Expr::col((Entity, Column::IdleSince)).add(0),
        _ => Expr::col((Entity, Column::IdleSince)),
    };
    query = match filter.used {
        Used::Any => query,
        // By when they were made, so that the index of the review is read in its order.
        Used::Never if filter.show == Show::Live => {
            query.filter(COLUMN.last_used_at.is_null()).filter(idle_since.lte(now))
        }
        Used::Never => query.filter(COLUMN.last_used_at.is_null()),
        Used::Within(days) => query
            .filter(idle_since.gte(now - days * 86_400_000))
            .filter(COLUMN.last_used_at.is_not_null()),
        Used::NotFor(days) => query.filter(idle_since.lt(now - days * 86_400_000)),
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

/// Behind `(value, id)` in the given direction, in a form that an index serves.
fn behind(column: Column, direction: &Order, value: i64, id: Uuid) -> SimpleExpr {
    let at = || Expr::col((Entity, column));
    let by_id = || Expr::col((Entity, Column::Id));
    match (column, direction) {
        (Column::Id, Order::Desc) => by_id().lt(id),
        (Column::Id, _) => by_id().gt(id),
        (_, Order::Desc) => at().lte(value).and(at().lt(value).or(by_id().lt(id))),
        _ => at().gte(value).and(at().gt(value).or(by_id().gt(id))),
    }
}
