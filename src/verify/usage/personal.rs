//! Last uses of personal keys: a chunk of them in one statement. One that was deleted meanwhile has
//! no row to write.
use foldhash::HashMap;
use sea_orm::entity::prelude::*;

use super::{
    batch::Last,
    write::{CHUNK, set_newer},
};
use crate::{
    db::{self, Db},
    error::Result,
    personal_keys::entity::{COLUMN, Column as K, Entity},
};

pub(super) async fn write(db: &Db, last: &HashMap<Uuid, Last>) -> Result<()> {
    let mut rows: Vec<_> = last.iter().collect();
    rows.sort_unstable_by_key(|it| it.0);
    for rows in rows.chunks(CHUNK) {
        let tx = db.write_in_time().await?;
        let used = Entity::find().filter(COLUMN.id.is_in(rows.iter().map(|it| *it.0)));
        db::lock_in_order(&tx, used, K::Id).await?;
        let values = rows.iter().map(|(id, it)| {
            (**id, it.at, [it.from.to_string().into(), (*it.agent).to_owned().into()])
        });
        set_newer(&tx, K::Id, (K::LastUsedAt, 0), [K::LastUsedFrom, K::LastUsedAgent], values);
        tx.commit().await?;
    }
    Ok(())
}
