//! Making key groups: one with its first key, a client without a secret yet, or clients whose secrets
//! were chosen elsewhere.
use rand::{TryRng, rngs::SysRng};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Description, KeyGroup, store,
    summary::{self, Parts},
};
use crate::{
    access::{self, Held},
    clock::{millis, new_id},
    db::Tx,
    domain::{GroupKind, text},
    error::{Error, Result},
    key_instances::{self, Issued, NewKey},
    submissions::{self, Submission},
    subscriptions::{self, Act},
};

/// A `token` group and its first instance, in one transaction (document 004).
pub async fn create(
    act: &Act<'_>,
    (new, held): (&Description, &Held),
    first: NewKey,
    submission: impl Into<Submission>,
) -> Result<Issued> {
    // Both halves are checked before anything is said, so that one try shows every error.
    let new = match (new.checked(), first.check(act)) {
        (Ok(new), Ok(())) => new,
        (Err(Error::Invalid(mut all)), Err(Error::Invalid(more))) => {
            all.extend(more);
            return Err(Error::Invalid(all));
        }
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    let submission = submission.into();
    let first = first.prepare(act, false).await?.kept_if(submission.is_of_program());
    let group = KeyGroup { last_label: 1, ..blank(act, &new, GroupKind::Token)? };
    let issued_id = new_id(act.now);
    let (tx, subscription) = act.begin_knowing().await?;
    let location = key_instances::secret_path(act, group.id, issued_id);
    let tx = submissions::claim(act, tx, submission, location).await?;
    let group = add(act, &tx, group, &new, held).await?;
    let place = (&subscription, &group);
    let (instance, secret, event) =
        key_instances::insert(act, &tx, place, first, issued_id).await?;
    let mut parts = Parts::default();
    parts.add(&instance, act.now);
    summary::refresh_of(&tx, &group, parts, act.now)?;
    act.finish(tx, event).await?;
    Ok(Issued { group, instance, secret })
}

/// A `client_credentials` group. It has no secret yet, so it cannot authenticate (document 000).
pub async fn create_client(
    act: &Act<'_>,
    (new, held): (&Description, &Held),
    submission: impl Into<Submission>,
) -> Result<KeyGroup> {
    let new = new.checked()?;
    let group = blank(act, &new, GroupKind::ClientCredentials)?;
    let tx = act.begin().await?;
    let location = act.scope.path(&format!("/groups/{}", group.id));
    let tx = submissions::claim(act, tx, submission, location).await?;
    let group = add(act, &tx, group, &new, held).await?;
    tx.commit().await?;
    Ok(group)
}

/// A client with the secret that its maker chose (document 001).
pub struct NewClient {
    pub described: Description,
    pub held: Held,
    pub first: NewKey,
}

/// Several clients at once: all or none of them. Errors are of the first that will not do.
pub async fn create_clients(
    act: &Act<'_>,
    new: Vec<NewClient>,
    submission: impl Into<Submission>,
) -> Result<Vec<KeyGroup>> {
    let mut ready = Vec::with_capacity(new.len());
    for it in new {
        let described = it.described.checked()?;
        let first = it.first.prepare(act, true).await?.kept_if(true);
        let group = blank(act, &described, GroupKind::ClientCredentials)?;
        ready.push((KeyGroup { last_label: 1, ..group }, described, it.held, first));
    }
    let mut made = Vec::with_capacity(ready.len());
    let (tx, subscription) = act.begin_knowing().await?;
    let ids: Vec<String> = ready.iter().map(|it| it.0.id.to_string()).collect();
    let tx = submissions::claim(act, tx, submission, ids.join(" ")).await?;
    for (group, described, held, first) in ready {
        let group = add(act, &tx, group, &described, &held).await?;
        let (place, id) = ((&subscription, &group), new_id(act.now));
        let (.., event) = key_instances::insert(act, &tx, place, first, id).await?;
        act.record(&tx, event).await?;
        made.push(group);
    }
    let ids: Vec<Uuid> = made.iter().map(|it| it.id).collect();
    summary::refresh_known(&tx, &made, act.now).await?;
    let made = clients_in(&tx, act, &ids).await?;
    tx.commit().await?;
    Ok(made)
}

/// Those of a request that was sent before ([`Error::AlreadyDone`]), as they are now.
pub async fn clients_made_before(act: &Act<'_>, ids: &str) -> Result<Vec<KeyGroup>> {
    let ids: Vec<Uuid> = ids.split(' ').filter_map(|it| Uuid::try_parse(it).ok()).collect();
    clients_in(act.app.db.read(), act, &ids).await
}

async fn clients_in(
    db: &impl ConnectionTrait,
    act: &Act<'_>,
    ids: &[Uuid],
) -> Result<Vec<KeyGroup>> {
    let mut made = store::find_in(db, act.scope, ids).await?;
    made.sort_by_key(|it| it.number);
    Ok(made)
}

/// Stores a new group with what it holds, counts it, and records that it was made.
async fn add(
    act: &Act<'_>,
    tx: &Tx,
    mut group: KeyGroup,
    new: &Description,
    held: &Held,
) -> Result<KeyGroup> {
    group.number = subscriptions::take_numbers(tx, act.scope, 1).await?;
    store::insert(tx, group.clone()).await?;
    let mut sums = summary::Sums::default();
    sums.add(&group);
    sums.apply(tx, act.scope.id());
    let mut told = new.json();
    told["kind"] = group.kind.clone().into();
    told["access"] = access::give(act, tx, group.id, held).await?;
    let event = act
        .event("key_group.created")
        .on("key_group", group.id, &group.name)
        .change(Value::Null, told);
    act.record(tx, event).await?;
    Ok(group)
}

/// A group without any instance yet, and without its number.
pub(crate) fn blank(act: &Act<'_>, it: &Description, kind: GroupKind) -> Result<KeyGroup> {
    let mut random = [0; 25];
    SysRng.try_fill_bytes(&mut random).map_err(anyhow::Error::from)?;
    let (name_folded, search_text) = it.folded();
    let created_at = millis(act.now);
    Ok(KeyGroup {
        id: new_id(act.now),
        subscription_id: act.scope.id(),
        client_id: text::client_id(&it.name, &random),
        name: it.name.clone(),
        name_folded,
        description: it.description.clone(),
        contact: it.contact.clone(),
        search_text,
        kind: kind.as_str().to_owned(),
        number: 0,
        version: 1,
        edits: 0,
        changed_at: created_at,
        last_label: 0,
        access_version: 1,
        created_at,
        created_by: act.actor.user_id.ok_or(Error::Unauthenticated)?,
        active_count: 0,
        soon_count: 0,
        future_count: 0,
        expired_count: 0,
        deactivated_count: 0,
        coverage: "nothing".to_owned(),
        covered_until: None,
        next_start: None,
        coverage_rank: i64::MAX,
        warns: false,
        no_successor: false,
        nothing_active: true,
        attention: 0,
        changes_at: None,
        lost_at: None,
        last_used_at: None,
        last_refused_at: None,
        idle_since: created_at,
        woken_at: None,
    })
}
