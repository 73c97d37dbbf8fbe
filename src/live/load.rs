//! Reads what the state is made of: all of it, or what has changed. A few queries, whatever the number.
use std::collections::{BTreeMap, HashMap};

use sea_orm::{QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    people::PeopleBatch,
    state::{Batch, GroupRow, InstanceRow, RoleRow, State, SubscriptionRow},
};
use crate::{
    access::entity as access,
    db::changes::{Change, Snapshot},
    domain::{Permissions, access::Source},
    error::Result,
    key_groups::entity as groups,
    key_instances::entity as instances,
    pepper::{Digest32, Keyring},
    policies::entity as policies,
    subscriptions::entity as subscriptions,
    user_groups::entity::policies as in_user_groups,
    workspaces::entity::{self as workspaces, roles},
};

/// Things of one statement. Rows take more memory than what is kept of them, and it stays with the process.
const CHUNK: usize = 500;

/// What these things are now.
pub async fn changed(db: &Snapshot, ours: &Keyring, changes: &[Change]) -> Result<Batch> {
    let mut batch = Batch::default();
    for chunk in changes.chunks(CHUNK) {
        let (mut digests, mut groups, mut subscriptions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut policies, mut user_groups, mut roles) = (Vec::new(), Vec::new(), Vec::new());
        let (mut personal_keys, mut people) = (Vec::new(), Vec::new());
        // What is not found below is gone.
        for it in chunk {
            match *it {
                Change::Instance(digest) => {
                    batch.instances.insert(digest, None);
                    digests.push(digest.to_vec());
                }
                Change::Group(id) => groups.push(id),
                Change::Subscription(id) => subscriptions.push(id),
                Change::Policy(id) => {
                    batch.policies.insert(id, None);
                    policies.push(id);
                }
                Change::UserGroup(id) => {
                    batch.user_groups.insert(id, Vec::new());
                    user_groups.push(id);
                }
                Change::Role(id) => {
                    batch.roles.insert(id, None);
                    roles.push(id);
                }
                Change::PersonalKey(id) => personal_keys.push(id),
                Change::Person(id) => people.push(id),
            }
        }
        batch.read_groups(db, groups).await?;
        batch.read_subscriptions(db, subscriptions).await?;
        batch.people.read(db, personal_keys, people).await?;
        if !digests.is_empty() {
            let found = select_instances().filter(instances::Column::Digest.is_in(digests));
            batch.add_instances(found.into_tuple().all(&**db).await?, ours);
        }
        if !policies.is_empty() {
            let found = select_policies().filter(policies::COLUMN.id.is_in(policies));
            batch.add_policies(found.into_tuple().all(&**db).await?);
        }
        if !user_groups.is_empty() {
            let found = select_user_groups()
                .filter(in_user_groups::COLUMN.user_group_id.is_in(user_groups));
            batch.add_user_groups(found.into_tuple().all(&**db).await?);
        }
        if !roles.is_empty() {
            let found = select_roles().filter(roles::COLUMN.id.is_in(roles));
            batch.add_roles(found.into_tuple().all(&**db).await?);
        }
    }
    Ok(batch)
}

/// Everything.
pub async fn all(db: &Snapshot, ours: &Keyring) -> Result<State> {
    let n = instances::Entity::find().count(&**db).await?;
    let mut state = State::with_room_for(usize::try_from(n).unwrap_or_default());
    let mut batch = Batch { people: PeopleBatch::all(db).await?, ..Default::default() };
    let found = subscriptions::Entity::find().select_only().column(subscriptions::Column::Id);
    batch.read_subscriptions(db, found.into_tuple().all(&**db).await?).await?;
    batch.add_policies(select_policies().into_tuple().all(&**db).await?);
    batch.add_user_groups(select_user_groups().into_tuple().all(&**db).await?);
    batch.add_roles(select_roles().into_tuple().all(&**db).await?);
    state.apply(batch);
    let mut after = Uuid::nil();
    loop {
        let page = groups::Entity::find()
            .select_only()
            .column(groups::Column::Id)
            .filter(groups::COLUMN.id.gt(after))
            .order_by_asc(groups::Column::Id)
            .limit(CHUNK as u64);
        let page: Vec<Uuid> = page.into_tuple().all(&**db).await?;
        let Some(last) = page.last() else { break };
        after = *last;
        let mut batch = Batch::default();
        batch.read_groups(db, page).await?;
        state.apply(batch);
    }
    let mut after = Uuid::nil();
    loop {
        let page = select_instances()
            .filter(instances::COLUMN.id.gt(after))
            .order_by_asc(instances::Column::Id)
            .limit(CHUNK as u64);
        let page: Vec<InstanceTuple> = page.into_tuple().all(&**db).await?;
        let Some(last) = page.last() else { return Ok(state) };
        after = last.1;
        for (digest, row) in page.into_iter().filter_map(|it| instance(it, ours)) {
            state.set_instance(digest, Some(row));
        }
    }
}

type InstanceTuple =
    (Vec<u8>, Uuid, Uuid, i32, i64, Option<i64>, Option<i64>, Option<i64>, Option<String>);

/// The database checks the length of digests.
fn instance(it: InstanceTuple, ours: &Keyring) -> Option<(Digest32, InstanceRow)> {
    let (digest, id, group, label, from, until, deactivated_at, revoked_at, hash) = it;
    let chosen = hash.map(|it| ours.is_hash_digest(&it, &digest));
    let row = InstanceRow { id, group, label, from, until, deactivated_at, revoked_at, chosen };
    Some((digest.try_into().ok()?, row))
}

/// A key group; the policy, the user group or the role that it holds.
type HeldTuple = (Uuid, Option<Uuid>, Option<Uuid>, Option<Uuid>);

fn select_instances() -> Select<instances::Entity> {
    use instances::Column as I;
    instances::Entity::find().select_only().columns([
        I::Digest,
        I::Id,
        I::KeyGroupId,
        I::Label,
        I::ActiveFrom,
        I::ActiveUntil,
        I::DeactivatedAt,
        I::RevokedAt,
        I::SecretHash,
    ])
}

fn select_policies() -> Select<policies::Entity> {
    policies::Entity::find()
        .select_only()
        .columns([policies::Column::Id, policies::Column::Permissions])
}

fn select_user_groups() -> Select<in_user_groups::Entity> {
    use in_user_groups::Column as C;
    let columns = [C::UserGroupId, C::PolicyId];
    in_user_groups::Entity::find().select_only().columns(columns).order_by_asc(C::PolicyId)
}

fn select_roles() -> Select<roles::Entity> {
    use roles::Column as C;
    roles::Entity::find().select_only().columns([C::Id, C::WorkspaceId, C::PolicyId])
}

impl Batch {
    fn add_instances(&mut self, rows: Vec<InstanceTuple>, ours: &Keyring) {
        let rows = rows.into_iter().filter_map(|it| instance(it, ours));
        self.instances.extend(rows.map(|(digest, row)| (digest, Some(row))));
    }

    fn add_policies(&mut self, rows: Vec<(Uuid, String)>) {
        let set = |it: (Uuid, String)| (it.0, Some(Permissions::stored(it.1)));
        self.policies.extend(rows.into_iter().map(set));
    }

    fn add_user_groups(&mut self, rows: Vec<(Uuid, Uuid)>) {
        for (group, policy) in rows {
            self.user_groups.entry(group).or_default().push(policy);
        }
    }

    fn add_roles(&mut self, rows: Vec<(Uuid, Option<Uuid>, Uuid)>) {
        for (id, workspace, policy) in rows {
            self.roles.insert(id, Some(RoleRow { workspace, policy }));
        }
    }

    async fn read_subscriptions(&mut self, db: &Snapshot, ids: Vec<Uuid>) -> Result<()> {
        use subscriptions::Column as S;
        for ids in ids.chunks(CHUNK) {
            let mut places: HashMap<Uuid, HashMap<String, Uuid>> = HashMap::new();
            let rows: Vec<(Uuid, String, Uuid)> = workspaces::Entity::find()
                .select_only()
                .columns([workspaces::Column::SubscriptionId, workspaces::Column::Slug])
                .column(workspaces::Column::Id)
                .filter(workspaces::COLUMN.subscription_id.is_in(ids.iter().copied()))
                .into_tuple()
                .all(&**db)
                .await?;
            for (subscription, slug, id) in rows {
                places.entry(subscription).or_default().insert(slug, id);
            }
            let rows: Vec<(Uuid, String, Option<i64>)> = subscriptions::Entity::find()
                .select_only()
                .columns([S::Id, S::Slug, S::SuspendedAt])
                .filter(subscriptions::COLUMN.id.is_in(ids.iter().copied()))
                .into_tuple()
                .all(&**db)
                .await?;
            self.subscriptions.extend(ids.iter().map(|it| (*it, None)));
            for (id, slug, suspended_at) in rows {
                let workspaces = places.remove(&id).unwrap_or_default();
                let row = SubscriptionRow { slug, suspended: suspended_at.is_some(), workspaces };
                self.subscriptions.insert(id, Some(row));
            }
        }
        Ok(())
    }

    async fn read_groups(&mut self, db: &Snapshot, ids: Vec<Uuid>) -> Result<()> {
        use access::Column as A;
        use groups::Column as G;
        if ids.is_empty() {
            return Ok(());
        }
        let rows: Vec<HeldTuple> = access::Entity::find()
            .select_only()
            .columns([A::KeyGroupId, A::PolicyId, A::UserGroupId, A::WorkspaceRoleId])
            .filter(access::COLUMN.key_group_id.is_in(ids.iter().copied()))
            .into_tuple()
            .all(&**db)
            .await?;
        let mut held: BTreeMap<Uuid, Vec<Source>> = BTreeMap::new();
        for (group, policy, user_group, role) in rows {
            let source = policy.map(Source::Policy).or(user_group.map(Source::UserGroup));
            held.entry(group).or_default().extend(source.or(role.map(Source::Role)));
        }
        let rows: Vec<(Uuid, Uuid, String, String)> = groups::Entity::find()
            .select_only()
            .columns([G::Id, G::SubscriptionId, G::Name, G::ClientId])
            .filter(groups::COLUMN.id.is_in(ids.iter().copied()))
            .into_tuple()
            .all(&**db)
            .await?;
        self.groups.extend(ids.iter().map(|it| (*it, None)));
        for (id, subscription, name, client_id) in rows {
            let mut held = held.remove(&id).unwrap_or_default();
            held.sort_unstable();
            let row = GroupRow { subscription, name, client_id, held };
            self.groups.insert(id, Some(row));
        }
        Ok(())
    }
}
