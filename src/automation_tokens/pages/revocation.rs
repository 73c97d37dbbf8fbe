//! Ending a token before its time.
use actix_web::{HttpResponse, web::Path};
use askama::Template;

use super::list::{self, TokenList};
use crate::{
    automation_tokens,
    clock::instant,
    error::Result,
    http::{
        Admin, Errors, Flash, Page, PageError,
        page::{Section, refused},
        words::Moment,
    },
    key_instances::pages::id,
};

#[derive(Template)]
#[template(path = "automation_tokens/revocation.html")]
struct RevocationPage {
    page: Page,
    list: TokenList,
    name: String,
    last_used: Option<Moment>,
    path: String,
    back: String,
    errors: Errors,
}

async fn show(admin: &Admin, token: &str, errors: Errors) -> Result<HttpResponse, PageError> {
    let token = automation_tokens::find(&admin.act(), id(token)).await?;
    let page = RevocationPage {
        page: Page::within(admin, Section::Settings),
        list: list::view(admin).await?,
        last_used: token.last_used_at.map(|at| admin.me.here.relative(instant(at))),
        path: admin.path(&format!("/settings/tokens/{}/revocation", token.id)),
        back: admin.path("/settings/tokens"),
        name: token.name,
        errors,
    };
    refused(&page, &page.errors)
}

/// `GET /s/{slug}/settings/tokens/{automation_token}/revocation`
pub async fn form(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    show(&admin, &path.1, Errors::none()).await
}

/// `POST /s/{slug}/settings/tokens/{automation_token}/revocation`
pub async fn revoke(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    match automation_tokens::revoke(&admin.act(), id(&path.1)).await {
        Ok(it) => {
            let told = Flash::new(format!("The token {} is revoked.", it.name));
            Ok(told.then(&admin.me.app, &admin.path("/settings/tokens")))
        }
        Err(error) => show(&admin, &path.1, Errors::of(error)?).await,
    }
}
