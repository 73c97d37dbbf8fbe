//! The list of somebody's own keys, also behind the dialogs.
use actix_web::HttpResponse;
use askama::Template;

use super::own;
use crate::{
    clock::instant,
    http::{
        Page, PageError, SignedIn, html,
        page::Section,
        words::{Here, Moment},
    },
    personal_keys::{self, PersonalKey},
};

pub struct KeyRow {
    pub id: String,
    pub note: String,
    pub issued: Moment,
    /// `None`: never.
    pub ends: Option<Moment>,
    pub has_ended: bool,
    pub last_used: Option<Moment>,
    pub last_used_by: String,
    pub unsaved: bool,
    pub deletion: String,
}

impl KeyRow {
    fn of(it: &PersonalKey, here: &Here) -> Self {
        let [from, agent] = [&it.last_used_from, &it.last_used_agent].map(Option::as_deref);
        let parts = [from, agent].map(Option::unwrap_or_default);
        Self {
            id: it.id.to_string(),
            note: it.note.clone(),
            issued: here.day(instant(it.issued_at)),
            ends: it.active_until.map(|it| here.relative(instant(it))),
            has_ended: it.has_ended(here.now),
            last_used: it.last_used_at.map(|it| here.relative(instant(it))),
            last_used_by: parts.join(" ").trim().to_owned(),
            unsaved: it.saved_at.is_none() && it.last_used_at.is_none() && !it.has_ended(here.now),
            deletion: format!("{}/{}/deletion", super::LIST, it.id),
        }
    }
}

/// What the list's template needs, whatever stands before it.
pub struct KeyList {
    pub rows: Vec<KeyRow>,
}

pub async fn load(me: &SignedIn) -> Result<KeyList, PageError> {
    let keys = personal_keys::list(&own(me)).await?;
    Ok(KeyList { rows: keys.iter().map(|it| KeyRow::of(it, &me.here)).collect() })
}

#[derive(Template)]
#[template(path = "personal_keys/list.html")]
struct ListPage {
    page: Page,
    list: KeyList,
}

/// `GET /profile/keys`
pub async fn list(me: SignedIn) -> Result<HttpResponse, PageError> {
    html(&ListPage { list: load(&me).await?, page: Page::of(&me, Section::Profile) })
}
