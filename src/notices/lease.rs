//! A lease in the database: of several nodes, one does the noticing. It is no lock: what must not
//! happen twice is kept from it by the rows themselves, whoever believes to hold the lease.
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, Condition, EntityTrait, QueryFilter, prelude::Expr, sea_query::OnConflict,
};

use super::entity::leases::{ActiveModel, COLUMN, Column, Entity};
use crate::{clock::millis, db::Db, error::Result};

const NAME: &str = "notices";
/// A node that is gone is replaced after this time and one round at most.
pub const LASTS: TimeDelta = TimeDelta::seconds(30);
/// Renewed when less than this is left: not a write in each round.
const RENEW: TimeDelta = TimeDelta::seconds(20);

/// One node's hold on it.
pub struct Lease {
    holder: String,
    until: Option<DateTime<Utc>>,
}

impl Lease {
    pub fn new(holder: String) -> Self {
        Self { holder, until: None }
    }

    /// Whether this node has it now; takes or renews it if it can.
    pub async fn hold(&mut self, db: &Db, now: DateTime<Utc>) -> Result<bool> {
        if self.until.is_some_and(|until| until - now > RENEW && until - now <= LASTS) {
            return Ok(true);
        }
        let until = now + LASTS;
        let free = Condition::any()
            .add(COLUMN.holder.eq(&*self.holder))
            .add(COLUMN.until.lte(millis(now)))
            // Of a node whose clock runs far ahead: nobody may hold it for longer than that.
            .add(COLUMN.until.gt(millis(now + LASTS * 2)));
        let tx = db.write().await?;
        let taken = Entity::update_many()
            .col_expr(Column::Holder, Expr::value(self.holder.clone()))
            .col_expr(Column::Until, Expr::value(millis(until)))
            .filter(COLUMN.name.eq(NAME))
            .filter(free)
            .exec(&tx)
            .await?;
        let mut has_it = taken.rows_affected == 1;
        if !has_it {
            let row = ActiveModel {
                name: Set(NAME.to_owned()),
                holder: Set(self.holder.clone()),
                until: Set(millis(until)),
            };
            let first = Entity::insert(row)
                .on_conflict(OnConflict::column(Column::Name).do_nothing().to_owned())
                .exec_without_returning(&tx)
                .await;
            // sea-orm tells "nothing inserted" as an error.
            has_it = match first {
                Ok(rows) => rows == 1,
                Err(sea_orm::DbErr::RecordNotInserted) => false,
                Err(error) => return Err(error.into()),
            };
        }
        tx.commit().await?;
        self.until = has_it.then_some(until);
        Ok(has_it)
    }

    /// Another node may have it at once.
    pub async fn give_up(&mut self, db: &Db) -> Result<()> {
        if self.until.take().is_none() {
            return Ok(());
        }
        let tx = db.write().await?;
        Entity::update_many()
            .col_expr(Column::Until, Expr::value(0_i64))
            .filter(COLUMN.name.eq(NAME))
            .filter(COLUMN.holder.eq(&*self.holder))
            .exec(&tx)
            .await?;
        Ok(tx.commit().await?)
    }
}
