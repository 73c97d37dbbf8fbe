//! Whether the process of a node still lives, where all of them are on one machine: each holds the lock
//! of a file beside the database, `keyward.db-node-<id>`, from before its row is in the table of nodes
//! until it ends, however it ends. A process that is stopped or frozen keeps it. Who gets the lock
//! knows that nobody relies on that node's memory.
//!
//! Without a file nothing is known: the node may be of a version that made none, or its file system
//! may not lock. Then its lease is waited for.
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use sea_orm::{ConnectionTrait, DbErr, prelude::Uuid};
use tokio::sync::OnceCell;

use super::Db;

/// Of one pool.
#[derive(Default)]
pub(super) struct Alive {
    /// The database, as SQLite calls it: the same for every process, whatever the path by which it was
    /// opened.
    database: OnceCell<Option<PathBuf>>,
    own: Mutex<Option<Lock>>,
}

impl Db {
    /// From now on this process can be seen to live as this node.
    pub(super) async fn show_alive(&self, node: Uuid) {
        let Some(path) = self.lock_file(node).await else { return };
        let mut own = self.alive.own.lock().unwrap_or_else(PoisonError::into_inner);
        if own.as_ref().is_some_and(|it| it.path == path && path.exists()) {
            return;
        }
        match Lock::take(path) {
            Ok(it) => *own = Some(it),
            Err(error) => tracing::warn!(
                ?error,
                "should this process be killed, the next change waits for its lease"
            ),
        }
    }

    /// It relies on nothing any more, and its row is gone.
    pub(super) fn hide(&self) {
        let own = self.alive.own.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(it) = own {
            it.remove();
        }
    }

    /// The lock of a node whose process is surely gone.
    pub(super) async fn lock_of_the_dead(&self, node: Uuid) -> Option<Lock> {
        Lock::of_the_dead(self.lock_file(node).await?)
    }

    async fn lock_file(&self, node: Uuid) -> Option<PathBuf> {
        if !self.has_one_writer() {
            return None;
        }
        // An error is of this moment; it is asked again.
        let database = self.alive.database.get_or_try_init(|| self.sqlite_names_its_file()).await;
        let mut path = database.ok()?.clone()?.into_os_string();
        path.push(format!("-node-{node}"));
        Some(path.into())
    }

    /// `None`: it is in memory.
    async fn sqlite_names_its_file(&self) -> Result<Option<PathBuf>, DbErr> {
        let row = self.pool.query_one_raw(self.statement("PRAGMA database_list", [])).await?;
        let file: Option<String> = row.map(|it| it.try_get("", "file")).transpose()?;
        Ok(file.filter(|it| !it.is_empty()).map(PathBuf::from))
    }
}

/// Held until it is dropped, or its process ends.
pub(super) struct Lock {
    path: PathBuf,
    _held: File,
}

impl Lock {
    /// Makes the file. An error leaves none behind.
    fn take(path: PathBuf) -> io::Result<Self> {
        let file = open(&path, true)?;
        let taken = file.try_lock().map_err(io::Error::from).and_then(|()| {
            // Some file systems only pretend to lock.
            match open(&path, false)?.try_lock() {
                Err(TryLockError::WouldBlock) => Ok(()),
                Ok(()) => Err(io::Error::other("two can lock a file here")),
                Err(TryLockError::Error(it)) => Err(it),
            }
        });
        if let Err(error) = taken {
            fs::remove_file(&path)?;
            return Err(error);
        }
        Ok(Self { path, _held: file })
    }

    fn of_the_dead(path: PathBuf) -> Option<Self> {
        let file = open(&path, false).ok()?;
        file.try_lock().ok()?;
        Some(Self { path, _held: file })
    }

    /// Still holding it, so that nobody meets it half gone.
    pub(super) fn remove(self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(?error, path = %self.path.display(), "it stays behind");
        }
    }
}

fn open(path: &Path, make: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(make).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_the_lock_lives_and_without_a_file_nothing_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyward.db-node-1");
        assert!(Lock::of_the_dead(path.clone()).is_none(), "there is no file");
        let own = Lock::take(path.clone()).unwrap();
        assert!(Lock::of_the_dead(path.clone()).is_none(), "it lives");
        drop(own); // as when its process ends
        let dead = Lock::of_the_dead(path.clone()).expect("it is gone");
        assert!(Lock::of_the_dead(path.clone()).is_none(), "one at a time is told so");
        dead.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_lock_that_is_taken_away_by_hand_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyward.db-node-1");
        let own = Lock::take(path.clone()).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(Lock::of_the_dead(path.clone()).is_none());
        own.remove();
    }
}
