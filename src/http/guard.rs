//! What stands before every page: its host, its origin, its deadline, its headers, its log line.
use std::{
    fmt,
    time::{Duration, Instant},
};

use actix_session::storage::{SaveError, UpdateError};
use actix_web::{
    Error, HttpResponse, ResponseError,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};

use super::{App, PageError, cookies, flash, form};
use crate::{clock, db::Applied, error};

/// One request, from its first byte to its answer.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

tokio::task_local! {
    /// Names the request for the log, the audit and error pages.
    static REQUEST_ID: String;
}

/// A method can be any word, such as a key that slipped there.
fn logged(it: &Method) -> &'static str {
    let known = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND",
    ];
    known.into_iter().find(|known| *known == it.as_str()).unwrap_or("another")
}

/// Gives the request an id, and logs one line about it: the matched route, never the query.
pub async fn log<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let app = req.app_data::<Data<App>>().expect("the server sets it").clone();
    let id = clock::new_id(app.clock.now()).simple().to_string();
    let started = Instant::now();
    let method = logged(req.method());
    let route = req.match_pattern().unwrap_or_else(|| "-".to_owned());
    let answered = Applied::noted(&app.db, REQUEST_ID.scope(id.clone(), next.call(req))).await;
    let (mut answered, applied) = answered;
    let status = match &answered {
        Ok(response) => response.status().as_u16(),
        Err(error) => error.as_response_error().status_code().as_u16(),
    };
    let ms = started.elapsed().as_millis();
    tracing::info!(method, route, status, ms = ms as u64, request_id = id, "request");
    if let Ok(id) = HeaderValue::try_from(id) {
        let name = HeaderName::from_static("x-request-id");
        answered = with_headers(answered, |it| drop(it.insert(name, id)));
    }
    if let (Ok(response), Some(it)) = (&mut answered, applied) {
        // A dictionary of RFC 9651.
        let (nodes, confirmed, ms) = (it.nodes, it.confirmed, it.ms());
        let told = format!("nodes={nodes}, confirmed={confirmed}, ms={ms}");
        if let Ok(told) = HeaderValue::try_from(told) {
            response.headers_mut().insert(HeaderName::from_static("keyward-applied"), told);
        }
    }
    answered
}

/// Cuts what takes too long.
pub async fn deadline<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let answered = tokio::time::timeout(REQUEST_DEADLINE, next.call(req)).await;
    answered.unwrap_or_else(|_| Err(PageError::from(error::Error::TooSlow).into()))
}

/// The same for a face that programs speak, in its own words.
pub async fn deadline_of<B: MessageBody>(
    refuse: fn(StatusCode) -> HttpResponse,
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let answered = tokio::time::timeout(REQUEST_DEADLINE, next.call(req)).await;
    answered.unwrap_or_else(|_| {
        let answer = refuse(StatusCode::REQUEST_TIMEOUT);
        Err(InternalError::from_response(error::Error::TooSlow, answer).into())
    })
}

/// Reads the body before anybody looks who calls, and when: whoever lets it trickle is judged at its end.
pub async fn whole_body<B: MessageBody>(
    refuse: impl FnOnce(error::Error) -> Error,
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if !req.method().is_safe() {
        let body = form::read_body(req.parts_mut().1).await.map_err(refuse)?;
        req.set_payload(actix_web::dev::Payload::from(body));
    }
    next.call(req).await
}

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                   font-src 'self'; connect-src 'self'; form-action 'self'; \
                   frame-ancestors 'none'; base-uri 'none'; object-src 'none'; \
                   require-trusted-types-for 'script'";

const HEADERS: [(&str, &str); 9] = [
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    // `no-referrer` would make forms send `Origin: null`.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    (
        "permissions-policy",
        "clipboard-write=(self), camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    ("cache-control", "no-store"),
    ("vary", "Sec-Fetch-Site, Origin, Cookie"),
];

/// The security headers, on every answer: what a handler has set stays. And the runtime that what
/// outlives a request belongs to.
pub async fn headers<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let app = req.app_data::<Data<App>>().expect("the server sets it").clone();
    let answered = app.db.within(next.call(req)).await;
    with_headers(answered, |it| {
        add_headers(it);
        demand_https(&app, it);
    })
}

/// Changes the headers of an answer, also of one that is an error yet: a layer has raised it.
fn with_headers<B: MessageBody>(
    mut answered: Result<ServiceResponse<B>, Error>,
    change: impl FnOnce(&mut HeaderMap),
) -> Result<ServiceResponse<B>, Error> {
    match &mut answered {
        Ok(response) => change(response.headers_mut()),
        Err(error) => {
            let mut answer = error.error_response();
            change(answer.headers_mut());
            let cause = error.to_string();
            answered = Err(InternalError::from_response(cause, answer).into());
        }
    }
    answered
}

pub const HTTPS_FOR_A_YEAR: &str = "max-age=31536000; includeSubDomains";

/// Where it is served.
pub fn demand_https(app: &App, headers: &mut HeaderMap) {
    if app.site.is_https() {
        let year = HeaderValue::from_static(HTTPS_FOR_A_YEAR);
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
}

/// What a handler has set stays.
pub fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// actix-session reports a database that is away as an error of its own: 503 is what it is.
pub async fn session_errors<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    next.call(req).await.map_err(|error| {
        let cause = failed::<anyhow::Error>(&error)
            .or_else(|| failed::<SaveError>(&error))
            .or_else(|| failed::<UpdateError>(&error));
        let unavailable = |it: String| error::Error::Unavailable(anyhow::anyhow!(it));
        cause.map_or(error, |it| PageError::from(unavailable(it)).into())
    })
}

/// What the session's store said, if it said a `T`.
fn failed<T: fmt::Debug + fmt::Display + 'static>(error: &Error) -> Option<String> {
    let cause = error.as_error::<actix_web::error::InternalError<T>>()?;
    Some(format!("the session cannot be read or written: {cause:?}"))
}

/// Only the hosts of the public URL are answered, so that no link or cookie can be poisoned.
pub async fn known_host<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let app = req.app_data::<Data<App>>().expect("the server sets it").clone();
    let hosts: Vec<_> = req.headers().get_all(header::HOST).collect();
    let asked = req.uri().authority().map(|it| it.as_str().to_owned());
    let asked = asked.or_else(|| Some(hosts.first()?.to_str().ok()?.to_owned()));
    // RFC 9110, 4.2.3: in letters of any case.
    let is_ours = |it: String| app.site.hosts.iter().any(|host| host.eq_ignore_ascii_case(&it));
    let known = hosts.len() <= 1 && asked.is_some_and(is_ours);
    if known {
        return next.call(req).await.map(ServiceResponse::map_into_left_body);
    }
    let text = format!("Keyward is served at {}.\n", app.site.origin);
    let answer = HttpResponse::build(StatusCode::MISDIRECTED_REQUEST)
        .content_type("text/plain; charset=utf-8")
        .body(text);
    Ok(req.into_response(answer).map_into_right_body())
}

/// No other site may act in a signed-in browser (SECURITY.md 3.5), sign-in and set-up included.
pub async fn same_origin<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let app = req.app_data::<Data<App>>().expect("the server sets it").clone();
    if is_own(req.method(), req.headers(), &app.site.origin) {
        return next.call(req).await.map(ServiceResponse::map_into_left_body);
    }
    tracing::warn!(route = req.match_pattern(), "a request from another site was refused");
    let answer = PageError::from(error::Error::CrossSite).error_response();
    Ok(req.into_response(answer).map_into_right_body())
}

fn is_own(method: &Method, headers: &HeaderMap, origin: &str) -> bool {
    let value = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let site = value("sec-fetch-site");
    if method.is_safe() {
        let navigates = value("sec-fetch-mode") == Some(b"navigate")
            && value("sec-fetch-dest") == Some(b"document");
        return site != Some(b"cross-site") || navigates;
    }
    match site {
        Some(site) => site == b"same-origin",
        None => value("origin") == Some(origin.as_bytes()),
    }
}

/// The flash or a draft was shown: forget it. A form posted without a session, or without a fresh
/// proof of the password: keep what was typed.
pub async fn courtesy<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let app = req.app_data::<Data<App>>().expect("the server sets it").clone();
    let has_flash = req.cookie(flash::NAME).is_some();
    let has_draft = req.cookie(form::DRAFT).is_some();
    let posted = *req.method() == Method::POST;
    let path = req.path().to_owned();
    let mut typed = None;
    if posted {
        // It is here already.
        let body = form::read_body(req.parts_mut().1).await.map_err(PageError::from)?;
        typed = Some(body.clone());
        req.set_payload(actix_web::dev::Payload::from(body));
    }
    let mut response = next.call(req).await?.map_into_boxed_body();
    let asked = response.headers().get(header::LOCATION).is_some_and(|it| {
        let asks = [&b"/sign-in"[..], b"/confirm-password"];
        asks.iter().any(|page| it.as_bytes().starts_with(page))
            && response.status() == StatusCode::SEE_OTHER
    });
    let keep = typed.filter(|_| asked).and_then(|it| form::keep_draft(&app, &path, &it));
    let shown = !posted && response.status() == StatusCode::OK && is_page(&response);
    let flash = (shown && has_flash).then(|| cookies::forget(&app, flash::NAME, "/"));
    let draft = (shown && has_draft).then(|| cookies::forget(&app, form::DRAFT, &path));
    for cookie in keep.into_iter().chain(flash).chain(draft) {
        response.response_mut().add_cookie(&cookie)?;
    }
    Ok(response)
}

fn is_page(response: &ServiceResponse<BoxBody>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|it| it.as_bytes().starts_with(b"text/html"))
}

/// The id of the request that is being answered; empty outside of one.
pub fn current_request_id() -> String {
    REQUEST_ID.try_with(String::clone).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_requests_come_from_our_own_pages() {
        let own = "http://127.0.0.1:8080";
        let allowed = |method: Method, headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            is_own(&method, &map, own)
        };
        let post = |headers: &[(&'static str, &'static str)]| allowed(Method::POST, headers);
        assert!(post(&[("sec-fetch-site", "same-origin")]));
        assert!(post(&[("origin", own)]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!post(&[("sec-fetch-site", site), ("origin", own)]), "{site}");
        }
        for origin in ["null", "https://evil.example", "http://127.0.0.1:8081"] {
            assert!(!post(&[("origin", origin)]), "{origin}");
        }
        assert!(!post(&[]));
        assert!(allowed(Method::GET, &[]));
        assert!(!allowed(Method::GET, &[("sec-fetch-site", "cross-site")]));
        let link = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert!(allowed(Method::GET, &link));
    }
}
