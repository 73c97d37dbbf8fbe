//! What can be done with key groups: one application's keys. Faces call these and nothing below.
pub(crate) mod entity;
mod making;
pub mod pages;
pub(crate) mod store;
pub(crate) mod summary;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::{Set, Unchanged},
    ConnectionTrait,
};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use self::making::blank;
pub use self::{
    entity::Model as KeyGroup,
    making::{NewClient, clients_made_before, create, create_client, create_clients},
    store::{ClientFilter, Filter, Listing, MOST_COUNTED, Show, Sort, SortBy, UNUSED_AFTER},
    summary::Attention,
};
use crate::{
    clock::instant,
    db::{Db, Tx},
    domain::{Refusal, text},
    error::{Error, FieldError, Result},
    key_instances::{self, KeyInstance},
    subscriptions::Act,
    verify::usage,
};

/// What people call a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    pub name: String,
    pub description: String,
    /// Whom to tell about its keys.
    pub contact: String,
}

impl Description {
    pub fn of(it: &KeyGroup) -> Self {
        Self {
            name: it.name.clone(),
            description: it.description.clone(),
            contact: it.contact.clone(),
        }
    }

    /// Cleans the fields, or says what is wrong with each of them.
    pub fn checked(&self) -> Result<Self> {
        let mut errors = Vec::new();
        let mut field = |field, it: std::result::Result<String, String>| {
            it.unwrap_or_else(|message| {
                errors.push(FieldError::new(field, message));
                String::new()
            })
        };
        let name = field("name", text::name(&self.name));
        let description = field("description", text::line(&self.description, 500));
        let contact = field("contact", text::line(&self.contact, 200));
        let checked = Self { name, description, contact };
        if errors.is_empty() { Ok(checked) } else { Err(Error::Invalid(errors)) }
    }

    fn folded(&self) -> (String, String) {
        let name = self.name.to_lowercase();
        let search = format!("{name}\n{}", self.description.to_lowercase());
        (name, search)
    }

    fn json(&self) -> Value {
        json!({ "name": self.name, "description": self.description, "contact": self.contact })
    }
}

/// Its instances take the new name and description at once: they have none of their own. `seen` is
/// the version that was looked at, if that matters.
pub async fn edit(
    act: &Act<'_>,
    id: Uuid,
    wanted: &Description,
    seen: Option<i32>,
) -> Result<KeyGroup> {
    let wanted = wanted.checked()?;
    let tx = act.begin().await?;
    let group = touch(act, &tx, id).await?;
    if seen.is_some_and(|seen| seen + 1 != group.version) {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    let (name_folded, search_text) = wanted.folded();
    let before = Description::of(&group);
    let changed = entity::ActiveModel {
        id: Unchanged(id),
        name: Set(wanted.name.clone()),
        name_folded: Set(name_folded),
        description: Set(wanted.description.clone()),
        contact: Set(wanted.contact.clone()),
        search_text: Set(search_text),
        edits: Set(group.edits.saturating_add(i32::from(before != wanted))),
        ..Default::default()
    };
    store::update(&tx, changed).await?;
    let event = act
        .event("key_group.edited")
        .on("key_group", id, &wanted.name)
        .change(before.json(), wanted.json());
    act.finish(tx, event).await?;
    Ok(KeyGroup { name: wanted.name, ..group })
}

/// Deletes the group with its instances: services lose access at once (document 002). `version` is
/// the one whose preview was confirmed; if anything changed since, nothing is deleted.
pub async fn delete(act: &Act<'_>, id: Uuid, version: i32) -> Result<KeyGroup> {
    let tx = act.begin().await?;
    let group = store::find(&tx, act.scope, id).await?;
    if group.version != version {
        return Err(Refusal::GroupChanged.into());
    }
    delete_all(act, &tx, std::slice::from_ref(&group)).await?;
    tx.commit().await?;
    Ok(group)
}

/// Deletes groups of the subscription that were read in this transaction, with their instances.
pub(crate) async fn delete_all(act: &Act<'_>, tx: &Tx, groups: &[KeyGroup]) -> Result<()> {
    // Both databases limit the parameters of a statement.
    for groups in groups.chunks(500) {
        let ids: Vec<Uuid> = groups.iter().map(|it| it.id).collect();
        let mut instances = key_instances::labels(tx, groups).await?;
        store::delete(tx, act.scope, &ids).await?;
        // After the instances: in the order in which batches of usage lock them.
        usage::forget_groups(tx, &ids).await?;
        let mut sums = summary::Sums::default();
        groups.iter().for_each(|it| sums.subtract(it));
        sums.apply(tx, act.scope.id());
        let event = |it: &KeyGroup| {
            let instances = instances.remove(&it.id).unwrap_or_default();
            act.event("key_group.deleted")
                .on("key_group", it.id, &it.name)
                .change(json!({ "name": it.name, "instances": instances }), Value::Null)
        };
        act.record_all(tx, groups.iter().map(event).collect()).await?;
    }
    Ok(())
}

pub async fn find(act: &Act<'_>, id: Uuid) -> Result<KeyGroup> {
    store::find(act.app.db.read(), act.scope, id).await
}

/// The groups of these instances, for lists that span groups.
pub async fn of_instances(act: &Act<'_>, instances: &[KeyInstance]) -> Result<Vec<KeyGroup>> {
    let ids: HashSet<Uuid> = instances.iter().map(|it| it.key_group_id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let mut groups = Vec::with_capacity(ids.len());
    // Both databases limit the parameters of a statement.
    for ids in ids.chunks(1_000) {
        groups.extend(store::find_all(&act.app.db, act.scope, ids.to_vec()).await?);
    }
    Ok(groups)
}

/// One page of the list, true at `act.now` after [`bring_up_to_date`].
pub async fn list(act: &Act<'_>, filter: &Filter, limit: u64) -> Result<Listing> {
    store::list(act, filter, limit).await
}

/// Clients by their numbers, and how many there are, counted up to [`MOST_COUNTED`] and one.
pub async fn list_clients(act: &Act<'_>, filter: &ClientFilter) -> Result<(Vec<KeyGroup>, u64)> {
    store::list_clients(act, filter).await
}

/// The client with this number (document 001: the id of an API access).
pub async fn client(act: &Act<'_>, number: i32) -> Result<KeyGroup> {
    let filter = ClientFilter { number: Some(number), limit: 1, ..Default::default() };
    let (found, _) = list_clients(act, &filter).await?;
    found.into_iter().next().ok_or(Error::NotFound)
}

/// Brings the summaries of the subscription up to `act.now`. Faces do it before they read. Whether
/// anything had changed.
pub async fn bring_up_to_date(act: &Act<'_>) -> Result<bool> {
    let mut changed = false;
    while summary::refresh_due(act).await? {
        changed = true;
    }
    Ok(changed)
}

/// The same for every subscription: for lists that span them.
pub async fn bring_all_up_to_date(db: &Db, now: DateTime<Utc>) -> Result<()> {
    while summary::refresh_all_due(db, now).await? {}
    Ok(())
}

pub async fn count_unused(act: &Act<'_>, at_most: u64) -> Result<u64> {
    store::count_unused(act, at_most).await
}

/// Groups that need attention, the most urgent first.
pub async fn attention(act: &Act<'_>, limit: u64) -> Result<Vec<KeyGroup>> {
    store::attention(act, limit).await
}

/// Groups by their coverage, what runs out first before all else: all of them, or those that run out
/// before `until`.
pub async fn by_coverage(
    act: &Act<'_>,
    until: Option<DateTime<Utc>>,
    limit: u64,
) -> Result<Vec<KeyGroup>> {
    store::by_coverage(act, until, limit).await
}

/// Groups of the subscription, those of the ids that are in it.
pub async fn find_all(act: &Act<'_>, ids: Vec<Uuid>) -> Result<Vec<KeyGroup>> {
    store::find_all(&act.app.db, act.scope, ids).await
}

/// When a group of each of these subscriptions stops being covered next, if one ever does.
pub async fn next_ends(db: &Db, ids: Vec<Uuid>) -> Result<HashMap<Uuid, DateTime<Utc>>> {
    let ends = store::next_ends(db, ids).await?;
    let end = |(id, first): (Uuid, Option<i64>)| Some((id, instant(summary::end_of(first?)?)));
    Ok(ends.into_iter().filter_map(end).collect())
}

/// The group whose coverage ends next.
pub async fn next_end(act: &Act<'_>) -> Result<Option<KeyGroup>> {
    store::next_end(act).await
}

/// For verbs on instances: counts the change.
pub(crate) async fn touch(act: &Act<'_>, db: &impl ConnectionTrait, id: Uuid) -> Result<KeyGroup> {
    store::touch(db, act.scope, id, 0, act.now).await
}

/// The same for a new key, whose label is then the group's last: none is ever used again.
pub(crate) async fn touch_for_key(
    act: &Act<'_>,
    db: &impl ConnectionTrait,
    id: Uuid,
) -> Result<KeyGroup> {
    store::touch(db, act.scope, id, 1, act.now).await
}
