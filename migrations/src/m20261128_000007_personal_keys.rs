//! Personal keys: signed bearer keys of a user (document 003). Of each only the public half is kept.
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
        m.create_table(personal_keys()).await?;
        m.create_table(personal_key_user_groups()).await?;
        for (name, table, columns) in [
            ("ix_personal_keys_user", "personal_keys", &["user_id", "id"][..]),
            (
                "ix_personal_key_user_groups_group",
                "personal_key_user_groups",
                &["subscription_id", "user_group_id"],
            ),
        ] {
            m.create_index(index(name, table, columns)).await?;
        }
        Ok(())
    }
}

/// `claims` is the signed JSON, byte for byte. `issued_at` and `active_until` are whole seconds.
fn personal_keys() -> TableCreateStatement {
    const TABLE: &str = "personal_keys";
    Table::create()
        .table(TABLE)
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(binary_len("public_key", 32))
        .col(text("claims"))
        .col(text("note"))
        .col(big_integer("issued_at"))
        .col(big_integer_null("active_until"))
        .col(big_integer_null("saved_at"))
        .col(big_integer_null("last_used_at"))
        .col(text_null("last_used_from"))
        .col(text_null("last_used_agent"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_personal_keys_user")
                .from(TABLE, "user_id")
                .to("users", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

/// The user groups that a key's claims name, by id: a later one of the same name is none of them.
fn personal_key_user_groups() -> TableCreateStatement {
    const TABLE: &str = "personal_key_user_groups";
    Table::create()
        .table(TABLE)
        .col(uuid("personal_key_id"))
        .col(uuid("subscription_id"))
        .col(uuid("user_group_id"))
        .primary_key(Index::create().col("personal_key_id").col("user_group_id"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_personal_key_user_groups_key")
                .from(TABLE, "personal_key_id")
                .to("personal_keys", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .foreign_key(
            ForeignKey::create()
                .name("fk_personal_key_user_groups_group")
                .from(TABLE, ("subscription_id", "user_group_id"))
                .to("user_groups", ("subscription_id", "id"))
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}
