//! Questions that do not wait for one another's answers: on SQLite they go to the database and back once.
use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    prelude::async_trait::async_trait,
};
use tokio::{sync::oneshot, task::yield_now};

use super::Tx;

/// Asks a transaction, in the order of their coming, whatever is asked before anything waits: polled beside
/// each other (`try_join!`), that is all. See [`Tx::together`].
pub struct Together<'a> {
    tx: &'a Tx,
    asked: Mutex<Vec<Question>>,
}

type Question = (Statement, oneshot::Sender<Vec<QueryResult>>);

impl<'a> Together<'a> {
    pub(super) fn new(tx: &'a Tx) -> Self {
        Self { tx, asked: Mutex::default() }
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Question>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, it: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (told, answer) = oneshot::channel();
        self.asked().push((it, told));
        // Those beside it ask meanwhile; whoever comes back first asks for all.
        yield_now().await;
        let (all, told): (Vec<_>, Vec<_>) = std::mem::take(&mut *self.asked()).into_iter().unzip();
        if !all.is_empty() {
            for (told, rows) in told.into_iter().zip(self.tx.ask_all(all).await?) {
                // Who is gone need not know.
                let _ = told.send(rows);
            }
        }
        answer.await.map_err(|_| DbErr::Custom("a question beside it failed".to_owned()))
    }
}

#[async_trait]
impl ConnectionTrait for Together<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.tx.get_database_backend()
    }

    async fn execute_raw(&self, it: Statement) -> Result<ExecResult, DbErr> {
        self.tx.execute_raw(it).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.tx.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, it: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.ask(it).await?.into_iter().next())
    }

    async fn query_all_raw(&self, it: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.ask(it).await
    }
}
