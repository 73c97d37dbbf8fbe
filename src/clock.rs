//! The only place that reads the system clock. Instants have millisecond precision (DOMAIN.md).
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Timelike, Utc};
use uuid::{NoContext, Timestamp, Uuid};

#[derive(Clone)]
pub enum Clock {
    System,
    /// Stands still until it is moved: for tests.
    Fixed(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self::Fixed(Arc::new(Mutex::new(at)))
    }

    #[expect(clippy::disallowed_methods, reason = "this is that one place")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now().trunc_subsecs(3),
            Self::Fixed(at) => *at.lock().expect("no holder of this lock panics"),
        }
    }

    /// Moves a fixed clock; the system clock is not ours to move.
    pub fn advance(&self, by: TimeDelta) {
        if let Self::Fixed(at) = self {
            *at.lock().expect("no holder of this lock panics") += by;
        }
    }
}

/// As stored: milliseconds since 1970.
pub fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// From the stored form. What lies outside of chrono's calendar becomes its last instant.
pub fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// RFC 3339 with milliseconds, in UTC: for machines.
pub fn iso(at: DateTime<Utc>) -> String {
    let Some(year) = u32::try_from(at.year()).ok().filter(|it| *it <= 9_999) else {
        return at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    };
    // Each verification writes one, and what fits every format takes several times as long.
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |start: usize, end: usize, mut value: u32| {
        for digit in text[start..end].iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
        }
    };
    put(0, 4, year);
    put(5, 7, at.month());
    put(8, 10, at.day());
    put(11, 13, at.hour());
    put(14, 16, at.minute());
    put(17, 19, at.second());
    put(20, 23, at.timestamp_subsec_millis());
    str::from_utf8(&text).unwrap_or_default().to_owned()
}

/// A version 7 UUID: unique, and sorted by the time of its making.
pub fn new_id(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_rfc_3339_has_them() {
        let by_chrono = |it: DateTime<Utc>| it.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        // Of each year some, and of the days around the first and the last that fit four digits.
        let day = 86_400_000;
        let starts =
            [-62_167_219_200_000, 253_402_300_800_000].map(|it| it - 2 * day..it + 2 * day);
        let years = (-62_167_219_200_000..253_402_300_800_000).step_by(21_013_999_777);
        let edges = starts.into_iter().flat_map(|it| it.step_by(7_777_777));
        for at in years.chain(edges).map(instant) {
            assert_eq!(iso(at), by_chrono(at));
        }
        assert_eq!(iso(instant(1_795_170_600_090)), "2026-11-20T10:30:00.090Z");
    }
}
