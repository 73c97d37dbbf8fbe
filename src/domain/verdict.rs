//! Why a presented secret is denied, or that it is not.
use chrono::{DateTime, Utc};

use super::{Facts, Permissions};

/// The reasons of DOMAIN.md "Verification". Told only to whoever presented the complete secret;
/// everybody else hears `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denial {
    Unknown,
    Expired,
    Revoked,
    Deactivated,
    NotYetActive,
    WrongSubscription,
    Suspended,
    InsufficientPermissions,
}

impl Denial {
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Expired,
        Self::Revoked,
        Self::Deactivated,
        Self::NotYetActive,
        Self::WrongSubscription,
        Self::Suspended,
        Self::InsufficientPermissions,
    ];

    /// As told on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Deactivated => "deactivated",
            Self::NotYetActive => "not_yet_active",
            Self::WrongSubscription => "wrong_subscription",
            Self::Suspended => "suspended",
            Self::InsufficientPermissions => "insufficient_permissions",
        }
    }
}

/// Whether a known secret of the subscription that was named is accepted. In this order: a reason
/// that lies deeper is not told before the ones above it.
pub fn decide(
    suspended: bool,
    facts: &Facts,
    permissions: &Permissions,
    asked: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), Denial> {
    if suspended {
        return Err(Denial::Suspended);
    }
    facts.accept(now)?;
    match asked {
        Some(asked) if !permissions.contains(asked) => Err(Denial::InsufficientPermissions),
        _ => Ok(()),
    }
}
