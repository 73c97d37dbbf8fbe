//! Coverage: is some instance of a key group accepted, until when, and what follows (DOMAIN.md).
use chrono::{DateTime, Utc};

use super::{Facts, Status};

/// How many instances of a group have which status. `soon` counts the active ones that warn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub active: i32,
    pub soon: i32,
    pub future: i32,
    pub expired: i32,
    pub deactivated: i32,
}

/// Whether a group is covered now, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// No instance is accepted. `next`: when the next one starts, if one is waiting.
    Nothing { next: Option<DateTime<Utc>> },
    /// Covered until then, and another instance starts only later.
    Gap { until: DateTime<Utc>, next: DateTime<Utc> },
    /// Covered until then with nothing after, and the instance that ends there already warns.
    RunsOut { until: DateTime<Utc> },
    /// Covered until then, no warning yet.
    Covered { until: DateTime<Utc> },
    /// Some instance of the unbroken run never ends.
    Forever,
}

impl Run {
    /// The end of the unbroken run that contains now.
    pub fn until(&self) -> Option<DateTime<Utc>> {
        match *self {
            Self::Gap { until, .. } | Self::RunsOut { until } | Self::Covered { until } => {
                Some(until)
            }
            Self::Nothing { .. } | Self::Forever => None,
        }
    }
}

/// What follows from all instances of one group at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    pub run: Run,
    pub counts: Counts,
    /// The next instant at which any of this changes by itself.
    pub changes_at: Option<DateTime<Utc>>,
}

impl Coverage {
    pub fn of(instances: &[Facts], now: DateTime<Utc>) -> Self {
        let live: Vec<&Facts> = instances.iter().filter(|it| it.is_live()).collect();
        Self {
            run: run(&live, now),
            counts: counts(instances, now),
            changes_at: live.iter().flat_map(|it| turning_points(it)).filter(|it| *it > now).min(),
        }
    }
}

/// The instance that takes over when `ending` ends: another live one that starts no later than
/// its end and ends later. `None` for an instance that never ends.
pub fn successor<'a, T>(
    ending: &Facts,
    others: &'a [T],
    facts: impl Fn(&T) -> Facts,
) -> Option<&'a T> {
    let until = ending.period.until()?;
    let takes_over = |it: &&T| {
        let it = facts(it);
        let ends_later = it.period.until().is_none_or(|end| end > until);
        it.is_live() && it.period.from() <= until && ends_later
    };
    others.iter().filter(takes_over).min_by_key(|it| facts(it).period.from())
}

/// Hours before its end in which an instance should hardly be used any more, if it has a successor.
pub const LAST_HOURS: i64 = 48;

/// Whether callers have not moved: of `all` calls of a group, the instance that is about to end still
/// takes more than a tenth.
pub fn lags(ending: i64, all: i64) -> bool {
    ending * 10 > all
}

fn turning_points(facts: &Facts) -> impl Iterator<Item = DateTime<Utc>> {
    let warning = super::warning::of(&facts.period).map(|it| it.starts);
    [Some(facts.period.from()), warning, facts.period.until()].into_iter().flatten()
}

fn counts(instances: &[Facts], now: DateTime<Utc>) -> Counts {
    let mut counts = Counts::default();
    for it in instances {
        match it.status(now) {
            Status::Active => counts.active += 1,
            Status::ActiveInTheFuture => counts.future += 1,
            Status::Expired => counts.expired += 1,
            Status::Deactivated => counts.deactivated += 1,
        }
        counts.soon += i32::from(it.warning(now).is_some());
    }
    counts
}

fn run(live: &[&Facts], now: DateTime<Utc>) -> Run {
    let mut ahead: Vec<_> = live.iter().filter(|it| !it.period.has_ended(now)).collect();
    ahead.sort_by_key(|it| it.period.from());
    let first_after = |end| ahead.iter().map(|it| it.period.from()).find(|from| *from > end);

    let mut end = None;
    for it in &ahead {
        let joins = it.period.from() <= end.unwrap_or(now);
        match it.period.until() {
            _ if !joins => break,
            None => return Run::Forever,
            Some(until) => end = end.max(Some(until)),
        }
    }
    let Some(until) = end else { return Run::Nothing { next: first_after(now) } };
    let warns = |it: &&Facts| it.period.until() == Some(until) && it.warning(now).is_some();
    match first_after(until) {
        Some(next) => Run::Gap { until, next },
        None if live.iter().any(warns) => Run::RunsOut { until },
        None => Run::Covered { until },
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ActivePeriod;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    fn key(from: i64, until: impl Into<Option<i64>>) -> Facts {
        Facts::new(ActivePeriod::new(at(from), until.into().map(at)).unwrap())
    }

    #[test]
    fn a_key_that_starts_where_another_ends_continues_the_run() {
        let keys = [key(0, 100), key(100, 200), key(250, 300)];
        let run = Coverage::of(&keys, at(10)).run;
        assert_eq!(run, Run::Gap { until: at(200), next: at(250) });
    }

    #[test]
    fn an_ending_key_whose_successor_is_there_does_not_run_out() {
        let alone = [key(0, 24 * 90)];
        let now = at(24 * 89);
        assert_eq!(Coverage::of(&alone, now).run, Run::RunsOut { until: at(24 * 90) });
        let rotated = [key(0, 24 * 90), key(24 * 80, 24 * 200)];
        assert_eq!(Coverage::of(&rotated, now).run, Run::Covered { until: at(24 * 200) });
        assert_eq!(Coverage::of(&rotated, now).counts.soon, 1);
    }

    #[test]
    fn the_successor_starts_no_later_than_the_end_and_ends_later() {
        let ending = key(0, 100);
        let next = |other: Facts| successor(&ending, &[other], |it| *it).is_some();
        assert!(next(key(100, 101)) && next(key(50, None)));
        assert!(!next(key(101, 200)) && !next(key(0, 100)) && !next(key(50, 90)));
        let off = Facts { deactivated_at: Some(at(1)), ..key(50, 200) };
        assert!(!next(off));
        assert_eq!(successor(&key(0, None), &[key(0, None)], |it| *it), None);
    }

    #[test]
    fn callers_lag_from_more_than_a_tenth_on() {
        assert!(!lags(0, 0) && !lags(0, 50) && !lags(10, 100));
        assert!(lags(11, 100) && lags(1, 1));
    }

    #[test]
    fn nothing_active_tells_when_the_next_key_starts() {
        assert_eq!(Coverage::of(&[], at(0)).run, Run::Nothing { next: None });
        let run = Coverage::of(&[key(0, 5), key(20, 30)], at(7)).run;
        assert_eq!(run, Run::Nothing { next: Some(at(20)) });
    }

    /// Whole hours from 0 to 60; `None`: no end. Off and revoked instances among them.
    fn any_key() -> impl Strategy<Value = Facts> {
        let length = prop::option::weighted(0.9, 1..30_i64);
        (0..60_i64, length, prop::bool::weighted(0.15), prop::bool::weighted(0.15)).prop_map(
            |(from, length, off, revoked)| Facts {
                deactivated_at: off.then(|| at(from)),
                revoked_at: revoked.then(|| at(from)),
                ..key(from, length.map(|it| from + it))
            },
        )
    }

    proptest! {
        /// Against a brute force that asks every half hour whether some instance is accepted.
        #[test]
        fn coverage_agrees_with_asking_at_every_half_hour(
            keys in prop::collection::vec(any_key(), 0..7), half_hours in 0..130_i64,
        ) {
            let step = TimeDelta::minutes(30);
            let now = DateTime::UNIX_EPOCH + step * i32::try_from(half_hours).unwrap();
            let accepted = |it: DateTime<Utc>| keys.iter().any(|key| key.accept(it).is_ok());
            let horizon: Vec<_> = (0..400).map(|n| now + step * n).collect();

            let run = Coverage::of(&keys, now).run;
            let open = horizon.iter().find(|it| !accepted(**it)).copied();
            prop_assert_eq!(matches!(run, Run::Nothing { .. }), !accepted(now));
            prop_assert_eq!(run == Run::Forever, open.is_none());
            if accepted(now) && let Some(open) = open {
                prop_assert_eq!(run.until(), Some(open));
            }
            let resumes = open.and_then(|open| {
                horizon.iter().find(|it| **it > open && accepted(**it)).copied()
            });
            match run {
                Run::Gap { next, .. } => prop_assert_eq!(Some(next), resumes),
                Run::Nothing { next } => prop_assert_eq!(next, resumes),
                _ => prop_assert_eq!(resumes, None),
            }
        }

        /// Nothing changes before `changes_at`, which is how a stored summary stays true.
        #[test]
        fn nothing_changes_before_the_announced_instant(
            keys in prop::collection::vec(any_key(), 0..6), hour in 0..100_i64, probe in 0..100_i64,
        ) {
            let before = Coverage::of(&keys, at(hour));
            let later = at(hour) + TimeDelta::minutes(probe * 47);
            if before.changes_at.is_none_or(|it| later < it) {
                let after = Coverage::of(&keys, later);
                prop_assert_eq!((before.run, before.counts), (after.run, after.counts));
            }
        }

        #[test]
        fn the_counts_add_up(keys in prop::collection::vec(any_key(), 0..9), hour in 0..100_i64) {
            let it = Coverage::of(&keys, at(hour)).counts;
            let total = it.active + it.future + it.expired + it.deactivated;
            prop_assert_eq!(usize::try_from(total).unwrap(), keys.len());
            prop_assert!(it.soon <= it.active);
        }
    }
}
