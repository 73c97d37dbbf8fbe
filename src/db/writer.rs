//! SQLite has one writer at a time, and a commit that survives a power failure waits for the disk. So
//! those who queue share one (group commit): each transaction is a savepoint of an outer one, which is
//! committed when all who came before that are through. Nobody is told of a commit before it is on the
//! disk, and a transaction that is dropped takes back its own savepoint only.
//!
//! Some failures, such as a full disk, make SQLite roll back the outer transaction behind our back, and
//! a savepoint outside of one would begin another. So nobody joins after a transaction that did not end
//! well: what was released before it is committed at once, which fails if it is gone.
use std::{ops::Deref, sync::Arc, time::Duration};

use futures_util::FutureExt;
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    sqlx::sqlite::SqliteJournalMode,
};
use tokio::{
    sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard, oneshot},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{Applied, Db, changes, changes::Committed, nodes::Logged, pace::Beat, tx};

/// Pages of the log of SQLite after which they are copied into the database, 16 MiB: each time waits for
/// the disk once more.
const CHECKPOINT: &str = "4000";
/// Each kind of change has a few texts of several statements.
const STATEMENTS: usize = 500;
/// How long a connection may take to take something back. The thread that sqlx gives it dies of a failure
/// in the midst of several statements that SQLite has not begun to run (of a table that is gone), and what
/// was sent to it meanwhile is never answered: then another connection takes its place.
const SILENT: Duration = Duration::from_secs(2);
/// At most, in KiB and as a negative number: what is written is read again soon.
const CACHE: &str = "-32768";

/// Who writes, one after the other in the order of their coming (who rests comes anew), on a connection of
/// their own: one that others write beside must forget what it has read.
#[derive(Clone)]
pub(super) struct Writer {
    turn: Arc<Mutex<Option<Outer>>>,
    connection: DatabaseConnection,
}

/// The one whose turn it is, with a savepoint of its own.
pub(super) struct Turn(OwnedMappedMutexGuard<Option<Outer>, Outer>);

/// A transaction that several share.
struct Outer {
    inner: DatabaseTransaction,
    began: Beat,
    /// The newest row of the log at its start.
    newest: i64,
    /// The last one was not released.
    is_unfinished: bool,
    /// Who released one.
    waiting: Vec<Waiting>,
}

type Waiting = oneshot::Sender<Result<Applied, DbErr>>;

impl Writer {
    pub async fn open(
        mut options: ConnectOptions,
        journal: SqliteJournalMode,
    ) -> Result<Self, DbErr> {
        options.max_connections(1).map_sqlx_sqlite_opts(move |it| {
            super::sqlite_options(it, journal)
                .statement_cache_capacity(STATEMENTS)
                .pragma("cache_size", CACHE)
                .pragma("wal_autocheckpoint", CHECKPOINT)
        });
        let connection = super::connect(options).await?;
        Ok(Self { turn: Arc::default(), connection })
    }

    pub async fn close(self) -> Result<(), DbErr> {
        self.connection.close().await
    }

    /// With the statement that must come before its first one. `may_rest`: see `pace.rs`.
    pub async fn begin(&self, db: &Db, mut may_rest: bool) -> Result<(Turn, Statement), DbErr> {
        loop {
            let mut guard = self.turn.clone().lock_owned().await;
            match &*guard {
                None => {
                    let rest = db.pace.rest();
                    if may_rest && !rest.is_zero() {
                        drop(guard); // who may not rest passes by
                        sleep(rest).await;
                        may_rest = false; // nobody does so twice
                        continue;
                    }
                    *guard = Some(Outer::begin(&self.connection, db.pace.beat()).await?);
                    let mut turn = Box::pin(self.turn.clone().lock_owned());
                    // It waits from now on, behind all who wait already and before all who come.
                    let _ = (&mut turn).now_or_never();
                    let (db, runtime) = (db.clone(), db.runtime.clone());
                    runtime.spawn(async move { end(&db, turn.await).await });
                }
                Some(it) if it.is_unfinished => {
                    drop(self.end_now(db, guard));
                    continue;
                }
                Some(_) => {}
            }
            if let Ok(mut outer) = OwnedMutexGuard::try_map(guard, Option::as_mut) {
                let savepoint = outer.savepoint();
                return Ok((Turn(outer), savepoint));
            }
        }
    }

    /// Comes back when everything before this moment is committed, or taken back.
    pub async fn settled(&self, db: &Db) {
        // Whether it failed is told to those whose commit it is.
        let _ = self.end_now(db, self.turn.clone().lock_owned().await).await;
    }

    /// In a task of its own: who asks for it may be dropped at any time.
    fn end_now(&self, db: &Db, guard: OwnedMutexGuard<Option<Outer>>) -> JoinHandle<()> {
        let db = db.clone();
        let runtime = db.runtime.clone();
        runtime.spawn(async move { end(&db, guard).await })
    }
}

impl Turn {
    /// Comes back when it is on the disk and in force.
    pub async fn commit(mut self, last: Vec<Statement>) -> Result<Applied, DbErr> {
        let told = self.0.release(last).await?;
        drop(self); // it is the next one's turn
        told.await.unwrap_or_else(|_| Err(not_committed("the process ends")))
    }
}

impl Deref for Turn {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.0.inner
    }
}

impl Outer {
    async fn begin(connection: &DatabaseConnection, began: Beat) -> Result<Self, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let inner = connection.begin_with_options(options).await?;
        let newest = changes::newest(&inner).await?;
        Ok(Self { inner, began, newest, is_unfinished: false, waiting: Vec::new() })
    }

    fn savepoint(&mut self) -> Statement {
        self.is_unfinished = true;
        savepoint("SAVEPOINT")
    }

    /// From here on it is committed with the others, even if nobody waits any more. Dropped on the way, it
    /// is taken back, or it is released already: never a part of it.
    async fn release(
        &mut self,
        mut last: Vec<Statement>,
    ) -> Result<oneshot::Receiver<Result<Applied, DbErr>>, DbErr> {
        last.push(savepoint("RELEASE"));
        tx::execute_all(&self.inner, last).await?;
        let (told, receiver) = oneshot::channel();
        self.waiting.push(told);
        self.is_unfinished = false;
        Ok(receiver)
    }

    /// Gives the newest row of the log at its end.
    async fn end(self, is_empty: bool) -> Result<i64, DbErr> {
        if self.is_unfinished {
            let back = self.inner.execute_raw(savepoint("ROLLBACK TO"));
            // If it fails, there is no such savepoint, or no transaction at all any more.
            if timeout(SILENT, back).await.is_err() {
                return Err(not_committed("the connection does not answer"));
            }
        }
        if is_empty {
            self.inner.rollback().await?;
            return Ok(self.newest);
        }
        let newest = changes::newest(&self.inner).await?;
        self.inner.commit().await?;
        Ok(newest)
    }
}

/// Does it to the one savepoint that there is. They have one name, so that the same texts are prepared once:
/// nobody joins before the one before is released.
fn savepoint(what: &str) -> Statement {
    Statement::from_string(DbBackend::Sqlite, format!("{what} part"))
}

/// Commits what was released, applies it on every node, and tells those who wait.
async fn end(db: &Db, mut guard: OwnedMutexGuard<Option<Outer>>) {
    let Some(mut outer) = guard.take() else { return };
    let (waiting, from) = (std::mem::take(&mut outer.waiting), outer.newest);
    let began = outer.began;
    let to = match outer.end(waiting.is_empty()).await {
        Ok(to) => to,
        Err(error) => {
            tracing::error!(?error, transactions = waiting.len(), "a commit failed");
            tell(waiting, || Err(not_committed(&error)));
            return;
        }
    };
    let (committed, is_logged) = (Instant::now(), to > from);
    if waiting.len() > 1 {
        db.pace.shared(began, committed);
    }
    if is_logged {
        // Nobody else writes meanwhile.
        let part = Some((from, to));
        db.follow(Committed { part, ..Committed::before(committed) }).await;
    }
    drop(guard);
    let applied = if is_logged {
        db.applied_everywhere(Logged::UpTo(to), committed).await
    } else {
        Applied::default()
    };
    tell(waiting, || Ok(applied));
}

fn tell(waiting: Vec<Waiting>, result: impl Fn() -> Result<Applied, DbErr>) {
    for it in waiting {
        // Who is gone need not know.
        let _ = it.send(result());
    }
}

/// For each who shared it: the same failure, of which it is not known whose it was.
fn not_committed(why: impl std::fmt::Display) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(format!("the shared commit failed: {why}")))
}
