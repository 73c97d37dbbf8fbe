//! A user's place in a subscription, and what it allows.

/// Document 000 and 004: who may do what in a subscription (DOMAIN.md, "Who may do what").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Admin,
    Member,
    Auditor,
}

impl Role {
    /// As stored and as written in forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Auditor => "auditor",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Member, Self::Auditor].into_iter().find(|it| it.as_str() == text)
    }

    /// Key groups and instances, masked.
    pub fn sees_keys(self, members_see_keys: bool) -> bool {
        self != Self::Member || members_see_keys
    }

    pub fn changes_keys(self) -> bool {
        self == Self::Admin
    }

    pub fn reads_audit(self) -> bool {
        self != Self::Member
    }

    /// As shown to people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Admin => "Admin",
            Self::Member => "Member",
            Self::Auditor => "Auditor",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_reads_back_from_its_text() {
        for role in [Role::Admin, Role::Member, Role::Auditor] {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("owner"), None);
    }

    #[test]
    fn only_admins_change_keys_and_members_see_them_if_the_subscription_says_so() {
        assert!(Role::Admin.changes_keys());
        assert!(!Role::Member.changes_keys() && !Role::Auditor.changes_keys());
        assert!(Role::Member.sees_keys(true) && !Role::Member.sees_keys(false));
        assert!(Role::Auditor.sees_keys(false) && Role::Admin.sees_keys(false));
    }
}
