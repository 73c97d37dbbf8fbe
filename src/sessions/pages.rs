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

use super::{SignIn, USER};
use crate::{
    config::Cookies,
    error::Error,
    http::{
        App, Client, Form, Page, PageError, SignedIn, cookies, is_local_path, page::html_with,
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
    if let Ok(Some(_)) = session.get::<uuid::Uuid>(USER) {
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
    match super::sign_in(&app, tried, client, app.clock.now()).await {
        Ok(user) => {
            let mut response = see_other(way_on(&next));
            begin(&session, &user)?;
            remember(&app, &user, &mut response)?;
            Ok(response)
        }
        Err(Error::Unauthenticated) => {
            let error = "Email or password is wrong.".to_owned();
            show(&app, StatusCode::UNAUTHORIZED, email, next, error)
        }
        Err(Error::TooMany(seconds)) => {
            let wait = crate::http::words::span(chrono::TimeDelta::seconds(seconds));
            let error = format!("Too many tries. Wait {wait}, then try again.");
            let mut page = show(&app, StatusCode::TOO_MANY_REQUESTS, email, next, error)?;
            page.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            Ok(page)
        }
        Err(error) => Err(error.into()),
    }
}

/// A new session, with a new id, for a user who has just shown who they are.
pub fn begin(session: &Session, user: &User) -> Result<(), Error> {
    session.renew();
    Ok(session.insert(USER, user.id).map_err(anyhow::Error::from)?)
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

fn known_browser(app: &App, req: &HttpRequest, email: &str) -> Option<String> {
    let value = cookies::unseal(app, req, BROWSER)?;
    let (owner, name) = value.split_once('\n')?;
    (owner == email.trim().to_lowercase()).then(|| name.to_owned())
}

/// `POST /sign-out`. The browser keeps the cookie that names it: see [`remember`].
pub async fn sign_out(me: SignedIn, session: Session) -> Result<HttpResponse, PageError> {
    super::sign_out(&me.app, me.user.id, &me.actor(), me.here.now).await?;
    session.purge();
    let mut response = see_other("/sign-in");
    let name = header::HeaderName::from_static("clear-site-data");
    let value = header::HeaderValue::from_static("\"cache\", \"storage\"");
    response.headers_mut().insert(name, value);
    Ok(response)
}

/// `GET /`: the one subscription whose keys the person sees, or the list.
pub async fn home(me: SignedIn) -> HttpResponse {
    match me.places.as_slice() {
        [(only, role)] if role.sees_keys(only.members_see_keys) => {
            see_other(&format!("/s/{}", only.slug))
        }
        _ => see_other("/subscriptions"),
    }
}
