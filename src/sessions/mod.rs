//! Signing in and out. Sessions are rows; what a session allows is read at each request.
pub(crate) mod entity;
pub mod pages;
mod store;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub(crate) use self::store::prune;
pub use self::store::{ABSOLUTE, DbSessionStore, IDLE, of_user};
use crate::{
    audit::{self, Actor, Event},
    domain::text,
    error::{Error, Result},
    http::App,
    throttle,
    users::{self, Password, User},
};

/// The key of the user's id in the session's state.
pub const USER: &str = "user";

/// A try to sign in.
pub struct SignIn {
    pub email: String,
    pub password: Password,
    /// The random name of a browser that this e-mail address has signed in from before.
    pub known_browser: Option<String>,
}

/// Gives the user, or `Unauthenticated` for a wrong password and an unknown user alike, after the
/// same work.
pub async fn sign_in(
    app: &App,
    tried: SignIn,
    client: audit::Client,
    now: DateTime<Utc>,
) -> Result<User> {
    let email = text::email(&tried.email).unwrap_or_default();
    let browser = tried.known_browser.as_deref();
    let ticket = match throttle::admit(app, &email, browser, client.address, now).await {
        Err(error @ Error::TooMany(_)) => {
            let tx = app.db.write().await?;
            if throttle::is_news(app, &tx, client.address, now).await? {
                let actor = Actor { user_id: None, name: named(&email), client };
                let event = Event::new("authn.login_throttled", now).refused();
                audit::record(app, &tx, audit::INSTALLATION, &actor, event).await?;
            }
            tx.commit().await?;
            return Err(error);
        }
        admitted => admitted?,
    };
    let user = users::by_email(&app.db, &email).await?;
    let stored = user.as_ref().map(|it| it.password_hash.clone());
    let fits = app.passwords.verify(stored, tried.password).await?;

    let name = named(&email);
    let mut actor = Actor { user_id: user.as_ref().map(|it| it.id), name, client };
    let tx = app.db.write().await?;
    let Some(user) = user.filter(|_| fits) else {
        let event = Event::new("authn.login_fail", now).refused();
        audit::record(app, &tx, audit::INSTALLATION, &actor, event).await?;
        tx.commit().await?;
        return Err(Error::Unauthenticated);
    };
    ticket.succeeded(&tx).await?;
    users::signed_in(&tx, user.id, now).await?;
    actor.name.clone_from(&user.email);
    let event = Event::new("authn.login_success", now).on("user", user.id, &user.email);
    audit::record(app, &tx, audit::INSTALLATION, &actor, event).await?;
    tx.commit().await?;
    Ok(user)
}

/// What was typed, if it could be an address.
fn named(email: &str) -> String {
    if email.is_empty() { "sign-in".to_owned() } else { email.to_owned() }
}

/// The session row itself is revoked by actix-session's `purge`.
pub async fn sign_out(app: &App, user: Uuid, actor: &Actor, now: DateTime<Utc>) -> Result<()> {
    let tx = app.db.write().await?;
    let event = Event::new("authn.logout", now).on("user", user, &actor.name);
    audit::record(app, &tx, audit::INSTALLATION, actor, event).await?;
    Ok(tx.commit().await?)
}
