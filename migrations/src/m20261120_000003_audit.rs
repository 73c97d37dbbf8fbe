//! The audit log: append-only, one hash chain per subscription and one for the installation.
use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(chains()).await?;
        m.create_table(events()).await?;
        for (name, columns) in [
            ("ix_audit_action", &["scope", "action", "seq"][..]),
            ("ix_audit_actor", &["scope", "actor_id", "seq"]),
            ("ix_audit_object", &["scope", "object_id", "seq"]),
            ("ix_audit_at", &["scope", "at", "seq"]),
        ] {
            m.create_index(index(name, "audit_events", columns)).await?;
        }
        let append_only = match m.get_database_backend() {
            DbBackend::Postgres => POSTGRES_APPEND_ONLY,
            _ => SQLITE_APPEND_ONLY,
        };
        m.get_connection().execute_unprepared(append_only).await.map(|_| ())
    }
}

const SQLITE_APPEND_ONLY: &str = "
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;";

const POSTGRES_APPEND_ONLY: &str = "
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();";

/// The head of each chain. `scope` is a subscription, or the nil uuid for the installation.
fn chains() -> TableCreateStatement {
    Table::create()
        .table("audit_chains")
        .col(uuid("scope").primary_key())
        .col(big_integer("seq"))
        .col(binary_len("hash", 32))
        .to_owned()
}

fn events() -> TableCreateStatement {
    Table::create()
        .table("audit_events")
        .col(uuid("scope"))
        .col(big_integer("seq"))
        .col(big_integer("at"))
        .col(uuid_null("actor_id"))
        .col(text("actor"))
        .col(text("action"))
        .col(text("outcome"))
        .col(text("object_kind"))
        .col(uuid_null("object_id"))
        .col(text("object"))
        .col(text("from_address"))
        .col(text("user_agent"))
        .col(text("request_id"))
        .col(text("before"))
        .col(text("after"))
        .col(binary_len("prev_hash", 32))
        .col(binary_len("hash", 32))
        .primary_key(Index::create().col("scope").col("seq"))
        .to_owned()
}
