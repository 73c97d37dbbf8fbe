//! Inviting by a link that is shown once, and accepting it.
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ExprTrait, PaginatorTrait, QueryOrder, entity::prelude::*,
};
use serde_json::{Value, json};

use super::{
    Invitation, add,
    entity::invitation::{self, COLUMN},
    invited, store,
};
use crate::{
    audit::{self, Actor, Client, Event},
    clock,
    db::Tx,
    domain::{Refusal, Role, text},
    error::{Error, Result},
    http::App,
    pepper::{random_token, token_digest},
    subscriptions::{self, Act, Subscription},
    throttle,
    users::{self, NewUser, User},
};

/// How long an invitation can be accepted.
pub const INVITATION_LIFETIME: TimeDelta = TimeDelta::days(7);

/// Open ones that a subscription can have: its page lists them all.
const MOST: usize = 100;

/// Makes an invitation, past the members of the subscription: the owner names the first admin. Gives
/// the token of its link, which is stored as a digest only.
pub async fn invite(
    app: &App,
    to: &Subscription,
    wanted: (&str, Role),
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<String> {
    invite_in(app, (app.db.write().await?, to), wanted, actor, now).await
}

/// The same with what was asked before, in a transaction that this commits.
pub(crate) async fn invite_in(
    app: &App,
    (tx, to): (Tx, &Subscription),
    wanted: (&str, Role),
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<String> {
    subscriptions::lock(&tx, to.id).await?;
    let (token, event) = make(&tx, to.id, wanted, actor, now).await?;
    audit::record(app, &tx, to.id, actor, event).await?;
    tx.commit().await?;
    Ok(token)
}

/// The same by an admin of the subscription.
pub async fn invite_member(act: &Act<'_>, email: &str, role: Role) -> Result<String> {
    let tx = act.begin().await?;
    let scope = act.scope.id();
    let (token, event) = make(&tx, scope, (email, role), &act.actor, act.now).await?;
    act.finish(tx, event).await?;
    Ok(token)
}

/// Under the lock of the subscription. An open invitation of the same address ends.
async fn make(
    tx: &Tx,
    subscription: Uuid,
    (email, role): (&str, Role),
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(String, Event)> {
    let email = text::email(email).map_err(|it| Error::field("email", it))?;
    let known = users::entity::Entity::find().filter(users::entity::COLUMN.email.eq(&email));
    if let Some(user) = known.one(tx).await?
        && store::role_of(tx, subscription, user.id).await?.is_some()
    {
        return Err(Refusal::AlreadyMember.into());
    }
    // With it goes what can no longer be accepted.
    let over = COLUMN.expires_at.lte(clock::millis(now));
    pending(subscription).filter(COLUMN.email.eq(&email).or(over)).exec(tx).await?;
    let open = invitation::Entity::find()
        .filter(COLUMN.subscription_id.eq(subscription))
        .filter(COLUMN.accepted_at.is_null());
    if open.count(tx).await? >= MOST as u64 {
        return Err(Refusal::TooMany { most: MOST, what: "open invitations" }.into());
    }
    let token = random_token();
    let row = invitation::ActiveModel {
        id: Set(clock::new_id(now)),
        subscription_id: Set(subscription),
        email: Set(email),
        role: Set(role.as_str().to_owned()),
        digest: Set(token_digest(&token)),
        invited_by: Set(actor.user_id.unwrap_or_default()),
        created_at: Set(clock::millis(now)),
        expires_at: Set(clock::millis(now + INVITATION_LIFETIME)),
        accepted_at: Set(None),
    };
    let row = row.insert(tx).await?;
    let event = Event::new("member.invited", now)
        .on("invitation", row.id, &row.email)
        .change(Value::Null, invited(&row));
    Ok((token, event))
}

/// Those that nobody has accepted.
fn pending(subscription: Uuid) -> sea_orm::DeleteMany<invitation::Entity> {
    invitation::Entity::delete_many()
        .filter(COLUMN.subscription_id.eq(subscription))
        .filter(COLUMN.accepted_at.is_null())
}

/// Invitations of the subscription that can still be accepted, the last made first.
pub async fn open_invitations(act: &Act<'_>) -> Result<Vec<Invitation>> {
    Ok(invitation::Entity::find()
        .filter(COLUMN.subscription_id.eq(act.scope.id()))
        .filter(COLUMN.accepted_at.is_null())
        .filter(COLUMN.expires_at.gt(clock::millis(act.now)))
        .order_by_desc(invitation::Column::Id)
        .all(act.app.db.read())
        .await?)
}

/// Its link is dead from now on.
pub async fn withdraw(act: &Act<'_>, id: Uuid) -> Result<Invitation> {
    let tx = act.begin().await?;
    let scope = act.scope.id();
    let found = invitation::Entity::find_by_id(id).filter(COLUMN.subscription_id.eq(scope));
    let row = found.one(&tx).await?.ok_or(Error::NotFound)?;
    if pending(scope).filter(COLUMN.id.eq(id)).exec(&tx).await?.rows_affected == 0 {
        return Err(Error::NotFound);
    }
    let event = act
        .event("member.invitation_withdrawn")
        .on("invitation", id, &row.email)
        .change(invited(&row), Value::Null);
    act.finish(tx, event).await?;
    Ok(row)
}

/// Who is an admin no more has invited nobody: the links that were made are dead. Gives how many.
pub(super) async fn withdraw_all_of(act: &Act<'_>, tx: &Tx, user: Uuid, to: Role) -> Result<u64> {
    if to.changes_keys() {
        return Ok(0);
    }
    let made = pending(act.scope.id()).filter(COLUMN.invited_by.eq(user));
    Ok(made.exec(tx).await?.rows_affected)
}

/// The same of who is an owner no more, wherever the person is no admin. Under the lock of the installation, under
/// which owners invite.
pub(crate) async fn withdraw_those_of_an_owner(tx: &Tx, user: Uuid) -> Result<u64> {
    let made = invitation::Entity::delete_many()
        .filter(COLUMN.invited_by.eq(user))
        .filter(COLUMN.accepted_at.is_null())
        .filter(COLUMN.subscription_id.not_in_subquery(store::led_by(user)));
    Ok(made.exec(tx).await?.rows_affected)
}

/// An invitation that can still be accepted, and what it invites to. Anything else is not found.
pub async fn open_invitation(
    app: &App,
    token: &str,
    now: DateTime<Utc>,
) -> Result<(Invitation, Subscription)> {
    let found = invitation::Entity::find()
        .filter(COLUMN.digest.eq(token_digest(token)))
        .find_also_related(subscriptions::entity::Entity)
        .one(app.db.read())
        .await?;
    let open = |it: &Invitation| it.accepted_at.is_none() && clock::millis(now) < it.expires_at;
    match found {
        Some((invitation, Some(subscription))) if open(&invitation) => {
            Ok((invitation, subscription))
        }
        _ => Err(Error::NotFound),
    }
}

/// A person without an account makes one by accepting.
pub async fn accept_as_new(
    app: &App,
    token: &str,
    new: NewUser,
    client: Client,
    now: DateTime<Utc>,
) -> Result<(User, (Subscription, Role))> {
    let attempt = throttle::link(app, client.address, now).await?;
    let (invitation, subscription) = open_invitation(app, token, now).await?;
    attempt.take_back().await?;
    let new = NewUser { email: invitation.email.clone(), ..new }.checked()?;
    let hash = app.passwords.hash(new.password.clone()).await?;
    let tx = app.db.write().await?;
    let user = users::insert(&tx, &new, hash, false, now).await?;
    let actor = Actor { user_id: Some(user.id), name: user.email.clone(), client };
    let role = enter(app, &tx, &invitation, &actor, now).await?;
    users::signed_in(&tx, user.id, now).await?;
    audit::record(app, &tx, audit::INSTALLATION, &actor, users::created(&user, now)).await?;
    tx.commit().await?;
    Ok((user, (subscription, role)))
}

/// A signed-in person accepts an invitation to the own e-mail address.
pub async fn accept_as(
    app: &App,
    token: &str,
    user: &User,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(Subscription, Role)> {
    let (invitation, subscription) = open_invitation(app, token, now).await?;
    if invitation.email != user.email {
        return Err(Error::Forbidden("This invitation is for another e-mail address."));
    }
    let tx = app.db.write().await?;
    let role = enter(app, &tx, &invitation, actor, now).await?;
    tx.commit().await?;
    Ok((subscription, role))
}

async fn enter(
    app: &App,
    tx: &Tx,
    invitation: &Invitation,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Role> {
    // Under the lock of the subscription, and not while it is suspended: nothing in it changes then.
    subscriptions::lock_open(tx, invitation.subscription_id).await?;
    let taken = invitation::Entity::update_many()
        .col_expr(invitation::Column::AcceptedAt, clock::millis(now).into())
        .filter(COLUMN.id.eq(invitation.id))
        .filter(COLUMN.accepted_at.is_null())
        .exec(tx)
        .await?;
    if taken.rows_affected == 0 {
        return Err(Error::NotFound);
    }
    let role = Role::parse(&invitation.role).unwrap_or(Role::Member);
    let user = actor.user_id.ok_or(Error::Unauthenticated)?;
    // The owner names the first admin, and only the first, however many links there are.
    let scope = invitation.subscription_id;
    let inviter = store::role_of(tx, scope, invitation.invited_by).await?;
    let by_admin = inviter.is_some_and(Role::changes_keys);
    if role == Role::Admin && !by_admin && store::admins(tx, scope).await? > 0 {
        return Err(Refusal::HasAdmin.into());
    }
    add(tx, invitation.subscription_id, (user, role), now).await?;
    let event = Event::new("member.joined", now)
        .on("user", user, &actor.name)
        .change(json!(null), json!({ "role": invitation.role }));
    audit::record(app, tx, invitation.subscription_id, actor, event).await?;
    Ok(role)
}
