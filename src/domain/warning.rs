//! The yellow expiry warning (document 004, "API key expiry warning"; DOMAIN.md closes its holes).
use chrono::{DateTime, TimeDelta, Utc};

use super::ActivePeriod;

/// When the warning of a period starts, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    pub starts: DateTime<Utc>,
    pub rule: Rule,
}

/// One row of the table in DOMAIN.md. Day 1 of a key starts at `from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// At most 1 day: always.
    Always,
    /// From the given day of the key's life on.
    FromDay(i64),
    /// The last third, at most 7 days: 7 to 23 days.
    LastThird,
    /// The given number of last days.
    LastDays(i64),
}

impl Rule {
    /// The rule in words, for the page that shows the warning.
    pub fn sentence(&self) -> String {
        match self {
            Self::Always => "It lives for a day at most, so the warning always shows.".into(),
            Self::FromDay(2) => {
                "It lives for at most 5 days, so the warning shows from its 2nd day.".into()
            }
            Self::FromDay(5) => {
                "It lives for at most 7 days, so the warning shows from its 5th day.".into()
            }
            Self::FromDay(day) => {
                format!("It lives for at most 31 days, so the warning shows from its {day}th day.")
            }
            Self::LastThird => {
                "It lives for 7 to 23 days, so the warning shows for its last third, \
                 at most 7 days."
                    .into()
            }
            Self::LastDays(14) => {
                "It lives for at most 180 days, so the warning shows for its last 14 days.".into()
            }
            Self::LastDays(days) => {
                format!(
                    "It lives for more than 180 days, so the warning shows for its last {days} \
                     days."
                )
            }
        }
    }
}

/// How long before the end a warning starts at the earliest, by whichever rule.
pub const EARLIEST: TimeDelta = TimeDelta::days(30);

/// The warning of a period. `None` for a period without an end.
pub fn of(period: &ActivePeriod) -> Option<Warning> {
    let (until, duration) = (period.until()?, period.duration()?);
    let days = TimeDelta::days;
    let rule = match duration {
        d if d <= days(1) => Rule::Always,
        d if d <= days(5) => Rule::FromDay(2),
        d if d <= days(7) => Rule::FromDay(5),
        d if d <= days(23) => Rule::LastThird,
        d if d <= days(31) => Rule::FromDay(24),
        d if d <= days(180) => Rule::LastDays(14),
        _ => Rule::LastDays(30),
    };
    let starts = match rule {
        Rule::Always => period.from(),
        Rule::FromDay(day) => period.from() + days(day - 1),
        Rule::LastThird => {
            until - days(7).min(TimeDelta::milliseconds(duration.num_milliseconds() / 3))
        }
        Rule::LastDays(last) => until - days(last),
    };
    Some(Warning { starts, rule })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::domain::Facts;

    #[derive(Deserialize)]
    struct Vectors {
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        from: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        warning_starts: Option<DateTime<Utc>>,
        at: Vec<Probe>,
    }

    #[derive(Deserialize)]
    struct Probe {
        now: DateTime<Utc>,
        warns: bool,
    }

    fn vectors() -> Vec<Case> {
        let text = include_str!("../../tests/vectors/warning.json");
        serde_json::from_str::<Vectors>(text).unwrap().cases
    }

    #[test]
    fn every_case_of_the_vectors_starts_and_shows_as_written() {
        let cases = vectors();
        assert!(cases.len() >= 28, "{} cases", cases.len());
        for case in cases {
            let period = ActivePeriod::new(case.from, case.until).unwrap();
            assert_eq!(of(&period).map(|it| it.starts), case.warning_starts, "{:?}", case.until);
            for probe in case.at {
                let warns = Facts::new(period).warning(probe.now).is_some();
                assert_eq!(warns, probe.warns, "{:?} at {}", case.until, probe.now);
            }
        }
    }

    #[test]
    fn what_is_revoked_or_deactivated_never_warns() {
        let from = DateTime::UNIX_EPOCH;
        let period = ActivePeriod::new(from, Some(from + TimeDelta::days(1))).unwrap();
        let facts = Facts::new(period);
        assert!(facts.warning(from).is_some());
        assert!(Facts { deactivated_at: Some(from), ..facts }.warning(from).is_none());
        assert!(Facts { revoked_at: Some(from), ..facts }.warning(from).is_none());
    }

    #[test]
    fn each_rule_says_in_words_when_it_fires() {
        let sentence = |days: i64| {
            let from = DateTime::UNIX_EPOCH;
            let period = ActivePeriod::new(from, Some(from + TimeDelta::days(days))).unwrap();
            of(&period).unwrap().rule.sentence()
        };
        for (days, words) in [
            (1, "always"),
            (5, "2nd day"),
            (7, "5th day"),
            (14, "last third"),
            (31, "24th day"),
            (90, "last 14 days"),
            (365, "last 30 days"),
        ] {
            assert!(sentence(days).contains(words), "{days}: {}", sentence(days));
        }
    }

    #[test]
    fn no_warning_starts_before_the_earliest() {
        let from = DateTime::UNIX_EPOCH;
        for hours in 1..24 * 400 {
            let until = from + TimeDelta::hours(hours);
            let starts = of(&ActivePeriod::new(from, Some(until)).unwrap()).unwrap().starts;
            assert!(until - starts <= EARLIEST, "{hours} hours");
        }
    }
}
