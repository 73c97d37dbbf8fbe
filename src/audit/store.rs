//! The queries of the audit log. Every one starts from a scope.
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ExprTrait, QueryOrder, QuerySelect, QueryTrait, entity::prelude::*,
    sea_query::OnConflict,
};

use super::entity::{self, chain};
use crate::{
    clock,
    db::{Db, Tx},
    error::Result,
};

/// Takes the next place of the chain: a write, so that it locks the head on either database.
pub(super) async fn lock_head(db: &impl ConnectionTrait, scope: Uuid) -> Result<chain::Model> {
    let first = chain::ActiveModel { scope: Set(scope), seq: Set(0), hash: Set(vec![0; 32]) };
    Ok(chain::Entity::insert(first)
        .on_conflict(
            OnConflict::column(chain::Column::Scope)
                .value(chain::Column::Seq, Expr::col((chain::Entity, chain::Column::Seq)).add(0))
                .to_owned(),
        )
        .exec_with_returning(db)
        .await?)
}

/// Rows that end with this head.
pub(super) fn append(tx: &Tx, head: &chain::Model, rows: &[entity::Model]) {
    let backend = tx.get_database_backend();
    let moved = chain::Entity::update_many()
        .col_expr(chain::Column::Seq, head.seq.into())
        .col_expr(chain::Column::Hash, head.hash.clone().into())
        .filter(chain::COLUMN.scope.eq(head.scope));
    tx.later(moved.build(backend));
    // Both databases limit the parameters of a statement.
    for rows in rows.chunks(100) {
        let rows = rows.iter().cloned().map(entity::ActiveModel::from);
        tx.later(entity::Entity::insert_many(rows).build(backend));
    }
}

/// All that have rows.
pub(super) async fn scopes(db: &Db) -> Result<Vec<Uuid>> {
    let rows = entity::Entity::find().select_only().column(entity::Column::Scope).distinct();
    Ok(rows.into_tuple().all(db.read()).await?)
}

pub(super) async fn heads(db: &Db) -> Result<Vec<chain::Model>> {
    Ok(chain::Entity::find().order_by_asc(chain::Column::Scope).all(db.read()).await?)
}

pub(super) async fn after(db: &Db, scope: Uuid, seq: i64, n: u64) -> Result<Vec<entity::Model>> {
    Ok(entity::Entity::find()
        .filter(entity::COLUMN.scope.eq(scope))
        .filter(entity::COLUMN.seq.gt(seq))
        .order_by_asc(entity::Column::Seq)
        .limit(n)
        .all(db.read())
        .await?)
}

/// What the audit page may narrow to. Empty: everything of the scope.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub actor: Option<Uuid>,
    pub action: Option<String>,
    pub object: Option<Uuid>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// Rows older than this number.
    pub before: Option<i64>,
}

/// One page, newest first.
pub struct Listing {
    pub rows: Vec<entity::Model>,
    /// Pass it as [`Filter::before`] for the next page.
    pub next: Option<i64>,
}

pub async fn list(db: &Db, scope: Uuid, filter: &Filter, limit: u64) -> Result<Listing> {
    let mut query = entity::Entity::find().filter(entity::COLUMN.scope.eq(scope));
    if let Some(actor) = filter.actor {
        query = query.filter(entity::COLUMN.actor_id.eq(actor));
    }
    if let Some(action) = &filter.action {
        query = query.filter(entity::COLUMN.action.eq(action));
    }
    if let Some(object) = filter.object {
        query = query.filter(entity::COLUMN.object_id.eq(object));
    }
    if let Some(since) = filter.since {
        query = query.filter(entity::COLUMN.at.gte(clock::millis(since)));
    }
    if let Some(until) = filter.until {
        query = query.filter(entity::COLUMN.at.lt(clock::millis(until)));
    }
    if let Some(before) = filter.before {
        query = query.filter(entity::COLUMN.seq.lt(before));
    }
    let query = query.order_by_desc(entity::Column::Seq).limit(limit + 1);
    let mut rows = query.all(db.read()).await?;
    let more = rows.len() as u64 > limit;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|it| it.seq);
    Ok(Listing { rows, next })
}
