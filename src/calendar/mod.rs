//! Calendar feeds: the ends of keys in the calendars of people. A feed has a secret address, which is
//! shown once and stored as a digest; whoever knows it reads names, notes and dates, and no secret.
pub(crate) mod entity;
mod event;
mod ical;
pub mod pages;
pub mod serve;
mod store;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::entity::Model as CalendarFeed;
use crate::{
    clock::{instant, millis, new_id},
    domain::Refusal,
    error::{Error, Result},
    http::App,
    key_groups::{self, KeyGroup},
    key_instances::KeyInstance,
    pepper::{random_token, token_digest},
    subscriptions::{Act, Subscription},
};

/// Events of one feed.
const MOST_EVENTS: u64 = 5_000;

/// Feeds of one subscription: its page lists them all.
const MOST_FEEDS: usize = 100;

/// Tells what it is wherever somebody finds it.
const PREFIX: &str = "kwf_";

/// A feed that was just made, with the only copy of its address.
pub struct Made {
    pub feed: CalendarFeed,
    pub url: String,
}

/// A feed of a group, or of the whole subscription. Where there is one, it gets another address: the
/// old one is dead at once. `replaces` is the one that the form showed, so that nobody ends an address
/// without knowing of it.
pub async fn make(act: &Act<'_>, group: Option<Uuid>, replaces: Option<Uuid>) -> Result<Made> {
    let tx = act.begin().await?;
    let name = match group {
        Some(group) => key_groups::store::find(&tx, act.scope, group).await?.name,
        None => act.scope.subscription().name.clone(),
    };
    let old = store::find_of(&tx, act.scope, group).await?;
    if old.as_ref().map(|it| it.id) != replaces {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    match &old {
        Some(old) => store::delete(&tx, old.id).await?,
        None if store::count(&tx, act.scope).await? >= MOST_FEEDS as u64 => {
            return Err(Refusal::TooMany { most: MOST_FEEDS, what: "calendar feeds" }.into());
        }
        None => {}
    }
    let token = format!("{PREFIX}{}", random_token());
    let row = entity::ActiveModel {
        id: Set(new_id(act.now)),
        subscription_id: Set(act.scope.id()),
        key_group_id: Set(group),
        digest: Set(token_digest(&token)),
        created_at: Set(millis(act.now)),
        created_by: Set(act.actor.user_id.ok_or(Error::Unauthenticated)?),
    };
    let feed = store::insert(&tx, row).await?;
    let action = if old.is_some() { "calendar_feed.reset" } else { "calendar_feed.made" };
    let event = act
        .event(action)
        .on("calendar_feed", feed.id, name)
        .change(old.map_or(Value::Null, |it| described(&it)), described(&feed));
    act.finish(tx, event).await?;
    Ok(Made { feed, url: act.app.site.url(&format!("/calendar/{token}.ics")) })
}

/// Its address is dead from now on.
pub async fn remove(act: &Act<'_>, id: Uuid) -> Result<CalendarFeed> {
    let tx = act.begin().await?;
    let feed = store::find(&tx, act.scope, id).await?;
    let name = match feed.key_group_id {
        Some(group) => key_groups::store::find(&tx, act.scope, group).await?.name,
        None => act.scope.subscription().name.clone(),
    };
    store::delete(&tx, feed.id).await?;
    let event = act
        .event("calendar_feed.removed")
        .on("calendar_feed", feed.id, name)
        .change(described(&feed), Value::Null);
    act.finish(tx, event).await?;
    Ok(feed)
}

/// Nothing by which its address could be found.
fn described(it: &CalendarFeed) -> Value {
    json!({ "of": if it.key_group_id.is_some() { "key group" } else { "subscription" } })
}

/// The feeds of the subscription with their groups: that of the whole first, then by name.
pub async fn list(act: &Act<'_>) -> Result<Vec<(CalendarFeed, Option<KeyGroup>)>> {
    let feeds = store::list(&act.app.db, act.scope, MOST_FEEDS as u64).await?;
    let ids: Vec<Uuid> = feeds.iter().filter_map(|it| it.key_group_id).collect();
    let mut groups = store::groups(&act.app.db, &ids).await?;
    let mut all: Vec<_> = feeds
        .into_iter()
        .map(|it| {
            let group = it.key_group_id.and_then(|it| groups.remove(&it));
            (it, group)
        })
        .collect();
    all.sort_by_cached_key(|it| it.1.as_ref().map(|it| it.name_folded.clone()));
    Ok(all)
}

pub async fn find(act: &Act<'_>, id: Uuid) -> Result<CalendarFeed> {
    store::find(act.app.db.read(), act.scope, id).await
}

/// The feed of a group, or of the whole subscription, if there is one.
pub async fn find_of(act: &Act<'_>, group: Option<Uuid>) -> Result<Option<CalendarFeed>> {
    store::find_of(act.app.db.read(), act.scope, group).await
}

/// What is served at a secret address: an iCalendar object. An address that never was, one that was
/// reset and one of a suspended subscription are the same.
pub async fn read(app: &App, token: &str, now: DateTime<Utc>) -> Result<String> {
    read_at_most(app, token, MOST_EVENTS, now).await
}

/// The same with another limit, for tests.
pub async fn read_at_most(app: &App, token: &str, most: u64, now: DateTime<Utc>) -> Result<String> {
    let (feed, subscription) = store::by_digest(&app.db, token_digest(token)).await?;
    if subscription.is_suspended() {
        return Err(Error::NotFound);
    }
    let mut instances = store::ends(&app.db, &feed, most, now).await?;
    instances.sort_by_key(|it| (it.planned_end, it.id));
    let mut ids: HashSet<Uuid> = instances.iter().map(|it| it.key_group_id).collect();
    ids.extend(feed.key_group_id);
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let groups = store::groups(&app.db, &ids).await?;
    let covered = store::covered(&app.db, &ids, now).await?;
    let name = match feed.key_group_id {
        // It was deleted a moment ago, and its feed with it.
        Some(group) => &groups.get(&group).ok_or(Error::NotFound)?.name,
        None => &subscription.name,
    };
    let mut lines = event::begin(&format!("Keys of {name}"));
    for it in &instances {
        if let Some(end) = end_of(app, it, &subscription, (&groups, &covered)) {
            end.write(&mut lines, now);
        }
    }
    Ok(event::end(lines))
}

fn end_of<'a>(
    app: &App,
    it: &'a KeyInstance,
    subscription: &'a Subscription,
    (groups, covered): (&'a HashMap<Uuid, KeyGroup>, &HashMap<Uuid, i64>),
) -> Option<event::End<'a>> {
    let (group, end) = (groups.get(&it.key_group_id)?, it.planned_end?);
    let path = format!("/s/{}/groups/{}/keys/{}", subscription.slug, group.id, it.id);
    Some(event::End {
        instance: it,
        group,
        subscription: &subscription.name,
        at: instant(end),
        has_active_successor: covered.get(&group.id).is_some_and(|it| *it > end),
        url: app.site.url(&path),
    })
}
