//! Client credentials: chosen secrets, numbers by which the Octane dialect names things, and sessions
//! of programs.
use sea_orm_migration::{prelude::*, schema::*};

use crate::{added, index};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Numbered within their subscription, all by one counter.
const NUMBERED: [&str; 4] = ["key_groups", "policies", "workspaces", "workspace_roles"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let db = m.get_connection();
        m.alter_table(added("key_instances", &mut text_null("secret_hash"))).await?;
        m.alter_table(added("subscriptions", boolean("rest_keys_only").default(false))).await?;
        m.alter_table(added("subscriptions", integer("next_number").default(FIRST))).await?;
        m.alter_table(added("subscriptions", integer("number").default(0))).await?;
        db.execute_unprepared(&numbered("subscriptions", "")).await?;
        let mut unique = index("uq_subscriptions_number", "subscriptions", &["number"]);
        m.create_index(unique.unique().to_owned()).await?;
        for table in NUMBERED {
            m.alter_table(added(table, integer("number").default(0))).await?;
            db.execute_unprepared(&numbered(table, "PARTITION BY subscription_id")).await?;
            // What was numbered table by table goes on behind the largest of them.
            let next = format!(
                "(SELECT max(number) + 1 FROM {table} WHERE subscription_id = subscriptions.id)"
            );
            db.execute_unprepared(&format!(
                "UPDATE subscriptions SET next_number = {next} WHERE {next} > next_number"
            ))
            .await?;
            let mut unique = Index::create();
            unique.name(format!("uq_{table}_number")).table(table);
            unique.col("subscription_id").col("number").unique();
            m.create_index(unique).await?;
        }
        m.alter_table(added("policies", big_integer("changed_at").default(0))).await?;
        db.execute_unprepared("UPDATE policies SET changed_at = created_at").await?;
        let mut clients =
            index("ix_key_groups_client", "key_groups", &["subscription_id", "number"]);
        clients.and_where(Expr::col("kind").eq("client_credentials"));
        m.create_index(clients).await?;
        m.create_table(rest_sessions()).await?;
        m.create_index(index("ix_rest_sessions_user", "rest_sessions", &["user_id"])).await?;
        let instance = index("ix_rest_sessions_instance", "rest_sessions", &["key_instance_id"]);
        m.create_index(instance).await?;
        m.create_index(index("ix_rest_sessions_created", "rest_sessions", &["created_at"])).await
    }
}

/// The numbers of document 001 have four digits too.
const FIRST: i32 = 1001;

/// Numbers the rows that are there in the order of their making.
fn numbered(table: &str, partition: &str) -> String {
    format!(
        "UPDATE {table} SET number = counted.n FROM \
         (SELECT id, {FIRST} - 1 + row_number() OVER ({partition} ORDER BY id) AS n FROM {table}) \
         AS counted WHERE counted.id = {table}.id"
    )
}

/// Of a user who signed in with a password, or of a client that showed its secret.
fn rest_sessions() -> TableCreateStatement {
    Table::create()
        .table("rest_sessions")
        .col(text("digest").primary_key())
        .col(uuid_null("user_id"))
        .col(uuid_null("key_instance_id"))
        .col(text("password"))
        .col(big_integer("created_at"))
        .col(big_integer("last_seen_at"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_rest_sessions_user")
                .from("rest_sessions", "user_id")
                .to("users", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .foreign_key(
            ForeignKey::create()
                .name("fk_rest_sessions_instance")
                .from("rest_sessions", "key_instance_id")
                .to("key_instances", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .check(Expr::cust("(user_id IS NULL) <> (key_instance_id IS NULL)"))
        .to_owned()
}
