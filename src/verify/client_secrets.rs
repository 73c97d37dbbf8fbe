//! Whether a client secret that a user chose is the right one (document 001): argon2id in a pool of
//! its own, and a memory of what was proved. It remembers proofs, never a state: which secrets the
//! client has is looked at in each verification, in the live state or in the database.
use std::{collections::HashMap, net::IpAddr, sync::Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use hmac::Hmac;
use rand::{TryRng, rngs::SysRng};
use sea_orm::{QueryOrder, QuerySelect, entity::prelude::*};
use sha2::Sha256;

use crate::{
    clock::millis,
    error::{Error, Result},
    http::App,
    key_groups::entity as groups,
    key_instances::entity as instances,
    pepper::{Digest32, mac, mac_key},
    throttle,
    users::{Password, Passwords},
};

/// How long after its last use a proof is remembered.
const PROVED_FOR: TimeDelta = TimeDelta::seconds(60);
/// Wrong secrets for one client from one address in a minute; more are not looked at.
const MOST_FAILURES: u32 = 30;
const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// Entries of each memory.
const MOST_REMEMBERED: usize = 10_000;
/// Secrets of one client that are tried: the live ones, which are two at most, or what ended last.
const TRIED: usize = 2;

pub struct ClientSecrets {
    pool: Passwords,
    /// Of this process alone.
    key: Hmac<Sha256>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// Until when, and which of the client's secrets it is.
    proved: HashMap<Digest32, (i64, usize)>,
    /// Until when what was none of the client's secrets is still none. Who goes on with an old one is no guesser:
    /// it counts once, and the client's others are not held up.
    refuted: HashMap<Digest32, i64>,
    /// Since when, and how many.
    failures: HashMap<Digest32, (i64, u32)>,
}

impl ClientSecrets {
    pub fn new(passwords: &Passwords) -> Self {
        let mut key = [0; 32];
        SysRng.try_fill_bytes(&mut key).expect("the operating system's generator works");
        let (pool, key) = (passwords.beside(1, 16), mac_key(&key));
        Self { pool, key, memory: Mutex::default() }
    }

    /// The PHC text to store.
    pub(crate) async fn hash(&self, secret: Password) -> Result<String> {
        self.pool.hash(secret).await
    }

    /// Whether a secret is behind any of these hashes.
    pub(crate) async fn is_one_of(&self, hashes: Vec<String>, secret: Password) -> Result<bool> {
        if hashes.is_empty() {
            return Ok(false);
        }
        let hashes = hashes.into_iter().map(Some).collect();
        Ok(self.pool.which(hashes, secret).await?.is_some())
    }

    fn name(&self, parts: &[&[u8]]) -> Digest32 {
        mac(&self.key, parts)
    }

    /// A proof that was made before counts once more from now on.
    fn recall(&self, proof: Digest32, now: DateTime<Utc>) -> Option<usize> {
        let mut memory = self.memory.lock().expect("no holder of this lock panics");
        let (until, which) = memory.proved.get_mut(&proof).filter(|it| millis(now) < it.0)?;
        *until = millis(now + PROVED_FOR);
        Some(*which)
    }

    fn remember(&self, proof: Digest32, which: usize, now: DateTime<Utc>) {
        let mut memory = self.memory.lock().expect("no holder of this lock panics");
        make_room(&mut memory.proved, |it| millis(now) < it.0);
        memory.proved.insert(proof, (millis(now + PROVED_FOR), which));
    }

    /// The same of what was found to be none.
    fn is_refuted(&self, proof: Digest32, now: DateTime<Utc>) -> bool {
        let mut memory = self.memory.lock().expect("no holder of this lock panics");
        let until = memory.refuted.get_mut(&proof).filter(|it| millis(now) < **it);
        until.map(|it| *it = millis(now + PROVED_FOR)).is_some()
    }

    /// Gives whether that is news: of several that ask at once, one counts.
    fn refute(&self, proof: Digest32, now: DateTime<Utc>) -> bool {
        let mut memory = self.memory.lock().expect("no holder of this lock panics");
        make_room(&mut memory.refuted, |it| millis(now) < *it);
        let known = memory.refuted.insert(proof, millis(now + PROVED_FOR));
        known.is_none_or(|until| until <= millis(now))
    }

    /// Refuses to look where too much was wrong.
    fn admit(&self, who: Digest32, now: DateTime<Utc>) -> Result<()> {
        let memory = self.memory.lock().expect("no holder of this lock panics");
        match memory.failures.get(&who) {
            Some((since, n)) if *n >= MOST_FAILURES && is_recent(*since, now) => {
                let wait = *since - millis(now - WINDOW);
                Err(Error::TooMany(Ord::max(wait / 1_000, 1)))
            }
            _ => Ok(()),
        }
    }

    fn count_failure(&self, who: Digest32, now: DateTime<Utc>) {
        let mut memory = self.memory.lock().expect("no holder of this lock panics");
        make_room(&mut memory.failures, |it| is_recent(it.0, now));
        let count = memory.failures.entry(who).or_insert((millis(now), 0));
        if !is_recent(count.0, now) {
            *count = (millis(now), 0);
        }
        count.1 += 1;
    }
}

/// Also before `now` comes to it: threads read the clock at their own instants. A clock that was set back by more
/// leaves nobody waiting for its return.
fn is_recent(since: i64, now: DateTime<Utc>) -> bool {
    (millis(now - WINDOW) + 1..millis(now + WINDOW)).contains(&since)
}

/// What is full forgets what is over, or all: then some work is done once more.
fn make_room<V>(memory: &mut HashMap<Digest32, V>, holds: impl Fn(&V) -> bool) {
    if memory.len() >= MOST_REMEMBERED {
        memory.retain(|_, it| holds(it));
    }
    if memory.len() >= MOST_REMEMBERED {
        memory.clear();
    }
}

/// The digest of the instance whose secret this is. Whether it may be used is not asked here.
pub(super) async fn find(
    app: &App,
    (client_id, secret): (&str, &str),
    from: IpAddr,
    now: DateTime<Utc>,
) -> Result<Option<Digest32>> {
    let ours = &app.client_secrets;
    let mut stored = None;
    let digests = match app.live.chosen(client_id, TRIED, now) {
        Some(digests) => digests,
        None => digests_of(stored.insert(candidates(app, client_id, now).await?)),
    };
    // Of exactly these secrets: one more, or one that ends, and it is proved anew which it is. That is
    // also why the hash is not needed here. A digest is a MAC of its hash under the pepper, and is
    // among these only while the stored hash is that one. What was proved is thus that the secret is
    // behind the very hash that is stored now; with another hash in its row the digest is not among
    // these, the proof has another name, and nothing is recalled.
    let proof = |digests: &[Digest32]| {
        let parts = [b"proof", &*digests.concat(), client_id.as_bytes(), secret.as_bytes()];
        ours.name(&parts)
    };
    if let Some(n) = ours.recall(proof(&digests), now) {
        return Ok(digests.get(n).copied());
    }
    if ours.is_refuted(proof(&digests), now) {
        return Ok(None);
    }
    let network = throttle::network(from);
    let who = ours.name(&[b"who", client_id.as_bytes(), network.as_bytes()]);
    ours.admit(who, now)?;
    let known = match stored {
        Some(known) => known,
        None => candidates(app, client_id, now).await?,
    };
    let digests = digests_of(&known);
    let mut hashes: Vec<_> = known.into_iter().map(|it| Some(it.1)).collect();
    // Whoever has fewer, or does not exist, takes as long.
    hashes.resize(TRIED, None);
    let typed = Password::new(secret.to_owned());
    let Some(n) = ours.pool.which(hashes, typed).await? else {
        if ours.refute(proof(&digests), now) {
            ours.count_failure(who, now);
        }
        return Ok(None);
    };
    ours.remember(proof(&digests), n, now);
    Ok(digests.get(n).copied())
}

fn digests_of(known: &[(Digest32, String)]) -> Vec<Digest32> {
    known.iter().map(|it| it.0).collect()
}

/// Digests and hashes of what the client's secret could be: what is accepted now before what is not,
/// then what ends last. A hash that was not written under our pepper is none.
async fn candidates(
    app: &App,
    client_id: &str,
    now: DateTime<Utc>,
) -> Result<Vec<(Digest32, String)>> {
    let own = groups::Entity::find()
        .select_only()
        .column(groups::Column::Id)
        .filter(groups::COLUMN.client_id.eq(client_id));
    let Some(group) = own.into_tuple::<Uuid>().one(app.db.read()).await? else {
        return Ok(Vec::new());
    };
    let mut rows: Vec<(Vec<u8>, Option<String>, i64, i64)> = instances::Entity::find()
        .select_only()
        .column(instances::Column::Digest)
        .column(instances::Column::SecretHash)
        .column(instances::Column::ActiveFrom)
        .column(instances::Column::EndsAt)
        .filter(instances::COLUMN.key_group_id.eq(group))
        .filter(instances::COLUMN.is_off.eq(false))
        .filter(instances::COLUMN.secret_hash.is_not_null())
        .order_by_desc(instances::Column::EndsAt)
        .order_by_desc(instances::Column::Id)
        .limit(TRIED as u64)
        .into_tuple()
        .all(app.db.read())
        .await?;
    // Two secrets of one text must not hide each other.
    rows.sort_by_key(|it| !(it.2..it.3).contains(&millis(now)));
    let known = |(digest, hash, ..): (Vec<u8>, Option<String>, i64, i64)| {
        let hash = hash.filter(|it| app.peppers.is_hash_digest(it, &digest))?;
        Some((digest.try_into().ok()?, hash))
    };
    Ok(rows.into_iter().filter_map(known).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> ClientSecrets {
        ClientSecrets::new(&Passwords::new([1; 32]))
    }

    #[test]
    fn a_proof_is_forgotten_a_minute_after_its_last_use() {
        let (it, start) = (secrets(), DateTime::UNIX_EPOCH);
        let after = |seconds| start + TimeDelta::seconds(seconds);
        it.remember([1; 32], 1, start);
        let recalled = [59, 118, 178].map(|seconds| it.recall([1; 32], after(seconds)));
        assert_eq!(recalled, [Some(1), Some(1), None]);
        assert_eq!(it.recall([2; 32], after(1)), None);
    }

    #[test]
    fn what_was_wrong_stays_wrong_for_a_minute_after_its_last_use() {
        let (it, start) = (secrets(), DateTime::UNIX_EPOCH);
        let after = |seconds| start + TimeDelta::seconds(seconds);
        assert_eq!([0, 59].map(|seconds| it.refute([1; 32], after(seconds))), [true, false]);
        it.refute([1; 32], start);
        let refuted = [59, 118, 178].map(|seconds| it.is_refuted([1; 32], after(seconds)));
        assert_eq!(refuted, [true, true, false]);
        assert!(!it.is_refuted([2; 32], start));
        assert_eq!(it.recall([1; 32], start), None);
    }

    #[test]
    fn after_thirty_wrong_secrets_a_caller_waits_for_the_minute_to_end() {
        let (it, start) = (secrets(), DateTime::UNIX_EPOCH);
        (0..MOST_FAILURES).for_each(|_| it.count_failure([1; 32], start));
        let later = start + TimeDelta::seconds(20);
        assert!(matches!(it.admit([1; 32], later), Err(Error::TooMany(40))));
        assert!(it.admit([2; 32], later).is_ok());
        assert!(it.admit([1; 32], start + WINDOW).is_ok());
    }

    #[test]
    fn the_memory_never_grows_beyond_its_bound() {
        let (it, start) = (secrets(), DateTime::UNIX_EPOCH);
        for n in 0..2 * MOST_REMEMBERED as u64 {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&n.to_be_bytes());
            it.remember(name, 0, start);
        }
        assert!(it.memory.lock().unwrap().proved.len() <= MOST_REMEMBERED);
    }
}
