//! Somebody with a browser: cookies kept by hand, because Keyward's are `Secure` and tests speak
//! http; redirects not followed; the headers that browsers send with a form.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use reqwest::{
    Method, RequestBuilder,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use super::{Answer, PASSWORD, TestApp};

#[derive(Clone)]
pub(crate) struct Person<'a> {
    app: &'a TestApp,
    jar: Arc<Mutex<Jar>>,
    /// Instead of what the browser would send; an empty one is left out.
    headers: Vec<(String, String)>,
}

/// By name and path. Nothing is forgotten by time: a server that counts on that is wrong.
type Jar = BTreeMap<(String, String), String>;

impl<'a> Person<'a> {
    pub(super) fn new(app: &'a TestApp) -> Self {
        Self { app, jar: Arc::default(), headers: Vec::new() }
    }

    /// The same browser, sending these headers instead of its own; an empty one is left out.
    pub(crate) fn with(&self, headers: &[(&str, &str)]) -> Self {
        let mut it = self.clone();
        for (name, value) in headers {
            it.headers.retain(|other| other.0 != *name);
            it.headers.push(((*name).to_owned(), (*value).to_owned()));
        }
        it
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.finish(self.request(Method::POST, path).form(fields), path).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str) -> Answer {
        self.finish(self.request(method, path), path).await
    }

    /// A body as it stands.
    pub(crate) async fn post_raw(&self, path: &str, kind: &str, body: Vec<u8>) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", kind).body(body);
        self.finish(request, path).await
    }

    /// The page that an answer redirects to.
    pub(crate) async fn follow(&self, answer: &Answer) -> Answer {
        self.get(answer.location()).await
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Answer {
        self.post("/sign-in", &[("email", email), ("password", password)]).await
    }

    /// Shows the password once more, and goes on to `next`.
    pub(crate) async fn confirm(&self, password: &str, next: &str) -> Answer {
        self.post("/confirm-password", &[("password", password), ("next", next)]).await
    }

    /// Opens a page; if it asks for the password first, shows it.
    pub(crate) async fn open(&self, path: &str) -> Answer {
        let answer = self.get(path).await;
        if !answer.is_confirm_redirect() {
            return answer;
        }
        let next = self.follow(&answer).await.expect(200).field("next");
        let on = self.confirm(PASSWORD, &next).await.expect(303);
        self.follow(&on).await
    }

    /// Whether this browser has a live session.
    pub(crate) async fn is_signed_in(&self) -> bool {
        !self.get("/").await.is_sign_in_redirect()
    }

    /// Opens a form that makes a key and sends it, with its token: for a generated key of 90 days,
    /// unless these fields say something else.
    pub(crate) async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.open(path).await.expect(200).field("submission");
        let mut all = vec![("submission", token.as_str()), ("make", "generate"), ("preset", "90")];
        all.retain(|it| fields.iter().all(|other| other.0 != it.0));
        all.extend(fields);
        self.post(path, &all).await
    }

    /// Makes a key on the pages, up to the one that shows its secret.
    pub(crate) async fn issue(&self, group_path: &str, fields: &[(&str, &str)]) -> Answer {
        let made = self.submit(&format!("{group_path}/keys/new"), fields).await.expect(303);
        self.follow(&made).await.expect(200)
    }

    /// A cookie of this browser, whatever its path.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let jar = self.jar.lock().unwrap();
        jar.iter().find(|it| it.0.0 == name).map(|it| it.1.clone())
    }

    /// The session's cookie.
    #[track_caller]
    pub(crate) fn session(&self) -> String {
        self.cookie("__Host-sid").expect("this browser has no session")
    }

    /// Puts a cookie into this browser, as an attacker might.
    pub(crate) fn plant(&self, name: &str, value: &str) {
        let mut jar = self.jar.lock().unwrap();
        jar.insert((name.to_owned(), "/".to_owned()), value.to_owned());
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let site = &self.app.site;
        let mut headers = HeaderMap::new();
        let mut set = |name: &str, value: &str| {
            let name = HeaderName::try_from(name).unwrap();
            if value.is_empty() {
                headers.remove(&name);
            } else {
                headers.insert(name, HeaderValue::try_from(value).unwrap());
            }
        };
        set("host", &site.hosts[0]);
        set("cookie", &self.cookies_for(path));
        if !method.is_safe() {
            set("origin", &site.origin);
            set("sec-fetch-site", "same-origin");
        }
        self.headers.iter().for_each(|(name, value)| set(name, value));
        let url = format!("http://{}{path}", self.app.address);
        self.app.client.request(method, url).headers(headers)
    }

    async fn finish(&self, request: RequestBuilder, path: &str) -> Answer {
        let answer = Answer::read(request.send().await.unwrap()).await;
        let mut jar = self.jar.lock().unwrap();
        for cookie in answer.cookies() {
            let at = cookie.path().unwrap_or(path).to_owned();
            let key = (cookie.name().to_owned(), at);
            if cookie.max_age().is_some_and(|it| it.is_zero()) || cookie.value().is_empty() {
                jar.remove(&key);
            } else {
                jar.insert(key, cookie.value().to_owned());
            }
        }
        answer
    }

    fn cookies_for(&self, path: &str) -> String {
        let path = path.split('?').next().unwrap_or_default();
        let fits = |at: &str| {
            let below = path.strip_prefix(at);
            below.is_some_and(|it| it.is_empty() || it.starts_with('/') || at.ends_with('/'))
        };
        let jar = self.jar.lock().unwrap();
        let sent = jar.iter().filter(|it| fits(&it.0.1));
        sent.map(|((name, _), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}
