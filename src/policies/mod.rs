//! Policies: uniquely named sets of permissions (document 002). What is edited here is effective at
//! the very next verification: nothing between keeps a copy.
pub mod deletion;
pub(crate) mod entity;
pub mod pages;
mod store;

use sea_orm::{ActiveValue::Set, ConnectionTrait};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::entity::Model as Policy;
use crate::{
    access::{
        named::named,
        undo::{self, Change, Object, State},
    },
    clock::{millis, new_id},
    db::Tx,
    domain::{Permissions, Refusal},
    error::{Error, Result},
    permissions,
    submissions::{self, Submission},
    subscriptions::{self, Act, Scope},
};

/// As many as a subscription can have: each form lists them all.
pub const MOST: usize = 500;

/// A policy as somebody wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub name: String,
    pub description: String,
    pub permissions: Permissions,
}

impl Wanted {
    pub fn of(it: &Policy) -> Self {
        Self { name: it.name.clone(), description: it.description.clone(), permissions: it.set() }
    }

    fn checked(&self) -> Result<Self> {
        let (name, description) = named(&self.name, &self.description)?;
        Ok(Self { name, description, permissions: self.permissions.clone() })
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "description": self.description,
            "permissions": permissions::names(&self.permissions),
        })
    }
}

pub async fn create(
    act: &Act<'_>,
    wanted: &Wanted,
    submission: impl Into<Submission>,
) -> Result<Policy> {
    let wanted = wanted.checked()?;
    let mut policy = Policy {
        id: new_id(act.now),
        subscription_id: act.scope.id(),
        name_folded: wanted.name.to_lowercase(),
        name: wanted.name.clone(),
        description: wanted.description.clone(),
        version: 1,
        created_at: millis(act.now),
        changed_at: millis(act.now),
        created_by: act.actor.user_id.ok_or(Error::Unauthenticated)?,
        permissions: wanted.permissions.as_str().to_owned(),
        number: 0,
    };
    let tx = act.begin().await?;
    let location = act.scope.path(&format!("/policies/{}", policy.id));
    let tx = submissions::claim(act, tx, submission, location).await?;
    if store::all(&tx, act.scope).await?.len() >= MOST {
        return Err(Refusal::TooMany { most: MOST, what: "policies" }.into());
    }
    permissions::check(&tx, act.scope, &wanted.permissions, &Permissions::default()).await?;
    policy.number = subscriptions::take_numbers(&tx, act.scope, 1).await?;
    store::insert(&tx, policy.clone()).await?;
    let event = act
        .event("policy.created")
        .on("policy", policy.id, &policy.name)
        .change(Value::Null, wanted.json());
    act.finish(tx, event).await?;
    Ok(policy)
}

/// Changes the policy that `version` was a picture of. Gives the edit, which can be undone for a
/// while; `None` if nothing changes.
pub async fn edit(
    act: &Act<'_>,
    id: Uuid,
    version: i32,
    wanted: &Wanted,
) -> Result<(Policy, Option<Uuid>)> {
    let wanted = wanted.checked()?;
    let tx = act.begin().await?;
    let policy = store::find(&tx, act.scope, id).await?;
    if policy.version != version {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    let before = Wanted::of(&policy);
    if before == wanted {
        return Ok((policy, None));
    }
    permissions::check(&tx, act.scope, &wanted.permissions, &before.permissions).await?;
    let after = put(act, &tx, &policy, &wanted).await?;
    let was = before.json();
    let change = Change {
        object: Object::Policy(id),
        before: State::Policy(before),
        version: after.version,
    };
    let edit = undo::remember(act, &tx, id, vec![change]).await?;
    let event = act.event("policy.edited").on("policy", id, &after.name).change(was, wanted.json());
    act.finish(tx, event).await?;
    Ok((after, Some(edit)))
}

async fn put(act: &Act<'_>, tx: &Tx, policy: &Policy, wanted: &Wanted) -> Result<Policy> {
    let changed = entity::ActiveModel {
        id: Set(policy.id),
        name: Set(wanted.name.clone()),
        name_folded: Set(wanted.name.to_lowercase()),
        description: Set(wanted.description.clone()),
        permissions: Set(wanted.permissions.as_str().to_owned()),
        version: Set(policy.version + 1),
        changed_at: Set(millis(act.now)),
        ..Default::default()
    };
    store::update(tx, changed).await
}

/// Puts a policy back to what it was, if it still is what `version` was a picture of. Gives its
/// name, and before and after for the audit log.
pub(crate) async fn restore(
    act: &Act<'_>,
    tx: &Tx,
    (id, version): (Uuid, i32),
    wanted: &Wanted,
) -> Result<undo::Restored> {
    let policy = store::find(tx, act.scope, id).await?;
    if policy.version != version {
        return Err(Refusal::ChangedSinceEdit.into());
    }
    let after = put(act, tx, &policy, wanted).await?;
    let (before, wanted) = (Wanted::of(&policy).json(), wanted.json());
    Ok(undo::Restored { kind: "policy", id, name: after.name, before, after: wanted })
}

pub async fn find(act: &Act<'_>, id: Uuid) -> Result<Policy> {
    store::find(act.app.db.read(), act.scope, id).await
}

/// All of the subscription, by name.
pub async fn all(act: &Act<'_>) -> Result<Vec<Policy>> {
    all_in(act.app.db.read(), act.scope).await
}

/// The same as another connection or a transaction sees it.
pub(crate) async fn all_in(db: &impl ConnectionTrait, scope: &Scope) -> Result<Vec<Policy>> {
    store::all(db, scope).await
}
