//! One webhook: its address, the secret that signs, and what was sent.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;

use super::settings::{self, Channels, DeliveryRow, LOGGED};
use crate::{
    clock::instant,
    http::{
        Admin, Errors, Flash, Form, Page, PageError,
        form::Draft,
        html,
        page::{Section, refused},
        words::Moment,
    },
    key_instances::pages::id,
    notices::{self, Delivery, Webhook},
    pepper::random_token,
};

#[derive(Clone, Default, Deserialize)]
pub struct WebhookForm {
    #[serde(default)]
    url: String,
    #[serde(default)]
    submission: String,
}

#[derive(Template)]
#[template(path = "notices/new_webhook.html")]
struct NewPage {
    page: Page,
    it: Channels,
    url: String,
    submission: String,
    errors: Errors,
}

async fn show(admin: &Admin, form: WebhookForm, errors: Errors) -> Result<HttpResponse, PageError> {
    let page = NewPage {
        page: Page::within(admin, Section::Settings),
        it: settings::channels(admin).await?,
        url: form.url,
        submission: random_token(),
        errors,
    };
    refused(&page, &page.errors)
}

/// `GET /s/{slug}/settings/webhooks/new`
pub async fn new_form(admin: Admin, draft: Draft<WebhookForm>) -> Result<HttpResponse, PageError> {
    show(&admin, draft.0.unwrap_or_default(), Errors::none()).await
}

/// `POST /s/{slug}/settings/webhooks/new`
pub async fn create(admin: Admin, form: Form<WebhookForm>) -> Result<HttpResponse, PageError> {
    match notices::add(&admin.act(), &form.url, &form.submission).await {
        Ok(made) => {
            let told = Flash::new("The webhook is set up. Give its receiver the signing secret.");
            Ok(told.then(&admin.me.app, &path_of(&admin, &made)))
        }
        Err(error) => show(&admin, form.0, Errors::of(error)?).await,
    }
}

fn path_of(admin: &Admin, it: &Webhook) -> String {
    admin.path(&format!("/settings/webhooks/{}", it.id))
}

/// What the page of a webhook shows, also behind its dialog.
struct View {
    url: String,
    host: String,
    secret: String,
    /// Until when the secret before this one signs as well.
    overlap: Option<Moment>,
    paused: Option<Moment>,
    since: Moment,
    rows: Vec<DeliveryRow>,
    path: String,
    settings: String,
    channels: String,
}

async fn view(admin: &Admin, webhook: uuid::Uuid) -> Result<View, PageError> {
    let (act, here) = (admin.act(), &admin.me.here);
    let it = notices::find(&act, webhook).await?;
    let path = path_of(admin, &it);
    let sent = notices::deliveries(&act, Some(it.id), LOGGED).await?;
    let overlap = it.secret_changed_at.map(|at| instant(at) + notices::OVERLAP);
    Ok(View {
        secret: notices::shown_secret(&admin.me.app, &it),
        overlap: overlap.filter(|it| *it > here.now).map(|it| here.relative(it)),
        paused: it.paused_at.map(|at| here.relative(instant(at))),
        since: here.day(instant(it.created_at)),
        rows: sent
            .iter()
            .map(|(it, about)| DeliveryRow::of(it, about.as_ref(), here, &path))
            .collect(),
        host: notices::host(&it),
        url: it.url,
        settings: admin.path("/settings"),
        channels: admin.path("/settings/notices"),
        path,
    })
}

#[derive(Template)]
#[template(path = "notices/webhook.html")]
struct WebhookPage {
    page: Page,
    it: View,
}

/// `GET /s/{slug}/settings/webhooks/{webhook}`
pub async fn detail(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    let it = view(&admin, id(&path.1)).await?;
    html(&WebhookPage { page: Page::within(&admin, Section::Settings), it })
}

#[derive(Template)]
#[template(path = "notices/webhook_removal.html")]
struct RemovalPage {
    page: Page,
    it: View,
}

/// `GET /s/{slug}/settings/webhooks/{webhook}/removal`
pub async fn removal_form(
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let it = view(&admin, id(&path.1)).await?;
    html(&RemovalPage { page: Page::within(&admin, Section::Settings), it })
}

/// `POST /s/{slug}/settings/webhooks/{webhook}/removal`
pub async fn remove(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    notices::remove(&admin.act(), id(&path.1)).await?;
    let told = Flash::new("The webhook is removed. Nothing more is sent to it.");
    Ok(told.then(&admin.me.app, &admin.path("/settings/notices")))
}

#[derive(Template)]
#[template(path = "notices/webhook_secret.html")]
struct SecretPage {
    page: Page,
    it: View,
}

/// `GET /s/{slug}/settings/webhooks/{webhook}/secret`
pub async fn secret_form(
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let it = view(&admin, id(&path.1)).await?;
    html(&SecretPage { page: Page::within(&admin, Section::Settings), it })
}

/// `POST /s/{slug}/settings/webhooks/{webhook}/secret`: another one.
pub async fn change_secret(
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let it = notices::change_secret(&admin.act(), id(&path.1)).await?;
    let told = Flash::new(
        "There is a new signing secret. For 24 hours the old one signs as well: give the receiver \
         the new one until then.",
    );
    Ok(told.then(&admin.me.app, &path_of(&admin, &it)))
}

#[derive(Deserialize)]
pub struct StateForm {
    #[serde(default)]
    paused: String,
}

/// `POST /s/{slug}/settings/webhooks/{webhook}/state`: pauses it, or goes on.
pub async fn set_state(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<StateForm>,
) -> Result<HttpResponse, PageError> {
    let paused = !form.paused.is_empty();
    let it = notices::set_paused(&admin.act(), id(&path.1), paused).await?;
    let told = if paused {
        "The webhook is paused. What happens meanwhile is not sent later."
    } else {
        "The webhook is on again."
    };
    Ok(Flash::new(told).then(&admin.me.app, &path_of(&admin, &it)))
}

/// `POST /s/{slug}/settings/webhooks/{webhook}/test`
pub async fn test(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    let webhook = notices::find(&admin.act(), id(&path.1)).await?;
    let sent = notices::test(&admin.act(), webhook.id).await?;
    Ok(Flash::new(result("The test", &sent)).then(&admin.me.app, &path_of(&admin, &webhook)))
}

/// `POST /s/{slug}/settings/webhooks/{webhook}/deliveries/{delivery}`: once more.
pub async fn send_again(
    admin: Admin,
    path: Path<(String, String, String)>,
) -> Result<HttpResponse, PageError> {
    let webhook = notices::find(&admin.act(), id(&path.1)).await?;
    let sent = notices::send_again(&admin.act(), webhook.id, id(&path.2)).await?;
    Ok(Flash::new(result("It", &sent)).then(&admin.me.app, &path_of(&admin, &webhook)))
}

fn result(what: &str, it: &Delivery) -> String {
    match (it.state.as_str(), it.status, &it.error) {
        ("delivered", ..) => format!("{what} was delivered."),
        (_, Some(status), _) => format!("{what} was not taken: the receiver answered {status}."),
        (_, None, Some(error)) => format!("{what} was not delivered. {error}"),
        _ => format!("{what} is on its way."),
    }
}
