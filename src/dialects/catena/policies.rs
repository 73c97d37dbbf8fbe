//! Policies and the permissions that they are made of.
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ETAG, IF_MATCH, LOCATION},
    web::{Path, Payload},
};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    AccessRead, AccessWrite,
    voice::Fault,
    wire::{self, NewPolicy, PolicyChange},
};
use crate::{
    api::{self, caller::Caller, etag, paging, request, wire::id},
    domain::Permissions,
    error::Error,
    http::fault,
    permissions,
    policies::{self, Wanted, deletion::Doomed},
    submissions::Submission,
};

/// `GET /api/v1/api_keys/policies`
pub async fn list(caller: AccessRead) -> Result<HttpResponse, Fault> {
    let all = policies::all(&caller.act()).await?;
    let all: Vec<_> = all.iter().map(wire::policy).collect();
    Ok(HttpResponse::Ok().json(json!({ "policies": all })))
}

/// `GET /api/v1/api_keys/permissions`: what services declare in their code.
pub async fn permissions(caller: AccessRead) -> Result<HttpResponse, Fault> {
    let all = permissions::list(&caller.act()).await?;
    let all: Vec<_> = all.iter().map(wire::permission).collect();
    Ok(HttpResponse::Ok().json(json!({ "permissions": all })))
}

/// `POST /api/v1/api_keys/policies`
pub async fn create(
    caller: AccessWrite,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let (new, submission) = request::creating(&caller, &req, payload).await?;
    made(&caller, new, submission).await
}

pub async fn made(
    caller: &Caller,
    new: NewPolicy,
    submission: Submission,
) -> Result<HttpResponse, Fault> {
    let act = caller.act();
    let wanted =
        Wanted { name: new.name, description: new.description, permissions: set(&new.permissions) };
    let made = match policies::create(&act, &wanted, submission).await {
        // Sent again: there is no secret in it, so the answer is the same.
        Err(Error::AlreadyDone { location }) => {
            policies::find(&act, id(location.rsplit('/').next().unwrap_or_default())).await?
        }
        made => made?,
    };
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/api/v1/api_keys/policies/{}", made.id)))
        .json(json!({ "policy": wire::policy(&made) })))
}

fn set(names: &[String]) -> Permissions {
    names.iter().map(String::as_str).collect()
}

/// `PUT /api/v1/api_keys/policies/{id}`
pub async fn update(
    caller: AccessWrite,
    path: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let change = fault::json(&req, payload).await?;
    updated(&caller, id(&path), change).await
}

/// "Will immediately impact all API keys currently using that policy."
pub async fn updated(
    caller: &Caller,
    id: Uuid,
    change: PolicyChange,
) -> Result<HttpResponse, Fault> {
    let act = caller.act();
    let it = policies::find(&act, id).await?;
    let now = Wanted::of(&it);
    let wanted = Wanted {
        name: change.name.unwrap_or(now.name),
        description: change.description.unwrap_or(now.description),
        permissions: change.permissions.map_or(now.permissions, |it| set(&it)),
    };
    let (after, _) = policies::edit(&act, id, it.version, &wanted).await?;
    Ok(HttpResponse::Ok().json(json!({ "policy": wire::policy(&after) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    expect: Option<i64>,
}

/// `DELETE /api/v1/api_keys/policies/{id}`
pub async fn delete(
    caller: AccessWrite,
    path: Path<String>,
    req: HttpRequest,
) -> Result<HttpResponse, Fault> {
    let asked: Expected = paging::query(&req, "expect")?;
    let fence = req.headers().get(IF_MATCH).and_then(|it| it.to_str().ok());
    deleted(&caller, id(&path), asked.expect, fence).await
}

/// "All API keys currently using that policy will be deleted": only as many as the caller expects, or
/// exactly those that it was shown.
pub async fn deleted(
    caller: &Caller,
    id: Uuid,
    expect: Option<i64>,
    seen: Option<&str>,
) -> Result<HttpResponse, Fault> {
    let agrees = |doomed: &Doomed| {
        expect == Some(doomed.keys) || seen == Some(etag::of_doomed(doomed).as_str())
    };
    let Some((policy, doomed)) = api::policies::delete_if(caller, id, agrees).await? else {
        return Ok(HttpResponse::NoContent().finish());
    };
    let etag = etag::of_doomed(&doomed);
    let keys = doomed.groups.iter().map(|it| json!({ "id": it.id, "name": it.name }));
    let told = format!(
        "{} keys are deleted with the policy {}. Send expect={} or If-Match with the ETag of this \
         answer, if they shall be.",
        doomed.keys, policy.name, doomed.keys
    );
    Ok(HttpResponse::Conflict().insert_header((ETAG, etag)).json(json!({
        "error": "refused",
        "message": told,
        "expect": doomed.keys,
        "api_keys": keys.collect::<Vec<_>>(),
    })))
}
