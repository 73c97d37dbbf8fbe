//! What the overview asks for.
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        // Groups that lost their last key while another one waits need attention from now on: their
        // summaries are due, so the next reader makes them anew.
        let waiting = Query::update()
            .table("key_groups")
            .value("changes_at", 0)
            .and_where(Expr::col("nothing_active").eq(true))
            .and_where(Expr::col("next_start").is_not_null())
            .and_where(Expr::col("lost_at").is_not_null())
            .take();
        m.execute(waiting).await
    }
}
