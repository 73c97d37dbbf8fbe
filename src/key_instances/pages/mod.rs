//! The pages of key instances: lists, one key, and a dialog for each act.
pub mod bulk;
pub mod detail;
pub mod ending;
pub mod head;
pub mod issue;
pub mod lanes;
pub mod list;
pub mod note;
pub mod period;
pub(crate) mod period_form;
mod preview;
pub mod query;
pub mod rotation;
pub mod row;
pub mod search;
pub mod secret;

use serde::Deserialize;
use uuid::Uuid;

use super::KeyInstance;
use crate::{
    clock::instant,
    domain::{GroupKind, Status},
    http::words::Here,
};

/// The ids of a key's path. One that is no id is one that never was.
#[derive(Deserialize)]
pub struct KeyPath {
    group: String,
    key: String,
}

impl KeyPath {
    pub fn ids(&self) -> (Uuid, Uuid) {
        (id(&self.group), id(&self.key))
    }
}

/// What people call an instance of a group of this kind.
pub fn noun(kind: GroupKind) -> &'static str {
    if kind.is_client() { "secret" } else { "key" }
}

/// An id from a path; the nil one for rubbish, which no row has.
pub fn id(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap_or_default()
}

/// How long the active period goes on, or when it ended: `5 days left`, `expired 85 days ago`.
fn standing(it: &KeyInstance, here: &Here) -> String {
    let ago = |at: i64| here.relative(instant(at)).text;
    let facts = it.facts();
    match (facts.status(here.now), it.revoked_at, it.deactivated_at) {
        (_, Some(at), _) => format!("revoked {}", ago(at)),
        (Status::Deactivated, _, Some(at)) => format!("deactivated {}", ago(at)),
        (Status::ActiveInTheFuture, ..) => {
            format!("starts {}", here.relative(facts.period.from()).text)
        }
        _ => match facts.period.until() {
            None => "no expiry date".to_owned(),
            Some(until) if until <= here.now => {
                format!("expired {}", here.relative(until).text)
            }
            Some(until) => format!("{} left", crate::http::words::span(until - here.now)),
        },
    }
}
