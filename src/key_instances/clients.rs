//! What the holder of an API access does with it as a whole (document 001): a client has one secret
//! there, which is revoked, made anew, or given another expiry.
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{NewKey, at_until, insert, issuing, save, store};
use crate::{
    access,
    audit::Event,
    clock::{instant, new_id},
    db::Tx,
    domain::{ActivePeriod, Refusal, lifecycle},
    error::{Error, Result},
    key_groups::{self, KeyGroup, summary},
    subscriptions::{Act, Subscription},
};

/// Ends whatever secret of the client could still be used, for good.
pub async fn revoke_all(act: &Act<'_>, client: Uuid) -> Result<()> {
    let (tx, _, client) = begin(act, client, false).await?;
    let events = revoke_in(act, &tx, &client).await?;
    finish(act, tx, &client, events).await
}

/// Whatever could be used ends, and the new secret takes its place. The `client_id` stays, and with
/// `keeps_expiry` so does the expiry of a secret that could be used.
pub async fn regenerate(
    act: &Act<'_>,
    client: Uuid,
    mut new: NewKey,
    keeps_expiry: bool,
) -> Result<()> {
    let ahead = if keeps_expiry { store::ahead(act, client).await? } else { Vec::new() };
    if let Some(last) = ahead.iter().max_by_key(|it| it.label) {
        new.period = ActivePeriod::new(new.period.from(), last.active_until.map(instant))?;
    }
    let new = issuing::prepare(act, client, new).await?.kept_if(true);
    let (tx, subscription, client) = begin(act, client, true).await?;
    access::demand_policy(act, &tx, &subscription, client.id).await?;
    let mut events = revoke_in(act, &tx, &client).await?;
    let (.., made) = insert(act, &tx, (&subscription, &client), new, new_id(act.now)).await?;
    events.push(made);
    finish(act, tx, &client, events).await
}

/// Another expiry, or none, for the secret of the client that was made last and has not ended.
pub async fn set_expiry(act: &Act<'_>, client: Uuid, until: Option<DateTime<Utc>>) -> Result<()> {
    let (tx, subscription, client) = begin(act, client, false).await?;
    let ahead = store::ahead_in(&tx, act.scope, client.id, act.now).await?;
    let newest = ahead.into_iter().max_by_key(|it| it.label);
    let secret = newest.ok_or(Error::Refused(Refusal::SecretEnded))?;
    let before = secret.facts();
    let period = ActivePeriod::new(before.period.from(), until)?;
    let facts = lifecycle::change_period(client.kind(), &before, period, act.now)?;
    if period.reaches_beyond(&before.period) {
        subscription.period_rules().check(&period).map_err(at_until)?;
    }
    let change = (&secret, &facts);
    let (_, event) = save(act, &tx, &client, change, "key_instance.period_changed")?;
    finish(act, tx, &client, vec![event]).await
}

async fn begin(
    act: &Act<'_>,
    client: Uuid,
    gets_key: bool,
) -> Result<(Tx, Subscription, KeyGroup)> {
    let (tx, subscription, client) = act
        .begin_asking(async |db| match gets_key {
            true => key_groups::touch_for_key(act, db, client).await,
            false => key_groups::touch(act, db, client).await,
        })
        .await?;
    if client.kind().is_client() { Ok((tx, subscription, client)) } else { Err(Error::NotFound) }
}

async fn revoke_in(act: &Act<'_>, tx: &Tx, client: &KeyGroup) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for it in store::ahead_in(tx, act.scope, client.id, act.now).await? {
        let facts = lifecycle::revoke(&it.facts(), act.now)?;
        events.push(save(act, tx, client, (&it, &facts), "key_instance.revoked")?.1);
    }
    Ok(events)
}

async fn finish(act: &Act<'_>, tx: Tx, client: &KeyGroup, events: Vec<Event>) -> Result<()> {
    summary::refresh_known(&tx, std::slice::from_ref(client), act.now).await?;
    act.finish_all(tx, events).await
}
