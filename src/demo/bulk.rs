//! Many instances in little time, for load tests: rows written in bulk, past the verbs and without
//! audit rows. Only ever called for a demonstration's own database, and by tests.
use rand::{TryRng, rngs::SysRng};
use sea_orm::{ActiveValue::Set, entity::prelude::*};
use uuid::Uuid;

use crate::{
    access,
    clock::{millis, new_id},
    domain::{ActivePeriod, Facts, GroupKind, SecretText, access::Source, secret::Kind},
    error::Result,
    key_groups::{self, Description, entity as groups, summary},
    key_instances::{How, entity, exposures},
    pepper::random_token,
    permissions::{self, Declaration},
    policies,
    subscriptions::{self, Act},
    user_groups,
};

/// Instances of one group: 6 that ended, 1 deactivated, 2 active, 1 in the future.
const PER_GROUP: usize = 10;
/// Rows of one statement: both databases limit the number of its parameters.
const ROWS: usize = 500;
/// Groups whose rows are made before they are written.
const GROUPS: usize = 200;
/// What gets many rows.
const TABLES: [&str; 4] = ["key_groups", "key_instances", "secret_exposures", "key_group_access"];

/// Fills the subscription with about `count` instances. Gives one active key of each group, of which
/// every second one, the first included, may do something.
pub async fn fill(act: &Act<'_>, count: usize) -> Result<Vec<SecretText>> {
    let mut keys = Vec::new();
    let rights = rights(act).await?;
    let numbers: Vec<usize> = (0..count.div_ceil(PER_GROUP)).collect();
    let bulk = act.app.db.write_in_bulk(&TABLES).await?;
    let tx = &*bulk;
    subscriptions::lock(tx, act.scope.id()).await?;
    for chunk in numbers.chunks(GROUPS) {
        let count = i32::try_from(chunk.len()).unwrap_or(i32::MAX);
        let first = subscriptions::take_numbers(tx, act.scope, count).await?;
        let (mut rows, mut instances, mut access) = (Vec::new(), Vec::new(), Vec::new());
        let mut sums = summary::Sums::default();
        for (number, n) in (first..).zip(chunk) {
            let described = Description {
                name: format!("service-{n:06}"),
                description: format!("Load test, team {}", n % 97),
                contact: String::new(),
            };
            let mut blank = key_groups::blank(act, &described, GroupKind::Token)?;
            // One after the other, so that most indexes grow at their end.
            let behind = i64::try_from(numbers.len() - n).unwrap_or_default();
            let made = act.now - chrono::TimeDelta::milliseconds(behind);
            (blank.id, blank.number) = (new_id(made), number);
            let days = i64::try_from(n % 45).unwrap_or_default();
            let used_at = millis(act.now - chrono::TimeDelta::days(days));
            (blank.last_used_at, blank.idle_since) = (Some(used_at), used_at);
            // The next key of this group has a label of its own.
            blank.last_label = i32::try_from(PER_GROUP).unwrap_or(i32::MAX);
            let facts = (1..=PER_GROUP).map(|label| facts(act, label, *n));
            let facts = facts.collect::<Result<Vec<_>>>()?;
            for (label, facts) in (1..).zip(&facts) {
                let (mut row, secret) = instance(act, (new_id(made), blank.id), label, facts)?;
                // The active ones are used, the last time up to 45 days ago.
                if matches!(label, 8 | 9) {
                    row.last_used_at = Set(Some(used_at));
                    row.idle_since = Set(used_at);
                }
                instances.push(row);
                keys.extend((label == 9).then_some(secret));
            }
            if n.is_multiple_of(2) {
                let (policy, user_group) = rights[n / 2 % rights.len()];
                let held = [Source::Policy(policy), Source::UserGroup(user_group)];
                access.extend(held.map(|it| access::store::row(act, blank.id, it)));
            }
            let group = summary::of_instances(&blank, &facts, act.now);
            sums.add(&group);
            rows.push(groups::ActiveModel::from(group).reset_all());
        }
        groups::Entity::insert_many(rows).exec_without_returning(tx).await?;
        for rows in instances.chunks(ROWS) {
            let insert = entity::Entity::insert_many(rows.to_vec());
            insert.exec_without_returning(tx).await?;
            let known = rows
                .iter()
                .filter_map(|it| Some((it.id.try_as_ref()?, it.created_by.try_as_ref()?)));
            let known = known.map(|(id, user)| exposures::row(act, *id, *user, How::Made));
            let insert = exposures::entity::Entity::insert_many(known);
            insert.exec_without_returning(tx).await?;
        }
        for rows in access.chunks(ROWS) {
            let insert = access::entity::Entity::insert_many(rows.to_vec());
            insert.exec_without_returning(tx).await?;
        }
        sums.apply(tx, act.scope.id());
    }
    bulk.commit().await?;
    Ok(keys)
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
