//! API keys: each a `token` group with one policy, made with its one instance.
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{LINK, LOCATION},
    web::{Path, Payload},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    KeysRead, KeysWrite,
    voice::{Catena, Fault},
    wire::{self, KeyChange, NewKey},
};
use crate::{
    access::{self, Catalogue, Held},
    api::{
        caller::Caller,
        paging, request,
        wire::{NewInstance, id},
    },
    domain::ApiScope,
    error::{Error, Result},
    http::{
        fault::{self, Cause},
        listing,
    },
    key_groups::{self, Description, Filter, KeyGroup},
    submissions::Submission,
    subscriptions::Act,
};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/api_keys`
pub async fn list(caller: KeysRead, req: HttpRequest) -> Result<HttpResponse, Fault> {
    let asked: Asked = paging::query(&req, "limit, cursor")?;
    let act = caller.act();
    let after = paging::cursor(asked.cursor.as_deref())?;
    let filter = Filter { after, ..Default::default() };
    let found = key_groups::list(&act, &filter, paging::limit(asked.limit)?).await?;
    let ids: Vec<Uuid> = found.groups.iter().map(|it| it.id).collect();
    let (all, held) = (Catalogue::load(&act).await?, access::of_groups(&act, &ids).await?);
    let next = found.next.map(listing::cursor_text);
    let keys = wire::keys(&found.groups, &all, &held);
    let mut answer = HttpResponse::Ok();
    if let Some(cursor) = &next {
        answer.insert_header((LINK, paging::link(&req, cursor)));
    }
    Ok(answer.json(json!({ "api_keys": keys, "next_cursor": next })))
}

/// The key of this id. A group that is none in the sense of the document is not there.
async fn find(act: &Act<'_>, id: Uuid) -> Result<(KeyGroup, Held, Value)> {
    let group = key_groups::find(act, id).await?;
    let (all, held) = (Catalogue::load(act).await?, access::of_group(act, id).await?);
    let key = wire::key(&group, &all, &held).ok_or(Error::NotFound)?;
    Ok((group, held, key))
}

async fn shown(act: &Act<'_>, id: Uuid) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(json!({ "api_key": find(act, id).await?.2 })))
}

/// `GET /api/v1/api_keys/{id}`
pub async fn show(caller: KeysRead, path: Path<String>) -> Result<HttpResponse, Fault> {
    Ok(shown(&caller.act(), id(&path)).await?)
}

/// `POST /api/v1/api_keys`
pub async fn create(
    caller: KeysWrite,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let (new, submission) = request::creating(&caller, &req, payload).await?;
    made(&caller, new, submission).await
}

/// With its secret, which is in this answer only.
pub async fn made(
    caller: &Caller,
    new: NewKey,
    submission: Submission,
) -> Result<HttpResponse, Fault> {
    caller.demand(ApiScope::AccessWrite).await?;
    let act = caller.act();
    let first = NewInstance { until: new.expires_at.map(Some), ..Default::default() };
    let described =
        Description { name: new.name, description: new.description, contact: String::new() };
    let held = Held { policy: Some(new.policy_id), ..Default::default() };
    if let Some(location) = submission.result(act.app).await? {
        return Ok(made_before(&location));
    }
    let first = first.read(&act)?;
    let issued = match key_groups::create(&act, (&described, &held), first, submission).await {
        Err(Error::AlreadyDone { location }) => return Ok(made_before(&location)),
        issued => issued?,
    };
    let (group, _, key) = find(&act, issued.instance.key_group_id).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, path(group.id)))
        .json(json!({ "api_key": key, "key": issued.secret.expose() })))
}

fn path(id: Uuid) -> String {
    format!("/api/v1/api_keys/{id}")
}

/// The same request was sent before, and its answer had the key: where what it made is.
fn made_before(location: &str) -> HttpResponse {
    // .../groups/{id}/keys/{instance}/secret
    let group = id(location.rsplit('/').nth(3).unwrap_or_default());
    let told = "This was done already, and its answer had the key, which is not given again. If it is \
               lost, delete this one and make another.";
    fault::given_once::<Catena>(path(group), told)
}

/// `PUT /api/v1/api_keys/{id}`
pub async fn update(
    caller: KeysWrite,
    path: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let change = fault::json(&req, payload).await?;
    updated(&caller, id(&path), change).await
}

/// Another policy is effective at the next verification. One kind of change is one transaction.
pub async fn updated(caller: &Caller, id: Uuid, change: KeyChange) -> Result<HttpResponse, Fault> {
    let act = caller.act();
    let (group, held, _) = find(&act, id).await?;
    let now = Description::of(&group);
    let described = Description {
        name: change.name.unwrap_or_else(|| now.name.clone()),
        description: change.description.unwrap_or_else(|| now.description.clone()),
        ..now.clone()
    };
    let policy = change.policy_id.filter(|it| Some(*it) != held.policy);
    if policy.is_some() {
        caller.demand(ApiScope::AccessWrite).await?;
    }
    match (policy, described == now) {
        (Some(_), false) => {
            let told = "Change the policy or the name: one of them in a request.";
            return Err(Cause::field("policy_id", told).into());
        }
        (Some(policy), true) => {
            let wanted = Held { policy: Some(policy), ..held };
            access::set(&act, id, group.access_version, &wanted).await?;
        }
        (None, false) => {
            key_groups::edit(&act, id, &described, Some(group.version)).await?;
        }
        (None, true) => {}
    }
    Ok(shown(&act, id).await?)
}

/// `DELETE /api/v1/api_keys/{id}`
pub async fn delete(caller: KeysWrite, path: Path<String>) -> Result<HttpResponse, Fault> {
    deleted(&caller, id(&path)).await
}

/// "All services currently using that key will lose API access": at once.
pub async fn deleted(caller: &Caller, id: Uuid) -> Result<HttpResponse, Fault> {
    let act = caller.act();
    let (group, ..) = find(&act, id).await?;
    key_groups::delete(&act, id, group.version).await?;
    Ok(HttpResponse::NoContent().finish())
}
