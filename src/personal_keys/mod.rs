//! Personal keys (document 003): bearer keys that a user makes for the own applications, signed,
//! never stored. What they claim is fixed at issue; what their person may do now restricts it.
pub(crate) mod entity;
pub mod pages;
mod store;
pub mod token;

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::{
    entity::Model as PersonalKey,
    token::{Claims, Jwk},
};
use crate::{
    audit::{self, Actor, Event},
    clock::{instant, iso, millis, new_id},
    config::Site,
    db::Tx,
    domain::{Refusal, SecretText, secret::saved_by, text},
    error::{Error, FieldError, Result},
    http::App,
    members,
    submissions::{self, Owner, Submission},
    users::User,
};

/// As many as one person can have that have not ended.
pub const MOST: usize = 20;

/// As many as are listed, the newest first. Only keys that have ended can be beyond.
const LISTED: u64 = 500;

/// How a person has let herself in. Keys are managed only so, never with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedInBy {
    /// E-mail address and password, which this installation itself checks.
    Password,
    // Room for an OpenID Connect provider, which then is the issuer.
}

impl SignedInBy {
    fn issuer(self, site: &Site) -> &str {
        match self {
            Self::Password => &site.origin,
        }
    }
}

/// What a verb on somebody's own keys needs: whose, how signed in, who acts, when.
pub struct Own<'a> {
    pub app: &'a App,
    pub user: &'a User,
    pub by: SignedInBy,
    pub actor: Actor,
    pub now: DateTime<Utc>,
}

impl Own<'_> {
    /// Locks the user, so that no rule that counts can be raced.
    async fn begin(&self) -> Result<Tx> {
        let tx = self.app.db.write().await?;
        store::lock_user(&tx, self.user.id).await?;
        Ok(tx)
    }

    async fn finish(&self, tx: Tx, it: &PersonalKey, event: Event) -> Result<()> {
        let event = event.on("personal_key", it.id, &self.user.email);
        audit::record(self.app, &tx, audit::INSTALLATION, &self.actor, event).await?;
        Ok(tx.commit().await?)
    }
}

/// A key to be made.
#[derive(Default)]
pub struct NewKey {
    pub note: String,
    pub until: Option<DateTime<Utc>>,
}

/// A key that was just made, with the only copy of its secret part.
pub struct Issued {
    pub key: PersonalKey,
    pub signature: SecretText,
}

impl Issued {
    /// The whole token.
    pub fn token(&self) -> SecretText {
        self.key.token(&self.signature)
    }
}

impl PersonalKey {
    /// The whole token, for whoever has its secret part.
    pub fn token(&self, signature: &SecretText) -> SecretText {
        token::assemble(self.id, &self.claims, signature.expose())
    }

    pub fn claims(&self) -> Result<Claims> {
        Ok(serde_json::from_str(&self.claims).map_err(anyhow::Error::from)?)
    }

    pub fn jwk(&self) -> Jwk {
        Jwk::of(self.id, &self.public_key)
    }

    pub fn has_ended(&self, now: DateTime<Utc>) -> bool {
        self.active_until.is_some_and(|it| it <= millis(now))
    }
}

/// The page that shows a new key once.
pub(crate) fn secret_path(id: Uuid) -> String {
    format!("/profile/keys/{id}/secret")
}

/// Makes a key. A form carries a token with it, so that sending it twice makes one. A program
/// carries none: it has the key from the answer, and no page shows it.
pub async fn issue(
    own: &Own<'_>,
    new: NewKey,
    submission: impl Into<Submission>,
) -> Result<Issued> {
    let (note, until) = checked(own, new)?;
    let (id, submission) = (new_id(own.now), submission.into());
    let is_kept = submission.is_of_program();
    let tx = own.begin().await?;
    let owner = Owner { subscription: None, user: Some(own.user.id) };
    let claimed = (submission, secret_path(id));
    let tx = submissions::claim_at(own.app, tx, claimed, owner, own.now).await?;
    if store::count_live(&tx, own.user.id, own.now).await? >= MOST as u64 {
        return Err(Refusal::TooManyPersonalKeys { most: MOST }.into());
    }
    let memberships = store::memberships(&tx, own.user.id).await?;
    // Who was removed from everywhere would be accepted again where no subscription is named.
    if memberships.is_empty() && !store::is_owner(&tx, own.user.id).await? {
        return Err(Refusal::MemberOfNothing.into());
    }
    let claims = claims(own, id, until, &memberships);
    let claims = serde_json::to_string(&claims).map_err(anyhow::Error::from)?;
    let signed = token::sign(id, &claims)?;
    let key = PersonalKey {
        id,
        user_id: own.user.id,
        public_key: signed.public_key.to_vec(),
        claims,
        note,
        issued_at: millis(own.now.trunc_subsecs(0)),
        active_until: until.map(millis),
        saved_at: is_kept.then(|| millis(own.now)),
        last_used_at: None,
        last_used_from: None,
        last_used_agent: None,
    };
    let signature = SecretText::from_text(signed.signature.to_string());
    if key.token(&signature).expose().len() > token::LONGEST {
        return Err(Refusal::PersonalKeyTooLong.into());
    }
    let named = memberships.iter().filter_map(|it| Some((it.subscription_id, it.user_group?)));
    store::insert(&tx, &key, named).await?;
    let event = Event::new("personal_key.issued", own.now).change(Value::Null, described(&key)?);
    own.finish(tx, &key, event).await?;
    Ok(Issued { key, signature })
}

/// An end is a whole second, as claims write it.
fn checked(own: &Own<'_>, new: NewKey) -> Result<(String, Option<DateTime<Utc>>)> {
    let mut errors = Vec::new();
    let note = text::line(&new.note, 200).unwrap_or_else(|message| {
        errors.push(FieldError::new("note", message));
        String::new()
    });
    let until = new.until.map(|it| it.trunc_subsecs(0));
    if until.is_some_and(|it| it <= own.now) {
        errors.push(FieldError::new("until", "The end must lie in the future."));
    }
    if errors.is_empty() { Ok((note, until)) } else { Err(Error::Invalid(errors)) }
}

fn claims(
    own: &Own<'_>,
    id: Uuid,
    until: Option<DateTime<Utc>>,
    memberships: &[store::Membership],
) -> Claims {
    let site = &own.app.site;
    let host = site.origin.split_once("://").map_or(site.origin.as_str(), |it| it.1);
    let places = memberships.chunk_by(|a, b| a.subscription_id == b.subscription_id);
    let place = |rows: &[store::Membership]| token::Place {
        slug: rows[0].slug.clone(),
        role: rows[0].role.clone(),
        user_groups: rows.iter().filter_map(|it| it.user_group_name.clone()).collect(),
    };
    Claims {
        iss: format!("api-key://{host}"),
        sub: own.user.id,
        email: own.user.email.clone(),
        name: own.user.name.clone(),
        iat: own.now.timestamp(),
        jti: id,
        exp: until.map(|it| it.timestamp()),
        subscriptions: places.map(place).collect(),
        original_issuer: own.by.issuer(site).to_owned(),
    }
}

/// The newest first; the first 500.
pub async fn list(own: &Own<'_>) -> Result<Vec<PersonalKey>> {
    store::list(own.app.db.read(), own.user.id, LISTED).await
}

/// One of the own; those of others are not found.
pub async fn find(own: &Own<'_>, id: Uuid) -> Result<PersonalKey> {
    store::find(own.app.db.read(), own.user.id, id).await
}

/// Its row goes, and so it is refused from the next verification on.
pub async fn delete(own: &Own<'_>, id: Uuid) -> Result<PersonalKey> {
    let tx = own.begin().await?;
    let key = store::find(&tx, own.user.id, id).await?;
    store::delete(&tx, id).await?;
    let event = Event::new("personal_key.deleted", own.now).change(described(&key)?, Value::Null);
    own.finish(tx, &key, event).await?;
    Ok(key)
}

/// Who owns the installation no more has no key that names no subscription. Gives how many there were.
pub(crate) async fn end_unplaced(tx: &Tx, user: Uuid, now: DateTime<Utc>) -> Result<usize> {
    let mut ended = 0;
    for key in store::list_live(tx, user, now).await? {
        if key.claims()?.subscriptions.is_empty() {
            store::delete(tx, key.id).await?;
            ended += 1;
        }
    }
    Ok(ended)
}

/// Its person has it: from now on its page shows nothing any more. `by` says how.
pub async fn acknowledge(own: &Own<'_>, id: Uuid, by: &str) -> Result<PersonalKey> {
    let by = saved_by(by)
        .ok_or(Error::Malformed("Say how the key was stored: copy it or tick the box."))?;
    let tx = own.begin().await?;
    let key = store::find(&tx, own.user.id, id).await?;
    if key.saved_at.is_some() {
        return Err(Error::Gone("This key is no longer shown."));
    }
    store::set_saved(&tx, id, own.now).await?;
    let event =
        Event::new("personal_key.saved", own.now).change(Value::Null, json!({ "saved_by": by }));
    own.finish(tx, &key, event).await?;
    Ok(key)
}

/// Public halves of live keys.
pub struct PublicKeys {
    pub keys: Vec<Jwk>,
    /// Behind what the list goes on.
    pub next: Option<Uuid>,
}

/// The public halves of everybody's live keys, by id from behind `after` on. Without keys that claim a subscription
/// which their person is in no more: who verifies alone could not know.
pub async fn public_keys(
    app: &App,
    after: Option<Uuid>,
    limit: usize,
    now: DateTime<Utc>,
) -> Result<PublicKeys> {
    let db = app.db.read();
    let mut rows = store::live(db, after.unwrap_or_default(), limit as u64 + 1, now).await?;
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().map(|it| it.id).filter(|_| is_more);
    let places = members::slugs_of(db, rows.iter().map(|it| it.user_id)).await?;
    let mut keys = Vec::new();
    for it in rows {
        let mut claimed = it.claims()?.subscriptions.into_iter();
        if claimed.all(|place| places.contains(&(it.user_id, place.slug))) {
            keys.push(it.jwk());
        }
    }
    Ok(PublicKeys { keys, next })
}

/// For the audit log: nothing of it can be shown as a key.
fn described(it: &PersonalKey) -> Result<Value> {
    let claims = it.claims()?;
    let until = it.active_until.map(|it| iso(instant(it)));
    let places = serde_json::to_value(claims.subscriptions).map_err(anyhow::Error::from)?;
    Ok(json!({ "note": it.note, "until": until, "subscriptions": places }))
}
