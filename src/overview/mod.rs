//! What needs attention in a subscription, the most urgent first.
pub mod pages;

use std::collections::HashMap;

use crate::{
    error::Result,
    key_groups::{self, Attention, KeyGroup},
    key_instances::{self, KeyInstance},
    subscriptions::Act,
    verify::usage::{self, Calls},
};

/// Groups and keys on the page; more are behind a link.
const SHOWN: u64 = 12;

/// One thing to do something about.
pub struct Matter {
    pub group: KeyGroup,
    pub why: Attention,
    /// The instance that ends, or ended last.
    pub ending: Option<KeyInstance>,
    /// The instance that starts after a gap.
    pub next: Option<KeyInstance>,
    /// Calls refused in the last 24 hours with the instance that ended.
    pub calls: Calls,
}

/// What the overview shows besides the sums that stand on the subscription.
pub struct Overview {
    pub matters: Vec<Matter>,
    /// Keys whose secret nobody confirmed to have, with the names of their groups.
    pub unsaved: Vec<(KeyInstance, String)>,
    /// The group whose coverage ends next, for when nothing needs attention.
    pub next_end: Option<KeyGroup>,
}

pub async fn of(act: &Act<'_>) -> Result<Overview> {
    let groups = key_groups::attention(act, SHOWN).await?;
    let instances =
        if groups.is_empty() { Vec::new() } else { key_instances::of_groups(act, &groups).await? };
    let mut matters: Vec<Matter> =
        groups.into_iter().filter_map(|it| matter(it, &instances)).collect();
    let ended = matters.iter().filter_map(|it| it.ending.as_ref().map(|it| it.id)).collect();
    let calls = if matters.is_empty() {
        HashMap::new()
    } else {
        usage::last_day(&act.app.db, ended, act.now).await?
    };
    for it in &mut matters {
        let id = it.ending.as_ref().map(|it| it.id);
        it.calls = id.and_then(|id| calls.get(&id).copied()).unwrap_or_default();
    }
    let unsaved = key_instances::unsaved(act, SHOWN).await?;
    let names = if unsaved.is_empty() {
        Vec::new()
    } else {
        key_groups::of_instances(act, &unsaved).await?
    };
    let named = |it: KeyInstance| {
        let group = names.iter().find(|group| group.id == it.key_group_id);
        let name = group.map(|it| it.name.clone()).unwrap_or_default();
        (it, name)
    };
    Ok(Overview {
        next_end: if matters.is_empty() { key_groups::next_end(act).await? } else { None },
        unsaved: unsaved.into_iter().map(named).collect(),
        matters,
    })
}

fn matter(group: KeyGroup, instances: &[KeyInstance]) -> Option<Matter> {
    let why = Attention::of(&group)?;
    let own = || instances.iter().filter(|it| it.key_group_id == group.id);
    let ending = match why {
        Attention::Refusing => own().find(|it| it.last_refused_at == group.last_refused_at),
        _ => own().find(|it| Some(it.ends_at) == group.covered_until),
    };
    let next = own().find(|it| Some(it.active_from) == group.next_start);
    let (ending, next) = (ending.cloned(), next.cloned());
    Some(Matter { why, ending, next, calls: Calls::default(), group })
}
