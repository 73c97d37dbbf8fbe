//! The link of an invitation on its way to the page that shows it once: a sealed cookie for ten
//! minutes, so that the server keeps no copy.
use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{SameSite, time::Duration},
};

use crate::{
    error::{Error, Result},
    http::{App, Flash, cookies, see_other},
};

const NAME: &str = "kw_invitation";

/// 303 to `path`, where the link with this token is shown.
pub fn hand_over(app: &App, path: &str, token: &str) -> Result<HttpResponse> {
    let terms = cookies::Terms {
        name: NAME,
        path,
        max_age: Duration::minutes(10),
        same_site: SameSite::Strict,
    };
    let mut response = see_other(path);
    let link = app.site.url(&format!("/invitations/{token}"));
    response.add_cookie(&cookies::seal(app, terms, link)).map_err(anyhow::Error::from)?;
    Ok(response)
}

/// The link, in the browser that made it.
pub fn shown(app: &App, req: &HttpRequest) -> Result<String> {
    let told = "This link is no longer shown. Make a new invitation if it is lost.";
    cookies::unseal(app, req, NAME).ok_or(Error::Gone(told))
}

/// Whoever made the link has it: 303 to `next`.
pub fn kept(app: &App, path: &str, told: &Flash, next: &str) -> Result<HttpResponse> {
    let mut response = told.then(app, next);
    let forgotten = cookies::forget(app, NAME, path);
    response.add_cookie(&forgotten).map_err(anyhow::Error::from)?;
    Ok(response)
}
