//! User groups: uniquely named sets of policies (document 004), and the members of the subscription
//! in them. Nobody need be in one: then it is for keys only, as an action group is.
pub(crate) mod entity;
pub mod pages;
mod store;

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ConnectionTrait};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::entity::Model as UserGroup;
use crate::{
    access::{
        self, Catalogue,
        named::named,
        undo::{self, Change, Object, State},
    },
    clock::{millis, new_id},
    db::Tx,
    domain::{Refusal, access::Source},
    error::{Error, Result},
    members,
    submissions::{self, Submission},
    subscriptions::{Act, Scope},
};

/// As many as a subscription can have: each form lists them all.
pub const MOST: usize = 500;

/// Policies that one user group can have: each verification reads them all.
pub const MOST_POLICIES: usize = 50;

/// A user group as somebody wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub name: String,
    pub description: String,
    pub policies: BTreeSet<Uuid>,
    /// Users.
    pub members: BTreeSet<Uuid>,
}

impl Wanted {
    fn checked(&self) -> Result<Self> {
        let (name, description) = named(&self.name, &self.description)?;
        Ok(Self { name, description, ..self.clone() })
    }
}

/// Its policies and people now.
pub async fn wanted(act: &Act<'_>, it: &UserGroup) -> Result<Wanted> {
    store::wanted(act.app.db.read(), it).await
}

pub async fn create(
    act: &Act<'_>,
    wanted: &Wanted,
    submission: impl Into<Submission>,
) -> Result<UserGroup> {
    let wanted = wanted.checked()?;
    let group = UserGroup {
        id: new_id(act.now),
        subscription_id: act.scope.id(),
        name_folded: wanted.name.to_lowercase(),
        name: wanted.name.clone(),
        description: wanted.description.clone(),
        version: 0, // `put` makes it 1
        created_at: millis(act.now),
        created_by: act.actor.user_id.ok_or(Error::Unauthenticated)?,
    };
    let tx = act.begin().await?;
    let location = act.scope.path(&format!("/user-groups/{}", group.id));
    let tx = submissions::claim(act, tx, submission, location).await?;
    let world = World::load(act, &tx).await?;
    if world.all.user_groups.len() >= MOST {
        return Err(Refusal::TooMany { most: MOST, what: "user groups" }.into());
    }
    store::insert(&tx, group.clone()).await?;
    put(&tx, &world, &group, &wanted).await?;
    let event = act
        .event("user_group.created")
        .on("user_group", group.id, &group.name)
        .change(Value::Null, world.described(&wanted));
    act.finish(tx, event).await?;
    Ok(UserGroup { version: 1, ..group })
}

/// Changes the user group that `version` was a picture of. Gives the edit, which can be undone for
/// a while; `None` if nothing changes.
pub async fn edit(
    act: &Act<'_>,
    id: Uuid,
    version: i32,
    wanted: &Wanted,
) -> Result<(UserGroup, Option<Uuid>)> {
    let wanted = wanted.checked()?;
    let tx = act.begin().await?;
    let group = store::find(&tx, act.scope, id).await?;
    if group.version != version {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    let before = store::wanted(&tx, &group).await?;
    if before == wanted {
        return Ok((group, None));
    }
    let world = World::load(act, &tx).await?;
    put(&tx, &world, &group, &wanted).await?;
    let (was, is) = (world.described(&before), world.described(&wanted));
    let change = Change {
        object: Object::UserGroup(id),
        before: State::UserGroup(before),
        version: version + 1,
    };
    let edit = undo::remember(act, &tx, id, vec![change]).await?;
    let event = act.event("user_group.edited").on("user_group", id, &wanted.name).change(was, is);
    act.finish(tx, event).await?;
    let (name, description) = (wanted.name, wanted.description);
    Ok((UserGroup { name, description, version: version + 1, ..group }, Some(edit)))
}

/// What a user group can have in it, as of a transaction.
struct World {
    all: Catalogue,
    people: Vec<(Uuid, String, String)>,
}

impl World {
    async fn load(act: &Act<'_>, tx: &Tx) -> Result<Self> {
        let all = Catalogue::load_in(act, tx).await?;
        Ok(Self { all, people: members::users(tx, act.scope).await? })
    }

    /// What is gone cannot be in it.
    fn check(&self, wanted: &Wanted) -> Result<()> {
        if wanted.policies.len() > MOST_POLICIES {
            let told = format!("Choose at most {MOST_POLICIES} policies.");
            return Err(Error::field("policies", told));
        }
        if wanted.policies.iter().any(|id| self.all.policy(*id).is_none()) {
            return Err(Error::field("policies", "One of these policies is gone. Choose again."));
        }
        if wanted.members.iter().any(|id| self.people.iter().all(|it| it.0 != *id)) {
            return Err(Error::field("members", "One of these people is no member any more."));
        }
        Ok(())
    }

    /// For the audit log: names.
    fn described(&self, it: &Wanted) -> Value {
        let policy = |id: &Uuid| self.all.name(Source::Policy(*id));
        let known = self.people.iter().filter(|person| it.members.contains(&person.0));
        json!({
            "name": it.name,
            "description": it.description,
            "policies": it.policies.iter().map(policy).collect::<Vec<_>>(),
            "members": known.map(|person| &person.2).collect::<Vec<_>>(),
        })
    }
}

/// Writes all of a user group, if it may be so.
async fn put(tx: &Tx, world: &World, group: &UserGroup, wanted: &Wanted) -> Result<()> {
    world.check(wanted)?;
    let changed = entity::ActiveModel {
        id: Set(group.id),
        name: Set(wanted.name.clone()),
        name_folded: Set(wanted.name.to_lowercase()),
        description: Set(wanted.description.clone()),
        version: Set(group.version + 1),
        ..Default::default()
    };
    store::update(tx, changed).await?;
    store::replace(tx, group, wanted).await
}

/// Puts a user group back to what it was, if nothing changed it since.
pub(crate) async fn restore(
    act: &Act<'_>,
    tx: &Tx,
    (id, version): (Uuid, i32),
    wanted: &Wanted,
) -> Result<undo::Restored> {
    let group = store::find(tx, act.scope, id).await?;
    if group.version != version {
        return Err(Refusal::ChangedSinceEdit.into());
    }
    let world = World::load(act, tx).await?;
    let before = world.described(&store::wanted(tx, &group).await?);
    put(tx, &world, &group, wanted).await?;
    let after = world.described(wanted);
    Ok(undo::Restored { kind: "user_group", id, name: wanted.name.clone(), before, after })
}

/// Key groups merely lose what they had through it.
pub async fn delete(act: &Act<'_>, id: Uuid, version: i32) -> Result<UserGroup> {
    let tx = act.begin().await?;
    let group = store::find(&tx, act.scope, id).await?;
    if group.version != version {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    let before = World::load(act, &tx).await?.described(&store::wanted(&tx, &group).await?);
    access::store::touch_holders(&tx, act.scope, &[Source::UserGroup(id)]).await?;
    store::delete(&tx, act.scope, id).await?;
    let event = act
        .event("user_group.deleted")
        .on("user_group", id, &group.name)
        .change(before, Value::Null);
    act.finish(tx, event).await?;
    Ok(group)
}

pub async fn find(act: &Act<'_>, id: Uuid) -> Result<UserGroup> {
    store::find(act.app.db.read(), act.scope, id).await
}

/// All of the subscription, by name, each with the ids of its policies.
pub(crate) async fn all(
    db: &impl ConnectionTrait,
    scope: &Scope,
) -> Result<Vec<(UserGroup, Vec<Uuid>)>> {
    store::all(db, scope).await
}

/// All of the subscription, by name, without their policies.
pub(crate) async fn names(act: &Act<'_>) -> Result<Vec<UserGroup>> {
    store::names(act.app.db.read(), act.scope).await
}

/// A policy is about to be deleted: counts the change of every user group that it is in.
pub(crate) async fn touch_with_policy(tx: &Tx, scope: &Scope, policy: Uuid) -> Result<()> {
    store::touch_with_policy(tx, scope, policy).await
}

/// A member goes: out of every user group, each of which counts the change. Gives their names.
pub(crate) async fn leave(tx: &Tx, scope: &Scope, user: Uuid) -> Result<Vec<String>> {
    store::leave(tx, scope, user).await
}

/// Who is in each user group: ids of users.
pub async fn members(act: &Act<'_>) -> Result<std::collections::HashMap<Uuid, Vec<Uuid>>> {
    store::members(act).await
}

/// How many people are in each user group.
pub async fn people(act: &Act<'_>) -> Result<std::collections::HashMap<Uuid, i64>> {
    store::people(act).await
}
