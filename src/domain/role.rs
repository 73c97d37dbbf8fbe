//! A user's place in a subscription, what it allows, and how it may change.
use super::Refusal;

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

    /// What each role can do is less than what the next one can.
    fn rank(self) -> u8 {
        match self {
            Self::Member => 0,
            Self::Auditor => 1,
            Self::Admin => 2,
        }
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

/// Whether a member may get another role, or be removed (`to` is none), where there are so many admins.
pub fn change(own: bool, (from, to): (Role, Option<Role>), admins: u64) -> Result<(), Refusal> {
    if own && to.is_some_and(|to| to.rank() > from.rank()) {
        return Err(Refusal::RaisesOneself);
    }
    if from == Role::Admin && to != Some(Role::Admin) && admins <= 1 {
        return Err(Refusal::LastAdmin);
    }
    Ok(())
}

/// Whether an owner may stop to be one, where there are so many.
pub fn end_ownership(owners: u64) -> Result<(), Refusal> {
    if owners <= 1 { Err(Refusal::LastOwner) } else { Ok(()) }
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
    fn the_last_admin_stays_one() {
        use Role::*;
        for to in [Some(Member), Some(Auditor), None] {
            for own in [true, false] {
                assert_eq!(change(own, (Admin, to), 1), Err(Refusal::LastAdmin));
                assert_eq!(change(own, (Admin, to), 2), Ok(()));
            }
        }
        assert_eq!(change(true, (Admin, Some(Admin)), 1), Ok(()));
        assert_eq!(change(false, (Member, None), 1), Ok(()));
        assert_eq!((end_ownership(1), end_ownership(2)), (Err(Refusal::LastOwner), Ok(())));
    }

    #[test]
    fn nobody_raises_themselves() {
        use Role::*;
        for (from, to) in [(Member, Auditor), (Member, Admin), (Auditor, Admin)] {
            assert_eq!(change(true, (from, Some(to)), 3), Err(Refusal::RaisesOneself));
            assert_eq!(change(false, (from, Some(to)), 3), Ok(()));
            assert_eq!(change(true, (to, Some(from)), 3), Ok(()));
        }
    }

    #[test]
    fn only_admins_change_keys_and_members_see_them_if_the_subscription_says_so() {
        assert!(Role::Admin.changes_keys());
        assert!(!Role::Member.changes_keys() && !Role::Auditor.changes_keys());
        assert!(Role::Member.sees_keys(true) && !Role::Member.sees_keys(false));
        assert!(Role::Auditor.sees_keys(false) && Role::Admin.sees_keys(false));
    }
}
