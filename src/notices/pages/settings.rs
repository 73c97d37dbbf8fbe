//! Who is told of ends: by e-mail, and by webhooks.
use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::{
    clock::instant,
    http::{
        Admin, Flash, Form, InPlace, Page, PageError, html,
        page::Section,
        words::{Here, Moment},
    },
    notices::{self, Delivery, Notice, Webhook},
};

/// Messages in the log of a page.
pub(super) const LOGGED: u64 = 50;

pub struct WebhookRow {
    pub url: String,
    pub path: String,
    pub paused: bool,
    pub since: Moment,
}

/// One attempt, or what became of several.
pub struct DeliveryRow {
    pub about: String,
    pub to: String,
    pub icon: &'static str,
    pub class: &'static str,
    pub state: &'static str,
    /// `Answered 204 in 35 ms`, or why not.
    pub told: String,
    pub attempts: String,
    pub made: Moment,
    /// When it is tried again.
    pub next: Option<Moment>,
    /// Where it is sent once more.
    pub again: Option<String>,
}

impl DeliveryRow {
    pub(super) fn of(it: &Delivery, about: Option<&Notice>, here: &Here, base: &str) -> Self {
        let (icon, class, state) = match it.state.as_str() {
            "delivered" => ("circle-check", "active", "Delivered"),
            "failed" => ("triangle-alert", "bad", "Failed"),
            _ if it.attempts > 0 => ("clock", "soon", "Retrying"),
            _ => ("clock", "future", "Waiting"),
        };
        let took = it.took_ms.map(|ms| format!(" in {ms} ms")).unwrap_or_default();
        Self {
            about: about.map_or_else(
                || "Test".to_owned(),
                |it| {
                    format!(
                        "{}, {}",
                        it.name(),
                        notices::text::reason(it.threshold()).to_lowercase()
                    )
                },
            ),
            to: if it.webhook_id.is_some() { String::new() } else { it.target.clone() },
            icon,
            class,
            state,
            told: match (it.status, &it.error) {
                (Some(status), _) => format!("Answered {status}{took}"),
                (None, Some(error)) => error.clone(),
                (None, None) if it.state == "delivered" => format!("Taken by the server{took}"),
                (None, None) => String::new(),
            },
            attempts: crate::http::words::plural(it.attempts, "attempt"),
            made: here.relative(instant(it.created_at)),
            next: it.next_at.filter(|_| it.attempts > 0).map(|at| here.relative(instant(at))),
            again: (it.state == "failed" && it.webhook_id.is_some())
                .then(|| format!("{base}/deliveries/{}", it.id)),
        }
    }
}

/// What the settings show, also behind their dialogs.
pub struct Channels {
    pub name: String,
    pub mail_configured: bool,
    pub mail_wanted: bool,
    pub webhooks: Vec<WebhookRow>,
    pub mails: Vec<DeliveryRow>,
    pub path: String,
    pub new_webhook: String,
    pub notices: String,
    pub settings: String,
}

pub(super) async fn channels(admin: &InPlace) -> Result<Channels, PageError> {
    let act = admin.act();
    let here = &admin.me.here;
    let webhook = |it: &Webhook| WebhookRow {
        url: it.url.clone(),
        path: admin.path(&format!("/settings/webhooks/{}", it.id)),
        paused: it.paused_at.is_some(),
        since: here.day(instant(it.created_at)),
    };
    let mails = notices::deliveries(&act, None, LOGGED).await?;
    let subscription = admin.scope.subscription();
    Ok(Channels {
        name: subscription.name.clone(),
        mail_configured: admin.me.app.senders.mail.is_some(),
        mail_wanted: subscription.mail_notices,
        webhooks: notices::list_all(&act).await?.iter().map(webhook).collect(),
        mails: mails
            .iter()
            .map(|(it, about)| DeliveryRow::of(it, about.as_ref(), here, ""))
            .collect(),
        path: admin.path("/settings/notices"),
        new_webhook: admin.path("/settings/webhooks/new"),
        notices: admin.path("/notices"),
        settings: admin.path("/settings"),
    })
}

#[derive(Template)]
#[template(path = "notices/settings.html")]
struct SettingsPage {
    page: Page,
    it: Channels,
}

/// `GET /s/{slug}/settings/notices`
pub async fn form(admin: Admin) -> Result<HttpResponse, PageError> {
    let it = channels(&admin).await?;
    html(&SettingsPage { page: Page::within(&admin, Section::Settings), it })
}

#[derive(Deserialize)]
pub struct MailForm {
    #[serde(default)]
    mail_notices: String,
}

/// `POST /s/{slug}/settings/notices`
pub async fn save(admin: Admin, form: Form<MailForm>) -> Result<HttpResponse, PageError> {
    let wanted = !form.mail_notices.is_empty();
    notices::set_mail(&admin.act(), wanted).await?;
    let told = if wanted { "Notices are sent by e-mail." } else { "No e-mail is sent any more." };
    Ok(Flash::new(told).then(&admin.me.app, &admin.path("/settings/notices")))
}
