//! People who sign in.
use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// In lower case, unique.
    pub email: String,
    pub name: String,
    /// PHC text of argon2id.
    pub password_hash: String,
    /// Runs the installation; sees no keys by that.
    pub is_owner: bool,
    /// `system`, `light` or `dark`.
    pub theme: String,
    /// Whether `/` and `?` do something.
    pub shortcuts: bool,
    /// An IANA zone, such as `Europe/Berlin`.
    pub time_zone: String,
    pub created_at: i64,
    pub last_sign_in_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
