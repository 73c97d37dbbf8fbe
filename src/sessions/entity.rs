//! Sessions. The id itself is a bearer secret: only its digest is here.
use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: String,
    pub user_id: Option<Uuid>,
    /// JSON of actix-session's map.
    pub state: String,
    pub created_at: i64,
    pub last_seen_at: i64,
    pub revoked_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

/// How and where a session started; in its state.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Started {
    /// Names it on the pages of its own user; worth nothing elsewhere.
    pub id: String,
    pub address: String,
    pub agent: String,
}

impl Model {
    /// `None` for a session that is older than this knowledge.
    pub fn started(&self) -> Option<Started> {
        let state: HashMap<String, String> = serde_json::from_str(&self.state).ok()?;
        serde_json::from_str(state.get(super::STARTED)?).ok()
    }
}
