//! People who sign in: making, finding and describing them.
pub(crate) mod entity;
mod owners;
pub mod pages;
mod password;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, entity::prelude::*};

pub use self::{
    entity::Model as User,
    owners::{begin_as_owner, candidate, end_ownership, make_owner, owner, owners},
    password::{Password, Passwords},
};
use serde_json::{Value, json};

use crate::{
    audit::{self, Actor, Event},
    clock,
    db::{Db, Tx},
    domain::{self, text},
    error::{Error, FieldError, Result},
    http::App,
};

/// What it takes to become a user. Checked by [`NewUser::checked`].
pub struct NewUser {
    pub email: String,
    pub name: String,
    pub password: Password,
}

impl NewUser {
    /// Cleans the fields, or says what is wrong with each of them.
    pub fn checked(self) -> Result<Self> {
        let mut errors = Vec::new();
        let mut field = |field, it: std::result::Result<String, String>| match it {
            Ok(text) => text,
            Err(message) => {
                errors.push(FieldError::new(field, message));
                String::new()
            }
        };
        let email = field("email", text::email(&self.email));
        let name = field("name", text::name(&self.name));
        field("password", domain::password::check(&self.password, &email).map(|()| String::new()));
        let checked = Self { email, name, password: self.password };
        if errors.is_empty() { Ok(checked) } else { Err(Error::Invalid(errors)) }
    }
}

pub async fn find(db: &Db, id: Uuid) -> Result<Option<User>> {
    Ok(entity::Entity::find_by_id(id).one(db.read()).await?)
}

pub async fn by_email(db: &Db, email: &str) -> Result<Option<User>> {
    Ok(entity::Entity::find().filter(entity::COLUMN.email.eq(email)).one(db.read()).await?)
}

/// Names of the given users, for "created by". Unknown ids are left out.
pub async fn names(db: &Db, ids: HashSet<Uuid>) -> Result<HashMap<Uuid, String>> {
    let mut names = HashMap::new();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    // Both databases limit the parameters of a statement.
    for ids in ids.chunks(1_000) {
        let some = entity::Entity::find().filter(entity::COLUMN.id.is_in(ids.to_vec()));
        names.extend(some.all(db.read()).await?.into_iter().map(|it| (it.id, it.name)));
    }
    Ok(names)
}

/// How the making of a user reads in the audit log.
pub fn created(user: &User, now: DateTime<Utc>) -> Event {
    Event::new("user.created", now)
        .on("user", user.id, &user.email)
        .change(Value::Null, json!({ "name": user.name, "owner": user.is_owner }))
}

/// Stores a checked user, whose password was hashed outside of the transaction.
pub async fn insert(
    tx: &Tx,
    new: &NewUser,
    password_hash: String,
    is_owner: bool,
    now: DateTime<Utc>,
) -> Result<User> {
    let user = entity::ActiveModel {
        id: Set(clock::new_id(now)),
        email: Set(new.email.clone()),
        name: Set(new.name.clone()),
        password_hash: Set(password_hash),
        is_owner: Set(is_owner),
        theme: Set("system".to_owned()),
        shortcuts: Set(true),
        time_zone: Set("UTC".to_owned()),
        created_at: Set(clock::millis(now)),
        last_sign_in_at: Set(None),
    };
    let inserted = user.insert(tx).await;
    inserted.map_err(|error| {
        if crate::error::is_duplicate(&error) {
            Error::field("email", "Somebody already uses this e-mail address.")
        } else {
            error.into()
        }
    })
}

/// How a person wants to see the pages.
pub struct Preferences {
    pub name: String,
    pub theme: String,
    pub time_zone: String,
    /// Whether `/` and `?` do something.
    pub shortcuts: bool,
}

pub async fn set_preferences(
    app: &App,
    user: &User,
    wanted: Preferences,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut errors = Vec::new();
    let name = text::name(&wanted.name).unwrap_or_else(|message| {
        errors.push(FieldError::new("name", message));
        String::new()
    });
    if !["system", "light", "dark"].contains(&wanted.theme.as_str()) {
        errors.push(FieldError::new("theme", "Choose system, light or dark."));
    }
    if wanted.time_zone.parse::<chrono_tz::Tz>().is_err() {
        errors.push(FieldError::new("time_zone", "Choose a zone of the list."));
    }
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let tx = app.db.write().await?;
    let changed = entity::ActiveModel {
        id: Set(user.id),
        name: Set(name.clone()),
        theme: Set(wanted.theme),
        shortcuts: Set(wanted.shortcuts),
        time_zone: Set(wanted.time_zone),
        ..Default::default()
    };
    changed.update(&tx).await?;
    // By it others know who did what.
    if name != user.name {
        let event = Event::new("user.renamed", now)
            .on("user", user.id, &user.email)
            .change(json!({ "name": user.name }), json!({ "name": name }));
        audit::record(app, &tx, audit::INSTALLATION, actor, event).await?;
    }
    Ok(tx.commit().await?)
}

/// Another password instead of the one that `user` was read with; `false` if that one is gone.
pub(crate) async fn set_password(tx: &Tx, user: &User, hash: String) -> Result<bool> {
    let changed = entity::Entity::update_many()
        .col_expr(entity::Column::PasswordHash, hash.into())
        .filter(entity::COLUMN.id.eq(user.id))
        .filter(entity::COLUMN.password_hash.eq(&user.password_hash))
        .exec(tx)
        .await?;
    Ok(changed.rows_affected == 1)
}

pub(crate) async fn signed_in(tx: &Tx, user: Uuid, now: DateTime<Utc>) -> Result<()> {
    let changed = entity::ActiveModel {
        id: Set(user),
        last_sign_in_at: Set(Some(clock::millis(now))),
        ..Default::default()
    };
    changed.update(tx).await?;
    Ok(())
}
