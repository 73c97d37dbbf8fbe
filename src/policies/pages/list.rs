//! The list of policies, and one of them: its permissions, and who holds it.
use actix_web::{HttpResponse, web::Path};
use askama::Template;

use crate::{
    access::{
        self, Catalogue,
        pages::{Link, undo::UndoView},
    },
    domain::access::Source,
    error::Result,
    http::{Page, PageError, Viewer, html, page::Section, words},
    key_groups::KeyGroup,
    key_instances::pages::id,
    permissions::{
        self,
        pages::{ServiceView, by_service},
    },
    policies::{self, Policy},
};

/// A policy in the list.
struct PolicyRow {
    name: String,
    description: String,
    path: String,
    permissions: String,
    key_groups: String,
    keys: String,
    /// `2 user groups, 1 role`
    also: String,
}

#[derive(Template)]
#[template(path = "policies/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<PolicyRow>,
    path: String,
    permissions_path: String,
    has_permissions: bool,
    acts: bool,
}

/// `GET /s/{slug}/policies`
pub async fn list(viewer: Viewer) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let all = Catalogue::load(&act).await?;
    let counts =
        access::count_by_policy(&act, all.policies.iter().map(|it| it.id).collect()).await?;
    let path = viewer.path("/policies");
    let row = |it: &Policy| {
        let (key_groups, keys) = counts.get(&it.id).copied().unwrap_or_default();
        PolicyRow {
            name: it.name.clone(),
            description: it.description.clone(),
            path: format!("{path}/{}", it.id),
            permissions: words::count(it.set().len()),
            key_groups: words::count(key_groups),
            keys: words::count(keys),
            also: also(&all, it),
        }
    };
    html(&ListPage {
        page: Page::within(&viewer, Section::Policies),
        rows: all.policies.iter().map(row).collect(),
        permissions_path: viewer.path("/permissions"),
        has_permissions: permissions::list(&act).await?.iter().any(|it| !it.is_own()),
        acts: viewer.role.changes_keys(),
        path,
    })
}

/// What else a policy is in than key groups.
fn also(all: &Catalogue, it: &Policy) -> String {
    let ways = all.ways_to(it.id);
    let count = |is: fn(&&Source) -> bool| ways.iter().filter(is).count();
    let user_groups = count(|it| matches!(it, Source::UserGroup(_)));
    let roles = count(|it| matches!(it, Source::Role(_)));
    let some = |n: usize, noun: &str| (n > 0).then(|| words::plural(n, noun));
    let parts = [some(user_groups, "user group"), some(roles, "workspace role")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[derive(Template)]
#[template(path = "policies/detail.html")]
struct DetailPage {
    page: Page,
    name: String,
    description: String,
    path: String,
    list_path: String,
    services: Vec<ServiceView>,
    /// Key groups whose policy it is; user groups and roles that it is in.
    holders: Vec<Link>,
    key_groups: i64,
    keys: i64,
    more: i64,
    undo: Option<UndoView>,
    acts: bool,
}

/// Key groups that are named on the page; the rest is counted.
const LISTED: u64 = 20;

/// `GET /s/{slug}/policies/{policy}`
pub async fn detail(
    viewer: Viewer,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let it = policies::find(&act, id(&path.1)).await?;
    let all = Catalogue::load(&act).await?;
    let own = Source::Policy(it.id);
    let holders = access::holders(&act, &[own], LISTED).await?;
    let set = it.set();
    let mut permissions = permissions::list(&act).await?;
    permissions.retain(|it| set.contains(&it.name));
    let key_group = |it: &KeyGroup| Link {
        icon: "key-round",
        kind: "Key group",
        name: it.name.clone(),
        path: viewer.path(&format!("/groups/{}", it.id)),
    };
    let ways = all.ways_to(it.id).into_iter().filter(|it| *it != own);
    let others = ways.map(|it| Link::to(&viewer, &all, it));
    let path = viewer.path(&format!("/policies/{}", it.id));
    html(&DetailPage {
        page: Page::within(&viewer, Section::Policies),
        list_path: viewer.path("/policies"),
        services: by_service(&permissions, |_| true),
        more: holders.more(),
        key_groups: holders.key_groups,
        keys: holders.keys,
        holders: holders.groups.iter().map(key_group).chain(others).collect(),
        undo: UndoView::of(&viewer, (it.id, it.version), &path).await?,
        path,
        acts: viewer.role.changes_keys(),
        name: it.name,
        description: it.description,
    })
}
