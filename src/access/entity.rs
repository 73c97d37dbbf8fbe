//! What key groups hold: each row one policy, one user group or one role.
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_group_access")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub subscription_id: Uuid,
    pub key_group_id: Uuid,
    pub policy_id: Option<Uuid>,
    pub user_group_id: Option<Uuid>,
    pub workspace_role_id: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}

pub mod edits {
    //! Edits of access that can be undone for a while.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "access_edits")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub subscription_id: Uuid,
        /// What was edited.
        pub object_id: Uuid,
        pub made_at: i64,
        pub made_by: Uuid,
        /// See `undo::Change`.
        pub changes: String,
        pub undone_at: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
