//! Signing in and out.
use actix_session::Session;
use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{SameSite, time::Duration},
    http::{StatusCode, header},
    web::{Data, Query},
};
use askama::Template;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{SignIn, asked};
use crate::{
    config::Cookies,
    error::Error,
    http::{
        App, Client, Flash, Form, Page, PageError, SignedIn, cookies, is_local_path,
        page::{Section, html_with},
        see_other,
    },
    pepper::random_token,
    users::User,
};

/// The session cookie's name says which protection it has.
pub fn cookie_name(cookies: Cookies) -> &'static str {
    if cookies == Cookies::Insecure { "sid" } else { "__Host-sid" }
}

const BROWSER: &str = "kw_browser";

#[derive(Template)]
#[template(path = "sessions/sign_in.html")]
struct SignInPage {
    page: Page,
    email: String,
    next: String,
    /// Beside the password; empty for none.
    error: String,
    /// Plain http elsewhere than on this machine: no cookie would come back.
    refused: bool,
    origin: String,
}

#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /sign-in`
pub async fn form(
    app: Data<App>,
    session: Session,
    query: Query<Next>,
) -> Result<HttpResponse, PageError> {
    if super::user_of(&app, &session).await?.is_some() {
        return Ok(see_other(way_on(&query.next)));
    }
    show(&app, StatusCode::OK, String::new(), query.into_inner().next, String::new())
}

fn show(
    app: &App,
    status: StatusCode,
    email: String,
    next: String,
    error: String,
) -> Result<HttpResponse, PageError> {
    let mut page = Page::plain();
    page.insecure = app.site.cookies == Cookies::Insecure;
    let refused = app.site.cookies == Cookies::Refused;
    let next = if is_local_path(&next) { next } else { String::new() };
    let origin = app.site.origin.clone();
    html_with(status, &SignInPage { page, email, next, error, refused, origin })
}

fn way_on(next: &str) -> &str {
    if is_local_path(next) { next } else { "/" }
}

#[derive(Deserialize)]
pub struct SignInForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /sign-in`
pub async fn sign_in(
    app: Data<App>,
    req: HttpRequest,
    client: Client,
    session: Session,
    form: Form<SignInForm>,
) -> Result<HttpResponse, PageError> {
    let SignInForm { email, password, next } = form.0;
    if app.site.cookies == Cookies::Refused {
        return show(&app, StatusCode::CONFLICT, email, next, String::new());
    }
    let tried = SignIn {
        known_browser: known_browser(&app, &req, &email),
        email: email.clone(),
        password: Zeroizing::new(password),
    };
    let (from, now) = (client.clone(), app.clock.now());
    match super::sign_in(&app, tried, client, now).await {
        Ok(user) => {
            let mut response = see_other(way_on(&next));
            super::begin(&session, &user, &from, now)?;
            remember(&app, &user, &mut response)?;
            Ok(response)
        }
        Err(Error::Unauthenticated) => {
            let error = "Email or password is wrong.".to_owned();
            show(&app, StatusCode::UNAUTHORIZED, email, next, error)
        }
        Err(Error::TooMany(seconds)) => {
            let error = too_many(seconds);
            let mut page = show(&app, StatusCode::TOO_MANY_REQUESTS, email, next, error)?;
            page.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            Ok(page)
        }
        Err(error) => Err(error.into()),
    }
}

/// What to say to whoever must wait.
pub(crate) fn too_many(seconds: i64) -> String {
    let wait = crate::http::words::span(chrono::TimeDelta::seconds(seconds));
    format!("Too many tries. Wait {wait}, then try again.")
}

#[derive(Template)]
#[template(path = "sessions/confirm.html")]
struct ConfirmPage {
    page: Page,
    email: String,
    next: String,
    /// What the password is for, and where Cancel leads.
    act: &'static str,
    back: String,
    /// Beside the password; empty for none.
    error: String,
}

fn ask(
    me: &SignedIn,
    status: StatusCode,
    next: &str,
    error: String,
) -> Result<HttpResponse, PageError> {
    let mut page = Page::plain();
    page.theme = Page::of(me, Section::None).theme;
    page.insecure = me.app.site.cookies == Cookies::Insecure;
    let next = way_on(next).to_owned();
    let (act, back) = (asked::act(&next), asked::back(&next));
    html_with(status, &ConfirmPage { page, email: me.user.email.clone(), next, act, back, error })
}

/// `GET /confirm-password`
pub async fn confirm_form(
    me: SignedIn,
    session: Session,
    query: Query<Next>,
) -> Result<HttpResponse, PageError> {
    if super::is_proved(&session, me.here.now) {
        return Ok(see_other(way_on(&query.next)));
    }
    ask(&me, StatusCode::OK, &query.next, String::new())
}

#[derive(Deserialize)]
pub struct ConfirmForm {
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /confirm-password`
pub async fn confirm(
    me: SignedIn,
    req: HttpRequest,
    session: Session,
    form: Form<ConfirmForm>,
) -> Result<HttpResponse, PageError> {
    let (form, now) = (form.0, me.here.now);
    let browser = known_browser(&me.app, &req, &me.user.email);
    let password = Zeroizing::new(form.password);
    match super::prove(&me.app, &me.user, (password, browser), &me.actor(), now).await {
        Ok(()) => {
            super::begin(&session, &me.user, &me.client, now)?;
            let told = Flash::new("Your password is confirmed for 5 minutes.");
            Ok(told.then(&me.app, way_on(&form.next)))
        }
        Err(Error::Unauthenticated) => {
            let error = "This is not your password.".to_owned();
            ask(&me, StatusCode::UNAUTHORIZED, &form.next, error)
        }
        Err(Error::TooMany(seconds)) => {
            let error = too_many(seconds);
            let mut page = ask(&me, StatusCode::TOO_MANY_REQUESTS, &form.next, error)?;
            page.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            Ok(page)
        }
        Err(error) => Err(error.into()),
    }
}

/// This browser gets a bucket of its own, so that nobody elsewhere can lock its user out.
pub fn remember(app: &App, user: &User, response: &mut HttpResponse) -> Result<(), Error> {
    let terms = cookies::Terms {
        name: BROWSER,
        path: "/",
        max_age: Duration::days(365),
        same_site: SameSite::Lax,
    };
    let value = format!("{}\n{}", user.email, random_token());
    let added = response.add_cookie(&cookies::seal(app, terms, value));
    Ok(added.map_err(anyhow::Error::from)?)
}

pub(crate) fn known_browser(app: &App, req: &HttpRequest, email: &str) -> Option<String> {
    let value = cookies::unseal(app, req, BROWSER)?;
    let (owner, name) = value.split_once('\n')?;
    (owner == email.trim().to_lowercase()).then(|| name.to_owned())
}

/// `POST /sign-out`. The browser keeps the cookie that names it: see [`remember`].
pub async fn sign_out(
    me: SignedIn,
    session: Session,
    form: Form<Next>,
) -> Result<HttpResponse, PageError> {
    super::sign_out(&me.app, me.user.id, &me.actor(), me.here.now).await?;
    session.purge();
    let next = form.next.as_str();
    let mut response = if is_local_path(next) {
        let pair =
            form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        see_other(&format!("/sign-in?{pair}"))
    } else {
        see_other("/sign-in")
    };
    let name = header::HeaderName::from_static("clear-site-data");
    let value = header::HeaderValue::from_static("\"cache\", \"storage\"");
    response.headers_mut().insert(name, value);
    Ok(response)
}

/// `GET /`: the one subscription whose keys the person sees, or the list.
pub async fn home(me: SignedIn) -> HttpResponse {
    match me.places.as_slice() {
        [only] if only.role.sees_keys(only.subscription.members_see_keys) => {
            see_other(&format!("/s/{}", only.subscription.slug))
        }
        _ => see_other("/subscriptions"),
    }
}
