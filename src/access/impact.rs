//! What an edit changes, before it is made: which permissions go and come, for which key groups, and
//! how many calls of the last 30 days asked for one that goes.
use std::collections::HashSet;

use sea_orm::sea_query::SelectStatement;
use uuid::Uuid;

use super::{Catalogue, Held, store};
use crate::{
    domain::{
        Access, Permissions,
        access::{Place, Source},
    },
    error::Result,
    key_groups::KeyGroup,
    policies::Policy,
    subscriptions::Act,
    verify::usage,
};

/// Key groups that are listed one by one; the rest is counted.
const LISTED: u64 = 10;
/// Those that lose something by a deletion: read, and listed.
const MOST_LOSERS: u64 = 5_000;
const LISTED_LOSERS: usize = 50;

/// The difference that an edit makes.
#[derive(Clone, Debug, Default)]
pub struct Impact {
    /// Key groups that it touches, and the keys in them.
    pub key_groups: i64,
    pub keys: i64,
    /// Permissions that go, with the accepted calls in 30 days that asked for them.
    pub removed: Vec<(String, i64)>,
    pub added: Permissions,
    /// What each of the first of them loses and gains; one that keeps all has two empty lists.
    pub groups: Vec<GroupImpact>,
}

#[derive(Clone, Debug)]
pub struct GroupImpact {
    pub group: KeyGroup,
    pub lost: Vec<(Place, Permissions)>,
    pub gained: Vec<(Place, Permissions)>,
}

/// Who loses something when `sources` are gone, except `doomed`, which are gone themselves: the
/// first 50, and how many more there are.
pub async fn losers(
    act: &Act<'_>,
    (before, after): (&Catalogue, &Catalogue),
    sources: &[Source],
    doomed: &[KeyGroup],
) -> Result<(Vec<GroupImpact>, usize)> {
    let groups = store::groups_of(act, sources, MOST_LOSERS).await?;
    let ids: Vec<Uuid> = groups.iter().map(|it| it.id).collect();
    let held = super::of_groups(act, &ids).await?;
    let doomed: HashSet<Uuid> = doomed.iter().map(|it| it.id).collect();
    let nothing = Held::default();
    let mut losers: Vec<_> = groups
        .into_iter()
        .filter(|it| !doomed.contains(&it.id))
        .map(|group| {
            let held = held.get(&group.id).unwrap_or(&nothing);
            of_one(group, &before.access(held), &after.access(held))
        })
        .filter(|it| !it.lost.is_empty())
        .collect();
    let more = losers.len().saturating_sub(LISTED_LOSERS);
    losers.truncate(LISTED_LOSERS);
    Ok((losers, more))
}

/// All key groups of a policy get another one.
pub async fn replacement(
    act: &Act<'_>,
    all: &Catalogue,
    (from, to): (&Policy, &Policy),
) -> Result<Impact> {
    let own = [Source::Policy(from.id)];
    let (key_groups, keys) = store::count(act, &own).await?;
    let groups = store::groups_of(act, &own, LISTED).await?;
    let ids: Vec<Uuid> = groups.iter().map(|it| it.id).collect();
    let mut held = super::of_groups(act, &ids).await?;
    let impact = |group: KeyGroup| {
        let before = held.remove(&group.id).unwrap_or_default();
        let after = Held { policy: Some(to.id), ..before.clone() };
        of_one(group, &all.access(&before), &all.access(&after))
    };
    let removed = from.set().without(&to.set());
    Ok(Impact {
        key_groups,
        keys,
        removed: with_calls(act, store::holders(act.scope, &own), &removed).await?,
        added: to.set().without(&from.set()),
        groups: groups.into_iter().map(impact).collect(),
    })
}

/// An edit of something that key groups share: `before` becomes `after`, and whoever holds one of
/// `sources` is touched. `sets`: the permissions of what is edited, before and after.
pub async fn shared(
    act: &Act<'_>,
    (before, after): (&Catalogue, &Catalogue),
    sources: &[Source],
    sets: (&Permissions, &Permissions),
) -> Result<Impact> {
    let (key_groups, keys) = store::count(act, sources).await?;
    let groups = store::groups_of(act, sources, LISTED).await?;
    let ids: Vec<Uuid> = groups.iter().map(|it| it.id).collect();
    let held = super::of_groups(act, &ids).await?;
    let nothing = Held::default();
    let impact = |group: KeyGroup| {
        let held = held.get(&group.id).unwrap_or(&nothing);
        of_one(group, &before.access(held), &after.access(held))
    };
    Ok(Impact {
        key_groups,
        keys,
        removed: with_calls(act, store::holders(act.scope, sources), &sets.0.without(sets.1))
            .await?,
        added: sets.1.without(sets.0),
        groups: groups.into_iter().map(impact).collect(),
    })
}

fn of_one(group: KeyGroup, before: &Access, after: &Access) -> GroupImpact {
    GroupImpact { group, lost: before.beyond(after), gained: after.beyond(before) }
}

/// Each with its accepted calls of the last 30 days, of the key groups that `of` gives.
async fn with_calls(
    act: &Act<'_>,
    of: SelectStatement,
    removed: &Permissions,
) -> Result<Vec<(String, i64)>> {
    if removed.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = removed.iter().map(str::to_owned).collect();
    let calls = usage::by_permission(&act.app.db, of, names.clone(), act.now).await?;
    let calls = |name: &String| calls.get(name).copied().unwrap_or_default();
    Ok(names.into_iter().map(|it| (it.clone(), calls(&it))).collect())
}

/// An edit of what one key group holds.
pub async fn of_group(
    act: &Act<'_>,
    all: &Catalogue,
    group: KeyGroup,
    (before, after): (&Held, &Held),
) -> Result<Impact> {
    let (before, after) = (all.access(before), all.access(after));
    let all_of = |it: Vec<(Place, Permissions)>| {
        Permissions::union(it.iter().map(|it| &it.1).collect::<Vec<_>>())
    };
    let removed = all_of(before.beyond(&after));
    Ok(Impact {
        key_groups: 1,
        keys: group.instance_count().into(),
        removed: with_calls(act, store::one(act.scope, group.id), &removed).await?,
        added: all_of(after.beyond(&before)),
        groups: vec![of_one(group, &before, &after)],
    })
}
