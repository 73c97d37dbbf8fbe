//! Calls per instance, by day and by hour; and by what they asked for.
pub mod days {
    //! Calls per instance and day since 1970.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_days")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key_instance_id: Uuid,
        pub key_group_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: i32,
        pub accepted: i64,
        pub refused: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod hours {
    //! Calls per instance and hour since 1970, kept for two days.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_hours")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key_instance_id: Uuid,
        pub key_group_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub hour: i32,
        pub accepted: i64,
        pub refused: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod permissions {
    //! Accepted calls per key group, the permission that they asked for, and day since 1970.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "permission_days")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key_group_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub permission: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: i32,
        pub accepted: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
