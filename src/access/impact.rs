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
    pub removed: Vec<Removed>,
    pub added: Vec<(Place, Permissions)>,
    /// What each of the first of them loses and gains; one that keeps all has two empty lists.
    pub groups: Vec<GroupImpact>,
    /// Those that are not among these.
    pub more: i64,
}

/// A permission that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    pub place: Place,
    pub name: String,
    /// Accepted calls in 30 days that asked for it, wherever.
    pub calls: i64,
}

#[derive(Clone, Debug)]
pub struct GroupImpact {
    pub group: KeyGroup,
    pub lost: Vec<(Place, Permissions)>,
    pub gained: Vec<(Place, Permissions)>,
}

/// An edit of something that key groups share: `before` becomes `after`, and whoever holds one of
/// `sources` is touched. `sets`: the permissions of what is edited, before and after.
pub async fn shared(
    act: &Act<'_>,
    (before, after): (&Catalogue, &Catalogue),
    sources: &[Source],
    sets: (&Permissions, &Permissions),
) -> Result<Impact> {
    of_holders(act, sources, sets, |held| (before.access(held), after.access(held))).await
}

/// All key groups of a policy get another one.
pub async fn replacement(
    act: &Act<'_>,
    all: &Catalogue,
    (from, to): (&Policy, &Policy),
) -> Result<Impact> {
    let own = [Source::Policy(from.id)];
    let change = |held: &Held| {
        let after = Held { policy: Some(to.id), ..held.clone() };
        (all.access(held), all.access(&after))
    };
    of_holders(act, &own, (&from.set(), &to.set()), change).await
}

/// An edit of what one key group holds: there is no other group to tell of.
pub async fn of_group(
    act: &Act<'_>,
    all: &Catalogue,
    group: &KeyGroup,
    (before, after): (&Held, &Held),
) -> Result<Impact> {
    let (before, after) = (all.access(before), all.access(after));
    Ok(Impact {
        key_groups: 1,
        keys: group.instance_count().into(),
        removed: with_calls(act, store::one(act.scope, group.id), before.beyond(&after)).await?,
        added: after.beyond(&before),
        ..Impact::default()
    })
}

/// Who loses something when `sources` are gone, except `doomed`, which are gone themselves: the
/// first 50, and how many more there are.
pub async fn losers(
    act: &Act<'_>,
    (before, after): (&Catalogue, &Catalogue),
    sources: &[Source],
    doomed: &[KeyGroup],
) -> Result<(Vec<GroupImpact>, usize)> {
    let doomed: HashSet<Uuid> = doomed.iter().map(|it| it.id).collect();
    let mut groups = store::groups_of(act, sources, MOST_LOSERS).await?;
    groups.retain(|it| !doomed.contains(&it.id));
    let change = |held: &Held| (before.access(held), after.access(held));
    let mut losers = each(act, groups, change).await?;
    losers.retain(|it| !it.lost.is_empty());
    let more = losers.len().saturating_sub(LISTED_LOSERS);
    losers.truncate(LISTED_LOSERS);
    Ok((losers, more))
}

async fn of_holders(
    act: &Act<'_>,
    sources: &[Source],
    (before, after): (&Permissions, &Permissions),
    change: impl Fn(&Held) -> (Access, Access),
) -> Result<Impact> {
    let holders = super::holders(act, sources, LISTED).await?;
    let everywhere = |it: Permissions| match it.is_empty() {
        true => Vec::new(),
        false => vec![(Place::Subscription, it)],
    };
    let removed = everywhere(before.without(after));
    Ok(Impact {
        key_groups: holders.key_groups,
        keys: holders.keys,
        removed: with_calls(act, store::holders(act.scope, sources), removed).await?,
        added: everywhere(after.without(before)),
        more: holders.more(),
        groups: each(act, holders.groups, change).await?,
    })
}

/// What each of these groups loses and gains: `change` gives its access before and after.
async fn each(
    act: &Act<'_>,
    groups: Vec<KeyGroup>,
    change: impl Fn(&Held) -> (Access, Access),
) -> Result<Vec<GroupImpact>> {
    let ids: Vec<Uuid> = groups.iter().map(|it| it.id).collect();
    let mut held = super::of_groups(act, &ids).await?;
    let one = |group: KeyGroup| {
        let (before, after) = change(&held.remove(&group.id).unwrap_or_default());
        GroupImpact { group, lost: before.beyond(&after), gained: after.beyond(&before) }
    };
    Ok(groups.into_iter().map(one).collect())
}

/// Each with its accepted calls of the last 30 days, of the key groups that `of` gives.
async fn with_calls(
    act: &Act<'_>,
    of: SelectStatement,
    removed: Vec<(Place, Permissions)>,
) -> Result<Vec<Removed>> {
    if removed.is_empty() {
        return Ok(Vec::new());
    }
    let names = Permissions::union(removed.iter().map(|it| &it.1));
    let names = names.iter().map(str::to_owned).collect();
    let calls = usage::by_permission(&act.app.db, of, names, act.now).await?;
    let one = |place, name: &str| {
        let calls = calls.get(name).copied().unwrap_or_default();
        Removed { place, name: name.to_owned(), calls }
    };
    let at = |(place, set): &(Place, Permissions)| {
        set.iter().map(|name| one(*place, name)).collect::<Vec<_>>()
    };
    Ok(removed.iter().flat_map(at).collect())
}
