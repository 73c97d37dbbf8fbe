//! The list of policies, and one of them: its permissions, and who holds it.
use actix_web::{HttpResponse, web::Path};
use askama::Template;

use crate::{
    access::{self, Catalogue, pages::undo::UndoView},
    domain::access::Source,
    error::Result,
    http::{Page, PageError, Viewer, html, page::Section, words},
    key_instances::pages::id,
    permissions::{self, Permission},
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
            permissions: words::count(i64::try_from(it.set().len()).unwrap_or_default()),
            key_groups: words::count(key_groups),
            keys: words::count(keys),
            also: also(&all, it),
        }
    };
    html(&ListPage {
        page: Page::within(&viewer, Section::Policies),
        rows: all.policies.iter().map(row).collect(),
        permissions_path: viewer.path("/permissions"),
        has_permissions: !permissions::list(&act).await?.is_empty(),
        acts: viewer.role.changes_keys(),
        path,
    })
}

/// What else a policy is in than key groups.
fn also(all: &Catalogue, it: &Policy) -> String {
    let ways = all.ways_to(it.id);
    let count = |is: fn(&&Source) -> bool| {
        i64::try_from(ways.iter().filter(is).count()).unwrap_or_default()
    };
    let user_groups = count(|it| matches!(it, Source::UserGroup(_)));
    let roles = count(|it| matches!(it, Source::Role(_)));
    let some = |n: i64, noun: &str| (n > 0).then(|| words::plural(n, noun));
    let parts = [some(user_groups, "user group"), some(roles, "workspace role")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The permissions of one service, as a policy has them.
pub struct ServiceView {
    pub service: String,
    pub permissions: Vec<PermissionView>,
}

/// A permission with its tick.
pub struct PermissionView {
    pub name: String,
    pub description: String,
    pub is_declared: bool,
    pub chosen: bool,
}

/// By service, in order.
pub fn by_service(all: &[Permission], chosen: impl Fn(&str) -> bool) -> Vec<ServiceView> {
    let services = all.chunk_by(|a, b| a.service == b.service);
    let one = |it: &Permission| PermissionView {
        name: it.name.clone(),
        description: it.description.clone(),
        is_declared: it.is_declared(),
        chosen: chosen(&it.name),
    };
    services
        .map(|rows| ServiceView {
            service: rows[0].service.clone(),
            permissions: rows.iter().map(one).collect(),
        })
        .collect()
}

/// Something that holds the policy.
struct Holder {
    icon: &'static str,
    kind: &'static str,
    name: String,
    path: String,
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
    holders: Vec<Holder>,
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
    let own = [Source::Policy(it.id)];
    let groups = access::groups_of(&act, &own, LISTED).await?;
    let (key_groups, keys) = access::count(&act, &own).await?;
    let set = it.set();
    let mut permissions = permissions::list(&act).await?;
    permissions.retain(|it| set.contains(&it.name));
    let mut holders: Vec<_> = groups
        .iter()
        .map(|it| Holder {
            icon: "key-round",
            kind: "Key group",
            name: it.name.clone(),
            path: viewer.path(&format!("/groups/{}", it.id)),
        })
        .collect();
    holders.extend(all.ways_to(it.id).into_iter().filter_map(|source| {
        let (icon, kind, path) = match source {
            Source::Policy(_) => return None,
            Source::UserGroup(id) => ("users", "User group", format!("/user-groups/{id}")),
            Source::Role(_) => ("building-2", "Workspace role", "/workspaces".to_owned()),
        };
        Some(Holder { icon, kind, name: all.name(source), path: viewer.path(&path) })
    }));
    let path = viewer.path(&format!("/policies/{}", it.id));
    html(&DetailPage {
        page: Page::within(&viewer, Section::Policies),
        list_path: viewer.path("/policies"),
        services: by_service(&permissions, |_| true),
        more: key_groups - i64::try_from(groups.len()).unwrap_or_default(),
        undo: UndoView::of(&viewer, (it.id, it.version), &path).await?,
        path,
        acts: viewer.role.changes_keys(),
        name: it.name,
        description: it.description,
        holders,
        key_groups,
        keys,
    })
}
