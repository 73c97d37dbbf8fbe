//! Finds the ends that are to be told of, and writes down what is said to whom: all of a
//! subscription's in one transaction, under its lock. Sending comes later, from what stands there.
use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{mail, store, told::Notice};
use crate::{
    clock::{instant, millis, new_id},
    db::Tx,
    domain::{
        Facts,
        notice::{self, Threshold},
    },
    error::Result,
    http::App,
    key_instances::{self, KeyInstance},
    subscriptions,
};

/// Instances looked at in one batch, and batches before others get a turn: the lease has to be
/// renewed.
pub(super) const BATCH: u64 = 500;
pub(super) const BATCHES: usize = 40;
/// An end is told of up to so late: what ended before is old news.
pub(super) const LATEST: TimeDelta = TimeDelta::days(30);
/// A suspended subscription is looked at again after this: its admins can do nothing now.
pub(super) const SUSPENDED: TimeDelta = TimeDelta::hours(1);

/// Notices what is due, of a great deal a part. Gives how much was said.
pub(super) async fn run(app: &App, now: DateTime<Utc>) -> Result<usize> {
    for _ in 0..BATCHES {
        let woken = store::woken(&app.db, BATCH).await?;
        if woken.is_empty() {
            break;
        }
        for (subscription, groups) in by_subscription(woken) {
            let tx = app.db.write().await?;
            subscriptions::lock(&tx, subscription).await?;
            store::wake(&tx, &groups, now).await?;
            tx.commit().await?;
        }
    }
    let mut said = 0;
    for _ in 0..BATCHES {
        let due = store::due(&app.db, now, BATCH).await?;
        if due.is_empty() {
            break;
        }
        for (subscription, instances) in by_subscription(due) {
            said += of_subscription(app, subscription, &instances, now).await?;
        }
    }
    Ok(said)
}

pub(super) fn by_subscription(rows: Vec<(Uuid, Uuid)>) -> HashMap<Uuid, Vec<Uuid>> {
    let mut all: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for (subscription, id) in rows {
        all.entry(subscription).or_default().push(id);
    }
    all
}

async fn of_subscription(app: &App, id: Uuid, due: &[Uuid], now: DateTime<Utc>) -> Result<usize> {
    let tx = app.db.write().await?;
    let Some(subscription) = subscriptions::lock_row(&tx, id).await? else { return Ok(0) };
    if subscription.is_suspended() {
        let later: Vec<Uuid> =
            store::still_due(&tx, due, now).await?.iter().map(|it| it.id).collect();
        store::look_again(&tx, &later, Some(millis(now + SUSPENDED))).await?;
        tx.commit().await?;
        return Ok(0);
    }
    // As they are under the lock; another node may have been faster.
    let due = store::still_due(&tx, due, now).await?;
    let others = store::others(&tx, &due).await?;
    let mut said = Vec::new();
    let mut again: HashMap<Option<i64>, Vec<Uuid>> = HashMap::new();
    for it in &due {
        let siblings = others.get(&it.key_group_id).map(Vec::as_slice).unwrap_or_default();
        let siblings: Vec<&KeyInstance> =
            siblings.iter().filter(|other| other.id != it.id).collect();
        said.extend(word(it, &siblings, now));
        let next = notice::next(&it.facts().period, now).filter(|_| it.facts().is_live());
        again.entry(next.map(millis)).or_default().push(it.id);
    }
    for (at, ids) in again {
        store::look_again(&tx, &ids, at).await?;
    }
    let said = store::insert_new(&tx, said).await?.into_iter().map(Notice::Key);
    let said: Vec<Notice> = said.collect();
    if !said.is_empty() {
        store::note_last(&tx, id, now).await?;
        address(app, &tx, &subscription, &said, now).await?;
    }
    tx.commit().await?;
    for it in &said {
        app.metrics.noticed(it.threshold());
    }
    Ok(said.len())
}

/// A notice in the making: its group's name is read with the group.
pub(super) struct Word {
    pub(super) instance: KeyInstance,
    pub(super) threshold: Threshold,
    pub(super) successor: Option<(i32, i64)>,
    pub(super) at: i64,
    pub(super) id: Uuid,
}

fn word(it: &KeyInstance, siblings: &[&KeyInstance], now: DateTime<Utc>) -> Option<Word> {
    let facts = it.facts();
    let others: Vec<Facts> = siblings.iter().map(|it| it.facts()).collect();
    let threshold = notice::of(&facts, &others, now)?;
    if threshold == Threshold::End && instant(it.ends_at) < now - LATEST {
        return None;
    }
    let successor = key_instances::successor(it, siblings.iter().copied());
    let successor = successor.map(|it| (it.label, it.active_from));
    Some(Word { instance: it.clone(), threshold, successor, at: millis(now), id: new_id(now) })
}

/// Who is told: every webhook that is not paused; and by e-mail, where that is set up and wanted,
/// the admins and whom the group names as its contact.
pub(super) async fn address(
    app: &App,
    tx: &Tx,
    subscription: &subscriptions::Subscription,
    said: &[Notice],
    now: DateTime<Utc>,
) -> Result<()> {
    let webhooks = store::open_webhooks(tx, subscription.id).await?;
    let mut deliveries: Vec<store::ToSend> = Vec::new();
    for notice in said {
        let to = |it: &Uuid| store::ToSend::webhook(notice, *it);
        deliveries.extend(webhooks.iter().map(to));
    }
    if app.senders.mail.is_some() && subscription.mail_notices {
        let admins = store::admin_addresses(tx, subscription.id).await?;
        let groups: HashSet<Uuid> = said.iter().filter_map(Notice::group).collect();
        let contacts = store::contacts(tx, &groups).await?;
        for notice in said {
            let contact = notice.group().and_then(|it| contacts.get(&it));
            let contact = contact.and_then(|it| mail::address(it));
            let all: BTreeSet<String> =
                admins.iter().cloned().chain(contact).map(|it| it.to_lowercase()).collect();
            deliveries.extend(all.into_iter().map(|it| store::ToSend::mail(notice, it)));
        }
    }
    store::insert_deliveries(tx, deliveries, now).await
}
