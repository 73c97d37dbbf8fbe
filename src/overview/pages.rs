//! The overview: how many keys are in which status, and what to do now.
use actix_web::HttpResponse;
use askama::Template;

use super::{Matter, Overview};
use crate::{
    clock::instant,
    http::{
        InPlace, Page, PageError, Viewer, html,
        page::Section,
        words::{self, Here},
    },
    key_groups::{Attention, pages::CoverageView},
};

/// One count, as a link to the list of what it counts.
struct Stat {
    label: &'static str,
    icon: &'static str,
    class: &'static str,
    count: String,
    detail: String,
    path: String,
}

/// One line of "Needs attention".
struct Todo {
    icon: &'static str,
    class: &'static str,
    group: String,
    path: String,
    /// Follows the group's name: `runs out in 2 days`.
    what: String,
    why: String,
    action: Option<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "overview/overview.html")]
struct OverviewPage {
    page: Page,
    stats: Vec<Stat>,
    todos: Vec<Todo>,
    headline: String,
    /// When nothing needs attention: what ends next.
    calm: String,
    more: Option<String>,
    groups_path: String,
    new_group: Option<String>,
    has_groups: bool,
}

/// `GET /s/{slug}`
pub async fn overview(viewer: Viewer) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let Overview { matters, unsaved, next_end } = super::of(&act).await?;
    let acts = viewer.role.changes_keys();
    let mut todos: Vec<Todo> = matters.iter().map(|it| todo(it, &viewer)).collect();
    todos.extend(unsaved.iter().map(|(key, group)| {
        let path = viewer.path(&format!("/groups/{}", key.key_group_id));
        let replace = format!("{path}/keys/{}/replacement", key.id);
        Todo {
            icon: "circle-help",
            class: "c-soon",
            group: group.clone(),
            what: format!("has what nobody confirmed to have: {}", key.name()),
            why: format!(
                "It was made {} and never used. If it is lost, replace it.",
                viewer.me.here.relative(instant(key.created_at)).text
            ),
            action: acts.then_some(("Replace", replace)),
            path,
        }
    }));
    let it = viewer.scope.subscription();
    let more = i64::from(it.attention_groups) - matters.len() as i64;
    let headline = headline(it.attention_groups.into(), unsaved.len() as i64);
    let calm = next_end.map_or_else(
        || "No key of this subscription has an end.".to_owned(),
        |it| {
            let cover = CoverageView::of(&it, &viewer.me.here);
            format!("Next end: {}, {}.", it.name, cover.text.to_lowercase())
        },
    );
    html(&OverviewPage {
        stats: stats(&viewer),
        todos,
        headline,
        calm,
        more: (more > 0).then(|| format!("{} more groups", words::count(more))),
        groups_path: viewer.path("/groups"),
        new_group: acts.then(|| viewer.path("/groups/new")),
        has_groups: it.group_count > 0,
        page: Page::within(&viewer, Section::Overview),
    })
}

fn headline(groups: i64, unsaved: i64) -> String {
    let groups = match groups {
        0 if unsaved == 0 => return "Nothing needs attention.".to_owned(),
        0 => "Every group is covered".to_owned(),
        1 => "1 key group needs attention".to_owned(),
        n => format!("{} key groups need attention", words::count(n)),
    };
    match unsaved {
        0 => format!("{groups}."),
        1 => format!("{groups}, and 1 key was never confirmed as saved."),
        n => format!("{groups}, and {n} keys were never confirmed as saved."),
    }
}

fn stats(viewer: &InPlace) -> Vec<Stat> {
    let it = viewer.scope.subscription();
    let stat = |(label, icon, class), count: i32, detail: String, status: &str| Stat {
        label,
        icon,
        class,
        count: words::count(count),
        detail,
        path: viewer.path(&format!("/keys?status={status}")),
    };
    let without = it.no_successor_groups;
    let covered = it.group_count - it.nothing_active_groups;
    let soon = match without {
        0 => "all have a successor".to_owned(),
        1 => "1 group has no successor".to_owned(),
        n => format!("{n} groups have no successor"),
    };
    let soon = if it.soon_count == 0 { "none now".to_owned() } else { soon };
    vec![
        stat(("Expiring soon", "hourglass", "c-soon"), it.soon_count, soon, "soon"),
        stat(
            ("Active", "circle-check", "c-ok"),
            it.active_count,
            format!("in {covered} of {}", words::plural(it.group_count, "group")),
            "active",
        ),
        stat(
            ("Active in the future", "calendar-clock", "c-next"),
            it.future_count,
            "waiting to start".to_owned(),
            "future",
        ),
        stat(
            ("Expired", "calendar-x-2", "c-past"),
            it.expired_count,
            "ended or revoked".to_owned(),
            "expired",
        ),
        stat(
            ("Deactivated", "ban", "c-past"),
            it.deactivated_count,
            "can come back".to_owned(),
            "deactivated",
        ),
    ]
}

fn todo(it: &Matter, viewer: &InPlace) -> Todo {
    let here = &viewer.me.here;
    let path = viewer.path(&format!("/groups/{}", it.group.id));
    let ending = it.ending.as_ref();
    let key_path = |rest: &str| ending.map(|it| format!("{path}/keys/{}/{rest}", it.id));
    let (icon, class, what, action) = match it.why {
        Attention::Refusing => (
            "triangle-alert",
            "c-bad",
            "has no active key".to_owned(),
            Some(("Issue key", format!("{path}/keys/new"))),
        ),
        Attention::RunsOut => {
            let left = it.group.covered_until.map(|at| words::span(instant(at) - here.now));
            let what = format!("runs out in {}", left.unwrap_or_default());
            ("hourglass", "c-soon", what, key_path("rotation").map(|it| ("Rotate", it)))
        }
        Attention::Gap => {
            let gap = it.group.covered_until.zip(it.group.next_start);
            let gap = gap.map(|(until, next)| words::span(instant(next) - instant(until)));
            let what = format!("has a gap of {} ahead", gap.unwrap_or_default());
            let close = it.next.as_ref().map(|it| format!("{path}/keys/{}/period", it.id));
            ("calendar-x-2", "c-bad", what, close.map(|it| ("Close gap", it)))
        }
    };
    Todo {
        icon,
        class,
        group: it.group.name.clone(),
        what,
        why: why(it, here),
        action: action.filter(|_| viewer.role.changes_keys()),
        path,
    }
}

fn why(it: &Matter, here: &Here) -> String {
    let Some(key) = &it.ending else { return String::new() };
    let name = key.name();
    match it.why {
        Attention::Refusing => {
            let since = it.group.lost_at.map(|at| here.day(instant(at)).text);
            let last = key.last_refused_at.map(|at| here.relative(instant(at)).text);
            let from = key.last_refused_from.as_deref().unwrap_or("an unknown address");
            format!(
                "Nothing is active since {}. {} with {name} refused in the last 24 hours, the last one \
                 from {from}, {}.",
                since.unwrap_or_default(),
                words::plural(it.calls.refused, "call"),
                last.unwrap_or_default()
            )
        }
        Attention::RunsOut => {
            let end = here.minute(instant(key.ends_at)).text;
            let used = key.last_used().map(|at| here.relative(at).text);
            let used = used.map_or("never used".to_owned(), |it| format!("last used {it}"));
            let rule = key.warning(here.now).map(|it| it.rule.sentence()).unwrap_or_default();
            format!("{name} expires {end}, {used}. No successor. {rule}")
        }
        Attention::Gap => {
            let end = here.day(instant(key.ends_at)).text;
            let next = it.next.as_ref().map(|next| {
                format!("{} starts {}", next.name(), here.day(instant(next.active_from)).text)
            });
            format!("{name} ends {end}, {}. Calls fail in between.", next.unwrap_or_default())
        }
    }
}
