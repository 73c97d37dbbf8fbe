//! Making key instances: a further one, a rotation, a replacement.
use rand::{TryRng, rngs::SysRng};
use sea_orm::ActiveValue::Set;
use serde_json::Value;
use uuid::Uuid;

use super::{How, at_until, described, entity, exposures, full_name, save, secret_path, store};
use crate::{
    access,
    audit::Event,
    clock::{millis, new_id},
    db::Tx,
    domain::{
        ActivePeriod, Facts, GroupKind, Refusal, SecretText, client_secret, custom_key,
        lifecycle::{self, Overlap},
        text,
    },
    error::{Error, FieldError, Result},
    key_groups::{self, KeyGroup, summary},
    key_instances::KeyInstance,
    submissions::{self, Submission},
    subscriptions::{self, Act},
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

    /// Does what takes time, before a transaction begins: the text of the secret, and the hash of
    /// one that a user chose for a client.
    pub(crate) async fn prepare(self, act: &Act<'_>, kind: GroupKind) -> Result<Prepared> {
        self.check(act)?;
        let (secret, own) = match self.source {
            Source::Generate => {
                let fill = |it: &mut [u8]| SysRng.try_fill_bytes(it);
                let made = SecretText::generate(kind.secret(), fill);
                (made.map_err(anyhow::Error::from)?, false)
            }
            Source::Own(secret) => (secret, true),
        };
        let mut hash = None;
        if own && kind.is_client() {
            let faults = client_secret::faults(secret.expose());
            if !faults.is_empty() {
                return Err(Error::field("key", faults.join(" ")));
            }
            hash = Some(act.app.client_secrets.hash(secret.copy()).await?);
        }
        let (period, note) = (self.period, self.note);
        Ok(Prepared { secret, own, hash, period, note, is_kept: false })
    }
}

/// A key to be stored.
pub(crate) struct Prepared {
    secret: SecretText,
    own: bool,
    hash: Option<String>,
    period: ActivePeriod,
    note: String,
    is_kept: bool,
}

impl Prepared {
    /// Its maker is a program, which has it: nobody has to be asked whether it is kept somewhere.
    pub(crate) fn kept_if(self, is_kept: bool) -> Self {
        Self { is_kept, ..self }
    }
}

/// A key that was just made, with the only copy of its secret.
pub struct Issued {
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
    let (tx, group, id) = begin(act, group, submission).await?;
    let (issued, event) = insert(act, &tx, &group, new, id).await?;
    summary::refresh(&tx, act.scope.id(), &[group.id], act.now).await?;
    act.finish(tx, event).await?;
    Ok(issued)
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
    let (tx, group, id) = begin(act, old.0, submission).await?;
    let old = store::find(&*tx, act.scope, old).await?;
    let facts = lifecycle::rotate_out(group.kind(), &old.facts(), overlap, act.now)?;
    let change = (&old, &facts, "key_instance.rotated");
    take_over(act, tx, &group, (new, id), change).await
}

/// A key that nobody saved and nobody used gives way to a new one with the same period.
pub async fn replace(
    act: &Act<'_>,
    old: (Uuid, Uuid),
    submission: impl Into<Submission>,
) -> Result<Issued> {
    let (submission, known) = (submission.into(), super::find(act, old).await?);
    let period = known.facts().period;
    let new = NewKey { source: Source::Generate, period, note: known.note.clone() };
    // A period that was allowed once is allowed once more, unless it has ended.
    let kind = key_groups::find(act, old.0).await?.kind();
    if !known.is_replaceable(act.now) {
        // Sent twice, the form has done already what it asks for: its claim says so.
        begin(act, old.0, submission).await?;
        return Err(Refusal::NotReplaceable.into());
    }
    let new = new.prepare(act, kind).await?;
    let (tx, group, id) = begin(act, old.0, submission).await?;
    let old = store::find(&*tx, act.scope, old).await?;
    if !old.is_replaceable(act.now) || old.facts().period != period {
        return Err(Refusal::NotReplaceable.into());
    }
    let facts = lifecycle::revoke(&old.facts(), act.now)?;
    let change = (&old, &facts, "key_instance.replaced");
    take_over(act, tx, &group, (new, id), change).await
}

/// The old instance makes room, then the new one comes.
async fn take_over(
    act: &Act<'_>,
    tx: Tx,
    group: &KeyGroup,
    (new, id): (Prepared, Uuid),
    (old, facts, action): (&KeyInstance, &Facts, &'static str),
) -> Result<Issued> {
    let event = save(act, &tx, old, facts, action).await?;
    let (issued, made) = insert(act, &tx, group, new, id).await?;
    act.record(&tx, made).await?;
    summary::refresh(&tx, act.scope.id(), &[group.id], act.now).await?;
    act.finish(tx, event).await?;
    Ok(issued)
}

/// A group's kind never changes, so it can be read before the transaction. A chosen secret that the
/// client has had before is refused: whoever revoked it did not want it back.
pub(super) async fn prepare(act: &Act<'_>, group: Uuid, new: NewKey) -> Result<Prepared> {
    let kind = key_groups::find(act, group).await?.kind();
    if let (true, Source::Own(secret)) = (kind.is_client(), &new.source) {
        let had = store::secret_hashes(act, group).await?;
        if act.app.client_secrets.is_one_of(had, secret.copy()).await? {
            return Err(Error::refused_at("key", Refusal::SecretUsedBefore));
        }
    }
    new.prepare(act, kind).await
}

async fn begin(act: &Act<'_>, group: Uuid, submission: Submission) -> Result<(Tx, KeyGroup, Uuid)> {
    let id = new_id(act.now);
    let tx = act.begin().await?;
    let location = secret_path(act, group, id);
    let tx = submissions::claim(act, tx, submission, location).await?;
    let group = key_groups::touch(act, &tx, group).await?;
    access::demand_policy(act, &tx, group.id).await?;
    Ok((tx, group, id))
}

/// Stores a new instance; the caller records the event and refreshes the summary.
pub(crate) async fn insert(
    act: &Act<'_>,
    tx: &Tx,
    group: &KeyGroup,
    new: Prepared,
    id: Uuid,
) -> Result<(Issued, Event)> {
    subscriptions::rules(tx, act.scope).await?.check(&new.period).map_err(at_until)?;
    let kind = group.kind();
    if kind.most_active().is_some() {
        let others = store::ahead_in(&**tx, act.scope, group.id, act.now).await?;
        let others: Vec<Facts> = others.iter().map(KeyInstance::facts).collect();
        lifecycle::admit(kind, &others, act.now)?;
    }
    let (digest, pepper_version) = digest(act, tx, group, &new).await?;
    let note = text::line(&new.note, 200).map_err(|it| Error::field("note", it))?;
    let secret = new.secret;
    let mut row = entity::ActiveModel {
        id: Set(id),
        subscription_id: Set(act.scope.id()),
        key_group_id: Set(group.id),
        label: Set(key_groups::store::next_label(tx, act.scope, group.id).await?),
        note_folded: Set(note.to_lowercase()),
        note: Set(note),
        digest: Set(digest.to_vec()),
        pepper_version: Set(pepper_version),
        custom: Set(new.own),
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
    exposures::note(act, tx, id, How::Made).await?;
    let event = act
        .event("key_instance.created")
        .on("key_instance", id, full_name(group, &instance))
        .change(Value::Null, described(&instance));
    Ok((Issued { instance, secret }, event))
}

/// Under what the secret is stored: a digest of itself, or of the hash of a chosen client secret,
/// which is found by its `client_id`.
async fn digest(
    act: &Act<'_>,
    tx: &Tx,
    group: &KeyGroup,
    new: &Prepared,
) -> Result<(crate::pepper::Digest32, i16)> {
    let peppers = &act.app.peppers;
    if let Some(hash) = &new.hash {
        return Ok(peppers.hash_digest(hash));
    }
    if !new.own {
        return Ok(peppers.digest(new.secret.expose()));
    }
    let faults = custom_key::faults(new.secret.expose(), &group.name);
    if !faults.is_empty() {
        return Err(Error::field("key", faults.join(" ")));
    }
    // Also under an older pepper, which the unique index cannot know.
    let known = peppers.custom_candidates(act.scope.id(), new.secret.expose());
    let known = known.iter().map(|it| it.to_vec()).collect();
    if store::by_digest(&**tx, act.scope, known).await?.is_some() {
        return Err(Error::refused_at("key", Refusal::DuplicateKey));
    }
    Ok(peppers.custom_digest(act.scope.id(), new.secret.expose()))
}
