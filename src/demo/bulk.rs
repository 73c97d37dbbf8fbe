//! Many instances in little time, for load tests: rows written in bulk, past the verbs and without
//! audit rows. Only ever called for a demonstration's own database, and by tests.
use rand::{TryRng, rngs::SysRng};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, Statement, entity::prelude::*};
use uuid::Uuid;

use crate::{
    access,
    clock::{millis, new_id},
    db::{Tx, insert_all},
    domain::{ActivePeriod, Facts, GroupKind, SecretText, access::Source, secret::Kind},
    error::Result,
    key_groups::{self, Description, entity as groups, summary},
    key_instances::{entity, exposures},
    pepper::random_token,
    permissions::{self, Declaration},
    policies,
    subscriptions::{self, Act},
    user_groups,
};

/// Instances of one group: 6 that ended, 1 deactivated, 2 active, 1 in the future.
const PER_GROUP: usize = 10;
/// Groups whose rows are written at once: both databases limit the parameters of a statement, of which
/// their instances have most.
const GROUPS: usize = 50;
/// What gets many rows.
const TABLES: [&str; 4] = ["key_groups", "key_instances", "secret_exposures", "key_group_access"];

/// Fills the subscription with about `count` instances. Gives one active key of each group, of which
/// every second one, the first included, may do something.
pub async fn fill(act: &Act<'_>, count: usize) -> Result<Vec<SecretText>> {
    let rights = rights(act).await?;
    let groups = count.div_ceil(PER_GROUP);
    let bulk = act.app.db.write_in_bulk(&TABLES).await?;
    let tx = &*bulk;
    subscriptions::lock(tx, act.scope.id()).await?;
    let numbers = i32::try_from(groups).map_err(anyhow::Error::from)?;
    let first = subscriptions::take_numbers(tx, act.scope, numbers).await?;
    let mut made = Made::default();
    let plan = Plan { act, rights, groups, first };
    let mut waiting = Vec::new();
    for from in (0..groups).step_by(GROUPS) {
        // The database writes some while the next are made.
        let next = async {
            let mut rows = Rows::default();
            for n in from..groups.min(from + GROUPS) {
                plan.group(n, &mut rows, &mut made)?;
                tokio::task::yield_now().await;
            }
            rows.inserts(tx)
        };
        let (written, next) = tokio::join!(write(tx, waiting), next);
        written?;
        waiting = next?;
    }
    write(tx, waiting).await?;
    tx.later(exposures::noting_made(act, tx)?);
    made.sums.apply(tx, act.scope.id());
    bulk.commit().await?;
    Ok(made.keys)
}

async fn write(tx: &Tx, mut inserts: Vec<Statement>) -> Result<()> {
    let Some(last) = inserts.pop() else { return Ok(()) };
    inserts.into_iter().for_each(|it| tx.later(it));
    tx.execute_raw(last).await?;
    Ok(())
}

/// What is to be made.
struct Plan<'a> {
    act: &'a Act<'a>,
    rights: Vec<(Uuid, Uuid)>,
    groups: usize,
    /// Of the numbers of the groups.
    first: i32,
}

#[derive(Default)]
struct Made {
    sums: summary::Sums,
    /// An active one of each group.
    keys: Vec<SecretText>,
}

/// Of some groups.
#[derive(Default)]
struct Rows {
    groups: Vec<groups::ActiveModel>,
    instances: Vec<entity::ActiveModel>,
    access: Vec<access::entity::ActiveModel>,
}

impl Rows {
    fn inserts(&self, tx: &Tx) -> Result<Vec<Statement>> {
        let backend = tx.get_database_backend();
        let mut inserts =
            vec![insert_all(backend, &self.groups)?, insert_all(backend, &self.instances)?];
        if !self.access.is_empty() {
            inserts.push(insert_all(backend, &self.access)?);
        }
        Ok(inserts)
    }
}

impl Plan<'_> {
    fn group(&self, n: usize, rows: &mut Rows, made: &mut Made) -> Result<()> {
        let act = self.act;
        let described = Description {
            name: format!("service-{n:06}"),
            description: format!("Load test, team {}", n % 97),
            contact: String::new(),
        };
        let mut blank = key_groups::blank(act, &described, GroupKind::Token)?;
        // One after the other, so that most indexes grow at their end.
        let behind = i64::try_from(self.groups - n).unwrap_or_default();
        let at = act.now - chrono::TimeDelta::milliseconds(behind);
        (blank.id, blank.number) = (new_id(at), self.first + i32::try_from(n).unwrap_or_default());
        let days = i64::try_from(n % 45).unwrap_or_default();
        let used_at = millis(act.now - chrono::TimeDelta::days(days));
        (blank.last_used_at, blank.idle_since) = (Some(used_at), used_at);
        // The next key of this group has a label of its own.
        blank.last_label = i32::try_from(PER_GROUP).unwrap_or(i32::MAX);
        let facts = (1..=PER_GROUP).map(|label| facts(act, label, n));
        let facts = facts.collect::<Result<Vec<_>>>()?;
        for (label, facts) in (1..).zip(&facts) {
            let id = new_id(at);
            let (mut row, secret) = instance(act, (id, blank.id), label, facts)?;
            // The active ones are used, the last time up to 45 days ago.
            if matches!(label, 8 | 9) {
                row.last_used_at = Set(Some(used_at));
                row.idle_since = Set(used_at);
            }
            rows.instances.push(row);
            made.keys.extend((label == 9).then_some(secret));
        }
        if n.is_multiple_of(2) {
            let (policy, user_group) = self.rights[n / 2 % self.rights.len()];
            let held = [Source::Policy(policy), Source::UserGroup(user_group)];
            rows.access.extend(held.map(|it| access::store::row(act, blank.id, it)));
        }
        let group = summary::of_instances(&blank, &facts, act.now);
        made.sums.add(&group);
        rows.groups.push(groups::ActiveModel::from(group).reset_all());
        Ok(())
    }
}

/// Policies of 5 permissions, and user groups of 2 policies, for a group to hold one of each.
async fn rights(act: &Act<'_>) -> Result<Vec<(Uuid, Uuid)>> {
    let actions = (0..20).map(|n| (format!("act-{n:02}"), format!("Action {n}"))).collect();
    let declaration = Declaration { service: "load".to_owned(), actions };
    permissions::declare(act, &declaration, None).await?;
    let mut made = Vec::new();
    for n in 0..10 {
        let names: Vec<_> = (0..5).map(|it| format!("load:act-{:02}", (n + it) % 20)).collect();
        let wanted = policies::Wanted {
            name: format!("Load policy {n}"),
            description: String::new(),
            permissions: names.iter().map(String::as_str).collect(),
        };
        made.push(policies::create(act, &wanted, &random_token()).await?.id);
    }
    let mut rights = Vec::new();
    for (n, policy) in made.iter().enumerate() {
        let wanted = user_groups::Wanted {
            name: format!("load-{n}"),
            policies: [made[(n + 3) % 10], made[(n + 6) % 10]].into(),
            ..Default::default()
        };
        rights.push((*policy, user_groups::create(act, &wanted, &random_token()).await?.id));
    }
    Ok(rights)
}

fn facts(act: &Act<'_>, label: usize, n: usize) -> Result<Facts> {
    let day = chrono::TimeDelta::days;
    let spread = i64::try_from(n % 300).unwrap_or_default();
    let (ago, length) = match label {
        1..=6 => (700 - 90 * i64::try_from(label).unwrap_or_default(), 80),
        7 => (150, 400),
        8 | 9 => (60, 65 + spread),
        _ => (-60 - spread, 90),
    };
    let start = act.now - day(ago);
    let mut facts = Facts::new(ActivePeriod::new(start, Some(start + day(length)))?);
    facts.deactivated_at = (label == 7).then_some(act.now);
    Ok(facts)
}

fn instance(
    act: &Act<'_>,
    (id, group): (Uuid, Uuid),
    label: i32,
    facts: &Facts,
) -> Result<(entity::ActiveModel, SecretText)> {
    let made = SecretText::generate(Kind::KeyInstance, |it| SysRng.try_fill_bytes(it));
    let secret = made.map_err(anyhow::Error::from)?;
    let (digest, pepper_version) = act.app.peppers.digest(secret.expose());
    let at = millis(act.now);
    let mut row = entity::ActiveModel {
        id: Set(id),
        subscription_id: Set(act.scope.id()),
        key_group_id: Set(group),
        label: Set(label),
        note: Set(String::new()),
        note_folded: Set(String::new()),
        digest: Set(digest.to_vec()),
        pepper_version: Set(pepper_version),
        custom: Set(false),
        mask: Set(secret.mask()),
        created_by: Set(act.actor.user_id.unwrap_or_default()),
        saved_at: Set(Some(at)),
        saved_by: Set(Some("box".to_owned())),
        ..entity::ActiveModel::unused(facts, at)
    };
    // What ended long ago was told then.
    let past = |it: &Option<i64>| it.is_some_and(|it| it <= at);
    if row.notice_at.try_as_ref().is_some_and(past) {
        row.notice_at = Set(None);
    }
    Ok((row, secret))
}
