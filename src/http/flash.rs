//! What an act did, told on the next page: a short-lived sealed cookie, so that nothing is written.
use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{SameSite, time::Duration},
};
use serde::{Deserialize, Serialize};

use super::{App, cookies, see_other};

pub(super) const NAME: &str = "kw_flash";

/// One sentence, and perhaps one act that undoes what it tells, or one page to go on with.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Flash {
    pub text: String,
    /// It tells of nothing that was done: green is for what was.
    #[serde(default)]
    pub is_plain: bool,
    /// A path, and the fields to post there.
    pub undo: Option<Undo>,
    /// What the page is called, and its path.
    pub link: Option<(String, String)>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Undo {
    pub path: String,
    pub fields: Vec<(String, String)>,
}

impl Flash {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_plain: false, undo: None, link: None }
    }

    /// What there is to say where nothing was done.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { is_plain: true, ..Self::new(text) }
    }

    pub fn icon(&self) -> &'static str {
        if self.is_plain { "info" } else { "circle-check" }
    }

    pub fn with_undo(mut self, path: String, fields: &[(&str, String)]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.undo = Some(Undo { path, fields: fields.collect() });
        self
    }

    pub fn with_link(mut self, label: &str, path: String) -> Self {
        self.link = Some((label.to_owned(), path));
        self
    }

    /// 303 to `path`, which shows this.
    pub fn then(&self, app: &App, path: &str) -> HttpResponse {
        let mut response = see_other(path);
        let value = serde_json::to_string(self).unwrap_or_default();
        let terms = cookies::Terms {
            name: NAME,
            path: "/",
            max_age: Duration::minutes(5),
            same_site: SameSite::Lax,
        };
        let added = response.add_cookie(&cookies::seal(app, terms, value));
        debug_assert!(added.is_ok(), "a sealed cookie is plain ASCII");
        response
    }

    pub(super) fn take(app: &App, req: &HttpRequest) -> Option<Self> {
        serde_json::from_str(&cookies::unseal(app, req, NAME)?).ok()
    }
}
