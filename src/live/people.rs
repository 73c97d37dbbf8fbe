//! Personal keys in memory: whose they are, and of what their people are members now.
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use uuid::Uuid;

use super::state::{State, replace};
use crate::{
    domain::{
        Access, Permissions,
        access::{Place, Source},
    },
    personal_keys::token::PublicKey,
};

/// A personal key.
#[derive(Clone, Debug)]
pub struct KeyRow {
    pub user: Uuid,
    /// Read once; `None`: what is stored is none.
    pub public_key: Option<PublicKey>,
    pub until: Option<i64>,
    /// The subscription and the id of each user group that its claims name.
    pub named: Vec<(Uuid, Uuid)>,
}

/// Somebody who has an account, with or without keys.
#[derive(Clone, Debug)]
pub struct PersonRow {
    pub email: Arc<str>,
    /// The subscriptions that the person is a member of.
    pub subscriptions: HashSet<Uuid>,
    pub user_groups: HashSet<Uuid>,
}

/// What has changed, as it is now; `None`: it is gone.
#[derive(Default)]
pub struct PeopleBatch {
    pub keys: BTreeMap<Uuid, Option<KeyRow>>,
    pub people: BTreeMap<Uuid, Option<PersonRow>>,
}

#[derive(Default)]
pub struct People {
    keys: HashMap<Uuid, KeyRow>,
    people: HashMap<Uuid, PersonRow>,
}

/// A known personal key, and all that decides about it.
pub struct FoundPerson {
    pub user: Uuid,
    pub public_key: Option<PublicKey>,
    pub email: Arc<str>,
    pub until: Option<i64>,
    /// Of the subscription that is meant.
    pub is_member: bool,
    /// The subscription that is meant.
    pub is_suspended: bool,
    /// Through user groups that the claims have and that the person is in now.
    pub permissions: Permissions,
}

impl People {
    pub fn apply(&mut self, batch: PeopleBatch) {
        for (id, row) in batch.keys {
            replace(&mut self.keys, id, row);
        }
        for (id, row) in batch.people {
            replace(&mut self.people, id, row);
        }
    }

    /// All of it in words, to compare.
    pub fn described(&self) -> impl Iterator<Item = (String, String)> {
        let keys = self.keys.iter().map(|(id, it)| {
            let mut named = it.named.clone();
            named.sort_unstable();
            let public_key = it.public_key.as_ref().map(PublicKey::as_bytes);
            let text = format!("{} {public_key:?} {:?} {named:?}", it.user, it.until);
            (format!("personal key {id}"), text)
        });
        let people = self.people.iter().map(|(id, it)| {
            let [mut subscriptions, mut user_groups] =
                [&it.subscriptions, &it.user_groups].map(|it| it.iter().collect::<Vec<_>>());
            subscriptions.sort_unstable();
            user_groups.sort_unstable();
            (format!("person {id}"), format!("{} {subscriptions:?} {user_groups:?}", it.email))
        });
        keys.chain(people)
    }
}

impl State {
    /// The personal key with this id, in the subscription that is meant and at a place in it.
    pub fn person(
        &self,
        key: Uuid,
        slug: Option<&str>,
        workspace: Option<&str>,
    ) -> Option<FoundPerson> {
        let key = self.people.keys.get(&key)?;
        let person = self.people.people.get(&key.user)?;
        let id = slug.and_then(|it| self.subscription_id(it));
        let subscription = id.and_then(|it| self.subscriptions.get(&it));
        let is_member = id.is_some_and(|it| person.subscriptions.contains(&it));
        let place = match (workspace, subscription) {
            (None, _) => Place::Subscription,
            (Some(slug), Some(it)) => {
                it.workspaces.get(slug).map_or(Place::Nowhere, |it| Place::Workspace(*it))
            }
            (Some(_), None) => Place::Nowhere,
        };
        let counts = |(of, user_group): &&(Uuid, Uuid)| {
            is_member && Some(*of) == id && person.user_groups.contains(user_group)
        };
        let user_groups = key.named.iter().filter(counts).map(|it| Source::UserGroup(it.1));
        let access: Access = user_groups.flat_map(|it| self.holdings(it)).collect();
        Some(FoundPerson {
            user: key.user,
            public_key: key.public_key,
            email: person.email.clone(),
            until: key.until,
            is_member,
            is_suspended: subscription.is_some_and(|it| it.suspended),
            permissions: access.permissions(place),
        })
    }

    /// Of each of these subscriptions that the person is a member of, whether it is suspended.
    pub fn places_of(&self, user: Uuid, slugs: &[&str]) -> Vec<bool> {
        let Some(person) = self.people.people.get(&user) else { return Vec::new() };
        let ids = slugs.iter().filter_map(|it| self.subscription_id(it));
        let own = ids.filter(|id| person.subscriptions.contains(id));
        own.map(|id| self.subscriptions.get(&id).is_none_or(|it| it.suspended)).collect()
    }
}
