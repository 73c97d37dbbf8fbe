//! Deleting a policy takes the key groups whose policy it is, with their keys (document 002): only
//! as a preview showed them, and only while they are still the same. Nothing is deleted else.
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Policy, store};
use crate::{
    access::{
        self,
        undo::{self, Change, Object, State},
    },
    domain::{Refusal, access::Source},
    error::{Error, Result},
    key_groups::{self, KeyGroup},
    pepper::token_digest,
    subscriptions::Act,
    user_groups,
};

/// What dies with a policy, as of one instant.
pub struct Doomed {
    /// By id.
    pub groups: Vec<KeyGroup>,
    pub keys: i64,
    /// A picture of exactly these groups and keys: whoever confirms, confirms this.
    pub fence: String,
}

impl Doomed {
    fn of(policy: Uuid, groups: Vec<KeyGroup>) -> Self {
        // A group never gives a label twice and loses no single key, so the last label says which
        // keys it has.
        let picture = |all: String, it: &KeyGroup| format!("{all} {}/{}", it.id, it.last_label);
        let fence = token_digest(&groups.iter().fold(policy.to_string(), picture));
        let keys = groups.iter().map(|it| i64::from(it.instance_count())).sum();
        Self { groups, keys, fence }
    }
}

/// What would die now.
pub async fn preview(act: &Act<'_>, id: Uuid) -> Result<Doomed> {
    let groups = access::store::groups_of_policy(act.app.db.read(), act.scope, id).await?;
    Ok(Doomed::of(id, groups))
}

/// Deletes the policy, its key groups and their keys, if they are what `fence` is a picture of.
/// User groups and workspace roles merely lose it.
pub async fn delete(act: &Act<'_>, id: Uuid, fence: &str) -> Result<(Policy, Doomed)> {
    let tx = act.begin().await?;
    let policy = store::find(&tx, act.scope, id).await?;
    let groups = access::store::groups_of_policy(&tx, act.scope, id).await?;
    let doomed = Doomed::of(id, groups);
    if doomed.fence != fence {
        return Err(Refusal::DoomedChanged.into());
    }
    key_groups::delete_all(act, &tx, &doomed.groups).await?;
    user_groups::touch_with_policy(&tx, act.scope, id).await?;
    let all = access::Catalogue::load_in(act, &tx).await?;
    let roles: Vec<Source> =
        all.roles.iter().filter(|it| it.policy_id == id).map(|it| Source::Role(it.id)).collect();
    access::store::touch_holders(&tx, act.scope, &roles).await?;
    store::delete(&tx, act.scope, id).await?;
    let names: Vec<&str> = doomed.groups.iter().map(|it| it.name.as_str()).collect();
    let before = json!({
        "name": policy.name,
        "permissions": crate::permissions::names(&policy.set()),
        "key_groups": names,
        "keys": doomed.keys,
    });
    let event =
        act.event("policy.deleted").on("policy", id, &policy.name).change(before, Value::Null);
    act.finish(tx, event).await?;
    Ok((policy, doomed))
}

/// Instead of deleting them: all key groups of a policy get another one. Gives how many, and the
/// edit, which can be undone for a while.
pub async fn replace(
    act: &Act<'_>,
    (from, to): (Uuid, Uuid),
    fence: &str,
) -> Result<(usize, Option<Uuid>)> {
    let tx = act.begin().await?;
    let old = store::find(&tx, act.scope, from).await?;
    let new = match store::find(&tx, act.scope, to).await {
        Err(Error::NotFound) => Err(Error::field("to", "Choose another policy.")),
        other => other,
    }?;
    if from == to {
        return Err(Error::field("to", "Choose another policy than this one."));
    }
    let groups = access::store::groups_of_policy(&tx, act.scope, from).await?;
    let doomed = Doomed::of(from, groups);
    if doomed.fence != fence {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    if doomed.groups.is_empty() {
        return Ok((0, None));
    }
    let ids: Vec<Uuid> = doomed.groups.iter().map(|it| it.id).collect();
    let mut held = access::of_groups_in(act, &tx, &ids).await?;
    access::store::move_policy(&tx, act.scope, from, to).await?;
    let (mut changes, mut events) = (Vec::new(), Vec::new());
    for it in &doomed.groups {
        let before = State::Held(held.remove(&it.id).unwrap_or_default());
        let (object, version) = (Object::KeyGroup(it.id), it.access_version + 1);
        changes.push(Change { object, before, version });
        let event = act
            .event("key_group.access_changed")
            .on("key_group", it.id, &it.name)
            .change(json!({ "policy": old.name }), json!({ "policy": new.name }));
        events.push(event);
    }
    let edit = undo::remember(act, &tx, from, changes).await?;
    act.finish_all(tx, events).await?;
    Ok((ids.len(), Some(edit)))
}
