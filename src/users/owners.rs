//! Who runs the installation. Changes come one after the other under the lock of the installation's
//! row, so that the last owner stays one.
use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, PaginatorTrait, QueryOrder, entity::prelude::*};
use serde_json::json;

use super::entity::{ActiveModel, COLUMN, Column, Entity, Model as User};
use crate::{
    audit::{self, Actor, Event},
    db::{Db, Tx},
    domain::{role, text},
    error::{Error, Result},
    http::App,
    installation, members, personal_keys,
};

/// The owners of the installation, by name.
pub async fn owners(db: &Db) -> Result<Vec<User>> {
    let owners = Entity::find().filter(COLUMN.is_owner.eq(true));
    let owners = owners.order_by_asc(Column::Name).order_by_asc(Column::Id);
    Ok(owners.all(db.read()).await?)
}

/// Whoever owns nothing is not found.
pub async fn owner(db: &Db, id: Uuid) -> Result<User> {
    let found = super::find(db, id).await?;
    found.filter(|it| it.is_owner).ok_or(Error::NotFound)
}

/// Whoever has this address, and could become an owner.
pub async fn candidate(db: &impl ConnectionTrait, email: &str) -> Result<User> {
    let email = text::email(email).map_err(|it| Error::field("email", it))?;
    let found = Entity::find().filter(COLUMN.email.eq(&email)).one(db).await?;
    let Some(user) = found else {
        return Err(Error::field("email", "Nobody with this e-mail address has an account here."));
    };
    if user.is_owner {
        return Err(Error::field("email", "This person is an owner already."));
    }
    Ok(user)
}

/// Another user becomes an owner too.
pub async fn make_owner(app: &App, email: &str, actor: &Actor, now: DateTime<Utc>) -> Result<User> {
    let tx = begin_as_owner(app, actor).await?;
    let user = candidate(&tx, email).await?;
    set(&tx, user.id, true).await?;
    let event = Event::new("owner.added", now).on("user", user.id, &user.email);
    let event = event.change(json!({ "owner": false }), json!({ "owner": true }));
    audit::record(app, &tx, audit::INSTALLATION, actor, event).await?;
    tx.commit().await?;
    Ok(user)
}

/// An owner is one no more, from the next request on.
pub async fn end_ownership(app: &App, id: Uuid, actor: &Actor, now: DateTime<Utc>) -> Result<User> {
    let tx = begin_as_owner(app, actor).await?;
    let found = Entity::find_by_id(id).filter(COLUMN.is_owner.eq(true)).one(&tx).await?;
    let user = found.ok_or(Error::NotFound)?;
    let owners = Entity::find().filter(COLUMN.is_owner.eq(true)).count(&tx).await?;
    role::end_ownership(owners)?;
    set(&tx, id, false).await?;
    let withdrawn = members::withdraw_those_of_an_owner(&tx, id).await?;
    let ended = personal_keys::end_unplaced(&tx, id, now).await?;
    let event = Event::new("owner.removed", now).on("user", id, &user.email);
    let after =
        json!({ "owner": false, "withdrawn_invitations": withdrawn, "ended_personal_keys": ended });
    let event = event.change(json!({ "owner": true }), after);
    audit::record(app, &tx, audit::INSTALLATION, actor, event).await?;
    tx.commit().await?;
    Ok(user)
}

/// Locks the installation for a change by an owner. Somebody else may have taken the actor's ownership since it
/// was read.
pub async fn begin_as_owner(app: &App, actor: &Actor) -> Result<Tx> {
    let tx = app.db.write().await?;
    installation::lock(&tx).await?;
    let actor = actor.user_id.ok_or(Error::Unauthenticated)?;
    match Entity::find_by_id(actor).one(&tx).await? {
        Some(it) if it.is_owner => Ok(tx),
        _ => Err(Error::Forbidden("You are no longer an owner of this installation.")),
    }
}

async fn set(tx: &Tx, user: Uuid, is_owner: bool) -> Result<()> {
    let changed = ActiveModel { id: Set(user), is_owner: Set(is_owner), ..Default::default() };
    changed.update(tx).await?;
    Ok(())
}
