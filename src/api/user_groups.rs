//! `/api/v1/user-groups`
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Path, Payload},
};
use uuid::Uuid;

use super::{
    answer,
    caller::{AccessRead, AccessWrite, Token},
    etag, request,
    voice::Problem,
    whole, wire,
    wire_access::{Named, NewUserGroup, UserGroupBody, UserGroupChange},
};
use crate::{
    error::{Error, Result},
    http::fault,
    subscriptions::Act,
    user_groups::{self, UserGroup},
};

/// `GET /api/v1/user-groups`: in the order of their making.
pub async fn list(caller: Token<AccessRead>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let act = caller.act();
    let (mut named, members) = (Named::load(&act).await?, user_groups::members(&act).await?);
    let all = named.take_user_groups();
    let body = |it: &(UserGroup, Vec<Uuid>)| {
        named.body(&it.0, &it.1, members.get(&it.0.id).into_iter().flatten())
    };
    Ok(whole::page(&req, all, |it| it.0.id, body)?)
}

/// `POST /api/v1/user-groups`
pub async fn create(
    caller: Token<AccessWrite>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (new, submission): (NewUserGroup, _) = request::creating(&caller, &req, payload).await?;
    let act = caller.act();
    let it = match user_groups::create(&act, &new.into(), submission).await {
        Err(Error::AlreadyDone { location }) => {
            user_groups::find(&act, answer::id_in(&location)).await?
        }
        made => made?,
    };
    let path = format!("/api/v1/user-groups/{}", it.id);
    Ok(answer::made(path, etag::of_version(it.version), body(&act, &it).await?))
}

async fn body(act: &Act<'_>, it: &UserGroup) -> Result<UserGroupBody> {
    let (named, now) = (Named::load(act).await?, user_groups::wanted(act, it).await?);
    Ok(named.body(it, &now.policies, &now.members))
}

async fn shown(act: &Act<'_>, it: &UserGroup) -> Result<HttpResponse> {
    Ok(answer::shown(etag::of_version(it.version), body(act, it).await?))
}

/// `GET /api/v1/user-groups/{id}`
pub async fn show(caller: Token<AccessRead>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let act = caller.act();
    Ok(shown(&act, &user_groups::find(&act, wire::id(&id)).await?).await?)
}

/// `PATCH /api/v1/user-groups/{id}`: effective at the next verification.
pub async fn change(
    caller: Token<AccessWrite>,
    id: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let change: UserGroupChange = fault::json(&req, payload).await?;
    let act = caller.act();
    let now = user_groups::find(&act, wire::id(&id)).await?;
    etag::matches(&req, &etag::of_version(now.version))?;
    let wanted = change.applied_to(user_groups::wanted(&act, &now).await?);
    let (after, _) =
        user_groups::edit(&act, now.id, now.version, &wanted).await.map_err(etag::changed(&req))?;
    Ok(shown(&act, &after).await?)
}

/// `DELETE /api/v1/user-groups/{id}`: key groups merely lose what they had through it.
pub async fn delete(
    caller: Token<AccessWrite>,
    id: Path<String>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let act = caller.act();
    let now = user_groups::find(&act, wire::id(&id)).await?;
    etag::matches(&req, &etag::of_version(now.version))?;
    user_groups::delete(&act, now.id, now.version).await.map_err(etag::changed(&req))?;
    Ok(HttpResponse::NoContent().finish())
}
