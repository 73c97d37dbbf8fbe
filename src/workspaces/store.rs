//! The queries of workspaces and roles. Every one starts from the subscription.
use sea_orm::{ActiveModelTrait, ExprTrait, QueryOrder, Select, entity::prelude::*};

use super::entity::{ActiveModel, COLUMN, Column, Entity, Model, roles};
use crate::{
    db::Tx,
    domain::Refusal,
    error::{Error, Result, is_duplicate},
    subscriptions::Scope,
};

/// The only way to start a query on workspaces: inside one subscription.
fn of(scope: &Scope) -> Select<Entity> {
    Entity::find().filter(COLUMN.subscription_id.eq(scope.id()))
}

pub(super) async fn find(db: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<Model> {
    of(scope).filter(COLUMN.id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// By name.
pub(super) async fn all(db: &impl ConnectionTrait, scope: &Scope) -> Result<Vec<Model>> {
    Ok(of(scope).order_by_asc(Column::NameFolded).all(db).await?)
}

pub(super) async fn insert(tx: &Tx, it: Model) -> Result<()> {
    let row = ActiveModel::from(it).reset_all();
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn update(tx: &Tx, changed: ActiveModel) -> Result<Model> {
    changed.update(tx).await.map_err(|error| {
        if is_duplicate(&error) {
            Error::refused_at("name", Refusal::NameTaken { what: "workspace" })
        } else {
            error.into()
        }
    })
}

/// Counts a change of a workspace's roles.
pub(super) async fn touch(tx: &Tx, scope: &Scope, workspace: Option<Uuid>) -> Result<()> {
    let Some(id) = workspace else { return Ok(()) };
    Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(COLUMN.id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn delete(tx: &Tx, scope: &Scope, id: Uuid) -> Result<()> {
    Entity::delete_many()
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(COLUMN.id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn roles(db: &impl ConnectionTrait, scope: &Scope) -> Result<Vec<roles::Model>> {
    Ok(roles::Entity::find()
        .filter(roles::COLUMN.subscription_id.eq(scope.id()))
        .order_by_asc(roles::Column::Id)
        .all(db)
        .await?)
}

pub(super) async fn insert_role(tx: &Tx, it: roles::Model) -> Result<()> {
    let row = roles::ActiveModel::from(it).reset_all();
    roles::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn delete_role(tx: &Tx, scope: &Scope, id: Uuid) -> Result<()> {
    roles::Entity::delete_many()
        .filter(roles::COLUMN.subscription_id.eq(scope.id()))
        .filter(roles::COLUMN.id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}
