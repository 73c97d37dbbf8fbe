//! What key groups may do: which policy, user groups and workspace roles each of them holds, what
//! follows from that, and what an edit would change. Verification reads the same rows live.
pub mod catalogue;
pub(crate) mod entity;
pub mod explain;
pub mod impact;
pub(crate) mod named;
pub mod pages;
pub(crate) mod store;
pub mod undo;

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::catalogue::Catalogue;
use self::undo::{Change, Object, State};
use crate::{
    db::Tx,
    domain::{Refusal, access::Source},
    error::{Error, Result},
    key_groups::{self, KeyGroup},
    subscriptions::{self, Act, Subscription},
};

/// What a key group holds: at most one policy (document 002), any number of user groups (document
/// 004) and workspace roles (document 001).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub policy: Option<Uuid>,
    pub user_groups: BTreeSet<Uuid>,
    pub roles: BTreeSet<Uuid>,
}

impl Held {
    pub fn is_empty(&self) -> bool {
        self.policy.is_none() && self.user_groups.is_empty() && self.roles.is_empty()
    }

    pub fn sources(&self) -> impl Iterator<Item = Source> {
        let policy = self.policy.map(Source::Policy);
        let user_groups = self.user_groups.iter().map(|it| Source::UserGroup(*it));
        policy.into_iter().chain(user_groups).chain(self.roles.iter().map(|it| Source::Role(*it)))
    }

    pub(crate) fn add(&mut self, source: Source) {
        match source {
            Source::Policy(id) => self.policy = Some(id),
            Source::UserGroup(id) => {
                self.user_groups.insert(id);
            }
            Source::Role(id) => {
                self.roles.insert(id);
            }
        }
    }
}

/// What a key group holds now.
pub async fn of_group(act: &Act<'_>, group: Uuid) -> Result<Held> {
    Ok(of_groups(act, &[group]).await?.remove(&group).unwrap_or_default())
}

/// The same of several, in one query. A group that holds nothing is left out.
pub async fn of_groups(act: &Act<'_>, groups: &[Uuid]) -> Result<HashMap<Uuid, Held>> {
    Ok(by_group(store::of_groups(act.app.db.read(), act.scope, groups).await?))
}

/// Ids and names of the user groups that each of these key groups is in, in one query of at most 1,000.
pub async fn user_groups_of(
    act: &Act<'_>,
    groups: &[Uuid],
) -> Result<HashMap<Uuid, Vec<(Uuid, String)>>> {
    let mut all: HashMap<Uuid, Vec<_>> = HashMap::new();
    for (group, id, name) in store::user_groups(act, groups).await? {
        all.entry(group).or_default().push((id, name));
    }
    Ok(all)
}

/// What a key group holds, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldNames {
    pub policy: Option<String>,
    /// User groups and roles, in order.
    pub others: Vec<String>,
    /// The policies of the roles.
    pub role_policies: Vec<String>,
}

/// The names of what these groups hold, in one query of at most 1,000 groups. A group that holds
/// nothing is left out.
pub async fn names(act: &Act<'_>, groups: &[Uuid]) -> Result<HashMap<Uuid, HeldNames>> {
    let mut all: HashMap<Uuid, HeldNames> = HashMap::new();
    for row in store::names(act, groups).await? {
        let it = all.entry(row.key_group_id).or_default();
        match (row.user_group, row.policy) {
            (Some(user_group), _) => it.others.push(user_group),
            (None, Some(policy)) if row.workspace_role_id.is_some() => {
                it.others.push(catalogue::role_name(&policy, row.workspace.as_deref()));
                it.role_policies.push(policy);
            }
            (None, policy) => it.policy = policy,
        }
    }
    all.values_mut().for_each(|it| it.others.sort());
    Ok(all)
}

/// The same as of a transaction.
pub(crate) async fn of_groups_in(
    act: &Act<'_>,
    tx: &Tx,
    groups: &[Uuid],
) -> Result<HashMap<Uuid, Held>> {
    Ok(by_group(store::of_groups(tx, act.scope, groups).await?))
}

fn by_group(rows: Vec<(Uuid, Source)>) -> HashMap<Uuid, Held> {
    let mut held: HashMap<Uuid, Held> = HashMap::new();
    for (group, source) in rows {
        held.entry(group).or_default().add(source);
    }
    held
}

async fn held_in(act: &Act<'_>, tx: &Tx, group: Uuid) -> Result<Held> {
    Ok(of_groups_in(act, tx, &[group]).await?.remove(&group).unwrap_or_default())
}

/// Changes what a key group holds, as `version` (of its access) was a picture of. Gives the edit,
/// which can be undone for a while; `None` if nothing changes.
pub async fn set(
    act: &Act<'_>,
    group: Uuid,
    version: i32,
    wanted: &Held,
) -> Result<(KeyGroup, Option<Uuid>)> {
    let tx = act.begin().await?;
    let it = key_groups::store::find(&tx, act.scope, group).await?;
    if it.access_version != version {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    let before = held_in(act, &tx, group).await?;
    if before == *wanted {
        return Ok((it, None));
    }
    let all = write(act, &tx, group, wanted).await?;
    store::touch(&tx, act.scope, &[group]).await?;
    let told = (described(&all, &before), described(&all, wanted));
    let change = Change {
        object: Object::KeyGroup(group),
        before: State::Held(before),
        version: version + 1,
    };
    let edit = undo::remember(act, &tx, group, vec![change]).await?;
    let event = act
        .event("key_group.access_changed")
        .on("key_group", group, &it.name)
        .change(told.0, told.1);
    act.finish(tx, event).await?;
    Ok((it, Some(edit)))
}

/// For a new group: nothing was held before. Gives it as the audit log tells it.
pub(crate) async fn give(act: &Act<'_>, tx: &Tx, group: Uuid, held: &Held) -> Result<Value> {
    let all = write(act, tx, group, held).await?;
    Ok(described(&all, held))
}

/// Replaces what a group holds, if it may hold that.
async fn write(act: &Act<'_>, tx: &Tx, group: Uuid, wanted: &Held) -> Result<Catalogue> {
    if lacks_policy(act, tx, wanted).await? {
        return Err(Error::refused_at("policy", Refusal::PolicyRequired));
    }
    let all = Catalogue::load_in(act, tx).await?;
    check(&all, wanted)?;
    store::replace_all(act, tx, &[(group, wanted)]).await?;
    Ok(all)
}

/// Whether the subscription's setting says that this is too little (document 002).
async fn lacks_policy(act: &Act<'_>, tx: &Tx, held: &Held) -> Result<bool> {
    Ok(held.policy.is_none() && subscriptions::current(tx, act.scope).await?.policy_required)
}

/// No key without a policy of its group, where the subscription, as of this transaction, says so.
pub(crate) async fn demand_policy(
    act: &Act<'_>,
    tx: &Tx,
    current: &Subscription,
    group: Uuid,
) -> Result<()> {
    if current.policy_required && held_in(act, tx, group).await?.policy.is_none() {
        return Err(Refusal::PolicyRequired.into());
    }
    Ok(())
}

/// User groups, and roles, that one key group can hold: each verification reads them all.
pub const MOST_HELD: usize = 50;

/// What is gone cannot be held.
fn check(all: &Catalogue, held: &Held) -> Result<()> {
    for (field, n) in [("user_groups", held.user_groups.len()), ("roles", held.roles.len())] {
        if n > MOST_HELD {
            return Err(Error::field(field, format!("Choose at most {MOST_HELD} of these.")));
        }
    }
    for source in held.sources() {
        let (field, is_there) = match source {
            Source::Policy(id) => ("policy", all.policy(id).is_some()),
            Source::UserGroup(id) => ("user_groups", all.user_group(id).is_some()),
            Source::Role(id) => ("roles", all.role(id).is_some()),
        };
        if !is_there {
            return Err(Error::field(field, "This is not there any more. Choose again."));
        }
    }
    Ok(())
}

/// Puts groups back to what they held, if nothing changed that since: few statements for many.
pub(crate) async fn restore(
    act: &Act<'_>,
    tx: &Tx,
    wanted: &[(Uuid, i32, Held)],
) -> Result<Vec<undo::Restored>> {
    if let Some((.., bare)) = wanted.iter().find(|it| it.2.policy.is_none())
        && lacks_policy(act, tx, bare).await?
    {
        return Err(Refusal::PolicyRequired.into());
    }
    let all = Catalogue::load_in(act, tx).await?;
    let mut restored = Vec::with_capacity(wanted.len());
    for some in wanted.chunks(200) {
        let ids: Vec<Uuid> = some.iter().map(|it| it.0).collect();
        let groups = key_groups::store::find_in(tx, act.scope, &ids).await?;
        let before = of_groups_in(act, tx, &ids).await?;
        let nothing = Held::default();
        for (id, version, held) in some {
            let it = groups.iter().find(|it| it.id == *id).ok_or(Error::NotFound)?;
            if it.access_version != *version {
                return Err(Refusal::ChangedSinceEdit.into());
            }
            check(&all, held)?;
            restored.push(undo::Restored {
                kind: "key_group",
                id: *id,
                name: it.name.clone(),
                before: described(&all, before.get(id).unwrap_or(&nothing)),
                after: described(&all, held),
            });
        }
        let held: Vec<_> = some.iter().map(|(id, _, held)| (*id, held)).collect();
        store::replace_all(act, tx, &held).await?;
        store::touch(tx, act.scope, &ids).await?;
    }
    Ok(restored)
}

/// For the audit log: names.
fn described(all: &Catalogue, it: &Held) -> Value {
    let names = |ids: &BTreeSet<Uuid>, name: fn(Uuid) -> Source| {
        ids.iter().map(|id| all.name(name(*id))).collect::<Vec<_>>()
    };
    json!({
        "policy": it.policy.map(|id| all.name(Source::Policy(id))),
        "user_groups": names(&it.user_groups, Source::UserGroup),
        "workspace_roles": names(&it.roles, Source::Role),
    })
}

/// How many key groups and keys there are, by id.
pub type Counts = HashMap<Uuid, (i64, i64)>;

/// Of each of these policies: the key groups whose own it is.
pub async fn count_by_policy(act: &Act<'_>, ids: Vec<Uuid>) -> Result<Counts> {
    store::count_by(act, entity::Column::PolicyId, ids).await
}

pub async fn count_by_user_group(act: &Act<'_>, ids: Vec<Uuid>) -> Result<Counts> {
    store::count_by(act, entity::Column::UserGroupId, ids).await
}

pub async fn count_by_role(act: &Act<'_>, ids: Vec<Uuid>) -> Result<Counts> {
    store::count_by(act, entity::Column::WorkspaceRoleId, ids).await
}

/// Who holds any of some sources.
pub struct Holders {
    /// The oldest first: as many as were asked for.
    pub groups: Vec<KeyGroup>,
    /// All of them, and the keys in them.
    pub key_groups: i64,
    pub keys: i64,
}

impl Holders {
    /// How many are not listed.
    pub fn more(&self) -> i64 {
        self.key_groups - i64::try_from(self.groups.len()).unwrap_or(i64::MAX)
    }
}

/// Who holds any of `sources`, of which the first `limit` are named.
pub async fn holders(act: &Act<'_>, sources: &[Source], limit: u64) -> Result<Holders> {
    let (key_groups, keys) = store::count(act, sources).await?;
    Ok(Holders { groups: store::groups_of(act, sources, limit).await?, key_groups, keys })
}
