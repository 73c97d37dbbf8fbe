//! Who belongs to a subscription: roles, and removal. Every change is made under the lock of the
//! subscription, and by somebody who is still an admin then.
pub(crate) mod entity;
mod invitations;
pub mod pages;
mod store;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use self::invitations::{invite_in, withdraw_those_of_an_owner};
pub use self::{
    entity::invitation::Model as Invitation,
    invitations::{
        INVITATION_LIFETIME, accept_as, accept_as_new, invite, invite_member, open_invitation,
        open_invitations, withdraw,
    },
};
use crate::{
    audit, clock,
    db::{Db, Tx},
    domain::{Refusal, Role, role},
    error::{Error, Result, is_duplicate},
    key_instances,
    subscriptions::{Act, Scope},
    user_groups,
    users::User,
};

/// A user's place in a subscription.
pub struct Member {
    pub user: User,
    pub role: Role,
    pub since: DateTime<Utc>,
}

pub(crate) async fn add(
    tx: &Tx,
    subscription: Uuid,
    (user, role): (Uuid, Role),
    now: DateTime<Utc>,
) -> Result<()> {
    let row = entity::ActiveModel {
        subscription_id: Set(subscription),
        user_id: Set(user),
        role: Set(role.as_str().to_owned()),
        created_at: Set(clock::millis(now)),
        notices_seen_at: Set(clock::millis(now)),
    };
    let inserted = entity::Entity::insert(row).exec_without_returning(tx).await;
    match inserted {
        Err(error) if is_duplicate(&error) => Err(Refusal::AlreadyMember.into()),
        other => other.map(|_| ()).map_err(Error::from),
    }
}

/// Whether anybody can administer the subscription.
pub async fn has_admin(db: &Db, subscription: Uuid) -> Result<bool> {
    Ok(store::admins(db.read(), subscription).await? > 0)
}

/// The members of the subscription, by name.
pub async fn list(act: &Act<'_>) -> Result<Vec<Member>> {
    store::list(act.app.db.read(), act.scope).await
}

/// Whoever is no member is not found.
pub async fn find(act: &Act<'_>, user: Uuid) -> Result<Member> {
    store::find(act.app.db.read(), act.scope, user).await
}

/// Somebody who is or was a member here. For all others the subscription knows nobody of this id.
pub async fn known(act: &Act<'_>, user: Uuid) -> Result<User> {
    let filter = audit::Filter { object: Some(user), ..Default::default() };
    let db = &act.app.db;
    let is_member = store::role_of(db.read(), act.scope.id(), user).await?.is_some();
    if !is_member && audit::list(db, act.scope.id(), &filter, 1).await?.rows.is_empty() {
        return Err(Error::NotFound);
    }
    crate::users::find(db, user).await?.ok_or(Error::NotFound)
}

/// Another role for a member, from the next request on.
pub async fn change_role(act: &Act<'_>, user: Uuid, to: Role) -> Result<Member> {
    let (tx, member) = begin(act, user, Some(to)).await?;
    if member.role == to {
        return Ok(member);
    }
    store::set_role(&tx, act.scope, user, to).await?;
    let withdrawn = invitations::withdraw_all_of(act, &tx, user, to).await?;
    let event = act.event("member.role_changed").on("user", user, &member.user.email).change(
        json!({ "role": member.role.as_str() }),
        json!({ "role": to.as_str(), "withdrawn_invitations": withdrawn }),
    );
    act.finish(tx, event).await?;
    Ok(Member { role: to, ..member })
}

/// Out of the subscription and of its user groups. The keys that the member knows keep working:
/// gives how many there are.
pub async fn remove(act: &Act<'_>, user: Uuid) -> Result<(Member, usize)> {
    let (tx, member) = begin(act, user, None).await?;
    let groups = user_groups::leave(&tx, act.scope, user).await?;
    store::delete(&tx, act.scope, user).await?;
    let withdrawn = invitations::withdraw_all_of(act, &tx, user, Role::Member).await?;
    let keys = key_instances::count_known(act, &tx, user).await?;
    let before = json!({ "role": member.role.as_str(), "user_groups": groups });
    let after = json!({ "live_keys_known": keys, "withdrawn_invitations": withdrawn });
    let event =
        act.event("member.removed").on("user", user, &member.user.email).change(before, after);
    act.finish(tx, event).await?;
    Ok((member, keys))
}

/// Locks the subscription and asks the rule.
async fn begin(act: &Act<'_>, user: Uuid, to: Option<Role>) -> Result<(Tx, Member)> {
    let tx = act.begin().await?;
    let member = store::find(&tx, act.scope, user).await?;
    let admins = store::admins(&tx, act.scope.id()).await?;
    let own = act.actor.user_id == Some(user);
    role::change(own, (member.role, to), admins)?;
    Ok((tx, member))
}

/// The role that somebody has in a subscription.
pub(crate) async fn role_of(
    db: &impl ConnectionTrait,
    subscription: Uuid,
    user: Uuid,
) -> Result<Option<Role>> {
    store::role_of(db, subscription, user).await
}

/// Who of these is a member of what, by slug.
pub(crate) async fn slugs_of(
    db: &impl ConnectionTrait,
    users: impl IntoIterator<Item = Uuid>,
) -> Result<HashSet<(Uuid, String)>> {
    store::slugs_of(db, users).await
}

/// Ids, names and e-mail addresses of the subscription's members, by name.
pub(crate) async fn users(
    db: &impl ConnectionTrait,
    scope: &Scope,
) -> Result<Vec<(Uuid, String, String)>> {
    let rows = store::users(db, scope).await?;
    Ok(rows.into_iter().map(|it| (it.id, it.name, it.email)).collect())
}

/// The same for a page.
pub async fn people(act: &Act<'_>) -> Result<Vec<(Uuid, String, String)>> {
    users(act.app.db.read(), act.scope).await
}

/// Somebody who was removed.
pub struct Former {
    pub user: User,
    /// Keys that still are or will be accepted.
    pub keys: usize,
}

/// Those of the last removed who know keys that keep working, the last removed first.
pub async fn former(act: &Act<'_>) -> Result<Vec<Former>> {
    let filter = audit::Filter { action: Some("member.removed".to_owned()), ..Default::default() };
    let removals = audit::list(&act.app.db, act.scope.id(), &filter, 20).await?;
    let mut found: Vec<Former> = Vec::new();
    for user in removals.rows.iter().filter_map(|it| it.object_id) {
        let db = act.app.db.read();
        let is_member = store::role_of(db, act.scope.id(), user).await?.is_some();
        if is_member || found.iter().any(|it| it.user.id == user) {
            continue;
        }
        let keys = key_instances::count_known(act, db, user).await?;
        if keys > 0
            && let Some(user) = crate::users::find(&act.app.db, user).await?
        {
            found.push(Former { user, keys });
        }
    }
    Ok(found)
}

/// For the audit log.
fn invited(it: &Invitation) -> Value {
    json!({ "email": it.email, "role": it.role })
}
