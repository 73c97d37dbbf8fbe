//! Key instances: one credential each. Only facts are stored; the status is computed.
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use crate::{
    clock::{instant, millis},
    domain::{ActivePeriod, Facts, Status, Warning, label_name, notice, warning},
};

/// `ends_at` of an instance that never ends.
pub(crate) const NEVER: i64 = i64::MAX;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_instances")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub subscription_id: Uuid,
    pub key_group_id: Uuid,
    /// Counted within the group, never used again: `k-<label>`.
    pub label: i32,
    pub note: String,
    pub note_folded: String,
    pub digest: Vec<u8>,
    pub pepper_version: i16,
    pub custom: bool,
    /// PHC text of argon2id, of a client secret that a user chose; `digest` is then of this text.
    pub secret_hash: Option<String>,
    pub mask: String,
    pub active_from: i64,
    pub active_until: Option<i64>,
    pub deactivated_at: Option<i64>,
    pub revoked_at: Option<i64>,
    // Shadows of the facts, for indexes.
    pub is_off: bool,
    pub ends_at: i64,
    pub warns_at: i64,
    /// When somebody is to be told of its end next, see `notices`. `None`: never.
    pub notice_at: Option<i64>,
    /// Rises with each change of the facts, and when the last one was.
    pub revision: i32,
    pub changed_at: i64,
    /// The end that it has, or had before it was revoked.
    pub planned_end: Option<i64>,
    pub created_at: i64,
    pub created_by: Uuid,
    /// When and how its creator confirmed that it is kept somewhere.
    pub saved_at: Option<i64>,
    pub saved_by: Option<String>,
    /// The last accepted call: when, from which address, by whom.
    pub last_used_at: Option<i64>,
    pub last_used_from: Option<String>,
    pub last_used_agent: Option<String>,
    /// The last refused call with this very secret, and why.
    pub last_refused_at: Option<i64>,
    pub last_refused_from: Option<String>,
    pub last_refused_reason: Option<String>,
    /// The permission that it lacked, and where: `orders:write in emea`.
    pub last_refused_asked: Option<String>,
    /// The last use, or the creation; at most a minute behind.
    pub idle_since: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// What [`facts`] are made of, in its order.
pub(crate) const FACTS: [Column; 4] =
    [Column::ActiveFrom, Column::ActiveUntil, Column::DeactivatedAt, Column::RevokedAt];

pub(crate) fn facts(
    active_from: i64,
    active_until: Option<i64>,
    deactivated_at: Option<i64>,
    revoked_at: Option<i64>,
) -> Facts {
    let period = ActivePeriod::new(instant(active_from), active_until.map(instant));
    Facts {
        period: period.expect("the database checks that a period ends after it starts"),
        deactivated_at: deactivated_at.map(instant),
        revoked_at: revoked_at.map(instant),
    }
}

impl Model {
    pub fn name(&self) -> String {
        label_name(self.label)
    }

    pub fn facts(&self) -> Facts {
        facts(self.active_from, self.active_until, self.deactivated_at, self.revoked_at)
    }

    /// The same instance with other facts, for pages; its shadows stay as they are.
    pub fn with(&self, facts: &Facts) -> Self {
        Self {
            active_from: millis(facts.period.from()),
            active_until: facts.period.until().map(millis),
            deactivated_at: facts.deactivated_at.map(millis),
            revoked_at: facts.revoked_at.map(millis),
            ..self.clone()
        }
    }

    /// The row with other facts, changed now. This and [`ActiveModel::unused`] are the only ways to
    /// write facts: their shadows follow, and the change is counted.
    pub(crate) fn with_facts(&self, facts: &Facts, now: DateTime<Utc>) -> ActiveModel {
        let mut row = ActiveModel::from(self.clone());
        row.set_facts(facts);
        if *facts != self.facts() {
            row.revision = Set(self.revision.saturating_add(1));
            row.changed_at = Set(millis(now));
        }
        row
    }

    pub fn status(&self, now: DateTime<Utc>) -> Status {
        self.facts().status(now)
    }

    pub fn warning(&self, now: DateTime<Utc>) -> Option<Warning> {
        self.facts().warning(now)
    }

    pub fn is_revoked(&self) -> bool {
        self.revoked_at.is_some()
    }

    pub fn last_used(&self) -> Option<DateTime<Utc>> {
        self.last_used_at.map(instant)
    }

    /// Nobody has confirmed that its secret is kept, nobody has used it, and it is or will be
    /// active.
    pub fn is_replaceable(&self, now: DateTime<Utc>) -> bool {
        let lives = matches!(self.status(now), Status::Active | Status::ActiveInTheFuture);
        lives && self.saved_at.is_none() && self.last_used_at.is_none()
    }
}

impl ActiveModel {
    /// What every new instance begins with: its facts; nobody has used it, nobody has confirmed to
    /// have it.
    pub(crate) fn unused(facts: &Facts, at: i64) -> Self {
        let mut row = Self {
            revision: Set(0),
            changed_at: Set(at),
            created_at: Set(at),
            saved_at: Set(None),
            saved_by: Set(None),
            last_used_at: Set(None),
            last_used_from: Set(None),
            last_used_agent: Set(None),
            last_refused_at: Set(None),
            last_refused_from: Set(None),
            last_refused_reason: Set(None),
            last_refused_asked: Set(None),
            idle_since: Set(at),
            ..Default::default()
        };
        row.set_facts(facts);
        row
    }

    /// Of the row that `before` was, which is changed now.
    pub(crate) fn set_note(&mut self, note: String, before: &Model, now: DateTime<Utc>) {
        self.note_folded = Set(note.to_lowercase());
        self.note = Set(note);
        self.revision = Set(before.revision.saturating_add(1));
        self.changed_at = Set(millis(now));
    }

    fn set_facts(&mut self, facts: &Facts) {
        let until = facts.period.until();
        let end = match (until, facts.revoked_at) {
            (Some(until), Some(revoked)) => Some(until.min(revoked)),
            (until, revoked) => until.or(revoked),
        };
        let warns = warning::of(&facts.period).map(|it| it.starts);
        self.active_from = Set(millis(facts.period.from()));
        self.active_until = Set(until.map(millis));
        self.deactivated_at = Set(facts.deactivated_at.map(millis));
        self.revoked_at = Set(facts.revoked_at.map(millis));
        self.is_off = Set(facts.deactivated_at.is_some() && facts.revoked_at.is_none());
        self.ends_at = Set(end.map_or(NEVER, millis));
        self.warns_at = Set(warns.map_or(NEVER, millis));
        let told = notice::schedule(&facts.period);
        let first = told.first().filter(|_| facts.is_live());
        self.notice_at = Set(first.map(|(_, at)| millis(*at)));
        // A revocation moves the end to its own instant; what was planned stays known.
        if facts.revoked_at.is_none() {
            self.planned_end = Set(until.map(millis));
        }
    }
}
