//! The pages of access: what a key group may do and why, what it holds, and undoing an edit.
pub mod deletion;
pub mod edit;
pub mod explain;
pub mod impact;
pub mod undo;

use crate::{
    access::Catalogue,
    domain::{Permissions, access::Place},
};

/// Permissions as people read them: where it is not the whole subscription, with the workspace.
pub fn in_words(all: &Catalogue, sets: &[(Place, Permissions)]) -> Vec<String> {
    let one = |(place, set): &(Place, Permissions)| {
        let place = match place {
            Place::Workspace(id) => format!(" in {}", all.place(Some(*id))),
            Place::Subscription | Place::Nowhere => String::new(),
        };
        set.iter().map(|name| format!("{name}{place}")).collect::<Vec<_>>()
    };
    sets.iter().flat_map(one).collect()
}
