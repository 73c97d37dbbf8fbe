//! Tries by bucket: failed sign-ins, and what else is limited.
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_failures")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub bucket: String,
    pub failures: i32,
    pub first_at: i64,
    pub last_at: i64,
}

impl ActiveModelBehavior for ActiveModel {}
