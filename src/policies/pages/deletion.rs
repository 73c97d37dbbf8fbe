//! Deleting a policy: what dies with it, confirmed by its number.
use std::collections::HashMap;

use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    access::{
        Catalogue, impact,
        pages::{Link, in_words},
    },
    audit,
    clock::{instant, iso},
    domain::access::Source,
    error::{Error, Result},
    http::{
        Admin, Errors, Flash, Form, Page, PageError, download,
        page::{Section, refused},
        words::{self, Moment},
    },
    key_groups::KeyGroup,
    key_instances::{
        self, KeyInstance,
        pages::{id, row::Badge},
    },
    policies::{self, deletion},
};

/// Groups that are listed one by one, with their keys; the rest is counted.
const LISTED: usize = 50;

/// A key group that dies.
struct DyingGroup {
    name: String,
    path: String,
    total: i32,
    last_used: Option<Moment>,
    keys: Vec<DyingKey>,
    more: i32,
}

struct DyingKey {
    name: String,
    badge: Badge,
    last_used: Option<Moment>,
}

/// What stays and loses something.
struct Loser {
    icon: &'static str,
    name: String,
    path: String,
    what: String,
}

#[derive(Template)]
#[template(path = "policies/delete.html")]
struct DeletePage {
    page: Page,
    name: String,
    groups: Vec<DyingGroup>,
    group_count: usize,
    more: usize,
    keys: i64,
    fence: String,
    losers: Vec<Loser>,
    more_losers: usize,
    /// Whether its groups could get another policy instead.
    has_others: bool,
    path: String,
    back: String,
    errors: Errors,
}

/// `GET /s/{slug}/policies/{policy}/deletion`
pub async fn form(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    show(&admin, id(&path.1), Errors::none()).await
}

async fn show(admin: &Admin, policy: Uuid, errors: Errors) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let it = policies::find(&act, policy).await?;
    let doomed = deletion::preview(&act, policy).await?;
    let all = Catalogue::load(&act).await?;
    let listed = &doomed.groups[..doomed.groups.len().min(LISTED)];
    let keys = key_instances::of_dying(&act, listed, 500).await?;
    let mut by_group: HashMap<Uuid, Vec<KeyInstance>> = HashMap::new();
    for key in keys {
        by_group.entry(key.key_group_id).or_default().push(key);
    }
    let dying = |group: &KeyGroup| {
        let keys = by_group.remove(&group.id).unwrap_or_default();
        dying(admin, group, &keys)
    };
    let groups: Vec<_> = listed.iter().map(dying).collect();
    let path = admin.path(&format!("/policies/{policy}"));
    let (losers, more_losers) = losers(admin, &all, policy, &doomed.groups).await?;
    let page = DeletePage {
        page: Page::within(admin, Section::Policies),
        group_count: doomed.groups.len(),
        more: doomed.groups.len() - groups.len(),
        groups,
        keys: doomed.keys,
        fence: doomed.fence,
        losers,
        more_losers,
        has_others: all.policies.len() > 1,
        name: it.name,
        back: path.clone(),
        path: format!("{path}/deletion"),
        errors,
    };
    refused(&page, &page.errors)
}

fn dying(admin: &Admin, group: &KeyGroup, keys: &[KeyInstance]) -> DyingGroup {
    let here = &admin.me.here;
    let key = |it: &KeyInstance| DyingKey {
        name: it.name(),
        badge: Badge::of(it, here),
        last_used: it.last_used().map(|at| here.relative(at)),
    };
    let total = group.instance_count();
    DyingGroup {
        name: group.name.clone(),
        path: admin.path(&format!("/groups/{}", group.id)),
        total,
        last_used: group.last_used().map(|at| here.relative(at)),
        keys: keys.iter().map(key).collect(),
        more: total - i32::try_from(keys.len()).unwrap_or(total),
    }
}

/// What stays and loses something: user groups, roles, and the key groups that hold it through them.
async fn losers(
    admin: &Admin,
    all: &Catalogue,
    policy: Uuid,
    doomed: &[KeyGroup],
) -> Result<(Vec<Loser>, usize)> {
    let own = Source::Policy(policy);
    let ways: Vec<_> = all.ways_to(policy).into_iter().filter(|it| *it != own).collect();
    let without = all.clone().without(own);
    let way = |it: &Source| {
        let what = match it {
            Source::UserGroup(_) => "the user group loses the policy",
            _ => "the workspace role is deleted too",
        };
        let Link { icon, name, path, .. } = Link::to(admin, all, *it);
        Loser { icon, name, path, what: what.to_owned() }
    };
    let mut losers: Vec<_> = ways.iter().map(way).collect();
    let act = admin.act();
    let (groups, more) = impact::losers(&act, (all, &without), &ways, doomed).await?;
    losers.extend(groups.iter().map(|it| Loser {
        icon: "triangle-alert",
        name: it.group.name.clone(),
        path: admin.path(&format!("/groups/{}/access", it.group.id)),
        what: format!("loses {}", in_words(all, &it.lost).join(", ")),
    }));
    Ok((losers, more))
}

/// `GET /s/{slug}/policies/{policy}/deletion.csv`: each key that dies.
pub async fn csv(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    let (act, here) = (admin.act(), &admin.me.here);
    let it = policies::find(&act, id(&path.1)).await?;
    let doomed = deletion::preview(&act, it.id).await?;
    let time = |at: Option<i64>| at.map(|it| iso(instant(it))).unwrap_or_default();
    let mut rows = Vec::new();
    for groups in doomed.groups.chunks(500) {
        let names: HashMap<Uuid, &str> =
            groups.iter().map(|it| (it.id, it.name.as_str())).collect();
        for key in key_instances::of_dying(&act, groups, download::MOST_ROWS).await? {
            rows.push(vec![
                names.get(&key.key_group_id).map(|it| (*it).to_owned()).unwrap_or_default(),
                key.name(),
                Badge::of(&key, here).text.to_owned(),
                time(key.last_used_at),
                key.last_used_from.clone().unwrap_or_default(),
            ]);
        }
    }
    let header = ["group", "key", "status", "last_used_at", "last_used_from"];
    audit::exported(act.app, act.scope.id(), &act.actor, ("keys of a policy", rows.len())).await?;
    let name = format!("{}-deletion.csv", download::file_name(&it.name));
    Ok(download::csv(&name, &header, &rows)?)
}

#[derive(Deserialize)]
pub struct DeleteForm {
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    fence: String,
}

/// `POST /s/{slug}/policies/{policy}/deletion`
pub async fn delete(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<DeleteForm>,
) -> Result<HttpResponse, PageError> {
    let (act, policy) = (admin.act(), id(&path.1));
    let now = deletion::preview(&act, policy).await?;
    let expected = now.keys.to_string();
    let typed = form.confirm.trim();
    // A changed set is told first: the number that was to be typed was another one.
    let deleted = if now.fence == form.fence && !now.groups.is_empty() && typed != expected {
        policies::find(&act, policy).await?;
        let told = format!("Type {expected}, the number of keys that are deleted, to confirm.");
        Err(Error::field("confirm", told))
    } else {
        deletion::delete(&act, policy, &form.fence).await
    };
    match deleted {
        Ok((it, doomed)) => {
            let text = if doomed.groups.is_empty() {
                format!("{} is deleted.", it.name)
            } else {
                let groups = words::plural(doomed.groups.len(), "key group");
                let keys = words::plural(doomed.keys, "key");
                format!("{} is deleted, with {groups} and {keys}.", it.name)
            };
            Ok(Flash::new(text).then(&admin.me.app, &admin.path("/policies")))
        }
        Err(error) => show(&admin, policy, Errors::of(error)?).await,
    }
}
