//! A form that creates something carries a random token, so that sending it twice creates it once. A
//! program says the same by a key of its own choice (`Idempotency-Key`).
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use crate::{
    clock,
    db::{Db, Tx},
    domain::Refusal,
    error::{Error, Result, is_duplicate},
    http::App,
    pepper::{self, hex, token_digest},
    subscriptions::Act,
};

pub(crate) mod entity {
    //! Forms that were accepted, and where their result is.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "submissions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub digest: String,
        pub location: String,
        pub created_at: i64,
        /// Of a program's request: what a repetition must have in common with it.
        pub fingerprint: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// By what a request to create something is known when it comes again.
pub struct Submission {
    /// `None`: a form has no token that could be anybody's own; a program does not say how it would
    /// repeat it.
    digest: Option<String>,
    fingerprint: Option<String>,
    is_of_program: bool,
}

/// Whose forms a token stands for: what another one sent is not theirs, whatever its token.
pub struct Owner {
    pub subscription: Option<Uuid>,
    pub user: Option<Uuid>,
}

impl Submission {
    /// Of a program: its key counts within the subscription, or for the person, that is its `owner`, and stands
    /// for this very request. Both are kept under the pepper only: a body can hold a secret that somebody chose,
    /// which a plain digest would let whoever has the database guess.
    pub fn of_request(app: &App, owner: Uuid, key: &[u8], (path, body): (&str, &[u8])) -> Self {
        let mac_key = pepper::mac_key(&app.peppers.derive("idempotency"));
        let mac = |parts: &[&[u8]]| Some(hex(&pepper::mac(&mac_key, parts)));
        Self {
            digest: mac(&[b"key", owner.as_bytes(), key]),
            fingerprint: mac(&[b"request", path.as_bytes(), body]),
            is_of_program: true,
        }
    }

    /// Of a program that does not say how it would be repeated: sent twice, it is done twice.
    pub fn unique() -> Self {
        Self { digest: None, fingerprint: None, is_of_program: true }
    }

    /// Whether it can have been sent before, as far as anybody can tell.
    pub fn may_repeat(&self) -> bool {
        self.digest.is_some()
    }

    /// Where the result of this very request is, if it was sent before: to be asked before anything that could be
    /// otherwise by now, such as whether an end lies ahead. [`claim`] asks once more.
    pub async fn result(&self, app: &App) -> Result<Option<String>> {
        let Some(digest) = &self.digest else { return Ok(None) };
        match entity::Entity::find_by_id(digest).one(app.db.read()).await? {
            Some(it) if it.fingerprint != self.fingerprint => {
                Err(Refusal::IdempotencyKeyReused.into())
            }
            found => Ok(found.map(|it| it.location)),
        }
    }

    /// The token of a form counts for who sent it, where it was sent.
    fn of(self, owner: &Owner) -> Self {
        if self.is_of_program {
            return self;
        }
        let [subscription, user] = [owner.subscription, owner.user].map(Option::unwrap_or_default);
        let digest = self.digest.map(|it| token_digest(&format!("{subscription} {user} {it}")));
        Self { digest, ..self }
    }

    /// Whether nobody has to be asked where its secret is kept: a program has it from the answer.
    pub fn is_of_program(&self) -> bool {
        self.is_of_program
    }
}

impl From<&str> for Submission {
    /// Of a form.
    fn from(token: &str) -> Self {
        let digest = Some(token).filter(|it| it.len() >= 20).map(token_digest);
        Self { digest, fingerprint: None, is_of_program: false }
    }
}

impl From<&String> for Submission {
    fn from(token: &String) -> Self {
        token.as_str().into()
    }
}

/// Claims a submission within the transaction that creates its result, which will be at
/// `location`. The second one is told where the first one's result is, and its transaction is given up.
pub async fn claim(
    act: &Act<'_>,
    tx: Tx,
    it: impl Into<Submission>,
    location: String,
) -> Result<Tx> {
    let owner = Owner { subscription: Some(act.scope.id()), user: act.actor.user_id };
    claim_at(act.app, tx, (it, location), owner, act.now).await
}

/// The same outside of any subscription.
pub async fn claim_at(
    app: &App,
    tx: Tx,
    (it, location): (impl Into<Submission>, String),
    owner: Owner,
    now: DateTime<Utc>,
) -> Result<Tx> {
    let it = it.into().of(&owner);
    if it.is_of_program && it.digest.is_none() {
        return Ok(tx);
    }
    let incomplete = Error::Malformed("This form is incomplete. Load its page again.");
    let row = entity::ActiveModel {
        digest: Set(it.digest.clone().ok_or(incomplete)?),
        location: Set(location),
        created_at: Set(clock::millis(now)),
        fingerprint: Set(it.fingerprint.clone()),
    };
    match entity::Entity::insert(row).exec_without_returning(&tx).await {
        Err(error) if is_duplicate(&error) => {
            drop(tx);
            // Its result is there when its transaction is committed.
            app.db.settled().await;
            let location = it.result(app).await?.ok_or(Error::NotFound)?;
            Err(Error::AlreadyDone { location })
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(tx),
    }
}

/// A token is remembered for a day: longer than any session lives.
pub async fn prune(db: &Db, now: DateTime<Utc>) -> Result<()> {
    entity::Entity::delete_many()
        .filter(entity::COLUMN.created_at.lt(clock::millis(now - TimeDelta::days(1))))
        .exec(db.read())
        .await?;
    Ok(())
}
