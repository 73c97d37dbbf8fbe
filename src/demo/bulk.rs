//! Many instances in little time, for load tests: rows written in bulk, past the verbs and without
//! audit rows. Only ever called for a demonstration's own database, and by tests.
use rand::{TryRng, rngs::SysRng};
use sea_orm::{ActiveValue::Set, entity::prelude::*};
use uuid::Uuid;

use crate::{
    clock::{millis, new_id},
    domain::{ActivePeriod, Facts, SecretText, secret::Kind},
    error::Result,
    key_groups::{self, Description, summary},
    key_instances::entity,
    subscriptions::Act,
};

/// Instances of one group: 6 that ended, 1 deactivated, 2 active, 1 in the future.
const PER_GROUP: usize = 10;
/// Rows of one statement: both databases limit the number of its parameters.
const ROWS: usize = 500;
/// Groups of one transaction.
const GROUPS: usize = 200;

/// Fills the subscription with about `count` instances. Gives one active key of each group.
pub async fn fill(act: &Act<'_>, count: usize) -> Result<Vec<SecretText>> {
    let mut keys = Vec::new();
    let groups: Vec<usize> = (0..count.div_ceil(PER_GROUP)).collect();
    for chunk in groups.chunks(GROUPS) {
        let tx = act.begin().await?;
        let (mut ids, mut rows) = (Vec::new(), Vec::new());
        for n in chunk {
            let described = Description {
                name: format!("service-{n:06}"),
                description: format!("Load test, team {}", n % 97),
                contact: String::new(),
            };
            let group = key_groups::insert_blank(act, &tx, &described).await?;
            ids.push(group);
            for label in 1..=PER_GROUP {
                let (row, secret) = instance(act, group, label, *n)?;
                rows.push(row);
                keys.extend((label == 9).then_some(secret));
            }
        }
        for rows in rows.chunks(ROWS) {
            let insert = entity::Entity::insert_many(rows.to_vec());
            insert.exec_without_returning(&*tx).await?;
        }
        summary::refresh(&tx, act.scope.id(), &ids, act.now).await?;
        tx.commit().await?;
    }
    Ok(keys)
}

fn instance(
    act: &Act<'_>,
    group: Uuid,
    label: usize,
    n: usize,
) -> Result<(entity::ActiveModel, SecretText)> {
    let made = SecretText::generate(Kind::KeyInstance, |it| SysRng.try_fill_bytes(it));
    let secret = made.map_err(anyhow::Error::from)?;
    let (digest, pepper_version) = act.app.peppers.digest(secret.expose());
    let day = chrono::TimeDelta::days;
    let spread = i64::try_from(n % 300).unwrap_or_default();
    let (from, until) = match label {
        1..=6 => (700 - 90 * i64::try_from(label).unwrap_or_default(), 80),
        7 => (150, 400),
        8 | 9 => (60, 65 + spread),
        _ => (-60 - spread, 90),
    };
    let start = act.now - day(from);
    let mut facts = Facts::new(ActivePeriod::new(start, Some(start + day(until)))?);
    facts.deactivated_at = (label == 7).then_some(act.now);
    let at = millis(act.now);
    let mut row = entity::ActiveModel {
        id: Set(new_id(act.now)),
        subscription_id: Set(act.scope.id()),
        key_group_id: Set(group),
        label: Set(i32::try_from(label).unwrap_or_default()),
        note: Set(String::new()),
        note_folded: Set(String::new()),
        digest: Set(digest.to_vec()),
        pepper_version: Set(pepper_version),
        custom: Set(false),
        mask: Set(secret.mask()),
        created_at: Set(at),
        created_by: Set(act.actor.user_id.unwrap_or_default()),
        saved_at: Set(Some(at)),
        saved_by: Set(Some("box".to_owned())),
        last_used_at: Set(None),
        last_used_from: Set(None),
        last_used_agent: Set(None),
        last_refused_at: Set(None),
        last_refused_from: Set(None),
        last_refused_reason: Set(None),
        idle_since: Set(at),
        ..Default::default()
    };
    row.set_facts(&facts);
    Ok((row, secret))
}
