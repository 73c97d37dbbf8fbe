//! The calls to the native interface (API.md). The token goes to the one address that was named:
//! redirects are not followed, and plain http leads to this machine only.
use std::{env, error::Error as _, fs, time::Duration};

use reqwest::{
    Method, RequestBuilder, Response,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION},
    redirect::Policy,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::{
    args::Server,
    failure::{Exit, Failure},
    table::plain,
};
use crate::config::is_this_machine;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Before a creating call is sent once more: a server that restarts is back by then, or it is not.
const PAUSE: Duration = Duration::from_millis(500);
/// More than any answer of ours.
const LONGEST: usize = 16 << 20;
/// The most that the interface gives at once.
const PAGE: u64 = 200;

type Result<T> = std::result::Result<T, Failure>;

/// A whole answer, which may hold a secret: no Debug, wiped on drop.
pub struct Body(Zeroizing<Vec<u8>>);

impl Body {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        // No cause: it could repeat what was sent.
        serde_json::from_slice(&self.0).map_err(|_| stranger())
    }
}

/// No Debug: it holds the token.
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: HeaderValue,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
    next_cursor: Option<String>,
}

/// RFC 9457, as `api::voice` writes it.
#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
    #[serde(default)]
    errors: Vec<At>,
}

#[derive(Deserialize)]
struct At {
    pointer: String,
    detail: String,
}

impl Client {
    pub fn new(server: &Server) -> Result<Self> {
        let url = address(server)?;
        let token = token(server)?;
        // Of the two that rustls knows: the one that the server has, too.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("Keyward/", env!("CARGO_PKG_VERSION"), " (command line)"));
        if url.scheme() == "http" {
            // A proxy of the environment would be shown the token.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| Failure::failed(cause(&error)))?;
        Ok(Self { http, base: url.origin().ascii_serialization(), token })
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let (_, body) = self.answer(self.request(Method::GET, path)).await?;
        body.read()
    }

    /// A call that changes something, without a body.
    pub async fn post(&self, path: &str) -> Result<Body> {
        let answer = self.answer(self.request(Method::POST, path)).await;
        answer.map(|it| it.1).map_err(|it| match it.exit {
            Exit::Away => it.line("It may have been done all the same: look with keys list."),
            _ => it,
        })
    }

    /// All of a list, page after page, or the first `most`.
    pub async fn list(
        &self,
        path: &str,
        filters: &[(&str, &str)],
        most: Option<u64>,
    ) -> Result<Vec<Value>> {
        let (mut found, mut cursor) = (Vec::new(), None::<String>);
        let most = most.and_then(|it| usize::try_from(it).ok()).unwrap_or(usize::MAX);
        while found.len() < most {
            let limit = PAGE.min((most - found.len()) as u64).to_string();
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(filters).append_pair("limit", &limit);
            if let Some(cursor) = &cursor {
                query.append_pair("cursor", cursor);
            }
            let page: Page = self.get(&format!("{path}?{}", query.finish())).await?;
            found.extend(page.data);
            if page.next_cursor.is_none() {
                break;
            }
            if page.next_cursor == cursor {
                return Err(stranger());
            }
            cursor = page.next_cursor;
        }
        found.truncate(most);
        Ok(found)
    }

    /// A call that makes a key. If the connection breaks before there is an answer, it is sent once
    /// more with the same key, so that nothing is made twice.
    pub async fn create(&self, path: &str, body: &impl Serialize, key: &str) -> Result<Body> {
        let bytes = serde_json::to_vec(body).map_err(|it| Failure::failed(it.to_string()))?;
        let request = || {
            let request = self.request(Method::POST, path).header(CONTENT_TYPE, "application/json");
            request.header("idempotency-key", key).body(bytes.clone()).send()
        };
        let answer = match request().await {
            Err(error) if !error.is_timeout() => {
                tokio::time::sleep(PAUSE).await;
                let sent = !error.is_connect();
                request().await.map_err(|again| (sent || !again.is_connect(), again))
            }
            other => other.map_err(|error| (true, error)),
        };
        // Whether it was done cannot be known once it was sent and no answer came.
        let lost = |it: Failure| {
            it.line(format!(
                "It may have been done all the same. The same command with --idempotency-key {key} \
                 and the same times makes nothing twice."
            ))
        };
        let answer = answer.map_err(|(sent, error)| match sent {
            true => lost(self.away(&error)),
            false => self.away(&error),
        })?;
        let broken = answer.status().is_server_error();
        match self.read(answer).await {
            Err(it) if it.is("already_done") => Err(done_before(&it)),
            // A gateway says that it waited for nothing; Keyward says what it did not do.
            Err(it) if it.exit == Exit::Away && (!broken || it.code.is_empty()) => Err(lost(it)),
            other => other.map(|it| it.1),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.base));
        request.header(AUTHORIZATION, self.token.clone())
    }

    async fn answer(&self, request: RequestBuilder) -> Result<(HeaderMap, Body)> {
        self.read(request.send().await.map_err(|it| self.away(&it))?).await
    }

    /// The whole answer, if it is a good one.
    async fn read(&self, mut answer: Response) -> Result<(HeaderMap, Body)> {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(|it| self.away(&it))? {
            if body.len() + chunk.len() > LONGEST {
                return Err(stranger());
            }
            body.extend_from_slice(&chunk);
        }
        let location = headers.get(LOCATION).and_then(|it| it.to_str().ok()).map(plain);
        if status.is_success() {
            return Ok((headers, Body(body)));
        }
        if status.is_redirection() {
            let told = "The server sends on to another address, where the token is not sent. Give \
                        the right one with --url.";
            let failure = Failure::failed(told);
            return Err(match location {
                Some(it) => failure.line(format!("It names {it}")),
                None => failure,
            });
        }
        let problem: Option<Problem> = serde_json::from_slice(&body).ok();
        Err(refused(status.as_u16(), problem, location))
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        let cause = match error.is_timeout() {
            true => format!("no answer within {} seconds", TIMEOUT.as_secs()),
            false => cause(error),
        };
        Failure::new(Exit::Away, format!("{} cannot be reached: {cause}", self.base))
    }
}

/// What the server says, and what a script is to make of it.
fn refused(status: u16, problem: Option<Problem>, location: Option<String>) -> Failure {
    let exit = match status {
        401 | 403 => Exit::NotAllowed,
        408 | 500.. => Exit::Away,
        // Of somebody else it says nothing about keys.
        404 if problem.is_some() => Exit::NotFound,
        _ => Exit::Failed,
    };
    let Some(problem) = problem else {
        let told = format!("The answer is {status}, and not from Keyward. Is --url right?");
        return Failure::new(exit, told);
    };
    let texts: Vec<&str> = problem.errors.iter().map(|it| it.detail.as_str()).collect();
    let mut lines = Vec::new();
    if texts.is_empty() || texts.join(" ") != problem.detail {
        lines.push(plain(&problem.detail));
    }
    let at = |it: &At| format!("{}: {}", plain(&it.pointer), plain(&it.detail));
    lines.extend(problem.errors.iter().map(at));
    let code = problem.kind.rsplit(':').next().unwrap_or_default().to_owned();
    Failure { exit, lines, code, location }
}

/// Its secret was in an answer that did not arrive, or arrived elsewhere.
fn done_before(it: &Failure) -> Failure {
    let id = it.location.as_deref().and_then(|it| it.rsplit('/').next()).unwrap_or_default();
    Failure::failed(format!(
        "This was done already: it made the key {id}. Its secret was in the first answer and is not \
         given again."
    ))
    .line(format!("If that answer was lost on the way: keyward keys rotate --key {id} --overlap now"))
}

fn stranger() -> Failure {
    Failure::failed("The answer is none that Keyward gives. Is --url right?")
}

/// The innermost cause, which is the one that helps, without the address.
fn cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(|it| it.source()) {
        cause = Some(inner);
    }
    let text = cause.map_or_else(|| "it cannot be asked".to_owned(), |it| it.to_string());
    plain(&text).chars().take(200).collect()
}

fn address(server: &Server) -> Result<Url> {
    let told = "Where is Keyward? Give --url or KEYWARD_URL, such as https://keys.example.com";
    let url = server.url.clone().ok_or_else(|| Failure::usage(told))?;
    let is_origin = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    if !is_origin {
        let told = "--url is scheme and host alone, such as https://keys.example.com";
        return Err(Failure::usage(told));
    }
    if url.scheme() == "http" && !is_this_machine(&url) && !server.insecure {
        let told = "Over plain http the token could be read on the network, so it is not sent. Use \
                    https, or --insecure if you accept that.";
        return Err(Failure::usage(told));
    }
    Ok(url)
}

fn token(server: &Server) -> Result<HeaderValue> {
    let text = match &server.token_file {
        Some(file) => fs::read_to_string(file).map_err(|error| {
            let told = format!("The token cannot be read from {}: {error}", file.display());
            Failure::usage(plain(&told))
        }),
        None => env::var("KEYWARD_TOKEN").map_err(|_| {
            Failure::usage("As whom? Give a token in KEYWARD_TOKEN or in a file with --token-file.")
        }),
    };
    let text = Zeroizing::new(text?);
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(Failure::usage("What was given as the token is none: it looks like kwa_..."));
    }
    let value = Zeroizing::new(format!("Bearer {token}"));
    let value = HeaderValue::from_str(&value);
    let mut value = value.map_err(|_| Failure::usage("What was given as the token is none."))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str, insecure: bool) -> Server {
        Server { url: Some(url.parse().unwrap()), token_file: None, insecure, json: false }
    }

    #[test]
    fn the_token_goes_in_the_clear_only_where_nobody_listens() {
        for url in ["https://keys.example.com/", "http://localhost:8080", "http://[::1]:1"] {
            assert!(address(&server(url, false)).is_ok(), "{url}");
        }
        for url in ["http://keys.example.com", "http://10.0.0.1:8080", "http://localhost.evil"] {
            assert_eq!(address(&server(url, false)).unwrap_err().exit, Exit::Usage, "{url}");
            assert!(address(&server(url, true)).is_ok(), "{url}");
        }
        for url in [
            "ftp://keys.example.com",
            "https://a:b@keys.example.com",
            "https://keys.example.com/x",
            "https://keys.example.com/?token=x",
            "https://keys.example.com/#x",
        ] {
            assert_eq!(address(&server(url, true)).unwrap_err().exit, Exit::Usage, "{url}");
        }
    }

    #[test]
    fn a_script_can_tell_refusals_apart() {
        let problem = |detail: &str, errors: &[(&str, &str)]| Problem {
            kind: "urn:keyward:problem:some".to_owned(),
            detail: detail.to_owned(),
            errors: errors
                .iter()
                .map(|it| At { pointer: it.0.to_owned(), detail: it.1.to_owned() })
                .collect(),
        };
        let exit = |status, known: bool| {
            refused(status, known.then(|| problem("No.", &[])), None).exit as u8
        };
        for (status, code) in [(400, 1), (409, 1), (422, 1), (429, 1), (404, 5), (401, 3), (403, 3)]
        {
            assert_eq!(exit(status, true), code, "{status}");
        }
        assert_eq!([exit(500, true), exit(503, true), exit(502, false)], [4, 4, 4]);
        assert_eq!(exit(404, false), 1);
        let lines = |it: Problem| refused(422, Some(it), None).lines;
        assert_eq!(lines(problem("No.", &[("/until", "No.")])), ["/until: No."]);
        assert_eq!(lines(problem("A b.", &[("/a", "A\u{1b}[2J")])), ["A b.", "/a: A\u{fffd}[2J"]);
    }
}
