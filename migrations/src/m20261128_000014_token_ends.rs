//! Automation tokens are told of before they end, as keys are: when each is looked at next, and what was
//! said. What is said of a token has a table of its own, because a row of `notices` names a key.
use sea_orm_migration::{prelude::*, schema::*, sea_orm::DatabaseBackend};

use crate::{added, index};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.alter_table(added("automation_tokens", &mut big_integer_null("notice_at"))).await?;
        m.alter_table(added("deliveries", &mut uuid_null("token_notice_id"))).await?;
        // What ends from now on is looked at once; what has ended is old news.
        let now = match m.get_database_backend() {
            DatabaseBackend::Postgres => "CAST(extract(epoch FROM now()) * 1000 AS bigint)",
            _ => "CAST(strftime('%s', 'now') AS integer) * 1000",
        };
        let ahead = format!(
            "UPDATE automation_tokens SET notice_at = created_at WHERE revoked_at IS NULL AND \
             ends_at > {now}"
        );
        m.get_connection().execute_unprepared(&ahead).await?;
        m.create_table(token_notices()).await?;
        let mut due = index("ix_automation_tokens_notice", "automation_tokens", &["notice_at"]);
        m.create_index(due.and_where(Expr::col("notice_at").is_not_null()).to_owned()).await?;
        let mut once = index("uq_deliveries_token", "deliveries", &["token_notice_id", "target"]);
        once.unique().and_where(Expr::col("token_notice_id").is_not_null());
        m.create_index(once).await?;
        let mut once =
            index("uq_token_notices_once", "token_notices", &["automation_token_id", "threshold"]);
        m.create_index(once.unique().to_owned()).await?;
        for (name, table, columns) in [
            ("ix_token_notices_subscription", "token_notices", &["subscription_id", "at", "id"]),
            (
                "ix_automation_tokens_ends",
                "automation_tokens",
                &["subscription_id", "ends_at", "id"],
            ),
        ] {
            m.create_index(index(name, table, columns)).await?;
        }
        Ok(())
    }
}

/// One word about the end of a token. What it says is kept as it was said.
fn token_notices() -> TableCreateStatement {
    const TABLE: &str = "token_notices";
    let gone_with = |column: &'static str, other: &'static str| {
        ForeignKey::create()
            .name(format!("fk_{TABLE}_{other}"))
            .from(TABLE, column)
            .to(other, "id")
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned()
    };
    Table::create()
        .table(TABLE)
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(uuid("automation_token_id"))
        .col(text("threshold"))
        .col(big_integer("ends_at"))
        .col(big_integer("at"))
        .col(text("name"))
        .col(big_integer_null("last_used_at"))
        .foreign_key(&mut gone_with("subscription_id", "subscriptions"))
        .foreign_key(&mut gone_with("automation_token_id", "automation_tokens"))
        .check(Expr::cust("threshold IN ('warning', '14d', '7d', '1d', 'end')"))
        .to_owned()
}
