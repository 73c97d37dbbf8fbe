//! Deleting a policy: what dies with it, confirmed by its number; or another policy for its groups.
use std::collections::HashMap;

use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    access::{
        Catalogue, impact,
        pages::{in_words, undo},
    },
    domain::{Permissions, access::Source},
    error::{Error, Result},
    http::{
        Admin, Errors, Flash, Form, Page, PageError,
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
    name: String,
    path: String,
    lost: Vec<String>,
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
    /// Policies that its groups could get instead.
    others: Vec<(String, String)>,
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
    let keys = key_instances::of_dying(&act, listed).await?;
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
    let others = all.policies.iter().filter(|it| it.id != policy);
    let page = DeletePage {
        page: Page::within(admin, Section::Policies),
        group_count: doomed.groups.len(),
        more: doomed.groups.len() - groups.len(),
        groups,
        keys: doomed.keys,
        fence: doomed.fence,
        losers: losers(admin, &all, policy).await?,
        others: others.map(|it| (it.id.to_string(), it.name.clone())).collect(),
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

/// Key groups that hold it through a user group or a role, and what they lose.
async fn losers(admin: &Admin, all: &Catalogue, policy: Uuid) -> Result<Vec<Loser>> {
    let own = Source::Policy(policy);
    let ways: Vec<_> = all.ways_to(policy).into_iter().filter(|it| *it != own).collect();
    let without = all.clone().without(own);
    let none = Permissions::default();
    let impact = impact::shared(&admin.act(), (all, &without), &ways, (&none, &none)).await?;
    let loser = |it: &impact::GroupImpact| Loser {
        name: it.group.name.clone(),
        path: admin.path(&format!("/groups/{}/access", it.group.id)),
        lost: in_words(all, &it.lost),
    };
    Ok(impact.groups.iter().filter(|it| !it.lost.is_empty()).map(loser).collect())
}

#[derive(Deserialize)]
pub struct DeleteForm {
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    fence: String,
    #[serde(default)]
    to: String,
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
                let n = i64::try_from(doomed.groups.len()).unwrap_or(i64::MAX);
                let groups = words::plural(n, "key group");
                let keys = words::plural(doomed.keys, "key");
                format!("{} is deleted, with {groups} and {keys}.", it.name)
            };
            Ok(Flash::new(text).then(&admin.me.app, &admin.path("/policies")))
        }
        Err(error) => show(&admin, policy, Errors::of(error)?).await,
    }
}

/// `POST /s/{slug}/policies/{policy}/replacement`
pub async fn replace(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<DeleteForm>,
) -> Result<HttpResponse, PageError> {
    let (act, policy) = (admin.act(), id(&path.1));
    match deletion::replace(&act, (policy, id(&form.to)), &form.fence).await {
        Ok((n, edit)) => {
            let n = i64::try_from(n).unwrap_or(i64::MAX);
            let text = format!("{} now have another policy.", words::plural(n, "key group"));
            let back = admin.path(&format!("/policies/{policy}"));
            Ok(undo::flash(&admin, text, edit, &back).then(&admin.me.app, &back))
        }
        Err(error) => show(&admin, policy, Errors::of(error)?).await,
    }
}
