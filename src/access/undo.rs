//! An edit of access can be taken back for 10 minutes: once, to exactly what was before, and only
//! while nothing else has changed it.
use std::collections::HashSet;

use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Held, entity::edits};
use crate::{
    clock::{instant, millis, new_id},
    db::{Db, Tx},
    domain::Refusal,
    error::{Error, Result},
    policies,
    subscriptions::Act,
    user_groups,
};

/// How long an edit can be taken back.
pub const FOR: TimeDelta = TimeDelta::minutes(10);

/// What was edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Object {
    Policy(Uuid),
    UserGroup(Uuid),
    KeyGroup(Uuid),
}

impl Object {
    fn id(self) -> Uuid {
        match self {
            Self::Policy(id) | Self::UserGroup(id) | Self::KeyGroup(id) => id,
        }
    }
}

/// One part of an edit: what it was, and the version that the edit made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub object: Object,
    pub before: State,
    pub version: i32,
}

/// All that an edit of an object can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Policy(policies::Wanted),
    UserGroup(user_groups::Wanted),
    Held(Held),
}

/// What a part of an undo did, for the audit log.
pub struct Restored {
    pub kind: &'static str,
    pub id: Uuid,
    pub name: String,
    pub before: Value,
    pub after: Value,
}

/// Keeps what an edit changed, in its transaction.
pub(crate) async fn remember(
    act: &Act<'_>,
    tx: &Tx,
    object: Uuid,
    changes: Vec<Change>,
) -> Result<Uuid> {
    let id = new_id(act.now);
    let row = edits::ActiveModel {
        id: Set(id),
        subscription_id: Set(act.scope.id()),
        object_id: Set(object),
        made_at: Set(millis(act.now)),
        made_by: Set(act.actor.user_id.ok_or(Error::Unauthenticated)?),
        changes: Set(serde_json::to_string(&changes).map_err(anyhow::Error::from)?),
        undone_at: Set(None),
    };
    edits::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(id)
}

/// Takes an edit back. Gives the names of what is as it was before.
pub async fn undo(act: &Act<'_>, id: Uuid) -> Result<Vec<String>> {
    let tx = act.begin().await?;
    let edit = edits::Entity::find()
        .filter(edits::COLUMN.subscription_id.eq(act.scope.id()))
        .filter(edits::COLUMN.id.eq(id))
        .one(&tx)
        .await?
        .ok_or(Error::NotFound)?;
    if edit.undone_at.is_some() {
        return Err(Refusal::AlreadyUndone.into());
    }
    if act.now >= instant(edit.made_at) + FOR {
        return Err(Refusal::TooLateToUndo.into());
    }
    let changes: Vec<Change> = serde_json::from_str(&edit.changes).map_err(anyhow::Error::from)?;
    let (mut restored, mut groups) = (Vec::new(), Vec::new());
    for change in changes {
        match (change.object, change.before) {
            (Object::KeyGroup(id), State::Held(held)) => groups.push((id, change.version, held)),
            (object, state) => {
                let it = restore(act, &tx, (object, change.version), state).await;
                restored.push(it.map_err(since)?);
            }
        }
    }
    if !groups.is_empty() {
        restored.extend(super::restore(act, &tx, &groups).await.map_err(since)?);
    }
    let names = restored.iter().map(|it| it.name.clone()).collect();
    let event = |it: Restored| {
        act.event("access.edit_undone").on(it.kind, it.id, it.name).change(it.before, it.after)
    };
    act.record_all(&tx, restored.into_iter().map(event).collect()).await?;
    let undone = edits::ActiveModel {
        id: Set(id),
        undone_at: Set(Some(millis(act.now))),
        ..Default::default()
    };
    edits::Entity::update(undone).exec_without_returning(&tx).await?;
    tx.commit().await?;
    Ok(names)
}

/// What was before cannot be again where a part of it is gone, or its name is taken.
fn since(error: Error) -> Error {
    match error {
        Error::NotFound | Error::Invalid(_) => Refusal::ChangedSinceEdit.into(),
        other => other,
    }
}

async fn restore(
    act: &Act<'_>,
    tx: &Tx,
    (object, version): (Object, i32),
    state: State,
) -> Result<Restored> {
    match (object, state) {
        (Object::Policy(id), State::Policy(wanted)) => {
            policies::restore(act, tx, (id, version), &wanted).await
        }
        (Object::UserGroup(id), State::UserGroup(wanted)) => {
            user_groups::restore(act, tx, (id, version), &wanted).await
        }
        (object, state) => Err(anyhow::anyhow!("an edit of {object:?} remembers {state:?}").into()),
    }
}

/// The edit that made this version of an object, while it can be taken back: its id and instant.
pub async fn last(act: &Act<'_>, object: Uuid, version: i32) -> Result<Option<(Uuid, i64)>> {
    let edits = edits::Entity::find()
        .filter(edits::COLUMN.subscription_id.eq(act.scope.id()))
        .filter(edits::COLUMN.object_id.eq(object))
        .filter(edits::COLUMN.made_at.gt(millis(act.now - FOR)))
        .filter(edits::COLUMN.undone_at.is_null())
        .order_by_desc(edits::Column::MadeAt)
        .limit(20)
        .all(act.app.db.read())
        .await?;
    let made_this = |it: &&edits::Model| {
        let changes: Vec<Change> = serde_json::from_str(&it.changes).unwrap_or_default();
        changes.iter().all(|it| it.object.id() != object || it.version == version)
    };
    Ok(edits.iter().find(made_this).map(|it| (it.id, it.made_at)))
}

/// Names of permissions that policies had before edits that can be taken back.
pub(crate) async fn remembered(act: &Act<'_>, tx: &Tx) -> Result<HashSet<String>> {
    let edits = edits::Entity::find()
        .filter(edits::COLUMN.subscription_id.eq(act.scope.id()))
        .filter(edits::COLUMN.made_at.gt(millis(act.now - FOR * 2)))
        .all(tx)
        .await?;
    let changes = edits.iter().flat_map(|it| {
        serde_json::from_str::<Vec<Change>>(&it.changes).unwrap_or_default().into_iter()
    });
    let names = changes.flat_map(|it| match it.before {
        State::Policy(it) => it.permissions.as_str().split(' ').map(str::to_owned).collect(),
        State::UserGroup(_) | State::Held(_) => Vec::new(),
    });
    Ok(names.collect())
}

/// Nobody needs what can no longer be taken back.
pub(crate) async fn prune(db: &Db, now: chrono::DateTime<chrono::Utc>) -> Result<()> {
    edits::Entity::delete_many()
        .filter(edits::COLUMN.made_at.lt(millis(now - FOR * 2)))
        .exec(db.read())
        .await?;
    Ok(())
}
