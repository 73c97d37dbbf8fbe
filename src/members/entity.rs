//! Members of subscriptions, and invitations to become one.
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "members")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub subscription_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    pub role: String,
    pub created_at: i64,
    /// Until when the member has seen the notices.
    pub notices_seen_at: i64,
    #[sea_orm(belongs_to, from = "subscription_id", to = "id")]
    pub subscription: BelongsTo<crate::subscriptions::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

pub mod invitation {
    //! A link that makes its holder a member, once.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invitations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub subscription_id: Uuid,
        pub email: String,
        pub role: String,
        pub digest: String,
        pub invited_by: Uuid,
        pub created_at: i64,
        pub expires_at: i64,
        pub accepted_at: Option<i64>,
        #[sea_orm(belongs_to, from = "subscription_id", to = "id")]
        pub subscription: BelongsTo<crate::subscriptions::entity::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
