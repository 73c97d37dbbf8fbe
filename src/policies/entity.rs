//! Policies: uniquely named sets of permissions.
use sea_orm::entity::prelude::*;

use crate::domain::Permissions;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policies")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub subscription_id: Uuid,
    pub name: String,
    /// In lower case: unique within the subscription.
    pub name_folded: String,
    pub description: String,
    /// Rises with every change.
    pub version: i32,
    pub created_at: i64,
    pub changed_at: i64,
    pub created_by: Uuid,
    /// The names of its permissions: see [`Permissions`].
    pub permissions: String,
    /// What the Octane dialect calls it: a role.
    pub number: i32,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn set(&self) -> Permissions {
        Permissions::stored(self.permissions.clone())
    }
}
