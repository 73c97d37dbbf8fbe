//! What has come in since the last batch, in memory: small, and nothing is copied for a call that is like
//! the one before.
use std::{collections::hash_map::Entry, net::IpAddr, sync::Arc};

use foldhash::HashMap;
use uuid::Uuid;

use super::{Call, HOUR};
use crate::domain::Denial;

/// Key group, permission, day since 1970.
pub(super) type Asked = (Uuid, Box<str>, i32);

/// Accepted calls by key group and day, and by what they asked for.
type ByPermission = HashMap<(Uuid, i32), HashMap<Box<str>, i64>>;

/// By instance and hour.
pub(super) type Uses = HashMap<(Uuid, i64), Pending>;

#[derive(Default)]
pub(super) struct Batch {
    pub uses: Uses,
    asked: ByPermission,
    /// The last accepted call of each personal key.
    pub personal: HashMap<Uuid, Last>,
    /// Many calls come from the same program.
    agent: Arc<str>,
}

/// Calls of an instance within an hour.
pub(super) struct Pending {
    pub group: Uuid,
    pub accepted: i64,
    pub refused: i64,
    pub last_accepted: Option<Last>,
    pub last_refused: Option<Box<Refused>>,
}

/// The last accepted call.
pub(super) struct Last {
    pub at: i64,
    pub from: IpAddr,
    pub agent: Arc<str>,
}

/// The last refused call.
pub(super) struct Refused {
    pub at: i64,
    pub from: IpAddr,
    pub denial: Denial,
    /// What it asked for, if that was why.
    pub asked: Option<String>,
}

impl Pending {
    fn of(group: Uuid) -> Self {
        Self { group, accepted: 0, refused: 0, last_accepted: None, last_refused: None }
    }

    fn merge(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        let accepted = self.last_accepted.take().into_iter().chain(other.last_accepted);
        self.last_accepted = accepted.max_by_key(|it| it.at);
        let refused = self.last_refused.take().into_iter().chain(other.last_refused);
        self.last_refused = refused.max_by_key(|it| it.at);
    }
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.uses.is_empty() && self.asked.is_empty() && self.personal.is_empty()
    }

    /// `n` calls of an instance and its group.
    pub fn note(&mut self, (instance, group): (Uuid, Uuid), call: Call<'_>, n: i64, at: i64) {
        let key = (instance, at / HOUR);
        let pending = self.uses.entry(key).or_insert_with(|| Pending::of(group));
        if let Some(denial) = call.denial {
            pending.refused += n;
            if pending.last_refused.as_ref().is_none_or(|it| it.at <= at) {
                let asked = call.lacking();
                let last = Refused { at, from: call.from, denial, asked };
                pending.last_refused = Some(Box::new(last));
            }
            return;
        }
        pending.accepted += n;
        put(&mut pending.last_accepted, &mut self.agent, call, at);
        if let Some(permission) = call.asked {
            let asked = self.asked.entry((group, day_of(at))).or_default();
            match asked.get_mut(permission) {
                Some(count) => *count += n,
                None => drop(asked.insert(permission.into(), n)),
            }
        }
    }

    /// An accepted call with a personal key.
    pub fn note_personal(&mut self, key: Uuid, call: Call<'_>, at: i64) {
        let mut last = self.personal.remove(&key);
        put(&mut last, &mut self.agent, call, at);
        self.personal.extend(last.map(|it| (key, it)));
    }

    pub fn add(&mut self, other: Self) {
        for (key, it) in other.uses {
            match self.uses.entry(key) {
                Entry::Occupied(mut known) => known.get_mut().merge(it),
                Entry::Vacant(free) => drop(free.insert(it)),
            }
        }
        self.add_asked(listed(other.asked));
        for (key, it) in other.personal {
            let known = self.personal.remove(&key).into_iter().chain([it]);
            self.personal.extend(known.max_by_key(|it| it.at).map(|it| (key, it)));
        }
    }

    /// Takes them out, the first in order at the end: nodes that write the same rows must not wait for
    /// each other.
    pub fn take_asked(&mut self) -> Vec<(Asked, i64)> {
        let mut all: Vec<_> = listed(std::mem::take(&mut self.asked)).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all
    }

    pub fn add_asked(&mut self, all: impl Iterator<Item = (Asked, i64)>) {
        for ((group, permission, day), n) in all {
            *self.asked.entry((group, day)).or_default().entry(permission).or_default() += n;
        }
    }
}

fn listed(asked: ByPermission) -> impl Iterator<Item = (Asked, i64)> {
    asked.into_iter().flat_map(|((group, day), counts)| {
        counts.into_iter().map(move |(permission, n)| ((group, permission, day), n))
    })
}

/// Since 1970.
fn day_of(at: i64) -> i32 {
    i32::try_from(at / HOUR / 24).unwrap_or(i32::MAX)
}

/// Unless what is there is later. `agent` is the last one that was seen.
fn put(last: &mut Option<Last>, agent: &mut Arc<str>, call: Call<'_>, at: i64) {
    if last.as_ref().is_some_and(|it| it.at > at) {
        return;
    }
    match last {
        Some(it) if *it.agent == *call.agent => (it.at, it.from) = (at, call.from),
        _ => {
            if **agent != *call.agent {
                *agent = call.agent.into();
            }
            *last = Some(Last { at, from: call.from, agent: agent.clone() });
        }
    }
}
