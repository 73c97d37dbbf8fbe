//! The queries of personal keys. All but the public ones start from their user.
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ExprTrait, FromQueryResult, JoinType, QueryOrder,
    QuerySelect, Select, SqlErr, entity::prelude::*,
};

use super::{
    PersonalKey,
    entity::{ActiveModel, COLUMN, Column, Entity, user_groups as named},
};
use crate::{
    clock::millis,
    db::Tx,
    domain::Refusal,
    error::{Error, Result},
    members::entity as members,
    subscriptions::entity as subscriptions,
    user_groups::entity::{self as user_groups, members as people},
    users::entity as users,
};

/// The only way to start a query on somebody's keys.
fn of(user: Uuid) -> Select<Entity> {
    Entity::find().filter(COLUMN.user_id.eq(user))
}

pub(super) async fn find(db: &impl ConnectionTrait, user: Uuid, id: Uuid) -> Result<PersonalKey> {
    of(user).filter(COLUMN.id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// The newest first.
pub(super) async fn list(
    db: &impl ConnectionTrait,
    user: Uuid,
    limit: u64,
) -> Result<Vec<PersonalKey>> {
    Ok(of(user).order_by_desc(Column::Id).limit(limit).all(db).await?)
}

fn is_live(now: DateTime<Utc>) -> sea_orm::sea_query::SimpleExpr {
    Column::ActiveUntil.is_null().or(Column::ActiveUntil.gt(millis(now)))
}

/// Those that have not ended: at most [`super::MOST`].
pub(super) async fn list_live(tx: &Tx, user: Uuid, now: DateTime<Utc>) -> Result<Vec<PersonalKey>> {
    Ok(of(user).filter(is_live(now)).all(tx).await?)
}

/// How many of them have not ended.
pub(super) async fn count_live(tx: &Tx, user: Uuid, now: DateTime<Utc>) -> Result<u64> {
    Ok(of(user).filter(is_live(now)).count(tx).await?)
}

/// Everybody's that have not ended, by id from behind `after` on: for the public list of keys. No id
/// is below the nil one, which lets an index find the first.
pub(super) async fn live(
    db: &impl ConnectionTrait,
    after: Uuid,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<Vec<PersonalKey>> {
    Ok(Entity::find()
        .filter(COLUMN.id.gt(after))
        .filter(is_live(now))
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(db)
        .await?)
}

/// Writes the user's row without changing it, which locks it on either database.
pub(super) async fn lock_user(tx: &Tx, user: Uuid) -> Result<()> {
    users::Entity::update_many()
        .col_expr(users::Column::Theme, Expr::col(users::Column::Theme))
        .filter(users::COLUMN.id.eq(user))
        .exec(tx)
        .await?;
    Ok(())
}

/// The caller holds the user's lock.
pub(super) async fn is_owner(tx: &Tx, user: Uuid) -> Result<bool> {
    let found = users::Entity::find_by_id(user).one(tx).await?;
    Ok(found.is_some_and(|it| it.is_owner))
}

/// One for each user group that a person is in; one without any for a subscription without.
#[derive(FromQueryResult)]
pub(super) struct Membership {
    pub(super) subscription_id: Uuid,
    pub(super) slug: String,
    pub(super) role: String,
    pub(super) user_group: Option<Uuid>,
    pub(super) user_group_name: Option<String>,
}

/// By subscription and name of the user group.
pub(super) async fn memberships(tx: &Tx, user: Uuid) -> Result<Vec<Membership>> {
    let to_subscription = members::Entity::belongs_to(subscriptions::Entity)
        .from(members::Column::SubscriptionId)
        .to(subscriptions::Column::Id);
    let to_people = members::Entity::belongs_to(people::Entity)
        .from((members::Column::SubscriptionId, members::Column::UserId))
        .to((people::Column::SubscriptionId, people::Column::UserId));
    let to_user_group = people::Entity::belongs_to(user_groups::Entity)
        .from(people::Column::UserGroupId)
        .to(user_groups::Column::Id);
    let rows = members::Entity::find()
        .select_only()
        .columns([members::Column::SubscriptionId, members::Column::Role])
        .column(subscriptions::Column::Slug)
        .column_as(user_groups::Column::Id, "user_group")
        .column_as(user_groups::Column::Name, "user_group_name")
        .join(JoinType::InnerJoin, to_subscription.into())
        .join(JoinType::LeftJoin, to_people.into())
        .join(JoinType::LeftJoin, to_user_group.into())
        .filter(members::COLUMN.user_id.eq(user))
        .order_by_asc(subscriptions::Column::Slug)
        .order_by_asc(user_groups::Column::NameFolded)
        .into_model()
        .all(tx)
        .await?;
    Ok(rows)
}

pub(super) async fn insert(
    tx: &Tx,
    it: &PersonalKey,
    user_groups: impl Iterator<Item = (Uuid, Uuid)>,
) -> Result<()> {
    let row = ActiveModel::from(it.clone()).reset_all();
    Entity::insert(row).exec_without_returning(tx).await?;
    let rows = user_groups.map(|(subscription, user_group)| named::ActiveModel {
        personal_key_id: Set(it.id),
        subscription_id: Set(subscription),
        user_group_id: Set(user_group),
    });
    let rows: Vec<_> = rows.collect();
    // Both databases limit the parameters of a statement.
    for rows in rows.chunks(500) {
        let inserted = named::Entity::insert_many(rows.to_vec()).exec_without_returning(tx);
        inserted.await.map_err(gone)?;
    }
    Ok(())
}

/// A user group was deleted between reading and writing.
fn gone(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => Refusal::ChangedMeanwhile.into(),
        _ => error.into(),
    }
}

pub(super) async fn set_saved(tx: &Tx, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    let row = ActiveModel { id: Set(id), saved_at: Set(Some(millis(now))), ..Default::default() };
    row.update(tx).await?;
    Ok(())
}

pub(super) async fn delete(tx: &Tx, id: Uuid) -> Result<()> {
    Entity::delete_by_id(id).exec(tx).await?;
    Ok(())
}
