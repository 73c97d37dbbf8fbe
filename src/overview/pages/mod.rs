//! The overview: how many keys are in which status, what to do now, and what ends when.
mod charts;
mod todos;

use actix_web::HttpResponse;
use askama::Template;

use self::{
    charts::{Ends, Event, LaneRow},
    todos::Todo,
};
use super::{IDLE_COUNTED, Overview};
use crate::{
    clock::instant,
    http::{InPlace, Page, PageError, Viewer, html, page::Section, words},
    key_groups::KeyGroup,
    key_instances::pages::lanes::{self, Axis},
    subscriptions::Subscription,
};

/// Automation tokens in the list of what needs attention; more are behind a link.
const SHOWN: usize = 5;

/// Lines of what needs attention that are seen at once, besides what fails or will: what is drawn below must
/// not be far.
const AT_ONCE: usize = 6;

/// One count, as a link to the list of what it counts.
struct Stat {
    label: &'static str,
    icon: &'static str,
    class: &'static str,
    count: String,
    detail: String,
    path: String,
}

/// Keys that nobody uses: advice, with lists to go through.
struct Idle {
    text: String,
    lists: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "overview/overview.html")]
struct OverviewPage {
    page: Page,
    stats: Vec<Stat>,
    todos: Vec<Todo>,
    /// The less urgent ones, folded.
    others: Vec<Todo>,
    headline: String,
    /// When nothing needs attention: for how long, and what ends next.
    calm: String,
    more: Option<String>,
    more_tokens: Option<String>,
    idle: Option<Idle>,
    axis: Axis,
    lanes: Vec<LaneRow>,
    /// Which groups have a lane, if not all.
    lanes_of: &'static str,
    ends: Ends,
    events: Vec<Event>,
    groups_path: String,
    new_group: Option<String>,
    calendar_path: String,
    has_groups: bool,
}

/// `GET /s/{slug}`
pub async fn overview(viewer: Viewer) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let here = &viewer.me.here;
    let window = lanes::window(here);
    let it = super::of(&act, viewer.role, &window, here.today()).await?;
    let mut todos: Vec<Todo> = it.matters.iter().map(|it| todos::todo(it, &viewer)).collect();
    todos.extend(it.tokens.iter().take(SHOWN).map(|it| todos::token(it, &viewer)));
    todos.extend(it.unsaved.iter().map(|it| todos::unsaved(it, &viewer)));
    let (todos, others) = folded(todos);
    let sums = viewer.scope.subscription();
    let attention = i64::from(sums.attention_groups);
    let uncounted = it.matters.len() as i64 - it.counted;
    let more = attention - it.counted;
    let acts = viewer.role.changes_keys();
    let lanes: Vec<_> = it.covered.iter().map(|it| charts::lane(it, &viewer, &window)).collect();
    html(&OverviewPage {
        stats: stats(&viewer, &it),
        headline: headline(attention, uncounted, it.tokens.len() as i64, it.unsaved.len() as i64),
        calm: calm(sums, it.next_end.as_ref(), &viewer),
        more_tokens: (it.tokens.len() > SHOWN).then(|| viewer.path("/settings/tokens")),
        more: (more > 0).then(|| format!("{} more groups", words::count(more))),
        idle: idle(&it, &viewer),
        axis: Axis::of(&window, here),
        lanes_of: match sums.group_count > lanes.len() as i32 {
            true => "those with a start or an end in these weeks",
            false => "",
        },
        lanes,
        ends: Ends::of(&it.weeks, here),
        events: charts::events(&it, &viewer, todos.len() + usize::from(!others.is_empty())),
        todos,
        others,
        groups_path: viewer.path("/groups"),
        new_group: acts.then(|| viewer.path("/groups/new")),
        calendar_path: viewer.path("/settings/calendar"),
        has_groups: sums.group_count > 0,
        page: Page::within(&viewer, Section::Overview),
    })
}

/// What is seen at once, and what can wait behind it.
fn folded(todos: Vec<Todo>) -> (Vec<Todo>, Vec<Todo>) {
    let can_wait = |n: usize, it: &Todo| n >= AT_ONCE && !it.fails;
    // One that is left over takes no less room than what would hide it.
    let many = todos.iter().enumerate().filter(|(n, it)| can_wait(*n, it)).count() > 1;
    let (folded, seen): (Vec<_>, Vec<_>) =
        todos.into_iter().enumerate().partition(|(n, it)| many && can_wait(*n, it));
    let only = |all: Vec<(usize, Todo)>| all.into_iter().map(|it| it.1).collect();
    (only(seen), only(folded))
}

/// `groups`: as many as everywhere else; `lagging`: those whose callers have not moved yet.
fn headline(groups: i64, lagging: i64, tokens: i64, unsaved: i64) -> String {
    let parts = [
        (groups, "key group needs attention", "key groups need attention"),
        (lagging, "rotation is not finished", "rotations are not finished"),
        (tokens, "automation token ends soon", "automation tokens end soon"),
        (unsaved, "key was never confirmed as saved", "keys were never confirmed as saved"),
    ];
    let told = |(n, one, many): &(i64, &str, &str)| match n {
        1 => format!("1 {one}"),
        n => format!("{} {many}", words::count(*n)),
    };
    let parts: Vec<_> = parts.iter().filter(|it| it.0 > 0).collect();
    match parts.as_slice() {
        [] => "Nothing needs attention.".to_owned(),
        [one] => format!("{}.", told(one)),
        [first, second] => format!("{}, and {}.", told(first), told(second)),
        [first, others @ ..] => {
            let others: i64 = others.iter().map(|it| it.0).sum();
            let others = words::count(others);
            format!("{}, and {others} other things to look at.", told(first))
        }
    }
}

/// True whatever there is: a group may have nothing active without anybody calling it.
fn calm(sums: &Subscription, next: Option<&KeyGroup>, viewer: &InPlace) -> String {
    let here = &viewer.me.here;
    let until = next.and_then(|it| Some((it, instant(it.covered_until?))));
    let which = match sums.nothing_active_groups {
        0 => "All groups are".to_owned(),
        n if n == sums.group_count => {
            return "No group has an active key, and nothing calls.".into();
        }
        1 => "1 group has nothing active, and nothing calls it. All others are".to_owned(),
        n => format!("{n} groups have nothing active, and nothing calls them. All others are"),
    };
    let Some((group, until)) = until else {
        return format!("{which} covered. No key that carries them has an end.");
    };
    let days = (until - here.now).num_days().min(30);
    let time = match days {
        0 => "covered now".to_owned(),
        n => format!("covered for the next {}", words::plural(n, "day")),
    };
    format!("{which} {time}. Next end: {}, {}.", group.name, here.day(until).text)
}

fn stats(viewer: &InPlace, overview: &Overview) -> Vec<Stat> {
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
        0 => "another key follows".to_owned(),
        1 => "1 group has no successor".to_owned(),
        n => format!("{n} groups have no successor"),
    };
    let soon = if it.soon_count == 0 { "none now".to_owned() } else { soon };
    let next = overview
        .starts
        .first()
        .map(|(it, _)| format!("next starts {}", viewer.me.here.day(instant(it.active_from)).text));
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
            next.unwrap_or_else(|| "waiting to start".to_owned()),
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

fn idle(it: &Overview, viewer: &InPlace) -> Option<Idle> {
    let list =
        |label, used: &str| (label, viewer.path(&format!("/keys?status=active&used={used}")));
    let count = match it.idle {
        0 => return None,
        1 => "1 active key has".to_owned(),
        n if n >= IDLE_COUNTED => format!("{} or more active keys have", words::count(n)),
        n => format!("{} active keys have", words::count(n)),
    };
    Some(Idle {
        text: format!("{count} not been used for {} days", super::IDLE_DAYS),
        lists: vec![
            list("Not used for 90 days", "not90d"),
            list("Not used for a year", "not365d"),
            list("Never used", "never"),
        ],
    })
}
