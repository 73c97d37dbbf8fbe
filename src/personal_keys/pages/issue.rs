//! The dialog that makes a personal key. It ends with the page that shows the key once.
use actix_web::HttpResponse;
use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::{
    list::{self, KeyList},
    own,
};
use crate::{
    error::{Error, Result},
    http::{
        Errors, Form, Page, PageError, SignedIn,
        form::Draft,
        once,
        page::{Section, refused},
    },
    pepper::random_token,
    personal_keys::{self, NewKey, secret_path},
};

/// Days that the form offers; none is for ever.
const LIFETIMES: [(&str, &str, Option<i64>); 4] = [
    ("30", "30 days", Some(30)),
    ("90", "90 days", Some(90)),
    ("365", "1 year", Some(365)),
    ("never", "No end", None),
];

#[derive(Clone, Deserialize)]
pub struct NewKeyForm {
    #[serde(default)]
    submission: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    lifetime: String,
}

impl NewKeyForm {
    fn read(&self, now: DateTime<Utc>) -> Result<NewKey> {
        let chosen = LIFETIMES.iter().find(|it| it.0 == self.lifetime);
        let (.., days) = chosen
            .ok_or_else(|| Error::field("lifetime", "Choose for how long the key is good."))?;
        let until = days.map(|it| now + TimeDelta::days(it));
        Ok(NewKey { note: self.note.clone(), until })
    }
}

#[derive(Template)]
#[template(path = "personal_keys/new.html")]
struct NewPage {
    page: Page,
    list: KeyList,
    form: NewKeyForm,
    lifetimes: Vec<(&'static str, &'static str, bool)>,
    errors: Errors,
}

/// `GET /profile/keys/new`
pub async fn form(me: SignedIn, draft: Draft<NewKeyForm>) -> Result<HttpResponse, PageError> {
    let lifetime = "90".to_owned();
    let fresh = || NewKeyForm { submission: String::new(), note: String::new(), lifetime };
    show(&me, draft.0.unwrap_or_else(fresh), Errors::none()).await
}

/// With a fresh submission token: a refused form has created nothing.
async fn show(
    me: &SignedIn,
    mut form: NewKeyForm,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    form.submission = random_token();
    let choice = |(value, label, _): (_, _, _)| (value, label, form.lifetime == value);
    let page = NewPage {
        page: Page::of(me, Section::Profile),
        list: list::load(me).await?,
        lifetimes: LIFETIMES.map(choice).to_vec(),
        form,
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST /profile/keys/new`
pub async fn create(me: SignedIn, form: Form<NewKeyForm>) -> Result<HttpResponse, PageError> {
    let form = form.0;
    let made = match form.read(me.here.now) {
        Ok(new) => personal_keys::issue(&own(&me), new, &form.submission).await,
        Err(error) => Err(error),
    };
    match made {
        // Only the signature is secret: header and claims are in the row.
        Ok(it) => Ok(once::hand_over(&me, it.key.id, &it.signature, &secret_path(it.key.id))?),
        Err(error) => show(&me, form, Errors::of(error)?).await,
    }
}
