//! What has changed of that on which verifications depend: rows that triggers write in the transaction
//! of the change (migration 13), read by whoever keeps a state in memory.
use std::{collections::HashSet, ops::Deref, time::Duration};

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    FromQueryResult, IsolationLevel, Statement, TransactionOptions, TransactionTrait,
    prelude::Uuid, sqlx::postgres::PgListener,
};
use tokio::time::{Instant, sleep};

use super::Db;
use crate::pepper::Digest32;

const CHANNEL: &str = "keyward_changes";
/// The kind of a row that is about the log itself.
const FORGOTTEN: i16 = 0;

/// One thing that was made, changed or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A key instance, by the digest of its secret.
    Instance(Digest32),
    /// A key group, or what it holds.
    Group(Uuid),
    /// A subscription, or its workspaces.
    Subscription(Uuid),
    Policy(Uuid),
    /// The policies in it.
    UserGroup(Uuid),
    Role(Uuid),
    PersonalKey(Uuid),
    /// What a user is a member of, and the user's address.
    Person(Uuid),
}

impl Change {
    fn read(kind: i16, what: &[u8]) -> Option<Self> {
        let id = || Uuid::from_slice(what).ok();
        match kind {
            1 => Some(Self::Instance(what.try_into().ok()?)),
            2 => id().map(Self::Group),
            3 => id().map(Self::Subscription),
            4 => id().map(Self::Policy),
            5 => id().map(Self::UserGroup),
            6 => id().map(Self::Role),
            7 => id().map(Self::PersonalKey),
            8 => id().map(Self::Person),
            _ => None,
        }
    }
}

/// What is known of a commit.
#[derive(Clone, Copy)]
pub struct Committed {
    /// A moment not before it.
    pub at: Instant,
    /// On SQLite, its part of the log: behind the first number, up to the second.
    pub part: Option<(i64, i64)>,
    /// The transaction of Postgres, and a moment at which it ran: who listens can know of it before who
    /// committed it does.
    pub transaction: Option<(i64, Instant)>,
}

impl Committed {
    pub fn before(at: Instant) -> Self {
        Self { at, part: None, transaction: None }
    }
}

/// Up to where somebody has read.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Everything was read that was committed before this moment.
    since: Instant,
    /// The highest number that was read.
    newest: i64,
    /// Every transaction in the log before this one was over when it was read.
    horizon: i64,
    /// Of the transactions behind it, what was read already.
    read: HashSet<i64>,
    /// What of the log was visible.
    pub(super) seen: String,
}

impl Mark {
    fn new(since: Instant, newest: i64) -> Self {
        Self { since, newest, horizon: 0, read: HashSet::new(), seen: String::new() }
    }

    /// Whether this is what a node has confirmed ([`Db::enter_nodes`]).
    pub fn is_confirmed_by(&self, seen: &str) -> bool {
        self.seen == seen
    }

    /// Whether what was committed was read.
    pub fn covers(&self, it: &Committed) -> bool {
        it.at < self.since
            || it.transaction.is_some_and(|(id, ran)| ran < self.since && self.contains(id))
    }

    /// Whether what this transaction of Postgres did was read: as it judges `seen` itself.
    pub fn contains(&self, transaction: i64) -> bool {
        // `lowest that ran:next one:those that ran`
        let mut parts = self.seen.split(':').skip(1);
        let next = parts.next().and_then(|it| it.parse().ok());
        let mut ran = parts.next().unwrap_or_default().split(',');
        next.is_some_and(|next: i64| transaction < next)
            && !ran.any(|it| it.parse() == Ok(transaction))
    }

    /// Of the database's log, for a rough age.
    pub fn newest(&self) -> i64 {
        self.newest
    }
}

/// What happened after a [`Mark`].
pub struct Since {
    pub changes: Vec<Change>,
    /// Whether the log says more, be it about itself.
    pub is_news: bool,
    pub mark: Mark,
    /// Some of it is not kept any more: only reading everything anew helps.
    pub gap: bool,
}

#[derive(FromQueryResult)]
struct Row {
    seq: i64,
    kind: i16,
    what: Vec<u8>,
}

impl Row {
    /// Of Postgres: the last transaction of which [`Db::prune_changes`] has forgotten something.
    fn forgotten(&self) -> Option<i64> {
        let text = (self.kind == FORGOTTEN).then(|| str::from_utf8(&self.what).ok());
        text.flatten()?.parse().ok()
    }
}

#[derive(FromQueryResult)]
struct Seen {
    horizon: i64,
    seen: String,
    /// Behind every transaction that was over.
    top: i64,
}

/// The database as it is at one moment: everything that is read through it belongs together.
pub struct Snapshot {
    tx: DatabaseTransaction,
    /// Before it was taken.
    since: Instant,
}

impl Deref for Snapshot {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.tx
    }
}

impl Snapshot {
    /// Where it stands in the log.
    pub async fn mark(&self) -> Result<Mark, DbErr> {
        let newest = newest(&self.tx).await?;
        let mut mark = Mark { seen: newest.to_string(), ..Mark::new(self.since, newest) };
        if self.tx.get_database_backend() == DbBackend::Postgres {
            self.see(&mut mark).await?;
            mark.read = self.rows(&mark).await?.iter().map(|it| it.seq).collect();
        }
        Ok(mark)
    }

    /// What was committed since, as far as this snapshot shows it.
    pub async fn since(&self, before: &Mark) -> Result<Since, DbErr> {
        let rows = self.rows(before).await?;
        let mut mark = Mark::new(self.since, before.newest);
        let mut gap = !rows.iter().any(|it| it.seq == before.newest);
        if self.tx.get_database_backend() == DbBackend::Postgres {
            // A server that has not come so far is another one.
            gap |= self.see(&mut mark).await? < before.horizon;
            mark.read = rows.iter().map(|it| it.seq).collect();
        }
        let is_new = |it: &&Row| it.seq != before.newest && !before.read.contains(&it.seq);
        let (mut is_news, mut changes) = (false, Vec::new());
        for row in rows.iter().filter(is_new) {
            is_news = true;
            gap |= row.forgotten().is_some_and(|it| it >= before.horizon);
            mark.newest = mark.newest.max(row.seq);
            changes.extend(Change::read(row.kind, &row.what));
        }
        if mark.seen.is_empty() {
            mark.seen = mark.newest.to_string();
        }
        changes.sort_unstable();
        changes.dedup();
        Ok(Since { changes, is_news, mark, gap })
    }

    /// Gives the end of what could be seen.
    async fn see(&self, mark: &mut Mark) -> Result<i64, DbErr> {
        // Not beyond the newest transaction that is in the log. What comes behind it has written nothing
        // there, and after a crash Postgres can give its numbers to others. `changes.xid` is the column, which
        // has an index; `xid` alone would be the text that is selected, of all rows.
        let sql = "WITH now AS (SELECT s, pg_snapshot_xmin(s)::text::bigint AS lowest, 1 + coalesce( \
                   (SELECT xid::text::bigint FROM changes WHERE xid < pg_snapshot_xmax(s) \
                   ORDER BY changes.xid DESC LIMIT 1), 0) AS next FROM pg_current_snapshot() AS s) \
                   SELECT pg_snapshot_xmax(s)::text::bigint AS top, \
                   least(lowest, next) AS horizon, concat(least(lowest, next), ':', next, ':', \
                   (SELECT string_agg(x::text, ',' ORDER BY x) FROM pg_snapshot_xip(s) AS x \
                   WHERE x::text::bigint < next)) AS seen FROM now";
        let asked = Statement::from_string(DbBackend::Postgres, sql);
        let Some(it) = Seen::find_by_statement(asked).one(&self.tx).await? else { return Ok(0) };
        (mark.horizon, mark.seen) = (it.horizon, it.seen);
        Ok(it.top)
    }

    /// From the last one that was read on, or that one and those of all transactions that were not over then.
    async fn rows(&self, since: &Mark) -> Result<Vec<Row>, DbErr> {
        let backend = self.tx.get_database_backend();
        let newest = since.newest.into();
        let (sql, from) = match backend {
            DbBackend::Postgres => (
                "SELECT seq, kind, what FROM changes WHERE seq = $1 OR xid >= $2::text::xid8",
                vec![newest, since.horizon.to_string().into()],
            ),
            _ => ("SELECT seq, kind, what FROM changes WHERE seq >= $1", vec![newest]),
        };
        let asked = Statement::from_sql_and_values(backend, sql, from);
        Row::find_by_statement(asked).all(&self.tx).await
    }
}

pub(super) async fn newest(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let sql = "SELECT seq FROM changes ORDER BY seq DESC LIMIT 1";
    let asked = Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(asked).await?.map_or(Ok(0), |it| it.try_get("", "seq"))
}

/// Begins the log anew: whoever follows it has missed something, and reads everything.
pub(super) async fn begin_anew(tx: &impl ConnectionTrait) -> Result<(), DbErr> {
    if tx.get_database_backend() == DbBackend::Postgres {
        // Whoever has seen the end of this transaction begins behind it.
        for sql in [
            "DELETE FROM changes",
            "INSERT INTO changes (kind, what) \
             VALUES (0, convert_to(pg_current_xact_id()::text, 'UTF8'))",
            "SELECT pg_notify('keyward_changes', '')",
        ] {
            tx.execute_unprepared(sql).await?;
        }
        return Ok(());
    }
    tx.execute_unprepared("INSERT INTO changes (kind, what) VALUES (0, x'')").await?;
    forget_before(tx, i64::MAX).await
}

/// The newest stays.
async fn forget_before(tx: &impl ConnectionTrait, seq: i64) -> Result<(), DbErr> {
    let sql = "DELETE FROM changes WHERE seq < $1 AND seq < (SELECT max(seq) FROM changes)";
    let forget = Statement::from_sql_and_values(tx.get_database_backend(), sql, [seq.into()]);
    tx.execute_raw(forget).await.map(drop)
}

/// What [`Db::applied_everywhere`] knows the last change by.
pub(super) async fn last(db: &DatabaseConnection) -> Result<i64, DbErr> {
    if db.get_database_backend() == DbBackend::Sqlite {
        return newest(db).await;
    }
    let sql = "SELECT xid::text::bigint AS id FROM changes \
               WHERE xid < pg_snapshot_xmax(pg_current_snapshot()) ORDER BY changes.xid DESC LIMIT 1";
    let asked = Statement::from_string(DbBackend::Postgres, sql);
    db.query_one_raw(asked).await?.map_or(Ok(0), |it| it.try_get("", "id"))
}

impl Db {
    pub async fn snapshot(&self) -> Result<Snapshot, DbErr> {
        let postgres = !self.has_one_writer();
        let options = TransactionOptions {
            isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
            access_mode: postgres.then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: None,
        };
        let since = Instant::now();
        Ok(Snapshot { tx: self.pool.begin_with_options(options).await?, since })
    }

    /// Whether the log may have grown: a cheap question, asked often.
    pub async fn has_changed(&self, since: &Mark) -> Result<bool, DbErr> {
        // On Postgres a lower number can be committed later.
        Ok(!self.has_one_writer() || newest(&self.pool).await? != since.newest)
    }

    /// Forgets what is older than `seq`. The newest stays.
    ///
    /// On Postgres a lower number can be committed after a higher one was read, so the log tells up to which
    /// transaction it has forgotten something: never one after another that runs still, which nobody can have seen
    /// the end of. Where nothing but that has been written, it rests.
    pub async fn prune_changes(&self, seq: i64) -> Result<(), DbErr> {
        if !self.has_one_writer() {
            let sql = "WITH gone AS (DELETE FROM changes WHERE seq < $1 \
                       AND seq < (SELECT max(seq) FROM changes) \
                       AND xid < pg_snapshot_xmin(pg_current_snapshot()) \
                       AND EXISTS (SELECT 1 FROM changes WHERE seq < $1 AND kind <> 0) \
                       RETURNING xid::text::bigint AS id) \
                       INSERT INTO changes (kind, what) \
                       SELECT 0, convert_to(max(id)::text, 'UTF8') FROM gone HAVING count(*) > 0 \
                       RETURNING pg_notify('keyward_changes', '')::text";
            return self.pool.execute_raw(self.statement(sql, [seq.into()])).await.map(drop);
        }
        let tx = self.write().await?;
        forget_before(&tx, seq).await?;
        tx.commit().await
    }

    /// Tells of commits of other nodes as they happen, where the database can; otherwise never comes
    /// back.
    pub async fn listen(&self) -> Listener {
        if self.has_one_writer() {
            return Listener(None);
        }
        let pool = self.pool.get_postgres_connection_pool();
        let listener = async {
            let mut it = PgListener::connect_with(pool).await?;
            it.listen(CHANNEL).await?;
            Ok::<_, sea_orm::sqlx::Error>(it)
        };
        Listener(listener.await.ok())
    }
}

/// Hears of changes.
pub struct Listener(Option<PgListener>);

impl Listener {
    /// Whether it hears at all.
    pub fn is_connected(&self) -> bool {
        self.0.is_some()
    }

    /// When something may have changed: by which transaction, if that is known.
    pub async fn heard(&mut self) -> Option<i64> {
        let Some(it) = &mut self.0 else {
            sleep(Duration::MAX).await;
            return None;
        };
        let heard = it.try_recv().await;
        if heard.is_err() {
            self.0 = None;
        }
        // Nothing is heard where some of it may have been missed.
        heard.ok()??.payload().parse().ok()
    }
}

/// The id of this transaction of Postgres, if it has changed something that is in the log.
pub(super) async fn transaction(tx: &DatabaseTransaction) -> Result<Option<i64>, DbErr> {
    let sql = "SELECT pg_current_xact_id()::text::bigint AS id WHERE \
               EXISTS (SELECT 1 FROM changes WHERE xid = pg_current_xact_id_if_assigned())";
    let asked = Statement::from_string(DbBackend::Postgres, sql);
    tx.query_one_raw(asked).await?.map(|it| it.try_get("", "id")).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(since: Instant, seen: &str) -> Mark {
        Mark { seen: seen.to_owned(), ..Mark::new(since, 7) }
    }

    #[test]
    fn a_transaction_was_read_if_it_was_over_and_is_in_the_log() {
        // 10 and 13 ran; 15 would have been the next.
        let mark = mark(Instant::now(), "10:15:10,13");
        let read: Vec<i64> = (8..18).filter(|it| mark.contains(*it)).collect();
        assert_eq!(read, [8, 9, 11, 12, 14]);
    }

    #[test]
    fn on_sqlite_there_are_no_transactions_to_know_it_by() {
        assert!(!mark(Instant::now(), "15").contains(1));
    }

    #[test]
    fn a_commit_is_covered_by_what_was_read_after_it() {
        let at = Instant::now();
        let (before, after) = (at - Duration::from_millis(5), at + Duration::from_millis(5));
        assert!(mark(after, "").covers(&Committed::before(at)));
        assert!(!mark(before, "").covers(&Committed::before(at)));
        assert!(!mark(at, "").covers(&Committed::before(at)), "it may be the later of the two");
        // Read by who heard of it first.
        let by = |ran| Committed { transaction: Some((14, ran)), ..Committed::before(after) };
        assert!(mark(at, "15:15:").covers(&by(before)));
        assert!(!mark(at, "14:15:14").covers(&by(before)), "it was not over yet");
        // A server that took the place of another gives its numbers once more.
        assert!(!mark(at, "15:15:").covers(&by(after)));
    }
}
