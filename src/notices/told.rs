//! One word about one end, whatever ends.
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::entity::{Model as KeyNotice, tokens::Model as TokenNotice};
use crate::domain::notice::Threshold;

/// As it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Key(KeyNotice),
    /// Of an automation token: for admins, who alone see tokens.
    Token(TokenNotice),
}

impl Notice {
    pub fn id(&self) -> Uuid {
        match self {
            Self::Key(it) => it.id,
            Self::Token(it) => it.id,
        }
    }

    pub fn subscription(&self) -> Uuid {
        match self {
            Self::Key(it) => it.subscription_id,
            Self::Token(it) => it.subscription_id,
        }
    }

    /// When it was said, in milliseconds.
    pub fn at(&self) -> i64 {
        match self {
            Self::Key(it) => it.at,
            Self::Token(it) => it.at,
        }
    }

    pub fn threshold(&self) -> Threshold {
        match self {
            Self::Key(it) => it.threshold(),
            Self::Token(it) => it.threshold(),
        }
    }

    pub fn ends(&self) -> DateTime<Utc> {
        match self {
            Self::Key(it) => it.ends(),
            Self::Token(it) => it.ends(),
        }
    }

    pub fn last_used_at(&self) -> Option<i64> {
        match self {
            Self::Key(it) => it.last_used_at,
            Self::Token(it) => it.last_used_at,
        }
    }

    /// What ends: `quote-engine k-25`, `Token build-pipeline`.
    pub fn name(&self) -> String {
        match self {
            Self::Key(it) => it.key_name(),
            Self::Token(it) => format!("Token {}", it.name),
        }
    }

    /// The page where something can be done about it.
    pub fn path(&self, slug: &str) -> String {
        match self {
            Self::Key(it) => {
                format!("/s/{slug}/groups/{}/keys/{}", it.key_group_id, it.key_instance_id)
            }
            Self::Token(_) => format!("/s/{slug}/settings/tokens"),
        }
    }

    /// The key group, whose contact is told as well.
    pub fn group(&self) -> Option<Uuid> {
        match self {
            Self::Key(it) => Some(it.key_group_id),
            Self::Token(_) => None,
        }
    }

    pub fn is_of_token(&self) -> bool {
        matches!(self, Self::Token(_))
    }
}
