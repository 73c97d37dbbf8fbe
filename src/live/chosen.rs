//! Which clients have a secret that a user chose (document 001). Whoever has none takes no room here.
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::pepper::Digest32;

/// By the slot of the client's group.
#[derive(Default)]
pub struct Chosen {
    secrets: HashMap<usize, Vec<Secret>>,
    clients: HashMap<Arc<str>, usize>,
}

/// The hash stays in the database: it is needed only where argon2id runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret {
    pub digest: Digest32,
    /// Whether the hash was written under our pepper; otherwise it opens nothing.
    pub is_ours: bool,
}

impl Chosen {
    /// The group of the client with this id, and its chosen secrets.
    pub fn of(&self, client_id: &str) -> Option<(usize, &[Secret])> {
        let group = *self.clients.get(client_id)?;
        Some((group, self.secrets.get(&group)?))
    }

    /// All of it in words, to compare.
    pub fn described(&self) -> impl Iterator<Item = (String, String)> {
        self.clients.iter().map(|(id, group)| {
            let secrets: BTreeSet<_> = self.secrets.get(group).into_iter().flatten().collect();
            (format!("secrets of {id}"), format!("{secrets:?}"))
        })
    }

    pub fn add(&mut self, group: usize, client_id: &Arc<str>, secret: Secret) {
        self.clients.insert(client_id.clone(), group);
        self.secrets.entry(group).or_default().push(secret);
    }

    pub fn remove(&mut self, group: usize, client_id: &str, digest: &Digest32) {
        let Some(secrets) = self.secrets.get_mut(&group) else { return };
        secrets.retain(|it| it.digest != *digest);
        if secrets.is_empty() {
            self.secrets.remove(&group);
            self.forget(group, client_id);
        }
    }

    /// The client has another id now.
    pub fn rename(&mut self, group: usize, from: &str, to: &Arc<str>) {
        if from != &**to && self.secrets.contains_key(&group) {
            self.forget(group, from);
            self.clients.insert(to.clone(), group);
        }
    }

    /// Unless the id belongs to another client by now.
    fn forget(&mut self, group: usize, client_id: &str) {
        if self.clients.get(client_id) == Some(&group) {
            self.clients.remove(client_id);
        }
    }
}
