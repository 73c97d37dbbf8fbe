//! The queries of user groups. Every one starts from the subscription.
use std::collections::HashMap;

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ExprTrait, FromQueryResult, QueryOrder, QuerySelect,
    QueryTrait, Select, entity::prelude::*,
};

use super::{
    Wanted,
    entity::{ActiveModel, COLUMN, Column, Entity, Model, members, policies},
};
use crate::{
    db::Tx,
    domain::Refusal,
    error::{Error, Result, is_duplicate},
    subscriptions::{Act, Scope},
};

/// The only way to start a query on user groups: inside one subscription.
fn of(scope: &Scope) -> Select<Entity> {
    Entity::find().filter(COLUMN.subscription_id.eq(scope.id()))
}

pub(super) async fn find(db: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<Model> {
    of(scope).filter(COLUMN.id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// By name.
pub(super) async fn names(db: &impl ConnectionTrait, scope: &Scope) -> Result<Vec<Model>> {
    Ok(of(scope).order_by_asc(Column::NameFolded).all(db).await?)
}

/// By name, each with its policies.
pub(super) async fn all(
    db: &impl ConnectionTrait,
    scope: &Scope,
) -> Result<Vec<(Model, Vec<Uuid>)>> {
    let groups = names(db, scope).await?;
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let rows = policies::Entity::find()
        .filter(policies::COLUMN.user_group_id.is_in(groups.iter().map(|it| it.id)))
        .order_by_asc(policies::Column::PolicyId)
        .all(db)
        .await?;
    let mut held: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for row in rows {
        held.entry(row.user_group_id).or_default().push(row.policy_id);
    }
    let with = |it: Model| {
        let policies = held.remove(&it.id).unwrap_or_default();
        (it, policies)
    };
    Ok(groups.into_iter().map(with).collect())
}

pub(super) async fn wanted(db: &impl ConnectionTrait, it: &Model) -> Result<Wanted> {
    let policies = policies::Entity::find().filter(policies::COLUMN.user_group_id.eq(it.id));
    let members = members::Entity::find().filter(members::COLUMN.user_group_id.eq(it.id));
    Ok(Wanted {
        name: it.name.clone(),
        description: it.description.clone(),
        policies: policies.all(db).await?.into_iter().map(|it| it.policy_id).collect(),
        members: members.all(db).await?.into_iter().map(|it| it.user_id).collect(),
    })
}

#[derive(FromQueryResult)]
struct People {
    user_group_id: Uuid,
    n: i64,
}

pub(super) async fn people(act: &Act<'_>) -> Result<HashMap<Uuid, i64>> {
    let rows = members::Entity::find()
        .select_only()
        .column(members::Column::UserGroupId)
        .column_as(members::Column::UserId.count(), "n")
        .filter(members::COLUMN.subscription_id.eq(act.scope.id()))
        .group_by(members::Column::UserGroupId)
        .into_model::<People>()
        .all(act.app.db.read())
        .await?;
    Ok(rows.into_iter().map(|it| (it.user_group_id, it.n)).collect())
}

pub(super) async fn members(act: &Act<'_>) -> Result<HashMap<Uuid, Vec<Uuid>>> {
    let rows = members::Entity::find()
        .filter(members::COLUMN.subscription_id.eq(act.scope.id()))
        .order_by_asc(members::Column::UserId)
        .all(act.app.db.read())
        .await?;
    let mut all: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for row in rows {
        all.entry(row.user_group_id).or_default().push(row.user_id);
    }
    Ok(all)
}

pub(super) async fn insert(tx: &Tx, it: Model) -> Result<()> {
    let row = ActiveModel::from(it).reset_all();
    let inserted = Entity::insert(row).exec_without_returning(tx).await;
    inserted.map(|_| ()).map_err(taken)
}

pub(super) async fn update(tx: &Tx, changed: ActiveModel) -> Result<()> {
    changed.update(tx).await.map(|_| ()).map_err(taken)
}

/// Its policies and people become those that are wanted.
pub(super) async fn replace(tx: &Tx, it: &Model, wanted: &Wanted) -> Result<()> {
    let (group, scope) = (it.id, it.subscription_id);
    policies::Entity::delete_many()
        .filter(policies::COLUMN.user_group_id.eq(group))
        .exec(tx)
        .await?;
    members::Entity::delete_many().filter(members::COLUMN.user_group_id.eq(group)).exec(tx).await?;
    let held = wanted.policies.iter().map(|policy| policies::ActiveModel {
        subscription_id: Set(scope),
        user_group_id: Set(group),
        policy_id: Set(*policy),
    });
    let held: Vec<_> = held.collect();
    // Both databases limit the parameters of a statement.
    for rows in held.chunks(500) {
        policies::Entity::insert_many(rows.to_vec()).exec_without_returning(tx).await?;
    }
    let people = wanted.members.iter().map(|user| members::ActiveModel {
        subscription_id: Set(scope),
        user_group_id: Set(group),
        user_id: Set(*user),
    });
    let people: Vec<_> = people.collect();
    for rows in people.chunks(500) {
        members::Entity::insert_many(rows.to_vec()).exec_without_returning(tx).await?;
    }
    Ok(())
}

pub(super) async fn touch_with_policy(tx: &Tx, scope: &Scope, policy: Uuid) -> Result<()> {
    let with = policies::Entity::find()
        .select_only()
        .column(policies::Column::UserGroupId)
        .filter(policies::COLUMN.policy_id.eq(policy))
        .into_query();
    Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(Column::Id.in_subquery(with))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn leave(tx: &Tx, scope: &Scope, user: Uuid) -> Result<Vec<String>> {
    let own = members::Entity::find()
        .filter(members::COLUMN.subscription_id.eq(scope.id()))
        .filter(members::COLUMN.user_id.eq(user));
    let left: Vec<Uuid> = own.all(tx).await?.into_iter().map(|it| it.user_group_id).collect();
    if left.is_empty() {
        return Ok(Vec::new());
    }
    Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(Column::Id.is_in(left.clone()))
        .exec(tx)
        .await?;
    members::Entity::delete_many()
        .filter(members::COLUMN.subscription_id.eq(scope.id()))
        .filter(members::COLUMN.user_id.eq(user))
        .exec(tx)
        .await?;
    let left = of(scope).filter(Column::Id.is_in(left)).order_by_asc(Column::NameFolded);
    Ok(left.all(tx).await?.into_iter().map(|it| it.name).collect())
}

pub(super) async fn delete(tx: &Tx, scope: &Scope, id: Uuid) -> Result<()> {
    Entity::delete_many()
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(COLUMN.id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

fn taken(error: DbErr) -> Error {
    if is_duplicate(&error) {
        Error::refused_at("name", Refusal::NameTaken { what: "user group" })
    } else {
        error.into()
    }
}
