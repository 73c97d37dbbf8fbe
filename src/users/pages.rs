//! The profile: how a person wants to see the pages.
use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use super::Preferences;
use crate::http::{
    Errors, Flash, Form, Page, PageError, SignedIn,
    form::Draft,
    page::{Section, refused},
};

#[derive(Template)]
#[template(path = "users/profile.html")]
struct ProfilePage {
    page: Page,
    email: String,
    form: ProfileForm,
    zones: Vec<&'static str>,
    errors: Errors,
}

#[derive(Clone, Default, Deserialize)]
pub struct ProfileForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    theme: String,
    #[serde(default)]
    time_zone: String,
}

/// `GET /profile`
pub async fn form(me: SignedIn, draft: Draft<ProfileForm>) -> Result<HttpResponse, PageError> {
    let user = &me.user;
    let now = ProfileForm {
        name: user.name.clone(),
        theme: user.theme.clone(),
        time_zone: user.time_zone.clone(),
    };
    show(&me, draft.0.unwrap_or(now), Errors::none())
}

fn show(me: &SignedIn, form: ProfileForm, errors: Errors) -> Result<HttpResponse, PageError> {
    let page = ProfilePage {
        page: Page::of(me, Section::Profile),
        email: me.user.email.clone(),
        form,
        zones: chrono_tz::TZ_VARIANTS.iter().map(|it| it.name()).collect(),
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST /profile`
pub async fn save(me: SignedIn, form: Form<ProfileForm>) -> Result<HttpResponse, PageError> {
    let form = form.0;
    let wanted = Preferences {
        name: form.name.clone(),
        theme: form.theme.clone(),
        time_zone: form.time_zone.clone(),
    };
    match super::set_preferences(&me.app.db, me.user.id, wanted).await {
        Ok(()) => Ok(Flash::new("Your profile is saved.").then(&me.app, "/profile")),
        Err(error) => show(&me, form, Errors::of(error)?),
    }
}
