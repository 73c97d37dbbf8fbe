//! Key groups, key instances and their use.
use sea_orm_migration::{prelude::*, schema::*};

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(key_groups()).await?;
        for (name, columns, unique) in [
            ("uq_key_groups_name", &["subscription_id", "name_folded"][..], true),
            ("uq_key_groups_client_id", &["client_id"], true),
            ("uq_key_groups_scope", &["subscription_id", "id"], true),
            ("ix_key_groups_coverage", &["subscription_id", "coverage_rank", "id"], false),
            ("ix_key_groups_warns", &["subscription_id", "warns", "coverage_rank", "id"], false),
            (
                "ix_key_groups_no_successor",
                &["subscription_id", "no_successor", "coverage_rank", "id"],
                false,
            ),
            (
                "ix_key_groups_nothing",
                &["subscription_id", "nothing_active", "coverage_rank", "id"],
                false,
            ),
            ("ix_key_groups_idle", &["subscription_id", "idle_since", "id"], false),
            (
                "ix_key_groups_attention",
                &["subscription_id", "attention", "coverage_rank", "id"],
                false,
            ),
            ("ix_key_groups_changes", &["changes_at"], false),
            ("ix_key_groups_sub_changes", &["subscription_id", "changes_at"], false),
        ] {
            let mut index = index(name, "key_groups", columns);
            m.create_index(if unique { index.unique().to_owned() } else { index }).await?;
        }
        m.create_table(key_instances()).await?;
        for (name, columns, unique) in [
            ("uq_key_instances_digest", &["digest"][..], true),
            ("uq_key_instances_label", &["key_group_id", "label"], true),
            ("ix_key_instances_sub", &["subscription_id", "id"], false),
            ("ix_key_instances_sub_ends", &["subscription_id", "is_off", "ends_at", "id"], false),
            (
                "ix_key_instances_sub_starts",
                &["subscription_id", "is_off", "active_from", "id"],
                false,
            ),
            ("ix_key_instances_sub_idle", &["subscription_id", "idle_since", "id"], false),
            ("ix_key_instances_group_ends", &["key_group_id", "is_off", "ends_at", "id"], false),
            (
                "ix_key_instances_group_starts",
                &["key_group_id", "is_off", "active_from", "id"],
                false,
            ),
            ("ix_key_instances_group_idle", &["key_group_id", "idle_since", "id"], false),
        ] {
            let mut index = index(name, "key_instances", columns);
            m.create_index(if unique { index.unique().to_owned() } else { index }).await?;
        }
        let mut unsaved = index(
            "ix_key_instances_unsaved",
            "key_instances",
            &["subscription_id", "is_off", "id"],
        );
        m.create_index(unsaved.and_where(Expr::col("saved_at").is_null()).to_owned()).await?;
        for (name, columns) in [
            ("ix_key_instances_sub_never", &["subscription_id", "id"][..]),
            ("ix_key_instances_group_never", &["key_group_id", "label"]),
        ] {
            let mut never = index(name, "key_instances", columns);
            m.create_index(never.and_where(Expr::col("last_used_at").is_null()).to_owned()).await?;
        }
        let mut refused = index(
            "ix_key_instances_refused",
            "key_instances",
            &["key_group_id", "last_refused_at"],
        );
        refused.and_where(Expr::col("last_refused_at").is_not_null());
        m.create_index(refused).await?;
        m.create_table(usage("usage_days", "day")).await?;
        m.create_index(index("ix_usage_days_group", "usage_days", &["key_group_id", "day"]))
            .await?;
        m.create_table(usage("usage_hours", "hour")).await?;
        m.create_index(index("ix_usage_hours_hour", "usage_hours", &["hour"])).await
    }
}

/// The columns from `instance_count` on are the group's summary: derived from its instances, kept
/// by the verbs and refreshed when `changes_at` has passed. They serve lists, never a verdict.
fn key_groups() -> TableCreateStatement {
    Table::create()
        .table("key_groups")
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(text("name"))
        .col(text("name_folded"))
        .col(text("description"))
        .col(text("contact"))
        .col(text("search_text"))
        .col(text("kind"))
        .col(text("client_id"))
        .col(integer("version"))
        .col(integer("last_label"))
        .col(big_integer("created_at"))
        .col(uuid("created_by"))
        .col(integer("active_count"))
        .col(integer("soon_count"))
        .col(integer("future_count"))
        .col(integer("expired_count"))
        .col(integer("deactivated_count"))
        .col(text("coverage"))
        .col(big_integer_null("covered_until"))
        .col(big_integer_null("next_start"))
        .col(big_integer("coverage_rank"))
        .col(boolean("warns"))
        .col(boolean("no_successor"))
        .col(boolean("nothing_active"))
        .col(small_integer("attention"))
        .col(big_integer_null("changes_at"))
        .col(big_integer_null("lost_at"))
        .col(big_integer_null("last_used_at"))
        .col(big_integer_null("last_refused_at"))
        .col(big_integer("idle_since"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_key_groups_subscription")
                .from("key_groups", "subscription_id")
                .to("subscriptions", "id"),
        )
        .check(Expr::cust("kind IN ('token', 'client_credentials')"))
        .to_owned()
}

/// Facts, and three shadows of them that serve indexes: `is_off` (deactivated and not revoked),
/// `ends_at` (the effective end, the largest bigint for never) and `warns_at`.
fn key_instances() -> TableCreateStatement {
    Table::create()
        .table("key_instances")
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(uuid("key_group_id"))
        .col(integer("label"))
        .col(text("note"))
        .col(text("note_folded"))
        .col(binary_len("digest", 32))
        .col(small_integer("pepper_version"))
        .col(boolean("custom"))
        .col(text("mask"))
        .col(big_integer("active_from"))
        .col(big_integer_null("active_until"))
        .col(big_integer_null("deactivated_at"))
        .col(big_integer_null("revoked_at"))
        .col(boolean("is_off"))
        .col(big_integer("ends_at"))
        .col(big_integer("warns_at"))
        .col(big_integer("created_at"))
        .col(uuid("created_by"))
        .col(big_integer_null("saved_at"))
        .col(text_null("saved_by"))
        .col(big_integer_null("last_used_at"))
        .col(text_null("last_used_from"))
        .col(text_null("last_used_agent"))
        .col(big_integer_null("last_refused_at"))
        .col(text_null("last_refused_from"))
        .col(text_null("last_refused_reason"))
        .col(big_integer("idle_since"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_key_instances_group")
                .from("key_instances", ("subscription_id", "key_group_id"))
                .to("key_groups", ("subscription_id", "id"))
                .on_delete(ForeignKeyAction::Cascade),
        )
        .foreign_key(
            ForeignKey::create()
                .name("fk_key_instances_creator")
                .from("key_instances", "created_by")
                .to("users", "id"),
        )
        .check(Expr::cust("active_until IS NULL OR active_from < active_until"))
        .to_owned()
}

/// Calls per instance and day or hour (counted since 1970). Without a foreign key: a batch that
/// arrives after its instance was deleted must not take the other counts down.
fn usage(table: &'static str, bucket: &'static str) -> TableCreateStatement {
    Table::create()
        .table(table)
        .col(uuid("key_instance_id"))
        .col(uuid("key_group_id"))
        .col(integer(bucket))
        .col(big_integer("accepted"))
        .col(big_integer("refused"))
        .primary_key(Index::create().col("key_instance_id").col(bucket))
        .to_owned()
}
