//! A program that speaks the Octane dialect (document 001): JSON, and the cookie that signing in gives.
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, PASSWORD, TestApp};

#[derive(Clone)]
pub(crate) struct Space<'a> {
    app: &'a TestApp,
    /// `LWSSO_COOKIE_KEY=...`
    pub(crate) cookie: String,
}

impl<'a> Space<'a> {
    /// With user and password.
    pub(crate) async fn sign_in(app: &'a TestApp, email: &str) -> Self {
        // Each try of a password counts for its address.
        app.clock.advance(chrono::TimeDelta::seconds(3));
        Self::with(app, &json!({ "user": email, "password": PASSWORD })).await
    }

    /// With a key.
    pub(crate) async fn sign_in_client(app: &'a TestApp, id: &str, secret: &str) -> Self {
        Self::with(app, &json!({ "client_id": id, "client_secret": secret })).await
    }

    async fn with(app: &'a TestApp, body: &Value) -> Self {
        let nobody = Self::nobody(app);
        let answer = nobody.send(Method::POST, "/authentication/sign_in", Some(body)).await;
        let cookie = answer.expect(200).set_cookie("LWSSO_COOKIE_KEY").unwrap();
        Self { app, cookie: format!("{}={}", cookie.name(), cookie.value()) }
    }

    pub(crate) fn nobody(app: &'a TestApp) -> Self {
        Self { app, cookie: String::new() }
    }

    /// The same program with this token.
    pub(crate) fn having(&self, token: &str) -> Self {
        Self { app: self.app, cookie: format!("LWSSO_COOKIE_KEY={token}") }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(&body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.app.client.request(method, self.app.url(path));
        if !self.cookie.is_empty() {
            request = request.header("cookie", &self.cookie);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::read(request.send().await.unwrap()).await
    }
}
