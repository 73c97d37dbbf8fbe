//! The link of an invitation on its way to the page that shows it once.
use actix_web::{HttpRequest, HttpResponse};
use uuid::Uuid;

use crate::{
    domain::SecretText,
    error::{Error, Result},
    http::{Flash, SignedIn, once},
};

/// 303 to `path`, where the link with this token is shown. It leads into the subscription `to`.
pub fn hand_over(me: &SignedIn, to: Uuid, path: &str, token: &str) -> Result<HttpResponse> {
    let link = me.app.site.url(&format!("/invitations/{token}"));
    once::hand_over(me, to, &SecretText::from_text(link), path)
}

/// The link, for the person who made it in the browser in which it was made.
pub fn shown(me: &SignedIn, to: Uuid, req: &HttpRequest) -> Result<String> {
    let told = "This link is no longer shown. Make a new invitation if it is lost.";
    let link = once::unsealed(req, me, to).ok_or(Error::Gone(told))?;
    Ok(link.expose().to_owned())
}

/// Whoever made the link has it: 303 to `next`.
pub fn kept(me: &SignedIn, path: &str, told: &Flash, next: &str) -> Result<HttpResponse> {
    let mut response = told.then(&me.app, next);
    once::forget(me, &mut response, path)?;
    Ok(response)
}
