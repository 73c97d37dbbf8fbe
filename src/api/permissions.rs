//! `/api/v1/permissions`, and what a service declares.
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Path, Payload},
};

use super::{
    caller::{AccessRead, AccessWrite, Token},
    voice::Problem,
    whole::{self, ByName},
    wire_access::{ChangesBody, Declared, PermissionBody},
};
use crate::{
    error::Error,
    http::fault,
    permissions::{self, Declaration, Permission},
};

/// `GET /api/v1/permissions`: by service, then by name.
pub async fn list(caller: Token<AccessRead>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let all = permissions::list(&caller.act()).await?;
    let place = |it: &Permission| ByName(it.service.clone(), it.name.clone());
    Ok(whole::page(&req, all, place, |it| PermissionBody::from(it))?)
}

/// `PUT /api/v1/services/{service}/permissions`: a service says all that it knows. What it no longer
/// names is withdrawn.
pub async fn declare(
    caller: Token<AccessWrite>,
    service: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let declared: Declared = fault::json(&req, payload).await?;
    let it = Declaration { service: service.into_inner(), actions: declared.permissions };
    let changes = permissions::declare(&caller.act(), &it, None).await.map_err(in_body)?;
    Ok(HttpResponse::Ok().json(ChangesBody::from(changes)))
}

/// Names the field of a complaint as it stands in the body.
fn in_body(error: Error) -> Error {
    let Error::Invalid(mut fields) = error else { return error };
    for it in fields.iter_mut().filter(|it| it.field == "actions") {
        it.field = "permissions";
    }
    Error::Invalid(fields)
}
