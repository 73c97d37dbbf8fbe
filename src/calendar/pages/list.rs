//! The feeds of a subscription. Dialogs are drawn over it.
use actix_web::HttpResponse;
use askama::Template;

use crate::{
    calendar,
    clock::instant,
    error::Result,
    http::{Admin, Page, PageError, html, page::Section, words::Moment},
    users,
};

pub struct FeedRow {
    /// Of the group; empty for that of the whole subscription.
    pub group: String,
    pub group_path: String,
    pub made: Moment,
    pub by: String,
    pub reset: String,
    pub removal: String,
}

/// Everything that the template of the list shows.
pub struct FeedList {
    pub rows: Vec<FeedRow>,
    pub has_whole: bool,
    pub make: String,
    pub groups_path: String,
    pub settings_path: String,
    pub subscription: String,
}

#[derive(Template)]
#[template(path = "calendar/list.html")]
struct ListPage {
    page: Page,
    list: FeedList,
}

/// `GET /s/{slug}/settings/calendar`
pub async fn list(admin: Admin) -> Result<HttpResponse, PageError> {
    let list = view(&admin).await?;
    html(&ListPage { page: Page::within(&admin, Section::Settings), list })
}

/// The list, as dialogs show it behind themselves.
pub async fn view(admin: &Admin) -> Result<FeedList> {
    let act = admin.act();
    let feeds = calendar::list(&act).await?;
    let makers = feeds.iter().map(|it| it.0.created_by).collect();
    let names = users::names(&act.app.db, makers).await?;
    let rows = feeds.into_iter().map(|(feed, group)| {
        let group_path = group.as_ref().map(|it| admin.path(&format!("/groups/{}", it.id)));
        FeedRow {
            made: admin.me.here.relative(instant(feed.created_at)),
            by: names.get(&feed.created_by).cloned().unwrap_or_default(),
            reset: group_path.as_ref().map_or_else(
                || admin.path("/settings/calendar/address"),
                |it| format!("{it}/calendar"),
            ),
            removal: admin.path(&format!("/settings/calendar/{}/removal", feed.id)),
            group: group.map(|it| it.name).unwrap_or_default(),
            group_path: group_path.unwrap_or_default(),
        }
    });
    let rows: Vec<FeedRow> = rows.collect();
    Ok(FeedList {
        has_whole: rows.first().is_some_and(|it| it.group.is_empty()),
        rows,
        make: admin.path("/settings/calendar/address"),
        groups_path: admin.path("/groups"),
        settings_path: admin.path("/settings"),
        subscription: admin.scope.subscription().name.clone(),
    })
}
