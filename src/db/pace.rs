//! Verifications come before changes. Who changes something without a pause takes what processors there are,
//! so for a while after a commit that several shared, [`super::Db::write`] begins nothing on SQLite, if
//! verifications keep the processors busy: those who come meanwhile share the next one, which costs each of them
//! less. Where nobody shares, nobody waits.
use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use tokio::time::Instant;

/// From the commit to the beginning of the next transactions.
const REST: Duration = Duration::from_millis(30);
/// From so many verifications a second on: a fifth of what was measured where the generator shares the processors.
static BUSY: LazyLock<u64> =
    LazyLock::new(|| 5_000 * available_parallelism().map_or(1, |it| it.get() as u64));

/// How many verifications there were so far.
type Calls = dyn Fn() -> u64 + Send + Sync;

#[derive(Clone, Default)]
pub(super) struct Pace(Arc<Inner>);

#[derive(Default)]
struct Inner {
    calls: OnceLock<Box<Calls>>,
    /// The beginning of the last transaction that several shared, and its commit.
    shared: Mutex<Option<(Beat, Instant)>>,
}

/// A moment, and how many verifications there were until then.
#[derive(Clone, Copy)]
pub(super) struct Beat {
    at: Instant,
    calls: u64,
}

impl Pace {
    pub fn give_way_to(&self, calls: Box<Calls>) {
        assert!(self.0.calls.set(calls).is_ok(), "a pool gives way to one count");
    }

    pub fn beat(&self) -> Beat {
        Beat { at: Instant::now(), calls: self.0.calls.get().map_or(0, |it| it()) }
    }

    /// One that several shared was committed.
    pub fn shared(&self, began: Beat, committed: Instant) {
        *self.last() = Some((began, committed));
    }

    /// How long nothing is to begin.
    pub fn rest(&self) -> Duration {
        let last = *self.last();
        last.map(|(began, ended)| began.rest(ended, self.beat())).unwrap_or_default()
    }

    fn last(&self) -> MutexGuard<'_, Option<(Beat, Instant)>> {
        self.0.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beat {
    /// How long to rest from `now` on after a transaction that began here.
    fn rest(&self, ended: Instant, now: Self) -> Duration {
        let calls = now.calls.saturating_sub(self.calls) as f64;
        if calls < (now.at - self.at).as_secs_f64() * *BUSY as f64 {
            return Duration::ZERO;
        }
        REST.saturating_sub(now.at - ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Duration = Duration::from_millis(10);

    /// After a transaction of [`BEFORE`], with so many verifications a second from its beginning on.
    fn rest(per_second: u64, since: Duration) -> Duration {
        let began = Beat { at: Instant::now(), calls: 7 };
        let (ended, at) = (began.at + BEFORE, began.at + BEFORE + since);
        let calls = 7 + per_second * (at - began.at).as_millis() as u64 / 1_000;
        began.rest(ended, Beat { at, calls })
    }

    #[test]
    fn after_a_commit_there_is_a_rest_while_verifications_are_many() {
        let (many, soon) = (*BUSY + 1_000, Duration::from_millis(2));
        assert_eq!(rest(many, Duration::ZERO), REST);
        assert_eq!(rest(many, soon), REST - soon);
        assert_eq!(rest(*BUSY - 1_000, soon), Duration::ZERO);
        assert_eq!(rest(0, soon), Duration::ZERO);
    }

    #[test]
    fn who_comes_later_does_not_wait() {
        assert_eq!(rest(*BUSY + 1_000, REST), Duration::ZERO);
        assert_eq!(rest(*BUSY + 1_000, REST * 100), Duration::ZERO);
    }
}
