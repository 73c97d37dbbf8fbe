//! Who belongs to a subscription: inviting by a link that is shown once, and accepting it.
pub(crate) mod entity;
pub mod pages;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, QueryOrder, QuerySelect, QueryTrait, entity::prelude::*,
};
use serde_json::json;

use self::entity::invitation;
pub use self::entity::invitation::Model as Invitation;
use crate::{
    audit::{self, Actor, Client, Event},
    clock,
    db::{Db, Tx},
    domain::{Refusal, Role, text},
    error::{Error, Result, is_duplicate},
    http::App,
    pepper::{random_token, token_digest},
    subscriptions::{self, Act, Scope, Subscription},
    throttle,
    users::{self, NewUser, User},
};

/// How long an invitation can be accepted.
pub const INVITATION_LIFETIME: TimeDelta = TimeDelta::days(7);

/// Makes an invitation. Gives the token of its link, which is stored as a digest only.
pub async fn invite(
    app: &App,
    to: &Subscription,
    (email, role): (&str, Role),
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<String> {
    let email = text::email(email).map_err(|it| Error::field("email", it))?;
    let token = random_token();
    let row = invitation::ActiveModel {
        id: Set(clock::new_id(now)),
        subscription_id: Set(to.id),
        email: Set(email.clone()),
        role: Set(role.as_str().to_owned()),
        digest: Set(token_digest(&token)),
        invited_by: Set(actor.user_id.unwrap_or_default()),
        created_at: Set(clock::millis(now)),
        expires_at: Set(clock::millis(now + INVITATION_LIFETIME)),
        accepted_at: Set(None),
    };
    let tx = app.db.write().await?;
    if let Some(user) = users::by_email(&app.db, &email).await?
        && role_of(&tx, to.id, user.id).await?.is_some()
    {
        return Err(Refusal::AlreadyMember.into());
    }
    let row = row.insert(&*tx).await?;
    let event = Event::new("member.invited", now)
        .on("invitation", row.id, &row.email)
        .change(json!(null), json!({ "email": row.email, "role": row.role }));
    audit::record(app, &tx, to.id, actor, event).await?;
    tx.commit().await?;
    Ok(token)
}

/// An invitation that can still be accepted, and what it invites to. Anything else is not found.
pub async fn open_invitation(
    app: &App,
    token: &str,
    now: DateTime<Utc>,
) -> Result<(Invitation, Subscription)> {
    let found = invitation::Entity::find()
        .filter(invitation::COLUMN.digest.eq(token_digest(token)))
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
) -> Result<(User, Subscription)> {
    let attempt = throttle::link(app, client.address, now).await?;
    let (invitation, subscription) = open_invitation(app, token, now).await?;
    attempt.take_back().await?;
    let new = NewUser { email: invitation.email.clone(), ..new }.checked()?;
    let hash = app.passwords.hash(new.password.clone()).await?;
    let tx = app.db.write().await?;
    let user = users::insert(&tx, &new, hash, false, now).await?;
    let actor = Actor { user_id: Some(user.id), name: user.email.clone(), client };
    enter(app, &tx, &invitation, &actor, now).await?;
    audit::record(app, &tx, audit::INSTALLATION, &actor, users::created(&user, now)).await?;
    tx.commit().await?;
    Ok((user, subscription))
}

/// A signed-in person accepts an invitation to the own e-mail address.
pub async fn accept_as(
    app: &App,
    token: &str,
    user: &User,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Subscription> {
    let (invitation, subscription) = open_invitation(app, token, now).await?;
    if invitation.email != user.email {
        return Err(Error::Forbidden("This invitation is for another e-mail address."));
    }
    let tx = app.db.write().await?;
    enter(app, &tx, &invitation, actor, now).await?;
    tx.commit().await?;
    Ok(subscription)
}

async fn enter(
    app: &App,
    tx: &Tx,
    invitation: &Invitation,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    let taken = invitation::Entity::update_many()
        .col_expr(invitation::Column::AcceptedAt, clock::millis(now).into())
        .filter(invitation::COLUMN.id.eq(invitation.id))
        .filter(invitation::COLUMN.accepted_at.is_null())
        .exec(&**tx)
        .await?;
    if taken.rows_affected == 0 {
        return Err(Error::NotFound);
    }
    let role = Role::parse(&invitation.role).unwrap_or(Role::Member);
    let user = actor.user_id.ok_or(Error::Unauthenticated)?;
    add(tx, invitation.subscription_id, (user, role), now).await?;
    let event = Event::new("member.joined", now)
        .on("user", user, &actor.name)
        .change(json!(null), json!({ "role": invitation.role }));
    audit::record(app, tx, invitation.subscription_id, actor, event).await
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
    };
    let inserted = entity::Entity::insert(row).exec_without_returning(&**tx).await;
    match inserted {
        Err(error) if is_duplicate(&error) => Err(Refusal::AlreadyMember.into()),
        other => other.map(|_| ()).map_err(Error::from),
    }
}

/// Whether anybody can administer the subscription.
pub async fn has_admin(db: &Db, subscription: Uuid) -> Result<bool> {
    let admins = entity::Entity::find()
        .filter(entity::COLUMN.subscription_id.eq(subscription))
        .filter(entity::COLUMN.role.eq(Role::Admin.as_str()));
    Ok(admins.one(db.read()).await?.is_some())
}

/// Ids, names and e-mail addresses of the subscription's members, by name.
pub(crate) async fn users(
    db: &impl ConnectionTrait,
    scope: &Scope,
) -> Result<Vec<(Uuid, String, String)>> {
    let is_member = entity::Entity::find()
        .select_only()
        .column(entity::Column::UserId)
        .filter(entity::COLUMN.subscription_id.eq(scope.id()))
        .into_query();
    let rows = users::entity::Entity::find()
        .filter(users::entity::Column::Id.in_subquery(is_member))
        .order_by_asc(users::entity::Column::Name)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|it| (it.id, it.name, it.email)).collect())
}

/// The same for a page.
pub async fn people(act: &Act<'_>) -> Result<Vec<(Uuid, String, String)>> {
    users(act.app.db.read(), act.scope).await
}

async fn role_of(tx: &Tx, subscription: Uuid, user: Uuid) -> Result<Option<Role>> {
    let row = entity::Entity::find_by_id((subscription, user)).one(&**tx).await?;
    Ok(row.and_then(|it| Role::parse(&it.role)))
}
