//! May it do that, and why? The same rules as verification, told step by step.
use chrono::{DateTime, Utc};

use super::{Catalogue, Held};
use crate::domain::{
    self, Access, Denial, Facts, Permissions,
    access::{Place, Source},
};

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Exactly what a verification would say now.
    pub verdict: Result<(), Denial>,
    /// What grants it: through which source, by which policy. Empty: nothing does.
    pub why: Vec<(Source, uuid::Uuid)>,
    /// Places at which it would be allowed instead.
    pub elsewhere: Vec<Place>,
    /// Policies that would grant it, though the group does not hold them.
    pub would: Vec<uuid::Uuid>,
}

/// Who is asked about: what its group holds; of a key also its facts.
pub struct Subject<'a> {
    pub held: &'a Held,
    pub suspended: bool,
    /// `None`: the question is about the group, whose keys are taken as good.
    pub facts: Option<&'a Facts>,
}

/// May it do `permission` at `place`? Without a permission: is it accepted at all?
pub fn ask(
    all: &Catalogue,
    it: &Subject<'_>,
    (permission, place): (Option<&str>, Place),
    now: DateTime<Utc>,
) -> Answer {
    let access = all.access(it.held);
    let permissions = access.permissions(place);
    let verdict = match it.facts {
        Some(facts) => domain::decide(it.suspended, facts, &permissions, permission, now),
        None => of_group(it.suspended, &permissions, permission),
    };
    let name = permission.unwrap_or_default();
    let why: Vec<_> = access.why(name, place).map(|it| (it.source, it.policy)).collect();
    let grants = |it: &&crate::policies::Policy| it.set().contains(name);
    Answer {
        verdict,
        elsewhere: elsewhere(&access, name, place),
        would: if why.is_empty() {
            all.policies.iter().filter(grants).map(|it| it.id).collect()
        } else {
            Vec::new()
        },
        why,
    }
}

fn of_group(suspended: bool, permissions: &Permissions, asked: Option<&str>) -> Result<(), Denial> {
    match asked {
        _ if suspended => Err(Denial::Suspended),
        Some(asked) if !permissions.contains(asked) => Err(Denial::InsufficientPermissions),
        _ => Ok(()),
    }
}

fn elsewhere(access: &Access, name: &str, place: Place) -> Vec<Place> {
    if access.allows(name, place) {
        return Vec::new();
    }
    access.places().into_iter().filter(|it| access.allows(name, *it)).collect()
}

/// What a group would lose if it no longer held `source`.
pub fn lost_without(all: &Catalogue, held: &Held, source: Source) -> Vec<(Place, Permissions)> {
    let access = all.access(held);
    access.beyond(&access.without(source))
}
