//! Automation tokens, and what a request that is sent twice must have in common with the first.
use sea_orm_migration::{prelude::*, schema::*};

use crate::{added, index};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(automation_tokens()).await?;
        let mut digest = index("uq_automation_tokens_digest", "automation_tokens", &["digest"]);
        m.create_index(digest.unique().to_owned()).await?;
        let columns = &["subscription_id", "id"];
        m.create_index(index("ix_automation_tokens_sub", "automation_tokens", columns)).await?;
        m.alter_table(added("submissions", &mut text_null("fingerprint"))).await
    }
}

fn automation_tokens() -> TableCreateStatement {
    Table::create()
        .table("automation_tokens")
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(text("name"))
        .col(text("scopes"))
        .col(binary_len("digest", 32))
        .col(small_integer("pepper_version"))
        .col(text("mask"))
        .col(big_integer("created_at"))
        .col(uuid("created_by"))
        .col(big_integer("ends_at"))
        .col(big_integer_null("revoked_at"))
        .col(big_integer_null("last_used_at"))
        .col(text_null("last_used_from"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_automation_tokens_subscription")
                .from("automation_tokens", "subscription_id")
                .to("subscriptions", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("fk_automation_tokens_creator")
                .from("automation_tokens", "created_by")
                .to("users", "id"),
        )
        .to_owned()
}
