//! Workspaces, which are optional, and workspace roles: a policy held in one of them or in the whole
//! subscription (document 001).
pub(crate) mod entity;
pub mod pages;
mod store;

use sea_orm::{ActiveValue::Set, ConnectionTrait};
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::entity::{Model as Workspace, roles::Model as Role};
use crate::{
    access::{self, Catalogue, named::named},
    clock::{millis, new_id},
    domain::{Refusal, access::Source, text},
    error::{Error, FieldError, Result},
    submissions::{self, Submission},
    subscriptions::{self, Act, Scope, slug_from},
};

/// As many as a subscription can have: each form lists them all.
pub const MOST: usize = 200;
/// Roles in all.
pub const MOST_ROLES: usize = 1_000;

/// A workspace as somebody wants it. An empty slug is made from the name, and never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    pub slug: String,
    pub description: String,
}

pub async fn create(
    act: &Act<'_>,
    wanted: &Wanted,
    submission: impl Into<Submission>,
) -> Result<Workspace> {
    let checked = named(&wanted.name, &wanted.description);
    let slug = match wanted.slug.trim() {
        "" => slug_from(wanted.name.trim()),
        slug => text::slug(slug),
    };
    let slug = slug.map_err(|it| FieldError::new("slug", it));
    let ((name, description), slug) = match (checked, slug) {
        (Ok(named), Ok(slug)) => (named, slug),
        // A slug from a name that will not do is not to blame.
        (Err(Error::Invalid(mut errors)), Err(slug)) if !wanted.slug.trim().is_empty() => {
            errors.push(slug);
            return Err(Error::Invalid(errors));
        }
        (Err(error), _) => return Err(error),
        (Ok(_), Err(slug)) => return Err(Error::Invalid(vec![slug])),
    };
    let mut it = Workspace {
        id: new_id(act.now),
        subscription_id: act.scope.id(),
        name_folded: name.to_lowercase(),
        name,
        description,
        version: 1,
        created_at: millis(act.now),
        created_by: act.actor.user_id.ok_or(Error::Unauthenticated)?,
        slug,
        number: 0,
    };
    let tx = act.begin().await?;
    let tx = submissions::claim(act, tx, submission, place(act, it.id)).await?;
    let all = store::all(&tx, act.scope).await?;
    if all.len() >= MOST {
        return Err(Refusal::TooMany { most: MOST, what: "workspaces" }.into());
    }
    // Two unique indexes, one error: which of them is said beside its field.
    if all.iter().any(|other| other.name_folded == it.name_folded) {
        return Err(Error::refused_at("name", Refusal::NameTaken { what: "workspace" }));
    }
    if all.iter().any(|other| other.slug == it.slug) {
        return Err(Error::refused_at("slug", Refusal::ShortNameTaken));
    }
    it.number = subscriptions::take_numbers(&tx, act.scope, 1).await?;
    store::insert(&tx, it.clone()).await?;
    subscriptions::count_workspaces(&tx, act.scope, 1).await?;
    let event = act.event("workspace.created").on("workspace", it.id, &it.name).change(
        Value::Null,
        json!({ "name": it.name, "slug": it.slug, "description": it.description }),
    );
    act.finish(tx, event).await?;
    Ok(it)
}

/// Where a workspace or a role that was made is found: in the list.
fn place(act: &Act<'_>, id: Uuid) -> String {
    act.scope.path(&format!("/workspaces#{id}"))
}

/// Another name or description. What gateways call it stays.
pub async fn edit(act: &Act<'_>, id: Uuid, version: i32, wanted: &Wanted) -> Result<Workspace> {
    let (name, description) = named(&wanted.name, &wanted.description)?;
    let tx = act.begin().await?;
    let before = store::find(&tx, act.scope, id).await?;
    if before.version != version {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    let changed = entity::ActiveModel {
        id: Set(id),
        name_folded: Set(name.to_lowercase()),
        name: Set(name),
        description: Set(description),
        version: Set(version + 1),
        ..Default::default()
    };
    let after = store::update(&tx, changed).await?;
    let told = |it: &Workspace| json!({ "name": it.name, "description": it.description });
    let event = act
        .event("workspace.edited")
        .on("workspace", id, &after.name)
        .change(told(&before), told(&after));
    act.finish(tx, event).await?;
    Ok(after)
}

/// With its roles. Key groups merely lose what they had through them. `version` is the one whose
/// preview was confirmed.
pub async fn delete(act: &Act<'_>, id: Uuid, version: i32) -> Result<Workspace> {
    let tx = act.begin().await?;
    let it = store::find(&tx, act.scope, id).await?;
    if it.version != version {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    let all = Catalogue::load_in(act, &tx).await?;
    let roles: Vec<Source> = roles_of(&all, id);
    let names: Vec<String> = roles.iter().map(|it| all.name(*it)).collect();
    access::store::touch_holders(&tx, act.scope, &roles).await?;
    store::delete(&tx, act.scope, id).await?;
    subscriptions::count_workspaces(&tx, act.scope, -1).await?;
    let event = act
        .event("workspace.deleted")
        .on("workspace", id, &it.name)
        .change(json!({ "name": it.name, "roles": names }), Value::Null);
    act.finish(tx, event).await?;
    Ok(it)
}

/// The roles in a workspace.
pub fn roles_of(all: &Catalogue, workspace: Uuid) -> Vec<Source> {
    let roles = all.roles.iter().filter(|it| it.workspace_id == Some(workspace));
    roles.map(|it| Source::Role(it.id)).collect()
}

/// Makes a policy a role in a workspace, or in the whole subscription.
pub async fn create_role(
    act: &Act<'_>,
    policy: Uuid,
    workspace: Option<Uuid>,
    submission: impl Into<Submission>,
) -> Result<Role> {
    let id = new_id(act.now);
    let tx = act.begin().await?;
    let tx = submissions::claim(act, tx, submission, place(act, id)).await?;
    let all = Catalogue::load_in(act, &tx).await?;
    if all.policy(policy).is_none() {
        return Err(Error::field("policy", "Choose a policy."));
    }
    if workspace.is_some_and(|id| all.workspace(id).is_none()) {
        return Err(Error::field("workspace", "This workspace is gone. Choose again."));
    }
    let same = |it: &&Role| (it.policy_id, it.workspace_id) == (policy, workspace);
    if all.roles.iter().find(same).is_some() {
        return Err(Error::refused_at("policy", Refusal::RoleIsThere));
    }
    if all.roles.len() >= MOST_ROLES {
        return Err(Refusal::TooMany { most: MOST_ROLES, what: "workspace roles" }.into());
    }
    let role = Role {
        id,
        subscription_id: act.scope.id(),
        workspace_id: workspace,
        policy_id: policy,
        created_at: millis(act.now),
        number: subscriptions::take_numbers(&tx, act.scope, 1).await?,
    };
    store::insert_role(&tx, role.clone()).await?;
    store::touch(&tx, act.scope, workspace).await?;
    let name = format!("{} in {}", all.name(Source::Policy(policy)), all.place(workspace));
    let event = act.event("workspace_role.created").on("workspace_role", role.id, name);
    act.finish(tx, event).await?;
    Ok(role)
}

/// Key groups merely lose what they had through it. Gives its name.
pub async fn delete_role(act: &Act<'_>, id: Uuid) -> Result<String> {
    let tx = act.begin().await?;
    let all = Catalogue::load_in(act, &tx).await?;
    let role = all.role(id).ok_or(Error::NotFound)?;
    let name = all.name(Source::Role(id));
    access::store::touch_holders(&tx, act.scope, &[Source::Role(id)]).await?;
    store::delete_role(&tx, act.scope, id).await?;
    store::touch(&tx, act.scope, role.workspace_id).await?;
    let event = act.event("workspace_role.deleted").on("workspace_role", id, &name);
    act.finish(tx, event).await?;
    Ok(name)
}

pub async fn find(act: &Act<'_>, id: Uuid) -> Result<Workspace> {
    store::find(act.app.db.read(), act.scope, id).await
}

/// All of the subscription, by name.
pub(crate) async fn all(db: &impl ConnectionTrait, scope: &Scope) -> Result<Vec<Workspace>> {
    store::all(db, scope).await
}

pub(crate) async fn roles(db: &impl ConnectionTrait, scope: &Scope) -> Result<Vec<Role>> {
    store::roles(db, scope).await
}
