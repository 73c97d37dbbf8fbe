//! Another password for oneself: a dialog over the profile.
use actix_session::Session;
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use askama::Template;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::profile::{self, Profile};
use crate::{
    error::Error,
    http::{
        Errors, Flash, Form, Page, PageError, SignedIn,
        page::{Section, refused},
    },
    sessions::{
        self,
        pages::{known_browser, too_many},
    },
};

#[derive(Template)]
#[template(path = "users/password.html")]
struct PasswordPage {
    page: Page,
    profile: Profile,
    errors: Errors,
}

#[derive(Deserialize)]
pub struct PasswordForm {
    #[serde(default)]
    password: String,
    #[serde(default)]
    new_password: String,
}

async fn show(me: &SignedIn, session: &Session, errors: Errors) -> Result<HttpResponse, PageError> {
    let page = Page::of(me, Section::Profile);
    let profile = profile::view(me, session, None, Errors::none()).await?;
    let page = PasswordPage { page, profile, errors };
    refused(&page, &page.errors)
}

/// `GET /profile/password`
pub async fn form(me: SignedIn, session: Session) -> Result<HttpResponse, PageError> {
    show(&me, &session, Errors::none()).await
}

/// `POST /profile/password`
pub async fn change(
    me: SignedIn,
    req: HttpRequest,
    session: Session,
    form: Form<PasswordForm>,
) -> Result<HttpResponse, PageError> {
    let [old, new] = [form.0.password, form.0.new_password].map(Zeroizing::new);
    let (browser, now) = (known_browser(&me.app, &req, &me.user.email), me.here.now);
    let old = (old, browser);
    match sessions::change_password(&me.app, &me.user, old, new, &me.actor(), now).await {
        Ok(user) => {
            sessions::begin(&session, &user, &me.client, now)?;
            let told = "Your password is changed. Your other sessions have ended.";
            Ok(Flash::new(told).then(&me.app, "/profile"))
        }
        Err(Error::TooMany(seconds)) => {
            let errors = Errors::of(Error::field("password", too_many(seconds)))?;
            let mut page = show(&me, &session, errors).await?;
            *page.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            page.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            Ok(page)
        }
        Err(error) => show(&me, &session, Errors::of(error)?).await,
    }
}
