//! `/api/v1/policies`
use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Path, Payload},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    answer,
    caller::{AccessRead, AccessWrite, Caller, Token},
    etag, paging, request,
    voice::{self, Problem},
    whole, wire,
    wire_access::{DoomedBody, NewPolicy, PolicyBody, PolicyChange},
};
use crate::{
    domain::{ApiScope, Refusal},
    error::Error,
    http::fault::{self, Cause, Told},
    policies::{
        self, Policy,
        deletion::{self, Doomed},
    },
};

/// `GET /api/v1/policies`: in the order of their making.
pub async fn list(caller: Token<AccessRead>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let all = policies::all(&caller.act()).await?;
    Ok(whole::page(&req, all, |it| it.id, |it| PolicyBody::from(it))?)
}

/// `POST /api/v1/policies`
pub async fn create(
    caller: Token<AccessWrite>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (new, submission): (NewPolicy, _) = request::creating(&caller, &req, payload).await?;
    let act = caller.act();
    let it = match policies::create(&act, &new.wanted()?, submission).await {
        Err(Error::AlreadyDone { location }) => {
            policies::find(&act, answer::id_in(&location)).await?
        }
        made => made?,
    };
    let path = format!("/api/v1/policies/{}", it.id);
    Ok(answer::made(path, etag::of_version(it.version), PolicyBody::from(&it)))
}

fn shown(it: &Policy) -> HttpResponse {
    answer::shown(etag::of_version(it.version), PolicyBody::from(it))
}

/// `GET /api/v1/policies/{id}`
pub async fn show(caller: Token<AccessRead>, id: Path<String>) -> Result<HttpResponse, Problem> {
    Ok(shown(&policies::find(&caller.act(), wire::id(&id)).await?))
}

/// `PATCH /api/v1/policies/{id}`: effective at the next verification.
pub async fn change(
    caller: Token<AccessWrite>,
    id: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let change: PolicyChange = fault::json(&req, payload).await?;
    let act = caller.act();
    let now = policies::find(&act, wire::id(&id)).await?;
    etag::matches(&req, &etag::of_version(now.version))?;
    let wanted = change.applied_to(&now)?;
    let (after, _) =
        policies::edit(&act, now.id, now.version, &wanted).await.map_err(etag::changed(&req))?;
    Ok(shown(&after))
}

/// `GET /api/v1/policies/{id}/deletion-preview`: what would die with it. Its `ETag` is a picture of
/// exactly that.
pub async fn preview(
    caller: Token<AccessWrite>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let act = caller.act();
    let policy = policies::find(&act, wire::id(&id)).await?;
    let doomed = deletion::preview(&act, policy.id).await?;
    Ok(answer::shown(etag::of_doomed(&doomed), DoomedBody::of(&policy, &doomed)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Consent {
    /// The number of keys that die.
    #[schema(minimum = 0)]
    expect: Option<i64>,
}

impl Consent {
    /// Whether the request says what dies, and that is still so.
    fn is_to(&self, req: &HttpRequest, doomed: &Doomed) -> bool {
        match etag::matches(req, &etag::of_doomed(doomed)) {
            Ok(true) => self.expect.is_none_or(|it| it == doomed.keys),
            Ok(false) => self.expect == Some(doomed.keys),
            Err(_) => false,
        }
    }
}

/// `DELETE /api/v1/policies/{id}`: with its key groups and their keys (document 002).
pub async fn delete(
    caller: Token<AccessWrite>,
    id: Path<String>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let consent: Consent = paging::query(&req, "expect")?;
    let agrees = |doomed: &Doomed| consent.is_to(&req, doomed);
    Ok(match delete_if(&caller, wire::id(&id), agrees).await? {
        None => HttpResponse::NoContent().finish(),
        Some((policy, doomed)) => unconfirmed(&policy, &doomed),
    })
}

/// Deletes a policy if the caller agrees to what dies with it; else gives what that would be. Ending
/// keys for good takes `keys:write` as well.
pub(crate) async fn delete_if(
    caller: &Caller,
    id: Uuid,
    agrees: impl Fn(&Doomed) -> bool,
) -> Result<Option<(Policy, Doomed)>, Cause> {
    let act = caller.act();
    let policy = policies::find(&act, id).await?;
    let doomed = deletion::preview(&act, id).await?;
    if !agrees(&doomed) {
        return Ok(Some((policy, doomed)));
    }
    if !doomed.groups.is_empty() {
        caller.demand(ApiScope::KeysWrite).await?;
    }
    match deletion::delete(&act, id, &doomed.fence).await {
        Err(Error::Refused(Refusal::DoomedChanged)) => {
            Ok(Some((policy, deletion::preview(&act, id).await?)))
        }
        deleted => Ok(deleted.map(|_| None)?),
    }
}

/// Nothing was deleted: what would be, and how to say that it shall.
fn unconfirmed(policy: &Policy, doomed: &Doomed) -> HttpResponse {
    let told = Told {
        status: StatusCode::CONFLICT,
        code: "needs_consent",
        text: "These key groups and their keys would be deleted with the policy. Say so by If-Match \
               with the ETag of its deletion-preview, or by ?expect= with the number of keys.",
        pointer: None,
        errors: &[],
    };
    let mut problem = voice::problem(&told);
    let body = serde_json::json!(DoomedBody::of(policy, doomed));
    for member in ["policy", "key_groups", "keys"] {
        problem[member] = body[member].clone();
    }
    voice::send(&mut HttpResponse::Conflict(), problem)
}
