//! Every row of every table, to show that something changed nothing.
use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, JsonValue, Statement};

use super::TestApp;

/// By table, the rows as JSON, sorted.
pub(crate) type Snapshot = BTreeMap<String, Vec<String>>;

impl TestApp {
    /// All that is stored, except when a session was last seen, and what nodes have confirmed to each other.
    pub(crate) async fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot::new();
        for table in self.tables().await {
            let mut rows: Vec<String> = Vec::new();
            for mut row in self.query(&format!("SELECT * FROM {table}")).await {
                let passing = match table.as_str() {
                    "sessions" => Some("last_seen_at"),
                    "nodes" => Some("seen"),
                    _ => None,
                };
                if let Some(column) = passing {
                    row.as_object_mut().and_then(|it| it.remove(column)).unwrap();
                }
                rows.push(row.to_string());
            }
            rows.sort();
            all.insert(table, rows);
        }
        all
    }

    async fn tables(&self) -> Vec<String> {
        let sql = match self.db.read().get_database_backend() {
            DbBackend::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            }
            _ => "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
        };
        let rows = self.query(sql).await;
        let names: Vec<_> = rows.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
        assert!(names.len() > 10, "these cannot be all tables: {names:?}");
        names
    }

    /// The rows of a query, for what no verb tells.
    pub(crate) async fn query(&self, sql: &str) -> Vec<JsonValue> {
        let db = self.db.read();
        let statement = Statement::from_string(db.get_database_backend(), sql);
        JsonValue::find_by_statement(statement).all(db).await.unwrap()
    }

    /// Changes something past all verbs.
    pub(crate) async fn execute(&self, sql: &str) {
        let tx = self.db.write().await.unwrap();
        tx.execute_unprepared(sql).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// How many rows a table has.
    pub(crate) async fn count(&self, table: &str) -> usize {
        self.query(&format!("SELECT 1 AS one FROM {table}")).await.len()
    }
}
