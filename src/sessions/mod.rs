//! Signing in and out, and showing the password once more. Sessions are rows; what a session allows
//! is read at each request.
mod agent;
mod asked;
pub(crate) mod entity;
pub mod pages;
mod password;
pub mod rest;
mod store;

use actix_session::Session;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

pub(crate) use self::store::{count_live, prune};
pub use self::{
    agent::in_words,
    entity::{Model as SessionRow, Started},
    password::{change_password, prove},
    store::{ABSOLUTE, DbSessionStore, IDLE, of_user},
};
use crate::{
    audit::{self, Actor, Event},
    clock,
    db::Tx,
    domain::text,
    error::{Error, Result},
    http::App,
    pepper::{random_token, token_digest},
    subscriptions::{self, Place},
    throttle::{self, Ticket},
    users::{self, Password, User},
};

/// The key of the user's id in the session's state.
pub const USER: &str = "user";
/// When the password was last shown, in milliseconds.
const PROVED: &str = "proved";
/// Of the password with which it began.
pub const PASSWORD: &str = "password";
/// How and where the session started.
pub(crate) const STARTED: &str = "started";

/// How long a shown password counts for what needs a fresh one (SECURITY.md 3.4).
pub const FRESH: TimeDelta = TimeDelta::minutes(5);

/// A new session, with a new id, for a user who has just shown who they are.
pub fn begin(
    session: &Session,
    user: &User,
    client: &audit::Client,
    now: DateTime<Utc>,
) -> Result<()> {
    session.renew();
    let started = Started {
        id: random_token(),
        address: client.address.to_string(),
        agent: client.agent.clone(),
    };
    let kept = session
        .insert(USER, user.id)
        .and_then(|()| session.insert(PASSWORD, fingerprint(user)))
        .and_then(|()| session.insert(PROVED, clock::millis(now)))
        .and_then(|()| session.insert(STARTED, started));
    Ok(kept.map_err(anyhow::Error::from)?)
}

/// Says which password a session began with: one that began with another is none, also one that began
/// in the very moment in which the password changed.
fn fingerprint(user: &User) -> String {
    token_digest(&user.password_hash)
}

/// Who has this session.
pub async fn user_of(app: &App, session: &Session) -> Result<Option<User>> {
    let Some(id) = session.get(USER).unwrap_or_default() else { return Ok(None) };
    let user = users::find(&app.db, id).await?;
    Ok(user.filter(|it| is_theirs(session, it)))
}

/// The same with the person's subscriptions.
pub async fn person_of(app: &App, session: &Session) -> Result<Option<(User, Vec<Place>)>> {
    let Some(id) = session.get(USER).unwrap_or_default() else { return Ok(None) };
    let person = subscriptions::person(&app.db, id).await?;
    Ok(person.filter(|it| is_theirs(session, &it.0)))
}

fn is_theirs(session: &Session, user: &User) -> bool {
    let began: Option<String> = session.get(PASSWORD).unwrap_or_default();
    began == Some(fingerprint(user))
}

/// Whether the password was shown a short while ago in this session.
pub fn is_proved(session: &Session, now: DateTime<Utc>) -> bool {
    let at: Option<i64> = session.get(PROVED).unwrap_or_default();
    at.is_some_and(|it| now <= clock::instant(it) + FRESH)
}

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
    let mut actor = Actor { user_id: None, name: named(&email), client };
    let ticket = admit(app, &email, browser, &actor, now).await?;
    let user = users::by_email(&app.db, &email).await?;
    let stored = user.as_ref().map(|it| it.password_hash.clone());
    let fits = app.passwords.verify(stored, tried.password).await?;

    actor.user_id = user.as_ref().map(|it| it.id);
    let tx = app.db.write().await?;
    let Some(user) = user.filter(|_| fits) else {
        return fail(app, tx, &actor, now).await;
    };
    ticket.succeeded(&tx).await?;
    users::signed_in(&tx, user.id, now).await?;
    actor.name.clone_from(&user.email);
    let event = Event::new("authn.login_success", now).on("user", user.id, &user.email);
    audit::record(app, &tx, audit::INSTALLATION, &actor, event).await?;
    tx.commit().await?;
    Ok(user)
}

/// Lets a try through, or refuses it, which the log is told once in a while.
async fn admit(
    app: &App,
    email: &str,
    browser: Option<&str>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<Ticket> {
    let from = actor.client.address;
    match throttle::admit(app, email, browser, from, now).await {
        Err(error @ Error::TooMany(_)) => {
            let tx = app.db.write().await?;
            if throttle::is_news(app, &tx, from, now).await? {
                let event = Event::new("authn.login_throttled", now).refused();
                audit::record(app, &tx, audit::INSTALLATION, actor, event).await?;
            }
            tx.commit().await?;
            Err(error)
        }
        admitted => admitted,
    }
}

/// The password was wrong.
async fn fail<T>(app: &App, tx: Tx, actor: &Actor, now: DateTime<Utc>) -> Result<T> {
    let event = Event::new("authn.login_fail", now).refused();
    audit::record(app, &tx, audit::INSTALLATION, actor, event).await?;
    tx.commit().await?;
    Err(Error::Unauthenticated)
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

/// Which of one's sessions to end.
pub enum Ending<'a> {
    One(&'a str),
    AllBut(&'a str),
}

/// Ends sessions of a user. Gives how many.
pub async fn end(
    app: &App,
    user: Uuid,
    which: Ending<'_>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<usize> {
    let rows = of_user(&app.db, user, now).await?;
    let id = |it: &SessionRow| it.started().unwrap_or_default().id;
    let ends = |it: &&SessionRow| match which {
        Ending::One(which) => !which.is_empty() && id(it) == which,
        Ending::AllBut(this) => id(it) != this,
    };
    let digests: Vec<String> = rows.iter().filter(ends).map(|it| it.digest.clone()).collect();
    let tx = app.db.write().await?;
    let mut ended = match digests.is_empty() {
        true => 0,
        false => store::revoke(&tx, user, Some(digests), now).await?,
    };
    if let Ending::AllBut(_) = which {
        ended += usize::try_from(rest::close_all(&tx, user).await?).unwrap_or(usize::MAX);
    }
    if ended == 0 {
        return Ok(0);
    }
    let event = Event::new("session.ended", now)
        .on("user", user, &actor.name)
        .change(serde_json::Value::Null, serde_json::json!({ "sessions": ended }));
    audit::record(app, &tx, audit::INSTALLATION, actor, event).await?;
    tx.commit().await?;
    Ok(ended)
}

/// The id by which the person's own pages name this session.
pub fn current(session: &Session) -> String {
    let started: Option<Started> = session.get(STARTED).unwrap_or_default();
    started.unwrap_or_default().id
}
