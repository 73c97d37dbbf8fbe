//! The queries of policies. Every one starts from the subscription.
use sea_orm::{ActiveModelTrait, QueryOrder, Select, entity::prelude::*};

use super::entity::{ActiveModel, COLUMN, Column, Entity, Model};
use crate::{
    db::Tx,
    domain::Refusal,
    error::{Error, Result, is_duplicate},
    subscriptions::Scope,
};

/// The only way to start a query on policies: inside one subscription.
fn of(scope: &Scope) -> Select<Entity> {
    Entity::find().filter(COLUMN.subscription_id.eq(scope.id()))
}

pub(super) async fn find(db: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<Model> {
    of(scope).filter(COLUMN.id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// By name. There are few: see [`super::MOST`].
pub(super) async fn all(db: &impl ConnectionTrait, scope: &Scope) -> Result<Vec<Model>> {
    Ok(of(scope).order_by_asc(Column::NameFolded).all(db).await?)
}

pub(super) async fn insert(tx: &Tx, it: Model) -> Result<()> {
    let row = ActiveModel::from(it).reset_all();
    let inserted = Entity::insert(row).exec_without_returning(tx).await;
    inserted.map(|_| ()).map_err(taken)
}

pub(super) async fn update(tx: &Tx, changed: ActiveModel) -> Result<Model> {
    changed.update(tx).await.map_err(taken)
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
        Error::refused_at("name", Refusal::NameTaken { what: "policy" })
    } else {
        error.into()
    }
}
