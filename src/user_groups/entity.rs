//! User groups: uniquely named sets of policies, and of people.
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_groups")]
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
}

impl ActiveModelBehavior for ActiveModel {}

pub mod policies {
    //! The policies in a user group.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "user_group_policies")]
    pub struct Model {
        pub subscription_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_group_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub policy_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod members {
    //! The members of the subscription in a user group.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "user_group_members")]
    pub struct Model {
        pub subscription_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_group_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
