//! `/api/v1/workspaces` and `/api/v1/workspace-roles`
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Path, Payload},
};

use super::{
    answer,
    caller::{AccessRead, AccessWrite, Token},
    etag, request,
    voice::Problem,
    whole, wire,
    wire_access::{NewRole, NewWorkspace, RoleBody, WorkspaceBody, WorkspaceChange},
};
use crate::{
    access::Catalogue,
    error::Error,
    http::fault,
    workspaces::{self, Workspace},
};

/// A role has nothing to change.
const UNCHANGED: i32 = 1;

/// `GET /api/v1/workspaces`: in the order of their making.
pub async fn list(caller: Token<AccessRead>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let all = Catalogue::load(&caller.act()).await?.workspaces;
    Ok(whole::page(&req, all, |it| it.id, |it| WorkspaceBody::from(it))?)
}

/// `POST /api/v1/workspaces`
pub async fn create(
    caller: Token<AccessWrite>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (new, submission): (NewWorkspace, _) = request::creating(&caller, &req, payload).await?;
    let act = caller.act();
    let it = match workspaces::create(&act, &new.into(), submission).await {
        Err(Error::AlreadyDone { location }) => {
            workspaces::find(&act, answer::id_in(&location)).await?
        }
        made => made?,
    };
    let path = format!("/api/v1/workspaces/{}", it.id);
    Ok(answer::made(path, etag::of_version(it.version), WorkspaceBody::from(&it)))
}

fn shown(it: &Workspace) -> HttpResponse {
    answer::shown(etag::of_version(it.version), WorkspaceBody::from(it))
}

/// `GET /api/v1/workspaces/{id}`
pub async fn show(caller: Token<AccessRead>, id: Path<String>) -> Result<HttpResponse, Problem> {
    Ok(shown(&workspaces::find(&caller.act(), wire::id(&id)).await?))
}

/// `PATCH /api/v1/workspaces/{id}`: what gateways call it stays.
pub async fn change(
    caller: Token<AccessWrite>,
    id: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let change: WorkspaceChange = fault::json(&req, payload).await?;
    let act = caller.act();
    let now = workspaces::find(&act, wire::id(&id)).await?;
    etag::matches(&req, &etag::of_version(now.version))?;
    let wanted = change.applied_to(&now);
    let edited = workspaces::edit(&act, now.id, now.version, &wanted).await;
    Ok(shown(&edited.map_err(etag::changed(&req))?))
}

/// `DELETE /api/v1/workspaces/{id}`: with its roles. Key groups merely lose what they had through
/// them.
pub async fn delete(
    caller: Token<AccessWrite>,
    id: Path<String>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let act = caller.act();
    let now = workspaces::find(&act, wire::id(&id)).await?;
    etag::matches(&req, &etag::of_version(now.version))?;
    workspaces::delete(&act, now.id, now.version).await.map_err(etag::changed(&req))?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /api/v1/workspace-roles`: in the order of their making.
pub async fn roles(caller: Token<AccessRead>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let all = Catalogue::load(&caller.act()).await?;
    Ok(whole::page(&req, all.roles.clone(), |it| it.id, |it| RoleBody::of(&all, it))?)
}

/// `POST /api/v1/workspace-roles`
pub async fn create_role(
    caller: Token<AccessWrite>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (new, submission): (NewRole, _) = request::creating(&caller, &req, payload).await?;
    let act = caller.act();
    let id = match workspaces::create_role(&act, new.policy, new.workspace, submission).await {
        Err(Error::AlreadyDone { location }) => answer::id_in(&location),
        made => made?.id,
    };
    let all = Catalogue::load(&act).await?;
    let body = RoleBody::of(&all, all.role(id).ok_or(Error::NotFound)?);
    let path = format!("/api/v1/workspace-roles/{id}");
    Ok(answer::made(path, etag::of_version(UNCHANGED), body))
}

/// `GET /api/v1/workspace-roles/{id}`
pub async fn show_role(
    caller: Token<AccessRead>,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let all = Catalogue::load(&caller.act()).await?;
    let role = all.role(wire::id(&id)).ok_or(Error::NotFound)?;
    Ok(answer::shown(etag::of_version(UNCHANGED), RoleBody::of(&all, role)))
}

/// `DELETE /api/v1/workspace-roles/{id}`: key groups merely lose what they had through it.
pub async fn delete_role(
    caller: Token<AccessWrite>,
    id: Path<String>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let act = caller.act();
    let all = Catalogue::load(&act).await?;
    let role = all.role(wire::id(&id)).ok_or(Error::NotFound)?;
    etag::matches(&req, &etag::of_version(UNCHANGED))?;
    workspaces::delete_role(&act, role.id).await?;
    Ok(HttpResponse::NoContent().finish())
}
