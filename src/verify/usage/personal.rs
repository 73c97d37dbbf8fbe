//! Last uses of personal keys: a chunk of them in one statement. One that was deleted meanwhile has
//! no row to write.
use std::collections::HashMap;

use sea_orm::entity::prelude::*;

use super::{
    Call,
    write::{CHUNK, Newer, chosen},
};
use crate::{
    db::{self, Db},
    error::Result,
    personal_keys::entity::{COLUMN, Column as K, Entity},
};

pub(super) async fn write(db: &Db, last: &HashMap<Uuid, (i64, Call)>) -> Result<()> {
    let mut rows: Vec<_> = last.iter().map(|(id, (at, call))| (*id, *at, call)).collect();
    rows.sort_unstable_by_key(|it| it.0);
    for rows in rows.chunks(CHUNK) {
        let tx = db.write().await?;
        let ids = || rows.iter().map(|it| it.0);
        let used = Entity::find().filter(COLUMN.id.is_in(ids()));
        db::lock_in_order(&tx, used, K::Id).await?;
        let newer = |at| Newer { id: K::Id, time: K::LastUsedAt, at };
        Entity::update_many()
            .col_expr(K::LastUsedAt, chosen(rows, newer, K::LastUsedAt, |at, _| at.into()))
            .col_expr(
                K::LastUsedFrom,
                chosen(rows, newer, K::LastUsedFrom, |_, it| it.from.to_string().into()),
            )
            .col_expr(
                K::LastUsedAgent,
                chosen(rows, newer, K::LastUsedAgent, |_, it| it.agent.clone().into()),
            )
            .filter(COLUMN.id.is_in(ids()))
            .exec(&tx)
            .await?;
        tx.commit().await?;
    }
    Ok(())
}
