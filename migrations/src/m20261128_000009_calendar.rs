//! Calendar feeds, what their events need to know of a key instance, and ends across subscriptions.
use sea_orm_migration::{prelude::*, schema::*};

use crate::{added, index};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let db = m.get_connection();
        m.alter_table(added("key_instances", integer("revision").default(0))).await?;
        m.alter_table(added("key_instances", big_integer("changed_at").default(0))).await?;
        m.alter_table(added("key_instances", &mut big_integer_null("planned_end"))).await?;
        m.alter_table(added("key_groups", integer("edits").default(0))).await?;
        m.alter_table(added("key_groups", big_integer("changed_at").default(0))).await?;
        // What a revoked one was to end at is not known any more: its revocation stands for it.
        db.execute_unprepared(
            "UPDATE key_instances SET planned_end = active_until, \
             changed_at = COALESCE(revoked_at, deactivated_at, created_at)",
        )
        .await?;
        db.execute_unprepared(
            "UPDATE key_groups SET changed_at = COALESCE((SELECT max(changed_at) \
             FROM key_instances WHERE key_group_id = key_groups.id), created_at)",
        )
        .await?;
        for (name, columns) in [
            ("ix_key_instances_sub_planned", &["subscription_id", "planned_end", "id"][..]),
            ("ix_key_instances_group_planned", &["key_group_id", "planned_end", "id"]),
            ("ix_key_instances_ends", &["is_off", "ends_at", "id"]),
        ] {
            m.create_index(index(name, "key_instances", columns)).await?;
        }
        m.create_table(calendar_feeds()).await?;
        let mut digest = index("uq_calendar_feeds_digest", "calendar_feeds", &["digest"]);
        m.create_index(digest.unique().to_owned()).await?;
        let of = &["subscription_id", "key_group_id"];
        let mut one = index("uq_calendar_feeds_group", "calendar_feeds", of);
        m.create_index(one.unique().to_owned()).await?;
        // NULLs are distinct: one feed of the whole subscription.
        let mut whole = index("uq_calendar_feeds_whole", "calendar_feeds", &["subscription_id"]);
        whole.unique().and_where(Expr::col("key_group_id").is_null());
        m.create_index(whole).await
    }
}

/// Without a key group it is of the whole subscription.
fn calendar_feeds() -> TableCreateStatement {
    Table::create()
        .table("calendar_feeds")
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(uuid_null("key_group_id"))
        .col(text("digest"))
        .col(big_integer("created_at"))
        .col(uuid("created_by"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_calendar_feeds_subscription")
                .from("calendar_feeds", "subscription_id")
                .to("subscriptions", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("fk_calendar_feeds_group")
                .from("calendar_feeds", ("subscription_id", "key_group_id"))
                .to("key_groups", ("subscription_id", "id"))
                .on_delete(ForeignKeyAction::Cascade),
        )
        .foreign_key(
            ForeignKey::create()
                .name("fk_calendar_feeds_creator")
                .from("calendar_feeds", "created_by")
                .to("users", "id"),
        )
        .to_owned()
}
