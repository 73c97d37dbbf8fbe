//! Opens the pool and begins transactions: the only place, besides `migrations/`, that knows which
//! database it talks to.
mod alive;
mod bulk;
pub mod changes;
mod history;
mod joined;
pub mod nodes;
mod pace;
mod reading;
mod together;
mod tx;
mod writer;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use futures_util::future::BoxFuture;
use migrations::{Migrator, MigratorTrait};
use sea_orm::{
    ConnAcquireErr, ConnectOptions, ConnectionTrait, Database, DatabaseConnection,
    DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryOrder, QuerySelect, RuntimeErr,
    Select, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    prelude::Uuid,
    sqlx::{
        self, Connection,
        sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
    },
};
use tokio::{
    runtime::{EnterGuard, Handle},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};

pub use self::{bulk::insert_all, nodes::Applied, together::Together, tx::Tx};
use self::{changes::Committed, nodes::Logged, pace::Pace, tx::Inner, writer::Writer};

#[derive(Clone)]
pub struct Db {
    pool: DatabaseConnection,
    /// On SQLite, whose own lock is polled and unfair.
    writer: Option<Writer>,
    /// Where it was opened: the one that lives as long as the process.
    runtime: Handle,
    /// Who is told of each commit that changes a verdict, before it is acknowledged.
    follower: Arc<OnceLock<Arc<dyn Follower>>>,
    /// On SQLite.
    alive: Arc<alive::Alive>,
    /// Of Postgres: who waits for a row holds a connection, and some are left for everybody else.
    turns: Arc<Semaphore>,
    pace: Pace,
}

/// Connections to Postgres, and how many of them may be in transactions that write.
const CONNECTIONS: u32 = 16;
const WRITING: usize = 10;
/// How long a change gives way to verifications (`pace.rs`).
const COURTESY: Duration = Duration::from_millis(500);
/// How long a row is waited for, and the turn to begin.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps a copy of what the log of changes is about.
pub trait Follower: Send + Sync {
    /// As what it renews its lease.
    fn node(&self) -> Uuid;
    /// Applies what was committed, and confirms it, so that others need not wait, unless nothing else is new
    /// than this part of the log. If it cannot, it must not rely on its copy any more.
    fn follow<'a>(&'a self, db: &'a Db, committed: Committed) -> BoxFuture<'a, ()>;
}

/// How many connections there are.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    pub idle: usize,
    pub in_use: usize,
}

impl Db {
    pub async fn open(url: &str) -> Result<Self, DbErr> {
        Self::open_with(url, SqliteJournalMode::Wal).await
    }

    /// To write much in one transaction while nobody else has it open, and then to be closed. What SQLite writes
    /// to its log it writes twice; so much is written in its place, with a journal of what stood there.
    pub async fn open_for_bulk(url: &str) -> Result<Self, DbErr> {
        Self::open_with(url, SqliteJournalMode::Delete).await
    }

    async fn open_with(url: &str, journal: SqliteJournalMode) -> Result<Self, DbErr> {
        let sqlite = is_sqlite(url);
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(if sqlite { 8 } else { CONNECTIONS })
            .acquire_timeout(Duration::from_secs(2))
            .connect_timeout(Duration::from_secs(5))
            .sqlx_logging_level(tracing::log::LevelFilter::Trace)
            .sqlx_slow_statements_logging_settings(
                tracing::log::LevelFilter::Warn,
                Duration::from_millis(500),
            )
            .record_stmt_in_spans(false)
            .test_before_acquire_if_idle_for(Duration::from_secs(30))
            .map_sqlx_sqlite_opts(move |it| sqlite_options(it, journal))
            .map_sqlx_sqlite_before_acquire(|it, _| Box::pin(is_outside(it)))
            .set_application_name("keyward")
            .statement_timeout(Duration::from_secs(15))
            .map_sqlx_postgres_opts(|it| {
                it.options([("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "30s")])
            });
        let pool = connect(options.clone()).await?;
        let writer = if sqlite { Some(Writer::open(options, journal).await?) } else { None };
        let (runtime, follower, alive) = (Handle::current(), Arc::default(), Arc::default());
        let turns = Arc::new(Semaphore::new(WRITING));
        Ok(Self { pool, writer, runtime, follower, alive, turns, pace: Pace::default() })
    }

    /// From now on `it` is told of each commit. There is one for each pool.
    pub fn tell(&self, it: Arc<dyn Follower>) {
        assert!(self.follower.set(it).is_ok(), "a pool has one follower");
    }

    /// While what this counts goes up fast, those who write without a pause rest in between (`pace.rs`).
    pub fn give_way_to(&self, calls: impl Fn() -> u64 + Send + Sync + 'static) {
        self.pace.give_way_to(Box::new(calls));
    }

    /// SQLite: all writers are in this process or on its machine.
    fn has_one_writer(&self) -> bool {
        self.writer.is_some()
    }

    /// For queries that only read.
    pub fn read(&self) -> &DatabaseConnection {
        &self.pool
    }

    /// Begins a transaction that will write. On SQLite it holds the write lock from its start, and sees
    /// what those before it did, which may be committed together with it; on Postgres the verb's first
    /// statement must write the parent row whose rule it checks.
    pub async fn write(&self) -> Result<Tx, DbErr> {
        self.begin(true).await
    }

    /// The same for what must not come late, however busy everything is, and is done by one at a time.
    pub async fn write_in_time(&self) -> Result<Tx, DbErr> {
        self.begin(false).await
    }

    async fn begin(&self, may_rest: bool) -> Result<Tx, DbErr> {
        Ok(match &self.writer {
            Some(writer) => {
                let (turn, savepoint) = writer.begin(self, may_rest).await?;
                Tx::new(self, Inner::Shared(turn), [savepoint])
            }
            None => {
                let turn = if may_rest { Some(self.turn().await?) } else { None };
                Tx::new(self, Inner::Own(self.pool.begin().await?, turn), [])
            }
        })
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, DbErr> {
        let turn = async {
            // Not for long: where many wait, nobody is to be turned away for it.
            let _ = timeout(COURTESY, self.pace.next()).await;
            self.turns.clone().acquire_owned().await
        };
        match timeout(PATIENCE, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            // Nobody closes it.
            Ok(Err(_)) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
        }
    }

    /// Comes back when everything that a transaction before this moment could see is committed, and in
    /// force on every node.
    pub async fn settled(&self) {
        if let Some(writer) = &self.writer {
            writer.settled(self).await;
        }
        let now = Instant::now();
        self.follow(Committed::before(now)).await;
        // If that cannot be asked, everything.
        let newest = changes::last(&self.pool).await.unwrap_or(i64::MAX);
        self.applied_everywhere(Logged::UpTo(newest), now).await;
    }

    /// Whoever keeps a copy applies what was committed.
    async fn follow(&self, committed: Committed) {
        if let Some(it) = self.follower.get() {
            it.follow(self, committed).await;
        }
    }

    /// While this is held, connections that are opened live as long as the runtime in which the pool
    /// was opened: that of the main thread, not of the worker that happens to need one more.
    fn enter(&self) -> Option<EnterGuard<'_>> {
        // Those of SQLite are threads.
        self.writer.is_none().then(|| self.runtime.enter())
    }

    /// Runs a future under [`Db::enter`].
    pub async fn within<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|context| {
            let _entered = self.enter();
            future.as_mut().poll(context)
        })
        .await
    }

    /// Connections of the pool, for monitoring; without the one that writes on SQLite.
    pub fn connections(&self) -> Connections {
        let (all, idle) = if self.writer.is_some() {
            let pool = self.pool.get_sqlite_connection_pool();
            (pool.size() as usize, pool.num_idle())
        } else {
            let pool = self.pool.get_postgres_connection_pool();
            (pool.size() as usize, pool.num_idle())
        };
        // Two looks, one after the other.
        Connections { idle: idle.min(all), in_use: all.saturating_sub(idle) }
    }

    pub async fn ping(&self) -> Result<(), DbErr> {
        self.pool.execute_unprepared("SELECT 1").await.map(|_| ())
    }

    pub async fn close(self) -> Result<(), DbErr> {
        if let Some(writer) = self.writer {
            writer.close().await?;
        }
        self.pool.close().await
    }
}

fn sqlite_options(it: SqliteConnectOptions, journal: SqliteJournalMode) -> SqliteConnectOptions {
    it.create_if_missing(true)
        .journal_mode(journal)
        // An acknowledged revocation must survive a power failure.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("trusted_schema", "OFF")
        .pragma("temp_store", "MEMORY")
}

/// Locks the rows of a query by rising ids, so that no two who lock many wait for each other.
pub async fn lock_in_order<E: EntityTrait>(
    tx: &Tx,
    rows: Select<E>,
    id: E::Column,
) -> Result<(), DbErr> {
    // SQLite has one writer: nothing to lock.
    if tx.get_database_backend() == DbBackend::Sqlite {
        return Ok(());
    }
    let rows = rows.select_only().column(id).order_by_asc(id).lock_exclusive();
    rows.into_tuple::<Uuid>().all(tx).await.map(|_| ())
}

/// While another process turns a new file into one with a WAL, SQLite refuses at once, whatever
/// its `busy_timeout`: then this tries again, for five seconds.
async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, DbErr> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        match Database::connect(options.clone()).await {
            Err(it) if is_busy(&it) && Instant::now() < end => {
                sleep(Duration::from_millis(20)).await;
            }
            done => return done,
        }
    }
}

/// False for one that sqlx takes for being in a transaction, which a failure has made SQLite roll back:
/// it would never begin another one.
async fn is_outside(it: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    Ok(!it.is_in_transaction())
}

/// SQLITE_BUSY; no code of Postgres looks like it.
fn is_busy(error: &DbErr) -> bool {
    let DbErr::Conn(RuntimeErr::SqlxError(it)) = error else { return false };
    it.as_database_error().is_some_and(|it| it.code().as_deref() == Some("5"))
}

/// Applies every migration that is missing, one process at a time, all or nothing.
pub async fn migrate(url: &str) -> anyhow::Result<()> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false).connect_timeout(Duration::from_secs(5));
    // Foreign keys are checked at the end instead: a table rebuild would delete the children.
    options.map_sqlx_sqlite_opts(|it| {
        it.create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(false)
            .busy_timeout(Duration::from_secs(60))
    });
    let pool = connect(options).await.context("cannot open the database")?;
    let backend = pool.get_database_backend();
    let mode = (backend == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
    let begin = TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() };
    let tx = pool.begin_with_options(begin).await?;
    if backend == DbBackend::Postgres {
        demand_unicode(&tx).await?;
        tx.execute_unprepared("SELECT pg_advisory_xact_lock(7316422001)").await?;
    }
    refuse_newer_schema(&tx).await?;
    let is_old = !Migrator::get_pending_migrations(&tx).await?.is_empty();
    Migrator::up(&tx, None).await?;
    // It reads every row: only after something was rebuilt.
    if backend == DbBackend::Sqlite && is_old {
        let check = Statement::from_string(backend, "PRAGMA foreign_key_check");
        let broken = tx.query_all_raw(check).await?;
        if !broken.is_empty() {
            bail!("{} rows of the database violate a foreign key", broken.len());
        }
    }
    tx.commit().await?;
    Ok(pool.close().await?)
}

/// What people type, and what keys are masked with, is not in every character set.
async fn demand_unicode(tx: &DatabaseTransaction) -> anyhow::Result<()> {
    let asked = Statement::from_string(DbBackend::Postgres, "SHOW server_encoding");
    let found = tx.query_one_raw(asked).await?.context("Postgres tells no encoding")?;
    let encoding: String = found.try_get("", "server_encoding")?;
    ensure!(
        ["UTF8", "SQL_ASCII"].contains(&encoding.as_str()),
        "the database has the encoding {encoding}: make one with ENCODING 'UTF8' TEMPLATE template0"
    );
    Ok(())
}

/// A database that a newer Keyward has changed must not be written by this one.
async fn refuse_newer_schema(tx: &DatabaseTransaction) -> anyhow::Result<()> {
    if !migrations::SchemaManager::new(tx).has_table("seaql_migrations").await? {
        return Ok(());
    }
    let applied = Statement::from_string(
        tx.get_database_backend(),
        "SELECT version FROM seaql_migrations ORDER BY version",
    );
    let known: Vec<String> = Migrator::migrations().iter().map(|it| it.name().to_owned()).collect();
    for row in tx.query_all_raw(applied).await? {
        let version: String = row.try_get("", "version")?;
        if !known.contains(&version) {
            bail!(
                "the database was changed by a newer Keyward ({version}); start that version, or \
                 restore a backup from before"
            );
        }
    }
    Ok(())
}

pub fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

/// The file of a SQLite URL, such as `sqlite://./data/keyward.db?mode=rwc`.
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?.trim_start_matches("//").split('?').next()?;
    (!path.is_empty() && !path.contains(":memory:")).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_sqlite_url() {
        let file = |url| sqlite_file(url).map(|it| it.to_string_lossy().into_owned());
        assert_eq!(
            file("sqlite://./data/keyward.db?mode=rwc").as_deref(),
            Some("./data/keyward.db")
        );
        assert_eq!(file("sqlite:///var/lib/k.db").as_deref(), Some("/var/lib/k.db"));
        assert_eq!(file("postgres://localhost/k"), None);
    }
}
