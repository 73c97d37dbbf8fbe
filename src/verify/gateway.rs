//! `/verify`: for gateways, which show nothing but the credential that is checked (API.md). It
//! stands outside of sessions, the request log and compression.
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header, header::HeaderValue},
    web::Data,
};

use chrono::{DateTime, Utc};

use super::{
    Holder, Presented, Verdict,
    personal::{self, Person},
    shown::{Ambiguous, Shown, What, agent},
    usage::Call,
    verify,
};
use crate::{
    clock::iso,
    domain::{Denial, Permissions, label_name, permission, text},
    error::Error,
    http::{App, caller},
    metrics::Outcome,
    sessions,
};

/// Not parsed anew in each answer.
mod named {
    use actix_web::http::header::HeaderName;

    pub const EXPIRES: HeaderName = HeaderName::from_static("keyward-expires");
    pub const KEY_GROUP: HeaderName = HeaderName::from_static("keyward-key-group");
    pub const KEY_INSTANCE: HeaderName = HeaderName::from_static("keyward-key-instance");
    pub const PERMISSIONS: HeaderName = HeaderName::from_static("keyward-permissions");
    pub const REASON: HeaderName = HeaderName::from_static("keyward-reason");
    pub const SUBSCRIPTION: HeaderName = HeaderName::from_static("keyward-subscription");
    pub const USER: HeaderName = HeaderName::from_static("keyward-user");
    pub const WARNING: HeaderName = HeaderName::from_static("keyward-warning");
    pub const SUNSET: HeaderName = HeaderName::from_static("sunset");
}

/// Bytes of `Keyward-Permissions`: half of what nginx takes as the whole head of an answer.
const LONGEST_LIST: usize = 2_048;

/// An answer, and what it is counted as.
type Counted = (Outcome, HttpResponse);

/// `GET`, `HEAD` or `POST /verify`.
pub async fn check(app: Data<App>, req: HttpRequest) -> HttpResponse {
    let (outcome, response) = answer(&app, &req).await;
    app.metrics.verified(outcome);
    response
}

async fn answer(app: &App, req: &HttpRequest) -> Counted {
    let asked = match Asked::read(req, app) {
        Ok(asked) => asked,
        Err(code) => {
            let refused = problem(StatusCode::BAD_REQUEST, code).json(code_body(code));
            return (Outcome::Malformed, refused);
        }
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
        return check_personal(app, req, &asked, (key, &presented), now).await;
    }
    match verify(app, &presented, now).await {
        Ok(Verdict::Unknown) => denied(Denial::Unknown, false),
        Ok(Verdict::Accepted(holder)) => {
            app.recorder.note(&holder, call(req, app, &asked, None), now);
            (Outcome::Accepted, accepted(&holder, now))
        }
        Ok(Verdict::Denied(holder, denial)) => {
            app.recorder.note(&holder, call(req, app, &asked, Some(denial)), now);
            denied(denial, true)
        }
        Err(error) => unanswered(&error),
    }
}

/// The same for a personal key.
async fn check_personal(
    app: &App,
    req: &HttpRequest,
    asked: &Asked<'_>,
    (key, presented): (&str, &Presented<'_>),
    now: DateTime<Utc>,
) -> Counted {
    match personal::verify(app, (key, presented), now).await {
        Ok(Verdict::Unknown) => denied(Denial::Unknown, false),
        Ok(Verdict::Accepted(person)) => {
            app.recorder.note_personal(person.key, call(req, app, asked, None), now);
            (Outcome::Accepted, accepted_person(&person))
        }
        Ok(Verdict::Denied(_, denial)) => denied(denial, true),
        Err(error) => unanswered(&error),
    }
}

/// What a request asks.
struct Asked<'a> {
    shown: Shown<'a>,
    permission: Option<String>,
    workspace: Option<String>,
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
                "permission" if permission.is_none() => permission = Some(value.into_owned()),
                "workspace" if workspace.is_none() => workspace = Some(value.into_owned()),
                "permission" | "workspace" => return Err("repeated_parameter"),
                // Whatever else stands in a URL ends in logs: it could be a key.
                _ => return Err("credentials_never_in_url"),
            }
        }
        let shown = Shown::read(req.headers()).map_err(|Ambiguous| "ambiguous_credentials")?;
        // A key beside a cookie is one too many, and a cookie alone is no key.
        let has_cookies = req.headers().contains_key(header::COOKIE);
        if has_cookies && req.cookie(sessions::pages::cookie_name(app.site.cookies)).is_some() {
            return Err("ambiguous_credentials");
        }
        Ok(Self { shown, permission, workspace })
    }
}

fn call(req: &HttpRequest, app: &App, asked: &Asked<'_>, denial: Option<Denial>) -> Call {
    Call {
        denial,
        from: caller::address(req, &app.config.trusted_proxies),
        agent: agent(req.headers()),
        asked: asked.permission.as_ref().map(|it| match &asked.workspace {
            Some(workspace) if denial.is_some() => {
                format!("{it} in {workspace}")
            }
            _ => it.clone(),
        }),
    }
}

fn accepted(holder: &Holder, now: DateTime<Utc>) -> HttpResponse {
    let mut answer = HttpResponse::NoContent();
    let until = holder.facts.period.until();
    guarded(&mut answer)
        .insert_header((named::SUBSCRIPTION, &*holder.subscription))
        .insert_header((named::KEY_GROUP, header_text(&holder.group_name)))
        .insert_header((named::KEY_INSTANCE, label_name(holder.label)))
        .insert_header((named::EXPIRES, expires(until)));
    add_permissions(&mut answer, &holder.permissions);
    if let (Some(_), Some(until)) = (holder.facts.warning(now), until) {
        // RFC 8594: the callers' own code can warn its people.
        let sunset = until.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        answer
            .insert_header((named::WARNING, "expires_soon"))
            .insert_header((named::SUNSET, sunset));
    }
    answer.finish()
}

fn accepted_person(person: &Person) -> HttpResponse {
    let mut answer = HttpResponse::NoContent();
    guarded(&mut answer)
        .insert_header((named::USER, header_text(&person.email)))
        .insert_header((named::KEY_INSTANCE, person.key.to_string()))
        .insert_header((named::EXPIRES, expires(person.until)));
    if let Some(slug) = &person.subscription {
        answer.insert_header((named::SUBSCRIPTION, slug.as_str()));
    }
    add_permissions(&mut answer, &person.permissions);
    answer.finish()
}

fn expires(until: Option<DateTime<Utc>>) -> String {
    until.map_or_else(|| "never".to_owned(), iso)
}

/// Proxies refuse long heads, and half a list would be a wrong one: ask with `permission=` then.
fn add_permissions(answer: &mut HttpResponseBuilder, permissions: &Permissions) {
    if permissions.as_str().len() <= LONGEST_LIST {
        answer.insert_header((named::PERMISSIONS, permissions.as_str()));
    }
}

/// Names may hold any letter; a header holds ASCII. The rest is percent-encoded.
fn header_text(name: &str) -> String {
    let plain = |it: u8| (b' '..=b'~').contains(&it) && it != b'%';
    name.bytes().fold(String::new(), |mut text, it| {
        if plain(it) {
            text.push(char::from(it))
        } else {
            text += &format!("%{it:02X}")
        }
        text
    })
}

/// 401, or 403 where only the permission lacks. Strangers get one constant answer.
fn denied(denial: Denial, is_holder: bool) -> Counted {
    let told = Told::of(if is_holder { denial } else { Denial::Unknown });
    let answer = problem(told.status, told.code)
        .insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static(told.challenge)))
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")))
        .body(told.body);
    (Outcome::Denied(denial), answer)
}

/// What a refused caller is told: the compiler puts it together, so that to refuse costs no more than to
/// accept.
struct Told {
    status: StatusCode,
    code: &'static str,
    challenge: &'static str,
    body: &'static str,
}

macro_rules! told {
    ($status:ident, $error:literal, $code:literal) => {
        Told {
            status: StatusCode::$status,
            code: $code,
            challenge: concat!(
                r#"Bearer realm="keyward", error=""#,
                $error,
                r#"", error_description=""#,
                $code,
                r#"""#
            ),
            body: concat!(r#"{"valid":false,"code":""#, $code, r#""}"#),
        }
    };
}

impl Told {
    fn of(denial: Denial) -> Self {
        match denial {
            Denial::Unknown => told!(UNAUTHORIZED, "invalid_token", "unknown"),
            Denial::Expired => told!(UNAUTHORIZED, "invalid_token", "expired"),
            Denial::Revoked => told!(UNAUTHORIZED, "invalid_token", "revoked"),
            Denial::Deactivated => told!(UNAUTHORIZED, "invalid_token", "deactivated"),
            Denial::NotYetActive => told!(UNAUTHORIZED, "invalid_token", "not_yet_active"),
            Denial::WrongSubscription => told!(UNAUTHORIZED, "invalid_token", "wrong_subscription"),
            Denial::Suspended => told!(UNAUTHORIZED, "invalid_token", "suspended"),
            Denial::InsufficientPermissions => {
                told!(FORBIDDEN, "insufficient_scope", "insufficient_permissions")
            }
        }
    }
}

/// The database is away: neither valid nor invalid. Nor was a chosen secret looked at where too many
/// are tried at once, or too many were wrong.
fn unanswered(error: &Error) -> Counted {
    if let Error::TooMany(seconds) = error {
        let answer = problem(StatusCode::TOO_MANY_REQUESTS, "too_many_requests")
            .insert_header((header::RETRY_AFTER, seconds.to_string()))
            .json(code_body("too_many_requests"));
        return (Outcome::Throttled, answer);
    }
    tracing::error!(?error, "a verification could not be answered");
    let answer = problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        .insert_header((header::RETRY_AFTER, "1"))
        .json(code_body("unavailable"));
    (Outcome::Unavailable, answer)
}

fn problem(status: StatusCode, code: &'static str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    guarded(&mut answer).insert_header((named::REASON, HeaderValue::from_static(code)));
    answer
}

fn code_body(code: &str) -> serde_json::Value {
    serde_json::json!({ "valid": false, "code": code })
}

fn guarded(answer: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    answer
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'"),
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_the_code_of_the_denial_everywhere() {
        for denial in Denial::ALL {
            let (told, code) = (Told::of(denial), denial.code());
            assert_eq!(told.code, code);
            assert_eq!(told.body, code_body(code).to_string());
            assert!(told.challenge.ends_with(&format!("error_description=\"{code}\"")), "{code}");
        }
    }

    #[test]
    fn names_fit_into_a_header() {
        assert_eq!(header_text("quote-engine"), "quote-engine");
        assert_eq!(header_text("Ä 1%\r\n"), "%C3%84 1%25%0D%0A");
    }
}
