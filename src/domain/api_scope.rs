//! What an automation token may do with the management interface.
use std::{collections::BTreeSet, fmt};

/// One kind of thing that a program can do (API.md, "Native management API").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiScope {
    KeysRead,
    KeysWrite,
    AccessRead,
    AccessWrite,
    KeysVerify,
    AuditRead,
}

impl ApiScope {
    pub const ALL: [Self; 6] = [
        Self::KeysRead,
        Self::KeysWrite,
        Self::AccessRead,
        Self::AccessWrite,
        Self::KeysVerify,
        Self::AuditRead,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::AccessRead => "access:read",
            Self::AccessWrite => "access:write",
            Self::KeysVerify => "keys:verify",
            Self::AuditRead => "audit:read",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }

    /// For whoever chooses it.
    pub fn description(self) -> &'static str {
        match self {
            Self::KeysRead => "See key groups and keys, without their secrets",
            Self::KeysWrite => "Make, rotate, deactivate and revoke keys; receives new secrets",
            Self::AccessRead => "See policies, user groups, workspaces and permissions",
            Self::AccessWrite => {
                "Change them, and what key groups hold; services declare permissions"
            }
            Self::KeysVerify => "Ask whether a key is good, and be told why not",
            Self::AuditRead => "Read the audit log",
        }
    }

    /// What comes with it. Whoever changes a thing may see it; and whoever changes access could give
    /// a key the permission to list keys, so it may list them itself: no token grants more than it
    /// has.
    fn implied(self) -> &'static [Self] {
        match self {
            Self::KeysWrite => &[Self::KeysRead],
            Self::AccessWrite => &[Self::AccessRead, Self::KeysRead],
            _ => &[],
        }
    }
}

/// The scopes of a token, as they were chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiScopes(BTreeSet<ApiScope>);

impl ApiScopes {
    /// What stands in a row or in a form: names, apart from those that are none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().filter_map(ApiScope::parse).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = ApiScope> {
        self.0.iter().copied()
    }

    /// Whether it was chosen, or comes with one that was.
    pub fn allow(&self, wanted: ApiScope) -> bool {
        self.iter().any(|it| it == wanted || it.implied().contains(&wanted))
    }
}

impl fmt::Display for ApiScopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(ApiScope::as_str).collect();
        f.write_str(&names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_brings_what_it_could_reach_anyway_and_nothing_else() {
        use ApiScope::*;
        let all = |chosen: &[&str]| {
            let scopes = ApiScopes::parse(chosen.iter().copied());
            ApiScope::ALL.into_iter().filter(|it| scopes.allow(*it)).collect::<Vec<_>>()
        };
        assert_eq!(all(&[]), []);
        assert_eq!(all(&["keys:read"]), [KeysRead]);
        assert_eq!(all(&["keys:write"]), [KeysRead, KeysWrite]);
        assert_eq!(all(&["access:read"]), [AccessRead]);
        assert_eq!(all(&["access:write"]), [KeysRead, AccessRead, AccessWrite]);
        assert_eq!(all(&["keys:verify", "audit:read"]), [KeysVerify, AuditRead]);
        assert_eq!(all(&["keys", "KEYS:READ", "keys:*", ""]), []);
    }

    #[test]
    fn scopes_are_written_as_they_are_read() {
        let scopes = ApiScopes::parse("audit:read keys:read".split(' '));
        assert_eq!(scopes.to_string(), "keys:read audit:read");
        assert_eq!(ApiScopes::parse(scopes.to_string().split(' ')), scopes);
    }
}
