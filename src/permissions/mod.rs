//! What services let their callers do. A service declares its permissions as a whole; one that it
//! drops is kept, and shown as no longer declared, while a policy holds it.
pub(crate) mod entity;
pub mod file;
pub mod pages;

use std::collections::{BTreeMap, HashSet};

use sea_orm::{ActiveValue::Set, entity::prelude::*};
use serde_json::{Value, json};

pub use self::entity::Model as Permission;
use crate::{
    access::undo,
    audit::Object,
    clock::{millis, new_id},
    db::Tx,
    domain::{Permissions, Refusal, permission, text},
    error::{Error, FieldError, Result},
    pepper::token_digest,
    policies,
    subscriptions::{Act, Scope},
};

/// As many as a subscription can have declared: a form that ticks them all is still small enough.
pub const MOST: usize = 500;

/// What a service lets its callers do: actions with their descriptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declaration {
    pub service: String,
    pub actions: BTreeMap<String, String>,
}

impl Declaration {
    /// Cleans it, or says what is wrong, once for each field of the form.
    fn checked(&self) -> Result<Self> {
        let mut errors = Vec::new();
        let service = permission::service(&self.service).unwrap_or_else(|it| {
            errors.push(FieldError::new("service", it));
            String::new()
        });
        if service.eq_ignore_ascii_case(permission::OWN_SERVICE) {
            let told = "This name is Keyward's own. Name the service in another way.";
            errors.push(FieldError::new("service", told));
        }
        let mut actions = BTreeMap::new();
        for (name, description) in &self.actions {
            let checked = permission::action(name).and_then(|name| {
                let described = text::line(description, 300);
                let described = described.map_err(|it| format!("The description of {name}: {it}"));
                Ok((name, described?))
            });
            match checked {
                Ok((name, description)) => {
                    actions.insert(name, description);
                }
                Err(message) => errors.push(FieldError::new("actions", message)),
            }
        }
        errors.truncate(5);
        if errors.is_empty() { Ok(Self { service, actions }) } else { Err(Error::Invalid(errors)) }
    }
}

/// What a declaration has changed: numbers of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: usize,
    pub described: usize,
    pub withdrawn: usize,
}

/// What a service declares now, as a form was a picture of it.
pub fn picture(declared: &[Permission]) -> String {
    let rows = declared.iter().map(|it| format!("{}\n{}\n", it.name, it.description));
    token_digest(&rows.collect::<String>())
}

/// A service declares all that it knows; what it no longer names is withdrawn. `seen` is the picture
/// of what somebody has changed by hand; a service itself says it anew.
pub async fn declare(act: &Act<'_>, it: &Declaration, seen: Option<&str>) -> Result<Changes> {
    let it = it.checked()?;
    let tx = act.begin().await?;
    let known = all(&tx, act.scope).await?;
    let declared: Vec<_> = known
        .iter()
        .filter(|row| row.is_declared() && row.service == it.service)
        .cloned()
        .collect();
    if seen.is_some_and(|seen| seen != picture(&declared)) {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    let (own, others): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|row| row.service == it.service);
    let declared = others.iter().filter(|row| row.is_declared()).count() + it.actions.len();
    if declared > MOST {
        return Err(Refusal::TooMany { most: MOST, what: "declared permissions" }.into());
    }
    let (now, mut changes) = (millis(act.now), Changes::default());
    let (mut left, mut fresh) = (it.actions.clone(), Vec::new());
    for row in &own {
        let wanted = left.remove(row.action());
        let (description, withdrawn_at) = match (&wanted, row.withdrawn_at) {
            (Some(text), _) => (text.clone(), None),
            (None, at) => (row.description.clone(), at.or(Some(now))),
        };
        if (&description, withdrawn_at) == (&row.description, row.withdrawn_at) {
            continue;
        }
        match (row.is_declared(), wanted.is_some()) {
            (true, true) => changes.described += 1,
            (true, false) => changes.withdrawn += 1,
            (false, _) => changes.added += 1,
        }
        let changed = entity::ActiveModel {
            id: Set(row.id),
            description: Set(description),
            declared_at: Set(if row.is_declared() { row.declared_at } else { now }),
            withdrawn_at: Set(withdrawn_at),
            ..Default::default()
        };
        entity::Entity::update(changed).exec_without_returning(&tx).await?;
    }
    changes.added += left.len();
    for (action, description) in left {
        fresh.push(entity::ActiveModel {
            id: Set(new_id(act.now)),
            subscription_id: Set(act.scope.id()),
            name: Set(format!("{}:{action}", it.service)),
            service: Set(it.service.clone()),
            description: Set(description),
            declared_at: Set(now),
            withdrawn_at: Set(None),
        });
    }
    // Both databases limit the parameters of a statement.
    for rows in fresh.chunks(100) {
        entity::Entity::insert_many(rows.to_vec()).exec_without_returning(&tx).await?;
    }
    if changes == Changes::default() {
        return Ok(changes);
    }
    forget(act, &tx, &own).await?;
    let before = own.iter().filter(|it| it.is_declared());
    let before: BTreeMap<_, _> = before.map(|it| (it.action(), &it.description)).collect();
    let mut event = act.event("permissions.declared").change(json!(before), json!(it.actions));
    event.object = Object { kind: "service", id: None, name: it.service };
    act.finish(tx, event).await?;
    Ok(changes)
}

/// Deletes what was withdrawn so long ago that no undo can bring it back, if no policy holds it.
async fn forget(act: &Act<'_>, tx: &Tx, own: &[Permission]) -> Result<()> {
    let policies = policies::all_in(tx, act.scope).await?;
    let held: HashSet<&str> = policies.iter().flat_map(|it| it.permissions.split(' ')).collect();
    let before = millis(act.now - undo::FOR * 2);
    let remembered = undo::remembered(act, tx).await?;
    let is_past = |it: &&Permission| {
        it.withdrawn_at.is_some_and(|at| at < before)
            && !held.contains(it.name.as_str())
            && !remembered.contains(&it.name)
    };
    let past: Vec<Uuid> = own.iter().filter(is_past).map(|it| it.id).collect();
    for ids in past.chunks(500) {
        entity::Entity::delete_many()
            .filter(entity::COLUMN.id.is_in(ids.to_vec()))
            .filter(entity::COLUMN.withdrawn_at.is_not_null())
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Every row of the subscription, by name; also what nobody declares any more.
async fn all(db: &impl ConnectionTrait, scope: &Scope) -> Result<Vec<Permission>> {
    let rows = entity::Entity::find().filter(entity::COLUMN.subscription_id.eq(scope.id())).all(db);
    let mut rows = rows.await?;
    // Byte by byte, whatever the database's own order of letters is.
    rows.sort_by(|a, b| (&a.service, &a.name).cmp(&(&b.service, &b.name)));
    Ok(rows)
}

/// Our own, which are there without a declaration.
fn own(scope: &Scope) -> impl Iterator<Item = Permission> {
    permission::OWN.into_iter().map(|(name, description)| Permission {
        id: Uuid::nil(),
        subscription_id: scope.id(),
        name: name.to_owned(),
        service: permission::OWN_SERVICE.to_owned(),
        description: description.to_owned(),
        declared_at: 0,
        withdrawn_at: None,
    })
}

/// What is declared, and what a policy still holds though its service dropped it; by name. Our own
/// come last.
pub async fn list(act: &Act<'_>) -> Result<Vec<Permission>> {
    let policies = policies::all(act).await?;
    let held: HashSet<&str> = policies.iter().flat_map(|it| it.permissions.split(' ')).collect();
    let mut rows = all(act.app.db.read(), act.scope).await?;
    rows.retain(|it| it.is_declared() || held.contains(it.name.as_str()));
    // A service could be called as we are before we had any of our own.
    rows.retain(|it| permission::OWN.iter().all(|own| own.0 != it.name));
    rows.extend(own(act.scope));
    Ok(rows)
}

/// The permissions of a service that it declares now: none if it has withdrawn them all.
pub async fn of_service(act: &Act<'_>, service: &str) -> Result<Vec<Permission>> {
    let mut rows = all(act.app.db.read(), act.scope).await?;
    rows.retain(|it| it.service == service);
    if rows.is_empty() {
        return Err(Error::NotFound);
    }
    rows.retain(Permission::is_declared);
    Ok(rows)
}

/// A permission that no service declares cannot be put into a policy (DOMAIN.md). What is in
/// `before` may stay.
pub(crate) async fn check(
    tx: &Tx,
    scope: &Scope,
    wanted: &Permissions,
    before: &Permissions,
) -> Result<()> {
    let added = wanted.without(before);
    if added.is_empty() {
        return Ok(());
    }
    let rows = all(tx, scope).await?;
    let declared: HashSet<&str> =
        rows.iter().filter(|it| it.is_declared()).map(|it| it.name.as_str()).collect();
    let is_known =
        |it: &str| declared.contains(it) || permission::OWN.iter().any(|own| own.0 == it);
    match added.iter().find(|it| !is_known(it)) {
        None => Ok(()),
        Some(name) => {
            Err(Error::field("permissions", format!("No service declares the permission {name}.")))
        }
    }
}

/// For the audit log: a set as a list of names.
pub(crate) fn names(set: &Permissions) -> Value {
    json!(set.iter().collect::<Vec<_>>())
}
