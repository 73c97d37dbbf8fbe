//! Taking an edit of access back, in one click.
use actix_web::{HttpResponse, web::Path};
use askama::Template;

use crate::{
    access::undo,
    clock::instant,
    error::{Error, Result},
    http::{Admin, Flash, Form, InPlace, Page, PageError, page::Section, words},
    key_instances::pages::id,
};

/// Offered on the page of what was edited, while it is possible.
pub struct UndoView {
    pub path: String,
    /// `3 minutes ago`
    pub edited: String,
    /// The page to come back to.
    pub back: String,
}

impl UndoView {
    /// For the edit that made this version of an object, to those who may take it back.
    pub async fn of(
        it: &InPlace,
        (object, version): (uuid::Uuid, i32),
        back: &str,
    ) -> Result<Option<Self>> {
        if !it.role.changes_keys() {
            return Ok(None);
        }
        let last = undo::last(&it.act(), object, version).await?;
        Ok(last.map(|(id, at)| Self {
            path: path(it, id),
            edited: it.me.here.relative(instant(at)).text,
            back: back.to_owned(),
        }))
    }
}

/// Where an edit is taken back.
pub fn path(it: &InPlace, edit: uuid::Uuid) -> String {
    it.path(&format!("/access-edits/{edit}/undo"))
}

/// What was saved, with the way to take it back if there is one.
pub fn flash(it: &InPlace, text: String, edit: Option<uuid::Uuid>, back: &str) -> Flash {
    let flash = Flash::new(text);
    match edit {
        Some(edit) => flash.with_undo(path(it, edit), &[("back", back.to_owned())]),
        None => flash,
    }
}

/// The same after an edit, which may have changed nothing.
pub fn saved(it: &InPlace, what: &str, edit: Option<uuid::Uuid>, back: &str) -> Flash {
    let text = match edit {
        Some(_) => format!("{what} is saved, effective at once."),
        None => "Nothing was changed.".to_owned(),
    };
    flash(it, text, edit, back)
}

#[derive(serde::Deserialize)]
pub struct UndoForm {
    #[serde(default)]
    back: String,
}

#[derive(Template)]
#[template(path = "access/not_undone.html")]
struct NotUndonePage {
    page: Page,
    why: String,
    back: String,
}

/// `POST /s/{slug}/access-edits/{edit}/undo`
pub async fn undo(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<UndoForm>,
) -> Result<HttpResponse, PageError> {
    let home = admin.path("");
    let inside = form.back.strip_prefix(&home).is_some_and(|it| it.starts_with('/'));
    let back = if inside && crate::http::is_local_path(&form.back) {
        form.back.clone()
    } else {
        admin.path("/groups")
    };
    match undo::undo(&admin.act(), id(&path.1)).await {
        Ok(names) => {
            let is = if names.len() == 1 { "is" } else { "are" };
            let some: Vec<String> = names.iter().take(3).cloned().collect();
            let what = match names.len() {
                0..=3 => words::list(&some),
                n => format!("{n} key groups"),
            };
            let flash = Flash::new(format!("{what} {is} as before."));
            Ok(flash.then(&admin.me.app, &back))
        }
        Err(Error::Refused(refusal)) => {
            let page = NotUndonePage {
                page: Page::within(&admin, Section::None),
                why: refusal.to_string(),
                back,
            };
            crate::http::page::html_with(actix_web::http::StatusCode::CONFLICT, &page)
        }
        Err(error) => Err(error.into()),
    }
}
