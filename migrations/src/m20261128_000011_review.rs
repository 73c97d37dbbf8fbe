//! The review of unused keys: those that still work, the longest idle first. What ended long ago comes
//! first in that order, so its end is in the index too, and it is passed over without a look at its row.
use sea_orm_migration::prelude::*;

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let columns = &["subscription_id", "is_off", "idle_since", "id", "ends_at"];
        m.create_index(index("ix_key_instances_review", "key_instances", columns)).await
    }
}
