//! When people are told that an instance ends, and when not: rotated-out keys end in silence.
use chrono::{DateTime, TimeDelta, Utc};

use super::{ActivePeriod, Facts, warning};

/// Keys that live no longer than this are told of by the table of document 004.
const SHORT: TimeDelta = TimeDelta::days(31);

/// What has come since the last word about an end. Each is told once for each end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Threshold {
    /// The warning of a short key has begun (DOMAIN.md, "Expiry warning").
    Warning,
    Days14,
    Days7,
    Days1,
    /// It has ended.
    End,
}

impl Threshold {
    pub const ALL: [Self; 5] = [Self::Warning, Self::Days14, Self::Days7, Self::Days1, Self::End];

    /// As stored and as told on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Days14 => "14d",
            Self::Days7 => "7d",
            Self::Days1 => "1d",
            Self::End => "end",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// All thresholds of a period, the earliest first. None for one without an end. What lies before
/// the warning of a short key is left out: nobody is told earlier than the page warns.
pub fn schedule(period: &ActivePeriod) -> Vec<(Threshold, DateTime<Utc>)> {
    let (Some(until), Some(warning)) = (period.until(), warning::of(period)) else {
        return Vec::new();
    };
    let is_short = period.duration().is_some_and(|it| it <= SHORT);
    let days = [(Threshold::Days14, 14), (Threshold::Days7, 7), (Threshold::Days1, 1)].into_iter();
    let days = days
        .map(|(threshold, days)| (threshold, until - TimeDelta::days(days)))
        .filter(|(_, at)| !is_short || *at > warning.starts);
    is_short
        .then_some((Threshold::Warning, warning.starts))
        .into_iter()
        .chain(days)
        .chain([(Threshold::End, until)])
        .collect()
}

/// The last threshold that has come. Those before it are overtaken: after a downtime, one word is
/// said and not three.
pub fn come(period: &ActivePeriod, now: DateTime<Utc>) -> Option<Threshold> {
    schedule(period).into_iter().rev().find(|(_, at)| *at <= now).map(|(threshold, _)| threshold)
}

/// The next threshold that will come.
pub fn next(period: &ActivePeriod, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    schedule(period).into_iter().map(|(_, at)| at).find(|at| *at > now)
}

/// What is to be told of an instance now, if anything is. `others` are the instances of its group.
/// Silent are those that somebody took out of use, and those whose successor is active already:
/// before the end now, at the end then, whatever has become of the successor since.
pub fn of(facts: &Facts, others: &[Facts], now: DateTime<Utc>) -> Option<Threshold> {
    let threshold = come(&facts.period, now).filter(|_| facts.is_live())?;
    let until = facts.period.until()?;
    let at = now.min(until);
    let takes_over = |it: &Facts| {
        let ends_later = it.period.until().is_none_or(|end| end > until);
        let was_off = [it.deactivated_at, it.revoked_at].iter().flatten().any(|off| *off <= at);
        ends_later && it.period.contains(at) && !was_off
    };
    (!others.iter().any(takes_over)).then_some(threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    fn period(from: i64, until: impl Into<Option<i64>>) -> ActivePeriod {
        ActivePeriod::new(at(from), until.into().map(at)).unwrap()
    }

    /// Hours before the end.
    fn plan(hours: i64) -> Vec<(&'static str, i64)> {
        let plan = schedule(&period(0, hours)).into_iter();
        plan.map(|(it, when)| (it.as_str(), (at(hours) - when).num_hours())).collect()
    }

    #[test]
    fn long_keys_are_told_of_14_7_and_1_days_before_and_at_the_end() {
        let told = [("14d", 14 * 24), ("7d", 7 * 24), ("1d", 24), ("end", 0)];
        for days in [32, 90, 180, 365] {
            assert_eq!(plan(days * 24), told, "{days}");
        }
        assert_eq!(schedule(&period(0, None)), []);
    }

    #[test]
    fn short_keys_are_told_of_when_their_warning_starts() {
        let hours = |days: i64| days * 24;
        assert_eq!(plan(12), [("warning", 12), ("end", 0)]);
        assert_eq!(plan(hours(1)), [("warning", 24), ("end", 0)]);
        assert_eq!(plan(hours(3)), [("warning", 48), ("1d", 24), ("end", 0)]);
        assert_eq!(plan(hours(7)), [("warning", 72), ("1d", 24), ("end", 0)]);
        assert_eq!(plan(hours(21)), [("warning", 168), ("1d", 24), ("end", 0)]);
        assert_eq!(plan(hours(30)), [("warning", 168), ("1d", 24), ("end", 0)]);
        assert_eq!(plan(hours(31)), [("warning", 192), ("7d", 168), ("1d", 24), ("end", 0)]);
    }

    #[test]
    fn what_was_missed_is_told_late_and_only_its_last_word() {
        let it = Facts::new(period(0, 90 * 24));
        let told = |hours_left: i64| of(&it, &[], at(90 * 24 - hours_left));
        assert_eq!(told(14 * 24 + 1), None);
        assert_eq!(told(14 * 24), Some(Threshold::Days14));
        assert_eq!(told(6 * 24), Some(Threshold::Days7));
        assert_eq!(told(1), Some(Threshold::Days1));
        assert_eq!(told(-72), Some(Threshold::End));
        assert_eq!(next(&it.period, at(90 * 24 - 1)), Some(at(90 * 24)));
        assert_eq!(next(&it.period, at(90 * 24)), None);
    }

    #[test]
    fn a_key_whose_successor_is_active_ends_in_silence() {
        let ending = Facts::new(period(0, 100));
        let told = |other: Facts, hour| of(&ending, &[other], at(hour)).is_some();
        let successor = Facts::new(period(90, 400));
        assert!(told(successor, 89) && !told(successor, 90) && !told(successor, 100));
        // It has done its part, whatever became of it later.
        assert!(!told(successor, 500));
        let off_later = Facts { deactivated_at: Some(at(150)), ..successor };
        assert!(!told(off_later, 200));
        let off_before = Facts { deactivated_at: Some(at(95)), ..successor };
        assert!(!told(off_before, 94) && told(off_before, 96) && told(off_before, 200));
        let revoked_before = Facts { revoked_at: Some(at(95)), ..successor };
        assert!(told(revoked_before, 96) && told(revoked_before, 200));
        // Not one that ends no later, nor the key itself.
        assert!(told(Facts::new(period(0, 100)), 99) && told(Facts::new(period(50, 99)), 98));
    }

    #[test]
    fn what_is_out_of_use_is_not_told_of() {
        let facts = Facts::new(period(0, 24));
        assert!(of(&facts, &[], at(23)).is_some());
        assert_eq!(of(&Facts { deactivated_at: Some(at(1)), ..facts }, &[], at(23)), None);
        assert_eq!(of(&Facts { revoked_at: Some(at(1)), ..facts }, &[], at(30)), None);
    }

    #[test]
    fn names_of_thresholds_can_be_read_again() {
        for it in Threshold::ALL {
            assert_eq!(Threshold::parse(it.as_str()), Some(it));
        }
        assert_eq!(Threshold::parse("30d"), None);
    }
}
