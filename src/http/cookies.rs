//! Cookies of ours besides the session: encrypted (AES-256-GCM, by the cookie crate), HttpOnly.
use actix_web::{
    HttpRequest,
    cookie::{Cookie, CookieJar, SameSite, time::Duration},
};

use super::{App, headers::Headers};
use crate::config::Cookies;

/// Where a cookie is sent, and for how long the browser keeps it.
pub struct Terms<'a> {
    pub name: &'static str,
    pub path: &'a str,
    pub max_age: Duration,
    pub same_site: SameSite,
}

/// `value` encrypted under the sealing key. The name is bound to it.
pub fn seal(app: &App, terms: Terms<'_>, value: String) -> Cookie<'static> {
    let cookie = Cookie::build(terms.name, value)
        .path(terms.path.to_owned())
        .http_only(true)
        .secure(app.site.cookies == Cookies::Secure)
        .same_site(terms.same_site)
        .max_age(terms.max_age)
        .finish();
    let mut jar = CookieJar::new();
    jar.private_mut(&app.sealing_key).add(cookie);
    jar.get(terms.name).cloned().expect("it was just added")
}

/// Whether the browser sent a cookie of this name, whatever is in it.
pub fn is_there(headers: Headers<'_>, name: &str) -> bool {
    let lines = headers.named("cookie").filter_map(|it| str::from_utf8(it).ok());
    let cookies = lines.flat_map(|it| it.split(';')).map(str::trim);
    cookies.filter_map(|it| Cookie::parse_encoded(it).ok()).any(|it| it.name() == name)
}

/// What a cookie of ours carries, if it is there and unchanged.
pub fn unseal(app: &App, req: &HttpRequest, name: &'static str) -> Option<String> {
    let mut jar = CookieJar::new();
    jar.add_original(req.cookie(name)?);
    jar.private(&app.sealing_key).get(name).map(|it| it.value().to_owned())
}

/// Tells the browser to forget a cookie.
pub fn forget(app: &App, name: &'static str, path: &str) -> Cookie<'static> {
    let terms = Terms { name, path, max_age: Duration::ZERO, same_site: SameSite::Lax };
    let mut cookie = seal(app, terms, String::new());
    cookie.set_value("");
    cookie
}
