//! `/api/v1/key-groups`
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{ETAG, LOCATION},
    web::{Path, Payload},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    caller::{AccessRead, AccessWrite, KeysRead, KeysWrite, Token},
    etag, instances,
    openapi::texts::{Cursor, QueryText},
    paging, request,
    voice::Problem,
    wire::{
        self, AccessBody, GroupChange, Kind, MadeGroup, NewInstance, NewKeyGroup, Rotation,
        WantedAccess,
    },
};
use crate::{
    access::{self, Catalogue, Held},
    domain::{ApiScope, Refusal},
    error::{Error, Result},
    http::fault::{self, Cause},
    key_groups::{self, Filter, KeyGroup, Show},
    key_instances::{self, KeyInstance},
    subscriptions::Act,
};

const PARAMETERS: &str = "limit, cursor, show, q, user_group";

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyGroupQuery)]
pub(super) struct Asked {
    /// Rows of a page: 50, if it is not there.
    #[schema(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
    #[schema(value_type = Option<Cursor>)]
    cursor: Option<String>,
    /// All, if it is not there.
    show: Option<Tab>,
    /// Part of the name or the description.
    #[schema(value_type = Option<QueryText>)]
    q: Option<String>,
    /// Groups that hold this user group: its id.
    user_group: Option<Uuid>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KeyGroupTab)]
enum Tab {
    All,
    ExpiringSoon,
    NoSuccessor,
    NothingActive,
    Unused,
}

impl From<Tab> for Show {
    fn from(it: Tab) -> Self {
        match it {
            Tab::All => Self::All,
            Tab::ExpiringSoon => Self::ExpiringSoon,
            Tab::NoSuccessor => Self::NoSuccessor,
            Tab::NothingActive => Self::NothingActive,
            Tab::Unused => Self::Unused,
        }
    }
}

/// `GET /api/v1/key-groups`: what runs out first before all else.
pub async fn list(caller: Token<KeysRead>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked: Asked = paging::query(&req, PARAMETERS)?;
    let filter = Filter {
        show: asked.show.map(Show::from).unwrap_or_default(),
        text: asked.q.unwrap_or_default(),
        user_group: asked.user_group,
        after: paging::cursor(asked.cursor.as_deref())?,
        ..Default::default()
    };
    let act = caller.act();
    let found = key_groups::list(&act, &filter, paging::limit(asked.limit)?).await?;
    Ok(paging::page(&req, wire::groups(&act, &found.groups).await?, found.next))
}

/// `POST /api/v1/key-groups`: a `token` group with its first key, or a client without a secret yet.
pub async fn create(
    caller: Token<KeysWrite>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (mut new, submission): (NewKeyGroup, _) = request::creating(&caller, &req, payload).await?;
    let act = caller.act();
    let held = Held::from(new.access.take().unwrap_or_default());
    if !held.is_empty() {
        caller.demand(ApiScope::AccessWrite).await?;
    }
    let (kind, first, described) = (new.kind, new.instance.take(), new.description());
    let of_access = |error| {
        nested(
            error,
            &[
                ("roles", "access/workspace_roles"),
                ("policy", "access/policy"),
                ("user_groups", "access/user_groups"),
            ],
        )
    };
    if kind == Kind::ClientCredentials {
        if first.is_some() {
            let told =
                "A client gets its secrets afterwards: POST /api/v1/key-groups/{id}/instances.";
            return Err(Cause::Unreadable("/instance".to_owned(), told.to_owned()).into());
        }
        let made = key_groups::create_client(&act, (&described, &held), submission).await;
        return match made.map_err(of_access) {
            Err(Error::AlreadyDone { location }) => {
                // There is no secret in it: the same answer once more.
                Ok(made_group(&act, &key_groups::find(&act, last_id(&location)).await?).await?)
            }
            made => Ok(made_group(&act, &made?).await?),
        };
    }
    if let Some(location) = submission.result(act.app).await? {
        return Ok(instances::made_before(&location));
    }
    let first = first.unwrap_or_default().read(&act).map_err(|it| below(&OF_FIRST, it))?;
    let made = key_groups::create(&act, (&described, &held), first, submission).await;
    let of_first = |error| of_access(nested(error, &OF_FIRST));
    let issued = match made.map_err(of_first) {
        Err(Error::AlreadyDone { location }) => return Ok(instances::made_before(&location)),
        made => made?,
    };
    let group = key_groups::find(&act, issued.instance.key_group_id).await?;
    let mut bodies = wire::groups(&act, std::slice::from_ref(&group)).await?;
    instances::made(&act, &issued, bodies.pop()).await
}

async fn made_group(act: &Act<'_>, it: &KeyGroup) -> Result<HttpResponse> {
    let mut bodies = wire::groups(act, std::slice::from_ref(it)).await?;
    let key_group = bodies.pop().ok_or(Error::NotFound)?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/api/v1/key-groups/{}", it.id)))
        .insert_header((ETAG, etag::of_group(it)))
        .json(MadeGroup { key_group, instance: None, secret: None }))
}

/// The id at the end of a path of ours.
fn last_id(location: &str) -> Uuid {
    wire::id(location.rsplit('/').next().unwrap_or_default())
}

/// Names the fields of a verb's complaint as they stand in the body.
fn nested(error: Error, names: &[(&str, &'static str)]) -> Error {
    let Error::Invalid(mut fields) = error else { return error };
    for it in &mut fields {
        if let Some((_, name)) = names.iter().find(|(field, _)| *field == it.field) {
            it.field = name;
        }
    }
    Error::Invalid(fields)
}

/// The fields of a key to be made, where they stand in the bodies that make a group or rotate a key.
const OF_FIRST: [(&str, &str); 4] = [
    ("from", "instance/from"),
    ("until", "instance/until"),
    ("note", "instance/note"),
    ("key", "instance/key"),
];
const OF_NEW: [(&str, &str); 4] =
    [("from", "new/from"), ("until", "new/until"), ("note", "new/note"), ("key", "new/key")];

fn below(names: &[(&str, &'static str)], cause: Cause) -> Cause {
    match cause {
        Cause::Other(error) => nested(error, names).into(),
        other => other,
    }
}

async fn shown(act: &Act<'_>, it: &KeyGroup) -> Result<HttpResponse> {
    let mut bodies = wire::groups(act, std::slice::from_ref(it)).await?;
    Ok(HttpResponse::Ok().insert_header((ETAG, etag::of_group(it))).json(bodies.pop()))
}

/// `GET /api/v1/key-groups/{id}`
pub async fn show(caller: Token<KeysRead>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let act = caller.act();
    let group = key_groups::find(&act, wire::id(&id)).await?;
    Ok(shown(&act, &group).await?)
}

/// `PATCH /api/v1/key-groups/{id}`: name, description, contact.
pub async fn change(
    caller: Token<KeysWrite>,
    id: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let change: GroupChange = fault::json(&req, payload).await?;
    let act = caller.act();
    let now = key_groups::find(&act, wire::id(&id)).await?;
    let seen = etag::matches(&req, &etag::of_group(&now))?.then_some(now.version);
    let wanted = change.applied_to(&now);
    key_groups::edit(&act, now.id, &wanted, seen).await.map_err(etag::changed(&req))?;
    Ok(shown(&act, &key_groups::find(&act, now.id).await?).await?)
}

/// `DELETE /api/v1/key-groups/{id}`: with all its keys, which are refused at once.
pub async fn delete(
    caller: Token<KeysWrite>,
    id: Path<String>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let act = caller.act();
    let now = key_groups::find(&act, wire::id(&id)).await?;
    etag::matches(&req, &etag::of_group(&now))?;
    key_groups::delete(&act, now.id, now.version).await.map_err(etag::changed(&req))?;
    Ok(HttpResponse::NoContent().finish())
}

async fn held_now(act: &Act<'_>, it: &KeyGroup) -> Result<HttpResponse> {
    let (all, held) = (Catalogue::load(act).await?, access::of_group(act, it.id).await?);
    let body = AccessBody::of(&all, &held);
    Ok(HttpResponse::Ok().insert_header((ETAG, etag::of_access(it))).json(body))
}

/// `GET /api/v1/key-groups/{id}/access`: what it holds.
pub async fn access(caller: Token<AccessRead>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let act = caller.act();
    let group = key_groups::find(&act, wire::id(&id)).await?;
    Ok(held_now(&act, &group).await?)
}

/// `PUT /api/v1/key-groups/{id}/access`: all of it, effective at the next verification.
pub async fn set_access(
    caller: Token<AccessWrite>,
    id: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let wanted: WantedAccess = fault::json(&req, payload).await?;
    let act = caller.act();
    let now = key_groups::find(&act, wire::id(&id)).await?;
    etag::matches(&req, &etag::of_access(&now))?;
    let set = access::set(&act, now.id, now.access_version, &wanted.into()).await;
    let set = set.map_err(|it| nested(it, &[("roles", "workspace_roles")]));
    set.map_err(etag::changed(&req))?;
    Ok(held_now(&act, &key_groups::find(&act, now.id).await?).await?)
}

/// `GET /api/v1/key-groups/{id}/instances`: the newest first.
pub async fn instances(
    caller: Token<KeysRead>,
    id: Path<String>,
    req: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let act = caller.act();
    let group = key_groups::find(&act, wire::id(&id)).await?;
    instances::listed(&act, &req, Some(group.id)).await
}

/// `POST /api/v1/key-groups/{id}/instances`: a further key, whose secret is in this answer only.
pub async fn create_instance(
    caller: Token<KeysWrite>,
    id: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (new, submission): (NewInstance, _) = request::creating(&caller, &req, payload).await?;
    let act = caller.act();
    if let Some(location) = submission.result(act.app).await? {
        return Ok(instances::made_before(&location));
    }
    let new = new.read(&act)?;
    let made = key_instances::create(&act, wire::id(&id), new, submission).await;
    match made {
        Err(Error::AlreadyDone { location }) => Ok(instances::made_before(&location)),
        made => instances::made(&act, &made?, None).await,
    }
}

/// `POST /api/v1/key-groups/{id}/rotation`: a new key, and an end for the one that gives way.
pub async fn rotate(
    caller: Token<KeysWrite>,
    id: Path<String>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let (it, submission): (Rotation, _) = request::creating(&caller, &req, payload).await?;
    let (act, group, overlap) = (caller.act(), wire::id(&id), it.overlap()?);
    if let Some(location) = submission.result(act.app).await? {
        return Ok(instances::made_before(&location));
    }
    let old = match it.instance {
        Some(id) => id,
        None => {
            let ahead = key_instances::ahead(&act, key_groups::find(&act, group).await?.id);
            let active = |it: &KeyInstance| it.facts().accept(act.now).is_ok();
            let newest = ahead.await?.into_iter().filter(active).max_by_key(|it| it.label);
            newest.ok_or(Refusal::NothingToRotate)?.id
        }
    };
    let new = it.new.read(&act).map_err(|it| below(&OF_NEW, it))?;
    let made = key_instances::rotate(&act, (group, old), new, overlap, submission).await;
    match made.map_err(|it| nested(it, &OF_NEW)) {
        Err(Error::AlreadyDone { location }) => Ok(instances::made_before(&location)),
        made => instances::made(&act, &made?, None).await,
    }
}
