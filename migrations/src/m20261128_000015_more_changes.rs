//! More of what decides verdicts is in the log of changes (migration 13): the hashes of chosen client
//! secrets, personal keys, and of what their people are members.
use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

use crate::m20261128_000013_changes::{Watched, watch};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

pub(crate) const WATCHED: &[Watched] = &[
    Watched {
        table: "personal_keys",
        columns: "user_id, public_key, active_until",
        kind: 7,
        what: "id",
    },
    Watched {
        table: "personal_key_user_groups",
        columns: "personal_key_id, subscription_id, user_group_id",
        kind: 7,
        what: "personal_key_id",
    },
    Watched { table: "users", columns: "email", kind: 8, what: "id" },
    Watched { table: "members", columns: "subscription_id, user_id", kind: 8, what: "user_id" },
    Watched {
        table: "user_group_members",
        columns: "user_group_id, user_id",
        kind: 8,
        what: "user_id",
    },
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let columns = "digest, label, key_group_id, active_from, active_until, deactivated_at, \
                       revoked_at, secret_hash";
        let sql = match m.get_database_backend() {
            DbBackend::Sqlite => format!(
                "DROP TRIGGER changes_u_key_instances;
                 CREATE TRIGGER changes_u_key_instances
                   AFTER UPDATE OF {columns} ON key_instances BEGIN
                   INSERT INTO changes (kind, what) VALUES (1, OLD.digest);
                   INSERT INTO changes (kind, what)
                     SELECT 1, NEW.digest WHERE NEW.digest IS NOT OLD.digest; END;"
            ),
            _ => format!(
                "DROP TRIGGER changes ON key_instances;
                 CREATE TRIGGER changes AFTER INSERT OR DELETE OR UPDATE OF {columns}
                 ON key_instances FOR EACH ROW EXECUTE FUNCTION changed_key_instances();"
            ),
        };
        m.get_connection().execute_unprepared(&sql).await?;
        watch(m, WATCHED).await
    }
}
