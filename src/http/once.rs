//! What is shown once. It comes from a sealed cookie that only this browser has, for ten minutes and
//! below one path; the server keeps no copy. A reload shows the same, until it is acknowledged.
use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{SameSite, time::Duration},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{SignedIn, cookies, see_other};
use crate::{
    clock::millis,
    domain::SecretText,
    error::{Error, Result},
};

const NAME: &str = "kw_once";
/// How long a secret that nobody has acknowledged can be shown.
const SHOWN_FOR: TimeDelta = TimeDelta::minutes(10);

#[derive(Serialize, Deserialize)]
struct Sealed {
    of: Uuid,
    /// Only who made it sees it, whoever has the cookie.
    user: Uuid,
    secret: String,
    until: i64,
}

impl Drop for Sealed {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.secret);
    }
}

/// Seals a new secret into its cookie and sends the browser to its page.
pub fn hand_over(me: &SignedIn, of: Uuid, secret: &SecretText, path: &str) -> Result<HttpResponse> {
    let sealed = Sealed {
        of,
        user: me.user.id,
        secret: secret.expose().to_owned(),
        until: millis(me.here.now + SHOWN_FOR),
    };
    let value = serde_json::to_string(&sealed).map_err(anyhow::Error::from)?;
    let terms = cookies::Terms {
        name: NAME,
        path,
        max_age: Duration::seconds(SHOWN_FOR.num_seconds()),
        same_site: SameSite::Strict,
    };
    let mut response = see_other(path);
    let added = response.add_cookie(&cookies::seal(&me.app, terms, value));
    added.map_err(anyhow::Error::from)?;
    Ok(response)
}

/// The secret of this thing, if this browser and this person still may see it.
pub fn unsealed(req: &HttpRequest, me: &SignedIn, of: Uuid) -> Option<SecretText> {
    let text = cookies::unseal(&me.app, req, NAME)?;
    let mut sealed: Sealed = serde_json::from_str(&text).ok()?;
    let same = sealed.of == of && sealed.user == me.user.id;
    let fresh = same && millis(me.here.now) < sealed.until;
    fresh.then(|| SecretText::from_text(std::mem::take(&mut sealed.secret)))
}

/// Nothing is shown any more.
pub fn forget(me: &SignedIn, response: &mut HttpResponse, path: &str) -> Result<()> {
    let forgotten = cookies::forget(&me.app, NAME, path);
    Ok(response.add_cookie(&forgotten).map_err(anyhow::Error::from)?)
}

/// How somebody has stored what was shown.
#[derive(Deserialize)]
pub struct AcknowledgeForm {
    #[serde(default)]
    saved_by: String,
    #[serde(default)]
    confirmed: String,
}

impl AcknowledgeForm {
    /// What its verb then reads.
    pub fn saved_by(&self) -> Result<&str> {
        if self.saved_by == "box" && self.confirmed.is_empty() {
            return Err(Error::Malformed("Tick the box once you have stored it."));
        }
        Ok(&self.saved_by)
    }
}
