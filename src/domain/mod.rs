//! Pure rules: no IO, no clock, no other module of ours. Time is an argument; DOMAIN.md is the source.
pub mod access;
pub mod api_scope;
pub mod client_secret;
pub mod coverage;
pub mod custom_key;
pub mod kind;
pub mod lanes;
pub mod lifecycle;
pub mod notice;
pub mod password;
pub mod period;
pub mod permission;
pub mod refusal;
pub mod role;
pub mod rotation;
pub mod secret;
pub mod status;
pub mod text;
pub mod verdict;
pub mod warning;
pub mod weeks;

pub use {
    access::Access,
    api_scope::{ApiScope, ApiScopes},
    coverage::Coverage,
    kind::GroupKind,
    period::{ActivePeriod, PeriodRules, can_be_told, days_after},
    permission::Permissions,
    refusal::Refusal,
    role::Role,
    secret::SecretText,
    status::{Facts, Status},
    text::{label_name, shown_label},
    verdict::{Denial, decide},
    warning::Warning,
};
