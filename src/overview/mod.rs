//! What needs attention in a subscription, the most urgent first; and what ends when. Each query is
//! bounded by a limit or by the window that is shown, and there is the same small number of them
//! whatever the subscription holds.
pub mod pages;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::try_join;
use uuid::Uuid;

use crate::{
    automation_tokens::{self, AutomationToken},
    clock::instant,
    domain::{Role, coverage, lanes::Window},
    error::Result,
    key_groups::{self, Attention, KeyGroup},
    key_instances::{self, KeyInstance, outlook},
    subscriptions::Act,
    verify::usage::{self, Calls},
};

/// Groups and keys on the page; more are behind a link.
const SHOWN: u64 = 12;
/// Ends and starts that are looked at.
const LOOKED_AT: u64 = 60;
/// Groups whose callers are looked at.
const CALLERS_OF: usize = 24;
/// Idle keys are counted up to here.
pub const IDLE_COUNTED: u64 = 1_000;
/// Days without a call after which a key is advised to be looked at.
pub const IDLE_DAYS: i64 = 90;

/// One thing to do something about.
pub struct Matter {
    pub group: KeyGroup,
    pub why: Attention,
    /// The instance that ends, or ended last.
    pub ending: Option<KeyInstance>,
    /// The instance that starts after a gap, or takes over.
    pub next: Option<KeyInstance>,
    /// Calls in the last 24 hours with the instance that ends or ended.
    pub calls: Calls,
    /// Accepted calls of the group in that time.
    pub all: i64,
}

/// A group whose coverage is drawn, with its instances in the window.
pub struct Covered {
    pub group: KeyGroup,
    pub instances: Vec<KeyInstance>,
}

/// What the overview shows besides the sums that stand on the subscription.
pub struct Overview {
    pub matters: Vec<Matter>,
    /// How many of the matters the sum on the subscription counts.
    pub counted: i64,
    /// Keys whose secret nobody confirmed to have, with the names of their groups.
    pub unsaved: Vec<(KeyInstance, String)>,
    /// Automation tokens that end soon, for those who see tokens.
    pub tokens: Vec<AutomationToken>,
    /// The group whose coverage ends next, for when nothing needs attention.
    pub next_end: Option<KeyGroup>,
    pub covered: Vec<Covered>,
    /// Ends by week and by whether another instance takes over: see `outlook::weeks`.
    pub weeks: Vec<(i64, bool, i64)>,
    /// The next ends and the next starts, with the names of their groups.
    pub ends: Vec<(outlook::Event, String)>,
    pub starts: Vec<(outlook::Event, String)>,
    /// Active keys that were not used for [`IDLE_DAYS`], counted up to [`IDLE_COUNTED`].
    pub idle: u64,
}

/// What was read of keys and groups, by the group's id.
struct Known {
    groups: HashMap<Uuid, KeyGroup>,
    instances: HashMap<Uuid, Vec<KeyInstance>>,
}

impl Known {
    fn of(&self, group: Uuid) -> &[KeyInstance] {
        self.instances.get(&group).map(Vec::as_slice).unwrap_or_default()
    }

    fn name(&self, group: Uuid) -> String {
        self.groups.get(&group).map(|it| it.name.clone()).unwrap_or_default()
    }
}

/// `role`: of whoever looks; `window`: what the lanes show; `today`: where the weeks begin.
pub async fn of(
    act: &Act<'_>,
    role: Role,
    window: &Window,
    today: DateTime<Utc>,
) -> Result<Overview> {
    let tokens = async {
        match role.changes_keys() {
            true => automation_tokens::ending_soon(act).await,
            false => Ok(Vec::new()),
        }
    };
    let ahead = (act.now, window.until());
    // Of so few groups the coverage of all is drawn.
    let all = act.scope.subscription().group_count <= SHOWN as i32;
    // Four at once, and others find connections too.
    let (urgent, shown, ends, starts) = try_join!(
        key_groups::attention(act, SHOWN),
        key_groups::by_coverage(act, (!all).then(|| window.until()), SHOWN),
        outlook::ending(act, ahead, LOOKED_AT),
        outlook::starting(act, ahead, LOOKED_AT / 2),
    )?;
    let (unsaved, tokens, weeks, idle) = try_join!(
        key_instances::unsaved(act, SHOWN),
        tokens,
        outlook::weeks(act, today),
        outlook::idle(act, IDLE_DAYS, IDLE_COUNTED),
    )?;
    let shown = if all { shown } else { filled(act, window, shown, [&ends, &starts]).await? };
    let ending = soon(&ends, &urgent, act.now);

    let known = urgent.iter().chain(&shown).map(|it| (it.id, it.clone())).collect();
    let mut known = Known { groups: known, instances: HashMap::new() };
    let told = ends.iter().take(SHOWN as usize).chain(starts.iter().take(SHOWN as usize));
    let named = unsaved.iter().map(|it| it.key_group_id).chain(told.map(|it| it.key_group_id));
    let missing: HashSet<Uuid> =
        named.chain(ending.iter().copied()).filter(|it| !known.groups.contains_key(it)).collect();
    if !missing.is_empty() {
        let missing = key_groups::find_all(act, missing.into_iter().collect()).await?;
        known.groups.extend(missing.into_iter().map(|it| (it.id, it)));
    }
    let drawn = urgent.iter().chain(&shown).map(|it| it.id).chain(ending.iter().copied());
    let drawn: HashSet<Uuid> = drawn.collect();
    let drawn: Vec<KeyGroup> =
        drawn.iter().filter_map(|it| known.groups.get(it).cloned()).collect();
    if !drawn.is_empty() {
        for it in key_instances::of_groups(act, &drawn, window.from()).await? {
            let own = known.instances.entry(it.key_group_id).or_default();
            // One that refused last may be read twice.
            if own.iter().all(|known| known.id != it.id) {
                own.push(it);
            }
        }
    }
    let (matters, counted) = matters(act, urgent, &ending, &known).await?;
    let next_end = match matters.is_empty() {
        true => key_groups::next_end(act).await?,
        false => None,
    };
    let covered =
        shown.into_iter().map(|group| Covered { instances: known.of(group.id).to_vec(), group });
    let few = |keys: Vec<outlook::Event>| {
        let named = |it: outlook::Event| {
            let name = known.name(it.key_group_id);
            (it, name)
        };
        keys.into_iter().take(SHOWN as usize).map(named).collect()
    };
    let named = |it: KeyInstance| {
        let name = known.name(it.key_group_id);
        (it, name)
    };
    Ok(Overview {
        covered: covered.collect(),
        matters,
        counted,
        next_end,
        weeks,
        idle,
        tokens,
        unsaved: unsaved.into_iter().map(named).collect(),
        ends: few(ends),
        starts: few(starts),
    })
}

/// Of many groups the coverage is drawn of those with an event in the window: those with an end of their
/// coverage, which are given, and behind them those with one of the next ends and starts of a key.
async fn filled(
    act: &Act<'_>,
    window: &Window,
    mut shown: Vec<KeyGroup>,
    ahead: [&[outlook::Event]; 2],
) -> Result<Vec<KeyGroup>> {
    let room = SHOWN as usize - shown.len();
    if room == 0 {
        return Ok(shown);
    }
    let past = outlook::ended(act, (window.from(), act.now), LOOKED_AT).await?;
    let mut seen: HashSet<Uuid> = shown.iter().map(|it| it.id).collect();
    let others = ahead.into_iter().flatten().chain(&past).map(|it| it.key_group_id);
    let others: Vec<Uuid> = others.filter(|it| seen.insert(*it)).collect();
    if !others.is_empty() {
        let mut others = key_groups::find_all(act, others).await?;
        others.sort_by_key(|it| (it.coverage_rank, it.id));
        shown.extend(others.into_iter().take(room));
    }
    Ok(shown)
}

/// Groups in which an instance is about to end, and that need no attention for another reason.
fn soon(ends: &[outlook::Event], urgent: &[KeyGroup], now: DateTime<Utc>) -> Vec<Uuid> {
    let last = now + TimeDelta::hours(coverage::LAST_HOURS);
    let mut seen: HashSet<Uuid> = urgent.iter().map(|it| it.id).collect();
    let soon = ends.iter().filter(|it| instant(it.ends_at) <= last);
    soon.map(|it| it.key_group_id).filter(|it| seen.insert(*it)).take(CALLERS_OF).collect()
}

/// What needs attention, the most urgent first, and how many of it the sum counts.
async fn matters(
    act: &Act<'_>,
    urgent: Vec<KeyGroup>,
    ending: &[Uuid],
    known: &Known,
) -> Result<(Vec<Matter>, i64)> {
    let mut matters: Vec<Matter> = urgent.into_iter().filter_map(|it| matter(it, known)).collect();
    let counted = matters.len() as i64;
    let ended = matters.iter().filter_map(|it| it.ending.as_ref());
    let used = ending.iter().flat_map(|it| known.of(*it)).filter(|it| is_ahead(it, act.now));
    let asked: Vec<Uuid> = ended.chain(used).map(|it| it.id).collect();
    if asked.is_empty() {
        return Ok((matters, counted));
    }
    let calls = usage::last_day(&act.app.db, asked, act.now).await?;
    let calls = |it: &KeyInstance| calls.get(&it.id).copied().unwrap_or_default();
    for it in &mut matters {
        it.calls = it.ending.as_ref().map(calls).unwrap_or_default();
    }
    for group in ending.iter().filter_map(|it| known.groups.get(it)) {
        // One that needs attention for another reason is told once, here or behind "more".
        if Attention::of(group).is_none() {
            matters.extend(lagging(group, known.of(group.id), act.now, calls));
        }
    }
    matters.sort_by_key(|it| it.why as i16);
    Ok((matters, counted))
}

fn is_ahead(it: &KeyInstance, now: DateTime<Utc>) -> bool {
    it.facts().is_live() && !it.facts().period.has_ended(now)
}

/// The first instance that is about to end, has a successor and is still called.
fn lagging(
    group: &KeyGroup,
    all: &[KeyInstance],
    now: DateTime<Utc>,
    calls: impl Fn(&KeyInstance) -> Calls,
) -> Option<Matter> {
    let last = now + TimeDelta::hours(coverage::LAST_HOURS);
    let mut ahead: Vec<KeyInstance> = all.iter().filter(|it| is_ahead(it, now)).cloned().collect();
    ahead.sort_by_key(|it| (it.ends_at, it.label));
    let total = ahead.iter().map(|it| calls(it).accepted).sum();
    let lags = |it: &&KeyInstance| {
        instant(it.ends_at) <= last && coverage::lags(calls(it).accepted, total)
    };
    let (old, next) = ahead
        .iter()
        .filter(lags)
        .find_map(|it| Some((it, key_instances::successor(it, &ahead)?)))?;
    Some(Matter {
        group: group.clone(),
        why: Attention::Lagging,
        calls: calls(old),
        ending: Some(old.clone()),
        next: Some(next.clone()),
        all: total,
    })
}

fn matter(group: KeyGroup, known: &Known) -> Option<Matter> {
    let why = Attention::of(&group)?;
    let own = known.of(group.id);
    let ending = match why {
        Attention::Refusing => own.iter().find(|it| it.last_refused_at == group.last_refused_at),
        Attention::Waiting => own.iter().find(|it| Some(it.ends_at) == group.lost_at),
        _ => own.iter().find(|it| Some(it.ends_at) == group.covered_until),
    };
    let next = own.iter().find(|it| Some(it.active_from) == group.next_start && !it.is_revoked());
    let (ending, next) = (ending.cloned(), next.cloned());
    Some(Matter { why, ending, next, calls: Calls::default(), all: 0, group })
}
