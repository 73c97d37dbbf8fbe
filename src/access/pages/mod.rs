//! The pages of access: what a key group may do and why, what it holds, and undoing an edit.
pub mod deletion;
pub mod edit;
pub mod explain;
pub mod impact;
pub mod undo;

use crate::{
    access::Catalogue,
    domain::{
        Permissions,
        access::{Place, Source},
    },
    http::InPlace,
};

/// Permissions as people read them: where it is not the whole subscription, with the workspace.
pub fn in_words(all: &Catalogue, sets: &[(Place, Permissions)]) -> Vec<String> {
    let at = |(place, set): &(Place, Permissions)| {
        set.iter().map(|name| permission(all, *place, name)).collect::<Vec<_>>()
    };
    sets.iter().flat_map(at).collect()
}

/// One of them.
pub fn permission(all: &Catalogue, place: Place, name: &str) -> String {
    match place {
        Place::Workspace(id) => format!("{name} in {}", all.place(Some(id))),
        Place::Subscription | Place::Nowhere => name.to_owned(),
    }
}

/// Something that grants permissions, or holds a policy, with the way to its page.
pub struct Link {
    pub icon: &'static str,
    pub kind: &'static str,
    pub name: String,
    pub path: String,
}

impl Link {
    pub fn to(it: &InPlace, all: &Catalogue, source: Source) -> Self {
        let (icon, kind, path) = match source {
            Source::Policy(id) => ("shield-check", "Policy", format!("/policies/{id}")),
            Source::UserGroup(id) => ("users", "User group", format!("/user-groups/{id}")),
            Source::Role(_) => ("building-2", "Workspace role", "/workspaces".to_owned()),
        };
        Self { icon, kind, name: all.name(source), path: it.path(&path) }
    }
}
