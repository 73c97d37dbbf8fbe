//! The one row of the installation.
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub created_at: i64,
    /// JSON: pepper version to canary.
    pub canaries: String,
    pub setup_digest: Option<String>,
    pub setup_expires_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
