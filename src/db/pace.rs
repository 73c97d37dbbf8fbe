//! Verifications come before changes. Who changes something without a pause takes what processors there are, so
//! while verifications keep them busy, [`super::Db::write`] rests now and then.
//!
//! On SQLite it begins nothing for a while after a commit that several shared: those who come meanwhile share the
//! next one, which costs each of them less. Where nobody shares, nobody waits. On Postgres no commit is shared, so
//! each begins a while after the one before: who makes a change now and then does not notice.
use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// On SQLite, from the commit to the beginning of the next transactions.
const REST: Duration = Duration::from_millis(30);
/// On Postgres, from one beginning to the next.
const APART: Duration = Duration::from_millis(20);
/// From so many verifications a second on: a tenth of what was measured where the generator shares the processors,
/// because they are fewer where changes take what there is.
static BUSY: LazyLock<u64> =
    LazyLock::new(|| 2_500 * available_parallelism().map_or(1, |it| it.get() as u64));

/// How many verifications there were so far.
type Calls = dyn Fn() -> u64 + Send + Sync;

#[derive(Clone, Default)]
pub(super) struct Pace(Arc<Inner>);

#[derive(Default)]
struct Inner {
    calls: OnceLock<Box<Calls>>,
    /// Of SQLite: the beginning of the last transaction that several shared, and its commit.
    shared: Mutex<Option<(Beat, Instant)>>,
    /// Of Postgres: the last two beginnings. Who waits for the next one waits here.
    begun: tokio::sync::Mutex<Option<(Beat, Beat)>>,
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
        last.map(|(began, ended)| began.rest(REST, ended, self.beat())).unwrap_or_default()
    }

    /// Comes back when the next one may begin: one after the other, in the order in which they came.
    pub async fn next(&self) {
        let mut begun = self.0.begun.lock().await;
        let mut now = self.beat();
        if let Some((before, last)) = *begun {
            let rest = before.rest(APART, last.at, now);
            if !rest.is_zero() {
                sleep(rest).await;
                now = self.beat();
            }
        }
        *begun = Some((begun.map_or(now, |(_, last)| last), now));
    }

    fn last(&self) -> MutexGuard<'_, Option<(Beat, Instant)>> {
        self.0.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beat {
    /// How long it is from `now` until `rest` is over, which began when something ended that began here.
    fn rest(&self, rest: Duration, ended: Instant, now: Self) -> Duration {
        let calls = now.calls.saturating_sub(self.calls) as f64;
        if calls < (now.at - self.at).as_secs_f64() * *BUSY as f64 {
            return Duration::ZERO;
        }
        rest.saturating_sub(now.at - ended)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::FutureExt;

    use super::*;

    const BEFORE: Duration = Duration::from_millis(10);

    /// After a transaction of [`BEFORE`], with so many verifications a second from its beginning on.
    fn rest(per_second: u64, since: Duration) -> Duration {
        let began = Beat { at: Instant::now(), calls: 7 };
        let (ended, at) = (began.at + BEFORE, began.at + BEFORE + since);
        let calls = 7 + per_second * (at - began.at).as_millis() as u64 / 1_000;
        began.rest(REST, ended, Beat { at, calls })
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

    #[tokio::test]
    async fn on_postgres_each_begins_a_while_after_the_one_before() {
        let (pace, asked) = (Pace::default(), AtomicU64::new(0));
        let many = *BUSY * 1_000;
        pace.give_way_to(Box::new(move || asked.fetch_add(many, Ordering::Relaxed)));
        let start = Instant::now();
        for _ in 0..4 {
            pace.next().await;
        }
        assert!(start.elapsed() >= APART * 3);
    }

    #[tokio::test]
    async fn where_nothing_is_verified_each_begins_at_once() {
        let pace = Pace::default();
        pace.give_way_to(Box::new(|| 7));
        for _ in 0..100 {
            assert!(pace.next().now_or_never().is_some());
        }
    }
}
