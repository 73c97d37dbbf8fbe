//! The show-once page of a personal key. The sealed cookie has its signature, which is all of it that
//! is secret, so that a long key fits as well; the row has the rest.
use actix_web::{HttpRequest, HttpResponse, web::Path};
use askama::Template;
use serde_json::json;

use super::{
    LIST,
    list::{self, KeyList},
    own,
};
use crate::{
    clock::{instant, iso},
    domain::SecretText,
    error::{Error, Result},
    http::{
        Flash, Form, Page, PageError, SignedIn, download, html,
        once::{self, AcknowledgeForm},
        page::Section,
        words,
    },
    key_instances::pages::id,
    personal_keys::{self, PersonalKey, secret_path},
};

/// The key and its whole text, if this browser and this person still may see it.
async fn shown(me: &SignedIn, req: &HttpRequest, path: &str) -> Result<(PersonalKey, SecretText)> {
    let key = personal_keys::find(&own(me), id(path)).await?;
    let signature = once::unsealed(req, me, key.id).filter(|_| key.saved_at.is_none());
    let signature = signature.ok_or(Error::Gone(
        "This key is no longer shown. If you do not have it, delete it and make another.",
    ))?;
    let token = key.token(&signature);
    Ok((key, token))
}

#[derive(Template)]
#[template(path = "personal_keys/secret.html")]
struct SecretPage {
    page: Page,
    list: KeyList,
    key_id: String,
    note: String,
    token: String,
    ends: String,
    places: String,
    path: String,
    curl: String,
}

/// `GET /profile/keys/{personal_key}/secret`
pub async fn show(
    me: SignedIn,
    req: HttpRequest,
    path: Path<String>,
) -> Result<HttpResponse, PageError> {
    let (key, token) = shown(&me, &req, &path).await?;
    let places = key.claims()?.subscriptions;
    let places: Vec<String> = places.into_iter().map(|it| it.slug).collect();
    let ends = key.active_until.map(|it| me.here.minute(instant(it)).text);
    html(&SecretPage {
        page: Page::of(&me, Section::Profile),
        list: list::load(&me).await?,
        key_id: key.id.to_string(),
        note: key.note.clone(),
        token: token.expose().to_owned(),
        ends: ends.unwrap_or_else(|| "never".to_owned()),
        places: if places.is_empty() { "none".to_owned() } else { words::list(&places) },
        path: secret_path(key.id),
        curl: format!(
            "curl -i {} \\\n  -H \"Authorization: Bearer $API_KEY\"",
            me.app.site.url("/verify")
        ),
    })
}

/// `GET /profile/keys/{personal_key}/secret/download.json`
pub async fn json(
    me: SignedIn,
    req: HttpRequest,
    path: Path<String>,
) -> Result<HttpResponse, PageError> {
    let (key, token) = shown(&me, &req, &path).await?;
    let text = json!({
        "_comment": "Keep this in your secret store and delete the file.",
        "key_id": key.id,
        "note": key.note,
        "api_key": token.expose(),
        "issued_at": iso(instant(key.issued_at)),
        "active_until": key.active_until.map(|it| iso(instant(it))),
        "header": "Authorization: Bearer",
    });
    let body = serde_json::to_vec_pretty(&text).map_err(anyhow::Error::from)?;
    let name = format!("personal-key-{}.json", key.id);
    Ok(download::attachment(&name, "application/json", body))
}

/// `POST /profile/keys/{personal_key}/secret/acknowledgement`
pub async fn acknowledge(
    me: SignedIn,
    path: Path<String>,
    form: Form<AcknowledgeForm>,
) -> Result<HttpResponse, PageError> {
    let saved_by = form.saved_by()?;
    let key = personal_keys::acknowledge(&own(&me), id(&path), saved_by).await?;
    let mut response = Flash::new("Your personal key is ready to use.").then(&me.app, LIST);
    once::forget(&me, &mut response, &secret_path(key.id))?;
    Ok(response)
}
