//! Automation tokens. Only a digest of each is here.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::{clock::instant, domain::ApiScopes};

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
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn scopes(&self) -> ApiScopes {
        ApiScopes::parse(self.scopes.split(' '))
    }

    pub fn ends(&self) -> DateTime<Utc> {
        instant(self.ends_at)
    }

    /// Whether it opens anything at `now`.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && now < self.ends()
    }
}
