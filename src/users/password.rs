//! Passwords: argon2id under the pepper, in a pool of bounded size, never on a worker's own thread.
use std::sync::Arc;

use anyhow::{Context, anyhow};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    pepper::Digest32,
};

/// Hashes that run at once: each holds 19 MiB and a core for 30 ms.
const AT_ONCE: usize = 2;
/// Hashes that may wait; more are told to come back.
const QUEUE: usize = 16;

/// Checked for unknown users, so that they are as slow as a wrong password: of the cost and the lengths that
/// every hash has, and of no password that anybody could find.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What a person typed, wiped when it is dropped.
pub type Password = Zeroizing<String>;

/// The only way to hash or to check a password.
pub struct Passwords {
    pepper: Zeroizing<Digest32>,
    /// Of a new hash. A stored one tells its own.
    cost: Params,
    /// A place to wait or to run. Held by the work itself, so that a caller who goes away frees it
    /// no earlier and no later.
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Passwords {
    /// OWASP's parameters: 19 MiB, 2 passes, 1 lane.
    pub fn new(pepper: Digest32) -> Self {
        Self::with_cost(pepper, Params::DEFAULT)
    }

    /// For tests, which make thousands of users whose password nobody is to find.
    pub fn with_cost(pepper: Digest32, cost: Params) -> Self {
        Self::of(Zeroizing::new(pepper), cost, AT_ONCE, QUEUE)
    }

    /// A pool of its own under the same pepper, so that neither's crowd is in the other's way.
    pub fn beside(&self, at_once: usize, queue: usize) -> Self {
        Self::of(self.pepper.clone(), self.cost.clone(), at_once, queue)
    }

    fn of(pepper: Zeroizing<Digest32>, cost: Params, at_once: usize, queue: usize) -> Self {
        let [places, running] = [queue + at_once, at_once].map(|it| Arc::new(Semaphore::new(it)));
        Self { pepper, cost, places, running }
    }

    /// The PHC text to store.
    pub async fn hash(&self, password: Password) -> Result<String> {
        let (pepper, cost) = (self.pepper.clone(), self.cost.clone());
        self.run(move || hash(&pepper, cost, &password)).await
    }

    /// Whether `password` is the one behind `stored`; `None` (no such user) takes as long.
    pub async fn verify(&self, stored: Option<String>, password: Password) -> Result<bool> {
        let pepper = self.pepper.clone();
        let known = stored.is_some();
        let fits = self.run(move || {
            let stored = PasswordHash::new(stored.as_deref().unwrap_or(DUMMY))
                .map_err(|it| anyhow!("{it}"))?;
            Ok(argon(&pepper, Params::DEFAULT)?
                .verify_password(password.as_bytes(), &stored)
                .is_ok())
        });
        Ok(fits.await? && known)
    }

    /// Which of these `password` is behind. One that is `None` takes as long as one that is not it.
    pub async fn which(
        &self,
        stored: Vec<Option<String>>,
        password: Password,
    ) -> Result<Option<usize>> {
        let pepper = self.pepper.clone();
        let work = move || {
            let mut found = None;
            for (n, it) in stored.iter().enumerate() {
                let hash = PasswordHash::new(it.as_deref().unwrap_or(DUMMY));
                let hash = hash.map_err(|it| anyhow!("{it}"))?;
                let fits = argon(&pepper, Params::DEFAULT)?
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok();
                found = found.or((fits && it.is_some()).then_some(n));
            }
            Ok(found)
        };
        self.run(work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Error::TooMany(1))?;
        let turn = Arc::clone(&self.running).acquire_owned().await;
        let turn = turn.context("the pool is never closed")?;
        let work = move || {
            let done = work();
            drop((turn, place));
            done
        };
        Ok(tokio::task::spawn_blocking(work).await.context("hashing failed")??)
    }
}

/// The pepper is argon2's secret input.
fn argon(pepper: &Digest32, cost: Params) -> anyhow::Result<Argon2<'_>> {
    Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, cost)
        .map_err(|it| anyhow!("{it}"))
}

fn hash(pepper: &Digest32, cost: Params, password: &str) -> anyhow::Result<String> {
    let hash: PasswordHash =
        argon(pepper, cost)?.hash_password(password.as_bytes()).map_err(|it| anyhow!("{it}"))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Password {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_under_the_right_pepper_fits() {
        let ours = Passwords::new([1; 32]);
        let stored = ours.hash(typed("correct horse battery")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(ours.verify(Some(stored.clone()), typed("correct horse battery")).await.unwrap());
        assert!(!ours.verify(Some(stored.clone()), typed("correct horse batterx")).await.unwrap());
        let theirs = Passwords::new([2; 32]);
        assert!(!theirs.verify(Some(stored), typed("correct horse battery")).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_signs_in_as_nobody() {
        let pool = Passwords::new([1; 32]);
        assert!(!pool.verify(None, typed("a password")).await.unwrap());
        assert_eq!(pool.which(vec![None, None], typed("a password")).await.unwrap(), None);
    }

    #[test]
    fn nobody_costs_what_a_stored_hash_costs() {
        let stored = hash(&[1; 32], Params::DEFAULT, "a password").unwrap();
        let costs = |it: &str| {
            let parts: Vec<_> = it.split('$').map(str::to_owned).collect();
            let lengths = [parts[4].len(), parts[5].len()];
            (parts[1..4].to_vec(), lengths)
        };
        assert_eq!(costs(DUMMY), costs(&stored));
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_instead_of_queued() {
        let pool = std::sync::Arc::new(Passwords::new([1; 32]));
        let tries = (0..60).map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.verify(None, typed("a wrong password")).await })
        });
        let mut turned_away = 0;
        for it in tries.collect::<Vec<_>>() {
            turned_away += i32::from(matches!(it.await.unwrap(), Err(Error::TooMany(_))));
        }
        assert!(turned_away >= 40, "{turned_away} of 60 were turned away");
    }
}
