//! A new token, shown once.
use actix_web::{HttpRequest, HttpResponse, web::Path};
use askama::Template;
use uuid::Uuid;

use super::list::{self, TokenList};
use crate::{
    automation_tokens,
    error::{Error, Result},
    http::{
        Admin, Flash, Form, Page, PageError, html,
        once::{self, AcknowledgeForm},
        page::Section,
    },
    key_instances::pages::id,
};

#[derive(Template)]
#[template(path = "automation_tokens/secret.html")]
struct SecretPage {
    page: Page,
    list: TokenList,
    name: String,
    scopes: String,
    ends: String,
    secret: String,
    curl: String,
    path: String,
}

pub(super) fn secret_path(admin: &Admin, token: Uuid) -> String {
    admin.path(&format!("/settings/tokens/{token}/secret"))
}

/// `GET /s/{slug}/settings/tokens/{automation_token}/secret`
pub async fn show(
    admin: Admin,
    req: HttpRequest,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let token = automation_tokens::find(&admin.act(), id(&path.1)).await?;
    let told = "This token is no longer shown. If it is lost, revoke it and make another one.";
    let secret = once::unsealed(&req, &admin.me, token.id).ok_or(Error::Gone(told))?;
    let url = admin.me.app.site.url("/api/v1/instances");
    html(&SecretPage {
        page: Page::within(&admin, Section::Settings),
        list: list::view(&admin).await?,
        scopes: token.scopes().to_string(),
        ends: admin.me.here.minute(token.ends()).text,
        name: token.name,
        curl: format!("curl -H \"Authorization: Bearer $KEYWARD_TOKEN\" {url}"),
        secret: secret.expose().to_owned(),
        path: secret_path(&admin, token.id),
    })
}

/// `POST /s/{slug}/settings/tokens/{automation_token}/secret`: the admin has it.
pub async fn kept(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<AcknowledgeForm>,
) -> Result<HttpResponse, PageError> {
    form.saved_by()?;
    let token = automation_tokens::find(&admin.act(), id(&path.1)).await?;
    let told = Flash::new(format!("The token {} is ready to use.", token.name));
    let mut response = told.then(&admin.me.app, &admin.path("/settings/tokens"));
    once::forget(&admin.me, &mut response, &secret_path(&admin, token.id))?;
    Ok(response)
}
