//! A transaction that writes.
use std::{
    any::Any,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    prelude::async_trait::async_trait,
};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{Applied, Db, changes, changes::Committed, joined, nodes::Logged, writer::Turn};

/// A transaction that may write. Dropped without [`Tx::commit`], it leaves nothing behind.
///
/// Each statement that is waited for costs two changes of thread on SQLite, more than most of them take
/// there, and writers wait for one another; on Postgres it costs a way there and back. So there is
/// [`Tx::later`].
pub struct Tx {
    inner: Inner,
    db: Db,
    /// What goes to the database with the next question, before it.
    later: Mutex<Vec<Statement>>,
    kept: Mutex<Option<Box<dyn Any + Send>>>,
    fate: Fate,
}

/// A transaction that is given up may have been refused for what somebody did a moment ago.
#[derive(Default)]
struct Fate {
    is_committed: bool,
}

impl Drop for Fate {
    fn drop(&mut self) {
        if !self.is_committed {
            Applied::note_unsettled();
        }
    }
}

pub(super) enum Inner {
    /// Of Postgres, with the turn of whoever has waited for one.
    Own(DatabaseTransaction, Option<OwnedSemaphorePermit>),
    /// A part of the one that writers of SQLite share.
    Shared(Turn),
}

impl Tx {
    pub(super) fn new(db: &Db, inner: Inner, first: impl IntoIterator<Item = Statement>) -> Self {
        let later = Mutex::new(first.into_iter().collect());
        Self { inner, db: db.clone(), later, kept: Mutex::default(), fate: Fate::default() }
    }

    /// A write of which nobody needs to know how it went: it is done before the next statement, which
    /// fails if it fails.
    pub fn later(&self, it: Statement) {
        self.waiting().push(it);
    }

    /// For a question to which nothing that waits makes a difference: on Postgres it need not be done before,
    /// unless it writes a table that the question names.
    pub fn apart(&self) -> Apart<'_> {
        Apart(self)
    }

    /// Where a question can be asked before what waits is done.
    fn beside(&self, it: &Statement) -> Option<&DatabaseTransaction> {
        match &self.inner {
            Inner::Own(tx, _) if !joined::depends(it, &self.waiting()) => Some(tx),
            _ => None,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Statement>> {
        held(&self.later)
    }

    /// For whoever needs it later in the transaction, which keeps one thing. It is as true as what waits: a
    /// transaction of which a statement failed is given up.
    pub fn keep(&self, it: impl Any + Send) {
        *held(&self.kept) = Some(Box::new(it));
    }

    /// What is kept, if it is such a thing.
    pub fn kept<T: Any + Clone>(&self) -> Option<T> {
        held(&self.kept).as_ref().and_then(|it| it.downcast_ref().cloned())
    }

    fn open(&self) -> &DatabaseTransaction {
        match &self.inner {
            Inner::Own(it, _) => it,
            Inner::Shared(turn) => turn,
        }
    }

    /// Does what waits. Not together with a statement whose number of rows is asked for: SQLite counts
    /// them as one.
    async fn catch_up(&self) -> Result<(), DbErr> {
        let waiting = std::mem::take(&mut *self.waiting());
        execute_all(self.open(), waiting).await
    }

    /// A query, with all that waits before it; where they cannot go together, that is done.
    async fn with_waiting(&self, query: Statement) -> Result<Statement, DbErr> {
        if self.get_database_backend() != DbBackend::Sqlite {
            self.catch_up().await?;
            return Ok(query);
        }
        let mut all = std::mem::take(&mut *self.waiting());
        if all.is_empty() {
            return Ok(query);
        }
        all.push(query);
        Ok(joined::for_sqlite(all))
    }

    pub async fn commit(self) -> Result<(), DbErr> {
        self.commit_everywhere().await.map(drop)
    }

    /// The same, and tells where it is in force: in the memory of this node in any case.
    pub async fn commit_everywhere(self) -> Result<Applied, DbErr> {
        let waiting = std::mem::take(&mut *self.waiting());
        let Self { inner, db, mut fate, .. } = self;
        let applied = match inner {
            Inner::Own(inner, turn) => {
                execute_all(&inner, waiting).await?;
                let ran = Instant::now();
                let logged = changes::transaction(&inner).await?;
                inner.commit().await?;
                drop(turn);
                let at = Instant::now();
                match logged {
                    Some(id) => {
                        let transaction = Some((id, ran));
                        db.follow(Committed { transaction, ..Committed::before(at) }).await;
                        db.applied_everywhere(Logged::Transaction(id), at).await
                    }
                    None => Applied::default(),
                }
            }
            Inner::Shared(turn) => turn.commit(waiting).await?,
        };
        fate.is_committed = true;
        Ok(applied.note())
    }
}

#[async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.open().get_database_backend()
    }

    async fn execute_raw(&self, it: Statement) -> Result<ExecResult, DbErr> {
        self.catch_up().await?;
        self.open().execute_raw(it).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.catch_up().await?;
        self.open().execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, it: Statement) -> Result<Option<QueryResult>, DbErr> {
        let it = self.with_waiting(it).await?;
        self.open().query_one_raw(it).await
    }

    async fn query_all_raw(&self, it: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let it = self.with_waiting(it).await?;
        self.open().query_all_raw(it).await
    }
}

fn held<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See [`Tx::apart`].
pub struct Apart<'a>(&'a Tx);

#[async_trait]
impl ConnectionTrait for Apart<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, it: Statement) -> Result<ExecResult, DbErr> {
        self.0.execute_raw(it).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, it: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self.0.beside(&it) {
            Some(tx) => tx.query_one_raw(it).await,
            None => self.0.query_one_raw(it).await,
        }
    }

    async fn query_all_raw(&self, it: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self.0.beside(&it) {
            Some(tx) => tx.query_all_raw(it).await,
            None => self.0.query_all_raw(it).await,
        }
    }
}

/// Runs all, in their order; the first that fails is the last.
pub(super) async fn execute_all(
    tx: &DatabaseTransaction,
    all: Vec<Statement>,
) -> Result<(), DbErr> {
    if all.is_empty() {
        return Ok(());
    }
    if tx.get_database_backend() == DbBackend::Sqlite {
        return tx.execute_raw(joined::for_sqlite(all)).await.map(drop);
    }
    for it in joined::for_postgres(all) {
        tx.execute_raw(it).await?;
    }
    Ok(())
}
