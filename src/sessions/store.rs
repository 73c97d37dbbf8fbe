//! Sessions as rows, for actix-session. A revoked session stays dead: `update` never inserts.
use std::collections::HashMap;

use actix_session::storage::{
    LoadError, SaveError, SessionKey, SessionStore, UpdateError, generate_session_key,
};
use actix_web::{cookie::time::Duration, web::Data};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, PaginatorTrait, QueryOrder, QuerySelect, entity::prelude::*, sea_query::Query,
};

use super::{USER, entity};
use crate::{
    clock,
    db::{Db, Tx},
    error::Result,
    http::App,
    pepper::token_digest,
};

/// Unused for so long, a session ends (SECURITY.md 3.4).
pub const IDLE: TimeDelta = TimeDelta::minutes(30);
/// However busy, a session ends after so long.
pub const ABSOLUTE: TimeDelta = TimeDelta::hours(12);
/// `last_seen_at` is written at most this often.
pub(super) const TOUCH: TimeDelta = TimeDelta::minutes(1);
/// Sessions of one user; the oldest give way.
const PER_USER: u64 = 10;

#[derive(Clone)]
pub struct DbSessionStore(pub Data<App>);

type State = HashMap<String, String>;

impl DbSessionStore {
    fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    async fn load_row(&self, key: &SessionKey) -> Result<Option<entity::Model>> {
        let now = self.now();
        let row = entity::Entity::find_by_id(digest(key)).one(self.0.db.read()).await?;
        let Some(row) = row.filter(|it| is_live(it, now)) else { return Ok(None) };
        if row.last_seen_at < clock::millis(now - TOUCH) {
            live(&row.digest)
                .col_expr(entity::Column::LastSeenAt, clock::millis(now).into())
                .exec(self.0.db.read())
                .await?;
        }
        Ok(Some(row))
    }

    async fn insert(&self, key: &SessionKey, state: &State) -> Result<()> {
        let now = clock::millis(self.now());
        let user_id = state.get(USER).and_then(|it| serde_json::from_str(it).ok());
        let row = entity::ActiveModel {
            digest: Set(digest(key)),
            user_id: Set(user_id),
            state: Set(serde_json::to_string(state).map_err(anyhow::Error::from)?),
            created_at: Set(now),
            last_seen_at: Set(now),
            revoked_at: Set(None),
        };
        entity::Entity::insert(row).exec_without_returning(self.0.db.read()).await?;
        match user_id {
            Some(user) => revoke_oldest(&self.0.db, user, now).await,
            None => Ok(()),
        }
    }

    async fn write(&self, key: &SessionKey, state: &State) -> Result<()> {
        let state = serde_json::to_string(state).map_err(anyhow::Error::from)?;
        live(&digest(key))
            .col_expr(entity::Column::State, state.into())
            .exec(self.0.db.read())
            .await?;
        Ok(())
    }
}

fn digest(key: &SessionKey) -> String {
    token_digest(key.as_ref())
}

fn is_live(row: &entity::Model, now: DateTime<Utc>) -> bool {
    row.revoked_at.is_none()
        && now < clock::instant(row.created_at) + ABSOLUTE
        && now < clock::instant(row.last_seen_at) + IDLE
}

/// An update that a revoked session does not feel.
fn live(digest: &str) -> sea_orm::UpdateMany<entity::Entity> {
    entity::Entity::update_many()
        .filter(entity::COLUMN.digest.eq(digest))
        .filter(entity::COLUMN.revoked_at.is_null())
}

async fn revoke_oldest(db: &Db, user: Uuid, now: i64) -> Result<()> {
    let mut newest = Query::select();
    newest
        .column(entity::Column::Digest)
        .from(entity::Entity)
        .and_where(entity::COLUMN.user_id.eq(user))
        .and_where(entity::COLUMN.revoked_at.is_null())
        .order_by(entity::Column::CreatedAt, sea_orm::Order::Desc)
        .limit(PER_USER);
    entity::Entity::update_many()
        .col_expr(entity::Column::RevokedAt, now.into())
        .filter(entity::COLUMN.user_id.eq(user))
        .filter(entity::COLUMN.revoked_at.is_null())
        .filter(entity::COLUMN.digest.not_in_subquery(newest))
        .exec(db.read())
        .await?;
    Ok(())
}

/// Ends these sessions of a user, or all of them. Gives how many.
pub(super) async fn revoke(
    tx: &Tx,
    user: Uuid,
    digests: Option<Vec<String>>,
    now: DateTime<Utc>,
) -> Result<usize> {
    let mut update = entity::Entity::update_many()
        .col_expr(entity::Column::RevokedAt, clock::millis(now).into())
        .filter(entity::COLUMN.user_id.eq(user))
        .filter(entity::COLUMN.revoked_at.is_null());
    if let Some(digests) = digests {
        update = update.filter(entity::COLUMN.digest.is_in(digests));
    }
    let ended = update.exec(tx).await?;
    Ok(usize::try_from(ended.rows_affected).unwrap_or_default())
}

/// Forgets what ended more than a day ago.
pub(crate) async fn prune(db: &Db, now: DateTime<Utc>) -> Result<()> {
    let long_ago = clock::millis(now - ABSOLUTE - TimeDelta::days(1));
    entity::Entity::delete_many()
        .filter(entity::COLUMN.created_at.lt(long_ago))
        .exec(db.read())
        .await?;
    Ok(())
}

/// Live sessions of a user, newest first.
pub async fn of_user(db: &Db, user: Uuid, now: DateTime<Utc>) -> Result<Vec<entity::Model>> {
    let rows = entity::Entity::find()
        .filter(entity::COLUMN.user_id.eq(user))
        .filter(entity::COLUMN.revoked_at.is_null())
        .order_by_desc(entity::Column::CreatedAt)
        .limit(PER_USER)
        .all(db.read())
        .await?;
    Ok(rows.into_iter().filter(|it| is_live(it, now)).collect())
}

/// Sessions of people that are live, found by when they began.
pub(crate) async fn count_live(db: &Db, now: DateTime<Utc>) -> Result<u64> {
    Ok(entity::Entity::find()
        .filter(entity::COLUMN.created_at.gt(clock::millis(now - ABSOLUTE)))
        .filter(entity::COLUMN.last_seen_at.gt(clock::millis(now - IDLE)))
        .filter(entity::COLUMN.revoked_at.is_null())
        .filter(entity::COLUMN.user_id.is_not_null())
        .count(db.read())
        .await?)
}

impl SessionStore for DbSessionStore {
    async fn load(&self, key: &SessionKey) -> std::result::Result<Option<State>, LoadError> {
        let row = self.load_row(key).await.map_err(|it| LoadError::Other(it.into()))?;
        row.map(|it| serde_json::from_str(&it.state))
            .transpose()
            .map_err(|it| LoadError::Deserialization(it.into()))
    }

    async fn save(&self, state: State, _: &Duration) -> std::result::Result<SessionKey, SaveError> {
        let key = generate_session_key();
        self.insert(&key, &state).await.map_err(|it| SaveError::Other(it.into()))?;
        Ok(key)
    }

    async fn update(
        &self,
        key: SessionKey,
        state: State,
        _: &Duration,
    ) -> std::result::Result<SessionKey, UpdateError> {
        self.write(&key, &state).await.map_err(|it| UpdateError::Other(it.into()))?;
        Ok(key)
    }

    /// Idle and absolute ends are kept by [`DbSessionStore::load_row`].
    async fn update_ttl(
        &self,
        _: &SessionKey,
        _: &Duration,
    ) -> std::result::Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> std::result::Result<(), anyhow::Error> {
        let now = clock::millis(self.now());
        live(&digest(key))
            .col_expr(entity::Column::RevokedAt, now.into())
            .exec(self.0.db.read())
            .await?;
        Ok(())
    }
}
