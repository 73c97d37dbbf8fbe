//! Calendar feeds. The address of one is a bearer secret: only its digest is here.
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "calendar_feeds")]
pub struct Model {
    /// A reset makes another one.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub subscription_id: Uuid,
    /// `None`: of the whole subscription.
    pub key_group_id: Option<Uuid>,
    pub digest: String,
    pub created_at: i64,
    pub created_by: Uuid,
    #[sea_orm(belongs_to, from = "subscription_id", to = "id")]
    pub subscription: BelongsTo<crate::subscriptions::entity::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
