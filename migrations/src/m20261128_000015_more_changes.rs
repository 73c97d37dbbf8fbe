//! More of what decides verdicts is in the log of changes (migration 13): the hashes of chosen client
//! secrets.
use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

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
        m.get_connection().execute_unprepared(&sql).await.map(drop)
    }
}
