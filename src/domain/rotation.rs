//! Rotation: whether the old key of two may go without anybody missing it (ours). A key is left
//! alone for a quiet period first, so that a job that runs once a week is not cut off.
use chrono::{DateTime, TimeDelta, Utc};

/// Silence that every key needs before it counts as given up.
pub const LEAST_QUIET: TimeDelta = TimeDelta::hours(24);
/// Days before the last call whose pauses count.
const WINDOW: i32 = 30;

/// How the calls of a key were spread over the days up to its last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Days from one day with calls to the next, at most; `None` if all came on one day.
    longest_pause: Option<i32>,
}

impl Rhythm {
    /// Of days with calls, counted since 1970. What counts are pauses that ended within the 30 days up
    /// to the last call: seen from there, no verdict changes because time merely goes on, and a job
    /// that runs once a month is known by the call before.
    pub fn of(days: &[i32]) -> Self {
        let mut days = days.to_vec();
        days.sort_unstable();
        days.dedup();
        let since = days.last().map_or(0, |it| it - WINDOW);
        let pauses = days.windows(2).filter(|it| it[1] > since).map(|it| it[1] - it[0]);
        Self { longest_pause: pauses.max() }
    }

    pub fn longest_pause(&self) -> Option<i32> {
        self.longest_pause
    }

    /// Twice the longest pause, and a day at least: two calls on days that follow each other can be
    /// nearly two days apart.
    pub fn quiet(&self) -> TimeDelta {
        let twice = self.longest_pause.map(|it| TimeDelta::days(i64::from(it) * 2));
        twice.unwrap_or(LEAST_QUIET).max(LEAST_QUIET)
    }
}

/// What is known about the calls of two keys of a rotation.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The last call with the old key, accepted or not: whoever is refused still uses it.
    pub last_call: Option<DateTime<Utc>>,
    pub rhythm: Rhythm,
    pub successor_from: DateTime<Utc>,
    pub successor_used: bool,
}

/// Whether the old key may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was never called, so nobody can miss it.
    NeverUsed,
    /// Its successor is accepted only later.
    SuccessorWaits,
    /// Nobody has called with its successor yet: its callers may not be switched.
    SuccessorUnused,
    /// Silent for too short a time. From then on it is safe, if no call comes.
    TooSoon { safe_at: DateTime<Utc> },
    /// Silent for longer than it ever was between two calls.
    Safe,
}

impl Progress {
    pub fn verdict(&self, now: DateTime<Utc>) -> Verdict {
        let Some(last) = self.last_call else { return Verdict::NeverUsed };
        let safe_at = last + self.rhythm.quiet();
        if self.successor_from > now {
            Verdict::SuccessorWaits
        } else if !self.successor_used {
            Verdict::SuccessorUnused
        } else if now < safe_at {
            Verdict::TooSoon { safe_at }
        } else {
            Verdict::Safe
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hour(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    /// Last called at hour 2400, which is in day 100.
    fn progress(days: &[i32]) -> Progress {
        Progress {
            last_call: Some(hour(2_400)),
            rhythm: Rhythm::of(days),
            successor_from: hour(0),
            successor_used: true,
        }
    }

    #[test]
    fn a_key_called_on_one_day_only_needs_a_day_of_silence() {
        assert_eq!(Rhythm::of(&[]).quiet(), LEAST_QUIET);
        assert_eq!(Rhythm::of(&[100]).quiet(), LEAST_QUIET);
        let it = progress(&[100]);
        let safe_at = hour(2_424);
        assert_eq!(it.verdict(safe_at - TimeDelta::milliseconds(1)), Verdict::TooSoon { safe_at });
        assert_eq!(it.verdict(safe_at), Verdict::Safe);
    }

    #[test]
    fn a_key_called_every_day_needs_two_and_one_called_every_week_fourteen() {
        assert_eq!(Rhythm::of(&[98, 99, 100]).quiet(), TimeDelta::days(2));
        assert_eq!(Rhythm::of(&[100, 79, 86, 93]).quiet(), TimeDelta::days(14));
        // The longest one counts.
        assert_eq!(Rhythm::of(&[86, 97, 98, 99, 100]).longest_pause(), Some(11));
    }

    #[test]
    fn a_monthly_job_is_known_by_its_call_before() {
        assert_eq!(Rhythm::of(&[69, 100]).quiet(), TimeDelta::days(62));
        // What ended before the window does not count any more.
        assert_eq!(Rhythm::of(&[10, 70, 71, 100]).longest_pause(), Some(29));
        assert_eq!(Rhythm::of(&[10, 69, 99, 100]).longest_pause(), Some(30));
        assert_eq!(Rhythm::of(&[10, 70, 99, 100]).longest_pause(), Some(29));
    }

    #[test]
    fn no_key_is_safe_before_its_successor_is_in_use() {
        let later = hour(9_999);
        let unused = Progress { successor_used: false, ..progress(&[100]) };
        assert_eq!(unused.verdict(later), Verdict::SuccessorUnused);
        let waiting = Progress { successor_from: later, ..progress(&[100]) };
        assert_eq!(waiting.verdict(later), Verdict::Safe);
        let before = later - TimeDelta::milliseconds(1);
        assert_eq!(waiting.verdict(before), Verdict::SuccessorWaits);
    }

    #[test]
    fn a_key_that_was_never_used_says_so_whatever_its_successor_does() {
        let it = Progress { last_call: None, successor_used: false, ..progress(&[]) };
        assert_eq!(it.verdict(hour(2_400)), Verdict::NeverUsed);
    }

    proptest! {
        /// Once safe, a key stays safe while nobody calls; and never within a day of its last call, nor
        /// within the longest time that it was silent before.
        #[test]
        fn silence_alone_never_takes_a_verdict_back(
            days in prop::collection::vec(0..=100_i32, 0..12), probe in 0..4_000_i64,
        ) {
            let it = progress(&days);
            let now = hour(2_400 + probe);
            if it.verdict(now) == Verdict::Safe {
                prop_assert!(probe >= 24);
                let pause = it.rhythm.longest_pause().unwrap_or(0);
                prop_assert!(probe >= i64::from(pause) * 48);
                prop_assert_eq!(it.verdict(now + TimeDelta::hours(probe)), Verdict::Safe);
            }
        }
    }
}
