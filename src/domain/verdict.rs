//! Why a presented secret is denied.

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
