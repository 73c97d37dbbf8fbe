//! Automation tokens. Only a digest of each is here.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::{
    clock::instant,
    domain::{ActivePeriod, ApiScopes, Facts, notice, warning::Warning},
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "automation_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub subscription_id: Uuid,
    pub name: String,
    /// Separated by spaces.
    pub scopes: String,
    pub digest: Vec<u8>,
    pub pepper_version: i16,
    pub mask: String,
    pub created_at: i64,
    pub created_by: Uuid,
    pub ends_at: i64,
    pub revoked_at: Option<i64>,
    /// True to the minute.
    pub last_used_at: Option<i64>,
    pub last_used_from: Option<String>,
    /// When it is next looked at whether its end is to be told of.
    pub notice_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn scopes(&self) -> ApiScopes {
        ApiScopes::parse(self.scopes.split(' '))
    }

    pub fn ends(&self) -> DateTime<Utc> {
        instant(self.ends_at)
    }

    /// As of a key: what thresholds and the warning are computed from.
    pub fn facts(&self) -> Facts {
        let period = ActivePeriod::new(instant(self.created_at), Some(self.ends()));
        let period = period.expect("a token ends after it was made");
        Facts { revoked_at: self.revoked_at.map(instant), ..Facts::new(period) }
    }

    /// The yellow state, by the rule of keys.
    pub fn warning(&self, now: DateTime<Utc>) -> Option<Warning> {
        self.facts().warning(now)
    }

    /// The first time that its end may have to be told of.
    pub(super) fn first_notice(&self) -> Option<DateTime<Utc>> {
        notice::schedule(&self.facts().period).first().map(|it| it.1)
    }

    /// Whether `other` has taken its place: a token of the same name that ends later.
    pub fn is_replaced_by(&self, other: &Self) -> bool {
        other.name == self.name && other.revoked_at.is_none() && other.ends_at > self.ends_at
    }

    /// Whether it opens anything at `now`.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && now < self.ends()
    }
}
