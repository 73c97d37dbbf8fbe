//! The dialog that makes a token. It ends with the page that shows it once.
use actix_web::HttpResponse;
use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    list::{self, TokenList},
    secret::secret_path,
};
use crate::{
    automation_tokens::{self, NewToken},
    domain::{ApiScope, ApiScopes},
    error::{Error, Result},
    http::{
        Admin, Errors, Form, Page, PageError,
        form::{Draft, Fields},
        once,
        page::{Section, refused},
    },
    pepper::random_token,
};

/// Days that the form offers: a token without an end would outlive everybody's memory of it.
const LIFETIMES: [(&str, &str); 4] =
    [("30", "30 days"), ("90", "90 days"), ("180", "180 days"), ("365", "1 year")];

struct ScopeView {
    name: &'static str,
    description: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "automation_tokens/new.html")]
struct NewPage {
    page: Page,
    list: TokenList,
    name: String,
    scopes: Vec<ScopeView>,
    lifetimes: Vec<(&'static str, &'static str, bool)>,
    submission: String,
    path: String,
    back: String,
    errors: Errors,
}

fn read(form: &Fields, now: DateTime<Utc>) -> NewToken {
    let chosen = LIFETIMES.iter().find(|it| it.0 == form.one("lifetime"));
    let days = chosen.and_then(|it| it.0.parse().ok());
    NewToken {
        name: form.one("name").to_owned(),
        scopes: ApiScopes::parse(form.all("scopes")),
        ends_at: days.map(|it| now + TimeDelta::days(it)),
    }
}

/// `GET /s/{slug}/settings/tokens/new`
pub async fn form(admin: Admin, draft: Draft<Fields>) -> Result<HttpResponse, PageError> {
    show(&admin, draft.0.as_ref(), Errors::none()).await
}

/// With a fresh submission token: a refused form has created nothing.
async fn show(
    admin: &Admin,
    form: Option<&Fields>,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let chosen = form.map_or("90", |it| it.one("lifetime"));
    let scope = |it: ApiScope| ScopeView {
        name: it.as_str(),
        description: it.description(),
        chosen: form.is_some_and(|form| form.all("scopes").any(|name| name == it.as_str())),
    };
    let page = NewPage {
        page: Page::within(admin, Section::Settings),
        list: list::view(admin).await?,
        name: form.map(|it| it.one("name").to_owned()).unwrap_or_default(),
        scopes: ApiScope::ALL.map(scope).into(),
        lifetimes: LIFETIMES.map(|(value, label)| (value, label, value == chosen)).to_vec(),
        submission: random_token(),
        path: admin.path("/settings/tokens/new"),
        back: admin.path("/settings/tokens"),
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST /s/{slug}/settings/tokens/new`
pub async fn create(admin: Admin, form: Form<Fields>) -> Result<HttpResponse, PageError> {
    let new = read(&form, admin.me.here.now);
    let made = automation_tokens::create(&admin.act(), &new, form.one("submission")).await;
    match made {
        Ok(it) => {
            let path = secret_path(&admin, it.token.id);
            Ok(once::hand_over(&admin.me, it.token.id, &it.secret, &path)?)
        }
        Err(error @ Error::AlreadyDone { .. }) => Err(error.into()),
        Err(error) => show(&admin, Some(&form), Errors::of(error)?).await,
    }
}
