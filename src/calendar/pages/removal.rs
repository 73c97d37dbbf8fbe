//! Switching a feed off.
use actix_web::{HttpResponse, web::Path};
use askama::Template;

use super::list::{self, FeedList};
use crate::{
    calendar,
    error::Result,
    http::{Admin, Flash, Page, PageError, html, page::Section},
    key_groups,
    key_instances::pages::id,
};

#[derive(Template)]
#[template(path = "calendar/removal.html")]
struct RemovalPage {
    page: Page,
    list: FeedList,
    of: String,
    path: String,
    back: String,
}

/// `GET /s/{slug}/settings/calendar/{feed}/removal`
pub async fn form(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    let feed = calendar::find(&admin.act(), id(&path.1)).await?;
    let of = match feed.key_group_id {
        Some(group) => key_groups::find(&admin.act(), group).await?.name,
        None => admin.scope.subscription().name.clone(),
    };
    html(&RemovalPage {
        page: Page::within(&admin, Section::Settings),
        list: list::view(&admin).await?,
        of,
        path: admin.path(&format!("/settings/calendar/{}/removal", feed.id)),
        back: admin.path("/settings/calendar"),
    })
}

/// `POST /s/{slug}/settings/calendar/{feed}/removal`
pub async fn remove(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    calendar::remove(&admin.act(), id(&path.1)).await?;
    let told = Flash::new("The calendar feed is removed. Its address is dead.");
    Ok(told.then(&admin.me.app, &admin.path("/settings/calendar")))
}
