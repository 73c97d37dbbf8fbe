//! What changes about a key, as bodies have it.
use chrono::{DateTime, SubsecRound, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    openapi::texts::Note,
    wire::{period, present},
};
use crate::{domain::ActivePeriod, http::fault::Cause, key_instances::KeyInstance};

/// Another active period, another note. What is not there stays; an `until` of null takes the end away.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyChange {
    pub from: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub until: Option<Option<DateTime<Utc>>>,
    #[schema(value_type = Option<Note>)]
    pub note: Option<String>,
}

impl KeyChange {
    pub fn applied_to(&self, it: &KeyInstance) -> Result<ActivePeriod, Cause> {
        applied((self.from, self.until), it)
    }
}

fn applied(
    (from, until): (Option<DateTime<Utc>>, Option<Option<DateTime<Utc>>>),
    it: &KeyInstance,
) -> Result<ActivePeriod, Cause> {
    let now = it.facts().period;
    let from = from.map_or(now.from(), |it| it.trunc_subsecs(3));
    let until = until.map_or(now.until(), |it| it.map(|it| it.trunc_subsecs(3)));
    period(from, until)
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

impl Reactivation {
    pub fn applied_to(&self, it: &KeyInstance) -> Result<ActivePeriod, Cause> {
        applied((self.from, Some(self.until)), it)
    }
}
