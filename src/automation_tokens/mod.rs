//! Automation tokens: with one of them a program manages the keys of a subscription (API.md). A token
//! is made by an admin, shown once, bound to its subscription, and has scopes and an end. It belongs to
//! the subscription and stays when its maker leaves. No token manages members, tokens or settings: no
//! route of the interface does.
pub(crate) mod entity;
pub mod pages;
mod store;

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use rand::{TryRng, rngs::SysRng};
use sea_orm::{ActiveValue::Set, ConnectionTrait};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use uuid::Uuid;

pub use self::entity::Model as AutomationToken;
use crate::{
    audit::{Actor, Client},
    clock::{instant, iso, millis, new_id},
    domain::{
        ApiScopes, Refusal, SecretText,
        secret::{Kind, Shape, shape},
        text,
    },
    error::{Error, FieldError, Result},
    http::App,
    submissions::{self, Submission},
    subscriptions::{self, Act, Scope},
};

/// Tokens of a subscription that are good at one time.
pub const MOST: usize = 100;
/// As many as are listed, the newest first.
const LISTED: u64 = 500;
/// The longest that a token can live, in days.
pub const LONGEST_DAYS: i64 = 366;
/// How exactly the last use is known: each note of it is a write.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A token as somebody wants it.
pub struct NewToken {
    pub name: String,
    pub scopes: ApiScopes,
    pub ends_at: Option<DateTime<Utc>>,
}

impl NewToken {
    fn checked(&self, now: DateTime<Utc>) -> Result<(String, DateTime<Utc>)> {
        let mut errors = Vec::new();
        let name = text::name(&self.name).unwrap_or_else(|it| {
            errors.push(FieldError::new("name", it));
            String::new()
        });
        if self.scopes.is_empty() {
            errors.push(FieldError::new("scopes", "Choose at least one scope."));
        }
        let longest = now + TimeDelta::days(LONGEST_DAYS);
        let end = match self.ends_at {
            Some(at) if millis(at) <= millis(now) => {
                Err("The end must lie in the future.".to_owned())
            }
            Some(at) if at > longest => Err(format!("Choose an end within {LONGEST_DAYS} days.")),
            Some(at) => Ok(at),
            None => Err("A token has an end. Choose one.".to_owned()),
        };
        match end {
            Ok(end) if errors.is_empty() => Ok((name, end)),
            Ok(_) => Err(Error::Invalid(errors)),
            Err(message) => {
                errors.push(FieldError::new("ends_at", message));
                Err(Error::Invalid(errors))
            }
        }
    }
}

/// A token that was just made, with the only copy of its text.
pub struct Made {
    pub token: AutomationToken,
    pub secret: SecretText,
}

pub async fn create(
    act: &Act<'_>,
    new: &NewToken,
    submission: impl Into<Submission>,
) -> Result<Made> {
    let (name, ends_at) = new.checked(act.now)?;
    let made = SecretText::generate(Kind::AutomationToken, |it| SysRng.try_fill_bytes(it));
    let secret = made.map_err(anyhow::Error::from)?;
    let (digest, pepper_version) = act.app.peppers.digest(secret.expose());
    let id = new_id(act.now);
    let tx = act.begin().await?;
    let location = act.scope.path(&format!("/settings/tokens/{id}/secret"));
    let tx = submissions::claim(act, tx, submission, location).await?;
    if store::count_live(&tx, act.scope, act.now).await? >= MOST as u64 {
        return Err(Refusal::TooMany { most: MOST, what: "automation tokens" }.into());
    }
    let mut row = AutomationToken {
        id,
        subscription_id: act.scope.id(),
        name,
        scopes: new.scopes.to_string(),
        digest: digest.to_vec(),
        pepper_version,
        mask: secret.mask(),
        created_at: millis(act.now),
        created_by: act.actor.user_id.ok_or(Error::Unauthenticated)?,
        ends_at: millis(ends_at),
        revoked_at: None,
        last_used_at: None,
        last_used_from: None,
        notice_at: None,
    };
    row.notice_at = row.first_notice().map(millis);
    let token = store::insert(&tx, row).await?;
    let event = act
        .event("automation_token.created")
        .on("automation_token", id, &token.name)
        .change(Value::Null, described(&token));
    act.finish(tx, event).await?;
    Ok(Made { token, secret })
}

/// Refused from now on.
pub async fn revoke(act: &Act<'_>, id: Uuid) -> Result<AutomationToken> {
    let tx = act.begin().await?;
    let token = store::find(&tx, act.scope, id).await?;
    if !token.is_live(act.now) {
        return Err(Refusal::TokenEnded.into());
    }
    let row = entity::ActiveModel {
        id: Set(id),
        revoked_at: Set(Some(millis(act.now))),
        notice_at: Set(None),
        ..Default::default()
    };
    let after = store::update(&tx, row).await?;
    // One that it had replaced may have to be told of now.
    store::wake_named(&tx, act.scope, &token.name, act.now).await?;
    let event = act
        .event("automation_token.revoked")
        .on("automation_token", id, &token.name)
        .change(described(&token), described(&after));
    act.finish(tx, event).await?;
    Ok(after)
}

/// Of the subscription, the newest first.
pub async fn list(act: &Act<'_>) -> Result<Vec<AutomationToken>> {
    store::list(&act.app.db, act.scope, LISTED).await
}

/// Those that this person made and that open something now, what ends first before the others.
pub async fn live_of(act: &Act<'_>, maker: Uuid) -> Result<Vec<AutomationToken>> {
    let mut live = store::live(&act.app.db, act.scope, act.now).await?;
    live.retain(|it| it.created_by == maker);
    Ok(live)
}

/// Those whose warning has begun and that no other of their name replaces, what ends first before
/// the others.
pub async fn ending_soon(act: &Act<'_>) -> Result<Vec<AutomationToken>> {
    let live = store::live(&act.app.db, act.scope, act.now).await?;
    Ok(live.iter().filter(|it| ends_soon(it, &live, act.now)).cloned().collect())
}

/// Whether a token warns and none of these has taken its place.
pub fn ends_soon(it: &AutomationToken, others: &[AutomationToken], now: DateTime<Utc>) -> bool {
    it.warning(now).is_some() && !others.iter().any(|other| it.is_replaced_by(other))
}

pub async fn find(act: &Act<'_>, id: Uuid) -> Result<AutomationToken> {
    store::find(act.app.db.read(), act.scope, id).await
}

/// Whether it opens anything at this instant, within a transaction.
pub(crate) async fn is_live_in(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool> {
    store::is_live(db, scope, id, now).await
}

/// The token that a program shows, if it opens anything now, with what it opens, and when time changes the
/// summary of one of its key groups. Its use is noted.
pub async fn recognize(
    app: &App,
    text: &str,
    from: IpAddr,
    now: DateTime<Utc>,
) -> Result<Option<(AutomationToken, Scope, Option<i64>)>> {
    if shape(text) != Shape::Generated(Kind::AutomationToken) {
        return Ok(None);
    }
    let digests = app.peppers.candidates(text);
    let wanted = digests.iter().map(|it| it.to_vec()).collect();
    let found = subscriptions::of_token(&app.db, wanted).await?;
    let same = |it: &AutomationToken| digests.iter().any(|own| own.ct_eq(&it.digest[..]).into());
    let Some((token, scope, changes_at)) = found.filter(|(it, ..)| same(it) && it.is_live(now))
    else {
        return Ok(None);
    };
    let before = now - NOTED_EVERY;
    if token.last_used_at.is_none_or(|at| instant(at) <= before) {
        store::note_use(&app.db, token.id, from, (before, now)).await?;
    }
    Ok(Some((token, scope, changes_at)))
}

/// As whom a program acts: its maker answers for it, and the audit log names the token.
pub fn actor(it: &AutomationToken, client: Client) -> Actor {
    Actor { user_id: Some(it.created_by), name: format!("token {}", it.name), client }
}

fn described(it: &AutomationToken) -> Value {
    json!({
        "token": it.mask,
        "scopes": it.scopes,
        "ends_at": iso(it.ends()),
        "revoked_at": it.revoked_at.map(|at| iso(instant(at))),
    })
}
