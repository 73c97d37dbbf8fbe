//! Pages of lists that are short enough to be read whole: the modules of these things have limits.
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{openapi::texts::Cursor, paging};
use crate::{
    domain::permission,
    http::{fault::Cause, listing},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PageQuery)]
pub(super) struct Asked {
    /// Rows of a page: 50, if it is not there.
    #[schema(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
    #[schema(value_type = Option<Cursor>)]
    cursor: Option<String>,
}

/// By what a list is in order, and a cursor is written. It never changes, so that a thing that is made
/// or deleted meanwhile makes no other one be left out or come twice.
pub trait Place: Ord + Sized {
    fn text(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

/// In the order of their making.
impl Place for Uuid {
    fn text(&self) -> String {
        listing::cursor_text((0, *self))
    }

    fn read(text: &str) -> Option<Self> {
        listing::cursor(text).map(|it| it.1)
    }
}

/// A permission: by service, then by name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct ByName(pub String, pub String);

impl Place for ByName {
    fn text(&self) -> String {
        self.1.clone()
    }

    fn read(text: &str) -> Option<Self> {
        let (service, _) = text.split_once(':').filter(|_| permission::is_name(text))?;
        Some(Self(service.to_owned(), text.to_owned()))
    }
}

/// The part of `rows` that a request asks for.
pub fn page<T, K: Place, B: Serialize>(
    req: &HttpRequest,
    mut rows: Vec<T>,
    place: impl Fn(&T) -> K,
    body: impl FnMut(&T) -> B,
) -> Result<HttpResponse, Cause> {
    let asked: Asked = paging::query(req, "limit, cursor")?;
    let limit = usize::try_from(paging::limit(asked.limit)?).unwrap_or(usize::MAX);
    if let Some(text) = &asked.cursor {
        let after = K::read(text).ok_or_else(paging::no_cursor)?;
        rows.retain(|it| place(it) > after);
    }
    rows.sort_by_cached_key(&place);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|it| place(it).text());
    Ok(paging::page_until(req, rows.iter().map(body).collect(), next))
}
