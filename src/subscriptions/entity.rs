//! Subscriptions: the tenants.
use sea_orm::entity::prelude::*;

use crate::domain::PeriodRules;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscriptions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    /// The tenant name of URLs and of `x-tenant-name`.
    pub slug: String,
    pub suspended_at: Option<i64>,
    pub members_see_keys: bool,
    pub default_lifetime_days: i32,
    pub max_lifetime_days: Option<i32>,
    pub never_expires_allowed: bool,
    /// No key without a policy of its group (document 002).
    pub policy_required: bool,
    /// Programs of people are refused on the REST faces; pages are not concerned (document 001).
    pub rest_keys_only: bool,
    /// Admins and contacts get notices by e-mail, where the operator has set it up.
    pub mail_notices: bool,
    pub last_notice_at: Option<i64>,
    pub created_at: i64,
    /// What the Octane dialect calls it: a shared space.
    pub number: i32,
    /// For the next thing in it that has a number.
    pub next_number: i32,
    // Sums over the key groups, kept by the verbs that change them.
    pub group_count: i32,
    pub warning_groups: i32,
    pub no_successor_groups: i32,
    pub nothing_active_groups: i32,
    pub attention_groups: i32,
    pub active_count: i32,
    pub soon_count: i32,
    pub future_count: i32,
    pub expired_count: i32,
    pub deactivated_count: i32,
    /// Pages speak of workspaces only where there are some.
    pub workspace_count: i32,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn is_suspended(&self) -> bool {
        self.suspended_at.is_some()
    }

    pub fn period_rules(&self) -> PeriodRules {
        PeriodRules {
            max_lifetime_days: self.max_lifetime_days,
            never_expires_allowed: self.never_expires_allowed,
        }
    }

    pub fn instance_count(&self) -> i32 {
        self.active_count + self.future_count + self.expired_count + self.deactivated_count
    }
}
