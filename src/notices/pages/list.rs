//! What was told, the newest first: the in-app part of the notices.
use actix_web::{HttpResponse, web::Query};
use askama::Template;
use serde::Deserialize;

use crate::{
    clock::instant,
    domain::notice::Threshold,
    http::{
        Flash, InPlace, Page, PageError, Viewer, html,
        listing::{cursor, cursor_text},
        page::Section,
        words::Moment,
    },
    notices::{self, Notice, text},
};

const PAGE: u64 = 50;

struct NoticeRow {
    key: String,
    path: String,
    /// `ends`, or `ended` of what has ended since.
    ends: &'static str,
    end: Moment,
    reason: &'static str,
    icon: &'static str,
    class: &'static str,
    told: Moment,
    detail: String,
    unseen: bool,
}

impl NoticeRow {
    fn of(it: &Notice, seen: i64, viewer: &InPlace) -> Self {
        let here = &viewer.me.here;
        let (icon, class) = match it.threshold() {
            Threshold::End => ("calendar-x-2", "c-bad"),
            _ => ("hourglass", "c-soon"),
        };
        Self {
            key: it.name(),
            path: it.path(&viewer.scope.subscription().slug),
            ends: if it.ends() <= here.now { "ended" } else { "ends" },
            end: here.relative(it.ends()),
            reason: text::reason(it.threshold()),
            told: here.relative(instant(it.at())),
            detail: text::detail(it, here),
            unseen: it.at() > seen,
            icon,
            class,
        }
    }
}

#[derive(Template)]
#[template(path = "notices/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<NoticeRow>,
    path: String,
    settings: Option<String>,
    next: Option<String>,
    unseen: bool,
}

#[derive(Deserialize)]
pub struct After {
    #[serde(default)]
    after: String,
}

/// `GET /s/{slug}/notices`
pub async fn list(viewer: Viewer, query: Query<After>) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let seen = notices::seen_at(&act).await?;
    let (rows, next) = notices::list(&act, viewer.role, cursor(&query.after), PAGE).await?;
    let path = viewer.path("/notices");
    html(&ListPage {
        page: Page::within(&viewer, Section::Notices),
        rows: rows.iter().map(|it| NoticeRow::of(it, seen, &viewer)).collect(),
        settings: viewer.role.changes_keys().then(|| viewer.path("/settings/notices")),
        next: next.map(|it| format!("{path}?after={}", cursor_text(it))),
        unseen: viewer.unseen > 0,
        path,
    })
}

/// `POST /s/{slug}/notices`: all of them are seen.
pub async fn mark_seen(viewer: Viewer) -> Result<HttpResponse, PageError> {
    notices::mark_seen(&viewer.act()).await?;
    let told = Flash::new("All notices are marked as seen.");
    Ok(told.then(&viewer.me.app, &viewer.path("/notices")))
}
