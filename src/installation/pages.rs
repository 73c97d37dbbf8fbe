//! The set-up page behind the one-time link.
use actix_session::Session;
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use askama::Template;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::SetUp;
use crate::{
    config::Cookies,
    error::Error,
    http::{App, Client, Errors, Flash, Form, Page, PageError, page::refused},
    sessions,
    subscriptions::NewSubscription,
    users::NewUser,
};

#[derive(Template)]
#[template(path = "installation/set_up.html")]
struct SetUpPage {
    page: Page,
    form: SetUpForm,
    errors: Errors,
    refused: bool,
    origin: String,
}

#[derive(Deserialize, Default)]
pub struct SetUpForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    subscription: String,
    #[serde(default)]
    slug: String,
}

fn show(app: &App, form: SetUpForm, errors: Errors) -> Result<HttpResponse, PageError> {
    let mut page = Page::plain();
    page.insecure = app.site.cookies == Cookies::Insecure;
    let origin = app.site.origin.clone();
    let is_refused = app.site.cookies == Cookies::Refused;
    let it = SetUpPage { page, form, errors, refused: is_refused, origin };
    refused(&it, &it.errors)
}

/// `GET /setup/{token}`
pub async fn form(app: Data<App>, token: Path<String>) -> Result<HttpResponse, PageError> {
    if !super::is_open(&app, &token, app.clock.now()).await? {
        return Err(Error::NotFound.into());
    }
    show(&app, SetUpForm::default(), Errors::none())
}

/// `POST /setup/{token}`
pub async fn set_up(
    app: Data<App>,
    token: Path<String>,
    client: Client,
    session: Session,
    form: Form<SetUpForm>,
) -> Result<HttpResponse, PageError> {
    let mut form = form.0;
    if app.site.cookies == Cookies::Refused {
        return show(&app, form, Errors::none());
    }
    let it = SetUp {
        owner: NewUser {
            email: form.email.clone(),
            name: form.name.clone(),
            password: Zeroizing::new(std::mem::take(&mut form.password)),
        },
        subscription: NewSubscription { name: form.subscription.clone(), slug: form.slug.clone() },
    };
    let (from, now) = (client.clone(), app.clock.now());
    match super::set_up(&app, &token, it, client, now).await {
        Ok((user, subscription)) => {
            sessions::begin(&session, &user, &from, now)?;
            let welcome = Flash::new("Keyward is set up, and you are signed in.");
            let mut response = welcome.then(&app, &format!("/s/{}", subscription.slug));
            sessions::pages::remember(&app, &user, &mut response)?;
            Ok(response)
        }
        Err(error) => show(&app, form, Errors::of(error)?),
    }
}
