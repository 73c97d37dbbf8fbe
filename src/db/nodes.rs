//! Several processes over one database: each keeps what verifications depend on in memory, and may rely
//! on it while its lease runs. Whoever changes something waits until every other one has confirmed that
//! it applied it, or until the lease of those that have not is surely over.
//!
//! No clock of a machine is compared with that of another, and nothing is written while nothing changes.
//! A lease begins before its node reads what it may have missed, so [`LEASE`] after a commit, measured by
//! whoever made it, nobody can still rely on a state from before. Who has not confirmed until then is
//! struck from the table, unless it confirmed meanwhile; a node that is not in the table has no lease,
//! and enters before it reads. Where all processes are on one machine, one that is surely gone is struck
//! at once (`alive.rs`).
use std::{cell::Cell, time::Duration};

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement, Value, prelude::Uuid};
use tokio::time::{Instant, sleep};

use super::{Db, changes::Mark};

/// How long a node may rely on its memory after the moment at which it began to bring it up to date.
pub const LEASE: Duration = Duration::from_secs(2);
/// More than two timers differ in that time.
const MARGIN: Duration = Duration::from_millis(100);

/// Where a change is in force when it is acknowledged, and whatever was committed together with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Nodes that could have relied on a state from before, this one included.
    pub nodes: usize,
    /// Of these, the ones that have confirmed; the others' leases have run out.
    pub confirmed: usize,
    /// From the commit on.
    pub after: Duration,
}

tokio::task_local! {
    /// Of the request that is answered.
    static APPLIED: Cell<Applied>;
    static FOOTING: Cell<Footing>;
}

/// What the answer to a request rests on.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Footing {
    /// Its own change, or nothing that could be relied on.
    #[default]
    Own,
    /// It was to change something, and has not done so yet: what it finds may be done already.
    Found,
    /// It was refused something, perhaps for what another one did, who waits still.
    Refused,
}

impl Applied {
    /// Milliseconds from the commit on, the last one begun: nothing takes none.
    pub fn ms(&self) -> u64 {
        u64::try_from(self.after.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
    }

    /// Runs a request, and notes where what it has changed is in force. What a refusal rests on is in force
    /// everywhere then, and so is what was found done: who hears "this is done already" can rely on it like the
    /// one who did it.
    pub async fn noted<T>(db: &Db, request: impl Future<Output = T>) -> (T, Option<Self>) {
        let noted = async {
            let answer = request.await;
            if FOOTING.with(Cell::get) != Footing::Own {
                db.settled().await;
            }
            (answer, Self::of_this_request())
        };
        FOOTING.scope(Cell::default(), APPLIED.scope(Cell::default(), noted)).await
    }

    /// Whoever asks wants to change something, and may.
    pub fn note_change_wanted() {
        Self::stand_on(Footing::Found);
    }

    /// Of a request that looks like one and changes nothing.
    pub fn note_question() {
        Self::stand_on(Footing::Own);
    }

    pub(super) fn note_unsettled() {
        Self::stand_on(Footing::Refused);
    }

    fn stand_on(footing: Footing) {
        // Outside of a request nobody is answered.
        let _ = FOOTING.try_with(|it| match it.get() {
            Footing::Refused => {}
            _ => it.set(footing),
        });
    }

    /// Where the last change of this request that concerns verifications is in force; `None` if there was
    /// none.
    pub fn of_this_request() -> Option<Self> {
        APPLIED.try_with(Cell::get).ok().filter(|it| it.nodes > 0)
    }

    pub(super) fn note(self) -> Self {
        // Outside of a request nobody asks.
        let _ = APPLIED.try_with(|it| it.set(self));
        Self::stand_on(Footing::Own);
        self
    }
}

/// What nodes have to apply.
#[derive(Clone, Copy)]
pub(super) enum Logged {
    /// Of Postgres.
    Transaction(i64),
    /// All that is in the log: up to this number of SQLite's, or of a transaction of Postgres.
    UpTo(i64),
}

#[derive(FromQueryResult)]
struct Node {
    id: Uuid,
    seen: String,
    has_applied: bool,
}

impl Db {
    pub(super) fn statement(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Statement {
        Statement::from_sql_and_values(self.pool.get_database_backend(), sql, values)
    }

    /// Sees to it that others wait for this node. Gives what it has confirmed so far: nothing, if it has just
    /// entered.
    pub async fn enter_nodes(&self, node: Uuid) -> Result<String, DbErr> {
        let own = self.statement("SELECT seen FROM nodes WHERE id = $1", [node.into()]);
        if let Some(row) = self.pool.query_one_raw(own).await? {
            return row.try_get("", "seen");
        }
        self.show_alive(node).await;
        let sql = "INSERT INTO nodes (id, seen) VALUES ($1, '')";
        self.pool.execute_raw(self.statement(sql, [node.into()])).await?;
        Ok(String::new())
    }

    /// A node has applied all that it saw at `mark`. An error if it was struck meanwhile.
    pub async fn confirm(&self, node: Uuid, mark: &Mark) -> Result<(), DbErr> {
        // It need not survive a crash: who waits for it waits for the lease then.
        let sql = if self.has_one_writer() {
            "UPDATE nodes SET seen = $2 WHERE id = $1"
        } else {
            "WITH fast AS (SELECT set_config('synchronous_commit', 'off', true)) \
             UPDATE nodes SET seen = $2 FROM fast WHERE id = $1"
        };
        let confirm = self.statement(sql, [node.into(), mark.seen.clone().into()]);
        match self.pool.execute_raw(confirm).await?.rows_affected() {
            0 => Err(DbErr::Custom("this node was silent for longer than its lease".to_owned())),
            _ => Ok(()),
        }
    }

    /// A node stops: nobody has to wait for it. It must not rely on its memory any more.
    pub async fn leave_nodes(&self, node: Uuid) -> Result<(), DbErr> {
        let leave = self.statement("DELETE FROM nodes WHERE id = $1", [node.into()]);
        self.pool.execute_raw(leave).await?;
        self.hide();
        Ok(())
    }

    /// Comes back when what was committed at a moment is in force on every node.
    pub(super) async fn applied_everywhere(&self, what: Logged, committed: Instant) -> Applied {
        let own = self.follower.get().map(|it| it.node());
        let mut pause = Duration::from_millis(1);
        loop {
            let others = self.living_others(what, own.unwrap_or_default()).await;
            let (after, own) = (committed.elapsed(), usize::from(own.is_some()));
            let is_over = after > LEASE + MARGIN;
            match others {
                Ok(others) if is_over || others.iter().all(|it| it.has_applied) => {
                    for it in others.iter().filter(|it| !it.has_applied) {
                        self.strike(it).await;
                    }
                    let confirmed = others.iter().filter(|it| it.has_applied).count();
                    return Applied {
                        nodes: others.len() + own,
                        confirmed: confirmed + own,
                        after,
                    };
                }
                // Nobody could be asked, and nobody can rely on a state from before.
                Err(_) if is_over => return Applied { after, ..Default::default() },
                _ => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(16));
        }
    }

    /// Without those that are surely gone: nobody waits for them, now or later.
    async fn living_others(&self, what: Logged, own: Uuid) -> Result<Vec<Node>, DbErr> {
        let mut living = Vec::new();
        for it in self.others(what, own).await? {
            let dead = if it.has_applied { None } else { self.lock_of_the_dead(it.id).await };
            match dead {
                Some(lock) => {
                    self.strike(&it).await;
                    lock.remove();
                }
                None => living.push(it),
            }
        }
        Ok(living)
    }

    async fn others(&self, what: Logged, own: Uuid) -> Result<Vec<Node>, DbErr> {
        let (Logged::Transaction(id) | Logged::UpTo(id)) = what;
        let sql = match what {
            Logged::UpTo(_) if self.has_one_writer() => {
                "SELECT id, seen, CAST(seen AS INTEGER) >= CAST($2 AS INTEGER) AS has_applied \
                 FROM nodes WHERE id <> $1"
            }
            Logged::Transaction(_) => {
                "WITH now AS (SELECT $2::text::xid8 AS id, pg_snapshot_xmax(pg_current_snapshot()) AS top) \
                 SELECT nodes.id, seen, coalesce(pg_visible_in_snapshot(now.id, nullif(seen, '')::pg_snapshot) \
                 AND pg_snapshot_xmax(nullif(seen, '')::pg_snapshot) <= now.top, FALSE) \
                 AS has_applied FROM nodes, now WHERE nodes.id <> $1"
            }
            // One with a lower number can have been over after a higher one was seen.
            Logged::UpTo(_) => {
                "SELECT id, seen, seen <> '' \
                 AND pg_snapshot_xmax(nullif(seen, '')::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot()) \
                 AND NOT EXISTS (SELECT 1 FROM changes \
                 WHERE xid >= pg_snapshot_xmin(nullif(seen, '')::pg_snapshot) AND xid <= $2::text::xid8 \
                 AND NOT pg_visible_in_snapshot(xid, nullif(seen, '')::pg_snapshot)) AS has_applied \
                 FROM nodes WHERE id <> $1"
            }
        };
        let asked = self.statement(sql, [own.into(), id.to_string().into()]);
        Node::find_by_statement(asked).all(&self.pool).await
    }

    /// The lease of this one is over, or its process. If it has confirmed something meanwhile, it stays.
    async fn strike(&self, it: &Node) {
        let sql = "DELETE FROM nodes WHERE id = $1 AND seen = $2";
        let strike = self.statement(sql, [it.id.into(), it.seen.clone().into()]);
        if let Err(error) = self.pool.execute_raw(strike).await {
            tracing::warn!(?error, "a silent node is waited for until its lease has run out");
        }
    }
}
