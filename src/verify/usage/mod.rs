//! Who used which key when: gathered in memory, written in batches at most 10 seconds late and at
//! shutdown. Never one write per call, never going backwards. A crash loses the last batch only.
pub(crate) mod entity;
mod personal;
mod read;
mod write;

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub(crate) use self::read::by_permission;
pub use self::read::{Calls, Recent, days_with_calls, last_day, last_hours, of_groups};
pub(crate) use self::write::forget_groups;
pub use self::write::prune;
use super::Holder;
use crate::{clock::millis, db::Db, domain::Denial, error::Result};

/// Between two batches.
pub const FLUSH_EVERY: Duration = Duration::from_secs(5);
const HOUR: i64 = 3_600_000;

/// One call with a known key.
#[derive(Clone, Debug)]
pub struct Call {
    /// `None`: it was accepted.
    pub denial: Option<Denial>,
    pub from: IpAddr,
    /// The user agent, or `x-bs-clientid` (document 000).
    pub agent: String,
    /// The permission that it asked for; of a refused call also where: `orders:write in emea`.
    pub asked: Option<String>,
}

/// Threads that count without waiting for each other; where there are more, some share.
const SHARDS: usize = 64;

/// What has come in since the last batch. Each thread has a part of its own, so that its lock is free
/// unless a batch is just taken.
pub struct Recorder([Mutex<Batch>; SHARDS]);

impl Default for Recorder {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

thread_local! {
    static SHARD: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

#[derive(Default)]
struct Batch {
    /// By instance and hour.
    uses: HashMap<(Uuid, i64), Pending>,
    /// Accepted calls by what they asked for.
    asked: HashMap<Asked, i64>,
    /// The last accepted call of each personal key.
    personal: HashMap<Uuid, (i64, Call)>,
}

/// Key group, permission, day since 1970.
type Asked = (Uuid, String, i32);

#[derive(Clone)]
struct Pending {
    group: Uuid,
    accepted: i64,
    refused: i64,
    last_accepted: Option<(i64, Call)>,
    last_refused: Option<(i64, Call)>,
}

impl Pending {
    fn of(group: Uuid) -> Self {
        Self { group, accepted: 0, refused: 0, last_accepted: None, last_refused: None }
    }

    fn merge(&mut self, later: Self) {
        self.accepted += later.accepted;
        self.refused += later.refused;
        self.last_accepted = newest(self.last_accepted.take(), later.last_accepted);
        self.last_refused = newest(self.last_refused.take(), later.last_refused);
    }
}

fn newest(a: Option<(i64, Call)>, b: Option<(i64, Call)>) -> Option<(i64, Call)> {
    a.into_iter().chain(b).max_by_key(|it| it.0)
}

impl Recorder {
    pub fn note(&self, holder: &Holder, call: Call, now: DateTime<Utc>) {
        self.note_many((holder.instance, holder.group), call, 1, now);
    }

    /// `n` calls at once, of an instance and its group.
    pub fn note_many(
        &self,
        (instance, group): (Uuid, Uuid),
        call: Call,
        n: i64,
        now: DateTime<Utc>,
    ) {
        let at = millis(now);
        let mut one = Pending::of(group);
        let asked = call.asked.clone().filter(|_| call.denial.is_none());
        if call.denial.is_none() {
            (one.accepted, one.last_accepted) = (n, Some((at, call)));
        } else {
            (one.refused, one.last_refused) = (n, Some((at, call)));
        }
        let mut all = self.own();
        let key = (instance, at / HOUR);
        all.uses.entry(key).or_insert_with(|| Pending::of(group)).merge(one);
        if let Some(permission) = asked {
            let day = i32::try_from(at / HOUR / 24).unwrap_or(i32::MAX);
            *all.asked.entry((group, permission, day)).or_default() += n;
        }
    }

    /// An accepted call with a personal key.
    pub fn note_personal(&self, key: Uuid, call: Call, now: DateTime<Utc>) {
        self.own().keep_personal(key, (millis(now), call));
    }

    /// Writes what has come in. What cannot be written is kept for the next time.
    pub async fn flush(&self, db: &Db, now: DateTime<Utc>) -> Result<()> {
        let mut batch = Batch::default();
        for shard in &self.0 {
            batch.add(std::mem::take(&mut *locked(shard)));
        }
        if batch.uses.is_empty() && batch.asked.is_empty() && batch.personal.is_empty() {
            return Ok(());
        }
        let written = write_all(db, &mut batch, now).await;
        if written.is_err() {
            self.own().add(batch);
        }
        written
    }

    fn own(&self) -> MutexGuard<'_, Batch> {
        locked(&self.0[SHARD.with(|it| *it)])
    }
}

fn locked(shard: &Mutex<Batch>) -> MutexGuard<'_, Batch> {
    shard.lock().expect("no holder of this lock panics")
}

impl Batch {
    fn add(&mut self, other: Self) {
        for (key, it) in other.uses {
            match self.uses.entry(key) {
                Entry::Occupied(mut known) => known.get_mut().merge(it),
                Entry::Vacant(free) => drop(free.insert(it)),
            }
        }
        for (key, n) in other.asked {
            *self.asked.entry(key).or_default() += n;
        }
        for (key, last) in other.personal {
            self.keep_personal(key, last);
        }
    }

    fn keep_personal(&mut self, key: Uuid, last: (i64, Call)) {
        let known = self.personal.remove(&key);
        self.personal.extend(newest(known, Some(last)).map(|it| (key, it)));
    }
}

/// Leaves in `batch` what would have to be written again.
async fn write_all(db: &Db, batch: &mut Batch, now: DateTime<Utc>) -> Result<()> {
    // In order: nodes that write the same rows must not wait for each other.
    let mut keys: Vec<_> = batch.uses.keys().copied().collect();
    keys.sort_unstable();
    for keys in keys.chunks(write::CHUNK) {
        let rows: Vec<_> = keys.iter().map(|it| (it, &batch.uses[it])).collect();
        write::instances(db, &rows).await?;
        // Counted. Times may be written twice: they never go backwards.
        for it in keys {
            batch.uses.entry(*it).and_modify(|it| (it.accepted, it.refused) = (0, 0));
        }
    }
    let mut asked: Vec<_> = batch.asked.drain().collect();
    asked.sort_unstable_by(|a, b| b.cmp(a)); // taken from the end
    while !asked.is_empty() {
        let mut chunk = asked.split_off(asked.len().saturating_sub(write::CHUNK));
        chunk.reverse();
        if let Err(error) = write::asked(db, &chunk).await {
            batch.asked.extend(asked.into_iter().chain(chunk));
            return Err(error);
        }
    }
    write::groups(db, &batch.uses, now).await?;
    personal::write(db, &batch.personal).await
}
