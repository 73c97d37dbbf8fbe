//! The queries of members. Every one starts from a subscription.
use std::collections::{HashMap, HashSet};

use sea_orm::{
    PaginatorTrait, QueryOrder, QuerySelect, QueryTrait, Select, entity::prelude::*,
    sea_query::SelectStatement,
};

use super::{
    Member,
    entity::{COLUMN, Column, Entity, Model},
};
use crate::{
    clock,
    db::Tx,
    domain::Role,
    error::{Error, Result},
    subscriptions::{self, Scope},
    users::{self, User},
};

fn of(subscription: Uuid) -> Select<Entity> {
    Entity::find().filter(COLUMN.subscription_id.eq(subscription))
}

pub(super) async fn admins(db: &impl ConnectionTrait, subscription: Uuid) -> Result<u64> {
    Ok(of(subscription).filter(COLUMN.role.eq(Role::Admin.as_str())).count(db).await?)
}

pub(super) async fn role_of(
    db: &impl ConnectionTrait,
    subscription: Uuid,
    user: Uuid,
) -> Result<Option<Role>> {
    let row = Entity::find_by_id((subscription, user)).one(db).await?;
    Ok(row.and_then(|it| Role::parse(&it.role)))
}

/// Subscriptions of which a user is an admin.
pub(super) fn led_by(user: Uuid) -> SelectStatement {
    Entity::find()
        .select_only()
        .column(Column::SubscriptionId)
        .filter(Column::UserId.eq(user))
        .filter(Column::Role.eq(Role::Admin.as_str()))
        .into_query()
}

/// Who of these is a member of what, by slug.
pub(super) async fn slugs_of(
    db: &impl ConnectionTrait,
    users: impl IntoIterator<Item = Uuid>,
) -> Result<HashSet<(Uuid, String)>> {
    let rows = Entity::find()
        .select_only()
        .column(Column::UserId)
        .column(subscriptions::entity::Column::Slug)
        .inner_join(subscriptions::entity::Entity)
        .filter(COLUMN.user_id.is_in(users))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Users who are members, by name.
pub(super) async fn users(db: &impl ConnectionTrait, scope: &Scope) -> Result<Vec<User>> {
    let is_member = of(scope.id()).select_only().column(Column::UserId).into_query();
    Ok(users::entity::Entity::find()
        .filter(users::entity::Column::Id.in_subquery(is_member))
        .order_by_asc(users::entity::Column::Name)
        .order_by_asc(users::entity::Column::Id)
        .all(db)
        .await?)
}

pub(super) async fn list(db: &impl ConnectionTrait, scope: &Scope) -> Result<Vec<Member>> {
    let rows: HashMap<Uuid, Model> =
        of(scope.id()).all(db).await?.into_iter().map(|it| (it.user_id, it)).collect();
    let users = users(db, scope).await?.into_iter();
    Ok(users.filter_map(|user| member(rows.get(&user.id)?, user)).collect())
}

pub(super) async fn find(db: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<Member> {
    let row = Entity::find_by_id((scope.id(), id)).one(db).await?.ok_or(Error::NotFound)?;
    let user = users::entity::Entity::find_by_id(id).one(db).await?;
    user.and_then(|user| member(&row, user)).ok_or(Error::NotFound)
}

fn member(row: &Model, user: User) -> Option<Member> {
    Some(Member { user, role: Role::parse(&row.role)?, since: clock::instant(row.created_at) })
}

pub(super) async fn set_role(tx: &Tx, scope: &Scope, user: Uuid, to: Role) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::Role, to.as_str().into())
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(COLUMN.user_id.eq(user))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn delete(tx: &Tx, scope: &Scope, user: Uuid) -> Result<()> {
    Entity::delete_by_id((scope.id(), user)).exec(tx).await?;
    Ok(())
}
