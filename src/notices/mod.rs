//! Ends are told of before they come: in the app, to webhooks, by e-mail. One node of several does
//! it, once for each threshold (`domain::notice`).
mod delivering;
pub(crate) mod entity;
mod lease;
mod mail;
mod noticing;
mod outbound;
pub mod pages;
mod sending;
mod signing;
mod store;
pub mod text;
mod tokens;
mod told;
mod webhooks;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use self::lease::Lease;
pub use self::{
    delivering::BACKOFF,
    entity::{Model as KeyNotice, deliveries::Model as Delivery, webhooks::Model as Webhook},
    mail::Mailer,
    outbound::Outbound,
    signing::{OVERLAP, shown_secret},
    told::Notice,
    webhooks::{
        MOST_WEBHOOKS, add, change_secret, deliveries, find, host, list_all, remove, send_again,
        set_paused, test,
    },
};
use crate::{
    clock::millis,
    config::Config,
    db::Db,
    domain::Role,
    error::{Error, Result},
    http::App,
    pepper::random_token,
    subscriptions::{Act, Scope},
};

/// Between two rounds.
pub const EVERY: Duration = Duration::from_secs(5);
/// What a badge counts to.
pub const MOST_COUNTED: u64 = 100;

/// By what is sent.
pub struct Senders {
    pub outbound: Outbound,
    /// `None`: the operator has named no SMTP server.
    pub mail: Option<Mailer>,
}

impl Senders {
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let mail = match config.smtp_url()? {
            Some(url) => {
                let from = config.mail_from.as_deref().ok_or_else(|| {
                    anyhow::anyhow!(
                        "--smtp-url needs --mail-from (KEYWARD_MAIL_FROM) as well: the address that \
                         messages come from"
                    )
                })?;
                Some(Mailer::new(&url, from)?)
            }
            None => None,
        };
        Ok(Self { outbound: Outbound::new(&config.webhook_networks), mail })
    }
}

/// What one node does in each round.
pub struct Noticer(Lease);

impl Default for Noticer {
    fn default() -> Self {
        Self(Lease::new(random_token()))
    }
}

impl Noticer {
    /// Notices and sends what is due, if this node is the one that does. Whether it is.
    pub async fn round(&mut self, app: &App) -> Result<bool> {
        if !self.0.hold(&app.db, app.clock.now()).await? {
            return Ok(false);
        }
        round(app).await?;
        Ok(true)
    }

    /// At the end of this process: another node may go on at once.
    pub async fn stop(&mut self, app: &App) -> Result<()> {
        self.0.give_up(&app.db).await
    }
}

/// Notices and sends what is due, whoever else does so.
pub async fn round(app: &App) -> Result<()> {
    notice(app, app.clock.now()).await?;
    delivering::run(app).await
}

/// Writes down what is to be said at this instant, without sending it.
pub async fn notice(app: &App, now: DateTime<Utc>) -> Result<()> {
    let said = noticing::run(app, now).await? + tokens::run(app, now).await?;
    if said > 0 {
        tracing::info!(said, "ends were noticed");
    }
    Ok(())
}

/// Notices that somebody of this role sees, the newest first; where the list goes on, if it does.
pub async fn list(
    act: &Act<'_>,
    role: Role,
    before: Option<(i64, Uuid)>,
    limit: u64,
) -> Result<(Vec<Notice>, Option<(i64, Uuid)>)> {
    let (db, scope) = (&act.app.db, act.scope);
    let keys = store::list(db, scope, before, limit + 1).await?.into_iter().map(Notice::Key);
    let mut rows: Vec<Notice> = keys.collect();
    if role.changes_keys() {
        let tokens = tokens::list(db, scope, before, limit + 1).await?;
        rows.extend(tokens.into_iter().map(Notice::Token));
        rows.sort_by_key(|it| std::cmp::Reverse((it.at(), it.id())));
    }
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| more).map(|it| (it.at(), it.id()));
    Ok((rows, next))
}

/// Until when a member has seen the notices.
pub async fn seen_at(act: &Act<'_>) -> Result<i64> {
    let user = act.actor.user_id.ok_or(Error::Unauthenticated)?;
    store::seen_at(&act.app.db, act.scope, user).await
}

/// How many notices a member has not seen, counted up to [`MOST_COUNTED`]. Asks the database only
/// where there has been one lately. `seen`: until when, if that is known.
pub async fn unseen(
    db: &Db,
    scope: &Scope,
    (user, seen): (Uuid, Option<i64>),
    role: Role,
) -> Result<u64> {
    let Some(last) = scope.subscription().last_notice_at else { return Ok(0) };
    let seen = match seen {
        Some(seen) => seen,
        None => store::seen_at(db, scope, user).await?,
    };
    if seen >= last {
        return Ok(0);
    }
    let mut newer = vec![store::newer(scope, seen, MOST_COUNTED)];
    if role.changes_keys() {
        newer.push(tokens::newer(scope, seen, MOST_COUNTED));
    }
    Ok(store::count(db, newer).await?.min(MOST_COUNTED))
}

/// A member has seen all of them. No audit row: it changes nothing but a badge.
pub async fn mark_seen(act: &Act<'_>) -> Result<()> {
    let user = act.actor.user_id.ok_or(Error::Unauthenticated)?;
    let tx = act.app.db.write().await?;
    store::set_seen(&tx, act.scope, user, millis(act.now)).await?;
    Ok(tx.commit().await?)
}

/// Whether admins and contacts get e-mail.
pub async fn set_mail(act: &Act<'_>, wanted: bool) -> Result<()> {
    let tx = act.begin().await?;
    let before = crate::subscriptions::current(&tx, act.scope).await?;
    store::set_mail(&tx, act.scope, wanted).await?;
    let event = act
        .event("subscription.settings_changed")
        .on("subscription", before.id, &before.name)
        .change(json!({ "mail_notices": before.mail_notices }), json!({ "mail_notices": wanted }));
    act.finish(tx, event).await
}

/// How much is still to be sent, in all subscriptions, counted up to `limit`.
pub(crate) async fn count_waiting(db: &Db, limit: u64) -> Result<u64> {
    sending::count_waiting(db, limit).await
}

/// Forgets notices of more than a year ago, and what was sent more than 90 days ago.
pub async fn prune(db: &Db, now: DateTime<Utc>) -> Result<()> {
    store::prune(db, now).await
}
