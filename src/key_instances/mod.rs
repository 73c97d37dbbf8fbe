//! What can be done with key instances. Faces call these and nothing below. Each verb is one
//! transaction: load, ask `domain`, save, refresh the group's summary, record in the audit log.
pub(crate) mod entity;
pub(crate) mod exposures;
pub mod pages;
pub(crate) mod store;
mod whole_key;

use std::collections::HashMap;

use rand::{TryRng, rngs::SysRng};
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use self::exposures::count_known;
pub use self::{
    entity::Model as KeyInstance,
    exposures::{Exposure, How, expose, how_many_known, known, of_instance as exposures_of},
    store::{Filter, Listing, Show, Used},
    whole_key::{is_key, search_by_key},
};
use crate::{
    access,
    audit::Event,
    clock::{instant, iso, millis, new_id},
    db::Tx,
    domain::{
        ActivePeriod, Facts, Refusal, SecretText, coverage, custom_key,
        lifecycle::{self, Overlap},
        secret::Kind,
        text,
    },
    error::{Error, FieldError, Result},
    key_groups::{self, KeyGroup, summary},
    submissions,
    subscriptions::{self, Act},
};

/// Where the text of a new key comes from.
pub enum Source {
    Generate,
    /// A custom key (document 004), as typed.
    Own(SecretText),
}

/// A key to be made.
pub struct NewKey {
    pub source: Source,
    pub period: ActivePeriod,
    pub note: String,
}

impl NewKey {
    /// What can be said without its group.
    pub(crate) fn check(&self, act: &Act<'_>) -> Result<()> {
        let mut errors = Vec::new();
        if let Err(message) = text::line(&self.note, 200) {
            errors.push(FieldError::new("note", message));
        }
        if self.period.has_ended(act.now) {
            errors.push(FieldError::new("until", Refusal::EndInThePast.to_string()));
        } else if let Err(refusal) = act.scope.subscription().period_rules().check(&self.period) {
            errors.push(FieldError::new("until", refusal.to_string()));
        }
        if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
    }
}

/// A key that was just made, with the only copy of its secret.
pub struct Issued {
    pub instance: KeyInstance,
    pub secret: SecretText,
}

/// The page that shows the secret of a new instance once.
pub(crate) fn secret_path(act: &Act<'_>, group: Uuid, id: Uuid) -> String {
    act.scope.path(&format!("/groups/{group}/keys/{id}/secret"))
}

/// A further key of a group.
pub async fn create(act: &Act<'_>, group: Uuid, new: NewKey, submission: &str) -> Result<Issued> {
    new.check(act)?;
    let (tx, group, id) = begin_issue(act, group, submission).await?;
    let (issued, event) = insert(act, &tx, &group, new, id).await?;
    summary::refresh(&tx, act.scope.id(), &[group.id], act.now).await?;
    act.finish(tx, event).await?;
    Ok(issued)
}

/// The new key starts with its own period, the old one goes on for the overlap.
pub async fn rotate(
    act: &Act<'_>,
    old: (Uuid, Uuid),
    new: NewKey,
    overlap: Overlap,
    submission: &str,
) -> Result<Issued> {
    new.check(act)?;
    let (tx, group, id) = begin_issue(act, old.0, submission).await?;
    let old = store::find(&*tx, act.scope, old).await?;
    let facts = lifecycle::rotate_out(&old.facts(), overlap, act.now)?;
    let (issued, made) = insert(act, &tx, &group, new, id).await?;
    act.record(&tx, made).await?;
    let event = save(act, &tx, &old, &facts, "key_instance.rotated").await?;
    summary::refresh(&tx, act.scope.id(), &[group.id], act.now).await?;
    act.finish(tx, event).await?;
    Ok(issued)
}

/// A key that nobody saved and nobody used gives way to a new one with the same period.
pub async fn replace(act: &Act<'_>, old: (Uuid, Uuid), submission: &str) -> Result<Issued> {
    let (tx, group, id) = begin_issue(act, old.0, submission).await?;
    let old = store::find(&*tx, act.scope, old).await?;
    if !old.is_replaceable(act.now) {
        return Err(Refusal::NotReplaceable.into());
    }
    let period = old.facts().period;
    let new = NewKey { source: Source::Generate, period, note: old.note.clone() };
    let (issued, made) = insert(act, &tx, &group, new, id).await?;
    act.record(&tx, made).await?;
    let facts = lifecycle::revoke(&old.facts(), act.now)?;
    let event = save(act, &tx, &old, &facts, "key_instance.replaced").await?;
    summary::refresh(&tx, act.scope.id(), &[group.id], act.now).await?;
    act.finish(tx, event).await?;
    Ok(issued)
}

async fn begin_issue(act: &Act<'_>, group: Uuid, submission: &str) -> Result<(Tx, KeyGroup, Uuid)> {
    let id = new_id(act.now);
    let tx = act.begin().await?;
    let location = secret_path(act, group, id);
    submissions::claim(act, &tx, submission, location).await?;
    let group = key_groups::touch(act, &tx, group).await?;
    access::demand_policy(act, &tx, group.id).await?;
    Ok((tx, group, id))
}

/// Stores a new instance; the caller records the event and refreshes the summary.
pub(crate) async fn insert(
    act: &Act<'_>,
    tx: &Tx,
    group: &KeyGroup,
    new: NewKey,
    id: Uuid,
) -> Result<(Issued, Event)> {
    subscriptions::rules(tx, act.scope).await?.check(&new.period).map_err(at_until)?;
    let (secret, custom) = match new.source {
        Source::Generate => {
            let fill = |it: &mut [u8]| SysRng.try_fill_bytes(it);
            let made = SecretText::generate(Kind::KeyInstance, fill);
            (made.map_err(anyhow::Error::from)?, false)
        }
        Source::Own(secret) => {
            let faults = custom_key::faults(secret.expose(), &group.name);
            if !faults.is_empty() {
                return Err(Error::field("key", faults.join(" ")));
            }
            (secret, true)
        }
    };
    let peppers = &act.app.peppers;
    if custom {
        // Also under an older pepper, which the unique index cannot know.
        let known = peppers.custom_candidates(act.scope.id(), secret.expose());
        let known = known.iter().map(|it| it.to_vec()).collect();
        if store::by_digest(&**tx, act.scope, known).await?.is_some() {
            return Err(Error::field("key", Refusal::DuplicateKey.to_string()));
        }
    }
    let (digest, pepper_version) = if custom {
        peppers.custom_digest(act.scope.id(), secret.expose())
    } else {
        peppers.digest(secret.expose())
    };
    let note = text::line(&new.note, 200).map_err(|it| Error::field("note", it))?;
    let mut row = entity::ActiveModel {
        id: Set(id),
        subscription_id: Set(act.scope.id()),
        key_group_id: Set(group.id),
        label: Set(key_groups::store::next_label(tx, act.scope, group.id).await?),
        note_folded: Set(note.to_lowercase()),
        note: Set(note),
        digest: Set(digest.to_vec()),
        pepper_version: Set(pepper_version),
        custom: Set(custom),
        mask: Set(secret.mask()),
        created_by: Set(act.actor.user_id.ok_or(Error::Unauthenticated)?),
        ..entity::ActiveModel::unused(millis(act.now))
    };
    row.set_facts(&Facts::new(new.period));
    let instance = store::insert(tx, row).await?;
    exposures::note(act, tx, id, How::Made).await?;
    let event = act
        .event("key_instance.created")
        .on("key_instance", id, full_name(group, &instance))
        .change(Value::Null, described(&instance));
    Ok((Issued { instance, secret }, event))
}

/// A new active period for an instance that has not ended.
pub async fn change_period(
    act: &Act<'_>,
    id: (Uuid, Uuid),
    period: ActivePeriod,
) -> Result<KeyInstance> {
    let change = |it: &Facts| lifecycle::change_period(it, period, act.now);
    transition(act, id, "key_instance.period_changed", change).await
}

/// Out of use until it is reactivated.
pub async fn deactivate(act: &Act<'_>, id: (Uuid, Uuid)) -> Result<KeyInstance> {
    let change = |it: &Facts| lifecycle::deactivate(it, act.now);
    transition(act, id, "key_instance.deactivated", change).await
}

/// Back into use with a new period.
pub async fn reactivate(
    act: &Act<'_>,
    id: (Uuid, Uuid),
    period: ActivePeriod,
) -> Result<KeyInstance> {
    let change = |it: &Facts| lifecycle::reactivate(it, period, act.now);
    transition(act, id, "key_instance.reactivated", change).await
}

/// Out of use for good.
pub async fn revoke(act: &Act<'_>, id: (Uuid, Uuid)) -> Result<KeyInstance> {
    let change = |it: &Facts| lifecycle::revoke(it, act.now);
    transition(act, id, "key_instance.revoked", change).await
}

fn at_until(refusal: Refusal) -> Error {
    Error::field("until", refusal.to_string())
}

async fn transition(
    act: &Act<'_>,
    (group, id): (Uuid, Uuid),
    action: &'static str,
    change: impl Fn(&Facts) -> std::result::Result<Facts, Refusal>,
) -> Result<KeyInstance> {
    let tx = act.begin().await?;
    key_groups::touch(act, &tx, group).await?;
    let instance = store::find(&*tx, act.scope, (group, id)).await?;
    let facts = change(&instance.facts())?;
    // What comes back to life needs what a new key needs.
    let before = instance.facts();
    if facts.is_live() && (!before.is_live() || before.period.has_ended(act.now)) {
        access::demand_policy(act, &tx, group).await?;
    }
    // What only gets shorter is allowed, also where the longest lifetime was lowered since.
    if facts.period.reaches_beyond(&instance.facts().period) {
        subscriptions::rules(&tx, act.scope).await?.check(&facts.period).map_err(at_until)?;
    }
    let event = save(act, &tx, &instance, &facts, action).await?;
    summary::refresh(&tx, act.scope.id(), &[group], act.now).await?;
    act.finish(tx, event).await?;
    store::find(act.app.db.read(), act.scope, (group, id)).await
}

async fn save(
    act: &Act<'_>,
    tx: &Tx,
    instance: &KeyInstance,
    facts: &Facts,
    action: &'static str,
) -> Result<Event> {
    let mut row = entity::ActiveModel { id: Set(instance.id), ..Default::default() };
    row.set_facts(facts);
    let after = store::update(tx, row).await?;
    let group = key_groups::store::find(&**tx, act.scope, instance.key_group_id).await?;
    Ok(act
        .event(action)
        .on("key_instance", instance.id, full_name(&group, instance))
        .change(described(instance), described(&after)))
}

/// Its creator has it: from now on its page shows nothing any more. `by` says how.
pub async fn acknowledge(act: &Act<'_>, id: (Uuid, Uuid), by: &str) -> Result<KeyInstance> {
    const WAYS: [&str; 5] = ["clipboard", "selection", "manual", "download", "box"];
    let by = WAYS.into_iter().find(|it| *it == by);
    let by = by.ok_or(Error::Malformed("Say how the key was stored: copy it or tick the box."))?;
    let tx = act.begin().await?;
    let instance = store::find(&*tx, act.scope, id).await?;
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
    let group = key_groups::store::find(&*tx, act.scope, id.0).await?;
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

pub async fn list(act: &Act<'_>, filter: &Filter, limit: u64) -> Result<Listing> {
    store::list(act, filter, limit).await
}

/// The instances of a group that are or will be accepted, the earliest end first.
pub async fn ahead(act: &Act<'_>, group: Uuid) -> Result<Vec<KeyInstance>> {
    store::ahead(act, group).await
}

/// Instances of several groups: those ahead, and where nothing is active the one that refused last.
pub async fn of_groups(act: &Act<'_>, groups: &[KeyGroup]) -> Result<Vec<KeyInstance>> {
    store::of_groups(act, groups).await
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
    for (group, label) in store::labels(&**tx, groups, 10_000).await? {
        names.entry(group).or_default().push(format!("k-{label}"));
    }
    Ok(names)
}

/// The one of `others` that takes over when `ending` ends.
pub fn successor<'a>(ending: &KeyInstance, others: &'a [KeyInstance]) -> Option<&'a KeyInstance> {
    coverage::successor(&ending.facts(), others, KeyInstance::facts).filter(|it| it.id != ending.id)
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
