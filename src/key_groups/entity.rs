//! Key groups: one application's keys.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::{
    clock::instant,
    domain::{GroupKind, coverage::Run},
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_groups")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub subscription_id: Uuid,
    pub name: String,
    /// In lower case: unique within the subscription.
    pub name_folded: String,
    pub description: String,
    /// Whom to tell about its keys.
    pub contact: String,
    /// Name and description in lower case.
    pub search_text: String,
    pub kind: String,
    /// Public, unique, never a secret.
    pub client_id: String,
    /// What the Octane dialect calls it: an API access.
    pub number: i32,
    /// Rises with every change of the group or of its instances.
    pub version: i32,
    /// How often its name, description or contact was changed.
    pub edits: i32,
    /// When `version` rose last.
    pub changed_at: i64,
    pub last_label: i32,
    /// Rises with every change of what the group holds: see `access`.
    pub access_version: i32,
    pub created_at: i64,
    pub created_by: Uuid,
    // The summary: see `summary.rs`.
    pub active_count: i32,
    pub soon_count: i32,
    pub future_count: i32,
    pub expired_count: i32,
    pub deactivated_count: i32,
    pub coverage: String,
    pub covered_until: Option<i64>,
    pub next_start: Option<i64>,
    pub coverage_rank: i64,
    pub warns: bool,
    pub no_successor: bool,
    pub nothing_active: bool,
    pub attention: i16,
    pub changes_at: Option<i64>,
    pub lost_at: Option<i64>,
    pub last_used_at: Option<i64>,
    pub last_refused_at: Option<i64>,
    pub idle_since: i64,
    /// Something has changed in it that notices may have to speak of. `None`: they have looked.
    pub woken_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn kind(&self) -> GroupKind {
        GroupKind::parse(&self.kind).expect("the database checks the kind")
    }

    /// Coverage as of the last refresh, which lists see to.
    pub fn run(&self) -> Run {
        let (until, next) = (self.covered_until.map(instant), self.next_start.map(instant));
        match (self.coverage.as_str(), until, next) {
            ("gap", Some(until), Some(next)) => Run::Gap { until, next },
            ("runs_out", Some(until), _) => Run::RunsOut { until },
            ("covered", Some(until), _) => Run::Covered { until },
            ("forever", ..) => Run::Forever,
            _ => Run::Nothing { next },
        }
    }

    pub fn instance_count(&self) -> i32 {
        self.active_count + self.future_count + self.expired_count + self.deactivated_count
    }

    pub fn last_used(&self) -> Option<DateTime<Utc>> {
        self.last_used_at.map(instant)
    }
}
