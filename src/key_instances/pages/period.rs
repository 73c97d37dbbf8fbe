//! The dialogs that set a period: a new one for a running key, or one to come back with.
use actix_web::{
    HttpResponse,
    web::{Path, Query},
};
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    KeyPath,
    list::{self, KeyList},
    period_form::{PeriodFields, Preset, extensions, presets},
    preview::Preview,
};
use crate::{
    clock::millis,
    error::Result,
    http::{
        Admin, Errors, Flash, Form, Page, PageError,
        form::Draft,
        page::{Section, refused},
    },
    key_instances::{self, KeyInstance},
};

#[derive(Clone, Default, Deserialize)]
pub struct PeriodForm {
    #[serde(default)]
    preset: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    /// What stood there when the form was shown, or was filled in by a preset.
    #[serde(default)]
    offered: String,
    /// From when days counted when the form was shown, in milliseconds: sent twice it does not count twice.
    #[serde(default)]
    base: String,
    #[serde(default)]
    act: String,
}

impl PeriodForm {
    /// Of a key that is there, whose own period is kept where the form leaves it.
    fn fields(&self, kind: Kind, key: &KeyInstance) -> PeriodFields {
        let base = self.base.parse().ok().and_then(DateTime::from_timestamp_millis);
        let kept = (kind == Kind::Edit).then(|| key.facts().period);
        let typed = PeriodFields::typed(&self.preset, &self.from, &self.until, &self.offered);
        PeriodFields { base, kept, ..typed }
    }
}

/// From when days count that are added: the key's end, or now if it has none or has passed. Where it has not begun,
/// they count from its start, as those of a new one.
fn base(kind: Kind, key: &KeyInstance, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let period = key.facts().period;
    let is_extended = kind == Kind::Edit && period.from() <= now;
    is_extended.then(|| period.until().unwrap_or(now).max(now))
}

/// Which of the two acts a dialog is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Edit,
    Reactivate,
}

#[derive(Template)]
#[template(path = "key_instances/period.html")]
struct PeriodPage {
    page: Page,
    list: KeyList,
    title: String,
    text: &'static str,
    button: &'static str,
    fields: PeriodView,
    path: String,
    back: String,
    errors: Errors,
}

/// What the fields need besides what was typed: the same names as in `KeyFieldsView`.
struct PeriodView {
    form: PeriodFields,
    presets: Vec<Preset>,
    preview: Preview,
    zone: String,
    /// From when days count, as a field has it.
    base: Option<(String, i64)>,
}

async fn show(
    admin: &Admin,
    kind: Kind,
    ids: (Uuid, Uuid),
    form: Option<PeriodForm>,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let (act, here) = (admin.act(), &admin.me.here);
    let key = key_instances::find(&act, ids).await?;
    let list = list::behind_dialog(admin, ids.0).await?;
    let mut others = key_instances::ahead(&act, ids.0).await?;
    others.retain(|it| it.id != key.id);
    let subscription = admin.scope.subscription();
    let fields = match (form, kind) {
        (Some(form), _) => form.fields(kind, &key),
        (None, Kind::Edit) => PeriodFields {
            base: base(kind, &key, here.now),
            ..PeriodFields::of(key.facts().period, here)
        },
        (None, Kind::Reactivate) => PeriodFields::suggested(here, subscription),
    };
    let name = key.name();
    let (title, text, button, path) = match kind {
        Kind::Edit => (
            format!("Edit active period of {name}"),
            "It works from the start to the end, the end not included.",
            "Save period",
            "period",
        ),
        Kind::Reactivate => (
            format!("Reactivate {name}"),
            "Whoever still has this key can call again from the start date. If it may have \
             leaked, make a new key.",
            "Reactivate",
            "reactivation",
        ),
    };
    let period = fields.read(here).ok();
    let page = PeriodPage {
        page: Page::within(admin, Section::Keys),
        title,
        text,
        button,
        fields: PeriodView {
            presets: match fields.base {
                Some(base) => {
                    extensions(&fields.preset, subscription, base - key.facts().period.from())
                }
                None => presets(&fields.preset, subscription),
            },
            base: fields.base.map(|it| (here.input(it), millis(it))),
            preview: Preview::of(&name, period.as_ref(), &others, here),
            zone: here.zone.to_string(),
            form: fields,
        },
        path: format!("{}/keys/{}/{path}", list.path, key.id),
        back: list.path.clone(),
        list,
        errors,
    };
    refused(&page, &page.errors)
}

/// What a link to the form proposes: "Start now" and "Close gap" bring the start.
#[derive(Deserialize)]
pub struct Proposal {
    #[serde(default)]
    from: String,
}

/// `GET .../period`
pub async fn edit_form(
    admin: Admin,
    path: Path<KeyPath>,
    proposal: Query<Proposal>,
    draft: Draft<PeriodForm>,
) -> Result<HttpResponse, PageError> {
    let mut form = draft.0;
    if form.is_none() && !proposal.from.is_empty() {
        let key = key_instances::find(&admin.act(), path.ids()).await?;
        let fields = PeriodFields::of(key.facts().period, &admin.me.here);
        let PeriodFields { preset, until, .. } = fields;
        let from = proposal.into_inner().from;
        form = Some(PeriodForm { preset, from, until, ..Default::default() });
    }
    show(&admin, Kind::Edit, path.ids(), form, Errors::none()).await
}

/// `GET .../reactivation`
pub async fn reactivation_form(
    admin: Admin,
    path: Path<KeyPath>,
    draft: Draft<PeriodForm>,
) -> Result<HttpResponse, PageError> {
    show(&admin, Kind::Reactivate, path.ids(), draft.0, Errors::none()).await
}

/// `POST .../period`
pub async fn edit(
    admin: Admin,
    path: Path<KeyPath>,
    form: Form<PeriodForm>,
) -> Result<HttpResponse, PageError> {
    save(&admin, Kind::Edit, path.ids(), form.0).await
}

/// `POST .../reactivation`
pub async fn reactivate(
    admin: Admin,
    path: Path<KeyPath>,
    form: Form<PeriodForm>,
) -> Result<HttpResponse, PageError> {
    save(&admin, Kind::Reactivate, path.ids(), form.0).await
}

async fn save(
    admin: &Admin,
    kind: Kind,
    ids: (Uuid, Uuid),
    form: PeriodForm,
) -> Result<HttpResponse, PageError> {
    if form.act == "check" {
        return show(admin, kind, ids, Some(form), Errors::none()).await;
    }
    let act = admin.act();
    let fields = form.fields(kind, &key_instances::find(&act, ids).await?);
    let saved = match (fields.read(&admin.me.here), kind) {
        (Ok(period), Kind::Edit) => key_instances::change_period(&act, ids, period).await,
        (Ok(period), Kind::Reactivate) => key_instances::reactivate(&act, ids, period).await,
        (Err(error), _) => Err(error),
    };
    match saved {
        Ok(key) => {
            let text = told(&key, kind, admin);
            Ok(Flash::new(text).then(&admin.me.app, &admin.path(&format!("/groups/{}", ids.0))))
        }
        Err(error) => show(admin, kind, ids, Some(form), Errors::of(error)?).await,
    }
}

fn told(key: &KeyInstance, kind: Kind, admin: &Admin) -> String {
    let (here, period, name) = (&admin.me.here, key.facts().period, key.name());
    let from = here.minute(period.from()).text;
    let until = period.until().map(|it| here.minute(it).text);
    let verb = if kind == Kind::Edit { "is active" } else { "is reactivated" };
    match until {
        Some(until) => format!("{name} {verb} from {from} to {until}."),
        None => format!("{name} {verb} from {from}, without an end."),
    }
}
