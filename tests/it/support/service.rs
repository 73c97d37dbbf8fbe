//! A program that shows a key to `/verify`.
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;

use super::{Answer, TestApp};

/// The header of HTTP Basic (RFC 7617).
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
        let request = self.0.client.request(method, format!("http://{}{path}", self.0.address));
        let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
        Answer::read(request.send().await.unwrap()).await
    }
}
