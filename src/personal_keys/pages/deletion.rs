//! Deleting a personal key.
use actix_web::{HttpResponse, web::Path};
use askama::Template;

use super::{
    LIST,
    list::{self, KeyList},
    own,
};
use crate::{
    clock::instant,
    http::{Flash, Page, PageError, SignedIn, html, page::Section, words::Moment},
    key_instances::pages::id,
    personal_keys,
};

#[derive(Template)]
#[template(path = "personal_keys/delete.html")]
struct DeletePage {
    page: Page,
    list: KeyList,
    key_id: String,
    note: String,
    last_used: Option<Moment>,
    last_used_by: String,
    path: String,
}

/// `GET /profile/keys/{personal_key}/deletion`
pub async fn form(me: SignedIn, path: Path<String>) -> Result<HttpResponse, PageError> {
    let key = personal_keys::find(&own(&me), id(&path)).await?;
    html(&DeletePage {
        page: Page::of(&me, Section::Profile),
        list: list::load(&me).await?,
        key_id: key.id.to_string(),
        last_used: key.last_used_at.map(|it| me.here.relative(instant(it))),
        last_used_by: key.last_used_agent.unwrap_or_default(),
        path: format!("{LIST}/{}/deletion", key.id),
        note: key.note,
    })
}

/// `POST /profile/keys/{personal_key}/deletion`
pub async fn delete(me: SignedIn, path: Path<String>) -> Result<HttpResponse, PageError> {
    personal_keys::delete(&own(&me), id(&path)).await?;
    Ok(Flash::new("The personal key is deleted.").then(&me.app, LIST))
}
