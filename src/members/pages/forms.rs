//! Another role for a member, and removal: dialogs over the list.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    invite::{RoleChoice, choices, read_role},
    list::{self, MemberList},
};
use crate::{
    automation_tokens::{self, AutomationToken},
    clock::instant,
    http::{
        Admin, Errors, Flash, Form, Page, PageError,
        form::Draft,
        page::{Section, refused},
        words::{self, Moment},
    },
    key_instances::{
        self, How,
        pages::{id, row::Badge},
    },
    members::{self, Member},
};

/// Keys that the removal lists one by one; the rest is counted.
const LISTED: usize = 10;

#[derive(Clone, Default, Deserialize)]
pub struct RoleForm {
    #[serde(default)]
    role: String,
}

#[derive(Template)]
#[template(path = "members/role.html")]
struct RolePage {
    page: Page,
    list: MemberList,
    name: String,
    roles: Vec<RoleChoice>,
    path: String,
    back: String,
    errors: Errors,
}

async fn show_role(
    admin: &Admin,
    user: Uuid,
    form: Option<RoleForm>,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let it = members::find(&admin.act(), user).await?;
    let chosen = form.map_or_else(|| it.role.as_str().to_owned(), |it| it.role);
    let page = RolePage {
        page: Page::within(admin, Section::Members),
        list: list::view(admin).await?,
        name: it.user.name,
        roles: choices(&chosen),
        path: admin.path(&format!("/members/{user}/role")),
        back: admin.path("/members"),
        errors,
    };
    refused(&page, &page.errors)
}

/// `GET /s/{slug}/members/{member}/role`
pub async fn role_form(
    admin: Admin,
    path: Path<(String, String)>,
    draft: Draft<RoleForm>,
) -> Result<HttpResponse, PageError> {
    show_role(&admin, id(&path.1), draft.0, Errors::none()).await
}

/// `POST /s/{slug}/members/{member}/role`
pub async fn change_role(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<RoleForm>,
) -> Result<HttpResponse, PageError> {
    let user = id(&path.1);
    let changed = match read_role(&form.role) {
        Ok(role) => members::change_role(&admin.act(), user, role).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(it) => {
            let told = format!("{} is {} now.", it.user.name, it.role.title().to_lowercase());
            Ok(Flash::new(told).then(&admin.me.app, &way_on(&admin, user)))
        }
        Err(error) => show_role(&admin, user, Some(form.0), Errors::of(error)?).await,
    }
}

/// Who has changed their own place may not see the list any more.
fn way_on(admin: &Admin, user: Uuid) -> String {
    if user == admin.me.user.id { "/".to_owned() } else { admin.path("/members") }
}

struct KnownKey {
    name: String,
    group: String,
    path: String,
    badge: Badge,
    how: String,
    last_used: Option<Moment>,
}

struct TokenLine {
    name: String,
    scopes: String,
    ends: Moment,
    last_used: Option<Moment>,
}

#[derive(Template)]
#[template(path = "members/removal.html")]
struct RemovalPage {
    page: Page,
    list: MemberList,
    name: String,
    is_you: bool,
    keys: Vec<KnownKey>,
    total: usize,
    more: usize,
    known: String,
    /// Automation tokens that they made and that stay.
    tokens: Vec<TokenLine>,
    tokens_path: String,
    path: String,
    back: String,
    errors: Errors,
}

async fn show_removal(
    admin: &Admin,
    it: Member,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let (act, user) = (admin.act(), it.user.id);
    let known = key_instances::known(&act, user, LISTED as u64).await?;
    let total = key_instances::how_many_known(&act, user).await?;
    let instances: Vec<_> = known.iter().map(|it| it.0.clone()).collect();
    let groups = crate::key_groups::of_instances(&act, &instances).await?;
    let here = &admin.me.here;
    let key = |(key, ways): &(key_instances::KeyInstance, Vec<How>)| {
        let group = groups.iter().find(|it| it.id == key.key_group_id);
        let mut ways: Vec<String> = ways.iter().map(|it| it.in_words().to_owned()).collect();
        ways.dedup();
        KnownKey {
            name: key.name(),
            group: group.map(|it| it.name.clone()).unwrap_or_default(),
            path: admin.path(&format!("/groups/{}/keys/{}", key.key_group_id, key.id)),
            badge: Badge::of(key, here),
            how: words::list(&ways),
            last_used: key.last_used().map(|it| here.relative(it)),
        }
    };
    let tokens = automation_tokens::live_of(&act, user).await?;
    let token = |it: AutomationToken| TokenLine {
        scopes: words::list(&it.scopes().iter().map(|it| it.as_str().into()).collect::<Vec<_>>()),
        ends: here.day(it.ends()),
        last_used: it.last_used_at.map(|at| here.relative(instant(at))),
        name: it.name,
    };
    let page = RemovalPage {
        page: Page::within(admin, Section::Members),
        list: list::view(admin).await?,
        name: it.user.name,
        is_you: user == admin.me.user.id,
        keys: known.iter().map(key).collect(),
        total,
        more: total.saturating_sub(known.len()),
        known: list::keys_path(admin, user),
        tokens: tokens.into_iter().map(token).collect(),
        tokens_path: admin.path("/settings/tokens"),
        path: admin.path(&format!("/members/{user}/removal")),
        back: admin.path("/members"),
        errors,
    };
    refused(&page, &page.errors)
}

/// `GET /s/{slug}/members/{member}/removal`
pub async fn removal_form(
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let it = members::find(&admin.act(), id(&path.1)).await?;
    show_removal(&admin, it, Errors::none()).await
}

/// `POST /s/{slug}/members/{member}/removal`
pub async fn remove(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    let user = id(&path.1);
    match members::remove(&admin.act(), user).await {
        Ok((gone, keys)) => {
            let mut told = Flash::new(match keys {
                0 => format!("{} is removed.", gone.user.name),
                1 => format!("{} is removed, and knows 1 key that works.", gone.user.name),
                _ => format!(
                    "{} is removed, and knows {} keys that work.",
                    gone.user.name,
                    words::count(keys)
                ),
            });
            if keys > 0 && user != admin.me.user.id {
                told = told.with_link("See and rotate", list::keys_path(&admin, user));
            }
            Ok(told.then(&admin.me.app, &way_on(&admin, user)))
        }
        Err(error) => {
            let errors = Errors::of(error)?;
            let it = members::find(&admin.act(), user).await?;
            show_removal(&admin, it, errors).await
        }
    }
}
