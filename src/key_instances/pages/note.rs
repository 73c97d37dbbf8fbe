//! The dialog that changes the note of a key.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    KeyPath,
    list::{self, KeyList},
};
use crate::{
    http::{
        Admin, Errors, Flash, Form, Page, PageError,
        form::Draft,
        page::{Section, refused},
    },
    key_instances,
};

#[derive(Deserialize)]
pub struct NoteForm {
    #[serde(default)]
    note: String,
}

#[derive(Template)]
#[template(path = "key_instances/note.html")]
struct NotePage {
    page: Page,
    list: KeyList,
    name: String,
    note: String,
    path: String,
    back: String,
    errors: Errors,
}

async fn show(
    admin: &Admin,
    ids: (Uuid, Uuid),
    typed: Option<String>,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let key = key_instances::find(&admin.act(), ids).await?;
    let list = list::behind_dialog(admin, ids.0).await?;
    let page = NotePage {
        page: Page::within(admin, Section::Keys),
        name: key.name(),
        path: format!("{}/keys/{}/note", list.path, key.id),
        back: list.path.clone(),
        list,
        note: typed.unwrap_or(key.note),
        errors,
    };
    refused(&page, &page.errors)
}

/// `GET .../note`
pub async fn form(
    admin: Admin,
    path: Path<KeyPath>,
    draft: Draft<NoteForm>,
) -> Result<HttpResponse, PageError> {
    show(&admin, path.ids(), draft.0.map(|it| it.note), Errors::none()).await
}

/// `POST .../note`
pub async fn save(
    admin: Admin,
    path: Path<KeyPath>,
    form: Form<NoteForm>,
) -> Result<HttpResponse, PageError> {
    let ids = path.ids();
    let note = form.0.note;
    match key_instances::set_note(&admin.act(), ids, &note).await {
        Ok(key) => {
            let told = format!("The note of {} is saved.", key.name());
            let group = admin.path(&format!("/groups/{}", ids.0));
            Ok(Flash::new(told).then(&admin.me.app, &group))
        }
        Err(error) => show(&admin, ids, Some(note), Errors::of(error)?).await,
    }
}
