//! Postgres counts its transactions anew where a dump of it is restored: what the log and the nodes say of them
//! means nothing there, or something else. Such a log begins anew before anybody relies on it.
use sea_orm::{ConnectionTrait, DbErr, Statement, TransactionTrait};

use super::{Db, changes};

/// Of a row that is seen, the transaction is over, and so lies before this: else it is of another server.
const OF_ANOTHER: &str = "SELECT EXISTS (SELECT 1 FROM changes WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())) \
     OR EXISTS (SELECT 1 FROM nodes WHERE seen <> '' AND pg_snapshot_xmax(nullif(seen, '')::pg_snapshot) \
     > pg_snapshot_xmax(pg_current_snapshot())) AS is_another";

impl Db {
    /// Forgets what transactions of another server have left. Whoever follows the log reads everything anew, and
    /// every node that lives confirms anew; those that do not are waited for once.
    pub async fn leave_other_history(&self) -> Result<(), DbErr> {
        if self.has_one_writer() || !is_another(&self.pool).await? {
            return Ok(());
        }
        let tx = self.pool.begin().await?;
        // Of several nodes that start at once, one does it.
        tx.execute_unprepared("SELECT pg_advisory_xact_lock(7316422002)").await?;
        if is_another(&tx).await? {
            tracing::warn!("the database came from another server: its log begins anew");
            tx.execute_unprepared("UPDATE nodes SET seen = '' WHERE seen <> ''").await?;
            changes::begin_anew(&tx).await?;
        }
        tx.commit().await
    }
}

async fn is_another(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let asked = Statement::from_string(db.get_database_backend(), OF_ANOTHER);
    db.query_one_raw(asked).await?.map_or(Ok(false), |it| it.try_get("", "is_another"))
}
