//! `/verify`: for gateways, which show nothing but the credential that is checked (API.md). It
//! stands outside of all layers: of sessions, the request log, compression, and of the headers that tell
//! browsers how to show a document, of which there is none.
use std::borrow::Cow;

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};

use super::{
    Holder, Presented, Verdict,
    answers::{Counted, accepted, accepted_person, denied, malformed, unanswered},
    personal,
    shown::{Ambiguous, Shown, What},
    told,
    usage::Call,
};
use crate::{
    domain::{Denial, permission, text},
    http::{App, caller, guard},
    metrics::Outcome,
    sessions,
};

/// `GET`, `HEAD` or `POST /verify`.
pub async fn check(app: &App, req: &HttpRequest) -> HttpResponse {
    let (outcome, mut response) = app.db.within(answer(app, req)).await;
    guard::demand_https(app, response.headers_mut());
    app.metrics.verified(outcome);
    response
}

async fn answer(app: &App, req: &HttpRequest) -> Counted {
    let asked = match Asked::read(req, app) {
        Ok(asked) => asked,
        Err(code) => return malformed(code),
    };
    let Some(credential) = asked.shown.credential() else {
        return denied(Denial::Unknown, false);
    };
    let presented = Presented {
        credential,
        from: caller::address(req, &app.config.trusted_proxies),
        tenant: asked.shown.tenant,
        permission: asked.permission.as_deref(),
        workspace: asked.workspace.as_deref(),
    };
    let now = app.clock.now();
    if let What::Bearer(key) = asked.shown.what
        && personal::is_one(key)
    {
        return Box::pin(check_personal(app, &asked, (key, &presented), now)).await;
    }
    let tell = |verdict: Verdict<Holder<'_>>| match verdict {
        Verdict::Unknown => denied(Denial::Unknown, false),
        Verdict::Accepted(holder) => {
            app.recorder.note(&holder, call(&asked, &presented, None), now);
            (Outcome::Accepted, accepted(&holder, now))
        }
        Verdict::Denied(holder, denial) => {
            app.recorder.note(&holder, call(&asked, &presented, Some(denial)), now);
            denied(denial, true)
        }
    };
    told(app, &presented, now, tell).await.unwrap_or_else(|error| unanswered(&error))
}

/// The same for a personal key.
async fn check_personal(
    app: &App,
    asked: &Asked<'_>,
    (key, presented): (&str, &Presented<'_>),
    now: DateTime<Utc>,
) -> Counted {
    match personal::verify(app, (key, presented), now).await {
        Ok(Verdict::Unknown) => denied(Denial::Unknown, false),
        Ok(Verdict::Accepted(person)) => {
            app.recorder.note_personal(person.key, call(asked, presented, None), now);
            (Outcome::Accepted, accepted_person(&person))
        }
        Ok(Verdict::Denied(_, denial)) => denied(denial, true),
        Err(error) => unanswered(&error),
    }
}

/// What a request asks.
struct Asked<'a> {
    shown: Shown<'a>,
    permission: Option<Cow<'a, str>>,
    workspace: Option<Cow<'a, str>>,
}

impl<'a> Asked<'a> {
    fn read(req: &'a HttpRequest, app: &App) -> Result<Self, &'static str> {
        let (mut permission, mut workspace) = (None, None);
        for (name, value) in form_urlencoded::parse(req.query_string().as_bytes()) {
            match &*name {
                // A variable that a gateway forgot to fill must not ask for nothing.
                "permission" | "workspace" if value.is_empty() => return Err("empty_parameter"),
                "permission" if !permission::is_name(&value) => return Err("malformed_permission"),
                // No workspace can be called that; and not every database takes every text.
                "workspace" if text::slug(&value).as_deref() != Ok(&*value) => {
                    return Err("malformed_workspace");
                }
                "permission" if permission.is_none() => permission = Some(value),
                "workspace" if workspace.is_none() => workspace = Some(value),
                "permission" | "workspace" => return Err("repeated_parameter"),
                // Whatever else stands in a URL ends in logs: it could be a key.
                _ => return Err("credentials_never_in_url"),
            }
        }
        let shown = Shown::read(req.headers()).map_err(|Ambiguous| "ambiguous_credentials")?;
        // A key beside a cookie is one too many, and a cookie alone is no key.
        if shown.has_cookies && req.cookie(sessions::pages::cookie_name(app.site.cookies)).is_some()
        {
            return Err("ambiguous_credentials");
        }
        Ok(Self { shown, permission, workspace })
    }
}

fn call<'a>(asked: &Asked<'a>, it: &Presented<'a>, denial: Option<Denial>) -> Call<'a> {
    Call {
        denial,
        from: it.from,
        agent: asked.shown.agent,
        asked: it.permission,
        workspace: it.workspace,
    }
}
