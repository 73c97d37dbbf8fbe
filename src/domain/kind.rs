//! The two kinds of key groups. The kind decides the lifecycle of their instances (`lifecycle`) and
//! how they are presented; nothing else in the code asks for it.
use super::secret;

/// DOMAIN.md, "Key groups".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// One string (document 004).
    Token,
    /// A `client_id` and one of at most two active secrets (documents 000 and 001).
    ClientCredentials,
}

impl GroupKind {
    /// As stored and as written in forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::ClientCredentials => "client_credentials",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Token, Self::ClientCredentials].into_iter().find(|it| it.as_str() == text)
    }

    pub fn is_client(self) -> bool {
        self == Self::ClientCredentials
    }

    /// Instances that may be active at once; a future one counts, else the limit would break when
    /// it starts. `None`: any number.
    pub fn most_active(self) -> Option<usize> {
        self.is_client().then_some(2)
    }

    /// What is generated for it.
    pub fn secret(self) -> secret::Kind {
        match self {
            Self::Token => secret::Kind::KeyInstance,
            Self::ClientCredentials => secret::Kind::ClientSecret,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_from_its_text() {
        for kind in [GroupKind::Token, GroupKind::ClientCredentials] {
            assert_eq!(GroupKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(GroupKind::parse(""), None);
    }
}
