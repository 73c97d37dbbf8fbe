//! On Postgres, a change tells by which transaction it was made: whoever has applied that one already,
//! as the node that made it has, need not look again.
use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

use crate::{m20261128_000013_changes as first, m20261128_000015_more_changes as more};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        if m.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        for it in first::WATCHED.iter().chain(more::WATCHED) {
            let sql = first::postgres_function(it, "pg_current_xact_id()::text");
            m.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}
