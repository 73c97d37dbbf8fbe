//! The dialogs that take a key out of use, with the live facts that a person should know first.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use chrono::TimeDelta;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    KeyPath,
    list::{self, KeyList},
    period_form::PeriodFields,
    rotation,
    row::is_in_use,
};
use crate::{
    domain::{GroupKind, Status},
    error::{Error, Result},
    http::{
        Admin, Errors, Flash, Form, Page, PageError,
        form::Draft,
        page::{Section, refused},
        words,
    },
    key_instances::{self, KeyInstance, Target},
    subscriptions::Act,
    verify::usage,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Deactivate,
    Revoke,
}

/// One live fact, with the icon and colour of how much it matters.
pub struct Fact {
    pub icon: &'static str,
    pub class: &'static str,
    pub strong: String,
    pub text: String,
}

#[derive(Template)]
#[template(path = "key_instances/ending.html")]
struct EndingPage {
    page: Page,
    list: KeyList,
    title: String,
    text: &'static str,
    facts: Vec<Fact>,
    /// Must be typed, because the key is in use; empty if it is not.
    to_type: String,
    /// As it was typed.
    reason: String,
    button: String,
    keep: &'static str,
    path: String,
    back: String,
    errors: Errors,
}

async fn show(
    admin: &Admin,
    kind: Kind,
    ids: (Uuid, Uuid),
    (reason, errors): (&str, Errors),
) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let key = key_instances::find(&act, ids).await?;
    let list = list::behind_dialog(admin, ids.0).await?;
    let name = key.name();
    let (title, text, button, keep, path) = match kind {
        Kind::Deactivate => (
            format!("Deactivate {name}?"),
            "Calls with this key are refused from this moment. You can reactivate it later.",
            format!("Deactivate {name}"),
            "Keep it",
            "deactivation",
        ),
        Kind::Revoke => (
            format!("Revoke {name}?"),
            match (list.kind(), key.status(act.now)) {
                (_, Status::Expired | Status::Deactivated) => {
                    "It can never be reactivated again. This cannot be undone."
                }
                (GroupKind::Token, _) => {
                    "It ends now and this cannot be undone. Deactivate it if you may need it again."
                }
                (GroupKind::ClientCredentials, _) => "It expires now and this cannot be undone.",
            },
            format!("Revoke {name}"),
            "Keep it",
            "revocation",
        ),
    };
    let verb = if kind == Kind::Deactivate { "deactivate" } else { "revoke" };
    let page = EndingPage {
        page: Page::within(admin, Section::Keys),
        title,
        text,
        facts: facts(admin, &act, &key, verb).await?,
        to_type: if is_in_use(&key, &admin.me.here) { name } else { String::new() },
        reason: reason.to_owned(),
        button,
        keep,
        path: format!("{}/keys/{}/{path}", list.path, key.id),
        back: list.path.clone(),
        list,
        errors,
    };
    refused(&page, &page.errors)
}

/// Calls of the last 24 hours, how far the successor has taken over, and what stays active.
async fn facts(admin: &Admin, act: &Act<'_>, key: &KeyInstance, verb: &str) -> Result<Vec<Fact>> {
    let here = &admin.me.here;
    let group = key_instances::ahead(act, key.key_group_id).await?;
    let mut facts = Vec::new();
    let calls = calls_last_day(act, key).await?;
    if let Some(at) = key.last_used() {
        let from = key.last_used_from.as_deref().unwrap_or("an unknown address");
        let last = format!("the last one {} from {from}", here.relative(at).text);
        facts.push(if calls > 0 {
            let strong = format!("{} in the last 24 hours", words::plural(calls, "call"));
            Fact { icon: "triangle-alert", class: "c-bad", strong, text: format!(", {last}") }
        } else {
            let strong = "No calls in the last 24 hours".to_owned();
            Fact { icon: "circle-check", class: "c-ok", strong, text: format!(", {last}") }
        });
    } else {
        // Uses are written in batches: who tried the key a moment ago must not take this for wrong.
        let (strong, text) = ("Never used".to_owned(), ", as of 10 seconds ago".to_owned());
        facts.push(Fact { icon: "circle-check", class: "c-ok", strong, text });
    }
    let rotation = rotation::of(admin, act, key, &group).await?;
    if let Some(rotation) = &rotation {
        facts.extend(rotation.facts(verb, here));
    } else if let Some(next) = key_instances::successor(key, &group) {
        let start = next.facts().period.from();
        facts.push(if start > here.now {
            let text = format!(
                "Its successor {} is not active before {}",
                next.name(),
                here.minute(start).text
            );
            Fact { icon: "hourglass", class: "c-soon", strong: String::new(), text }
        } else {
            let text = format!("Its successor {} is active", next.name());
            Fact { icon: "circle-check", class: "c-ok", strong: String::new(), text }
        });
    }
    let others: Vec<String> = group
        .iter()
        .filter(|it| it.id != key.id && it.status(here.now) == Status::Active)
        .map(KeyInstance::name)
        .collect();
    // That its successor is active was said already.
    let is_told = rotation.is_some_and(|it| it.says_active() && others == [it.new.name.as_str()]);
    if key.status(here.now) == Status::Active && !is_told {
        facts.push(if others.is_empty() {
            let strong = "This is the last active one of its group.".to_owned();
            let text = " The group stops working.".to_owned();
            Fact { icon: "triangle-alert", class: "c-bad", strong, text }
        } else {
            let verb = if others.len() == 1 { "stays" } else { "stay" };
            let text = format!("{} {verb} active", words::list(&others));
            Fact { icon: "circle-check", class: "c-ok", strong: String::new(), text }
        });
    }
    Ok(facts)
}

/// Accepted calls of the last 24 hours.
pub async fn calls_last_day(act: &Act<'_>, key: &KeyInstance) -> Result<i64> {
    let calls = usage::last_day(&act.app.db, vec![key.id], act.now).await?;
    let calls = calls.get(&key.id).map_or(0, |it| it.accepted);
    // They are counted in whole hours, and the last one is known exactly.
    let is_used = key.last_used().is_some_and(|at| at > act.now - TimeDelta::hours(24));
    Ok(calls.max(is_used.into()))
}

/// `GET .../deactivation`
pub async fn deactivation_form(
    admin: Admin,
    path: Path<KeyPath>,
    draft: Draft<EndingForm>,
) -> Result<HttpResponse, PageError> {
    let reason = draft.0.unwrap_or_default().reason;
    show(&admin, Kind::Deactivate, path.ids(), (&reason, Errors::none())).await
}

/// `GET .../revocation`
pub async fn revocation_form(
    admin: Admin,
    path: Path<KeyPath>,
    draft: Draft<EndingForm>,
) -> Result<HttpResponse, PageError> {
    let reason = draft.0.unwrap_or_default().reason;
    show(&admin, Kind::Revoke, path.ids(), (&reason, Errors::none())).await
}

#[derive(Default, Deserialize)]
pub struct EndingForm {
    #[serde(default)]
    confirm: String,
    /// For the audit log.
    #[serde(default)]
    reason: String,
}

/// `POST .../deactivation`
pub async fn deactivate(
    admin: Admin,
    path: Path<KeyPath>,
    form: Form<EndingForm>,
) -> Result<HttpResponse, PageError> {
    end(&admin, Kind::Deactivate, path.ids(), &form).await
}

/// `POST .../revocation`
pub async fn revoke(
    admin: Admin,
    path: Path<KeyPath>,
    form: Form<EndingForm>,
) -> Result<HttpResponse, PageError> {
    end(&admin, Kind::Revoke, path.ids(), &form).await
}

async fn end(
    admin: &Admin,
    kind: Kind,
    ids: (Uuid, Uuid),
    form: &EndingForm,
) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let before = key_instances::find(&act, ids).await?;
    let target = Target::from(ids).because(&form.reason);
    let ended = if is_in_use(&before, &admin.me.here) && form.confirm.trim() != before.name() {
        Err(Error::field("confirm", format!("Type {} to confirm.", before.name())))
    } else if kind == Kind::Deactivate {
        key_instances::deactivate(&act, target).await
    } else {
        key_instances::revoke(&act, target).await
    };
    let key = match ended {
        Ok(key) => key,
        Err(error) => return show(admin, kind, ids, (&form.reason, Errors::of(error)?)).await,
    };
    let group = admin.path(&format!("/groups/{}", ids.0));
    let flash = match kind {
        Kind::Revoke => {
            let told = format!("{} is revoked. It can never be used again.", key.name());
            Flash::new(told + &words::refused_where())
        }
        Kind::Deactivate => undoable(admin, &before, &key, &group),
    };
    Ok(flash.then(&admin.me.app, &group))
}

/// Undo brings the key back with the period it had.
fn undoable(admin: &Admin, before: &KeyInstance, key: &KeyInstance, group: &str) -> Flash {
    let fields = PeriodFields::exactly(&before.facts().period, &admin.me.here);
    let undo = [("preset", fields.preset), ("from", fields.from), ("until", fields.until)];
    let path = format!("{group}/keys/{}/reactivation", key.id);
    let told = format!("{} is deactivated.{}", key.name(), words::refused_where());
    Flash::new(told).with_undo(path, &undo)
}
