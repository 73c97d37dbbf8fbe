//! Lists of instances: of one group, with its head, and of a whole subscription. Dialogs are drawn
//! over the first, so its view is shared.
use std::collections::HashMap;

use actix_web::{
    HttpResponse,
    web::{Path, Query},
};
use askama::Template;
use tokio::try_join;
use uuid::Uuid;

use super::{
    head::{self, GroupHead},
    id,
    query::{LIVE, ListQuery, REVIEWS, SHOWS, USES},
    row::{Badge, KeyRow},
};
use crate::{
    audit,
    clock::{instant, iso},
    domain::GroupKind,
    error::{Error, Result},
    http::{
        InPlace, Page, PageError, Viewer, download, html,
        listing::{LinkView, Pager, SortLink, cursor_text},
        page::Section,
        words,
    },
    key_groups::{self, KeyGroup},
    key_instances::{self, Filter, KeyInstance, Listing, Show},
    members,
    users::{self, User},
};

/// Rows of one page.
pub const PAGE: u64 = 25;

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
    /// Whose keys are shown, or nothing.
    pub knower: String,
    pub csv: String,
    /// Columns that sort: by when a key was made, by its end, and by its use.
    pub name_column: SortLink,
    pub period_column: SortLink,
    pub use_column: SortLink,
    /// The same where there are no columns: value, label, and whether it is chosen.
    pub sorts: Vec<(&'static str, &'static str, bool)>,
    pub pager: Pager,
    pub search: String,
    /// The list of groups.
    pub groups_path: String,
    pub acts: bool,
    /// The viewer's zone, for the date filters.
    pub zone: String,
    /// It is the review of unused keys.
    pub is_review: bool,
    /// The path of that review, and of the list of all keys.
    pub review: String,
    pub all_keys: String,
    /// Where acts on many keys are, if any row can be chosen.
    pub bulk: Option<Bulk>,
}

/// The bar under a list whose rows can be chosen.
pub struct Bulk {
    pub deactivation: String,
    pub extension: String,
    /// The list as it is shown, to come back to.
    pub here: String,
}

impl KeyList {
    /// Of the group that it lists; a list that spans groups speaks of keys.
    pub fn kind(&self) -> GroupKind {
        self.group.as_ref().map_or(GroupKind::Token, |it| it.kind)
    }
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
pub async fn behind_dialog(it: &InPlace, group: Uuid) -> Result<KeyList> {
    view(it, group, ListQuery::default()).await
}

async fn view(it: &InPlace, group: Uuid, query: ListQuery) -> Result<KeyList> {
    let act = it.act();
    let group = key_groups::find(&act, group).await?;
    let path = it.path(&format!("/groups/{}", group.id));
    let filter = query.filter(Some(group.id), &it.me.here)?;
    let (listing, head) =
        try_join!(key_instances::list(&act, &filter, PAGE), head::head(it, &act, &group))?;
    let counts = [
        group.instance_count(),
        group.active_count,
        group.soon_count,
        group.future_count,
        group.expired_count,
        group.deactivated_count,
    ];
    let groups = std::slice::from_ref(&group);
    let mut list = listed(it, listing, query, (path, counts), groups).await?;
    list.group = Some(head);
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
    let it = viewer.scope.subscription();
    let counts = [
        it.instance_count(),
        it.active_count,
        it.soon_count,
        it.future_count,
        it.expired_count,
        it.deactivated_count,
    ];
    let at = (viewer.path("/keys"), counts);
    let list = listed(&viewer, listing, query, at, &groups).await?;
    html(&ListPage { page: Page::within(&viewer, Section::Keys), list })
}

/// `GET /s/{slug}/keys/unused`: what still works and nobody uses, the longest idle first.
pub async fn unused(viewer: Viewer, query: Query<ListQuery>) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let (asked, path) = (query.into_inner(), viewer.path("/keys/unused"));
    let wanted = if asked.used.is_empty() { REVIEWS[0].0 } else { asked.used.as_str() };
    let Some((used, _)) = REVIEWS.iter().find(|it| it.0 == wanted) else {
        let wrong = "This review is for 30, 90 or 365 days, or for what was never used.";
        return Err(Error::Malformed(wrong).into());
    };
    let (status, used) = (LIVE.0.to_owned(), (*used).to_owned());
    let ListQuery { after, at, .. } = asked;
    let query = ListQuery { status, used, after, at, ..Default::default() };
    let filter = query.filter(None, &viewer.me.here)?;
    let listing = key_instances::list(&act, &filter, PAGE).await?;
    let groups = key_groups::of_instances(&act, &listing.instances).await?;
    let total = viewer.scope.subscription().instance_count();
    let csv = query.address(&viewer.path("/keys.csv"), ("after", ""));
    let tab = |it: &(&str, &str)| LinkView {
        label: it.1.to_owned(),
        path: format!("{path}?used={}", it.0),
        count: String::new(),
        current: it.0 == query.used,
    };
    let tabs = REVIEWS.iter().map(tab).collect();
    let at = (path.clone(), [total, 0, 0, 0, 0, 0]);
    let list = listed(&viewer, listing, query.clone(), at, &groups).await?;
    let chips = Vec::new();
    let period_column = list.period_column.fixed(); // it has one order, which is what it is for
    let list = KeyList { tabs, csv, chips, period_column, is_review: true, ..list };
    html(&ListPage { page: Page::within(&viewer, Section::Keys), list })
}

async fn listed(
    it: &InPlace,
    listing: Listing,
    query: ListQuery,
    (path, counts): (String, [i32; 6]),
    groups: &[KeyGroup],
) -> Result<KeyList> {
    let here = &it.me.here;
    let acts = it.role.changes_keys();
    let knower = knower(it, &query).await?;
    let creators = listing.instances.iter().map(|it| it.created_by).collect();
    let names = users::names(&it.me.app.db, creators).await?;
    let all_keys = it.path("/keys");
    let spans_groups = path.starts_with(&all_keys);
    let row = |key: &KeyInstance| {
        let path = it.path(&format!("/groups/{}/keys/{}", key.key_group_id, key.id));
        let group = groups.iter().find(|it| it.id == key.key_group_id);
        let kind = group.map_or(GroupKind::Token, KeyGroup::kind);
        let mut row = KeyRow::of(key, kind, path, here, acts);
        row.group = group.map(|it| it.name.clone()).filter(|_| spans_groups);
        row.created_by = names.get(&key.created_by).cloned().unwrap_or_default();
        row
    };
    let rows: Vec<KeyRow> = listing.instances.iter().map(row).collect();
    let bulk = rows.iter().any(|it| it.pick.is_some()).then(|| Bulk {
        deactivation: format!("{all_keys}/bulk/deactivation"),
        extension: format!("{all_keys}/bulk/extension"),
        here: query.here(&path),
    });
    let tab = |((value, _, label), count): (&(&str, Show, &str), i32)| LinkView {
        label: (*label).to_owned(),
        path: query.address(&path, ("status", value)),
        // The counts are those of the whole list, not of what one person knows.
        count: if knower.is_none() { words::count(count) } else { String::new() },
        current: query.status == *value,
    };
    let next = listing.next.map(|it| query.address(&path, ("after", &cursor_text(it))));
    let total = SHOWS.iter().zip(counts).find(|(it, _)| it.0 == query.status && query.is_counted());
    let pager = Pager::of(
        (&query.after, &query.at),
        rows.len(),
        total.map(|(_, count)| count.into()),
        query.address(&path, ("after", "")),
        next,
    );
    let column = |label, name| {
        SortLink::of(label, name, query.sorted(), |sort| query.address(&path, ("sort", sort)))
    };
    let (by_name, is_made) = (column("Name", "name"), query.sorts().any(|it| it.0 == "name"));
    Ok(KeyList {
        group: None,
        tabs: SHOWS.iter().zip(counts).map(tab).collect(),
        rows,
        total: counts[0].into(),
        uses: USES.iter().map(|it| (it.0, it.2, it.0 == query.used)).collect(),
        chips: chips(&query, &path, knower.as_ref()),
        knower: knower.map(|it| it.name).unwrap_or_default(),
        csv: match spans_groups {
            true => query.address(&format!("{path}.csv"), ("", "")),
            false => query.address(&format!("{path}/keys.csv"), ("", "")),
        },
        name_column: if is_made { by_name } else { by_name.fixed() },
        period_column: column("Active period", "until"),
        use_column: column("Last used", "used").fixed(),
        sorts: query.sorts().map(|it| (it.0, it.2, it.0 == query.sort)).collect(),
        pager,
        search: it.path("/search"),
        groups_path: it.path("/groups"),
        acts,
        zone: here.zone.to_string(),
        is_review: false,
        review: format!("{all_keys}/unused"),
        all_keys,
        bulk,
        query,
        path,
    })
}

/// Whose keys are wanted: somebody who is or was a member here.
async fn knower(it: &InPlace, query: &ListQuery) -> Result<Option<User>> {
    match query.known_to() {
        Some(user) => Ok(Some(members::known(&it.act(), user).await?)),
        None => Ok(None),
    }
}

fn chips(query: &ListQuery, path: &str, knower: Option<&User>) -> Vec<LinkView> {
    let used = USES.iter().find(|it| it.0 == query.used && !it.0.is_empty());
    let labels = [
        ("used", used.map(|it| it.2.to_owned())),
        ("from", (!query.from.is_empty()).then(|| format!("Active from {}", query.from))),
        ("until", (!query.until.is_empty()).then(|| format!("Active until {}", query.until))),
        ("q", (!query.q.is_empty()).then(|| format!("Text: {}", query.q))),
        ("known_to", knower.map(|it| format!("Known to {}", it.name))),
    ];
    let chip = |(field, label): (&str, Option<String>)| {
        let path = query.address(path, (field, ""));
        Some(LinkView { label: label?, path, count: String::new(), current: false })
    };
    labels.into_iter().filter_map(chip).collect()
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
    knower(viewer, query).await?;
    let filter = Filter { after: None, ..query.filter(group, &viewer.me.here)? };
    let listing = key_instances::list(&act, &filter, download::MOST_ROWS).await?;
    download::must_end(listing.next.as_ref())?;
    let groups = key_groups::of_instances(&act, &listing.instances).await?;
    let creators = listing.instances.iter().map(|it| it.created_by).collect();
    let names = users::names(&act.app.db, creators).await?;
    let time = |at: Option<i64>| at.map(|it| iso(instant(it))).unwrap_or_default();
    let groups: HashMap<Uuid, KeyGroup> = groups.into_iter().map(|it| (it.id, it)).collect();
    let row = |it: &KeyInstance| {
        let group = groups.get(&it.key_group_id);
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
    audit::exported(act.app, act.scope.id(), &act.actor, ("keys", rows.len())).await?;
    Ok(download::csv(name, &header, &rows)?)
}
