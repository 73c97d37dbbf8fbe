//! What a key group is, in the words of the interface.
use serde::Deserialize;
use utoipa::ToSchema;

/// `token`: keys that stand for themselves. `client_credentials`: a client id with at most two active
/// secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
#[schema(as = KeyGroupKind)]
pub enum Kind {
    #[default]
    Token,
    ClientCredentials,
}

impl TryFrom<String> for Kind {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "token" => Ok(Self::Token),
            "client_credentials" => Ok(Self::ClientCredentials),
            _ => Err("A kind is token or client_credentials."),
        }
    }
}
