//! The list of user groups, and one of them: its policies, its people, and who holds it.
use actix_web::{HttpResponse, web::Path};
use askama::Template;

use crate::{
    access::{self, Catalogue, pages::undo::UndoView},
    domain::access::Source,
    http::{Page, PageError, Viewer, html, page::Section, words},
    key_groups::KeyGroup,
    key_instances::pages::id,
    members,
    policies::Policy,
    user_groups::{self, UserGroup},
};

struct GroupRow {
    name: String,
    description: String,
    path: String,
    policies: Vec<String>,
    permissions: String,
    people: String,
    key_groups: String,
    keys: String,
}

#[derive(Template)]
#[template(path = "user_groups/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<GroupRow>,
    path: String,
    acts: bool,
}

/// `GET /s/{slug}/user-groups`
pub async fn list(viewer: Viewer) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let all = Catalogue::load(&act).await?;
    let counts =
        access::count_by_user_group(&act, all.user_groups.iter().map(|it| it.0.id).collect())
            .await?;
    let people = user_groups::people(&act).await?;
    let path = viewer.path("/user-groups");
    let row = |(it, policies): &(UserGroup, Vec<uuid::Uuid>)| {
        let (key_groups, keys) = counts.get(&it.id).copied().unwrap_or_default();
        GroupRow {
            name: it.name.clone(),
            description: it.description.clone(),
            path: format!("{path}/{}", it.id),
            policies: policies.iter().map(|id| all.name(Source::Policy(*id))).collect(),
            permissions: words::count(all.of_user_group(policies).len()),
            people: match people.get(&it.id).copied().unwrap_or_default() {
                0 => "keys only".to_owned(),
                n => words::count(n),
            },
            key_groups: words::count(key_groups),
            keys: words::count(keys),
        }
    };
    html(&ListPage {
        page: Page::within(&viewer, Section::UserGroups),
        rows: all.user_groups.iter().map(row).collect(),
        acts: viewer.role.changes_keys(),
        path,
    })
}

/// Something with a page of its own.
struct Link {
    name: String,
    path: String,
    help: String,
}

#[derive(Template)]
#[template(path = "user_groups/detail.html")]
struct DetailPage {
    page: Page,
    name: String,
    description: String,
    path: String,
    list_path: String,
    policies: Vec<Link>,
    permissions: Vec<String>,
    people: Vec<(String, String)>,
    groups: Vec<Link>,
    key_groups: i64,
    keys: i64,
    more: i64,
    undo: Option<UndoView>,
    acts: bool,
}

/// Key groups that are named on the page; the rest is counted.
const LISTED: u64 = 20;

/// `GET /s/{slug}/user-groups/{user_group}`
pub async fn detail(
    viewer: Viewer,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let it = user_groups::find(&act, id(&path.1)).await?;
    let now = user_groups::wanted(&act, &it).await?;
    let all = Catalogue::load(&act).await?;
    let holders = access::holders(&act, &[Source::UserGroup(it.id)], LISTED).await?;
    let mut people = members::people(&act).await?;
    people.retain(|it| now.members.contains(&it.0));
    let policies: Vec<_> = all.policies.iter().filter(|it| now.policies.contains(&it.id)).collect();
    let policy = |it: &&Policy| Link {
        name: it.name.clone(),
        path: viewer.path(&format!("/policies/{}", it.id)),
        help: words::plural(it.set().len(), "permission"),
    };
    let group = |it: &KeyGroup| Link {
        name: it.name.clone(),
        path: viewer.path(&format!("/groups/{}/access", it.id)),
        help: it.description.clone(),
    };
    let ids: Vec<_> = policies.iter().map(|it| it.id).collect();
    let path = viewer.path(&format!("/user-groups/{}", it.id));
    html(&DetailPage {
        page: Page::within(&viewer, Section::UserGroups),
        list_path: viewer.path("/user-groups"),
        policies: policies.iter().map(policy).collect(),
        permissions: all.of_user_group(&ids).iter().map(str::to_owned).collect(),
        people: people.into_iter().map(|it| (it.1, it.2)).collect(),
        groups: holders.groups.iter().map(group).collect(),
        more: holders.more(),
        key_groups: holders.key_groups,
        keys: holders.keys,
        undo: UndoView::of(&viewer, (it.id, it.version), &path).await?,
        acts: viewer.role.changes_keys(),
        name: it.name,
        description: it.description,
        path,
    })
}
