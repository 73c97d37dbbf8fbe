//! The active period of a key instance, and what a subscription allows for it.
use chrono::{DateTime, Datelike, TimeDelta, Utc};

use super::Refusal;

/// When a key instance may be used: `[from, until)`, start included, end excluded.
/// Without `until` it never ends (document 001: the expiration is optional).
///
/// Invariant: `from < until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivePeriod {
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

impl ActivePeriod {
    /// Refuses a period that does not end after it starts.
    pub fn new(from: DateTime<Utc>, until: Option<DateTime<Utc>>) -> Result<Self, Refusal> {
        match until {
            Some(until) if until <= from => Err(Refusal::PeriodEndsBeforeItStarts),
            _ => Ok(Self { from, until }),
        }
    }

    pub fn from(&self) -> DateTime<Utc> {
        self.from
    }

    pub fn until(&self) -> Option<DateTime<Utc>> {
        self.until
    }

    pub fn check_years(&self) -> Result<(), Refusal> {
        match can_be_told(self.from) && self.until.is_none_or(can_be_told) {
            true => Ok(()),
            false => Err(Refusal::YearOutOfRange),
        }
    }

    pub fn contains(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && !self.has_ended(now)
    }

    pub fn has_ended(&self, now: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether it starts earlier or ends later than `other`.
    pub fn reaches_beyond(&self, other: &Self) -> bool {
        let ends_later = match (self.until, other.until) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(this), Some(other)) => this > other,
        };
        self.from < other.from || ends_later
    }

    /// `None`: it never ends.
    pub fn duration(&self) -> Option<TimeDelta> {
        self.until.map(|until| until - self.from)
    }
}

/// RFC 3339, in which instants are told, has four digits for a year.
pub fn can_be_told(at: DateTime<Utc>) -> bool {
    (0..=9999).contains(&at.year())
}

/// So many days later, if there is such a day.
pub fn days_after(at: DateTime<Utc>, days: i64) -> Result<DateTime<Utc>, Refusal> {
    let later = TimeDelta::try_days(days).and_then(|it| at.checked_add_signed(it));
    later.ok_or(Refusal::YearOutOfRange)
}

/// What a subscription allows for the active periods of its key instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodRules {
    /// Longest allowed duration in days; `None` for no limit.
    pub max_lifetime_days: Option<i32>,
    pub never_expires_allowed: bool,
}

impl PeriodRules {
    pub fn check(&self, period: &ActivePeriod) -> Result<(), Refusal> {
        period.check_years()?;
        match (period.duration(), self.max_lifetime_days) {
            (None, Some(days)) => Err(Refusal::LifetimeTooLong { days }),
            (None, None) if !self.never_expires_allowed => Err(Refusal::MustExpire),
            (Some(duration), Some(days)) if duration > TimeDelta::days(days.into()) => {
                Err(Refusal::LifetimeTooLong { days })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    #[test]
    fn the_start_is_included_and_the_end_is_not() {
        let ms = TimeDelta::milliseconds(1);
        let period = ActivePeriod::new(at(1), Some(at(2))).unwrap();
        let inside = [at(1) - ms, at(1), at(2) - ms, at(2)].map(|now| period.contains(now));
        assert_eq!(inside, [false, true, true, false]);
    }

    #[test]
    fn a_period_lies_in_years_of_four_digits() {
        let rules = PeriodRules { max_lifetime_days: None, never_expires_allowed: true };
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let check =
            |from, until: &str| rules.check(&ActivePeriod::new(at(from), Some(at(until))).unwrap());
        let (first, last) = ("0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z");
        assert_eq!(check(first, last), Ok(()));
        assert_eq!(check(first, "+10000-01-01T00:00:00Z"), Err(Refusal::YearOutOfRange));
        assert_eq!(check("-0001-12-31T23:59:59Z", last), Err(Refusal::YearOutOfRange));
        let begins_late = ActivePeriod::new(at("+10000-01-01T00:00:00Z"), None).unwrap();
        assert_eq!(rules.check(&begins_late), Err(Refusal::YearOutOfRange));
    }

    #[test]
    fn no_day_lies_beyond_the_calendar() {
        assert_eq!(days_after(at(1), 2), Ok(at(3)));
        assert_eq!(days_after(DateTime::<Utc>::MAX_UTC, 1), Err(Refusal::YearOutOfRange));
        assert_eq!(days_after(at(1), i64::MAX), Err(Refusal::YearOutOfRange));
    }

    #[test]
    fn a_period_without_an_end_never_ends() {
        let period = ActivePeriod::new(at(1), None).unwrap();
        assert!(period.contains(at(1_000_000)) && !period.has_ended(at(1_000_000)));
    }

    #[test]
    fn a_period_reaches_beyond_another_at_either_end() {
        let of = |from, until: Option<i64>| ActivePeriod::new(at(from), until.map(at)).unwrap();
        let other = of(10, Some(20));
        for inside in [of(10, Some(20)), of(12, Some(18))] {
            assert!(!inside.reaches_beyond(&other));
        }
        for beyond in [of(9, Some(20)), of(10, Some(21)), of(10, None)] {
            assert!(beyond.reaches_beyond(&other));
        }
        assert!(!of(11, None).reaches_beyond(&of(10, None)));
    }

    #[test]
    fn a_period_must_end_after_it_starts() {
        for until in [at(1), at(0)] {
            let refused = ActivePeriod::new(at(1), Some(until));
            assert_eq!(refused, Err(Refusal::PeriodEndsBeforeItStarts));
        }
    }

    #[test]
    fn a_subscription_limits_the_lifetime() {
        let rules = PeriodRules { max_lifetime_days: Some(90), never_expires_allowed: true };
        let of = |until| ActivePeriod::new(at(0), until).unwrap();
        assert_eq!(rules.check(&of(Some(at(90)))), Ok(()));
        let too_long = Err(Refusal::LifetimeTooLong { days: 90 });
        assert_eq!(rules.check(&of(Some(at(91)))), too_long);
        assert_eq!(rules.check(&of(None)), too_long);
    }

    #[test]
    fn a_subscription_may_forbid_keys_that_never_expire() {
        let period = ActivePeriod::new(at(0), None).unwrap();
        let forbids = PeriodRules { max_lifetime_days: None, never_expires_allowed: false };
        let allows = PeriodRules { never_expires_allowed: true, ..forbids };
        assert_eq!(forbids.check(&period), Err(Refusal::MustExpire));
        assert_eq!(allows.check(&period), Ok(()));
    }
}
