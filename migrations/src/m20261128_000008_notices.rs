//! What is told of ends: notices, the webhooks and deliveries that carry them, and leases of what
//! one node does for all.
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
        m.alter_table(added("key_instances", &mut big_integer_null("notice_at"))).await?;
        m.alter_table(added("key_groups", &mut big_integer_null("woken_at"))).await?;
        m.alter_table(added("subscriptions", boolean("mail_notices").default(true))).await?;
        m.alter_table(added("subscriptions", &mut big_integer_null("last_notice_at"))).await?;
        m.alter_table(added("members", big_integer("notices_seen_at").default(0))).await?;
        // What ends from now on is told of; what has ended is old news.
        let now = match m.get_database_backend() {
            DatabaseBackend::Postgres => "CAST(extract(epoch FROM now()) * 1000 AS bigint)",
            _ => "CAST(strftime('%s', 'now') AS integer) * 1000",
        };
        let ahead = format!(
            "UPDATE key_instances SET notice_at = warns_at WHERE active_until IS NOT NULL AND \
             deactivated_at IS NULL AND revoked_at IS NULL AND ends_at > {now}"
        );
        m.get_connection().execute_unprepared(&ahead).await?;
        for table in [notices(), webhooks(), deliveries(), leases()] {
            m.create_table(table).await?;
        }
        let mut due = index("ix_key_instances_notice", "key_instances", &["notice_at"]);
        m.create_index(due.and_where(Expr::col("notice_at").is_not_null()).to_owned()).await?;
        let mut woken = index("ix_key_groups_woken", "key_groups", &["woken_at"]);
        m.create_index(woken.and_where(Expr::col("woken_at").is_not_null()).to_owned()).await?;
        let mut due = index("ix_deliveries_due", "deliveries", &["next_at"]);
        m.create_index(due.and_where(Expr::col("next_at").is_not_null()).to_owned()).await?;
        let mut once =
            index("uq_notices_once", "notices", &["key_instance_id", "ends_at", "threshold"]);
        m.create_index(once.unique().to_owned()).await?;
        let mut once = index("uq_deliveries_once", "deliveries", &["notice_id", "target"]);
        m.create_index(once.unique().to_owned()).await?;
        for (name, table, columns) in [
            ("ix_notices_subscription", "notices", &["subscription_id", "at", "id"][..]),
            ("ix_notices_group", "notices", &["key_group_id"]),
            ("ix_webhooks_subscription", "webhooks", &["subscription_id", "id"]),
            ("ix_deliveries_mails", "deliveries", &["subscription_id", "webhook_id", "id"]),
            ("ix_deliveries_webhook", "deliveries", &["webhook_id", "id"]),
        ] {
            m.create_index(index(name, table, columns)).await?;
        }
        Ok(())
    }
}

/// Rows of `table` are gone with the row of `other` that `column` names.
fn gone_with(table: &'static str, column: &'static str, other: &str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{table}_{other}"))
        .from(table, column)
        .to(other.to_owned(), "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

/// One word about one end. What it says is kept as it was said.
fn notices() -> TableCreateStatement {
    const TABLE: &str = "notices";
    Table::create()
        .table(TABLE)
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(uuid("key_group_id"))
        .col(uuid("key_instance_id"))
        .col(text("threshold"))
        .col(big_integer("ends_at"))
        .col(big_integer("at"))
        .col(text("group_name"))
        .col(integer("label"))
        .col(big_integer_null("last_used_at"))
        .col(integer_null("successor_label"))
        .col(big_integer_null("successor_from"))
        .foreign_key(&mut gone_with(TABLE, "subscription_id", "subscriptions"))
        .foreign_key(&mut gone_with(TABLE, "key_group_id", "key_groups"))
        .foreign_key(&mut gone_with(TABLE, "key_instance_id", "key_instances"))
        .check(Expr::cust("threshold IN ('warning', '14d', '7d', '1d', 'end')"))
        .to_owned()
}

/// Where notices are posted to. The secret that signs them is derived, not stored.
fn webhooks() -> TableCreateStatement {
    const TABLE: &str = "webhooks";
    Table::create()
        .table(TABLE)
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(text("url"))
        .col(integer("secret_version"))
        .col(big_integer_null("secret_changed_at"))
        .col(big_integer("created_at"))
        .col(uuid("created_by"))
        .col(big_integer_null("paused_at"))
        .foreign_key(&mut gone_with(TABLE, "subscription_id", "subscriptions"))
        .to_owned()
}

/// What is to be sent, and what became of it. `next_at` is when it is tried next; without one it is
/// done. A test of a webhook is about no notice.
fn deliveries() -> TableCreateStatement {
    const TABLE: &str = "deliveries";
    Table::create()
        .table(TABLE)
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(uuid_null("notice_id"))
        .col(uuid_null("webhook_id"))
        .col(text("target"))
        .col(text("state"))
        .col(integer("attempts"))
        .col(big_integer("created_at"))
        .col(big_integer_null("next_at"))
        .col(big_integer_null("tried_at"))
        .col(integer_null("took_ms"))
        .col(integer_null("status"))
        .col(text_null("error"))
        .foreign_key(&mut gone_with(TABLE, "subscription_id", "subscriptions"))
        .foreign_key(&mut gone_with(TABLE, "notice_id", "notices"))
        .foreign_key(&mut gone_with(TABLE, "webhook_id", "webhooks"))
        .check(Expr::cust("state IN ('pending', 'delivered', 'failed')"))
        .to_owned()
}

/// Who does what only one of several nodes should do, and until when.
fn leases() -> TableCreateStatement {
    Table::create()
        .table("leases")
        .col(text("name").primary_key())
        .col(text("holder"))
        .col(big_integer("until"))
        .to_owned()
}
