//! Making key instances: a further one, a rotation, a replacement.
use futures_util::future::try_join3;
use rand::{TryRng, rngs::SysRng};
use sea_orm::ActiveValue::Set;
use serde_json::Value;
use uuid::Uuid;

use super::{How, at_until, described, entity, exposures, full_name, save, secret_path, store};
use crate::{
    access,
    audit::Event,
    clock::{millis, new_id},
    db::{Together, Tx},
    domain::{
        ActivePeriod, Facts, GroupKind, Refusal, SecretText, client_secret, custom_key,
        lifecycle::{self, Overlap},
        text,
    },
    error::{Error, FieldError, Result},
    key_groups::{
        self, KeyGroup,
        summary::{self, Parts},
    },
    key_instances::KeyInstance,
    pepper::Digest32,
    submissions::{self, Submission},
    subscriptions::{Act, Subscription},
};

/// Where the text of a new key comes from.
pub enum Source {
    Generate,
    /// A custom key (document 004) or a client secret (document 001), as typed.
    Own(SecretText),
}

/// A key to be made.
pub struct NewKey {
    pub source: Source,
    pub period: ActivePeriod,
    pub note: String,
}

impl NewKey {
    /// What can be said without its group.
    pub(crate) fn check(&self, act: &Act<'_>) -> Result<()> {
        let mut errors = Vec::new();
        if let Err(message) = text::line(&self.note, 200) {
            errors.push(FieldError::new("note", message));
        }
        if self.period.has_ended(act.now) {
            errors.push(FieldError::refused("until", &Refusal::EndInThePast));
        } else if let Err(refusal) = act.scope.subscription().period_rules().check(&self.period) {
            errors.push(FieldError::refused("until", &refusal));
        }
        if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
    }

    /// Does what takes time, before a transaction begins: the hash of a secret that a user chose for a
    /// client. The kind of a group never changes.
    pub(crate) async fn prepare(self, act: &Act<'_>, is_of_client: bool) -> Result<Prepared> {
        self.check(act)?;
        let own = match self.source {
            Source::Generate => None,
            Source::Own(secret) => Some(secret),
        };
        let mut hash = None;
        if let (true, Some(secret)) = (is_of_client, &own) {
            let faults = client_secret::faults(secret.expose());
            if !faults.is_empty() {
                return Err(Error::field("key", faults.join(" ")));
            }
            hash = Some(act.app.client_secrets.hash(secret.copy()).await?);
        }
        let (period, note) = (self.period, self.note);
        let (is_kept, is_allowed, behind) = (false, false, None);
        Ok(Prepared { own, hash, period, note, is_kept, is_allowed, behind })
    }
}

/// A key to be stored.
pub(crate) struct Prepared {
    /// `None`: it will be generated.
    own: Option<SecretText>,
    hash: Option<String>,
    period: ActivePeriod,
    note: String,
    is_kept: bool,
    /// Its period was that of another one.
    is_allowed: bool,
    /// The last label of its group, where that matters: a key that came since could have had its secret.
    behind: Option<i32>,
}

impl Prepared {
    /// With the same period and note: what was allowed once is allowed once more.
    fn instead_of(old: &KeyInstance) -> Self {
        let (period, note) = (old.facts().period, old.note.clone());
        Self { own: None, hash: None, period, note, is_kept: false, is_allowed: true, behind: None }
    }

    /// Its maker is a program, which has it: nobody has to be asked whether it is kept somewhere.
    pub(crate) fn kept_if(self, is_kept: bool) -> Self {
        Self { is_kept, ..self }
    }
}

/// A key that was just made, with the only copy of its secret.
pub struct Issued {
    /// The name of its group, and what else the change did not touch.
    pub group: KeyGroup,
    pub instance: KeyInstance,
    pub secret: SecretText,
}

/// A further key of a group.
pub async fn create(
    act: &Act<'_>,
    group: Uuid,
    new: NewKey,
    submission: impl Into<Submission>,
) -> Result<Issued> {
    let submission = submission.into();
    let new = prepare(act, group, new).await?.kept_if(submission.is_of_program());
    let (begun, ()) = begin(act, group, submission, async |_| Ok(())).await?;
    let Begun { tx, subscription, group, mut parts, id } = begun;
    let (instance, secret, event) = insert(act, &tx, (&subscription, &group), new, id).await?;
    parts.add(&instance, act.now);
    summary::refresh_of(&tx, &group, parts, act.now)?;
    act.finish(tx, event).await?;
    Ok(Issued { group, instance, secret })
}

/// The new key starts with its own period, the old one goes on for the overlap.
pub async fn rotate(
    act: &Act<'_>,
    old: (Uuid, Uuid),
    new: NewKey,
    overlap: Overlap,
    submission: impl Into<Submission>,
) -> Result<Issued> {
    let submission = submission.into();
    let new = prepare(act, old.0, new).await?.kept_if(submission.is_of_program());
    let (begun, old) = begin_with(act, old, submission).await?;
    let overlap = (overlap, new.period.from());
    let facts = lifecycle::rotate_out(begun.group.kind(), &old.facts(), overlap, act.now)?;
    take_over(act, begun, new, (&old, &facts), "key_instance.rotated").await
}

/// A key that nobody saved and nobody used gives way to a new one with the same period.
pub async fn replace(
    act: &Act<'_>,
    old: (Uuid, Uuid),
    submission: impl Into<Submission>,
) -> Result<Issued> {
    let (submission, known) = (submission.into(), super::find(act, old).await?);
    let period = known.facts().period;
    if !known.is_replaceable(act.now) {
        // Sent twice, the form has done already what it asks for: its claim says so.
        begin(act, old.0, submission, async |_| Ok(())).await?;
        return Err(Refusal::NotReplaceable.into());
    }
    let new = Prepared::instead_of(&known);
    let (begun, old) = begin_with(act, old, submission).await?;
    if !old.is_replaceable(act.now) || old.facts().period != period {
        return Err(Refusal::NotReplaceable.into());
    }
    let facts = lifecycle::revoke(&old.facts(), act.now)?;
    take_over(act, begun, new, (&old, &facts), "key_instance.replaced").await
}

/// The old instance makes room, then the new one comes.
async fn take_over(
    act: &Act<'_>,
    begun: Begun,
    new: Prepared,
    change: (&KeyInstance, &Facts),
    action: &'static str,
) -> Result<Issued> {
    let Begun { tx, subscription, group, mut parts, id } = begun;
    let (old, event) = save(act, &tx, &group, change, action)?;
    let (instance, secret, made) = insert(act, &tx, (&subscription, &group), new, id).await?;
    parts.remove(change.0, act.now);
    parts.add(&old, act.now);
    parts.add(&instance, act.now);
    summary::refresh_of(&tx, &group, parts, act.now)?;
    act.finish_all(tx, vec![made, event]).await?;
    Ok(Issued { group, instance, secret })
}

/// A chosen secret that the client has had before is refused: whoever revoked it did not want it back.
pub(super) async fn prepare(act: &Act<'_>, group: Uuid, new: NewKey) -> Result<Prepared> {
    let (mut is_of_client, mut behind) = (false, None);
    if let Source::Own(secret) = &new.source {
        let group = key_groups::find(act, group).await?;
        is_of_client = group.kind().is_client();
        if is_of_client {
            let had = store::secret_hashes(act, group.id).await?;
            if act.app.client_secrets.is_one_of(had, secret.copy()).await? {
                return Err(Error::refused_at("key", Refusal::SecretUsedBefore));
            }
            behind = Some(group.last_label);
        }
    }
    Ok(Prepared { behind, ..new.prepare(act, is_of_client).await? })
}

/// A change that makes a key.
struct Begun {
    tx: Tx,
    /// As they are in it, and the group's last label is the key's.
    subscription: Subscription,
    group: KeyGroup,
    /// Without the key.
    parts: Parts,
    /// The key's.
    id: Uuid,
}

/// With the answer to what else is to be known.
async fn begin<T>(
    act: &Act<'_>,
    group: Uuid,
    submission: Submission,
    more: impl AsyncFnOnce(&Together) -> Result<T>,
) -> Result<(Begun, T)> {
    let id = new_id(act.now);
    let location = secret_path(act, group, id);
    let asked = act.begin_asking(async |db| {
        let parts = Parts::of(act, db, group);
        try_join3(key_groups::touch_for_key(act, db, group), parts, more(db)).await
    });
    let (tx, subscription, (group, parts, more)) = match asked.await {
        Err(Error::NotFound) if submission.may_repeat() => {
            // Deleted since, perhaps: what was done already is said to be.
            submissions::claim(act, act.begin().await?, submission, location).await?;
            return Err(Error::NotFound);
        }
        asked => asked?,
    };
    let tx = submissions::claim(act, tx, submission, location).await?;
    access::demand_policy(act, &tx, &subscription, group.id).await?;
    Ok((Begun { tx, subscription, group, parts, id }, more))
}

/// With the one that makes room for the new key, as it is then.
async fn begin_with(
    act: &Act<'_>,
    old: (Uuid, Uuid),
    submission: Submission,
) -> Result<(Begun, KeyInstance)> {
    begin(act, old.0, submission, async |db| store::find_to_change(db, act.scope, old).await).await
}

fn generate(kind: GroupKind) -> Result<SecretText> {
    let made = SecretText::generate(kind.secret(), |it| SysRng.try_fill_bytes(it));
    Ok(made.map_err(anyhow::Error::from)?)
}

/// Whether there is room for this one beside the others that can be used or will be.
pub(super) async fn admit(act: &Act<'_>, tx: &Tx, group: &KeyGroup, id: Uuid) -> Result<()> {
    if group.kind().most_active().is_some() {
        let mut others = store::ahead_in(tx, act.scope, group.id, act.now).await?;
        others.retain(|it| it.id != id);
        let others: Vec<Facts> = others.iter().map(KeyInstance::facts).collect();
        lifecycle::admit(group.kind(), &others, act.now)?;
    }
    Ok(())
}

/// Stores a new instance with the group's last label; the caller records the event and refreshes the
/// summary. Gives the only copy of its secret.
pub(crate) async fn insert(
    act: &Act<'_>,
    tx: &Tx,
    (subscription, group): (&Subscription, &KeyGroup),
    new: Prepared,
    id: Uuid,
) -> Result<(KeyInstance, SecretText, Event)> {
    if !new.is_allowed {
        subscription.period_rules().check(&new.period).map_err(at_until)?;
    }
    if new.behind.is_some_and(|it| it + 1 != group.last_label) {
        return Err(Refusal::ChangedMeanwhile.into());
    }
    let kind = group.kind();
    admit(act, tx, group, id).await?;
    let is_custom = new.own.is_some();
    let secret = match new.own {
        Some(it) => it,
        None => generate(kind)?,
    };
    // Under what it is stored: a chosen client secret is found by its `client_id`.
    let (digest, pepper_version) = match &new.hash {
        Some(hash) => act.app.peppers.hash_digest(hash),
        None if is_custom => custom_digest(act, tx, group, secret.expose()).await?,
        None => act.app.peppers.digest(secret.expose()),
    };
    let note = text::line(&new.note, 200).map_err(|it| Error::field("note", it))?;
    let mut row = entity::ActiveModel {
        id: Set(id),
        subscription_id: Set(act.scope.id()),
        key_group_id: Set(group.id),
        label: Set(group.last_label),
        note_folded: Set(note.to_lowercase()),
        note: Set(note),
        digest: Set(digest.to_vec()),
        pepper_version: Set(pepper_version),
        custom: Set(is_custom),
        mask: Set(if new.hash.is_some() { SecretText::HIDDEN.to_owned() } else { secret.mask() }),
        secret_hash: Set(new.hash),
        created_by: Set(act.actor.user_id.ok_or(Error::Unauthenticated)?),
        ..entity::ActiveModel::unused(&Facts::new(new.period), millis(act.now))
    };
    if new.is_kept {
        (row.saved_at, row.saved_by) =
            (Set(Some(millis(act.now))), Set(Some("program".to_owned())));
    }
    let instance = store::insert(tx, row).await?;
    tx.later(exposures::noting(act, tx, id, How::Made)?);
    let event = act
        .event("key_instance.created")
        .on("key_instance", id, full_name(group, &instance))
        .change(Value::Null, described(&instance));
    Ok((instance, secret, event))
}

/// The digest of a custom key, if it will do.
async fn custom_digest(
    act: &Act<'_>,
    tx: &Tx,
    group: &KeyGroup,
    secret: &str,
) -> Result<(Digest32, i16)> {
    let faults = custom_key::faults(secret, &group.name);
    if !faults.is_empty() {
        return Err(Error::field("key", faults.join(" ")));
    }
    // Also under an older pepper, which the unique index cannot know.
    let peppers = &act.app.peppers;
    let known = peppers.custom_candidates(act.scope.id(), secret);
    let known = known.iter().map(|it| it.to_vec()).collect();
    if store::by_digest(tx, act.scope, known).await?.is_some() {
        return Err(Error::refused_at("key", Refusal::DuplicateKey));
    }
    Ok(peppers.custom_digest(act.scope.id(), secret))
}
