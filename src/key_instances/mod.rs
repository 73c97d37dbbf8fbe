//! What can be done with key instances. Faces call these and nothing below. Each verb is one
//! transaction: load, ask `domain`, save, refresh the group's summary, record in the audit log.
pub mod bulk;
mod clients;
pub(crate) mod entity;
pub(crate) mod exposures;
mod issuing;
mod listing;
pub mod outlook;
pub mod pages;
pub(crate) mod store;
mod whole_key;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures_util::future::try_join3;
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::{
    clients::{regenerate, revoke_all, set_expiry},
    entity::Model as KeyInstance,
    exposures::{Exposure, How, expose, how_many_known, known, of_instance as exposures_of},
    issuing::{Issued, NewKey, Source, create, replace, rotate},
    listing::{Filter, Listing, Show, Sort, SortBy, Used},
    whole_key::{is_key, search_by_key},
};
pub(crate) use self::{exposures::count_known, issuing::insert};
use crate::{
    access,
    audit::Event,
    clock::{instant, iso, millis},
    db::Tx,
    domain::{
        ActivePeriod, Facts, GroupKind, Refusal, coverage, label_name, lifecycle, secret::saved_by,
        text,
    },
    error::{Error, Result},
    key_groups::{
        self, KeyGroup,
        summary::{self, Parts},
    },
    subscriptions::Act,
};

/// The page that shows the secret of a new instance once.
pub(crate) fn secret_path(act: &Act<'_>, group: Uuid, id: Uuid) -> String {
    act.scope.path(&format!("/groups/{group}/keys/{id}/secret"))
}

/// An instance that is to be changed, by its group and its id.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    group: Uuid,
    id: Uuid,
    /// Only if it has not changed since: who decides about a thing has seen it.
    revision: Option<i32>,
    /// Why it is taken out of use, for the audit log: a line, perhaps empty.
    reason: &'a str,
    /// Its note from then on, if that changes as well.
    note: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub fn because(self, reason: &'a str) -> Self {
        Self { reason, ..self }
    }

    pub fn noting(self, note: Option<&'a str>) -> Self {
        Self { note, ..self }
    }
}

impl From<(Uuid, Uuid)> for Target<'_> {
    /// Whatever it is by then.
    fn from((group, id): (Uuid, Uuid)) -> Self {
        Self { group, id, revision: None, reason: "", note: None }
    }
}

impl KeyInstance {
    pub fn as_seen(&self) -> Target<'static> {
        let revision = Some(self.revision);
        Target { group: self.key_group_id, id: self.id, revision, reason: "", note: None }
    }
}

/// A new active period for an instance that has not ended.
pub async fn change_period(
    act: &Act<'_>,
    id: impl Into<Target<'_>>,
    period: ActivePeriod,
) -> Result<KeyInstance> {
    let change = |kind, it: &Facts| lifecycle::change_period(kind, it, period, act.now);
    transition(act, id.into(), "key_instance.period_changed", change).await
}

/// Another note, whatever has become of the key.
pub async fn set_note(act: &Act<'_>, id: impl Into<Target<'_>>, note: &str) -> Result<KeyInstance> {
    let target = id.into().noting(Some(note));
    transition(act, target, "key_instance.note_changed", |_, it: &Facts| Ok(*it)).await
}

/// Out of use until it is reactivated.
pub async fn deactivate(act: &Act<'_>, id: impl Into<Target<'_>>) -> Result<KeyInstance> {
    let change = |kind, it: &Facts| lifecycle::deactivate(kind, it, act.now);
    transition(act, id.into(), "key_instance.deactivated", change).await
}

/// Back into use with a new period.
pub async fn reactivate(
    act: &Act<'_>,
    id: impl Into<Target<'_>>,
    period: ActivePeriod,
) -> Result<KeyInstance> {
    let change = |kind, it: &Facts| lifecycle::reactivate(kind, it, period, act.now);
    transition(act, id.into(), "key_instance.reactivated", change).await
}

/// Out of use for good.
pub async fn revoke(act: &Act<'_>, id: impl Into<Target<'_>>) -> Result<KeyInstance> {
    let change = |_, it: &Facts| lifecycle::revoke(it, act.now);
    transition(act, id.into(), "key_instance.revoked", change).await
}

fn at_until(refusal: Refusal) -> Error {
    Error::refused_at("until", refusal)
}

async fn transition(
    act: &Act<'_>,
    Target { group, id, revision, reason, note }: Target<'_>,
    action: &'static str,
    change: impl Fn(GroupKind, &Facts) -> std::result::Result<Facts, Refusal>,
) -> Result<KeyInstance> {
    let reason = text::line(reason, 200).map_err(|it| Error::field("reason", it))?;
    let note = note.map(|it| text::line(it, 200)).transpose();
    let note = note.map_err(|it| Error::field("note", it))?;
    let (tx, subscription, (group, instance, mut parts)) = act
        .begin_asking(async |db| {
            let instance = store::find_to_change(db, act.scope, (group, id));
            let parts = Parts::of(act, db, group);
            try_join3(key_groups::touch(act, db, group), instance, parts).await
        })
        .await?;
    if revision.is_some_and(|it| it != instance.revision) {
        return Err(Refusal::KeyChanged.into());
    }
    let before = instance.facts();
    let facts = change(group.kind(), &before)?;
    if facts == before && note.as_ref() == Some(&instance.note) {
        return Ok(instance); // nothing to write
    }
    // What comes back to life needs what a new key needs.
    if facts.is_live() && (!before.is_live() || before.period.has_ended(act.now)) {
        access::demand_policy(act, &tx, &subscription, group.id).await?;
    }
    // What only gets shorter is allowed, also where the longest lifetime was lowered since.
    if facts.period.reaches_beyond(&before.period) {
        subscription.period_rules().check(&facts.period).map_err(at_until)?;
        // While it waited for its turn, by a clock that is behind, another one can have taken the place.
        issuing::admit(act, &tx, &group, instance.id).await?;
    }
    let change = (&instance, &facts);
    let (after, mut event) = save_noting(act, &tx, &group, change, (action, note))?;
    if !reason.is_empty() {
        event.after["reason"] = reason.into();
    }
    parts.remove(&instance, act.now);
    parts.add(&after, act.now);
    summary::refresh_of(&tx, &group, parts, act.now)?;
    act.finish(tx, event).await?;
    Ok(after)
}

/// Stores other facts of an instance of this group.
fn save(
    act: &Act<'_>,
    tx: &Tx,
    group: &KeyGroup,
    change: (&KeyInstance, &Facts),
    action: &'static str,
) -> Result<(KeyInstance, Event)> {
    save_noting(act, tx, group, change, (action, None))
}

/// And another note, if there is one.
fn save_noting(
    act: &Act<'_>,
    tx: &Tx,
    group: &KeyGroup,
    (instance, facts): (&KeyInstance, &Facts),
    (action, note): (&'static str, Option<String>),
) -> Result<(KeyInstance, Event)> {
    let mut row = instance.with_facts(facts, act.now);
    if let Some(note) = note.filter(|it| *it != instance.note) {
        row.set_note(note, instance, act.now);
    }
    let after = store::change(tx, row)?;
    let event = act
        .event(action)
        .on("key_instance", instance.id, full_name(group, instance))
        .change(described(instance), described(&after));
    Ok((after, event))
}

/// Its creator has it: from now on its page shows nothing any more. `by` says how.
pub async fn acknowledge(act: &Act<'_>, id: (Uuid, Uuid), by: &str) -> Result<KeyInstance> {
    let by = saved_by(by)
        .ok_or(Error::Malformed("Say how the key was stored: copy it or tick the box."))?;
    let tx = act.begin().await?;
    let instance = store::find(&tx, act.scope, id).await?;
    // Only who was shown it can have it.
    let is_creator = act.actor.user_id == Some(instance.created_by);
    if instance.saved_at.is_some() || !is_creator {
        return Err(Error::Gone("This key is no longer shown."));
    }
    let row = entity::ActiveModel {
        id: Set(instance.id),
        saved_at: Set(Some(millis(act.now))),
        saved_by: Set(Some(by.to_owned())),
        ..Default::default()
    };
    let instance = store::update(&tx, row).await?;
    // A ticked box tells nothing new; a download was noted when it was made.
    if let Some(how) = How::parse(by) {
        exposures::note(act, &tx, instance.id, how).await?;
    }
    let group = key_groups::store::find(&tx, act.scope, id.0).await?;
    let event = act
        .event("key_instance.saved")
        .on("key_instance", instance.id, full_name(&group, &instance))
        .change(Value::Null, json!({ "saved_by": by }));
    act.finish(tx, event).await?;
    Ok(instance)
}

pub async fn find(act: &Act<'_>, id: (Uuid, Uuid)) -> Result<KeyInstance> {
    store::find(act.app.db.read(), act.scope, id).await
}

/// Those of `ids` that are in the subscription.
pub async fn find_all(act: &Act<'_>, ids: &[Uuid]) -> Result<Vec<KeyInstance>> {
    match ids {
        [] => Ok(Vec::new()),
        ids => store::find_all(act.app.db.read(), act.scope, ids).await,
    }
}

/// The same by its id alone.
pub async fn find_anywhere(act: &Act<'_>, id: Uuid) -> Result<KeyInstance> {
    let found = store::find_all(act.app.db.read(), act.scope, &[id]).await?;
    found.into_iter().next().ok_or(Error::NotFound)
}

pub async fn list(act: &Act<'_>, filter: &Filter, limit: u64) -> Result<Listing> {
    listing::list(act, filter, limit).await
}

/// The instances of a group that are or will be accepted, the earliest end first.
pub async fn ahead(act: &Act<'_>, group: Uuid) -> Result<Vec<KeyInstance>> {
    store::ahead(act, group).await
}

/// Instances of several groups: those that have not ended before `since`, and where nothing is active
/// the one that refused last.
pub async fn of_groups(
    act: &Act<'_>,
    groups: &[KeyGroup],
    since: DateTime<Utc>,
) -> Result<Vec<KeyInstance>> {
    store::of_groups(act, groups, since).await
}

/// Instances whose secret nobody confirmed to have saved.
pub async fn unsaved(act: &Act<'_>, limit: u64) -> Result<Vec<KeyInstance>> {
    store::unsaved(act, limit).await
}

/// The instances of a group that were used last, for the preview of its deletion.
pub async fn of_group(act: &Act<'_>, group: Uuid, limit: u64) -> Result<Vec<KeyInstance>> {
    store::of_group(act.app.db.read(), act.scope, group, limit).await
}

/// The instance of a group whose call was refused last.
pub async fn refused_last(act: &Act<'_>, group: Uuid) -> Result<Option<KeyInstance>> {
    store::refused_last(act, group).await
}

/// Instances of groups that are about to be deleted, group by group, the last used first.
pub async fn of_dying(act: &Act<'_>, groups: &[KeyGroup], limit: u64) -> Result<Vec<KeyInstance>> {
    store::of_dying(act.app.db.read(), groups, limit).await
}

/// Names of the instances of these groups, for the audit rows of their deletion: at most 10,000.
pub(crate) async fn labels(tx: &Tx, groups: &[KeyGroup]) -> Result<HashMap<Uuid, Vec<String>>> {
    let mut names: HashMap<Uuid, Vec<String>> = HashMap::new();
    for (group, label) in store::labels(tx, groups, 10_000).await? {
        names.entry(group).or_default().push(label_name(label));
    }
    Ok(names)
}

/// The one of `others` that takes over when `ending` ends: a newer one, whatever else is there and ends later, because
/// that is where a rotation goes; else any.
pub fn successor<'a>(
    ending: &KeyInstance,
    others: impl IntoIterator<Item = &'a KeyInstance>,
) -> Option<&'a KeyInstance> {
    let others = others.into_iter().filter(|it| it.id != ending.id);
    let (newer, older): (Vec<_>, Vec<_>) = others.partition(|it| it.label > ending.label);
    let next = |among: &[&'a KeyInstance]| {
        coverage::successor(&ending.facts(), among, |it| it.facts()).copied()
    };
    next(&newer).or_else(|| next(&older))
}

fn full_name(group: &KeyGroup, instance: &KeyInstance) -> String {
    format!("{} / {}", group.name, instance.name())
}

/// The facts of an instance, for the audit log.
fn described(it: &KeyInstance) -> Value {
    let time = |at: Option<i64>| at.map(|it| iso(instant(it)));
    json!({
        "key": it.mask,
        "note": it.note,
        "from": iso(instant(it.active_from)),
        "until": time(it.active_until),
        "deactivated_at": time(it.deactivated_at),
        "revoked_at": time(it.revoked_at),
    })
}
