//! The dialog that makes a token. It ends with the page that shows it once.
use actix_web::{HttpResponse, web::Query};
use askama::Template;
use chrono::TimeDelta;
use serde::Deserialize;

use super::{
    list::{self, TokenList},
    secret::secret_path,
};
use crate::{
    automation_tokens::{self, AutomationToken, LONGEST_DAYS, NewToken},
    domain::{ApiScope, ApiScopes},
    error::{Error, Result},
    http::{
        Admin, Errors, Form, Page, PageError,
        form::{Draft, Fields},
        once,
        page::{Section, refused},
        words::{Here, Moment},
    },
    key_instances::pages::{id, period_form::chosen_preset},
    pepper::random_token,
};

/// Days that the form offers, or a date: a token without an end would outlive everybody's memory of it.
const LIFETIMES: [(&str, &str); 5] = [
    ("30", "30 days"),
    ("90", "90 days"),
    ("180", "180 days"),
    ("365", "1 year"),
    (DATES, "Own date"),
];
/// The end is the one that was typed.
const DATES: &str = "dates";
const SUGGESTED: &str = "90";

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
    /// The name and the end of the token whose place it takes.
    replaces: Option<(String, Moment)>,
    scopes: Vec<ScopeView>,
    lifetimes: Vec<(&'static str, &'static str, bool)>,
    /// As it is typed, in the viewer's zone; and from when on a lifetime counts there.
    until: String,
    from: String,
    zone: String,
    longest_days: i64,
    submission: String,
    path: String,
    back: String,
    errors: Errors,
}

fn preset(form: &Fields) -> String {
    chosen_preset(form.one("preset").to_owned(), form.one("until"), form.one("offered"))
}

fn read(form: &Fields, here: &Here) -> Result<NewToken> {
    let chosen = preset(form);
    let chosen = LIFETIMES.iter().find(|it| it.0 == chosen);
    let ends_at = match chosen.map(|it| (it.0, it.0.parse::<i64>())) {
        Some((DATES, _)) => {
            let at = here.parse_input(form.one("until"));
            Some(at.map_err(|it| Error::field("ends_at", it))?)
        }
        Some((_, Ok(days))) => Some(here.now + TimeDelta::days(days)),
        _ => None,
    };
    Ok(NewToken {
        name: form.one("name").to_owned(),
        scopes: ApiScopes::parse(form.all("scopes")),
        ends_at,
    })
}

#[derive(Deserialize)]
pub struct Like {
    /// The token that the new one replaces: it gets the same name and scopes.
    #[serde(default)]
    like: String,
}

/// `GET /s/{slug}/settings/tokens/new`
pub async fn form(
    admin: Admin,
    query: Query<Like>,
    draft: Draft<Fields>,
) -> Result<HttpResponse, PageError> {
    let like = match query.like.as_str() {
        "" => None,
        like => Some(automation_tokens::find(&admin.act(), id(like)).await?),
    };
    show(&admin, draft.0.as_ref(), like.as_ref(), Errors::none()).await
}

/// With a fresh submission token: a refused form has created nothing.
async fn show(
    admin: &Admin,
    form: Option<&Fields>,
    like: Option<&AutomationToken>,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let here = &admin.me.here;
    let chosen = form.map_or_else(|| SUGGESTED.to_owned(), preset);
    let days = chosen.parse().unwrap_or(0);
    let from = here.this_minute();
    let typed = form.map(|it| it.one("until").to_owned()).unwrap_or_default();
    let known = like.map(AutomationToken::scopes);
    let scope = |it: ApiScope| ScopeView {
        name: it.as_str(),
        description: it.description(),
        chosen: match form {
            Some(form) => form.all("scopes").any(|name| name == it.as_str()),
            None => known.as_ref().is_some_and(|known| known.iter().any(|known| known == it)),
        },
    };
    let name = form.map(|it| it.one("name").to_owned());
    let page = NewPage {
        page: Page::within(admin, Section::Settings),
        list: list::view(admin).await?,
        name: name.or_else(|| like.map(|it| it.name.clone())).unwrap_or_default(),
        replaces: like.map(|it| (it.name.clone(), here.day(it.ends()))),
        scopes: ApiScope::ALL.map(scope).into(),
        lifetimes: LIFETIMES.map(|(value, label)| (value, label, value == chosen)).to_vec(),
        until: match chosen.as_str() {
            DATES => typed,
            _ => here.input(from + TimeDelta::days(days)),
        },
        from: here.input(from),
        zone: here.zone.to_string(),
        longest_days: LONGEST_DAYS,
        submission: random_token(),
        path: admin.path("/settings/tokens/new"),
        back: admin.path("/settings/tokens"),
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST /s/{slug}/settings/tokens/new`
pub async fn create(admin: Admin, form: Form<Fields>) -> Result<HttpResponse, PageError> {
    let made = match read(&form, &admin.me.here) {
        Ok(new) => automation_tokens::create(&admin.act(), &new, form.one("submission")).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(it) => {
            let path = secret_path(&admin, it.token.id);
            Ok(once::hand_over(&admin.me, it.token.id, &it.secret, &path)?)
        }
        Err(error @ Error::AlreadyDone { .. }) => Err(error.into()),
        Err(error) => show(&admin, Some(&form), None, Errors::of(error)?).await,
    }
}
