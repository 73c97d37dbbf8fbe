//! Personal keys. The token itself is nowhere: claims and public half are not enough to make one.
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "personal_keys")]
pub struct Model {
    /// Its KeyId.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    /// Of an Ed25519 pair of its own.
    pub public_key: Vec<u8>,
    /// The signed JSON, byte for byte.
    pub claims: String,
    pub note: String,
    pub issued_at: i64,
    pub active_until: Option<i64>,
    /// When its holder confirmed to have it: from then on it is shown no more.
    pub saved_at: Option<i64>,
    pub last_used_at: Option<i64>,
    pub last_used_from: Option<String>,
    pub last_used_agent: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

pub mod user_groups {
    //! The user groups that a key's claims name.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "personal_key_user_groups")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub personal_key_id: Uuid,
        pub subscription_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_group_id: Uuid,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
