//! Deleting a group: a preview of what dies, and a confirmation of exactly that.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    http::{
        Admin, Errors, Flash, Form, Page, PageError,
        page::{Section, refused},
        words::{self, Moment},
    },
    key_groups,
    key_instances::{
        self,
        pages::{
            id,
            list::{self, KeyList},
            row::Badge,
        },
    },
};

/// Keys listed in the preview; the rest is counted.
const LISTED: u64 = 20;

/// One key that dies with its group.
pub struct Dying {
    pub name: String,
    pub badge: Badge,
    pub last_used: Option<Moment>,
}

#[derive(Template)]
#[template(path = "key_groups/delete.html")]
struct DeletePage {
    page: Page,
    list: KeyList,
    name: String,
    keys: Vec<Dying>,
    more: i32,
    total: i32,
    version: i32,
    path: String,
    back: String,
    errors: Errors,
}

/// `GET /s/{slug}/groups/{group}/deletion`
pub async fn form(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    show(&admin, id(&path.1), Errors::none()).await
}

async fn show(admin: &Admin, group: Uuid, errors: Errors) -> Result<HttpResponse, PageError> {
    let (act, here) = (admin.act(), &admin.me.here);
    let it = key_groups::find(&act, group).await?;
    let list = list::behind_dialog(admin, group).await?;
    let keys = key_instances::of_group(&act, group, LISTED).await?;
    let dying = |it: &key_instances::KeyInstance| Dying {
        name: it.name(),
        badge: Badge::of(it, here),
        last_used: it.last_used().map(|at| here.relative(at)),
    };
    let total = it.instance_count();
    let page = DeletePage {
        page: Page::within(admin, Section::Keys),
        keys: keys.iter().map(dying).collect(),
        more: total - i32::try_from(keys.len()).unwrap_or(total),
        total,
        version: it.version,
        name: it.name,
        path: format!("{}/deletion", list.path),
        back: list.path.clone(),
        list,
        errors,
    };
    refused(&page, &page.errors)
}

#[derive(Deserialize)]
pub struct DeleteForm {
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    version: i32,
}

/// `POST /s/{slug}/groups/{group}/deletion`
pub async fn delete(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<DeleteForm>,
) -> Result<HttpResponse, PageError> {
    let (act, group) = (admin.act(), id(&path.1));
    let it = key_groups::find(&act, group).await?;
    let deleted = if form.confirm.trim() == it.name {
        key_groups::delete(&act, group, form.version).await
    } else {
        Err(Error::field("confirm", format!("Type {} to confirm.", it.name)))
    };
    match deleted {
        Ok(it) => {
            let told = format!("{} and its keys are deleted.", it.name);
            let flash = Flash::new(told + &words::refused_where());
            Ok(flash.then(&admin.me.app, &admin.path("/groups")))
        }
        Err(error) => show(&admin, group, Errors::of(error)?).await,
    }
}
