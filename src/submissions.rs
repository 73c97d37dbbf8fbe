//! A form that creates something carries a random token, so that sending it twice creates it once.
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use crate::{
    clock,
    db::{Db, Tx},
    error::{Error, Result, is_duplicate},
    http::App,
    pepper::token_digest,
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
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Claims a submission within the transaction that creates its result, which will be at
/// `location`. The second one is told where the first one's result is.
pub async fn claim(act: &Act<'_>, tx: &Tx, token: &str, location: String) -> Result<()> {
    claim_at(act.app, tx, (token, location), act.now).await
}

/// The same outside of any subscription.
pub async fn claim_at(
    app: &App,
    tx: &Tx,
    (token, location): (&str, String),
    now: DateTime<Utc>,
) -> Result<()> {
    if token.len() < 20 {
        return Err(Error::Malformed("This form is incomplete. Load its page again."));
    }
    let digest = token_digest(token);
    let row = entity::ActiveModel {
        digest: Set(digest.clone()),
        location: Set(location),
        created_at: Set(clock::millis(now)),
    };
    match entity::Entity::insert(row).exec_without_returning(&**tx).await {
        Err(error) if is_duplicate(&error) => {
            let first = entity::Entity::find_by_id(digest).one(app.db.read()).await?;
            Err(first.map_or(Error::NotFound, |it| Error::AlreadyDone { location: it.location }))
        }
        other => other.map(|_| ()).map_err(Error::from),
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
