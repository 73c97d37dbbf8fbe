//! The log of what verifications depend on: written by triggers, so that no verb can forget it and no
//! process can pass it by. What reads it is `src/live/`. And the nodes that keep a state in memory, with
//! up to where each has applied it: a snapshot of Postgres, on SQLite a number of the log.
//!
//! A later migration that makes one of these tables anew has to make its triggers anew as well.
use sea_orm_migration::{
    prelude::*,
    schema::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What decides a verdict: a table, the columns that do, the kind of thing that a change of a row is
/// told as (`src/db/changes.rs` reads them), and the column that names that thing.
pub(crate) struct Watched {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static str,
    pub(crate) kind: i16,
    pub(crate) what: &'static str,
}

pub(crate) const WATCHED: &[Watched] = &[
    Watched {
        table: "key_instances",
        columns: "digest, label, key_group_id, active_from, active_until, deactivated_at, revoked_at",
        kind: 1,
        what: "digest",
    },
    Watched { table: "key_groups", columns: "name, client_id", kind: 2, what: "id" },
    Watched {
        table: "key_group_access",
        columns: "key_group_id, policy_id, user_group_id, workspace_role_id",
        kind: 2,
        what: "key_group_id",
    },
    Watched { table: "subscriptions", columns: "slug, suspended_at", kind: 3, what: "id" },
    Watched { table: "workspaces", columns: "slug", kind: 3, what: "subscription_id" },
    Watched { table: "policies", columns: "permissions", kind: 4, what: "id" },
    Watched {
        table: "user_group_policies",
        columns: "user_group_id, policy_id",
        kind: 5,
        what: "user_group_id",
    },
    Watched { table: "workspace_roles", columns: "workspace_id, policy_id", kind: 6, what: "id" },
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        // A first one: the newest is never pruned, so a reader always finds the last that it has read,
        // or knows that it has missed some.
        let first = match m.get_database_backend() {
            DbBackend::Sqlite => {
                sqlite(m).await?;
                "INSERT INTO changes (kind, what) VALUES (0, x'')"
            }
            _ => {
                postgres(m).await?;
                "INSERT INTO changes (kind, what) VALUES (0, '')"
            }
        };
        m.get_connection().execute_unprepared(first).await.map(drop)
    }
}

async fn sqlite(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("changes")
        // AUTOINCREMENT: a number is never used again.
        .col(big_integer("seq").primary_key().auto_increment())
        .col(small_integer("kind"))
        .col(binary("what"))
        .to_owned();
    m.create_table(table).await?;
    let nodes =
        Table::create().table("nodes").col(uuid("id").primary_key()).col(text("seen")).to_owned();
    m.create_table(nodes).await?;
    watch(m, WATCHED).await
}

async fn postgres(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Numbers rise in the order of writing, not of committing: a reader finds what it has not seen by
    // the transaction that wrote it.
    let tables = "
CREATE TABLE changes (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind smallint NOT NULL,
  what bytea NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id());
CREATE TABLE nodes (
  id uuid PRIMARY KEY,
  seen text NOT NULL);";
    m.get_connection().execute_unprepared(tables).await?;
    m.create_index(index("ix_changes_xid", "changes", &["xid"])).await?;
    watch(m, WATCHED).await
}

/// Makes the triggers of these tables.
pub(crate) async fn watch(m: &SchemaManager<'_>, tables: &[Watched]) -> Result<(), DbErr> {
    for it in tables {
        let sql = match m.get_database_backend() {
            DbBackend::Sqlite => sqlite_triggers(it),
            _ => postgres_triggers(it),
        };
        m.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}

fn sqlite_triggers(Watched { table, columns, kind, what }: &Watched) -> String {
    format!(
        "CREATE TRIGGER changes_i_{table} AFTER INSERT ON {table} BEGIN
           INSERT INTO changes (kind, what) VALUES ({kind}, NEW.{what}); END;
         CREATE TRIGGER changes_d_{table} AFTER DELETE ON {table} BEGIN
           INSERT INTO changes (kind, what) VALUES ({kind}, OLD.{what}); END;
         CREATE TRIGGER changes_u_{table} AFTER UPDATE OF {columns} ON {table} BEGIN
           INSERT INTO changes (kind, what) VALUES ({kind}, OLD.{what});
           INSERT INTO changes (kind, what)
             SELECT {kind}, NEW.{what} WHERE NEW.{what} IS NOT OLD.{what}; END;"
    )
}

fn postgres_triggers(it: &Watched) -> String {
    let Watched { table, columns, .. } = it;
    format!(
        "{};
CREATE TRIGGER changes AFTER INSERT OR DELETE OR UPDATE OF {columns} ON {table}
FOR EACH ROW EXECUTE FUNCTION changed_{table}();",
        postgres_function(it, "''")
    )
}

/// What its trigger does, and `told` to those who listen.
pub(crate) fn postgres_function(it: &Watched, told: &str) -> String {
    let Watched { table, kind, what, .. } = it;
    let bytes = |row: &str| match *what {
        "digest" => format!("{row}.{what}"),
        _ => format!("uuid_send({row}.{what})"),
    };
    let (old, new) = (bytes("OLD"), bytes("NEW"));
    format!(
        "CREATE OR REPLACE FUNCTION changed_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO changes (kind, what) VALUES ({kind}, {old});
  END IF;
  IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.{what} <> OLD.{what}) THEN
    INSERT INTO changes (kind, what) VALUES ({kind}, {new});
  END IF;
  PERFORM pg_notify('keyward_changes', {told});
  RETURN NULL;
END $$"
    )
}
