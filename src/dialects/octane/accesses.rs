//! API accesses: clients with one secret, which their holder has chosen.
use std::collections::BTreeSet;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Path, Payload},
};
use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    auth::SpaceAdmin,
    query::Condition,
    roles,
    voice::Fault,
    wire::{self, Asked, Change, Data, NewAccess, Reference},
};
use crate::{
    access::{self, Catalogue, Held},
    api::request,
    clock::instant,
    domain::{ActivePeriod, Refusal, SecretText, access::integration_type},
    error::{Error, Result},
    http::fault::{self, Cause},
    key_groups::{self, ClientFilter, Description, KeyGroup, MOST_COUNTED, NewClient},
    key_instances::{self, KeyInstance, NewKey, Source},
    subscriptions::Act,
};

/// Accesses of one request.
const MOST: usize = 100;

const FIELDS: [&str; 7] = [
    "client_id",
    "creation_time",
    "expiration",
    "integration_type",
    "is_valid",
    "name",
    "workspace_roles",
];

/// `POST /api/shared_spaces/{space}/api_accesses`: all of them or none.
pub async fn create(
    admin: SpaceAdmin,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let asked = Asked::read(&req, &FIELDS)?;
    let body = fault::json_bytes(&req, payload).await?;
    let new: Data<NewAccess> = fault::parse(&body)?;
    if new.data.is_empty() || new.data.len() > MOST {
        return Err(Cause::field("data", format!("Send 1 to {MOST} accesses.")).into());
    }
    let act = admin.act();
    let submission = request::submission(act.app, act.scope.id(), &req, &body)?;
    let made = match submission.result(act.app).await? {
        Some(location) => Err(Error::AlreadyDone { location }),
        None => {
            let all = Catalogue::load(&act).await?;
            let clients = new.data.into_iter().map(|it| client(&act, &all, it));
            let clients = clients.collect::<Result<_, _>>()?;
            key_groups::create_clients(&act, clients, submission).await
        }
    };
    let made = match made {
        Err(Error::AlreadyDone { location }) => {
            key_groups::clients_made_before(&act, &location).await?
        }
        made => made?,
    };
    let total = made.len() as u64;
    let data = describe(&act, &made, &asked).await?;
    Ok(HttpResponse::Created().json(wire::listed(data, total, MOST_COUNTED)))
}

fn client(act: &Act<'_>, all: &Catalogue, it: NewAccess) -> Result<NewClient, Fault> {
    let roles = match &it.workspace_roles {
        Some(roles) => role_ids(all, &roles.data)?,
        None => BTreeSet::new(),
    };
    let first = secret(act, it.client_secret, it.expiration)?;
    Ok(NewClient {
        described: Description { name: it.name, ..Default::default() },
        held: Held { roles, ..Default::default() },
        first,
    })
}

/// A secret that starts now.
fn secret(act: &Act<'_>, text: String, expiration: Option<DateTime<Utc>>) -> Result<NewKey, Fault> {
    let period = ActivePeriod::new(act.now, expiration.map(|it| it.trunc_subsecs(3)));
    let period = period.map_err(|_| Error::refused_at("expiration", Refusal::EndInThePast))?;
    Ok(NewKey { source: Source::Own(SecretText::from_text(text)), period, note: String::new() })
}

fn role_ids(all: &Catalogue, roles: &[Reference]) -> Result<BTreeSet<Uuid>, Cause> {
    let id = |it: &Reference| {
        let number = wire::number(&it.id);
        let is_role = it.kind.as_deref().is_none_or(|it| it == "workspace_role");
        let role = all.roles.iter().find(|role| is_role && role.number == number);
        role.map(|it| it.id).ok_or_else(|| {
            let text = match number {
                0 => "The id of a workspace_role is a number, as text.".to_owned(),
                _ => format!("There is no workspace_role {number}."),
            };
            Cause::field("workspace_roles", text)
        })
    };
    roles.iter().map(id).collect()
}

/// `GET /api/shared_spaces/{space}/api_accesses`
pub async fn list(admin: SpaceAdmin, req: HttpRequest) -> Result<HttpResponse, Fault> {
    let asked = Asked::read(&req, &FIELDS)?;
    let mut filter =
        ClientFilter { offset: asked.offset, limit: asked.limit, ..Default::default() };
    asked.conditions.iter().try_for_each(|it| narrow(&mut filter, it))?;
    let act = admin.act();
    let (found, total) = key_groups::list_clients(&act, &filter).await?;
    let data = describe(&act, &found, &asked).await?;
    Ok(wire::list(data, total, MOST_COUNTED))
}

fn narrow(filter: &mut ClientFilter, it: &Condition) -> Result<(), Fault> {
    let path: Vec<&str> = it.path.iter().map(String::as_str).collect();
    let value = it.value.clone();
    let is_another = match path.as_slice() {
        ["id"] => {
            filter.number.replace(wire::number(&value)).is_some_and(|it| value != it.to_string())
        }
        ["name"] => filter.name.replace(value.clone()).is_some_and(|it| it != value),
        ["client_id"] => filter.client_id.replace(value.clone()).is_some_and(|it| it != value),
        _ => return Err(roles::unknown_field("id, name and client_id").into()),
    };
    if is_another {
        // Nothing is called two things; and nothing has this number.
        filter.number = Some(0);
    }
    Ok(())
}

/// `GET /api/shared_spaces/{space}/api_accesses/{access}`
pub async fn show(
    admin: SpaceAdmin,
    path: Path<(String, String)>,
    req: HttpRequest,
) -> Result<HttpResponse, Fault> {
    let asked = Asked::read(&req, &FIELDS)?;
    one(&admin.act(), wire::number(&path.1), &asked).await
}

/// `PUT /api/shared_spaces/{space}/api_accesses/{access}`
pub async fn change(
    admin: SpaceAdmin,
    path: Path<(String, String)>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let asked = Asked::read(&req, &FIELDS)?;
    let wanted: Change = fault::json(&req, payload).await?;
    let act = admin.act();
    let client = key_groups::client(&act, wire::number(&path.1)).await?;
    apply(&act, &client, wanted).await?;
    one(&act, client.number, &asked).await
}

/// One kind of change a request: each is one transaction.
async fn apply(act: &Act<'_>, client: &KeyGroup, wanted: Change) -> Result<(), Fault> {
    let Change { is_valid, client_secret, expiration, name, workspace_roles } = wanted;
    let of_secret = is_valid.is_some() || client_secret.is_some() || expiration.is_some();
    match (of_secret, name, workspace_roles) {
        (true, None, None) => {}
        (false, Some(name), None) => {
            let now = Description::of(client);
            key_groups::edit(act, client.id, &Description { name, ..now }, None).await?;
            return Ok(());
        }
        (false, None, Some(wanted)) => {
            let roles = role_ids(&Catalogue::load(act).await?, &wanted.data)?;
            let held = Held { roles, ..access::of_group(act, client.id).await? };
            access::set(act, client.id, client.access_version, &held).await?;
            return Ok(());
        }
        (false, None, None) => return Ok(()),
        _ => {
            let text = "Change the secret, the name or the roles: one of them in a request.";
            return Err(Cause::field("name", text).into());
        }
    }
    match (is_valid, client_secret, expiration) {
        (Some(false), None, None) => Ok(key_instances::revoke_all(act, client.id).await?),
        (Some(false), ..) => {
            Err(Cause::field("is_valid", "false stands alone: it revokes.").into())
        }
        (_, Some(text), until) => {
            let (new, keeps) = (secret(act, text, until.flatten())?, until.is_none());
            Ok(key_instances::regenerate(act, client.id, new, keeps).await?)
        }
        (_, None, Some(until)) => {
            let until = until.map(|it| it.trunc_subsecs(3));
            Ok(key_instances::set_expiry(act, client.id, until).await?)
        }
        (_, None, None) if is_valid_now(client) => Ok(()),
        (_, None, None) => Err(Error::Refused(Refusal::SecretStaysRevoked).into()),
    }
}

fn is_valid_now(it: &KeyGroup) -> bool {
    it.active_count + it.future_count > 0
}

async fn one(act: &Act<'_>, number: i32, asked: &Asked) -> Result<HttpResponse, Fault> {
    let found = key_groups::client(act, number).await?;
    let mut data = describe(act, std::slice::from_ref(&found), asked).await?;
    Ok(HttpResponse::Ok().json(data.pop().unwrap_or_default()))
}

/// Type, id and `is_valid` always, the rest as asked for; without asking, name and `client_id`.
async fn describe(act: &Act<'_>, clients: &[KeyGroup], asked: &Asked) -> Result<Vec<Value>> {
    let wants = |field: &str| asked.wants(field, false);
    let (mut secrets, mut all, mut held) = Default::default();
    if wants("expiration") {
        secrets = key_instances::of_groups(act, clients, act.now).await?;
    }
    if wants("integration_type") || wants("workspace_roles") {
        let ids: Vec<Uuid> = clients.iter().map(|it| it.id).collect();
        (all, held) = (Catalogue::load(act).await?, access::of_groups(act, &ids).await?);
    }
    let of = |it: &KeyGroup| {
        let held: Option<&Held> = held.get(&it.id);
        let own = held.map(|it| &it.roles);
        let own = all.roles.iter().filter(|it| own.is_some_and(|own| own.contains(&it.id)));
        let own: Vec<_> = own.collect();
        let names = own.iter().filter_map(|it| Some(all.policy(it.policy_id)?.name.as_str()));
        let references: Vec<Value> = own.iter().map(|it| roles::reference(it)).collect();
        let fields = json!({
            "name": it.name,
            "client_id": it.client_id,
            "creation_time": wire::time(instant(it.created_at)),
            "expiration": expiration(it, &secrets),
            "integration_type": integration_type(names),
            "workspace_roles": { "total_count": references.len(), "data": references },
        });
        let by_itself = asked.fields.is_none();
        let mut shown = roles::shown("api_access", it.number, json!({}), asked, false);
        for field in FIELDS {
            if asked.wants(field, by_itself && matches!(field, "name" | "client_id")) {
                shown[field] = fields[field].clone();
            }
        }
        shown["is_valid"] = is_valid_now(it).into();
        shown
    };
    Ok(clients.iter().map(of).collect())
}

/// Of the secret that was made last and has not ended.
fn expiration(client: &KeyGroup, secrets: &[KeyInstance]) -> Option<String> {
    let own = secrets.iter().filter(|it| it.key_group_id == client.id && it.facts().is_live());
    let newest = own.max_by_key(|it| it.label)?;
    newest.active_until.map(|at| wire::time(instant(at)))
}
