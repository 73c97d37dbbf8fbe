//! Many rows at once: indexes are made anew behind them, so that each row is sorted once, and not searched
//! its place for in all of them.
use std::ops::Deref;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{Db, Tx};

/// A transaction of which some tables have no indexes but the unique ones, until it is committed.
pub struct Bulk {
    tx: Tx,
    /// What makes them again.
    indexes: Vec<String>,
}

impl Db {
    /// Begins one. Nobody else can use these tables meanwhile.
    pub async fn write_in_bulk(&self, tables: &[&str]) -> Result<Bulk, DbErr> {
        let tx = self.write().await?;
        let backend = tx.get_database_backend();
        let sql = match backend {
            DbBackend::Postgres => {
                // Making an index of a large table takes longer than any request may.
                tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
                "SELECT indexname AS name, indexdef AS made FROM pg_indexes \
                 WHERE schemaname = current_schema() AND tablename = $1 \
                 AND indexdef LIKE 'CREATE INDEX %'"
            }
            _ => {
                "SELECT name, sql AS made FROM sqlite_schema WHERE type = 'index' AND tbl_name = $1 \
                 AND sql LIKE 'CREATE INDEX %'"
            }
        };
        let mut indexes = Vec::new();
        for table in tables {
            let asked = Statement::from_sql_and_values(backend, sql, [(*table).into()]);
            for row in tx.query_all_raw(asked).await? {
                let name: String = row.try_get("", "name")?;
                tx.execute_unprepared(&format!("DROP INDEX \"{name}\"")).await?;
                indexes.push(row.try_get("", "made")?);
            }
        }
        Ok(Bulk { tx, indexes })
    }
}

impl Deref for Bulk {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl Bulk {
    pub async fn commit(self) -> Result<(), DbErr> {
        for it in self.indexes {
            self.tx.execute_unprepared(&it).await?;
        }
        self.tx.commit().await
    }
}
