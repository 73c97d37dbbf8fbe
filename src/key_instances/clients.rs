//! What the holder of an API access does with it as a whole (document 001): a client has one secret
//! there, which is revoked, made anew, or given another expiry.
use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
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
    key_instances::KeyInstance,
    subscriptions::{Act, Subscription},
};

/// Ends whatever secret of the client could still be used, for good.
pub async fn revoke_all(act: &Act<'_>, client: Uuid) -> Result<()> {
    let (tx, _, client) = begin(act, client, false).await?;
    let usable = usable(act, &tx, client.id).await?;
    if usable.is_empty() {
        // Who did it may wait still: given up, the transaction lets this one wait as well.
        return Ok(());
    }
    let events = revoke_in(act, &tx, &client, usable)?;
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
    let mut kept = None;
    if keeps_expiry {
        kept = kept_expiry(&usable(act, act.app.db.read(), client).await?);
    }
    if let Some(until) = kept {
        new.period = ActivePeriod::new(new.period.from(), until)?;
    }
    let new = issuing::prepare(act, client, new).await?.kept_if(true);
    let (tx, subscription, client) = begin(act, client, true).await?;
    access::demand_policy(act, &tx, &subscription, client.id).await?;
    let usable = usable(act, &tx, client.id).await?;
    if keeps_expiry && kept_expiry(&usable) != kept {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    let mut events = revoke_in(act, &tx, &client, usable)?;
    let (.., made) = insert(act, &tx, (&subscription, &client), new, new_id(act.now)).await?;
    events.push(made);
    finish(act, tx, &client, events).await
}

/// Of the secret that was made last.
fn kept_expiry(usable: &[KeyInstance]) -> Option<Option<DateTime<Utc>>> {
    let last = usable.iter().max_by_key(|it| it.label);
    last.map(|it| it.active_until.map(instant))
}

/// Another expiry, or none, for the secret of the client that was made last and has not ended.
pub async fn set_expiry(act: &Act<'_>, client: Uuid, until: Option<DateTime<Utc>>) -> Result<()> {
    let (tx, subscription, client) = begin(act, client, false).await?;
    let newest = usable(act, &tx, client.id).await?.into_iter().max_by_key(|it| it.label);
    let secret = newest.ok_or(Error::Refused(Refusal::SecretEnded))?;
    let before = secret.facts();
    let period = ActivePeriod::new(before.period.from(), until)?;
    let facts = lifecycle::change_period(client.kind(), &before, period, act.now)?;
    if period.reaches_beyond(&before.period) {
        subscription.period_rules().check(&period).map_err(at_until)?;
        issuing::admit(act, &tx, &client, secret.id).await?;
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

/// Without what is revoked: its end can still lie ahead, by the clock of another node.
async fn usable(
    act: &Act<'_>,
    db: &impl ConnectionTrait,
    client: Uuid,
) -> Result<Vec<KeyInstance>> {
    let mut ahead = store::ahead_in(db, act.scope, client, act.now).await?;
    ahead.retain(|it| it.facts().is_live());
    Ok(ahead)
}

fn revoke_in(
    act: &Act<'_>,
    tx: &Tx,
    client: &KeyGroup,
    usable: Vec<KeyInstance>,
) -> Result<Vec<Event>> {
    let revoked = |it: KeyInstance| {
        let facts = lifecycle::revoke(&it.facts(), act.now)?;
        Ok(save(act, tx, client, (&it, &facts), "key_instance.revoked")?.1)
    };
    usable.into_iter().map(revoked).collect()
}

async fn finish(act: &Act<'_>, tx: Tx, client: &KeyGroup, events: Vec<Event>) -> Result<()> {
    summary::refresh_known(&tx, std::slice::from_ref(client), act.now).await?;
    act.finish_all(tx, events).await
}
