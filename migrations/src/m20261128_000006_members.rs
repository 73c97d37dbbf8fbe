//! Who was shown which secret.
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
        m.create_table(secret_exposures()).await?;
        let of_user = &["subscription_id", "user_id", "key_instance_id"];
        m.create_index(index("ix_secret_exposures_user", "secret_exposures", of_user)).await?;
        // Whoever made a key was shown it.
        let made = Query::select()
            .columns(["subscription_id", "id", "created_by"])
            .expr(Expr::val("made"))
            .column("created_at")
            .from("key_instances")
            .to_owned();
        let mut known = Query::insert();
        known.into_table("secret_exposures").columns([
            "subscription_id",
            "key_instance_id",
            "user_id",
            "how",
            "at",
        ]);
        known.select_from(made).map_err(|it| DbErr::Custom(it.to_string()))?;
        m.execute(known).await
    }
}

/// The first time for each way in which a user came to know the secret of an instance.
fn secret_exposures() -> TableCreateStatement {
    Table::create()
        .table("secret_exposures")
        .col(uuid("subscription_id"))
        .col(uuid("key_instance_id"))
        .col(uuid("user_id"))
        .col(text("how"))
        .col(big_integer("at"))
        .primary_key(Index::create().col("key_instance_id").col("user_id").col("how"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_secret_exposures_instance")
                .from("secret_exposures", "key_instance_id")
                .to("key_instances", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .foreign_key(
            ForeignKey::create()
                .name("fk_secret_exposures_user")
                .from("secret_exposures", "user_id")
                .to("users", "id"),
        )
        .check(Expr::cust(
            "how IN ('made', 'shown', 'clipboard', 'selection', 'manual', 'json', 'env')",
        ))
        .to_owned()
}
