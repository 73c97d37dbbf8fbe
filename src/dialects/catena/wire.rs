//! What stands in bodies. The document shows the outer form only: `{ "policies": [ { ... } ] }`.
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    access::{Catalogue, Held},
    clock::{instant, iso},
    key_groups::KeyGroup,
    permissions::Permission,
    policies::Policy,
};

/// A key to be made: "a unique name and a single policy".
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    pub name: String,
    pub policy_id: Uuid,
    #[serde(default)]
    pub description: String,
    /// Not there: after the subscription's default lifetime.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What is not there stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub policy_id: Option<Uuid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub permissions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub permissions: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    pub id: Uuid,
    /// How many keys die with it, as it was shown.
    pub expect: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Those of the groups that are keys in the sense of the document: `token` groups with a policy.
pub fn keys(groups: &[KeyGroup], all: &Catalogue, held: &HashMap<Uuid, Held>) -> Vec<Value> {
    groups.iter().filter_map(|it| key(it, all, held.get(&it.id)?)).collect()
}

pub fn key(it: &KeyGroup, all: &Catalogue, held: &Held) -> Option<Value> {
    let policy = all.policy(held.policy?).filter(|_| !it.kind().is_client())?;
    Some(json!({
        "id": it.id,
        "name": it.name,
        "description": it.description,
        "policy_id": policy.id,
        "policy_name": policy.name,
        "active": it.active_count > 0,
        "expires_at": it.run().until().map(iso),
        "created_at": iso(instant(it.created_at)),
        "last_used_at": it.last_used().map(iso),
    }))
}

pub fn policy(it: &Policy) -> Value {
    json!({
        "id": it.id,
        "name": it.name,
        "description": it.description,
        "permissions": it.set().iter().collect::<Vec<_>>(),
        "created_at": iso(instant(it.created_at)),
        "updated_at": iso(instant(it.changed_at)),
    })
}

pub fn permission(it: &Permission) -> Value {
    json!({
        "name": it.name,
        "service": it.service,
        "description": it.description,
        "declared": it.is_declared(),
    })
}
