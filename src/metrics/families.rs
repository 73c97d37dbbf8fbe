//! The one list of all metrics: name, meaning, and where the values come from. A further one is a
//! further paragraph here.
use std::fmt;

use chrono::{DateTime, Utc};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
    registry::Unit,
};

use super::store::Stored;
use crate::{clock::millis, db::Connections};

/// The values of one scrape.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) now: DateTime<Utc>,
    pub(super) started_at: DateTime<Utc>,
    pub(super) verifications: Vec<(&'static str, u64)>,
    pub(super) notices: Vec<(&'static str, u64)>,
    pub(super) attempts: [(&'static str, &'static str, u64); 4],
    pub(super) connections: Connections,
    /// Instances in memory, and whether they are relied on.
    pub(super) live: (usize, bool),
    /// `None` where the database is away.
    pub(super) stored: Option<Stored>,
}

impl Collector for Scrape {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        self.of_this_process(&mut to)?;
        let up = if self.stored.is_some() { 1.0 } else { 0.0 };
        single(&mut to, ("keyward_up_database", "Whether the database answered this scrape."), up)?;
        self.stored.as_ref().map_or(Ok(()), |it| self.of_the_database(it, &mut to))
    }
}

impl Scrape {
    fn of_this_process(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let what = "The version of Keyward.";
        to.encode_descriptor("keyward_build", what, None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;

        let what = "When this process started, since 1970.";
        to.encode_descriptor("process_start_time", what, Some(&Unit::Seconds), MetricType::Gauge)?
            .encode_gauge(&seconds(millis(self.started_at)))?;

        let what = "Answers of /verify by this process: accepted, a reason, or why there was none.";
        let mut family =
            to.encode_descriptor("keyward_verifications", what, None, MetricType::Counter)?;
        for (result, count) in &self.verifications {
            let labels = [("result", *result)];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }

        let what = "Notices that this process wrote, by what had come.";
        let mut family =
            to.encode_descriptor("keyward_notices", what, None, MetricType::Counter)?;
        for (threshold, count) in &self.notices {
            let labels = [("threshold", *threshold)];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }

        let what = "Attempts of this process to send notices.";
        let name = "keyward_delivery_attempts";
        let mut family = to.encode_descriptor(name, what, None, MetricType::Counter)?;
        for (channel, result, count) in &self.attempts {
            let labels = [("channel", *channel), ("result", *result)];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }

        let what = "Connections of this process to the database.";
        let states = [("idle", self.connections.idle), ("in_use", self.connections.in_use)];
        let rows = states.map(|(state, count)| ([("state", state)], count as f64));
        gauges(to, ("keyward_database_connections", what), None, rows)?;

        let (instances, is_trusted) = self.live;
        let what = "Key instances in the memory of this process.";
        single(to, ("keyward_live_key_instances", what), instances as f64)?;
        let what = "Whether verifications rely on memory; otherwise each asks the database.";
        single(to, ("keyward_live_trusted", what), if is_trusted { 1.0 } else { 0.0 })
    }

    fn of_the_database(&self, it: &Stored, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let what = "Sessions of people that are live.";
        single(to, ("keyward_sessions", what), it.sessions as f64)?;

        let what = "Notices that are still to be sent; 10000 are counted.";
        single(to, ("keyward_deliveries_waiting", what), it.waiting as f64)?;

        let what = "Key groups: all, and those that are in a state, which can be several.";
        let rows = it.key_groups.map(|(state, count)| ([("state", state)], count as f64));
        gauges(to, ("keyward_key_groups", what), None, rows)?;

        let what = "Time to the end of a key; negative for 7 days after it. The soonest ends only.";
        let rows = it.expiries.iter().map(|it| {
            let labels = [
                ("subscription", it.subscription.as_str()),
                ("key_group", it.key_group.as_str()),
                ("key_instance", it.key_instance.as_str()),
            ];
            (labels, seconds(it.ends_at - millis(self.now)))
        });
        let name = "keyward_key_instance_expiry";
        gauges(to, (name, what), Some(&Unit::Seconds), rows)?;

        let what = "Keys that end within 90 days and are not among the listed; 10000 are counted.";
        single(to, ("keyward_key_instances_not_listed", what), it.not_listed as f64)
    }
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

fn single(to: &mut DescriptorEncoder<'_>, (name, what): (&str, &str), value: f64) -> fmt::Result {
    to.encode_descriptor(name, what, None, MetricType::Gauge)?.encode_gauge(&value)
}

fn gauges<'a, const N: usize>(
    to: &mut DescriptorEncoder<'_>,
    (name, what): (&str, &str),
    unit: Option<&Unit>,
    rows: impl IntoIterator<Item = ([(&'static str, &'a str); N], f64)>,
) -> fmt::Result {
    let mut family = to.encode_descriptor(name, what, unit, MetricType::Gauge)?;
    for (labels, value) in rows {
        family.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}
