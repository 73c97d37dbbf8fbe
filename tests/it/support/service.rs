//! A program that shows a key to `/verify`.
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use reqwest::Method;

use super::{Answer, PASSWORD, TestApp};

/// A value of `Authorization`.
pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

#[derive(Clone, Copy)]
pub(crate) struct Service<'a>(pub(super) &'a TestApp);

impl Service<'_> {
    pub(crate) async fn bearer(&self, key: &str) -> Answer {
        self.raw(&[("authorization", &format!("Bearer {key}"))]).await
    }

    /// With a question, such as `permission=orders:read&workspace=europe`.
    pub(crate) async fn asks(&self, key: &str, question: &str) -> Answer {
        let path = format!("/verify?{question}");
        self.ask(Method::GET, &path, &[("authorization", &format!("Bearer {key}"))]).await
    }

    /// As document 000 has it.
    pub(crate) async fn basic(&self, id: &str, secret: &str) -> Answer {
        self.raw(&[("authorization", &basic(id, secret))]).await
    }

    /// As document 004 has it.
    pub(crate) async fn synthetic(&self, key: &str, tenant: &str) -> Answer {
        self.raw(&[("x-synthetic-key", key), ("x-tenant-name", tenant)]).await
    }

    /// Any headers, also one twice.
    pub(crate) async fn raw(&self, headers: &[(&str, &str)]) -> Answer {
        self.ask(Method::GET, "/verify", headers).await
    }

    /// Any method and query as well.
    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send((method, path), headers, None).await
    }

    /// The same with a body of JSON.
    pub(crate) async fn send(
        &self,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        json: Option<&'static str>,
    ) -> Answer {
        let request = self.0.client.request(method, self.0.url(path));
        let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
        let request = match json {
            Some(body) => request.header("content-type", "application/json").body(body),
            None => request,
        };
        Answer::read(request.send().await.unwrap()).await
    }

    /// Signed in with HTTP Basic and everybody's password, once the address may try again.
    pub(crate) async fn person(&self, email: &str, method: &str, path: &str) -> Answer {
        self.0.clock.advance(TimeDelta::minutes(1));
        let authorization = basic(email, PASSWORD);
        self.ask(method.parse().unwrap(), path, &[("authorization", &authorization)]).await
    }

    /// The same with a body, as it stands.
    pub(crate) async fn person_sends(
        &self,
        email: &str,
        path: &str,
        kind: &str,
        body: String,
    ) -> Answer {
        self.0.clock.advance(TimeDelta::minutes(1));
        let url = format!("http://{}{path}", self.0.address);
        let request = self.0.client.post(url).basic_auth(email, Some(PASSWORD));
        let request = request.header("content-type", kind).body(body);
        Answer::read(request.send().await.unwrap()).await
    }
}
