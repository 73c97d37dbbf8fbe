//! One act on many keys: a page that lists each with what happens to it, and one that says what did.
use std::collections::HashMap;

use actix_web::{HttpResponse, http::StatusCode, web::Query};
use askama::Template;
use uuid::Uuid;

use super::row::{Badge, is_in_use};
use crate::{
    domain::{Refusal, Status, lifecycle::Extension},
    error::{Error, Result},
    http::{
        Admin, Errors, Form, Page, PageError,
        form::{Draft, Fields},
        is_local_path,
        page::{Section, html_with, refused},
        words::{self, Here, Moment},
    },
    key_instances::{
        KeyInstance,
        bulk::{self, Outcomes, Row, Seen, Wish},
    },
    pepper::random_token,
    verify::usage,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Deactivate,
    Extend,
}

/// One key as both pages list it.
struct BulkRow {
    name: String,
    path: String,
    group: String,
    badge: Badge,
    last_used: Option<Moment>,
    /// In the last 24 hours.
    calls: String,
    is_in_use: bool,
    /// What happens or has happened to it; or why nothing does.
    what: String,
    is_done: bool,
    /// Its id and a picture of what was seen, for the form; empty for what the form leaves out.
    value: String,
}

/// The choices of an extension: value, label, chosen.
struct ExtensionView {
    presets: Vec<(&'static str, &'static str, bool)>,
    until: String,
    zone: String,
    /// The most days that a key may live here.
    longest: Option<i32>,
    /// What the rows below tell the outcome of.
    shown: String,
}

#[derive(Template)]
#[template(path = "key_instances/bulk.html")]
struct BulkPage {
    page: Page,
    title: String,
    text: &'static str,
    button: String,
    keep: &'static str,
    rows: Vec<BulkRow>,
    /// How many of them it can be done to.
    doable: usize,
    missing: usize,
    /// Which groups stop working, in a sentence; empty if none does.
    stops: String,
    extension: Option<ExtensionView>,
    /// Must be typed, because some are in use; empty if none is.
    to_type: String,
    in_use: usize,
    submission: String,
    path: String,
    /// The list that it came from.
    back: String,
    errors: Errors,
}

#[derive(Template)]
#[template(path = "key_instances/bulk_done.html")]
struct DonePage {
    page: Page,
    title: String,
    rows: Vec<BulkRow>,
    missing: usize,
    back: String,
}

/// `GET /s/{slug}/keys/bulk/deactivation`
pub async fn deactivation_form(
    admin: Admin,
    query: Query<Fields>,
    draft: Draft<Fields>,
) -> Result<HttpResponse, PageError> {
    show(&admin, Kind::Deactivate, chosen(query, draft), Errors::none()).await
}

/// `GET /s/{slug}/keys/bulk/extension`
pub async fn extension_form(
    admin: Admin,
    query: Query<Fields>,
    draft: Draft<Fields>,
) -> Result<HttpResponse, PageError> {
    show(&admin, Kind::Extend, chosen(query, draft), Errors::none()).await
}

/// `POST /s/{slug}/keys/bulk/deactivation`
pub async fn deactivate(admin: Admin, form: Form<Fields>) -> Result<HttpResponse, PageError> {
    act(&admin, Kind::Deactivate, form.0).await
}

/// `POST /s/{slug}/keys/bulk/extension`
pub async fn extend(admin: Admin, form: Form<Fields>) -> Result<HttpResponse, PageError> {
    act(&admin, Kind::Extend, form.0).await
}

/// What was ticked just now; else what was posted before the session ended.
fn chosen(query: Query<Fields>, draft: Draft<Fields>) -> Fields {
    let query = query.into_inner();
    let is_new = query.all("pick").next().is_some();
    draft.0.filter(|_| !is_new).unwrap_or(query)
}

/// The keys that a form names: `{id}`, or `{id}.{picture}` once they were looked at. Each once.
fn seen(form: &Fields) -> Vec<Seen> {
    let mut all: Vec<Seen> = Vec::new();
    for text in form.all("pick") {
        let (id, picture) = text.split_once('.').unwrap_or((text, ""));
        let id = Uuid::try_parse(id).unwrap_or_default();
        if all.iter().all(|it| it.id != id) && all.len() <= bulk::MOST {
            all.push(Seen { id, picture: picture.to_owned() });
        }
    }
    all
}

/// Where the selection was made; the list of all keys for rubbish.
fn list(admin: &Admin, form: &Fields) -> String {
    let list = Some(form.one("list"));
    let list = list.filter(|it| is_local_path(it) && it.starts_with(&admin.path("/")));
    list.map_or_else(|| admin.path("/keys"), str::to_owned)
}

const PRESETS: [(&str, &str, i64); 3] =
    [("30", "30 days", 30), ("90", "90 days", 90), ("365", "1 year", 365)];

fn preset(form: &Fields) -> &str {
    Some(form.one("preset")).filter(|it| !it.is_empty()).unwrap_or("30")
}

/// The choice of an extension as it was posted.
fn wanted(form: &Fields) -> String {
    format!("{} {}", preset(form), form.one("until"))
}

fn wish(kind: Kind, form: &Fields, here: &Here) -> Result<Wish> {
    if kind == Kind::Deactivate {
        return Ok(Wish::Deactivate);
    }
    let chosen = preset(form);
    if let Some((_, _, days)) = PRESETS.iter().find(|it| it.0 == chosen) {
        return Ok(Wish::Extend(Extension::Days(*days)));
    }
    if chosen != "dates" {
        return Err(Error::field("until", "Choose by how much the keys are extended."));
    }
    let until = here.parse_input(form.one("until")).map_err(|it| Error::field("until", it))?;
    if until <= here.now {
        return Err(Error::field("until", Refusal::EndInThePast.to_string()));
    }
    Ok(Wish::Extend(Extension::Until(until)))
}

async fn show(
    admin: &Admin,
    kind: Kind,
    form: Fields,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let (act, here) = (admin.act(), &admin.me.here);
    let ids: Vec<Uuid> = seen(&form).iter().map(|it| it.id).collect();
    let wish = wish(kind, &form, here);
    // Without a date nothing is promised, but what can never be extended says so.
    let is_clear = wish.is_ok();
    let wish = wish.unwrap_or(Wish::Extend(Extension::Days(1)));
    let outcomes = bulk::preview(&act, wish, &ids).await?;
    let mut rows = rows(admin, &outcomes, false).await?;
    for row in rows.iter_mut().filter(|it| it.is_done && !is_clear) {
        row.what = "Say until when".to_owned();
    }
    let doable = outcomes.done();
    let in_use = rows.iter().filter(|it| it.is_done && it.is_in_use).count();
    let keys = words::plural(doable, "key");
    let (title, text, button, keep, path) = match kind {
        Kind::Deactivate => {
            for row in rows.iter_mut().filter(|it| !it.is_done) {
                row.value.clear();
            }
            (
                format!("Deactivate {keys}?"),
                "Calls with these keys are refused from this moment. You can reactivate each of them \
                 later.",
                format!("Deactivate {keys}"),
                "Keep active",
                "deactivation",
            )
        }
        Kind::Extend => (
            format!("Extend {}", words::plural(rows.len(), "key")),
            "Their active periods get longer. No key ends earlier than it would have.",
            "Extend".to_owned(),
            "Cancel",
            "extension",
        ),
    };
    let given = form.one("submission");
    let page = BulkPage {
        page: Page::within(admin, Section::Keys),
        title: match (ids.is_empty(), doable, kind) {
            (true, ..) => "No keys are chosen".to_owned(),
            (_, 0, Kind::Deactivate) => "None of these can be deactivated".to_owned(),
            _ => title,
        },
        text,
        button,
        keep,
        doable,
        missing: outcomes.missing,
        stops: if kind == Kind::Deactivate { stops(&outcomes, here) } else { String::new() },
        extension: (kind == Kind::Extend).then(|| extension(admin, &form)),
        to_type: match kind {
            Kind::Deactivate if in_use > 0 => doable.to_string(),
            _ => String::new(),
        },
        in_use,
        submission: if given.is_empty() { random_token() } else { given.to_owned() },
        path: admin.path(&format!("/keys/bulk/{path}")),
        back: list(admin, &form),
        rows,
        errors,
    };
    refused(&page, &page.errors)
}

fn extension(admin: &Admin, form: &Fields) -> ExtensionView {
    let chosen = preset(form);
    let longest = admin.scope.subscription().period_rules().max_lifetime_days;
    let presets = PRESETS.iter().map(|it| (it.0, it.1, it.0 == chosen));
    ExtensionView {
        presets: presets.chain([("dates", "Until a date", chosen == "dates")]).collect(),
        until: form.one("until").to_owned(),
        zone: admin.me.here.zone.to_string(),
        longest,
        shown: wanted(form),
    }
}

/// Groups of which nothing stays active.
fn stops(outcomes: &Outcomes, here: &Here) -> String {
    let mut going: HashMap<Uuid, (&str, i32, i32)> = HashMap::new();
    let is_going = |it: &&Row| it.outcome.is_ok() && it.key.status(here.now) == Status::Active;
    for row in outcomes.rows.iter().filter(is_going) {
        let first = (row.group.name.as_str(), row.group.active_count, 0);
        going.entry(row.group.id).or_insert(first).2 += 1;
    }
    let mut names: Vec<String> =
        going.into_values().filter(|it| it.2 >= it.1).map(|it| it.0.to_owned()).collect();
    names.sort_unstable();
    let (n, verb) = (names.len(), if names.len() == 1 { "stops" } else { "stop" });
    if n > 10 {
        names.truncate(9);
        names.push(format!("{} more key groups", n - 9));
    }
    if n == 0 { String::new() } else { format!("{} {verb} working.", words::list(&names)) }
}

/// `is_over`: it was done, and is not merely planned.
async fn rows(admin: &Admin, outcomes: &Outcomes, is_over: bool) -> Result<Vec<BulkRow>> {
    let here = &admin.me.here;
    let ids: Vec<Uuid> = outcomes.rows.iter().map(|it| it.key.id).collect();
    let calls = usage::last_day(&admin.me.app.db, ids, here.now).await?;
    let row = |it: &Row| {
        let after = it.outcome.as_ref().map(|facts| it.key.with(facts));
        BulkRow {
            name: it.key.name(),
            path: admin.path(&format!("/groups/{}/keys/{}", it.group.id, it.key.id)),
            group: it.group.name.clone(),
            badge: match &after {
                Ok(after) if is_over => Badge::of(after, here),
                _ => Badge::of(&it.key, here),
            },
            last_used: it.key.last_used().map(|at| here.relative(at)),
            calls: words::count(calls.get(&it.key.id).map_or(0, |it| it.accepted)),
            is_in_use: is_in_use(&it.key, here),
            what: match (&it.outcome, &after) {
                (Err(refusal), _) => refusal.to_string(),
                (Ok(_), Ok(after)) => in_words(&it.key, after, here, is_over),
                (Ok(_), Err(_)) => String::new(),
            },
            is_done: it.outcome.is_ok(),
            value: format!("{}.{}", it.key.id.simple(), bulk::picture(&it.key)),
        }
    };
    Ok(outcomes.rows.iter().map(row).collect())
}

fn in_words(before: &KeyInstance, after: &KeyInstance, here: &Here, is_over: bool) -> String {
    let until = |it: &KeyInstance| it.facts().period.until().map(|at| here.minute(at).text);
    if after.deactivated_at.is_some() {
        return if is_over { "Deactivated" } else { "Is deactivated" }.to_owned();
    }
    match (until(before), until(after)) {
        (Some(old), Some(new)) if !is_over => format!("Ends {new} instead of {old}"),
        (_, Some(new)) => format!("Ends {new}"),
        _ => String::new(),
    }
}

async fn act(admin: &Admin, kind: Kind, form: Fields) -> Result<HttpResponse, PageError> {
    let here = &admin.me.here;
    let seen = seen(&form);
    let was_shown = !form.one("submission").is_empty() && !seen.is_empty();
    if form.one("act") == "check" || !was_shown {
        return show(admin, kind, form, Errors::none()).await;
    }
    let back = list(admin, &form);
    let done = match wish(kind, &form, here) {
        // Nothing is done that the rows did not tell the outcome of: another choice is shown first.
        Ok(Wish::Extend(_)) if form.one("shown") != wanted(&form) => {
            return show(admin, kind, form, Errors::none()).await;
        }
        Ok(wish) => carry_out(admin, wish, &seen, &form, back.clone()).await,
        Err(error) => Err(error),
    };
    let outcomes = match done {
        Ok(outcomes) => outcomes,
        Err(error) => return show(admin, kind, form, Errors::of(error)?).await,
    };
    let (n, all) = (outcomes.done(), seen.len());
    let verb = if kind == Kind::Deactivate { "deactivated" } else { "extended" };
    let are = if n == 1 { "is" } else { "are" };
    let keys = if all == 1 { "key" } else { "keys" };
    let page = DonePage {
        page: Page::within(admin, Section::Keys),
        title: match n {
            0 => format!("No key was {verb}"),
            _ if n == all => format!("{} {are} {verb}", words::plural(n, "key")),
            _ => format!("{n} of {all} {keys} {are} {verb}"),
        },
        rows: rows(admin, &outcomes, true).await?,
        missing: outcomes.missing,
        back,
    };
    html_with(if n == 0 { StatusCode::CONFLICT } else { StatusCode::OK }, &page)
}

async fn carry_out(
    admin: &Admin,
    wish: Wish,
    seen: &[Seen],
    form: &Fields,
    back: String,
) -> Result<Outcomes> {
    let act = admin.act();
    if wish == Wish::Deactivate {
        // The form names those only that it can be done to: their number is the one to type.
        let ids: Vec<Uuid> = seen.iter().map(|it| it.id).collect();
        let now = bulk::preview(&act, wish, &ids).await?;
        let is_live = |it: &Row| it.outcome.is_ok() && is_in_use(&it.key, &admin.me.here);
        let expected = seen.len().to_string();
        if now.rows.iter().any(is_live) && form.one("confirm").trim() != expected {
            let told = format!("Type {expected}, the number of keys that are deactivated.");
            return Err(Error::field("confirm", told));
        }
    }
    bulk::carry_out(&act, wish, seen, (form.one("submission"), back)).await
}
