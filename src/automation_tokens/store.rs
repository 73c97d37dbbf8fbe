//! The queries of automation tokens. Every one starts from the subscription; that of a presented token is
//! in its store.
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ExprTrait, PaginatorTrait, QueryOrder, QuerySelect, Select,
    entity::prelude::*,
};

use super::entity::{ActiveModel, COLUMN, Column, Entity, Model};
use crate::{
    clock::millis,
    db::{Db, Tx},
    error::{Error, Result},
    subscriptions::Scope,
};

fn of(scope: &Scope) -> Select<Entity> {
    Entity::find().filter(COLUMN.subscription_id.eq(scope.id()))
}

/// The newest first.
pub(super) async fn list(db: &Db, scope: &Scope, limit: u64) -> Result<Vec<Model>> {
    Ok(of(scope).order_by_desc(Column::Id).limit(limit).all(db.read()).await?)
}

/// Those that open something now, what ends first before the others: at most [`super::MOST`].
pub(super) async fn live(db: &Db, scope: &Scope, now: DateTime<Utc>) -> Result<Vec<Model>> {
    let live = of(scope).filter(COLUMN.ends_at.gt(millis(now))).filter(COLUMN.revoked_at.is_null());
    let live = live.order_by_asc(Column::EndsAt).order_by_asc(Column::Id);
    Ok(live.limit(super::MOST as u64).all(db.read()).await?)
}

/// Live tokens of this name are looked at in the next round of notices.
pub(super) async fn wake_named(
    tx: &Tx,
    scope: &Scope,
    name: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::NoticeAt, Expr::value(millis(now)))
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(COLUMN.ends_at.gt(millis(now)))
        .filter(COLUMN.name.eq(name))
        .filter(COLUMN.revoked_at.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn count_live(tx: &Tx, scope: &Scope, now: DateTime<Utc>) -> Result<u64> {
    let live = of(scope).filter(COLUMN.revoked_at.is_null()).filter(COLUMN.ends_at.gt(millis(now)));
    Ok(live.count(tx).await?)
}

/// One column: it is asked in each change that a program makes.
pub(super) async fn is_live(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool> {
    let found: Option<i64> = of(scope)
        .select_only()
        .column(Column::EndsAt)
        .filter(COLUMN.id.eq(id))
        .filter(COLUMN.revoked_at.is_null())
        .filter(COLUMN.ends_at.gt(millis(now)))
        .into_tuple()
        .one(db)
        .await?;
    Ok(found.is_some())
}

pub(super) async fn find(db: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<Model> {
    of(scope).filter(COLUMN.id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

pub(super) async fn insert(tx: &Tx, row: Model) -> Result<Model> {
    Ok(ActiveModel::from(row).reset_all().insert(tx).await?)
}

pub(super) async fn update(tx: &Tx, row: ActiveModel) -> Result<Model> {
    Ok(row.update(tx).await?)
}

/// If nothing later than `before` is known yet: two requests may note at once.
pub(super) async fn note_use(
    db: &Db,
    id: Uuid,
    from: IpAddr,
    (before, now): (DateTime<Utc>, DateTime<Utc>),
) -> Result<()> {
    let earlier = COLUMN.last_used_at.is_null().or(COLUMN.last_used_at.lte(millis(before)));
    Entity::update_many()
        .col_expr(Column::LastUsedAt, Expr::value(millis(now)))
        .col_expr(Column::LastUsedFrom, Expr::value(from.to_string()))
        .filter(COLUMN.id.eq(id))
        .filter(earlier)
        .exec(db.read())
        .await?;
    Ok(())
}
