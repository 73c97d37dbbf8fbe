//! What verdicts are made of, in memory: every instance by its digest, and what its group holds as
//! records that all groups share that hold the same. It knows no verdict: period, access and suspension
//! are looked at in each call.
use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use slab::Slab;
use uuid::Uuid;

use super::{
    chosen::{Chosen, Secret},
    instances::{Instance, Instances},
    people::{People, PeopleBatch},
};
use crate::{
    clock::millis,
    domain::{
        Access, Facts, Permissions,
        access::{Holding, Place, Source},
    },
    pepper::Digest32,
};

/// A row of an instance, as the database has it.
#[derive(Clone, Debug)]
pub struct InstanceRow {
    pub id: Uuid,
    pub group: Uuid,
    pub label: i32,
    pub from: i64,
    pub until: Option<i64>,
    pub deactivated_at: Option<i64>,
    pub revoked_at: Option<i64>,
    /// Of a secret that a user chose: whether its hash was written under our pepper.
    pub chosen: Option<bool>,
}

#[derive(Clone, Debug)]
pub struct GroupRow {
    pub subscription: Uuid,
    pub name: String,
    pub client_id: String,
    /// In order.
    pub held: Vec<Source>,
}

#[derive(Clone, Debug)]
pub struct SubscriptionRow {
    pub slug: String,
    pub suspended: bool,
    /// By slug.
    pub workspaces: HashMap<String, Uuid>,
}

/// A policy in a workspace, or in the whole subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleRow {
    pub workspace: Option<Uuid>,
    pub policy: Uuid,
}

/// What has changed, as it is now; `None`: it is gone.
#[derive(Default)]
pub struct Batch {
    pub subscriptions: BTreeMap<Uuid, Option<SubscriptionRow>>,
    pub policies: BTreeMap<Uuid, Option<Permissions>>,
    pub user_groups: BTreeMap<Uuid, Vec<Uuid>>,
    pub roles: BTreeMap<Uuid, Option<RoleRow>>,
    pub groups: BTreeMap<Uuid, Option<GroupRow>>,
    pub instances: BTreeMap<Digest32, Option<InstanceRow>>,
    pub people: PeopleBatch,
}

struct Group {
    id: Uuid,
    name: Box<str>,
    client_id: Arc<str>,
    subscription: Uuid,
    record: usize,
    /// Its slot is free when it is deleted and none refers to it.
    instances: u32,
    is_deleted: bool,
}

pub(super) struct Subscription {
    slug: Arc<str>,
    pub(super) suspended: bool,
    pub(super) workspaces: HashMap<String, Uuid>,
}

/// What some groups hold.
struct Record {
    held: Vec<Source>,
    groups: u32,
    access: Access,
    /// In the whole subscription, which is asked for most.
    everywhere: Permissions,
}

/// A known secret, and all that decides about it: lent by the memory, or read from the database.
pub struct Found<'a> {
    pub digest: Digest32,
    pub instance: Uuid,
    pub label: i32,
    pub group: Uuid,
    pub group_name: Cow<'a, str>,
    pub client_id: Cow<'a, str>,
    /// Its slug.
    pub subscription: Cow<'a, str>,
    pub suspended: bool,
    pub facts: Facts,
    /// At the place that was asked for.
    pub permissions: Cow<'a, Permissions>,
}

#[derive(Default)]
pub struct State {
    instances: Instances,
    chosen: Chosen,
    groups: Slab<Group>,
    group_slots: HashMap<Uuid, usize>,
    pub(super) subscriptions: foldhash::HashMap<Uuid, Subscription>,
    slugs: HashMap<Arc<str>, Uuid>,
    policies: HashMap<Uuid, Permissions>,
    user_groups: HashMap<Uuid, Vec<Uuid>>,
    roles: HashMap<Uuid, RoleRow>,
    records: Slab<Record>,
    record_slots: HashMap<Vec<Source>, usize>,
    pub(super) people: People,
}

impl State {
    pub fn with_room_for(instances: usize) -> Self {
        Self { instances: Instances::with_room_for(instances), ..Self::default() }
    }

    pub fn len(&self) -> usize {
        self.instances.len()
    }

    pub fn subscription_id(&self, slug: &str) -> Option<Uuid> {
        self.slugs.get(slug).copied()
    }

    /// The first of `digests` that is one of an instance.
    pub fn find(&self, digests: &[Digest32], workspace: Option<&str>) -> Option<Found<'_>> {
        let known = |it| Some((it, self.instances.get(it)?));
        let (digest, it) = digests.iter().find_map(known)?;
        let group = self.groups.get(it.group as usize).filter(|it| !it.is_deleted)?;
        let subscription = self.subscriptions.get(&group.subscription)?;
        let record = self.records.get(group.record)?;
        let permissions = match workspace.map(|slug| subscription.workspaces.get(slug)) {
            None => Cow::Borrowed(&record.everywhere),
            Some(Some(id)) => Cow::Owned(record.access.permissions(Place::Workspace(*id))),
            Some(None) => Cow::Owned(Permissions::default()),
        };
        Some(Found {
            digest: *digest,
            instance: it.id,
            label: it.label,
            group: group.id,
            group_name: Cow::Borrowed(&group.name),
            client_id: Cow::Borrowed(&group.client_id),
            subscription: Cow::Borrowed(&subscription.slug),
            suspended: subscription.suspended,
            facts: it.facts()?,
            permissions,
        })
    }

    /// Digests of what the client's chosen secret could be, `most` at most: what is accepted now before
    /// what is not, then what ends last. As `verify/client_secrets.rs` asks the database for them.
    pub fn chosen(&self, client_id: &str, most: usize, now: DateTime<Utc>) -> Vec<Digest32> {
        let Some((group, secrets)) = self.chosen.of(client_id) else { return Vec::new() };
        if self.groups.get(group).is_none_or(|it| it.is_deleted) {
            return Vec::new();
        }
        let with_row = |it: &Secret| Some((*it, *self.instances.get(&it.digest)?));
        let mut found: Vec<(Secret, Instance)> = secrets.iter().filter_map(with_row).collect();
        found.retain(|(_, it)| !it.is_off());
        found.sort_unstable_by_key(|(_, it)| Reverse((it.ends_at(), it.id)));
        found.truncate(most);
        found.sort_by_key(|(_, it)| !(it.from..it.ends_at()).contains(&millis(now)));
        found.into_iter().filter(|(it, _)| it.is_ours).map(|(it, _)| it.digest).collect()
    }

    /// Brings all of it to what the batch says.
    pub fn apply(&mut self, batch: Batch) {
        self.people.apply(batch.people);
        for (id, row) in batch.subscriptions {
            self.set_subscription(id, row);
        }
        let mut touched = Touched::default();
        touched.policies.extend(batch.policies.keys());
        touched.sources.extend(batch.user_groups.keys().map(|it| Source::UserGroup(*it)));
        touched.sources.extend(batch.roles.keys().map(|it| Source::Role(*it)));
        for (id, set) in batch.policies {
            replace(&mut self.policies, id, set);
        }
        for (id, policies) in batch.user_groups {
            replace(&mut self.user_groups, id, (!policies.is_empty()).then_some(policies));
        }
        for (id, row) in batch.roles {
            replace(&mut self.roles, id, row);
        }
        let mut deleted = Vec::new();
        for (id, row) in batch.groups {
            match row {
                Some(row) => self.set_group(id, row),
                None => deleted.push(id),
            }
        }
        for (digest, row) in batch.instances {
            self.set_instance(digest, row);
        }
        for id in deleted {
            if let Some(slot) = self.group_slots.remove(&id) {
                self.groups[slot].is_deleted = true;
                self.free_group(slot);
            }
        }
        self.renew_records(&touched);
    }

    fn set_subscription(&mut self, id: Uuid, row: Option<SubscriptionRow>) {
        if let Some(old) = self.subscriptions.remove(&id)
            && self.slugs.get(&old.slug) == Some(&id)
        {
            self.slugs.remove(&old.slug);
        }
        let Some(SubscriptionRow { slug, suspended, workspaces }) = row else { return };
        let slug: Arc<str> = slug.into();
        self.slugs.insert(slug.clone(), id);
        self.subscriptions.insert(id, Subscription { slug, suspended, workspaces });
    }

    fn set_group(&mut self, id: Uuid, row: GroupRow) {
        let record = self.record(row.held);
        self.records[record].groups += 1;
        let group = Group {
            id,
            name: row.name.into(),
            client_id: row.client_id.into(),
            subscription: row.subscription,
            record,
            instances: 0,
            is_deleted: false,
        };
        match self.group_slots.get(&id) {
            Some(slot) => {
                let old = &mut self.groups[*slot];
                self.chosen.rename(*slot, &old.client_id, &group.client_id);
                let before = old.record;
                *old = Group { instances: old.instances, ..group };
                self.free_record(before);
            }
            None => {
                let slot = self.groups.insert(group);
                self.group_slots.insert(id, slot);
            }
        }
    }

    pub(super) fn set_instance(&mut self, digest: Digest32, row: Option<InstanceRow>) {
        // Without its group it is gone too, and the log says so soon.
        let known = row.and_then(|row| {
            let slot = *self.group_slots.get(&row.group)?;
            Some((slot, u32::try_from(slot).ok()?, row))
        });
        let chosen = known.as_ref().and_then(|(slot, _, row)| Some((*slot, row.chosen?)));
        let old = match known {
            Some((slot, group, row)) => {
                self.groups[slot].instances += 1;
                self.instances.insert(digest, Instance::of(&row, group))
            }
            None => self.instances.remove(&digest),
        };
        if let Some(old) = old {
            let slot = old.group as usize;
            self.chosen.remove(slot, &self.groups[slot].client_id, &digest);
            self.groups[slot].instances -= 1;
            self.free_group(slot);
        }
        if let Some((slot, is_ours)) = chosen {
            let secret = Secret { digest, is_ours };
            self.chosen.add(slot, &self.groups[slot].client_id, secret);
        }
    }

    fn free_group(&mut self, slot: usize) {
        let group = &self.groups[slot];
        if group.is_deleted && group.instances == 0 {
            let record = self.groups.remove(slot).record;
            self.free_record(record);
        }
    }

    /// The record of what is held, made if needed.
    fn record(&mut self, held: Vec<Source>) -> usize {
        if let Some(slot) = self.record_slots.get(&held) {
            return *slot;
        }
        let (access, everywhere) = self.access(&held);
        let record = Record { held: held.clone(), groups: 0, access, everywhere };
        let slot = self.records.insert(record);
        self.record_slots.insert(held, slot);
        slot
    }

    fn free_record(&mut self, slot: usize) {
        let record = &mut self.records[slot];
        record.groups -= 1;
        if record.groups == 0 {
            let held = self.records.remove(slot).held;
            self.record_slots.remove(&held);
        }
    }

    fn access(&self, held: &[Source]) -> (Access, Permissions) {
        let access: Access = held.iter().flat_map(|it| self.holdings(*it)).collect();
        let everywhere = access.permissions(Place::Subscription);
        (access, everywhere)
    }

    pub(super) fn holdings(&self, source: Source) -> Vec<Holding> {
        let one = |policy: &Uuid, workspace| {
            let permissions = self.policies.get(policy)?.clone();
            Some(Holding { source, policy: *policy, workspace, permissions })
        };
        match source {
            Source::Policy(id) => one(&id, None).into_iter().collect(),
            Source::UserGroup(id) => {
                let policies = self.user_groups.get(&id).into_iter().flatten();
                policies.filter_map(|it| one(it, None)).collect()
            }
            Source::Role(id) => {
                let role = self.roles.get(&id);
                role.and_then(|it| one(&it.policy, it.workspace)).into_iter().collect()
            }
        }
    }

    /// Computes anew what any of `touched` is in.
    fn renew_records(&mut self, touched: &Touched) {
        if touched.policies.is_empty() && touched.sources.is_empty() {
            return;
        }
        let concerned = |held: &[Source]| held.iter().any(|it| self.is_touched(*it, touched));
        let slots: Vec<usize> =
            self.records.iter().filter(|it| concerned(&it.1.held)).map(|it| it.0).collect();
        for slot in slots {
            let (access, everywhere) = self.access(&self.records[slot].held);
            let record = &mut self.records[slot];
            (record.access, record.everywhere) = (access, everywhere);
        }
    }

    fn is_touched(&self, source: Source, touched: &Touched) -> bool {
        let policy = |it: &Uuid| touched.policies.contains(it);
        let through = match source {
            Source::Policy(id) => policy(&id),
            Source::UserGroup(id) => {
                self.user_groups.get(&id).is_some_and(|it| it.iter().any(policy))
            }
            Source::Role(id) => self.roles.get(&id).is_some_and(|it| policy(&it.policy)),
        };
        through || touched.sources.contains(&source)
    }

    /// All of it in words and in order, to compare two of them.
    pub fn described(&self) -> BTreeMap<String, String> {
        let of_instance = |(digest, it): &(Digest32, Instance)| {
            let found = self.find(&[*digest], None);
            let group = self.groups.get(it.group as usize);
            let held = group.map(|it| &self.records[it.record].access.0);
            let found = found.map(|it| {
                let names = [&*it.group_name, &*it.client_id, &*it.subscription].join(" ");
                format!("{} {} {names} {} {:?}", it.group, it.label, it.suspended, it.facts)
            });
            (it.id.to_string(), format!("{found:?} {held:?}"))
        };
        let of_subscription = |(id, it): (&Uuid, &Subscription)| {
            let places: BTreeMap<_, _> = it.workspaces.iter().collect();
            (id.to_string(), format!("{} {} {places:?}", it.slug, it.suspended))
        };
        let counts = [self.group_slots.len(), self.groups.len(), self.records.len()];
        let counts = ("counts".to_owned(), format!("{counts:?}"));
        let instances = self.instances.iter().map(of_instance);
        let all = instances.chain(self.subscriptions.iter().map(of_subscription));
        let all = all.chain(self.chosen.described()).chain(self.people.described());
        all.chain([counts]).collect()
    }
}

#[derive(Default)]
struct Touched {
    policies: std::collections::HashSet<Uuid>,
    sources: std::collections::HashSet<Source>,
}

pub(super) fn replace<T>(all: &mut HashMap<Uuid, T>, id: Uuid, now: Option<T>) {
    match now {
        Some(it) => all.insert(id, it),
        None => all.remove(&id),
    };
}
