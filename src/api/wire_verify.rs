//! What stands in answers about a secret.
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::openapi::texts::{AcceptedWord, DenialWord};

/// Whether a secret is good: of a key, of a person, or not.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Verdict)]
pub enum VerdictBody {
    Key(AcceptedKey),
    Person(AcceptedPerson),
    Denied(Denied),
}

/// A key of the subscription is accepted.
#[derive(Serialize, ToSchema)]
pub struct AcceptedKey {
    /// true
    pub valid: bool,
    #[schema(value_type = AcceptedWord)]
    pub code: &'static str,
    /// The short name of the subscription.
    pub subscription: String,
    pub key_group: AcceptedGroup,
    pub key_instance: AcceptedInstance,
    /// What the key may do: all that its group holds.
    pub permissions: Vec<String>,
    #[schema(format = DateTime)]
    pub from: String,
    /// null: it never ends.
    #[schema(format = DateTime, required)]
    pub until: Option<String>,
    /// It ends soon.
    pub warning: bool,
}

#[derive(Serialize, ToSchema)]
pub struct AcceptedGroup {
    pub id: Uuid,
    pub name: String,
}

#[derive(Serialize, ToSchema)]
pub struct AcceptedInstance {
    pub id: Uuid,
    /// `k-7`, counted within the group.
    pub label: String,
}

/// The personal key of a member is accepted.
#[derive(Serialize, ToSchema)]
pub struct AcceptedPerson {
    /// true
    pub valid: bool,
    #[schema(value_type = AcceptedWord)]
    pub code: &'static str,
    /// The short name of the subscription.
    #[schema(required)]
    pub subscription: Option<String>,
    /// The e-mail address of the person.
    pub user: String,
    pub key_instance: PersonalInstance,
    /// What the key may do.
    pub permissions: Vec<String>,
    /// null: it never ends.
    #[schema(format = DateTime, required)]
    pub until: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct PersonalInstance {
    pub id: Uuid,
}

/// The secret is not accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = DeniedSecret)]
pub struct Denied {
    /// false
    pub valid: bool,
    #[schema(value_type = DenialWord)]
    pub code: &'static str,
}
