//! The first start: the pepper that this database belongs to, and the making of the owner.
pub(crate) mod entity;
pub mod pages;

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, PaginatorTrait, entity::prelude::*, sea_query::OnConflict,
};

use crate::{
    audit::{self, Actor},
    clock,
    db::{Db, Tx},
    domain::Role,
    error::{Error, Result},
    http::App,
    members,
    pepper::{Keyring, random_token, token_digest},
    subscriptions::{self, NewSubscription, Subscription},
    throttle,
    users::{self, NewUser, User},
};

/// How long the one-time set-up link works.
pub const SETUP_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// Reads the pepper and checks that this database was made with it. On the very first start, and
/// only then, a missing pepper is made.
pub async fn open_pepper(db: &Db, file: &Path, now: DateTime<Utc>) -> anyhow::Result<Keyring> {
    let row = entity::Entity::find_by_id(1).one(db.read()).await?;
    let shown = file.display();
    if row.is_some() && !file.exists() {
        bail!(
            "the pepper file {shown} is missing. Without it no key of this database can be \
             recognised, so none is made anew: restore it, or name it with --pepper-file"
        );
    }
    let keyring = if file.exists() { Keyring::read(file)? } else { Keyring::create(file)? };
    let canaries = keyring.canaries();
    let row = match row {
        Some(row) => row,
        None => claim(db, &canaries, now).await?,
    };
    let known = check_belongs(&row, &canaries, file)?;
    // Some keys come from the oldest version, and the newest digests new secrets.
    let newest = known.keys().next_back().copied().unwrap_or_default();
    for version in canaries.keys().filter(|it| !known.contains_key(it)) {
        ensure!(
            *version > newest,
            "the pepper file {shown} has a new version {version}: give it a number above {newest}"
        );
    }
    if known.len() < canaries.len() {
        let tx = db.write().await?;
        let canaries = Set(serde_json::to_string(&canaries)?);
        entity::ActiveModel { id: Set(1), canaries, ..Default::default() }.update(&tx).await?;
        tx.commit().await?;
    }
    Ok(keyring)
}

/// Gives what the database knows of its pepper, all of which must be in the file.
fn check_belongs(
    row: &entity::Model,
    canaries: &BTreeMap<i16, String>,
    file: &Path,
) -> anyhow::Result<BTreeMap<i16, String>> {
    let shown = file.display();
    let known: BTreeMap<i16, String> =
        serde_json::from_str(&row.canaries).context("the canaries are damaged")?;
    for (version, canary) in &known {
        ensure!(
            canaries.get(version) == Some(canary),
            "the pepper file {shown} does not belong to this database: version {version} is \
             missing or another one. Restore the right file, or name it with --pepper-file"
        );
    }
    Ok(known)
}

/// The same of a database that has been started on before, which is only read.
pub async fn known_pepper(db: &Db, file: &Path) -> anyhow::Result<Keyring> {
    let row = entity::Entity::find_by_id(1).one(db.read()).await;
    let row = row.context("this is no database of Keyward, or of another version")?;
    let row = row.context("nobody has started Keyward on this database yet")?;
    ensure!(
        file.exists(),
        "the pepper file {} is missing: name it with --pepper-file",
        file.display()
    );
    let keyring = Keyring::read(file)?;
    check_belongs(&row, &keyring.canaries(), file)?;
    Ok(keyring)
}

/// The very first start writes which peppers the database belongs to. Of several that start at
/// once, one does; what it wrote holds for all.
async fn claim(
    db: &Db,
    canaries: &BTreeMap<i16, String>,
    now: DateTime<Utc>,
) -> anyhow::Result<entity::Model> {
    let first = entity::ActiveModel {
        id: Set(1),
        created_at: Set(clock::millis(now)),
        canaries: Set(serde_json::to_string(canaries)?),
        ..Default::default()
    };
    let tx = db.write().await?;
    entity::Entity::insert(first)
        .on_conflict(OnConflict::column(entity::Column::Id).do_nothing().to_owned())
        .exec_without_returning(&tx)
        .await?;
    let row = entity::Entity::find_by_id(1).one(&tx).await?;
    tx.commit().await?;
    row.context("the installation has no row")
}

/// Locks the installation's row: for what must not be done by two at once in all of it.
pub(crate) async fn lock(tx: &Tx) -> Result<()> {
    entity::Entity::update_many()
        .col_expr(entity::Column::CreatedAt, Expr::col(entity::Column::CreatedAt))
        .exec(tx)
        .await?;
    Ok(())
}

/// While nobody can sign in: a fresh one-time link that creates the owner. Older links end.
pub async fn setup_link(app: &App) -> Result<Option<String>> {
    if users::entity::Entity::find().count(app.db.read()).await? > 0 {
        return Ok(None);
    }
    let token = random_token();
    let tx = app.db.write().await?;
    let row = entity::ActiveModel {
        id: Set(1),
        setup_digest: Set(Some(token_digest(&token))),
        setup_expires_at: Set(Some(clock::millis(app.clock.now() + SETUP_LIFETIME))),
        ..Default::default()
    };
    row.update(&tx).await?;
    tx.commit().await?;
    Ok(Some(app.site.url(&format!("/setup/{token}"))))
}

/// Whether the link works: not used, not replaced, not older than a day.
pub async fn is_open(app: &App, token: &str, now: DateTime<Utc>) -> Result<bool> {
    let row = entity::Entity::find_by_id(1).one(app.db.read()).await?;
    Ok(row.is_some_and(|it| {
        it.setup_digest.as_deref() == Some(&token_digest(token))
            && it.setup_expires_at.is_some_and(|end| clock::millis(now) < end)
    }))
}

/// The owner and the first subscription, of which the owner is admin.
pub struct SetUp {
    pub owner: NewUser,
    pub subscription: NewSubscription,
}

/// By the one-time link, which is used up in the same transaction.
pub async fn set_up(
    app: &App,
    token: &str,
    it: SetUp,
    client: crate::audit::Client,
    now: DateTime<Utc>,
) -> Result<(User, Subscription)> {
    let attempt = throttle::link(app, client.address, now).await?;
    if !is_open(app, token, now).await? {
        return Err(Error::NotFound);
    }
    attempt.take_back().await?;
    let actor = Actor { user_id: None, name: "set-up".to_owned(), client };
    create_owner(app, it, Some(token), &actor, now).await
}

/// Refused once there is any user. `token`: the link that must still be there.
pub async fn create_owner(
    app: &App,
    it: SetUp,
    token: Option<&str>,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<(User, Subscription)> {
    let (owner, subscription) = match (it.owner.checked(), it.subscription.checked()) {
        (Ok(owner), Ok(subscription)) => (owner, subscription),
        (Err(Error::Invalid(mut all)), Err(Error::Invalid(more))) => {
            all.extend(more);
            return Err(Error::Invalid(all));
        }
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    let hash = app.passwords.hash(owner.password.clone()).await?;
    let tx = app.db.write().await?;
    use_up(&tx, token).await?;
    if users::entity::Entity::find().count(&tx).await? > 0 {
        return Err(Error::Forbidden("This installation has an owner already."));
    }
    let user = users::insert(&tx, &owner, hash, true, now).await?;
    let actor = Actor { user_id: Some(user.id), name: user.email.clone(), ..actor.clone() };
    let event = users::created(&user, now);
    audit::record(app, &tx, audit::INSTALLATION, &actor, event).await?;
    let made = subscriptions::insert(app, &tx, &subscription, &actor, now).await?;
    members::add(&tx, made.id, (user.id, Role::Admin), now).await?;
    // Whoever comes by the link is signed in; whoever types a command is not.
    if token.is_some() {
        users::signed_in(&tx, user.id, now).await?;
    }
    tx.commit().await?;
    Ok((user, made))
}

/// Takes the link away: the first write, so that of two that race only one goes on.
async fn use_up(tx: &Tx, token: Option<&str>) -> Result<()> {
    let mut update = entity::Entity::update_many()
        .col_expr(entity::Column::SetupDigest, Expr::value(None::<String>))
        .filter(entity::COLUMN.id.eq(1));
    if let Some(token) = token {
        update = update.filter(entity::COLUMN.setup_digest.eq(token_digest(token)));
    }
    let taken = update.exec(tx).await?;
    if taken.rows_affected == 1 { Ok(()) } else { Err(Error::NotFound) }
}
