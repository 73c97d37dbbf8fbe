//! Many rows at once: indexes are made anew behind them, so that each row is sorted once, and not searched
//! its place for in all of them; and the log of changes says that there was much, not each of it.
use std::ops::Deref;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{Db, Tx, changes};

/// A transaction of which some tables have no indexes but those of their keys, and tell the log of nothing that
/// is inserted, until it is committed: two rows that may not both be there are found by then.
pub struct Bulk {
    tx: Tx,
    /// What makes all of that again.
    restore: Vec<String>,
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
                tx.execute_unprepared("SET LOCAL maintenance_work_mem = '256MB'").await?;
                "SELECT format('DROP INDEX %s', indexrelid::regclass) AS remove, \
                 pg_get_indexdef(indexrelid) AS restore FROM pg_index \
                 WHERE indrelid = $1::regclass AND NOT EXISTS \
                 (SELECT FROM pg_constraint WHERE conindid = indexrelid) UNION ALL \
                 SELECT format('ALTER TABLE %I DISABLE TRIGGER %I', $1, tgname), \
                 format('ALTER TABLE %I ENABLE TRIGGER %I', $1, tgname) \
                 FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = 'changes'"
            }
            _ => {
                // Rows refer to each other by their keys, and by unique indexes of several columns.
                "SELECT 'DROP ' || type || ' \"' || name || '\"' AS remove, sql AS restore \
                 FROM sqlite_schema WHERE tbl_name = $1 \
                 AND (sql LIKE 'CREATE INDEX %' OR name LIKE 'changes_i_%' OR sql LIKE 'CREATE UNIQUE %' \
                 AND (SELECT count(*) FROM pragma_index_info(sqlite_schema.name)) = 1)"
            }
        };
        let mut restore = Vec::new();
        for table in tables {
            let asked = Statement::from_sql_and_values(backend, sql, [(*table).into()]);
            for row in tx.query_all_raw(asked).await? {
                let remove: String = row.try_get("", "remove")?;
                tx.execute_unprepared(&remove).await?;
                restore.push(row.try_get("", "restore")?);
            }
        }
        Ok(Bulk { tx, restore })
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
        for it in self.restore {
            self.tx.execute_unprepared(&it).await?;
        }
        changes::begin_anew(&self.tx).await?;
        self.tx.commit().await
    }
}
