//! Who used which key when: gathered in memory, written in batches at most 10 seconds late and at
//! shutdown. Never one write per call, never going backwards. A crash loses the last batch only.
mod batch;
pub(crate) mod entity;
mod personal;
mod read;
mod write;

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use self::batch::Batch;
pub(crate) use self::read::by_permission;
pub use self::read::{Calls, Recent, days_with_calls, last_day, last_hours, of_groups};
pub(crate) use self::write::forget_groups;
pub use self::write::prune;
use super::Holder;
use crate::{clock::millis, db::Db, domain::Denial, error::Result, per_thread::PerThread};

/// How late a call is written at most, while no batch takes a second longer than the one before.
pub const LATEST: Duration = Duration::from_secs(10);
const HOUR: i64 = 3_600_000;

/// One call with a known key.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// `None`: it was accepted.
    pub denial: Option<Denial>,
    pub from: IpAddr,
    /// The user agent, or `x-bs-clientid` (document 000).
    pub agent: &'a str,
    /// The permission that it asked for, and the workspace in which.
    pub asked: Option<&'a str>,
    pub workspace: Option<&'a str>,
}

impl Call<'_> {
    /// What the caller asked for and may not do: `orders:write in emea`.
    fn lacking(&self) -> Option<String> {
        let asked = self.asked.filter(|_| self.denial == Some(Denial::InsufficientPermissions))?;
        Some(match self.workspace {
            Some(workspace) => format!("{asked} in {workspace}"),
            None => asked.to_owned(),
        })
    }
}

/// From the start of a batch to that of the next: it must be written in time as well, and takes about as
/// long as this one `took`. A key that is used all the time costs the same in each batch.
pub fn until_next(took: Duration) -> Duration {
    let reserve = Duration::from_secs(1);
    LATEST.saturating_sub(took + reserve).max(reserve)
}

/// What has come in since the last batch. The lock of a thread's part is free unless a batch is just
/// taken.
#[derive(Default)]
pub struct Recorder(PerThread<Mutex<Batch>>);

impl Recorder {
    pub fn note(&self, holder: &Holder<'_>, call: Call<'_>, now: DateTime<Utc>) {
        self.note_many((holder.instance, holder.group), call, 1, now);
    }

    /// `n` calls at once, of an instance and its group.
    pub fn note_many(&self, ids: (Uuid, Uuid), call: Call<'_>, n: i64, now: DateTime<Utc>) {
        self.own().note(ids, call, n, millis(now));
    }

    /// An accepted call with a personal key.
    pub fn note_personal(&self, key: Uuid, call: Call<'_>, now: DateTime<Utc>) {
        self.own().note_personal(key, call, millis(now));
    }

    /// Writes what has come in. What cannot be written is kept for the next time.
    pub async fn flush(&self, db: &Db, now: DateTime<Utc>) -> Result<()> {
        let mut batch = Batch::default();
        for shard in self.0.all() {
            // Its lock is free again before the rest is done.
            let taken = std::mem::take(&mut *locked(shard));
            batch.add(taken);
        }
        if batch.is_empty() {
            return Ok(());
        }
        let written = write_all(db, &mut batch, now).await;
        if written.is_err() {
            self.own().add(batch);
        }
        written
    }

    fn own(&self) -> MutexGuard<'_, Batch> {
        locked(self.0.own())
    }
}

fn locked(shard: &Mutex<Batch>) -> MutexGuard<'_, Batch> {
    shard.lock().expect("no holder of this lock panics")
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
    let mut asked = batch.take_asked();
    while !asked.is_empty() {
        let chunk = asked.split_off(asked.len().saturating_sub(write::CHUNK));
        if let Err(error) = write::asked(db, &chunk).await {
            batch.add_asked(asked.into_iter().chain(chunk));
            return Err(error);
        }
    }
    write::groups(db, &batch.uses, now).await?;
    personal::write(db, &batch.personal).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_just_missed_a_batch_is_written_in_time_with_the_next() {
        assert_eq!(LATEST.as_secs(), 10);
        for millis in (0..=4_500).step_by(100) {
            let took = Duration::from_millis(millis);
            let next = until_next(took);
            assert!(next >= took && next + took <= LATEST, "{took:?}: {next:?}");
        }
        let slow = Duration::from_secs(60);
        assert!(until_next(slow) > Duration::ZERO, "it leaves others a turn");
    }
}
