//! All instances by the digest of their secret: side by side, and an index of 5 bytes for each.
use hashbrown::HashTable;
use uuid::Uuid;

use super::state::InstanceRow;
use crate::{
    clock::instant,
    domain::{ActivePeriod, Facts},
    pepper::Digest32,
};

/// `None` in 8 bytes: no instant of a key lies there.
const NEVER: i64 = i64::MIN;

/// What is stored of an instance: 56 bytes, of which there may be a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    pub id: Uuid,
    pub label: i32,
    pub group: u32,
    pub from: i64,
    until: i64,
    deactivated_at: i64,
    revoked_at: i64,
}

impl Instance {
    pub fn of(it: &InstanceRow, group: u32) -> Self {
        Self {
            id: it.id,
            label: it.label,
            group,
            from: it.from,
            until: it.until.unwrap_or(NEVER),
            deactivated_at: it.deactivated_at.unwrap_or(NEVER),
            revoked_at: it.revoked_at.unwrap_or(NEVER),
        }
    }

    /// As the database keeps it in a column of this name.
    pub fn is_off(&self) -> bool {
        self.deactivated_at != NEVER && self.revoked_at == NEVER
    }

    /// The effective end, as the database keeps it in a column of this name.
    pub fn ends_at(&self) -> i64 {
        let ends = [self.until, self.revoked_at].into_iter().filter(|it| *it != NEVER);
        ends.min().unwrap_or(i64::MAX)
    }

    pub fn facts(&self) -> Option<Facts> {
        let at = |it: i64| (it != NEVER).then(|| instant(it));
        Some(Facts {
            period: ActivePeriod::new(instant(self.from), at(self.until)).ok()?,
            deactivated_at: at(self.deactivated_at),
            revoked_at: at(self.revoked_at),
        })
    }
}

#[derive(Default)]
pub struct Instances {
    /// Places in `all`, by digest.
    index: HashTable<u32>,
    all: Vec<(Digest32, Instance)>,
}

/// A digest is a keyed hash already, whose key nobody outside knows.
fn hash(digest: &Digest32) -> u64 {
    let (first, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    u64::from_le_bytes(*first)
}

impl Instances {
    pub fn with_room_for(n: usize) -> Self {
        Self { index: HashTable::with_capacity(n), all: Vec::with_capacity(n) }
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &(Digest32, Instance)> {
        self.all.iter()
    }

    pub fn get(&self, digest: &Digest32) -> Option<&Instance> {
        let is_it = |at: &u32| self.all[*at as usize].0 == *digest;
        let at = self.index.find(hash(digest), is_it)?;
        Some(&self.all[*at as usize].1)
    }

    /// Gives what was there before.
    pub fn insert(&mut self, digest: Digest32, it: Instance) -> Option<Instance> {
        let all = &mut self.all;
        if let Some(at) = self.index.find(hash(&digest), |at| all[*at as usize].0 == digest) {
            return Some(std::mem::replace(&mut all[*at as usize].1, it));
        }
        let at = u32::try_from(all.len()).expect("memory has no room for four billion of them");
        all.push((digest, it));
        self.index.insert_unique(hash(&digest), at, |at| hash(&all[*at as usize].0));
        None
    }

    /// The last one takes its place.
    pub fn remove(&mut self, digest: &Digest32) -> Option<Instance> {
        let all = &mut self.all;
        let found = self.index.find_entry(hash(digest), |at| all[*at as usize].0 == *digest);
        let (place, _) = found.ok()?.remove();
        let last = all.len() - 1;
        if place as usize != last {
            let moved = self.index.find_mut(hash(&all[last].0), |at| *at as usize == last);
            *moved.expect("each of them is in the index") = place;
        }
        Some(all.swap_remove(place as usize).1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn digest(n: u8) -> Digest32 {
        let mut digest = [0; 32];
        // Some begin alike, as two keyed hashes hardly ever do.
        (digest[0], digest[31]) = (n % 8, n);
        digest
    }

    fn labelled(label: i32) -> Instance {
        let (id, ever) = (Uuid::nil(), NEVER);
        let (from, until, deactivated_at, revoked_at) = (0, ever, ever, ever);
        Instance { id, label, group: 0, from, until, deactivated_at, revoked_at }
    }

    /// One is inserted, or removed.
    fn act() -> impl Strategy<Value = (Digest32, Option<Instance>)> {
        let new = any::<Option<i32>>().prop_map(|it| it.map(labelled));
        ((0..32_u8).prop_map(digest), new)
    }

    proptest! {
        #[test]
        fn they_are_found_as_in_a_map(acts in prop::collection::vec(act(), 0..200)) {
            let (mut ours, mut map) = (Instances::default(), HashMap::new());
            for (digest, new) in acts {
                match new {
                    Some(it) => prop_assert_eq!(ours.insert(digest, it), map.insert(digest, it)),
                    None => prop_assert_eq!(ours.remove(&digest), map.remove(&digest)),
                }
                prop_assert_eq!(ours.len(), map.len());
                for n in 0..32 {
                    prop_assert_eq!(ours.get(&self::digest(n)), map.get(&self::digest(n)));
                }
            }
            let all: HashMap<_, _> = ours.iter().copied().collect();
            prop_assert_eq!(all, map);
        }
    }
}
