//! Workspaces: optional parts of a subscription.
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workspaces")]
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
    pub created_by: Uuid,
    /// How `workspace=` names it; it never changes.
    pub slug: String,
    /// What the Octane dialect calls it.
    pub number: i32,
}

impl ActiveModelBehavior for ActiveModel {}

pub mod roles {
    //! Workspace roles: a policy held in one workspace, or in the whole subscription.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "workspace_roles")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub subscription_id: Uuid,
        /// `None`: the whole subscription.
        pub workspace_id: Option<Uuid>,
        pub policy_id: Uuid,
        pub created_at: i64,
        /// What the Octane dialect calls it.
        pub number: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
