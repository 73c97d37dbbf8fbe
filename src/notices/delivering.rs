//! Sends what is due. Each attempt is claimed in the database before it is made, so that no two
//! nodes make the same one; a node that dies in the middle of one leaves it to be made again, with
//! the same id.
use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::{
    entity::deliveries::Model as Delivery,
    mail::Letter,
    sending::{self, Claimed, Outcome},
    signing,
    told::Notice,
};
use crate::{
    clock::{instant, millis},
    error::Result,
    http::App,
    metrics::Sent,
};

/// Requests at the same time.
const AT_ONCE: u64 = 16;
/// Rounds before others get a turn: the lease has to be renewed.
const ROUNDS: usize = 4;
/// A claimed attempt that nobody tells the end of is made again after this.
const CLAIM: TimeDelta = TimeDelta::seconds(60);

/// How long to wait after each failed attempt, as Standard Webhooks recommends: 9 attempts within
/// about 52 hours.
pub const BACKOFF: [TimeDelta; 8] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(14),
    TimeDelta::hours(20),
];

/// Sends what is due now, within a bounded time.
pub(super) async fn run(app: &App) -> Result<()> {
    for _ in 0..ROUNDS {
        let now = app.clock.now();
        let due = sending::due(&app.db, now, AT_ONCE).await?;
        if due.is_empty() {
            return Ok(());
        }
        let (posts, mails): (Vec<Delivery>, Vec<Delivery>) =
            due.into_iter().partition(|it| it.webhook_id.is_some());
        // One for each address: the message takes along all that is due for it.
        let mut seen = HashSet::new();
        let mails = mails.iter().filter(|it| seen.insert((it.subscription_id, &it.target)));
        let posts = join_all(posts.iter().map(|it| post(app, it, now)));
        let letters = join_all(mails.map(|it| mail(app, it, now)));
        let (posts, letters) = tokio::join!(posts, letters);
        posts.into_iter().chain(letters).collect::<Result<()>>()?;
    }
    Ok(())
}

/// One attempt at a webhook. Whoever claimed it before has it.
pub(super) async fn post(app: &App, it: &Delivery, now: DateTime<Utc>) -> Result<()> {
    let Some(claimed) = sending::claim(&app.db, &[it.id], now + CLAIM, now).await? else {
        return Ok(());
    };
    let Some((webhook, slug, notice)) = sending::parcel(&app.db, it).await? else { return Ok(()) };
    let outcome = match webhook.paused_at {
        Some(_) if notice.is_some() => Outcome::failed("The webhook is paused.".into(), true),
        _ => {
            let body = signing::body(app, &slug, notice.as_ref(), instant(it.created_at));
            let headers = signing::headers(app, &webhook, (it.id, &body), now);
            match webhook.url.parse() {
                Ok(url) => {
                    let started = std::time::Instant::now();
                    let answer = app.senders.outbound.post(&url, headers, body).await;
                    Outcome::of_post(answer, started.elapsed())
                }
                Err(_) => Outcome::failed("The address cannot be read.".into(), true),
            }
        }
    };
    // 410: the receiver wants no more (Standard Webhooks).
    let gone = outcome.status == Some(410);
    finish(app, claimed, &outcome, false).await?;
    if gone {
        sending::pause(&app.db, webhook.id, millis(app.clock.now())).await?;
    }
    Ok(())
}

/// One message with all that is due for one address of one subscription.
async fn mail(app: &App, to: &Delivery, now: DateTime<Utc>) -> Result<()> {
    let ids = sending::letter(&app.db, to, now).await?;
    let Some(claimed) = sending::claim(&app.db, &ids, now + CLAIM, now).await? else {
        return Ok(());
    };
    let mut notices: Vec<Notice> = sending::notices(&app.db, &claimed.ids).await?;
    notices.sort_by_key(Notice::ends);
    let Some((name, slug)) = sending::subscription(&app.db, to.subscription_id).await? else {
        return Ok(());
    };
    let started = std::time::Instant::now();
    let outcome = match &app.senders.mail {
        None => Outcome::failed("No SMTP server is configured any more.".into(), true),
        Some(_) if notices.is_empty() => return Ok(()),
        Some(mailer) => {
            let letter = Letter::of(&app.site, (&name, &slug), &notices, now);
            // Of the first claimed one: the same when it is sent again.
            let id = claimed.ids.iter().min().copied().unwrap_or(to.id);
            let sent = mailer.send(&to.target, id, letter).await;
            Outcome::of_mail(sent, started.elapsed())
        }
    };
    finish(app, claimed, &outcome, true).await
}

async fn finish(app: &App, claimed: Claimed, outcome: &Outcome, by_mail: bool) -> Result<()> {
    app.metrics.sent(Sent { by_mail, taken: outcome.done });
    let now = app.clock.now();
    let wait = usize::try_from(claimed.attempt - 1).ok().and_then(|it| BACKOFF.get(it)).copied();
    let again = wait.filter(|_| !outcome.done && !outcome.permanent).map(|it| millis(now + it));
    sending::record(&app.db, &claimed, outcome, again, millis(now)).await
}
