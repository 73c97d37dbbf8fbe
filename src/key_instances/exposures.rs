//! Who came to know which secret, and how: the first time for each way.
use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set,
    ExprTrait, PaginatorTrait, QueryOrder, QuerySelect, QueryTrait, Select, SqlErr, Statement,
    entity::prelude::*,
    sea_query::{OnConflict, Query, SelectStatement, SimpleExpr},
};

pub use self::entity::Model as Exposure;
use super::{entity as instances, store};
use crate::{
    clock::millis,
    db::Tx,
    error::{Error, Result},
    subscriptions::Act,
};

pub(crate) mod entity {
    //! Who was shown which secret.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "secret_exposures")]
    pub struct Model {
        pub subscription_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key_instance_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub how: String,
        pub at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
use self::entity::{COLUMN, Column, Entity};

/// How somebody came to know a secret, in the order in which that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    Made,
    Shown,
    Clipboard,
    Selection,
    Manual,
    Json,
    Env,
}

impl How {
    const ALL: [Self; 7] = [
        Self::Made,
        Self::Shown,
        Self::Clipboard,
        Self::Selection,
        Self::Manual,
        Self::Json,
        Self::Env,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Shown => "shown",
            Self::Clipboard => "clipboard",
            Self::Selection => "selection",
            Self::Manual => "manual",
            Self::Json => "json",
            Self::Env => "env",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// What the person did, as people say it.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Made => "made it",
            Self::Shown => "saw it",
            Self::Clipboard | Self::Selection | Self::Manual => "copied it",
            Self::Json => "downloaded it as JSON",
            Self::Env => "downloaded it as .env",
        }
    }
}

/// Within the transaction of what is done with the secret. What was noted before stays.
pub(super) async fn note(act: &Act<'_>, tx: &Tx, instance: Uuid, how: How) -> Result<()> {
    match tx.execute_raw(noting(act, tx, instance, how)?).await {
        Err(error) if is_orphan(&error) => Err(Error::NotFound),
        other => other.map(|_| ()).map_err(Error::from),
    }
}

/// The statement of it.
pub(super) fn noting(act: &Act<'_>, tx: &Tx, instance: Uuid, how: How) -> Result<Statement> {
    let row = row(act, instance, act.actor.user_id.ok_or(Error::Unauthenticated)?, how);
    Ok(Entity::insert(row).on_conflict(or_nothing()).build(tx.get_database_backend()))
}

fn or_nothing() -> OnConflict {
    let key = [Column::KeyInstanceId, Column::UserId, Column::How];
    OnConflict::columns(key).do_nothing().to_owned()
}

/// The statement that notes all instances of the subscription that were made just now: whoever made them.
pub(crate) fn noting_made(act: &Act<'_>, tx: &Tx) -> Result<Statement> {
    use instances::Column as Of;
    let made = instances::Entity::find()
        .select_only()
        .columns([Of::SubscriptionId, Of::Id, Of::CreatedBy])
        .expr(Expr::val(How::Made.as_str()))
        .column(Of::CreatedAt)
        .filter(Of::SubscriptionId.eq(act.scope.id()))
        .filter(Of::CreatedAt.eq(millis(act.now)));
    let mut all = Query::insert();
    all.into_table(Entity)
        .columns([
            Column::SubscriptionId,
            Column::KeyInstanceId,
            Column::UserId,
            Column::How,
            Column::At,
        ])
        .select_from(made.into_query())
        .map_err(anyhow::Error::from)?
        .on_conflict(or_nothing());
    Ok(tx.get_database_backend().build(&all))
}

/// The instance was deleted a moment ago.
fn is_orphan(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_)))
}

fn row(act: &Act<'_>, instance: Uuid, user: Uuid, how: How) -> entity::ActiveModel {
    entity::ActiveModel {
        subscription_id: Set(act.scope.id()),
        key_instance_id: Set(instance),
        user_id: Set(user),
        how: Set(how.as_str().to_owned()),
        at: Set(millis(act.now)),
    }
}

/// A secret is shown to, or taken away by, the actor. Also where a suspended subscription changes
/// nothing: what is known is known.
pub async fn expose(act: &Act<'_>, instance: Uuid, how: How) -> Result<()> {
    let user = act.actor.user_id.ok_or(Error::Unauthenticated)?;
    let key = (instance, user, how.as_str().to_owned());
    if Entity::find_by_id(key).one(act.app.db.read()).await?.is_some() {
        return Ok(());
    }
    let tx = act.app.db.write().await?;
    note(act, &tx, instance, how).await?;
    Ok(tx.commit().await?)
}

/// Who knows the secret of an instance, in the order of events. The instance is the subscription's: were that
/// asked of its exposures, SQLite would look through all of the subscription.
pub async fn of_instance(act: &Act<'_>, instance: Uuid) -> Result<Vec<Exposure>> {
    let own = instances::Entity::find_by_id(instance)
        .select_only()
        .column(instances::Column::Id)
        .filter(instances::Column::SubscriptionId.eq(act.scope.id()));
    let mut rows = Entity::find()
        .filter(COLUMN.key_instance_id.in_subquery(own.into_query()))
        .order_by_asc(Column::At)
        .limit(100)
        .all(act.app.db.read())
        .await?;
    rows.sort_by_key(|it| (it.at, How::parse(&it.how)));
    Ok(rows)
}

/// The ids of instances whose secret a user knows.
fn of_user(act: &Act<'_>, user: Uuid) -> SelectStatement {
    Entity::find()
        .select_only()
        .column(Column::KeyInstanceId)
        .filter(COLUMN.subscription_id.eq(act.scope.id()))
        .filter(COLUMN.user_id.eq(user))
        .into_query()
}

/// Narrows a list of instances to those: by a look into the index for each row, so that the list
/// keeps the order of its own index.
pub(super) fn known_to(user: Uuid) -> SimpleExpr {
    let own = Expr::col((Entity, Column::KeyInstanceId))
        .equals((instances::Entity, instances::Column::Id));
    let mut known = Query::select();
    known.expr(Expr::val(1)).from(Entity).and_where(own).and_where(COLUMN.user_id.eq(user));
    Expr::exists(known)
}

fn live_known(act: &Act<'_>, user: Uuid) -> Select<instances::Entity> {
    store::live_in(act).filter(instances::Column::Id.in_subquery(of_user(act, user)))
}

/// Live instances whose secret the user knows, the last used first, and how they know it.
pub async fn known(
    act: &Act<'_>,
    user: Uuid,
    limit: u64,
) -> Result<Vec<(instances::Model, Vec<How>)>> {
    let rows = live_known(act, user)
        .order_by_desc(instances::Column::IdleSince)
        .order_by_desc(instances::Column::Id)
        .limit(limit)
        .all(act.app.db.read())
        .await?;
    let mut exposures = Entity::find()
        .filter(COLUMN.key_instance_id.is_in(rows.iter().map(|it| it.id)))
        .filter(COLUMN.user_id.eq(user))
        .all(act.app.db.read())
        .await?;
    exposures.sort_by_key(|it| (it.at, How::parse(&it.how)));
    let mut ways: HashMap<Uuid, Vec<How>> = HashMap::new();
    for it in exposures {
        ways.entry(it.key_instance_id).or_default().extend(How::parse(&it.how));
    }
    let with = |it: instances::Model| {
        let how = ways.remove(&it.id).unwrap_or_default();
        (it, how)
    };
    Ok(rows.into_iter().map(with).collect())
}

/// How many live instances the user knows.
pub async fn how_many_known(act: &Act<'_>, user: Uuid) -> Result<usize> {
    count_known(act, act.app.db.read(), user).await
}

/// The same as of a transaction.
pub(crate) async fn count_known(
    act: &Act<'_>,
    db: &impl ConnectionTrait,
    user: Uuid,
) -> Result<usize> {
    let n = live_known(act, user).count(db).await?;
    Ok(usize::try_from(n).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_reads_back_from_its_text() {
        for how in How::ALL {
            assert_eq!(How::parse(how.as_str()), Some(how));
        }
        assert_eq!(How::parse("box"), None);
    }
}
