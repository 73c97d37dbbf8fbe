//! The password of somebody who is signed in: shown once more, or changed.
use chrono::{DateTime, Utc};

use super::{admit, fail, rest, store};
use crate::{
    audit::{self, Actor, Event},
    domain,
    error::{Error, Result},
    http::App,
    users::{self, Password, User},
};

/// Counted like a sign-in: `Unauthenticated` if it is wrong, `TooMany` if it must wait.
pub async fn prove(
    app: &App,
    user: &User,
    (password, browser): (Password, Option<String>),
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    let ticket = admit(app, &user.email, browser.as_deref(), actor, now).await?;
    let fits = app.passwords.verify(Some(user.password_hash.clone()), password).await?;
    let tx = app.db.write().await?;
    if !fits {
        return fail(app, tx, actor, now).await;
    }
    ticket.succeeded(&tx).await?;
    let event = Event::new("authn.password_confirmed", now).on("user", user.id, &user.email);
    audit::record(app, &tx, audit::INSTALLATION, actor, event).await?;
    Ok(tx.commit().await?)
}

/// Another password for whoever knows the old one. All sessions of the user end: the caller begins a
/// new one, of the user as it is now.
pub async fn change_password(
    app: &App,
    user: &User,
    (old, browser): (Password, Option<String>),
    new: Password,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<User> {
    let check = domain::password::check(&new, &user.email);
    check.map_err(|it| Error::field("new_password", it))?;
    if *old == *new {
        return Err(Error::field("new_password", "This is the password that you have now."));
    }
    match prove(app, user, (old, browser), actor, now).await {
        Err(Error::Unauthenticated) => {
            return Err(Error::field("password", "This is not your password."));
        }
        proved => proved?,
    }
    let hash = app.passwords.hash(new).await?;
    let tx = app.db.write().await?;
    if !users::set_password(&tx, user, hash.clone()).await? {
        // Somebody else has changed it since: what was shown is no longer the password.
        return Err(Error::Unauthenticated);
    }
    store::revoke(&tx, user.id, None, now).await?;
    rest::close_all(&tx, user.id).await?;
    let event = Event::new("user.password_changed", now).on("user", user.id, &user.email);
    audit::record(app, &tx, audit::INSTALLATION, actor, event).await?;
    tx.commit().await?;
    Ok(User { password_hash: hash, ..user.clone() })
}
