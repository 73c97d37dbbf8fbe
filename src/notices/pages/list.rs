//! What was told, the newest first: the in-app part of the notices.
use actix_web::{HttpResponse, web::Query};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    clock::instant,
    domain::{coverage::Run, notice::Threshold},
    error::Result,
    http::{
        Flash, InPlace, Page, PageError, Viewer, html,
        listing::{cursor, cursor_text},
        page::Section,
        words::{Here, Moment},
    },
    key_groups::{self, KeyGroup},
    key_instances::{self, KeyInstance},
    notices::{self, Notice, text},
    subscriptions::Act,
};

const PAGE: u64 = 50;

struct NoticeRow {
    key: String,
    path: String,
    /// `ends`, `ended` of what has ended since, or `was to end` of what is settled.
    ends: &'static str,
    end: Moment,
    reason: &'static str,
    icon: &'static str,
    class: &'static str,
    told: Moment,
    detail: String,
    unseen: bool,
}

/// The keys that notices are about, and their groups, as they are now.
struct Present {
    keys: Vec<KeyInstance>,
    groups: Vec<KeyGroup>,
}

impl Present {
    async fn of(act: &Act<'_>, rows: &[Notice]) -> Result<Self> {
        let key =
            |it: &Notice| if let Notice::Key(it) = it { Some(it.key_instance_id) } else { None };
        let ids: Vec<Uuid> = rows.iter().filter_map(key).collect();
        let keys = key_instances::find_all(act, &ids).await?;
        let groups = key_groups::of_instances(act, &keys).await?;
        Ok(Self { keys, groups })
    }

    /// Why nobody need act on what was said any more.
    fn settles(&self, it: &Notice, here: &Here) -> Option<String> {
        let Notice::Key(it) = it else { return None };
        let key = self.keys.iter().find(|key| key.id == it.key_instance_id)?;
        if key.is_revoked() {
            return Some("It was revoked.".to_owned());
        }
        if key.is_off {
            return Some("It was deactivated.".to_owned());
        }
        if key.ends_at > it.ends_at {
            return Some(match key.facts().period.until() {
                Some(until) if until <= here.now => {
                    format!("It ended {}.", here.minute(until).text)
                }
                Some(until) => format!("It ends {} now.", here.minute(until).text),
                None => "It has no end any more.".to_owned(),
            });
        }
        let group = self.groups.iter().find(|group| group.id == it.key_group_id)?;
        match group.run() {
            Run::Covered { until } | Run::RunsOut { until } | Run::Gap { until, .. }
                if until > it.ends() =>
            {
                Some(format!("Others cover {} to {}.", group.name, here.day(until).text))
            }
            Run::Forever => Some(format!("Another covers {} without an end.", group.name)),
            _ => None,
        }
    }
}

impl NoticeRow {
    fn of(it: &Notice, present: &Present, seen: i64, viewer: &InPlace) -> Self {
        let here = &viewer.me.here;
        let settled = present.settles(it, here);
        let (icon, class) = match it.threshold() {
            _ if settled.is_some() => ("circle-check", "c-ok"),
            Threshold::End => ("calendar-x-2", "c-bad"),
            _ => ("hourglass", "c-soon"),
        };
        Self {
            key: it.name(),
            path: it.path(&viewer.scope.subscription().slug),
            ends: match (it.ends() <= here.now, it.threshold()) {
                // What was said before it happened need not have happened.
                (_, before) if settled.is_some() && before != Threshold::End => "was to end",
                (true, _) => "ended",
                (false, _) => "ends",
            },
            end: here.relative(it.ends()),
            reason: text::reason(it.threshold()),
            told: here.relative(instant(it.at())),
            detail: match settled {
                Some(why) => format!("Settled. {why}"),
                None => text::detail(it, here),
            },
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
    let present = Present::of(&act, &rows).await?;
    let path = viewer.path("/notices");
    html(&ListPage {
        page: Page::within(&viewer, Section::Notices),
        rows: rows.iter().map(|it| NoticeRow::of(it, &present, seen, &viewer)).collect(),
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
