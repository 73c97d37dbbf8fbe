//! `/verify`: for gateways, which show nothing but the credential that is checked (API.md). It
//! stands outside of all layers: of sessions, the request log, compression, and of the headers that tell
//! browsers how to show a document, of which there is none.
use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use tokio::time::timeout;

pub use super::answers::Answer;
use super::{
    Holder, Presented, Verdict,
    answers::{accepted, accepted_person, denied, malformed, unanswered},
    personal::{self, Person},
    shown::{Ambiguous, Shown, What},
    told, told_at_once,
    usage::Call,
};
use crate::{
    domain::{Denial, permission, text},
    error::Error,
    http::{App, caller, cookies, guard, headers::Headers},
    sessions,
};

/// How long a database may be silent, whose connections stay open: then it is away.
const LATEST: Duration = Duration::from_secs(5);

/// `GET`, `HEAD` or `POST /verify`, whoever took it from the wire.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub query: &'a str,
    pub headers: Headers<'a>,
    pub peer: Option<SocketAddr>,
    /// When it came.
    pub now: DateTime<Utc>,
}

/// The answer, where memory knows it. Most calls wait for nothing, and need no future, which would be copied
/// several times. `None`: see [`check`].
pub fn check_at_once(app: &App, req: Request<'_>) -> Option<Answer> {
    answer_at_once(app, req).map(|it| counted(app, it))
}

/// The same, which asks the database if it must.
pub async fn check(app: &App, req: Request<'_>) -> Answer {
    let answered = timeout(LATEST, app.db.within(answer(app, req))).await;
    let late = |_| unanswered(&Error::Unavailable(anyhow!("the database does not answer")));
    counted(app, answered.unwrap_or_else(late))
}

fn counted(app: &App, mut answer: Answer) -> Answer {
    if app.site.is_https() {
        answer.tell("strict-transport-security", guard::HTTPS_FOR_A_YEAR);
    }
    app.metrics.verified(answer.outcome);
    answer
}

fn answer_at_once(app: &App, req: Request<'_>) -> Option<Answer> {
    let now = req.now;
    let asked = match Asked::read(app, req) {
        Ok(asked) => asked,
        Err(code) => return Some(malformed(code)),
    };
    let Some(presented) = asked.presented() else { return Some(denied(Denial::Unknown, false)) };
    if asked.personal_key().is_some() {
        return None;
    }
    told_at_once(app, &presented, now, |it| tell(app, &asked, it, now))
}

async fn answer(app: &App, req: Request<'_>) -> Answer {
    let now = req.now;
    let asked = match Asked::read(app, req) {
        Ok(asked) => asked,
        Err(code) => return malformed(code),
    };
    let Some(presented) = asked.presented() else { return denied(Denial::Unknown, false) };
    if let Some(key) = asked.personal_key() {
        return match personal::verify(app, (key, &presented), now).await {
            Ok(verdict) => tell_of_person(app, &asked, verdict, now),
            Err(error) => unanswered(&error),
        };
    }
    let told = told(app, &presented, now, |it| tell(app, &asked, it, now)).await;
    told.unwrap_or_else(|error| unanswered(&error))
}

fn tell(app: &App, asked: &Asked<'_>, verdict: Verdict<Holder<'_>>, now: DateTime<Utc>) -> Answer {
    match verdict {
        Verdict::Unknown => denied(Denial::Unknown, false),
        Verdict::Accepted(holder) => {
            app.recorder.note(&holder, asked.call(None), now);
            accepted(&holder, now)
        }
        Verdict::Denied(holder, denial) => {
            app.recorder.note(&holder, asked.call(Some(denial)), now);
            denied(denial, true)
        }
    }
}

fn tell_of_person(
    app: &App,
    asked: &Asked<'_>,
    verdict: Verdict<Person>,
    now: DateTime<Utc>,
) -> Answer {
    match verdict {
        Verdict::Unknown => denied(Denial::Unknown, false),
        Verdict::Accepted(person) => {
            app.recorder.note_personal(person.key, asked.call(None), now);
            accepted_person(&person)
        }
        Verdict::Denied(_, denial) => denied(denial, true),
    }
}

/// Of a query. Most contain nothing that is to be decoded, and need not be looked through for it again.
fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let is_encoded = query.bytes().any(|it| matches!(it, b'%' | b'+'));
    let (plain, encoded) = if is_encoded { ("", query) } else { (query, "") };
    let plain = plain.split('&').filter(|it| !it.is_empty()).map(|it| {
        let (name, value) = it.split_once('=').unwrap_or((it, ""));
        (Cow::Borrowed(name), Cow::Borrowed(value))
    });
    plain.chain(form_urlencoded::parse(encoded.as_bytes()))
}

/// What a request asks.
struct Asked<'a> {
    shown: Shown<'a>,
    from: IpAddr,
    permission: Option<Cow<'a, str>>,
    workspace: Option<Cow<'a, str>>,
    /// Whose keys the gateway lets through.
    subscription: Option<Cow<'a, str>>,
}

impl<'a> Asked<'a> {
    fn read(app: &App, req: Request<'a>) -> Result<Self, &'static str> {
        let (mut permission, mut workspace, mut subscription) = (None, None, None);
        for (name, value) in parameters(req.query) {
            match &*name {
                // A variable that a gateway forgot to fill must not ask for nothing.
                "permission" | "workspace" | "subscription" if value.is_empty() => {
                    return Err("empty_parameter");
                }
                "permission" if !permission::is_name(&value) => return Err("malformed_permission"),
                // No workspace can be called that; and not every database takes every text.
                "workspace" if text::slug(&value).as_deref() != Ok(&*value) => {
                    return Err("malformed_workspace");
                }
                "subscription" if text::slug(&value).as_deref() != Ok(&*value) => {
                    return Err("malformed_subscription");
                }
                "permission" if permission.is_none() => permission = Some(value),
                "workspace" if workspace.is_none() => workspace = Some(value),
                "subscription" if subscription.is_none() => subscription = Some(value),
                "permission" | "workspace" | "subscription" => return Err("repeated_parameter"),
                // Whatever else stands in a URL ends in logs: it could be a key.
                _ => return Err("credentials_never_in_url"),
            }
        }
        let shown = Shown::read(req.headers).map_err(|Ambiguous| "ambiguous_credentials")?;
        // A key beside a cookie is one too many, and a cookie alone is no key.
        let session = sessions::pages::cookie_name(app.site.cookies);
        if shown.has_cookies && cookies::is_there(req.headers, session) {
            return Err("ambiguous_credentials");
        }
        let from = caller::address(req.peer, req.headers, &app.config.trusted_proxies);
        Ok(Self { shown, from, permission, workspace, subscription })
    }

    fn presented(&self) -> Option<Presented<'_>> {
        Some(Presented {
            credential: self.shown.credential()?,
            from: self.from,
            tenant: self.tenant(),
            permission: self.permission.as_deref(),
            workspace: self.workspace.as_deref(),
        })
    }

    /// The subscription whose key it must be. Where the caller names another one than the gateway, it can be
    /// nobody's, as no subscription has such a name.
    fn tenant(&self) -> Option<&str> {
        match (self.subscription.as_deref(), self.shown.tenant) {
            (Some(wanted), Some(claimed)) if wanted != claimed => Some(""),
            (wanted, claimed) => wanted.or(claimed),
        }
    }

    /// What is to be read as one, good or not.
    fn personal_key(&self) -> Option<&'a str> {
        match self.shown.what {
            What::Bearer(key) if personal::is_one(key) => Some(key),
            _ => None,
        }
    }

    fn call(&self, denial: Option<Denial>) -> Call<'_> {
        Call {
            denial,
            from: self.from,
            agent: self.shown.agent,
            asked: self.permission.as_deref(),
            workspace: self.workspace.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parameters_are_those_of_a_form(query in "([a-c=&%+é]|%2[056]){0,12}") {
            let known: Vec<_> = parameters(&query).collect();
            let by_library: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
            prop_assert_eq!(known, by_library);
        }
    }
}
