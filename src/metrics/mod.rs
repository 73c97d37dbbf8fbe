//! What a monitoring system reads: counters that are kept in memory, and what the database says at the
//! moment of the scrape. [`families`] is the list of all of it.
mod families;
pub mod serve;
mod store;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use chrono::{DateTime, Utc};
use prometheus_client::{encoding::text, registry::Registry};

use self::{families::Scrape, store::Stored};
use crate::{
    domain::{Denial, notice::Threshold},
    http::App,
    per_thread::PerThread,
};

/// Instances that one scrape names: the soonest ends. The rest is counted.
pub const LISTED: u64 = 1_000;

/// Prometheus waits for 10 seconds, unless it is told otherwise.
const DEADLINE: Duration = Duration::from_secs(5);

/// How a verification was answered.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    Accepted,
    Denied(Denial),
    /// The request made no sense.
    Malformed,
    /// Too many chosen secrets at once, or too many wrong ones.
    Throttled,
    /// The database was away.
    Unavailable,
}

const DENIALS: usize = Denial::ALL.len();

impl Outcome {
    const COUNT: usize = DENIALS + 4;

    fn index(self) -> usize {
        match self {
            Self::Denied(denial) => denial as usize,
            Self::Accepted => DENIALS,
            Self::Malformed => DENIALS + 1,
            Self::Throttled => DENIALS + 2,
            Self::Unavailable => DENIALS + 3,
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let others = [Self::Accepted, Self::Malformed, Self::Throttled, Self::Unavailable];
        Denial::ALL.into_iter().map(Self::Denied).chain(others)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::Accepted => "accepted",
            Self::Malformed => "malformed",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What became of an attempt to send a notice.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub by_mail: bool,
    pub taken: bool,
}

/// Counters of this process: they cost a call one addition, and no lock.
pub struct Metrics {
    started_at: DateTime<Utc>,
    verifications: PerThread<[AtomicU64; Outcome::COUNT]>,
    notices: [AtomicU64; Threshold::ALL.len()],
    sent: [AtomicU64; 4],
}

impl Metrics {
    pub fn new(started_at: DateTime<Utc>) -> Self {
        Self {
            started_at,
            verifications: Default::default(),
            notices: Default::default(),
            sent: Default::default(),
        }
    }

    /// One more notice.
    pub fn noticed(&self, it: Threshold) {
        self.notices[it as usize].fetch_add(1, Relaxed);
    }

    /// One more attempt to send notices.
    pub fn sent(&self, it: Sent) {
        self.sent[usize::from(it.by_mail) * 2 + usize::from(it.taken)].fetch_add(1, Relaxed);
    }

    fn notices(&self) -> Vec<(&'static str, u64)> {
        let count = |it: Threshold| (it.as_str(), self.notices[it as usize].load(Relaxed));
        Threshold::ALL.into_iter().map(count).collect()
    }

    /// By channel and result.
    fn attempts(&self) -> [(&'static str, &'static str, u64); 4] {
        let names =
            [("webhook", "failed"), ("webhook", "taken"), ("mail", "failed"), ("mail", "taken")];
        std::array::from_fn(|n| (names[n].0, names[n].1, self.sent[n].load(Relaxed)))
    }

    /// One more answer of `/verify`.
    pub fn verified(&self, it: Outcome) {
        self.verifications.own()[it.index()].fetch_add(1, Relaxed);
    }

    /// Counts them all, whenever it is asked.
    pub fn all_verified(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let counts = self.verifications.clone();
        move || counts.all().flatten().map(|it| it.load(Relaxed)).sum()
    }

    fn verifications(&self) -> Vec<(&'static str, u64)> {
        let of_threads = |n: usize| self.verifications.all().map(move |it| it[n].load(Relaxed));
        Outcome::all().map(|it| (it.name(), of_threads(it.index()).sum())).collect()
    }
}

/// Everything, as OpenMetrics text, with the ends of at most `listed` instances. A database that is away
/// or slow fails no scrape: what comes from it is left out, and `keyward_up_database` says so.
pub async fn scrape(app: &App, listed: u64) -> Result<String, std::fmt::Error> {
    let now = app.clock.now();
    // Before the queries of this very scrape.
    let connections = app.db.connections();
    let read = tokio::time::timeout(DEADLINE, Stored::read(&app.db, listed, now)).await;
    let stored = match read {
        Ok(Ok(stored)) => Some(stored),
        Ok(Err(error)) => {
            tracing::warn!(?error, "metrics of the database cannot be read");
            None
        }
        Err(_) => {
            tracing::warn!("metrics of the database take too long");
            None
        }
    };
    let scrape = Scrape {
        now,
        started_at: app.metrics.started_at,
        verifications: app.metrics.verifications(),
        notices: app.metrics.notices(),
        attempts: app.metrics.attempts(),
        connections,
        live: (app.live.len(), app.live.is_trusted()),
        stored,
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_place_and_a_name_of_its_own() {
        let places: Vec<usize> = Outcome::all().map(Outcome::index).collect();
        assert_eq!(places, (0..Outcome::COUNT).collect::<Vec<_>>());
        let names: std::collections::BTreeSet<_> = Outcome::all().map(Outcome::name).collect();
        assert_eq!(names.len(), Outcome::COUNT);
    }
}
