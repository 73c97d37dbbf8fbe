//! Subscriptions: the tenants. Everything below one of them is reached through its [`Scope`].
mod act;
pub(crate) mod entity;
pub mod pages;
pub mod settings;
mod store;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use self::act::Door;
pub(crate) use self::act::lock_open;
pub use self::{
    act::{Act, Scope},
    entity::Model as Subscription,
};
use crate::{
    audit::{self, Actor, Event},
    automation_tokens::AutomationToken,
    clock,
    db::{Db, Tx},
    domain::{Refusal, Role, text},
    error::{Error, FieldError, Result},
    http::App,
    members,
    users::{self, User},
    verify::Holder,
};

/// Locks a subscription for a derived write that no suspension stops.
pub(crate) async fn lock(tx: &Tx, id: Uuid) -> Result<()> {
    lock_row(tx, id).await.map(|_| ())
}

/// The same, with the row as it is then.
pub(crate) async fn lock_row(tx: &Tx, id: Uuid) -> Result<Option<Subscription>> {
    store::lock(tx, id).await
}

/// The first of the next `n` numbers of things in the subscription, by which the Octane dialect names
/// them. The caller holds the subscription's lock.
pub(crate) async fn take_numbers(tx: &Tx, scope: &Scope, n: i32) -> Result<i32> {
    store::take_numbers(tx, scope.id(), n).await
}

/// A workspace more, or one less.
pub(crate) async fn count_workspaces(tx: &Tx, scope: &Scope, by: i32) -> Result<()> {
    store::count_workspaces(tx, scope.id(), by).await
}

/// The subscription's settings, as of the transaction that holds its lock.
pub(crate) async fn current(tx: &Tx, scope: &Scope) -> Result<Subscription> {
    store::by_id(tx, scope.id()).await
}

/// A subscription of a person, with what each of its pages asks for.
#[derive(Clone, Debug)]
pub struct Place {
    pub subscription: Subscription,
    pub role: Role,
    /// Until when the person has seen its notices.
    pub notices_seen_at: i64,
    /// When time changes the summary of one of its key groups, or has changed it.
    pub changes_at: Option<i64>,
}

/// By what a subscription is asked for.
enum Name<'a> {
    Slug(&'a str),
    Number(i32),
}

/// A user with their subscriptions, by name; at most 50: one question, because each page asks it.
pub(crate) async fn person(db: &Db, user: Uuid) -> Result<Option<(User, Vec<Place>)>> {
    store::person(db, user).await
}

/// The subscriptions of a user and the roles in them, by name; at most 50.
pub async fn of_user(db: &Db, user: Uuid) -> Result<Vec<(Subscription, Role)>> {
    store::of_user(db, user, None).await
}

/// The door to a subscription: for whoever is no member of it, it does not exist. `known` are
/// memberships that this request has read already.
pub async fn enter(db: &Db, user: Uuid, known: &[Place], slug: &str) -> Result<(Scope, Role)> {
    if let Some(it) = known.iter().find(|it| it.subscription.slug == slug) {
        return Ok(let_in(user, (it.subscription.clone(), it.role)));
    }
    let found = store::of_user(db, user, Some(Name::Slug(slug))).await?;
    found.into_iter().next().map(|it| let_in(user, it)).ok_or(Error::NotFound)
}

/// The same door by the number of the shared space (document 001), or by its slug.
pub async fn enter_space(app: &App, user: Uuid, space: &str) -> Result<(Scope, Role)> {
    let name = space.parse().map_or(Name::Slug(space), Name::Number);
    let found = store::of_user(&app.db, user, Some(name)).await?;
    found.into_iter().next().map(|it| let_in(user, it)).ok_or(Error::NotFound)
}

fn let_in(user: Uuid, (it, role): (Subscription, Role)) -> (Scope, Role) {
    (Scope::through(Door::Member { user, role }, it), role)
}

/// For the operator at the command line of this machine, whom every door is open to.
pub async fn enter_as_operator(db: &Db, slug: &str) -> Result<Scope> {
    store::by_slug(db, slug).await.map(|it| Scope::through(Door::Operator, it))
}

/// The token of one of these digests, the subscription that it would open, and when time changes the
/// summary of one of its key groups: whether it does open it is for the caller to say.
pub(crate) async fn of_token(
    db: &Db,
    digests: Vec<Vec<u8>>,
) -> Result<Option<(AutomationToken, Scope, Option<i64>)>> {
    let found = store::of_token(db, digests).await?;
    Ok(found.map(|(token, it, changes_at)| {
        let door = Door::Token(token.id);
        (token, Scope::through(door, it), changes_at)
    }))
}

/// For a service that shows a key of the subscription, which was accepted.
pub async fn enter_with_key(db: &Db, holder: &Holder<'_>) -> Result<Scope> {
    store::by_slug(db, &holder.subscription).await.map(|it| Scope::through(Door::Key, it))
}

/// All subscriptions of the installation, for its owner, by slug from behind `after` on.
pub async fn all(db: &Db, after: Option<&str>, limit: u64) -> Result<Vec<Subscription>> {
    store::all(db, after, limit).await
}

/// For the owner: names and counts only.
pub async fn by_slug(db: &Db, slug: &str) -> Result<Subscription> {
    store::by_slug(db, slug).await
}

/// Name and slug of a subscription to be. An empty slug is made from the name.
pub struct NewSubscription {
    pub name: String,
    pub slug: String,
}

impl NewSubscription {
    pub fn checked(self) -> Result<Self> {
        let mut errors = Vec::new();
        let name = text::name(&self.name).unwrap_or_else(|it| {
            errors.push(FieldError::new("subscription", it));
            String::new()
        });
        // Without a name none can be made, which is said already.
        if name.is_empty() && self.slug.trim().is_empty() {
            return Err(Error::Invalid(errors));
        }
        let slug = match self.slug.trim() {
            "" => slug_from(&name),
            slug => text::slug(slug),
        };
        // A number is the other name of a shared space (document 001).
        let is_number = |it: &String| it.bytes().all(|it| it.is_ascii_digit());
        let slug = match slug {
            Ok(it) if is_number(&it) => Err("Use a letter or a dash too, not digits alone.".into()),
            slug => slug,
        };
        let slug = slug.unwrap_or_else(|it| {
            errors.push(FieldError::new("slug", it));
            String::new()
        });
        if errors.is_empty() { Ok(Self { name, slug }) } else { Err(Error::Invalid(errors)) }
    }
}

/// A slug made from a name, if there is one in it.
pub(crate) fn slug_from(name: &str) -> Result<String, String> {
    let words = name.split(|it: char| !it.is_ascii_alphanumeric()).filter(|it| !it.is_empty());
    let slug: String = words.collect::<Vec<_>>().join("-").chars().take(63).collect();
    let slug = text::slug(slug.to_ascii_lowercase().trim_end_matches('-'));
    slug.map_err(|it| format!("None can be made of this name, so give one. {it}"))
}

pub async fn create(
    app: &App,
    new: NewSubscription,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Subscription> {
    let new = new.checked()?;
    let tx = users::begin_as_owner(app, actor).await?;
    let made = insert(app, &tx, &new, actor, now).await?;
    tx.commit().await?;
    Ok(made)
}

/// The same within a transaction that does more: the set-up.
pub(crate) async fn insert(
    app: &App,
    tx: &Tx,
    new: &NewSubscription,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Subscription> {
    let made = store::insert(tx, new, now).await?;
    let event = Event::new("subscription.created", now)
        .on("subscription", made.id, &made.name)
        .change(Value::Null, json!({ "name": made.name, "slug": made.slug }));
    audit::record(app, tx, audit::INSTALLATION, actor, event).await?;
    Ok(made)
}

pub async fn rename(
    app: &App,
    it: &Subscription,
    name: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    let name = text::name(name).map_err(|it| Error::field("name", it))?;
    let tx = users::begin_as_owner(app, actor).await?;
    store::set_name(&tx, it.id, &name).await?;
    let event = Event::new("subscription.renamed", now)
        .on("subscription", it.id, &name)
        .change(json!({ "name": it.name }), json!({ "name": name }));
    audit::record(app, &tx, audit::INSTALLATION, actor, event).await?;
    Ok(tx.commit().await?)
}

/// While suspended, every key of the subscription is refused and nothing in it changes.
pub async fn set_suspended(
    app: &App,
    it: &Subscription,
    suspended: bool,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    let tx = users::begin_as_owner(app, actor).await?;
    if !store::set_suspended(&tx, it.id, suspended.then(|| clock::millis(now))).await? {
        return Ok(());
    }
    let action = if suspended { "subscription.suspended" } else { "subscription.resumed" };
    for scope in [it.id, audit::INSTALLATION] {
        let event = Event::new(action, now).on("subscription", it.id, &it.name);
        audit::record(app, &tx, scope, actor, event).await?;
    }
    Ok(tx.commit().await?)
}

/// The owner names the first admin, and only the first: who runs the installation sees no keys by
/// that. Gives the token of the invitation's link.
pub async fn invite_admin(
    app: &App,
    it: &Subscription,
    email: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<String> {
    if members::has_admin(&app.db, it.id).await? {
        return Err(Refusal::HasAdmin.into());
    }
    let tx = users::begin_as_owner(app, actor).await?;
    members::invite_in(app, (tx, it), (email, Role::Admin), actor, now).await
}

/// What an admin decides for the keys of the subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub members_see_keys: bool,
    pub default_lifetime_days: i32,
    pub max_lifetime_days: Option<i32>,
    pub never_expires_allowed: bool,
    /// No key without a policy of its group (document 002).
    pub policy_required: bool,
    /// The REST faces answer keys only, and no people (document 001).
    pub rest_keys_only: bool,
}

/// Longest lifetime that can be configured: ten years.
pub const LONGEST_LIFETIME_DAYS: i32 = 3_650;

pub async fn change_settings(act: &Act<'_>, wanted: Settings) -> Result<()> {
    let days = 1..=LONGEST_LIFETIME_DAYS;
    let mut errors = Vec::new();
    if !days.contains(&wanted.default_lifetime_days) {
        errors.push(FieldError::new("default_lifetime_days", "Use 1 to 3650 days."));
    }
    if wanted.max_lifetime_days.is_some_and(|it| !days.contains(&it)) {
        errors.push(FieldError::new("max_lifetime_days", "Use 1 to 3650 days, or nothing."));
    }
    if wanted.max_lifetime_days.is_some_and(|it| wanted.default_lifetime_days > it) {
        let message = "The default lifetime must not be longer than the longest allowed one.";
        errors.push(FieldError::new("default_lifetime_days", message));
    }
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let tx = act.begin().await?;
    let now = store::by_id(&tx, act.scope.id()).await?;
    let before = Settings {
        members_see_keys: now.members_see_keys,
        default_lifetime_days: now.default_lifetime_days,
        max_lifetime_days: now.max_lifetime_days,
        never_expires_allowed: now.never_expires_allowed,
        policy_required: now.policy_required,
        rest_keys_only: now.rest_keys_only,
    };
    store::set_settings(&tx, now.id, &wanted).await?;
    let event = act
        .event("subscription.settings_changed")
        .on("subscription", now.id, &now.name)
        .change(described(&before), described(&wanted));
    act.finish(tx, event).await
}

fn described(it: &Settings) -> Value {
    json!({
        "members_see_keys": it.members_see_keys,
        "default_lifetime_days": it.default_lifetime_days,
        "max_lifetime_days": it.max_lifetime_days,
        "never_expires_allowed": it.never_expires_allowed,
        "policy_required": it.policy_required,
        "rest_keys_only": it.rest_keys_only,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_from_the_name_if_none_is_given() {
        let slug = |name: &str| {
            NewSubscription { name: name.into(), slug: String::new() }.checked().unwrap().slug
        };
        assert_eq!(slug("Northwind Re, Production"), "northwind-re-production");
        assert_eq!(slug("  ACME  "), "acme");
        let nothing = NewSubscription { name: "äö".into(), slug: String::new() }.checked();
        assert!(matches!(nothing, Err(Error::Invalid(fields)) if fields[0].field == "slug"));
    }
}
