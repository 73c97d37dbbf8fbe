//! `/api/v1/instances`
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ETAG, LOCATION},
    web::{Path, Payload},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    caller::{Caller, KeysRead, KeysWrite, Token},
    etag,
    openapi::texts::{Cursor, Note},
    paging,
    reader::Reader,
    voice::{Native, Problem},
    wire::{self, GroupBody, MadeBody, MadeGroup},
    wire_change::{KeyChange, Reactivation},
};
use crate::{
    error::{Error, Result},
    http::fault::{self, Cause},
    key_instances::{self, Filter, Issued, KeyInstance, Show, Target, Used},
    subscriptions::Act,
};

const PARAMETERS: &str =
    "limit, cursor, status, expiring_before, used, used_within_days, unused_for_days";

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InstanceQuery)]
pub(super) struct Asked {
    /// Rows of a page: 50, if it is not there.
    #[schema(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
    #[schema(value_type = Option<Cursor>)]
    cursor: Option<String>,
    /// Keys in this status.
    status: Option<Tab>,
    /// Keys that end before this instant. Goes with no status, or with `live`, `active` or `expiring_soon`.
    expiring_before: Option<DateTime<Utc>>,
    /// Keys that were never used. Ask for one kind of use at a time.
    used: Option<Never>,
    /// Keys that were used within so many days.
    #[schema(maximum = 65535)]
    used_within_days: Option<u16>,
    /// Keys that were not used for so many days.
    #[schema(maximum = 65535)]
    unused_for_days: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InstanceTab)]
enum Tab {
    Active,
    ExpiringSoon,
    ActiveInTheFuture,
    Expired,
    Deactivated,
    Live,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NeverWord)]
enum Never {
    Never,
}

impl Asked {
    fn filter(&self, group: Option<Uuid>) -> Result<Filter, Cause> {
        let malformed = |text: &str| Cause::malformed("malformed_query", text);
        let used = match (self.used, self.used_within_days, self.unused_for_days) {
            (None, None, None) => Used::Any,
            (Some(Never::Never), None, None) => Used::Never,
            (None, Some(days), None) => Used::Within(days.into()),
            (None, None, Some(days)) => Used::NotFor(days.into()),
            _ => return Err(malformed("Ask for one kind of use at a time.")),
        };
        let show = match (self.status, self.expiring_before) {
            (None, None) => Show::All,
            (None | Some(Tab::Live), _) => Show::Live,
            (Some(Tab::Active), _) => Show::Active,
            (Some(Tab::ExpiringSoon), _) => Show::ExpiringSoon,
            (Some(Tab::ActiveInTheFuture), None) => Show::Future,
            (Some(Tab::Expired), None) => Show::Expired,
            (Some(Tab::Deactivated), None) => Show::Deactivated,
            (Some(_), Some(_)) => {
                let told = "expiring_before goes with the status live, active or expiring_soon.";
                return Err(malformed(told));
            }
        };
        Ok(Filter {
            group,
            show,
            used,
            ends_before: self.expiring_before,
            after: paging::cursor(self.cursor.as_deref())?,
            ..Default::default()
        })
    }
}

/// Of a group, or of the whole subscription.
pub(super) async fn listed(
    act: &Act<'_>,
    req: &HttpRequest,
    group: Option<Uuid>,
) -> Result<HttpResponse, Problem> {
    let asked: Asked = paging::query(req, PARAMETERS)?;
    let filter = asked.filter(group)?;
    let found = key_instances::list(act, &filter, paging::limit(asked.limit)?).await?;
    Ok(paging::page(req, wire::instances(act, &found.instances).await?, found.next))
}

/// `GET /api/v1/instances`: document 004's list call, for keys that may as well.
pub async fn list(caller: Reader, req: HttpRequest) -> Result<HttpResponse, Problem> {
    listed(&caller.act(), &req, None).await
}

/// A key that was just made.
pub(super) async fn made(
    act: &Act<'_>,
    it: &Issued,
    key_group: Option<GroupBody>,
) -> Result<HttpResponse, Problem> {
    let made = std::slice::from_ref(&it.instance);
    let mut bodies = wire::instances_of(act, vec![it.group.clone()], made).await?;
    let (instance, secret) = (bodies.pop().ok_or(Error::NotFound)?, it.secret.expose());
    let mut answer = HttpResponse::Created();
    answer
        .insert_header((LOCATION, path(it.instance.id)))
        .insert_header((ETAG, etag::of_instance(&it.instance)));
    Ok(match key_group {
        None => answer.json(MadeBody { instance, secret }),
        Some(key_group) => {
            answer.json(MadeGroup { key_group, instance: Some(instance), secret: Some(secret) })
        }
    })
}

fn path(id: Uuid) -> String {
    format!("/api/v1/instances/{id}")
}

/// The same request was answered before, with the secret, which is not given twice.
pub(super) fn made_before(location: &str) -> HttpResponse {
    // .../keys/{id}/secret
    let id = wire::id(location.rsplit('/').nth(1).unwrap_or_default());
    let told = "This was done already, and its answer had the secret, which is not given again. If it \
               is lost, rotate the key.";
    fault::given_once::<Native>(path(id), told)
}

async fn find(act: &Act<'_>, id: &str) -> Result<KeyInstance> {
    key_instances::find_anywhere(act, wire::id(id)).await
}

async fn shown(act: &Act<'_>, it: &KeyInstance) -> Result<HttpResponse, Problem> {
    let mut bodies = wire::instances(act, std::slice::from_ref(it)).await?;
    let body = bodies.pop().ok_or(Error::NotFound)?;
    Ok(HttpResponse::Ok().insert_header((ETAG, etag::of_instance(it))).json(body))
}

/// `GET /api/v1/instances/{id}`
pub async fn show(caller: Token<KeysRead>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let act = caller.act();
    let it = find(&act, &id).await?;
    shown(&act, &it).await
}

/// `PATCH /api/v1/instances/{id}`: another active period, another note.
pub async fn change(
    caller: Token<KeysWrite>,
    id: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let change: KeyChange = fault::json(&req, payload).await?;
    let (act, it, _) = begin(&caller, &id, &req).await?;
    let period = change.applied_to(&it)?;
    let note = change.note.as_deref().filter(|note| *note != it.note);
    // One end of the period may be what it was.
    let seen = it.as_seen().noting(note);
    let changed = match (period == it.facts().period, note) {
        (true, None) => return shown(&act, &it).await,
        (true, Some(note)) => key_instances::set_note(&act, seen, note).await,
        (false, _) => key_instances::change_period(&act, seen, period).await,
    };
    let after = changed.map_err(etag::changed(&req))?;
    shown(&act, &after).await
}

/// A key is taken out of use.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ending {
    /// Why, for the audit log.
    #[schema(value_type = Note)]
    pub reason: String,
}

/// `POST /api/v1/instances/{id}/deactivation`: until it is reactivated.
pub async fn deactivate(
    caller: Token<KeysWrite>,
    id: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let ending: Ending = fault::optional_json(&req, payload).await?;
    let (act, _, target) = begin(&caller, &id, &req).await?;
    let after = key_instances::deactivate(&act, target.because(&ending.reason))
        .await
        .map_err(etag::changed(&req))?;
    shown(&act, &after).await
}

/// `POST /api/v1/instances/{id}/reactivation`: with a new active period.
pub async fn reactivate(
    caller: Token<KeysWrite>,
    id: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let change: Reactivation = fault::json(&req, payload).await?;
    let (act, it, _) = begin(&caller, &id, &req).await?;
    let period = change.applied_to(&it)?;
    let after =
        key_instances::reactivate(&act, it.as_seen(), period).await.map_err(etag::changed(&req))?;
    shown(&act, &after).await
}

/// `POST /api/v1/instances/{id}/revocation`: for good.
pub async fn revoke(
    caller: Token<KeysWrite>,
    id: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let ending: Ending = fault::optional_json(&req, payload).await?;
    let (act, _, target) = begin(&caller, &id, &req).await?;
    let after = key_instances::revoke(&act, target.because(&ending.reason))
        .await
        .map_err(etag::changed(&req))?;
    shown(&act, &after).await
}

/// With what it is now, and what is to be changed: that very state, if the request names it.
async fn begin<'a>(
    caller: &'a Caller,
    id: &str,
    req: &HttpRequest,
) -> Result<(Act<'a>, KeyInstance, Target<'static>), Problem> {
    let act = caller.act();
    let it = find(&act, id).await?;
    let is_named = etag::matches(req, &etag::of_instance(&it))?;
    let target = if is_named { it.as_seen() } else { (it.key_group_id, it.id).into() };
    Ok((act, it, target))
}
