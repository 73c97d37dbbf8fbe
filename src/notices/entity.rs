//! Notices, and what carries them.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;

use crate::{
    clock::instant,
    domain::{label_name, notice::Threshold},
};

/// One word about one end, as it was said.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub subscription_id: Uuid,
    pub key_group_id: Uuid,
    pub key_instance_id: Uuid,
    pub threshold: String,
    pub ends_at: i64,
    /// When it was said.
    pub at: i64,
    pub group_name: String,
    pub label: i32,
    pub last_used_at: Option<i64>,
    /// Who takes over, but is not active yet.
    pub successor_label: Option<i32>,
    pub successor_from: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn threshold(&self) -> Threshold {
        Threshold::parse(&self.threshold).expect("the database checks the threshold")
    }

    pub fn ends(&self) -> DateTime<Utc> {
        instant(self.ends_at)
    }

    /// Such as `quote-engine k-25`.
    pub fn key_name(&self) -> String {
        format!("{} k-{}", self.group_name, self.label)
    }

    pub fn successor(&self) -> Option<(String, DateTime<Utc>)> {
        self.successor_label
            .zip(self.successor_from)
            .map(|(label, from)| (label_name(label), instant(from)))
    }
}

pub mod tokens {
    //! The same of an automation token.
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    use crate::{clock::instant, domain::notice::Threshold};

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "token_notices")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub subscription_id: Uuid,
        pub automation_token_id: Uuid,
        pub threshold: String,
        pub ends_at: i64,
        pub at: i64,
        /// Of the token.
        pub name: String,
        pub last_used_at: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}

    impl Model {
        pub fn threshold(&self) -> Threshold {
            Threshold::parse(&self.threshold).expect("the database checks the threshold")
        }

        pub fn ends(&self) -> DateTime<Utc> {
            instant(self.ends_at)
        }
    }
}

pub mod webhooks {
    //! Where notices are posted to.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "webhooks")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub subscription_id: Uuid,
        pub url: String,
        /// Rises with each new signing secret, which is derived from it.
        pub secret_version: i32,
        pub secret_changed_at: Option<i64>,
        pub created_at: i64,
        pub created_by: Uuid,
        /// Nothing is sent to it since.
        pub paused_at: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod deliveries {
    //! What is to be sent, and what became of it.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deliveries")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub subscription_id: Uuid,
        /// Neither this nor a token's: a test.
        pub notice_id: Option<Uuid>,
        /// The same of a token's end.
        pub token_notice_id: Option<Uuid>,
        /// `None`: an e-mail.
        pub webhook_id: Option<Uuid>,
        /// The id of the webhook, or the e-mail address: a notice goes to each once.
        pub target: String,
        /// `pending`, `delivered` or `failed`.
        pub state: String,
        pub attempts: i32,
        pub created_at: i64,
        /// When it is tried next. `None`: it is done.
        pub next_at: Option<i64>,
        pub tried_at: Option<i64>,
        pub took_ms: Option<i32>,
        /// What the receiver answered.
        pub status: Option<i32>,
        pub error: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod leases {
    //! Who does what only one of several nodes should do.
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "leases")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub holder: String,
        pub until: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
