//! The only place that reads the system clock. Instants have millisecond precision (DOMAIN.md).
use std::sync::{Arc, Mutex};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
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
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A version 7 UUID: unique, and sorted by the time of its making.
pub fn new_id(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}
