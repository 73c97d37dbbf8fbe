//! Lists of instances: of one group, with its head, and of a whole subscription. Dialogs are drawn
//! over the first, so its view is shared.
use actix_web::{
    HttpResponse,
    web::{Path, Query},
};
use askama::Template;
use chrono::TimeDelta;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    id,
    row::{Badge, KeyRow},
};
use crate::{
    clock::instant,
    error::{Error, Result},
    http::{
        InPlace, Page, PageError, Viewer, download, html,
        page::Section,
        words::{self, Here, Moment},
    },
    key_groups::{self, KeyGroup, pages::CoverageView},
    key_instances::{self, Filter, KeyInstance, Listing, Show, Used},
    subscriptions::Act,
    users,
    verify::usage,
};

/// Rows of one page.
pub const PAGE: u64 = 25;
/// Rows of one CSV file: what fits into memory and a spreadsheet.
const CSV_ROWS: u64 = 50_000;

/// The filters as the URL holds them.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ListQuery {
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub used: String,
    #[serde(default)]
    pub from: String,
    #[serde(default)]
    pub until: String,
    #[serde(default)]
    pub q: String,
    #[serde(default)]
    pub after: String,
}

const SHOWS: [(&str, Show, &str); 6] = [
    ("", Show::All, "All"),
    ("active", Show::Active, "Active"),
    ("soon", Show::ExpiringSoon, "Expiring soon"),
    ("future", Show::Future, "Future"),
    ("expired", Show::Expired, "Expired"),
    ("deactivated", Show::Deactivated, "Deactivated"),
];

/// Value, meaning and label of the filter by use.
pub const USES: [(&str, Used, &str); 8] = [
    ("", Used::Any, "Any"),
    ("7d", Used::Within(7), "Used in the last 7 days"),
    ("30d", Used::Within(30), "Used in the last 30 days"),
    ("not30d", Used::NotFor(30), "Not used for 30 days"),
    ("not90d", Used::NotFor(90), "Not used for 90 days"),
    ("not365d", Used::NotFor(365), "Not used for a year"),
    ("never", Used::Never, "Never used"),
    ("within90d", Used::Within(90), "Used in the last 90 days"),
];

impl ListQuery {
    fn filter(&self, group: Option<Uuid>, here: &Here) -> Result<Filter> {
        let wrong = Error::Malformed("This list cannot be filtered like that. Clear the filters.");
        let day = |text: &str| match text.trim() {
            "" => Ok(None),
            text => here.parse_input(&format!("{text}T00:00")).map(Some),
        };
        let show = SHOWS.iter().find(|it| it.0 == self.status);
        let used = USES.iter().find(|it| it.0 == self.used);
        let (Some(show), Some(used)) = (show, used) else { return Err(wrong) };
        let (Ok(from), Ok(until)) = (day(&self.from), day(&self.until)) else { return Err(wrong) };
        let after = match self.after.as_str() {
            "" => None,
            text => Some(cursor(text).ok_or(wrong)?),
        };
        // The last day is meant to its end.
        let until = until.map(|it| it + TimeDelta::days(1));
        let text = self.q.chars().take(100).collect();
        Ok(Filter { group, show: show.1, used: used.1, from, until, text, after })
    }

    /// This query with one field changed, from the first page on.
    fn with(&self, name: &str, value: &str) -> String {
        let fields = [
            ("status", &self.status),
            ("used", &self.used),
            ("from", &self.from),
            ("until", &self.until),
            ("q", &self.q),
        ];
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (field, current) in fields {
            let value = if field == name { value } else { current };
            if !value.is_empty() {
                text.append_pair(field, value);
            }
        }
        if name == "after" {
            text.append_pair("after", value);
        }
        let text = text.finish();
        if text.is_empty() { text } else { format!("?{text}") }
    }
}

/// `{value}_{id}`, opaque to callers.
pub fn cursor(text: &str) -> Option<(i64, Uuid)> {
    let (value, id) = text.split_once('_')?;
    Some((value.parse().ok()?, Uuid::try_parse(id).ok()?))
}

pub fn cursor_text((value, id): (i64, Uuid)) -> String {
    format!("{value}_{}", id.simple())
}

/// A tab with its count, or an active filter that can be taken away.
pub struct LinkView {
    pub label: String,
    pub path: String,
    pub count: String,
    pub current: bool,
}

/// Everything that the template of a list shows.
pub struct KeyList {
    /// The path of the list itself.
    pub path: String,
    pub group: Option<GroupHead>,
    pub tabs: Vec<LinkView>,
    pub rows: Vec<KeyRow>,
    pub total: i64,
    pub query: ListQuery,
    pub uses: Vec<(&'static str, &'static str, bool)>,
    pub chips: Vec<LinkView>,
    pub csv: String,
    pub next: Option<String>,
    pub search: String,
    /// The list of groups.
    pub groups_path: String,
    pub acts: bool,
    /// The viewer's zone, for the date filters.
    pub zone: String,
}

impl KeyList {
    pub fn is_first_page(&self) -> bool {
        self.query.after.is_empty()
    }
}

/// The head of a group's page.
pub struct GroupHead {
    pub name: String,
    pub description: String,
    pub contact: String,
    pub client_id: String,
    pub path: String,
    pub coverage: CoverageView,
    pub calls: String,
    pub refused: String,
    pub last_used: Option<Moment>,
    /// What needs attention: a sentence in bold, one in plain, one button.
    pub notices: Vec<Notice>,
}

pub struct Notice {
    pub class: &'static str,
    pub icon: &'static str,
    pub strong: String,
    pub text: String,
    pub action: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "key_instances/list.html")]
struct ListPage {
    page: Page,
    list: KeyList,
}

/// `GET /s/{slug}/groups/{group}`
pub async fn of_group(
    viewer: Viewer,
    path: Path<(String, String)>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, PageError> {
    let list = view(&viewer, id(&path.1), query.into_inner()).await?;
    html(&ListPage { page: Page::within(&viewer, Section::Keys), list })
}

/// The page of a group, as dialogs show it behind themselves.
pub async fn view(it: &InPlace, group: Uuid, query: ListQuery) -> Result<KeyList> {
    let act = it.act();
    let group = key_groups::find(&act, group).await?;
    let path = it.path(&format!("/groups/{}", group.id));
    let filter = query.filter(Some(group.id), &it.me.here)?;
    let listing = key_instances::list(&act, &filter, PAGE).await?;
    let counts = [
        group.instance_count(),
        group.active_count,
        group.soon_count,
        group.future_count,
        group.expired_count,
        group.deactivated_count,
    ];
    let mut list = listed(it, listing, query, path, counts).await?;
    list.group = Some(head(it, &act, &group).await?);
    Ok(list)
}

/// `GET /s/{slug}/keys`
pub async fn of_subscription(
    viewer: Viewer,
    query: Query<ListQuery>,
) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let query = query.into_inner();
    let filter = query.filter(None, &viewer.me.here)?;
    let listing = key_instances::list(&act, &filter, PAGE).await?;
    let groups = key_groups::of_instances(&act, &listing.instances).await?;
    let group_of: Vec<_> = listing.instances.iter().map(|it| it.key_group_id).collect();
    let it = viewer.scope.subscription();
    let counts = [
        it.instance_count(),
        it.active_count,
        it.soon_count,
        it.future_count,
        it.expired_count,
        it.deactivated_count,
    ];
    let mut list = listed(&viewer, listing, query, viewer.path("/keys"), counts).await?;
    for (row, id) in list.rows.iter_mut().zip(group_of) {
        let group = groups.iter().find(|it| it.id == id);
        row.group = group.map(|it| (it.name.clone(), viewer.path(&format!("/groups/{id}"))));
    }
    html(&ListPage { page: Page::within(&viewer, Section::Keys), list })
}

async fn listed(
    it: &InPlace,
    listing: Listing,
    query: ListQuery,
    path: String,
    counts: [i32; 6],
) -> Result<KeyList> {
    let here = &it.me.here;
    let acts = it.role.changes_keys();
    let creators = listing.instances.iter().map(|it| it.created_by).collect();
    let names = users::names(&it.me.app.db, creators).await?;
    let row = |key: &KeyInstance| {
        let path = it.path(&format!("/groups/{}/keys/{}", key.key_group_id, key.id));
        let mut row = KeyRow::of(key, path, here, acts);
        row.created_by = names.get(&key.created_by).cloned().unwrap_or_default();
        row
    };
    let rows = listing.instances.iter().map(row).collect();
    let tab = |((value, _, label), count): (&(&str, Show, &str), i32)| LinkView {
        label: (*label).to_owned(),
        path: format!("{path}{}", query.with("status", value)),
        count: words::count(count.into()),
        current: query.status == *value,
    };
    let next = listing.next.map(|it| format!("{path}{}", query.with("after", &cursor_text(it))));
    Ok(KeyList {
        group: None,
        tabs: SHOWS.iter().zip(counts).map(tab).collect(),
        rows,
        total: counts[0].into(),
        uses: USES.iter().map(|it| (it.0, it.2, it.0 == query.used)).collect(),
        chips: chips(&query, &path),
        csv: match path.strip_suffix("/keys") {
            Some(_) => format!("{path}.csv{}", query.with("", "")),
            None => format!("{path}/keys.csv{}", query.with("", "")),
        },
        next,
        search: it.path("/search"),
        groups_path: it.path("/groups"),
        acts,
        zone: here.zone.to_string(),
        query,
        path,
    })
}

fn chips(query: &ListQuery, path: &str) -> Vec<LinkView> {
    let used = USES.iter().find(|it| it.0 == query.used && !it.0.is_empty());
    let labels = [
        ("used", used.map(|it| it.2.to_owned())),
        ("from", (!query.from.is_empty()).then(|| format!("Active from {}", query.from))),
        ("until", (!query.until.is_empty()).then(|| format!("Active until {}", query.until))),
        ("q", (!query.q.is_empty()).then(|| format!("Text: {}", query.q))),
    ];
    let chip = |(field, label): (&str, Option<String>)| {
        let path = format!("{path}{}", query.with(field, ""));
        Some(LinkView { label: label?, path, count: String::new(), current: false })
    };
    labels.into_iter().filter_map(chip).collect()
}

async fn head(it: &InPlace, act: &Act<'_>, group: &KeyGroup) -> Result<GroupHead> {
    let path = it.path(&format!("/groups/{}", group.id));
    let calls = usage::of_groups(&act.app.db, vec![group.id], act.now).await?;
    let calls = calls.get(&group.id).copied().unwrap_or_default();
    let all = calls.accepted + calls.refused;
    let share = calls.refused as f64 * 100.0 / all.max(1) as f64;
    let ahead = key_instances::ahead(act, group.id).await?;
    let notices = notices(it, group, &ahead, &path);
    Ok(GroupHead {
        name: group.name.clone(),
        description: group.description.clone(),
        contact: group.contact.clone(),
        client_id: group.client_id.clone(),
        coverage: CoverageView::of(group, &it.me.here),
        calls: words::count(calls.accepted),
        refused: if calls.refused > 0 { format!("{share:.2}% refused") } else { String::new() },
        last_used: group.last_used().map(|at| it.me.here.relative(at)),
        notices,
        path,
    })
}

/// One notice for each instance that warns, with the rule that fired and what follows; or that
/// nothing is active.
fn notices(it: &InPlace, group: &KeyGroup, ahead: &[KeyInstance], path: &str) -> Vec<Notice> {
    let (here, acts) = (&it.me.here, it.role.changes_keys());
    let mut notices = Vec::new();
    if group.nothing_active {
        let next = group.next_start.map(|at| here.minute(instant(at)).text);
        notices.push(Notice {
            class: "bad",
            icon: "triangle-alert",
            strong: "No key is active.".to_owned(),
            text: next.map_or_else(
                || "Every call of this group is refused.".to_owned(),
                |at| format!("The next one starts {at}."),
            ),
            action: acts.then(|| ("New API key".to_owned(), format!("{path}/keys/new"))),
        });
    }
    for key in ahead.iter().take(3) {
        let (Some(warning), Some(until)) = (key.warning(here.now), key.facts().period.until())
        else {
            continue;
        };
        let text = match key_instances::successor(key, ahead) {
            Some(next) if next.facts().period.from() <= here.now => {
                format!("Its successor {} is active already.", next.name())
            }
            Some(next) => {
                let start = next.facts().period.from();
                format!("Its successor {} starts {}.", next.name(), here.minute(start).text)
            }
            None => "It has no successor.".to_owned(),
        };
        let (name, time) = (key.name(), here.relative(until).text);
        notices.push(Notice {
            class: "soon",
            icon: "hourglass",
            strong: format!("{name} expires {time}."),
            text: format!("{text} {}", warning.rule.sentence()),
            action: acts
                .then(|| (format!("Rotate {name}"), format!("{path}/keys/{}/rotation", key.id))),
        });
    }
    notices
}

/// `GET /s/{slug}/groups/{group}/keys.csv`
pub async fn csv_of_group(
    viewer: Viewer,
    path: Path<(String, String)>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, PageError> {
    let group = key_groups::find(&viewer.act(), id(&path.1)).await?;
    let name = format!("{}-keys.csv", download::file_name(&group.name));
    csv(&viewer, &query, Some(group.id), &name).await
}

/// `GET /s/{slug}/keys.csv`
pub async fn csv_of_subscription(
    viewer: Viewer,
    query: Query<ListQuery>,
) -> Result<HttpResponse, PageError> {
    let name = format!("{}-keys.csv", viewer.scope.subscription().slug);
    csv(&viewer, &query, None, &name).await
}

async fn csv(
    viewer: &InPlace,
    query: &ListQuery,
    group: Option<Uuid>,
    name: &str,
) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let filter = Filter { after: None, ..query.filter(group, &viewer.me.here)? };
    let listing = key_instances::list(&act, &filter, CSV_ROWS).await?;
    let groups = key_groups::of_instances(&act, &listing.instances).await?;
    let creators = listing.instances.iter().map(|it| it.created_by).collect();
    let names = users::names(&act.app.db, creators).await?;
    let time = |at: Option<i64>| at.map(|it| words::iso(instant(it))).unwrap_or_default();
    let row = |it: &KeyInstance| {
        let group = groups.iter().find(|group| group.id == it.key_group_id);
        vec![
            group.map(|it| it.name.clone()).unwrap_or_default(),
            it.name(),
            it.note.clone(),
            Badge::of(it, &viewer.me.here).text.to_owned(),
            it.mask.clone(),
            time(Some(it.active_from)),
            time(it.active_until),
            time(it.deactivated_at),
            time(it.revoked_at),
            time(it.last_used_at),
            it.last_used_from.clone().unwrap_or_default(),
            names.get(&it.created_by).cloned().unwrap_or_default(),
            time(Some(it.created_at)),
        ]
    };
    let rows: Vec<_> = listing.instances.iter().map(row).collect();
    let header = [
        "group",
        "key",
        "note",
        "status",
        "masked",
        "from",
        "until",
        "deactivated_at",
        "revoked_at",
        "last_used_at",
        "last_used_from",
        "created_by",
        "created_at",
    ];
    Ok(download::csv(name, &header, &rows)?)
}
