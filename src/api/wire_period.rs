//! Other active periods of a key, as bodies have them.
use chrono::{DateTime, SubsecRound, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::wire::{period, present};
use crate::{domain::ActivePeriod, http::fault::Cause, key_instances::KeyInstance};

/// Another active period. What is not there stays; an `until` of null takes the end away.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PeriodChange {
    pub from: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub until: Option<Option<DateTime<Utc>>>,
}

impl PeriodChange {
    pub fn applied_to(&self, it: &KeyInstance) -> Result<ActivePeriod, Cause> {
        let now = it.facts().period;
        let from = self.from.map_or(now.from(), |it| it.trunc_subsecs(3));
        let until = self.until.map_or(now.until(), |it| it.map(|it| it.trunc_subsecs(3)));
        period(from, until)
    }
}

// Document 004 asks for it.
/// The active period that a key comes back with. A `from` that is not there stays; an `until` of null means that
/// it has no end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reactivation {
    pub from: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    pub until: Option<DateTime<Utc>>,
}

impl From<Reactivation> for PeriodChange {
    fn from(it: Reactivation) -> Self {
        Self { from: it.from, until: Some(it.until) }
    }
}
