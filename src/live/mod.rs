//! The live state: what verifications depend on, complete and in memory. It follows the database by the
//! log of changes that triggers write (migration 13): a commit is applied here before it is acknowledged
//! (`db::Tx::commit`), and what other processes commit as soon as it is heard of.
//!
//! It is relied on only while a lease runs, which begins before the last look for changes. Without one,
//! and until all is loaded, each call asks the database.
mod chosen;
mod instances;
mod load;
mod load_people;
mod people;
mod state;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use crossbeam_utils::sync::ShardedLock;
use futures_util::future::BoxFuture;
use rand::{TryRng, rngs::SysRng};
use tokio::{
    sync::Mutex,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};
use uuid::{Builder, Uuid};

use self::state::State;
pub use self::{people::FoundPerson, state::Found};
use crate::{
    db::{
        Db, Follower,
        changes::{Committed, Mark, Since},
        nodes::LEASE,
    },
    error::Result,
    pepper::{Digest32, Keyring},
};

/// Between two looks for what other processes did, where nobody tells of it.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Between two renewals of the lease.
const RENEW_EVERY: Duration = Duration::from_millis(500);
/// How long changes are kept for those that follow late.
const KEPT: Duration = Duration::from_secs(600);

pub struct Live {
    /// Those who read it share nothing with each other that they write to.
    state: ShardedLock<State>,
    /// Until when it is relied on, in microseconds after `start`.
    trusted_until: AtomicU64,
    start: Instant,
    /// Up to where the log is applied; `None`: nothing is loaded.
    mark: Mutex<Option<Mark>>,
    node: Uuid,
    peppers: Arc<Keyring>,
}

/// When others are told of what was applied: always before it is relied on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Confirm {
    /// Unless nothing else is new than this part of the log, which nobody waits for: it is one's own.
    Beyond((i64, i64)),
    News,
    InAnyCase,
}

impl Confirm {
    fn is_needed(self, before: &Mark, since: &Since) -> bool {
        match self {
            Self::InAnyCase => true,
            Self::News => since.is_news,
            Self::Beyond(own) => since.is_news && own != (before.newest(), since.mark.newest()),
        }
    }
}

fn random_id() -> Uuid {
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes).expect("the operating system's generator works");
    Builder::from_random_bytes(bytes).into_uuid()
}

impl Live {
    pub fn new(peppers: Arc<Keyring>) -> Self {
        Self {
            state: ShardedLock::default(),
            trusted_until: AtomicU64::new(0),
            start: Instant::now(),
            mark: Mutex::default(),
            node: random_id(),
            peppers,
        }
    }

    /// Tells what is known of the first of these digests that is one of an instance, or that there is
    /// none. `None` if it cannot be relied on now.
    pub fn find<T>(
        &self,
        digests: &[Digest32],
        workspace: Option<&str>,
        tell: impl FnOnce(Option<Found<'_>>) -> T,
    ) -> Option<T> {
        self.is_trusted().then(|| self.read(|it| tell(it.find(digests, workspace))))
    }

    /// The id of the subscription with this slug. `None` outside: it cannot be relied on now.
    pub fn subscription_id(&self, slug: &str) -> Option<Option<Uuid>> {
        self.is_trusted().then(|| self.read(|it| it.subscription_id(slug)))
    }

    /// Digests of what a client's chosen secret could be, in the same way.
    pub fn chosen(
        &self,
        client_id: &str,
        most: usize,
        now: DateTime<Utc>,
    ) -> Option<Vec<Digest32>> {
        self.is_trusted().then(|| self.read(|it| it.chosen(client_id, most, now)))
    }

    /// What is known of the personal key with this id, in the same way.
    pub fn person(
        &self,
        key: Uuid,
        slug: Option<&str>,
        workspace: Option<&str>,
    ) -> Option<Option<FoundPerson>> {
        self.is_trusted().then(|| self.read(|it| it.person(key, slug, workspace)))
    }

    /// Of each of these subscriptions that a person is a member of, whether it is suspended.
    pub fn places_of(&self, user: Uuid, slugs: &[&str]) -> Option<Vec<bool>> {
        self.is_trusted().then(|| self.read(|it| it.places_of(user, slugs)))
    }

    fn read<T>(&self, of: impl FnOnce(&State) -> T) -> T {
        of(&self.state.read().expect("no holder of this lock panics"))
    }

    pub fn is_trusted(&self) -> bool {
        let until = self.trusted_until.load(Ordering::Acquire);
        until > 0 && self.start.elapsed().as_micros() < u128::from(until)
    }

    /// Instances in memory.
    pub fn len(&self) -> usize {
        self.read(State::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn trust_from(&self, since: Instant) {
        let until = (since + LEASE).duration_since(self.start).as_micros();
        self.trusted_until.store(u64::try_from(until).unwrap_or(0), Ordering::Release);
    }

    fn distrust(&self) {
        self.trusted_until.store(0, Ordering::Release);
    }

    /// Applies what was committed, unless that `is_known`: several who commit at once are applied together.
    /// Before anything is loaded there is nothing to do: the lease begins after a look for all that came
    /// meanwhile.
    async fn catch_up(
        &self,
        db: &Db,
        confirm: Confirm,
        is_known: impl Fn(&Mark) -> bool,
    ) -> Result<()> {
        let mut mark = self.mark.lock().await;
        if mark.as_ref().is_some_and(is_known) {
            return Ok(());
        }
        let done = self.bring_up(db, &mut mark, confirm).await;
        if done.is_err() {
            // Still holding the lock, so that no renewal that began before comes after it.
            self.distrust();
        }
        done
    }

    async fn bring_up(&self, db: &Db, mark: &mut Option<Mark>, confirm: Confirm) -> Result<()> {
        let Some(known) = &*mark else { return Ok(()) };
        // Of one's own, nobody needs to be asked whether there is any.
        let is_known = matches!(confirm, Confirm::Beyond((_, to)) if to > known.newest());
        if !is_known && !db.has_changed(known).await? && confirm != Confirm::InAnyCase {
            return Ok(());
        }
        let now = db.snapshot().await?;
        let since = now.since(known).await?;
        if since.gap {
            self.distrust();
            *mark = None;
            return Ok(());
        }
        if !since.changes.is_empty() {
            let batch = load::changed(&now, &self.peppers, &since.changes).await?;
            self.state.write().expect("no holder of this lock panics").apply(batch);
        }
        drop(now); // it gives its connection back
        if confirm.is_needed(known, &since) {
            db.confirm(self.node, &since.mark).await?;
        }
        *mark = Some(since.mark);
        Ok(())
    }

    /// Loads all, while others commit and are answered.
    async fn load(&self, db: &Db) -> Result<()> {
        let start = Instant::now();
        let now = db.snapshot().await?;
        let (at, state) = (now.mark().await?, load::all(&now, &self.peppers).await?);
        drop(now);
        let mut mark = self.mark.lock().await;
        tracing::info!(instances = state.len(), elapsed = ?start.elapsed(), "keys are in memory");
        *self.state.write().expect("no holder of this lock panics") = state;
        *mark = Some(at);
        Ok(())
    }

    /// Renews the lease: from now on it runs anew, if there is a state that could be brought up.
    async fn renew(&self, db: &Db) -> Result<()> {
        if self.mark.lock().await.is_none() {
            db.leave_other_history().await?;
            self.load(db).await?;
        }
        let since = Instant::now();
        let confirmed = db.enter_nodes(self.node).await?;
        let mut mark = self.mark.lock().await;
        // What was loaded, or is one's own, was not confirmed, and somebody may wait for it now.
        let is_told = mark.as_ref().is_some_and(|it| it.is_confirmed_by(&confirmed));
        let confirm = if is_told { Confirm::News } else { Confirm::InAnyCase };
        let done = self.bring_up(db, &mut mark, confirm).await;
        match &done {
            Ok(()) if mark.is_some() => self.trust_from(since),
            _ => self.distrust(),
        }
        done
    }

    /// How memory and database differ: nothing. For tests, and to look at.
    pub async fn differences(&self, db: &Db) -> Result<BTreeMap<String, [String; 2]>> {
        let stored = load::all(&db.snapshot().await?, &self.peppers).await?.described();
        let mut known = self.read(State::described);
        let mut differ = BTreeMap::new();
        for (name, stored) in stored {
            let here = known.remove(&name).unwrap_or_default();
            if here != stored {
                differ.insert(name, [here, stored]);
            }
        }
        differ.extend(known.into_iter().map(|(name, here)| (name, [here, String::new()])));
        Ok(differ)
    }
}

impl Follower for Live {
    fn node(&self) -> Uuid {
        self.node
    }

    fn follow<'a>(&'a self, db: &'a Db, committed: Committed) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let confirm = committed.part.map_or(Confirm::News, Confirm::Beyond);
            let is_known = |mark: &Mark| mark.covers(&committed);
            if let Err(error) = self.catch_up(db, confirm, is_known).await {
                tracing::warn!(?error, "the state in memory is not relied on until it can follow");
            }
        })
    }
}

/// Keeps a live state up to date, until it is dropped.
pub struct Keeper {
    task: JoinHandle<()>,
    live: Arc<Live>,
    db: Db,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
        self.live.distrust();
    }
}

impl Keeper {
    /// Starts to load, and to follow. Of one pool there is one.
    pub fn start(live: Arc<Live>, db: &Db) -> Self {
        db.tell(live.clone());
        let task = tokio::spawn(keep(live.clone(), db.clone()));
        Self { task, live, db: db.clone() }
    }

    /// So that no other node waits for this one.
    pub async fn stop(mut self) -> Result<()> {
        self.task.abort();
        // Cancelled, as it should be: then it renews nothing more.
        let _ = (&mut self.task).await;
        self.live.distrust();
        Ok(self.db.leave_nodes(self.live.node).await?)
    }
}

async fn keep(live: Arc<Live>, db: Db) {
    let mut failing = false;
    let mut listener = db.listen().await;
    let mut renewals = interval(RENEW_EVERY);
    let mut looks = interval(LOOK_EVERY);
    for timer in [&mut renewals, &mut looks] {
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let mut kept = (0, Instant::now());
    loop {
        let done = tokio::select! {
            _ = renewals.tick() => live.renew(&db).await,
            // Where changes are told of, nobody looks.
            _ = looks.tick(), if !listener.is_connected() => {
                live.catch_up(&db, Confirm::News, |_| false).await
            }
            by = listener.heard() => {
                let is_known = |mark: &Mark| by.is_some_and(|it| mark.contains(it));
                live.catch_up(&db, Confirm::News, is_known).await
            }
        };
        if let Err(error) = &done
            && !failing
        {
            tracing::warn!(
                ?error,
                "the state in memory cannot follow: each call asks the database"
            );
        }
        failing = done.is_err();
        if !failing && !listener.is_connected() {
            listener = db.listen().await;
        }
        if kept.1.elapsed() > KEPT {
            if let Err(error) = db.prune_changes(kept.0).await {
                tracing::warn!(?error, "the log of changes cannot be shortened; it is tried again");
            }
            let newest = live.mark.lock().await.as_ref().map_or(0, Mark::newest);
            kept = (newest, Instant::now());
        }
    }
}
