//! Permissions that services have declared.
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "permissions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub subscription_id: Uuid,
    /// `service:action`
    pub name: String,
    pub service: String,
    pub description: String,
    pub declared_at: i64,
    /// Its service no longer declares it.
    pub withdrawn_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn is_declared(&self) -> bool {
        self.withdrawn_at.is_none()
    }

    /// One of ours, which no service has declared.
    pub fn is_own(&self) -> bool {
        self.id.is_nil()
    }

    /// What stands behind the colon.
    pub fn action(&self) -> &str {
        self.name.split_once(':').map_or("", |it| it.1)
    }
}
