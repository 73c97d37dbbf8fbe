//! Sessions of programs that speak a REST dialect (document 001): of a user who signed in with a
//! password, or of a client that showed its secret. They are rows of their own: the cookie of a page
//! is worth nothing there, and theirs is worth nothing on a page.
use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    fingerprint,
    store::{ABSOLUTE, IDLE, TOUCH},
};
use crate::{
    clock::{instant, millis},
    db::{Db, Tx},
    error::Result,
    http::App,
    pepper::{random_token, token_digest},
    users::{self, User},
};

mod entity {
    //! Only a digest of the token is here.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rest_sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub digest: String,
        pub user_id: Option<Uuid>,
        pub key_instance_id: Option<Uuid>,
        /// Of the password with which a user's began.
        pub password: String,
        pub created_at: i64,
        pub last_seen_at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Who is behind a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    User(Box<User>),
    KeyInstance(Uuid),
}

/// Sessions of one user, or with one secret; the oldest give way.
const EACH: u64 = 10;

/// Begins a session. Gives its token, of which only a digest is kept.
pub async fn open(app: &App, holder: &Holder, now: DateTime<Utc>) -> Result<String> {
    let token = random_token();
    let (user, instance, password) = match holder {
        Holder::User(it) => (Some(it.id), None, fingerprint(it)),
        Holder::KeyInstance(id) => (None, Some(*id), String::new()),
    };
    let row = entity::ActiveModel {
        digest: Set(token_digest(&token)),
        user_id: Set(user),
        key_instance_id: Set(instance),
        password: Set(password),
        created_at: Set(millis(now)),
        last_seen_at: Set(millis(now)),
    };
    entity::Entity::insert(row).exec_without_returning(app.db.read()).await?;
    let own = match holder {
        Holder::User(it) => entity::COLUMN.user_id.eq(it.id),
        Holder::KeyInstance(id) => entity::COLUMN.key_instance_id.eq(*id),
    };
    end_oldest(app, own).await?;
    Ok(token)
}

async fn end_oldest(app: &App, own: Expr) -> Result<()> {
    let rows = entity::Entity::find()
        .filter(own)
        .order_by_desc(entity::Column::CreatedAt)
        .limit(EACH + 10)
        .all(app.db.read())
        .await?;
    let oldest = rows.into_iter().skip(EACH as usize).map(|it| it.digest);
    entity::Entity::delete_many()
        .filter(entity::COLUMN.digest.is_in(oldest))
        .exec(app.db.read())
        .await?;
    Ok(())
}

/// How many programs are signed in as the user.
pub async fn count_of(app: &App, user: Uuid, now: DateTime<Utc>) -> Result<usize> {
    let rows = entity::Entity::find()
        .filter(entity::COLUMN.user_id.eq(user))
        .filter(entity::COLUMN.last_seen_at.gt(millis(now - IDLE)))
        .limit(EACH)
        .all(app.db.read())
        .await?;
    Ok(rows.len())
}

/// Who has this token, while its session lives.
pub async fn holder(app: &App, token: &str, now: DateTime<Utc>) -> Result<Option<Holder>> {
    let row = entity::Entity::find_by_id(token_digest(token)).one(app.db.read()).await?;
    let is_live = |it: &entity::Model| {
        now < instant(it.created_at) + ABSOLUTE && now < instant(it.last_seen_at) + IDLE
    };
    let Some(row) = row.filter(is_live) else { return Ok(None) };
    if row.last_seen_at < millis(now - TOUCH) {
        entity::Entity::update_many()
            .col_expr(entity::Column::LastSeenAt, millis(now).into())
            .filter(entity::COLUMN.digest.eq(&row.digest))
            .exec(app.db.read())
            .await?;
    }
    let Some(id) = row.user_id else { return Ok(row.key_instance_id.map(Holder::KeyInstance)) };
    let user = users::find(&app.db, id).await?.filter(|it| fingerprint(it) == row.password);
    Ok(user.map(|it| Holder::User(Box::new(it))))
}

/// Ends a session, if there is one.
pub async fn close(app: &App, token: &str) -> Result<()> {
    entity::Entity::delete_by_id(token_digest(token)).exec(app.db.read()).await?;
    Ok(())
}

/// Ends all of a user's. Gives how many.
pub(crate) async fn close_all(tx: &Tx, user: Uuid) -> Result<u64> {
    let own = entity::Entity::delete_many().filter(entity::COLUMN.user_id.eq(user));
    Ok(own.exec(tx).await?.rows_affected)
}

pub(crate) async fn prune(db: &Db, now: DateTime<Utc>) -> Result<()> {
    entity::Entity::delete_many()
        .filter(entity::COLUMN.created_at.lt(millis(now - ABSOLUTE)))
        .exec(db.read())
        .await?;
    Ok(())
}
