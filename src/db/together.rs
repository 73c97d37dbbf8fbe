//! Questions that do not wait for one another's answers: on SQLite they go to the database and back once.
use std::{
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use futures_util::future::poll_fn;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    prelude::async_trait::async_trait,
};
use tokio::sync::oneshot;

use super::{Tx, joined};

/// Gathers what is asked, until all who ask wait for answers. See [`Tx::together`].
pub struct Together {
    backend: DbBackend,
    asked: Mutex<Vec<Question>>,
}

type Question = (Statement, oneshot::Sender<Result<Vec<QueryResult>, DbErr>>);

impl Tx {
    /// For questions that are asked at once (`try_join`), and answered in their order.
    pub async fn together<T>(&self, ask: impl AsyncFnOnce(&Together) -> T) -> T {
        let backend = self.get_database_backend();
        let db = Together { backend, asked: Mutex::default() };
        let mut asking = pin!(ask(&db));
        loop {
            let next = poll_fn(|cx| match asking.as_mut().poll(cx) {
                Poll::Ready(told) => Poll::Ready(Ok(told)),
                Poll::Pending => match std::mem::take(&mut *db.asked()) {
                    asked if asked.is_empty() => Poll::Pending,
                    asked => Poll::Ready(Err(asked)),
                },
            });
            match next.await {
                Ok(told) => return told,
                Err(asked) => self.answer(asked).await,
            }
        }
    }

    async fn answer(&self, asked: Vec<Question>) {
        let (questions, who): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        // Who is gone need not know.
        match self.ask_all(questions).await {
            Ok(answers) => {
                who.into_iter().zip(answers).for_each(|(who, it)| drop(who.send(Ok(it))))
            }
            Err(error) => who.into_iter().for_each(|who| drop(who.send(Err(error.clone())))),
        }
    }

    /// The rows of each.
    async fn ask_all(&self, mut all: Vec<Statement>) -> Result<Vec<Vec<QueryResult>>, DbErr> {
        if self.get_database_backend() == DbBackend::Sqlite && all.len() > 1 {
            all.iter_mut().skip(1).for_each(joined::apart_for_sqlite);
            let rows = self.query_all_raw(joined::for_sqlite(all)).await?;
            return Ok(joined::of_each(rows));
        }
        let mut answers = Vec::with_capacity(all.len());
        for it in all {
            answers.push(self.query_all_raw(it).await?);
        }
        Ok(answers)
    }
}

impl Together {
    /// Whether they cost no more than one of them.
    pub fn is_one_trip(&self) -> bool {
        self.backend == DbBackend::Sqlite
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Question>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, it: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (told, answer) = oneshot::channel();
        self.asked().push((it, told));
        answer.await.unwrap_or_else(|_| Err(custom("nobody asked the database")))
    }
}

fn custom(what: &str) -> DbErr {
    DbErr::Custom(what.to_owned())
}

#[async_trait]
impl ConnectionTrait for Together {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(custom("only questions are asked together"))
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(custom("only questions are asked together"))
    }

    async fn query_one_raw(&self, it: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.ask(it).await?.into_iter().next())
    }

    async fn query_all_raw(&self, it: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.ask(it).await
    }
}
