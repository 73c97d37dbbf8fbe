//! Forms: reading them with limits, keeping what was typed, and telling what to change.
use std::{ops::Deref, time::Duration};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    cookie::{SameSite, time},
    dev::Payload,
    web::{Bytes, Data},
};
use futures_util::{StreamExt, future::LocalBoxFuture};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{App, PageError, cookies};
use crate::error::{Error, FieldError};

/// 64 KiB (API.md): more than any form of ours, less than anything that hurts.
pub const BODY_LIMIT: usize = 64 * 1024;
/// A body that trickles is cut; actix itself never does (SECURITY.md 0).
pub const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// An urlencoded form. Missing fields are empty, unknown ones are ignored.
pub struct Form<T>(pub T);

impl<T> Deref for Form<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The fields of a form in which one name may stand several times, as tick boxes do.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first value of a field; empty if it is not there.
    pub fn one(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |it| it.0 == name).map(|it| it.1.as_str())
    }

    /// Moves the first value out: of a secret no second copy is made.
    pub fn take(&mut self, name: &str) -> String {
        let found = self.0.iter_mut().find(|it| it.0 == name);
        found.map(|it| std::mem::take(&mut it.1)).unwrap_or_default()
    }

    /// The values of a field as ids; the nil one for rubbish, which no row has. Empty ones are none.
    pub fn ids<T: FromIterator<Uuid>>(&self, name: &str) -> T {
        let given = self.all(name).filter(|it| !it.is_empty());
        given.map(|it| Uuid::try_parse(it).unwrap_or_default()).collect()
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = PageError;
    type Future = LocalBoxFuture<'static, Result<Self, PageError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let urlencoded =
            req.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded");
        let mut payload = payload.take();
        Box::pin(async move {
            if !urlencoded {
                return Err(Error::Malformed("Send this form as a browser does.").into());
            }
            let body = read_body(&mut payload).await?;
            let form = serde_urlencoded::from_bytes(&body);
            Ok(Self(form.map_err(|_| Error::Malformed("This form cannot be read."))?))
        })
    }
}

/// The whole body, within its limit and deadline.
pub async fn read_body(payload: &mut Payload) -> Result<Bytes, Error> {
    let read = async {
        let mut body = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Error::Malformed("The request ended too early."))?;
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(Error::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Bytes::from(body))
    };
    tokio::time::timeout(BODY_DEADLINE, read).await.unwrap_or(Err(Error::TooSlow))
}

/// What is wrong with a form, for its page. Errors that no form can mend pass through.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    /// The rule that refused, if no single field is to blame.
    pub general: Option<String>,
    pub fields: Vec<FieldError>,
}

impl Errors {
    pub fn none() -> Self {
        Self::default()
    }

    pub fn of(error: Error) -> Result<Self, Error> {
        match error {
            Error::Invalid(fields) => Ok(Self { general: None, fields }),
            Error::Refused(refusal) => {
                Ok(Self { general: Some(refusal.to_string()), fields: Vec::new() })
            }
            other => Err(other),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.general.is_none() && self.fields.is_empty()
    }

    /// What to say beside a field; empty for nothing.
    pub fn at(&self, field: &str) -> &str {
        self.fields.iter().find(|it| it.field == field).map_or("", |it| &it.message)
    }
}

pub(super) const DRAFT: &str = "kw_draft";
/// Never kept: what only the person knows, and what must not be sent twice.
const SECRET_FIELDS: [&str; 6] =
    ["password", "new_password", "key", "submission", "confirm", "query"];

/// A form that was posted after its session had ended, or without a fresh proof of the password,
/// waits here while its author shows who they are.
pub fn keep_draft(
    app: &App,
    path: &str,
    body: &[u8],
) -> Option<actix_web::cookie::Cookie<'static>> {
    let fields = form_urlencoded::parse(body).filter(|it| !SECRET_FIELDS.contains(&&*it.0));
    let kept = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let terms = cookies::Terms {
        name: DRAFT,
        path,
        max_age: time::Duration::minutes(15),
        same_site: SameSite::Lax,
    };
    // A cookie that browsers would drop for its size keeps nothing.
    (kept.len() <= 2_500 && !kept.is_empty()).then(|| cookies::seal(app, terms, kept))
}

/// What was typed before the session ended, or an untouched form.
pub struct Draft<T>(pub Option<T>);

impl<T: DeserializeOwned + 'static> FromRequest for Draft<T> {
    type Error = PageError;
    type Future = std::future::Ready<Result<Self, PageError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let kept = req.app_data::<Data<App>>().and_then(|app| cookies::unseal(app, req, DRAFT));
        let form = kept.and_then(|it| serde_urlencoded::from_str(&it).ok());
        std::future::ready(Ok(Self(form)))
    }
}
