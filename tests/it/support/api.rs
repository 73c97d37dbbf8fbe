//! A program that shows an automation token to the native interface.
use reqwest::Method;
use serde_json::Value;

use super::{Answer, TestApp};

pub(crate) struct Program<'a> {
    app: &'a TestApp,
    token: String,
}

impl TestApp {
    /// With a token of `acme` that has these scopes.
    pub(crate) async fn program(&self, scopes: &[&str]) -> Program<'_> {
        Program { app: self, token: self.desk("acme").await.token(scopes).await.1 }
    }
}

impl<'a> Program<'a> {
    pub(crate) fn with(app: &'a TestApp, token: &str) -> Self {
        Self { app, token: token.to_owned() }
    }

    /// With any headers beside the token, and with a body if it is not null.
    pub(crate) async fn send(
        &self,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        self.send_to((method, format!("/api/v1{path}")), headers, body).await
    }

    /// By the name of the call (document 002).
    pub(crate) async fn rpc(&self, name: &str, body: Value) -> Answer {
        self.send_to((Method::POST, format!("/rpc/{name}")), &[], body).await
    }

    async fn send_to(
        &self,
        (method, path): (Method, String),
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let request = self.app.client.request(method, self.app.url(&path));
        let request = request.bearer_auth(&self.token);
        let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
        let request = if body.is_null() { request } else { request.json(&body) };
        Answer::read(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send((Method::GET, path), &[], Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send((Method::POST, path), &[], body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send((Method::PATCH, path), &[], body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send((Method::PUT, path), &[], body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send((Method::DELETE, path), &[], Value::Null).await
    }
}
