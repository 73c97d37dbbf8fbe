//! The same act on many instances: one transaction, an outcome for each. What a rule forbids for one
//! of them stops none of the others.
use std::collections::HashMap;

use uuid::Uuid;

use super::{KeyInstance, described, full_name, store};
use crate::{
    domain::{
        Facts, GroupKind, PeriodRules, Refusal,
        lifecycle::{self, Extension},
    },
    error::{Error, Result},
    key_groups::{self, KeyGroup, summary},
    pepper::token_digest,
    submissions,
    subscriptions::Act,
};

/// At once: more than any page of a list shows.
pub const MOST: usize = 200;

/// What happens to each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Deactivate,
    Extend(Extension),
}

impl Wish {
    fn action(self) -> &'static str {
        match self {
            Self::Deactivate => "key_instance.deactivated",
            Self::Extend(_) => "key_instance.period_changed",
        }
    }

    fn apply(
        self,
        kind: GroupKind,
        facts: &Facts,
        rules: &PeriodRules,
        act: &Act<'_>,
    ) -> Result<Facts, Refusal> {
        match self {
            Self::Deactivate => lifecycle::deactivate(kind, facts, act.now),
            Self::Extend(by) => lifecycle::extend(kind, facts, by, rules, act.now),
        }
    }
}

/// An instance as somebody saw it when they confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: Uuid,
    /// Of its facts at that time; empty if it was not looked at.
    pub picture: String,
}

/// A short picture of the facts that an act depends on.
pub fn picture(it: &KeyInstance) -> String {
    let facts = (it.active_from, it.active_until, it.deactivated_at, it.revoked_at);
    token_digest(&format!("{facts:?}")).chars().take(10).collect()
}

/// One instance with its group: what it would be, or is, afterwards; or why not.
pub struct Row {
    pub key: KeyInstance,
    pub group: KeyGroup,
    pub outcome: Result<Facts, Refusal>,
}

/// Of all that were named, by group and label.
pub struct Outcomes {
    pub rows: Vec<Row>,
    /// Named, but not in this subscription any more, or never.
    pub missing: usize,
}

impl Outcomes {
    pub fn done(&self) -> usize {
        self.rows.iter().filter(|it| it.outcome.is_ok()).count()
    }
}

fn check_number(n: usize) -> Result<()> {
    if n > MOST {
        return Err(Error::Malformed("Choose at most 200 keys at once."));
    }
    Ok(())
}

/// What would happen now. Nothing is written.
pub async fn preview(act: &Act<'_>, wish: Wish, ids: &[Uuid]) -> Result<Outcomes> {
    check_number(ids.len())?;
    let keys = store::find_all(act.app.db.read(), act.scope, ids).await?;
    let groups = key_groups::of_instances(act, &keys).await?;
    let rules = act.scope.subscription().period_rules();
    sorted(ids.len(), keys, groups, |key, kind| wish.apply(kind, &key.facts(), &rules, act))
}

/// Joins keys and groups, decides for each, and sorts.
fn sorted(
    named: usize,
    keys: Vec<KeyInstance>,
    groups: Vec<KeyGroup>,
    decide: impl Fn(&KeyInstance, GroupKind) -> Result<Facts, Refusal>,
) -> Result<Outcomes> {
    if keys.is_empty() && named > 0 {
        return Err(Error::NotFound);
    }
    let missing = named - keys.len();
    let groups: HashMap<Uuid, KeyGroup> = groups.into_iter().map(|it| (it.id, it)).collect();
    let row = |key: KeyInstance| {
        let group = groups.get(&key.key_group_id)?.clone();
        Some(Row { outcome: decide(&key, group.kind()), key, group })
    };
    let mut rows: Vec<Row> = keys.into_iter().filter_map(row).collect();
    rows.sort_by(|a, b| {
        let of = |it: &Row| (it.group.name_folded.clone(), it.key.label);
        of(a).cmp(&of(b))
    });
    Ok(Outcomes { rows, missing })
}

/// Does it to all that allow it and are still what was seen, in one transaction. `submission` is the
/// form's token, and `location` where a second submit of the form is sent.
pub async fn carry_out(
    act: &Act<'_>,
    wish: Wish,
    seen: &[Seen],
    (submission, location): (&str, String),
) -> Result<Outcomes> {
    check_number(seen.len())?;
    let ids: Vec<Uuid> = seen.iter().map(|it| it.id).collect();
    let pictures: HashMap<Uuid, &str> =
        seen.iter().map(|it| (it.id, it.picture.as_str())).collect();
    let (tx, subscription) = act.begin_knowing().await?;
    let tx = submissions::claim(act, tx, submission, location).await?;
    let rules = subscription.period_rules();
    let keys = store::find_all(&tx, act.scope, &ids).await?;
    let groups: Vec<Uuid> = keys.iter().map(|it| it.key_group_id).collect();
    let groups = key_groups::store::find_in(&tx, act.scope, &groups).await?;
    let outcomes = sorted(ids.len(), keys, groups, |key, kind| {
        if pictures.get(&key.id).is_none_or(|it| *it != picture(key)) {
            return Err(Refusal::KeyChanged);
        }
        wish.apply(kind, &key.facts(), &rules, act)
    })?;
    let done = || outcomes.rows.iter().filter_map(|it| Some((it, it.outcome.as_ref().ok()?)));
    let mut groups: Vec<Uuid> = done().map(|it| it.0.group.id).collect();
    groups.sort_unstable();
    groups.dedup();
    // Nothing to do leaves the form as good as it was.
    if groups.is_empty() {
        return Ok(outcomes);
    }
    store::lock(&tx, act.scope, done().map(|it| it.0.key.id).collect()).await?;
    key_groups::store::touch_all(&tx, act.scope, &groups, act.now).await?;
    let mut events = Vec::new();
    for (row, facts) in done() {
        let after = store::update(&tx, row.key.with_facts(facts, act.now)).await?;
        let event = act
            .event(wish.action())
            .on("key_instance", row.key.id, full_name(&row.group, &row.key))
            .change(described(&row.key), described(&after));
        events.push(event);
    }
    summary::refresh(&tx, act.scope.id(), &groups, act.now).await?;
    act.finish_all(tx, events).await?;
    Ok(outcomes)
}
