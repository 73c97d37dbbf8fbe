//! Whoever does not want single letters to do something switches them off (WCAG 2.1.4).
use sea_orm_migration::prelude::*;

use crate::added;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let shortcuts = &mut ColumnDef::new("shortcuts");
        m.alter_table(added("users", shortcuts.boolean().not_null().default(true))).await
    }
}
