//! Making a key: the dialog for a new one, for a rotation and for a replacement. Each ends with
//! the page that shows the secret once.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    KeyPath, id,
    list::{self, KeyList},
    noun,
    period_form::{PeriodFields, Preset, presets},
    preview::Preview,
    row::is_in_use,
    secret,
};
use crate::{
    clock::{instant, millis},
    domain::{
        GroupKind, SecretText,
        lifecycle::{self, Overlap},
    },
    error::{Error, FieldError, Result},
    http::{
        Admin, Errors, Form, Page, PageError,
        form::Draft,
        html,
        page::{Section, refused},
        words::{self, Moment},
    },
    key_groups,
    key_instances::{self, Issued, KeyInstance, NewKey, Source},
    pepper::random_token,
};

/// The fields of a key to be made; a rotation adds the overlap.
#[derive(Clone, Default, Deserialize)]
pub struct NewKeyForm {
    #[serde(default)]
    pub submission: String,
    /// `generate` or `own`.
    #[serde(default)]
    pub make: String,
    #[serde(default)]
    pub key: String,
    #[serde(default)]
    pub preset: String,
    #[serde(default)]
    pub from: String,
    #[serde(default)]
    pub until: String,
    /// What stood there when the form was shown, or was filled in by a preset.
    #[serde(default)]
    pub offered: String,
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub overlap: String,
    /// The name of a secret that a rotation ends for good.
    #[serde(default)]
    pub confirm: String,
    /// `check`: show the preview, make nothing.
    #[serde(default)]
    pub act: String,
}

impl NewKeyForm {
    fn fields(&self) -> PeriodFields {
        PeriodFields::typed(&self.preset, &self.from, &self.until, &self.offered)
    }

    fn with_suggested_period(self, admin: &Admin) -> Self {
        let it = PeriodFields::suggested(&admin.me.here, admin.scope.subscription());
        Self { preset: it.preset, from: it.from, until: it.until, ..self }
    }

    /// The key to be made, or what to change. The text of an own key leaves the form here.
    pub fn take(&mut self, admin: &Admin) -> Result<NewKey> {
        let period = self.fields().read(&admin.me.here);
        let own = std::mem::take(&mut self.key);
        let mut errors = match &period {
            Err(Error::Invalid(fields)) => fields.clone(),
            _ => Vec::new(),
        };
        let source = match self.make.as_str() {
            "own" if own.is_empty() => {
                errors.push(FieldError::new("key", "Enter it, or let one be generated."));
                Source::Generate
            }
            "own" => Source::Own(SecretText::from_text(own)),
            _ => Source::Generate,
        };
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        Ok(NewKey { source, period: period?, note: self.note.clone() })
    }
}

/// What the fields of a new key need besides what was typed; shared with the form of a new group.
pub struct KeyFieldsView {
    /// Secrets of a client instead of keys.
    pub is_client: bool,
    pub form: NewKeyForm,
    pub presets: Vec<Preset>,
    pub preview: Preview,
    pub zone: String,
    /// Days count from its start.
    pub base: Option<(String, i64)>,
}

impl KeyFieldsView {
    /// With a fresh submission token: a refused form has created nothing.
    pub fn of(
        admin: &Admin,
        kind: GroupKind,
        mut form: NewKeyForm,
        others: &[KeyInstance],
    ) -> Self {
        form.submission = random_token();
        let here = &admin.me.here;
        let fields = form.fields();
        let period = fields.read(here).ok();
        let new = format!("new {}", noun(kind));
        Self {
            is_client: kind.is_client(),
            presets: presets(&fields.preset, admin.scope.subscription()),
            preview: Preview::of(&new, period.as_ref(), others, here),
            zone: here.zone.to_string(),
            base: None,
            form,
        }
    }

    pub fn fresh(admin: &Admin, kind: GroupKind, others: &[KeyInstance]) -> Self {
        Self::of(admin, kind, NewKeyForm::default().with_suggested_period(admin), others)
    }
}

#[derive(Template)]
#[template(path = "key_instances/new.html")]
struct NewKeyPage {
    page: Page,
    list: KeyList,
    group_name: String,
    fields: KeyFieldsView,
    path: String,
    back: String,
    errors: Errors,
}

/// `GET /s/{slug}/groups/{group}/keys/new`
pub async fn new_form(
    admin: Admin,
    path: Path<(String, String)>,
    draft: Draft<NewKeyForm>,
) -> Result<HttpResponse, PageError> {
    show_new(&admin, id(&path.1), draft.0, Errors::none()).await
}

async fn show_new(
    admin: &Admin,
    group: Uuid,
    form: Option<NewKeyForm>,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let list = list::behind_dialog(admin, group).await?;
    let others = key_instances::ahead(&admin.act(), group).await?;
    let kind = list.kind();
    let fields = match form {
        Some(form) => KeyFieldsView::of(admin, kind, form, &others),
        None => KeyFieldsView::fresh(admin, kind, &others),
    };
    let page = NewKeyPage {
        page: Page::within(admin, Section::Keys),
        group_name: list.group.as_ref().map(|it| it.name.clone()).unwrap_or_default(),
        path: format!("{}/keys/new", list.path),
        back: list.path.clone(),
        list,
        fields,
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST /s/{slug}/groups/{group}/keys/new`
pub async fn create(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<NewKeyForm>,
) -> Result<HttpResponse, PageError> {
    let group = id(&path.1);
    let mut form = form.0;
    if form.act == "check" {
        form.key.clear();
        return show_new(&admin, group, Some(form), Errors::none()).await;
    }
    let act = admin.act();
    let made = match form.take(&admin) {
        Ok(new) => key_instances::create(&act, group, new, &form.submission).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(issued) => show_once(&admin, issued),
        Err(error) => show_new(&admin, group, Some(form), Errors::of(error)?).await,
    }
}

/// 303 to the page of the new secret, with the sealed cookie that it is shown from.
pub fn show_once(admin: &Admin, issued: Issued) -> Result<HttpResponse, PageError> {
    let path =
        key_instances::secret_path(&admin.act(), issued.instance.key_group_id, issued.instance.id);
    secret::hand_over(&admin.me, &issued, &path)
}

#[derive(Template)]
#[template(path = "key_instances/rotate.html")]
struct RotatePage {
    page: Page,
    list: KeyList,
    name: String,
    /// The old key's own end, if it has one.
    own_end: Option<Moment>,
    overlaps: Vec<(&'static str, String, bool)>,
    /// As many are active as may be: the old one makes room.
    must_end_now: bool,
    /// Must be typed where it ends now and for good, because it is in use; else empty.
    to_type: String,
    fields: KeyFieldsView,
    path: String,
    back: String,
    calls: String,
    errors: Errors,
}

/// `GET .../rotation`
pub async fn rotation_form(
    admin: Admin,
    path: Path<KeyPath>,
    draft: Draft<NewKeyForm>,
) -> Result<HttpResponse, PageError> {
    show_rotation(&admin, path.ids(), draft.0, Errors::none()).await
}

async fn show_rotation(
    admin: &Admin,
    ids: (Uuid, Uuid),
    form: Option<NewKeyForm>,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let old = key_instances::find(&act, ids).await?;
    let list = list::behind_dialog(admin, ids.0).await?;
    let mut others = key_instances::ahead(&act, ids.0).await?;
    let mut form = form.unwrap_or_else(|| {
        let suggested = NewKeyForm { note: old.note.clone(), ..Default::default() };
        suggested.with_suggested_period(admin)
    });
    let must_end_now = list.group.as_ref().is_some_and(|it| it.is_full);
    if must_end_now || Overlap::parse(&form.overlap).is_none() {
        form.overlap = if must_end_now { "now" } else { "24h" }.to_owned();
    }
    let end = old.active_until.map(instant);
    let start = form.fields().read(&admin.me.here).map_or(act.now, |it| it.from().max(act.now));
    let is_beyond = |it: &str| Overlap::parse(it).is_some_and(|it| it.is_beyond(end, start));
    if is_beyond(&form.overlap) {
        form.overlap = "own".to_owned();
    }
    // The preview shows the old key as the rotation leaves it.
    let overlap = Overlap::parse(&form.overlap).unwrap_or(Overlap::Own);
    if let Ok(facts) = lifecycle::rotate_out(list.kind(), &old.facts(), (overlap, start), act.now) {
        others.retain(|it| it.id != old.id || facts.is_live());
        for it in others.iter_mut().filter(|it| it.id == old.id) {
            it.active_until = facts.period.until().map(millis);
        }
    }
    let own_end = end.map(|it| admin.me.here.minute(it));
    let own = match &own_end {
        Some(end) => format!("its own end, {}", end.text),
        None => "for good, it has no end".to_owned(),
    };
    let choice = |(value, label): (&'static str, String)| (value, label, form.overlap == value);
    let overlaps = [
        ("now", "now".to_owned()),
        ("1h", "1 hour".to_owned()),
        ("24h", "24 hours".to_owned()),
        ("7d", "7 days".to_owned()),
        ("own", own),
    ];
    let overlaps = overlaps.into_iter().filter(|(value, _)| !is_beyond(value));
    let calls = super::ending::calls_last_day(&act, &old).await?;
    let page = RotatePage {
        page: Page::within(admin, Section::Keys),
        name: old.name(),
        own_end,
        overlaps: overlaps.map(choice).collect(),
        must_end_now,
        to_type: match list.kind().is_client() && is_in_use(&old, &admin.me.here) {
            true => old.name(),
            false => String::new(),
        },
        fields: KeyFieldsView::of(admin, list.kind(), form, &others),
        path: format!("{}/keys/{}/rotation", list.path, old.id),
        back: list.path.clone(),
        calls: words::plural(calls, "call"),
        list,
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST .../rotation`
pub async fn rotate(
    admin: Admin,
    path: Path<KeyPath>,
    form: Form<NewKeyForm>,
) -> Result<HttpResponse, PageError> {
    let mut form = form.0;
    if form.act == "check" {
        form.key.clear();
        return show_rotation(&admin, path.ids(), Some(form), Errors::none()).await;
    }
    let overlap = Overlap::parse(&form.overlap)
        .ok_or_else(|| Error::field("overlap", "Choose how long the old key keeps working."));
    let act = admin.act();
    let made = match (form.take(&admin), overlap) {
        (Ok(new), Ok(overlap)) => match demand_name(&admin, path.ids(), (overlap, &form)).await {
            Ok(()) => key_instances::rotate(&act, path.ids(), new, overlap, &form.submission).await,
            Err(error) => Err(error),
        },
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    match made {
        Ok(issued) => show_once(&admin, issued),
        Err(error) => show_rotation(&admin, path.ids(), Some(form), Errors::of(error)?).await,
    }
}

/// A client secret that ends at once ends for good: of one in use its name is typed, as for its revocation.
async fn demand_name(
    admin: &Admin,
    ids: (Uuid, Uuid),
    (overlap, form): (Overlap, &NewKeyForm),
) -> Result<()> {
    let act = admin.act();
    let old = key_instances::find(&act, ids).await?;
    let is_client = key_groups::find(&act, ids.0).await?.kind().is_client();
    let must = is_client && overlap == Overlap::None && is_in_use(&old, &admin.me.here);
    if must && form.confirm.trim() != old.name() {
        return Err(Error::field("confirm", format!("Type {} to confirm.", old.name())));
    }
    Ok(())
}

#[derive(Template)]
#[template(path = "key_instances/replace.html")]
struct ReplacePage {
    page: Page,
    list: KeyList,
    name: String,
    submission: String,
    path: String,
    back: String,
}

/// `GET .../replacement`
pub async fn replacement_form(
    admin: Admin,
    path: Path<KeyPath>,
) -> Result<HttpResponse, PageError> {
    let old = key_instances::find(&admin.act(), path.ids()).await?;
    let list = list::behind_dialog(&admin, old.key_group_id).await?;
    if !old.is_replaceable(admin.me.here.now) {
        return Err(crate::domain::Refusal::NotReplaceable.into());
    }
    html(&ReplacePage {
        page: Page::within(&admin, Section::Keys),
        name: old.name(),
        submission: random_token(),
        path: format!("{}/keys/{}/replacement", list.path, old.id),
        back: list.path.clone(),
        list,
    })
}

#[derive(Deserialize)]
pub struct ReplaceForm {
    #[serde(default)]
    submission: String,
}

/// `POST .../replacement`
pub async fn replace(
    admin: Admin,
    path: Path<KeyPath>,
    form: Form<ReplaceForm>,
) -> Result<HttpResponse, PageError> {
    let issued = key_instances::replace(&admin.act(), path.ids(), &form.submission).await?;
    show_once(&admin, issued)
}
