//! `/verify`: for gateways, which show nothing but the credential that is checked (API.md). It
//! stands outside of sessions, the request log and compression.
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderMap},
    },
    web::Data,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::{
    Credential, Holder, Presented, Verdict,
    personal::{self, Person},
    usage::Call,
    verify,
};
use crate::{
    clock::iso,
    domain::{Denial, Permissions, permission, text},
    error::Error,
    http::{App, caller},
    metrics::Outcome,
    sessions,
};

const REALM: &str = "Bearer realm=\"keyward\"";

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
        tenant: asked.tenant,
        permission: asked.permission.as_deref(),
        workspace: asked.workspace.as_deref(),
    };
    let now = app.clock.now();
    if let Shown::Bearer(key) = asked.shown
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
    tenant: Option<&'a str>,
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
        let headers = req.headers();
        let [authorization, synthetic, tenant] =
            [header::AUTHORIZATION.as_str(), "x-synthetic-key", "x-tenant-name"]
                .map(|it| single(headers, it));
        let (authorization, synthetic, tenant) = (authorization?, synthetic?, tenant?);
        let has_session = req.cookie(sessions::pages::cookie_name(app.site.cookies)).is_some();
        let credentials = [authorization.is_some(), synthetic.is_some(), has_session];
        let count = credentials.iter().filter(|it| **it).count();
        if count > 1 || (has_session && count == 1) {
            return Err("ambiguous_credentials");
        }
        // `x-synthetic-key` means nothing without the tenant's name (document 004).
        let synthetic = synthetic.filter(|_| tenant.is_some()).map(Shown::Synthetic);
        let shown = authorization.map(Shown::authorization).or(synthetic);
        Ok(Self { shown: shown.unwrap_or(Shown::Nothing), tenant, permission, workspace })
    }
}

/// The credential of a request, at least one line of text.
enum Shown<'a> {
    /// None, or one that can be no credential of ours.
    Nothing,
    Bearer(&'a str),
    Synthetic(&'a str),
    /// `client_id:secret` of HTTP Basic; `None` if it is none.
    Basic(Option<Zeroizing<String>>),
}

impl<'a> Shown<'a> {
    fn authorization(value: &'a str) -> Self {
        match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Self::Bearer(token),
            Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => {
                Self::Basic(basic_pair(pair))
            }
            _ => Self::Nothing,
        }
    }

    /// The first colon splits; nothing is trimmed (RFC 7617).
    fn credential(&self) -> Option<Credential<'_>> {
        match self {
            Self::Nothing => None,
            Self::Bearer(text) | Self::Synthetic(text) => Some(Credential::Token(text)),
            Self::Basic(pair) => {
                let (id, secret) = pair.as_ref()?.split_once(':')?;
                Some(Credential::Client { id, secret })
            }
        }
    }
}

/// Strict base64 of visible ASCII. Whatever else it is, no client of ours is called that.
fn basic_pair(encoded: &str) -> Option<Zeroizing<String>> {
    let bytes = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let visible = bytes.iter().all(|it| (b' '..=b'~').contains(it));
    let text = std::str::from_utf8(&bytes).ok().filter(|_| visible)?;
    Some(Zeroizing::new(text.to_owned()))
}

/// The one value of a header, as text without trimming. Not there: `None`. Not text: it can be no
/// credential of ours, which an impossible one stands for.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, &'static str> {
    let mut values = headers.get_all(name);
    let first = values.next();
    if values.next().is_some() {
        return Err("ambiguous_credentials");
    }
    Ok(first.map(|it| it.to_str().unwrap_or("?")))
}

fn call(req: &HttpRequest, app: &App, asked: &Asked<'_>, denial: Option<Denial>) -> Call {
    let text = |name| req.headers().get(name).and_then(|it| it.to_str().ok());
    let agent = text("x-bs-clientid").or_else(|| text("user-agent")).unwrap_or_default();
    Call {
        denial,
        from: caller::address(req, &app.config.trusted_proxies),
        agent: agent.chars().take(200).collect(),
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
        .insert_header(("keyward-subscription", holder.subscription.as_str()))
        .insert_header(("keyward-key-group", header_text(&holder.group_name)))
        .insert_header(("keyward-key-instance", format!("k-{}", holder.label)))
        .insert_header(("keyward-expires", expires(until)));
    add_permissions(&mut answer, &holder.permissions);
    if let (Some(_), Some(until)) = (holder.facts.warning(now), until) {
        // RFC 8594: the callers' own code can warn its people.
        let sunset = until.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        answer.insert_header(("keyward-warning", "expires_soon")).insert_header(("sunset", sunset));
    }
    answer.finish()
}

fn accepted_person(person: &Person) -> HttpResponse {
    let mut answer = HttpResponse::NoContent();
    guarded(&mut answer)
        .insert_header(("keyward-user", header_text(&person.email)))
        .insert_header(("keyward-key-instance", person.key.to_string()))
        .insert_header(("keyward-expires", expires(person.until)));
    if let Some(slug) = &person.subscription {
        answer.insert_header(("keyward-subscription", slug.as_str()));
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
        answer.insert_header(("keyward-permissions", permissions.as_str()));
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
    let (status, error) = match denial {
        Denial::InsufficientPermissions => (StatusCode::FORBIDDEN, "insufficient_scope"),
        _ => (StatusCode::UNAUTHORIZED, "invalid_token"),
    };
    let code = if is_holder { denial.code() } else { Denial::Unknown.code() };
    let challenge = format!("{REALM}, error=\"{error}\", error_description=\"{code}\"");
    let mut answer = problem(status, code);
    answer.insert_header((header::WWW_AUTHENTICATE, challenge));
    (Outcome::Denied(denial), answer.json(code_body(code)))
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
    guarded(&mut answer).insert_header(("keyward-reason", code));
    answer
}

fn code_body(code: &str) -> serde_json::Value {
    serde_json::json!({ "valid": false, "code": code })
}

fn guarded(answer: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    answer
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_is_decoded_to_the_letter() {
        let shown = |pair: &str| {
            let shown = Shown::authorization(pair);
            match shown.credential() {
                Some(Credential::Client { id, secret }) => Some((id.to_owned(), secret.to_owned())),
                _ => None,
            }
        };
        let of = |pair: &[u8]| shown(&format!("Basic {}", STANDARD.encode(pair)));
        let both = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(of(b"id:se:cret"), both("id", "se:cret"));
        assert_eq!(of(b" id : secret "), both(" id ", " secret "));
        assert_eq!(of(b"id:"), both("id", ""));
        for wrong in [&b"id"[..], b"", b"id:se\0cret", b"id:se\ncret", "id:s\u{e4}".as_bytes()] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
        assert_eq!(shown("bASIC aWQ6c2VjcmV0"), both("id", "secret"));
        for wrong in ["Basic aWQ6c2VjcmV", "Basic  aWQ6c2VjcmV0", "Basic aWQ6c2VjcmV0 ", "Basic"] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_fit_into_a_header() {
        assert_eq!(header_text("quote-engine"), "quote-engine");
        assert_eq!(header_text("Ä 1%\r\n"), "%C3%84 1%25%0D%0A");
    }
}
