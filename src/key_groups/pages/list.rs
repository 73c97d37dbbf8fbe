//! The list of groups: by coverage, with tabs, search, and the same as CSV.
use actix_web::{HttpResponse, web::Query};
use askama::Template;
use serde::Deserialize;
use tokio::try_join;
use uuid::Uuid;

use super::CoverageView;
use crate::{
    access::{self, HeldNames, pages::edit::Choice},
    audit,
    clock::{instant, iso},
    error::{Error, Result},
    http::{
        InPlace, Page, PageError, Viewer, download, html,
        listing::{self, LinkView, Pager, SortLink, cursor, cursor_text},
        page::Section,
        words::{self, Moment},
    },
    key_groups::{self, Filter, KeyGroup, Listing, Show, Sort, SortBy},
    user_groups::{self, UserGroup},
    verify::usage,
};

const PAGE: u64 = 25;
/// "Unused" is counted up to here: a longer list says "1 000+".
const COUNTED: u64 = 1_000;

#[derive(Clone, Debug, Default, Deserialize)]
pub struct GroupQuery {
    #[serde(default)]
    pub show: String,
    #[serde(default)]
    pub q: String,
    /// The id of a user group that they hold.
    #[serde(default)]
    pub user_group: String,
    /// The column to sort by, with a dash before it for descending.
    #[serde(default)]
    pub sort: String,
    /// A cursor, or the folded name of a group where the list is sorted by those.
    #[serde(default)]
    pub after: String,
    /// How many rows are on the pages before.
    #[serde(default)]
    pub at: String,
}

const SHOWS: [(&str, Show, &str); 5] = [
    ("", Show::All, "All"),
    ("soon", Show::ExpiringSoon, "Expiring soon"),
    ("gap", Show::NoSuccessor, "No successor"),
    ("none", Show::NothingActive, "Nothing active"),
    ("unused", Show::Unused, "Unused 30 days"),
];

/// Value, meaning and label of each order; in the value a dash stands for descending.
const SORTS: [(&str, Sort, &str); 4] = [
    ("coverage", Sort { by: SortBy::Coverage, descending: false }, "What runs out first"),
    ("-coverage", Sort { by: SortBy::Coverage, descending: true }, "What runs out last"),
    ("name", Sort { by: SortBy::Name, descending: false }, "By name"),
    ("-name", Sort { by: SortBy::Name, descending: true }, "By name, from the end"),
];

impl GroupQuery {
    fn filter(&self) -> Result<Filter> {
        let wrong =
            || Error::Malformed("This list cannot be filtered like that. Clear the filters.");
        let Some((_, show, _)) = SHOWS.iter().find(|it| it.0 == self.show) else {
            return Err(wrong());
        };
        if !self.sort.is_empty() && SORTS.iter().all(|it| it.0 != self.sort) {
            return Err(wrong());
        }
        let sort = self.sort();
        let by_name = sort.is_some_and(|it| it.by == SortBy::Name);
        let after = match self.after.as_str() {
            "" => None,
            _ if by_name => None,
            text => Some(cursor(text).ok_or_else(wrong)?),
        };
        let user_group = match self.user_group.as_str() {
            "" => None,
            text => Some(Uuid::try_parse(text).map_err(|_| wrong())?),
        };
        Ok(Filter {
            show: *show,
            text: self.q.trim().chars().take(100).collect(),
            user_group,
            sort,
            after,
            after_name: Some(self.after.clone()).filter(|it| by_name && !it.is_empty()),
        })
    }

    /// The chosen order. The unused ones have one of their own.
    fn sort(&self) -> Option<Sort> {
        let chosen = SORTS.iter().find(|it| it.0 == self.sort && self.show != "unused");
        chosen.map(|it| it.1)
    }

    /// The column that the list is sorted by, and whether that is descending.
    fn sorted(&self) -> (&'static str, bool) {
        match self.sort() {
            _ if self.show == "unused" => ("used", false),
            Some(it) if it.by == SortBy::Name => ("name", it.descending),
            it => ("coverage", it.is_some_and(|it| it.descending)),
        }
    }

    /// The list at `path` with one field changed, from the first page on unless that is the field.
    fn address(&self, path: &str, change: (&str, &str)) -> String {
        let fields = [
            ("show", self.show.as_str()),
            ("q", &self.q),
            ("user_group", &self.user_group),
            ("sort", &self.sort),
            ("after", ""),
        ];
        listing::address(path, &fields, change)
    }
}

pub struct GroupRow {
    pub name: String,
    pub path: String,
    pub description: String,
    pub is_client: bool,
    pub coverage: CoverageView,
    pub active: String,
    pub nothing_active: bool,
    /// `1 expires soon`, `1 in the future`
    pub soon: String,
    pub future: String,
    /// Its policy and user groups; the rest is counted.
    pub access: AccessTags,
    pub calls: String,
    pub last_used: Option<Moment>,
}

/// What a group holds, as small tags.
#[derive(Default)]
pub struct AccessTags {
    pub policy: String,
    pub others: Vec<String>,
    pub more: usize,
}

impl AccessTags {
    /// `shown` others besides the policy.
    pub fn of(mut held: HeldNames, shown: usize) -> Self {
        let more = held.others.len().saturating_sub(shown);
        held.others.truncate(shown);
        Self { policy: held.policy.unwrap_or_default(), others: held.others, more }
    }

    pub fn is_empty(&self) -> bool {
        self.policy.is_empty() && self.others.is_empty()
    }
}

/// Everything that the template of the list shows; dialogs draw it behind themselves.
pub struct GroupList {
    pub path: String,
    pub tabs: Vec<LinkView>,
    pub rows: Vec<GroupRow>,
    pub total: i64,
    pub query: GroupQuery,
    pub clear: String,
    /// User groups to filter by.
    pub user_groups: Vec<Choice>,
    /// The one that is filtered by, and the list without it.
    pub of_user_group: Option<LinkView>,
    pub csv: String,
    pub name_column: SortLink,
    pub coverage_column: SortLink,
    pub use_column: SortLink,
    /// The same where there are no columns: value, label, and whether it is chosen.
    pub sorts: Vec<(&'static str, &'static str, bool)>,
    pub pager: Pager,
    pub search: String,
    /// The list of all keys, over groups, and of those that the text is in.
    pub keys_path: String,
    pub in_keys: String,
    pub acts: bool,
}

#[derive(Template)]
#[template(path = "key_groups/list.html")]
struct ListPage {
    page: Page,
    list: GroupList,
}

/// `GET /s/{slug}/groups`
pub async fn list(viewer: Viewer, query: Query<GroupQuery>) -> Result<HttpResponse, PageError> {
    let list = view(&viewer, query.into_inner()).await?;
    html(&ListPage { page: Page::within(&viewer, Section::Keys), list })
}

pub async fn view(it: &InPlace, query: GroupQuery) -> Result<GroupList> {
    let act = it.act();
    let filter = query.filter()?;
    let (Listing { groups, next }, unused, user_groups) = try_join!(
        key_groups::list(&act, &filter, PAGE),
        key_groups::count_unused(&act, COUNTED),
        user_groups::names(&act),
    )?;
    let ids: Vec<Uuid> = groups.iter().map(|it| it.id).collect();
    let (calls, mut held) = try_join!(calls(it, &groups), access::names(&act, &ids))?;
    let mut tags = |group: &KeyGroup| AccessTags::of(held.remove(&group.id).unwrap_or_default(), 2);
    let user_group = |it: UserGroup| Choice {
        chosen: it.id.to_string() == query.user_group,
        id: it.id.to_string(),
        name: it.name,
        help: String::new(),
    };
    let user_groups: Vec<_> = user_groups.into_iter().map(user_group).collect();
    let sums = it.scope.subscription();
    let counts = [
        sums.group_count,
        sums.warning_groups,
        sums.no_successor_groups,
        sums.nothing_active_groups,
        i32::try_from(unused).unwrap_or(i32::MAX),
    ];
    let path = it.path("/groups");
    let tab = |((value, _, label), count): (&(&str, Show, &str), i32)| LinkView {
        label: (*label).to_owned(),
        path: query.address(&path, ("show", value)),
        count: match *value {
            "unused" if unused >= COUNTED => format!("{}+", words::count(count)),
            _ => words::count(count),
        },
        current: query.show == *value,
    };
    let last = groups.last().map(|it| it.name_folded.clone()).unwrap_or_default();
    let (by, _) = query.sorted();
    let next = next.map(|it| if by == "name" { last } else { cursor_text(it) });
    let total = SHOWS.iter().zip(counts).find(|(it, _)| it.0 == query.show);
    let total = total.filter(|(it, _)| it.0 != "unused" || unused < COUNTED);
    let total = total.filter(|_| query.q.is_empty() && query.user_group.is_empty());
    let pager = Pager::of(
        (&query.after, &query.at),
        groups.len(),
        total.map(|(_, count)| count.into()),
        query.address(&path, ("after", "")),
        next.map(|it| query.address(&path, ("after", &it))),
    );
    let column = |label, name| {
        let it =
            SortLink::of(label, name, query.sorted(), |sort| query.address(&path, ("sort", sort)));
        if by == "used" || name == "used" { it.fixed() } else { it }
    };
    Ok(GroupList {
        name_column: column("Key group", "name"),
        coverage_column: column("Coverage", "coverage"),
        use_column: column("Last used", "used"),
        sorts: SORTS.iter().map(|it| (it.0, it.2, it.0 == query.sort)).collect(),
        pager,
        tabs: SHOWS.iter().zip(counts).map(tab).collect(),
        rows: groups
            .iter()
            .zip(calls)
            .map(|(group, calls)| GroupRow { access: tags(group), ..row(it, group, calls) })
            .collect(),
        of_user_group: (!query.user_group.is_empty()).then(|| LinkView {
            label: user_groups
                .iter()
                .find(|it| it.chosen)
                .map_or("deleted", |it| &it.name)
                .to_owned(),
            path: query.address(&path, ("user_group", "")),
            count: String::new(),
            current: false,
        }),
        user_groups,
        total: sums.group_count.into(),
        clear: query.address(&path, ("q", "")),
        csv: query.address(&format!("{path}.csv"), ("", "")),
        search: it.path("/search"),
        keys_path: it.path("/keys"),
        in_keys: listing::address(&it.path("/keys"), &[("q", &query.q)], ("", "")),
        acts: it.role.changes_keys(),
        query,
        path,
    })
}

/// Accepted calls in 30 days, in the order of the groups.
async fn calls(it: &InPlace, groups: &[KeyGroup]) -> Result<Vec<i64>> {
    let ids = groups.iter().map(|it| it.id).collect();
    let calls = usage::of_groups(&it.me.app.db, ids, it.me.here.now).await?;
    Ok(groups.iter().map(|it| calls.get(&it.id).map_or(0, |it| it.accepted)).collect())
}

fn row(it: &InPlace, group: &KeyGroup, calls: i64) -> GroupRow {
    let some = |n: i32, text: &str| if n > 0 { format!("{n} {text}") } else { String::new() };
    let soon =
        some(group.soon_count, if group.soon_count == 1 { "expires soon" } else { "expire soon" });
    GroupRow {
        name: group.name.clone(),
        path: it.path(&format!("/groups/{}", group.id)),
        description: group.description.clone(),
        is_client: group.kind().is_client(),
        coverage: CoverageView::of(group, &it.me.here),
        active: format!("{} active", words::count(group.active_count)),
        nothing_active: group.nothing_active,
        // Where the coverage says so already, it is not said twice.
        soon: if group.no_successor { String::new() } else { soon },
        future: some(group.future_count, "in the future"),
        access: AccessTags::default(),
        calls: words::count(calls),
        last_used: group.last_used().map(|at| it.me.here.relative(at)),
    }
}

/// `GET /s/{slug}/groups.csv`
pub async fn csv(viewer: Viewer, query: Query<GroupQuery>) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let filter = Filter { after: None, after_name: None, ..query.filter()? };
    let Listing { groups, next } = key_groups::list(&act, &filter, download::MOST_ROWS).await?;
    download::must_end(next.as_ref())?;
    let mut rows = Vec::with_capacity(groups.len());
    for chunk in groups.chunks(1_000) {
        let calls = calls(&viewer, chunk).await?;
        let ids: Vec<Uuid> = chunk.iter().map(|it| it.id).collect();
        let mut held = access::names(&act, &ids).await?;
        rows.extend(chunk.iter().zip(calls).map(|(group, calls)| {
            let held = held.remove(&group.id).unwrap_or_default();
            csv_row(&viewer, group, AccessTags::of(held, usize::MAX), calls)
        }));
    }
    let header = [
        "group",
        "description",
        "contact",
        "client_id",
        "coverage",
        "covered_until",
        "active",
        "expiring_soon",
        "future",
        "expired",
        "deactivated",
        "calls_30_days",
        "last_used_at",
        "policy",
        "user_groups_and_roles",
    ];
    let name = format!("{}-groups.csv", viewer.scope.subscription().slug);
    audit::exported(act.app, act.scope.id(), &act.actor, ("key groups", rows.len())).await?;
    Ok(download::csv(&name, &header, &rows)?)
}

fn csv_row(it: &InPlace, group: &KeyGroup, tags: AccessTags, calls: i64) -> Vec<String> {
    let time = |at: Option<i64>| at.map(|it| iso(instant(it))).unwrap_or_default();
    vec![
        group.name.clone(),
        group.description.clone(),
        group.contact.clone(),
        group.client_id.clone(),
        CoverageView::of(group, &it.me.here).text,
        time(group.covered_until),
        group.active_count.to_string(),
        group.soon_count.to_string(),
        group.future_count.to_string(),
        group.expired_count.to_string(),
        group.deactivated_count.to_string(),
        calls.to_string(),
        time(group.last_used_at),
        tags.policy,
        tags.others.join("; "),
    ]
}
