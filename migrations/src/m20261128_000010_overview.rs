//! What the overview asks for.
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
        // Groups that lost their last key while another one waits need attention from now on: their
        // summaries are due, so the next reader makes them anew.
        let waiting = Query::update()
            .table("key_groups")
            .value("changes_at", 0)
            .and_where(Expr::col("nothing_active").eq(true))
            .and_where(Expr::col("next_start").is_not_null())
            .and_where(Expr::col("lost_at").is_not_null())
            .take();
        m.execute(waiting).await?;
        // As before, and with what the sums of the overview look at: then they read no row.
        for (name, columns) in [
            (
                "ix_key_instances_sub_ends",
                &[
                    "subscription_id",
                    "is_off",
                    "ends_at",
                    "id",
                    "key_group_id",
                    "active_from",
                    "idle_since",
                ][..],
            ),
            (
                "ix_key_instances_group_ends",
                &["key_group_id", "is_off", "ends_at", "id", "active_from"],
            ),
        ] {
            m.drop_index(Index::drop().name(name).table("key_instances").to_owned()).await?;
            m.create_index(index(name, "key_instances", columns)).await?;
        }
        Ok(())
    }
}
