//! Search by whole key: always a POST, so that a key reaches no URL, log or history. What does not
//! look like a key becomes a search of the list it came from.
use actix_web::HttpResponse;
use serde::Deserialize;

use crate::{
    domain::custom_key,
    error::Error,
    http::{Flash, Form, PageError, Viewer, is_local_path, see_other},
    key_instances,
};

#[derive(Deserialize)]
pub struct SearchForm {
    #[serde(default)]
    query: String,
    /// The list to narrow when no key was typed.
    #[serde(default)]
    list: String,
}

/// `POST /s/{slug}/search`
pub async fn search(viewer: Viewer, form: Form<SearchForm>) -> Result<HttpResponse, PageError> {
    let app = &viewer.me.app;
    let lists = viewer.path("/");
    let list = Some(form.list.as_str())
        .filter(|it| is_local_path(it) && it.starts_with(&lists))
        .map_or_else(|| viewer.path("/groups"), str::to_owned);
    let typed = form.query.trim();
    if typed.contains('\0') {
        return Err(Error::Malformed("This search cannot be read.").into());
    }
    if !looks_like_a_key(typed) && !key_instances::is_key(&viewer.act(), typed).await? {
        let path = list.split('?').next().unwrap_or_default();
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("q", &typed.chars().take(100).collect::<String>())
            .finish();
        let query = if typed.is_empty() { String::new() } else { format!("?{query}") };
        return Ok(see_other(&format!("{path}{query}")));
    }
    let found = key_instances::search_by_key(&viewer.act(), typed).await?;
    Ok(match found {
        Some(it) => {
            let path = viewer.path(&format!("/groups/{}/keys/{}", it.key_group_id, it.id));
            Flash::new(format!("The key you searched for is {}.", it.name())).then(app, &path)
        }
        None => Flash::new("No key with this value.").then(app, &list),
    })
}

/// Our prefix, or a text that could be a custom key: it must never reach a URL. Words and dashes
/// without a digit are taken for a long name, unless they are a key.
fn looks_like_a_key(typed: &str) -> bool {
    let prefixed = ["kw_", "kws_", "kwa_"].iter().any(|it| typed.starts_with(it));
    prefixed || (custom_key::has_the_shape(typed) && typed.bytes().any(|it| it.is_ascii_digit()))
}
