//! Roles and workspace roles: what a client can be given.
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::{
    auth::SpaceAdmin,
    query::Condition,
    voice::Fault,
    wire::{self, Asked},
};
use crate::{
    access::Catalogue,
    clock::instant,
    http::fault::Cause,
    policies::Policy,
    workspaces::{Role, Workspace},
};

/// Lists of these are never longer.
const NO_LIMIT: u64 = u64::MAX;

const ROLE_FIELDS: [&str; 8] = [
    "logical_name",
    "based_on_system",
    "last_modified",
    "workspace_id",
    "is_system",
    "name",
    "version_stamp",
    "creation_time",
];

/// `GET /api/shared_spaces/{space}/roles`
pub async fn roles(admin: SpaceAdmin, req: HttpRequest) -> Result<HttpResponse, Fault> {
    let asked = Asked::read(&req, &ROLE_FIELDS)?;
    let all = Catalogue::load(&admin.act()).await?;
    let space = admin.subscription().number;
    let of = |it: &Policy| {
        json!({
            "logical_name": wire::logical_name(&it.name),
            "based_on_system": null,
            "last_modified": wire::time(instant(it.changed_at)),
            "workspace_id": space,
            "is_system": false,
            "name": it.name,
            "version_stamp": it.version,
            "creation_time": wire::time(instant(it.created_at)),
        })
    };
    let mut found = Vec::new();
    for it in &all.policies {
        if matches(&asked.conditions, |path| role_value(it, path))? {
            found.push(shown("role", it.number, of(it), &asked, true));
        }
    }
    Ok(page(found, &asked))
}

const WORKSPACE_ROLE_FIELDS: [&str; 2] = ["role", "workspace"];

/// `GET /api/shared_spaces/{space}/workspace_roles`
pub async fn workspace_roles(admin: SpaceAdmin, req: HttpRequest) -> Result<HttpResponse, Fault> {
    let asked = Asked::read(&req, &WORKSPACE_ROLE_FIELDS)?;
    let all = Catalogue::load(&admin.act()).await?;
    let mut found = Vec::new();
    for it in &all.roles {
        let Some(role) = all.policy(it.policy_id) else { continue };
        let workspace = it.workspace_id.and_then(|id| all.workspace(id));
        if matches(&asked.conditions, |path| workspace_role_value(it, role, workspace, path))? {
            let fields = json!({ "role": of_role(role), "workspace": workspace.map(of_workspace) });
            found.push(shown("workspace_role", it.number, fields, &asked, true));
        }
    }
    Ok(page(found, &asked))
}

/// As another thing refers to it.
pub fn reference(it: &Role) -> Value {
    json!({ "type": "workspace_role", "id": it.number.to_string() })
}

fn of_role(it: &Policy) -> Value {
    json!({
        "type": "role",
        "id": it.number.to_string(),
        "logical_name": wire::logical_name(&it.name),
        "name": it.name,
    })
}

fn of_workspace(it: &Workspace) -> Value {
    json!({ "type": "workspace", "id": it.number.to_string(), "name": it.name })
}

/// Whether all conditions hold. `value` gives what stands at a path: `None` where nothing does,
/// which no condition fits.
pub fn matches(
    conditions: &[Condition],
    value: impl Fn(&[&str]) -> Result<Option<String>, Cause>,
) -> Result<bool, Cause> {
    let mut all = true;
    // Also those behind one that fails: an unknown field is told whatever stands in the list.
    for it in conditions {
        let path: Vec<&str> = it.path.iter().map(String::as_str).collect();
        all &= value(&path)?.is_some_and(|is| is == it.value);
    }
    Ok(all)
}

/// What a query cannot ask for.
pub fn unknown_field(known: &str) -> Cause {
    Cause::malformed("invalid_query", format!("The query knows {known}."))
}

fn role_value(it: &Policy, path: &[&str]) -> Result<Option<String>, Cause> {
    match path {
        ["id"] => Ok(Some(it.number.to_string())),
        ["name"] => Ok(Some(it.name.clone())),
        ["logical_name"] => Ok(Some(wire::logical_name(&it.name))),
        _ => Err(unknown_field("id, name and logical_name")),
    }
}

fn workspace_role_value(
    it: &Role,
    role: &Policy,
    workspace: Option<&Workspace>,
    path: &[&str],
) -> Result<Option<String>, Cause> {
    match path {
        ["id"] => Ok(Some(it.number.to_string())),
        ["role", rest @ ..] => role_value(role, rest),
        ["workspace", "id"] => Ok(workspace.map(|it| it.number.to_string())),
        ["workspace", "name"] => Ok(workspace.map(|it| it.name.clone())),
        _ => Err(unknown_field("id, role and workspace, with braces: workspace={id=1002}")),
    }
}

/// Type and id, and of `fields` those that were asked for.
pub fn shown(kind: &str, number: i32, fields: Value, asked: &Asked, by_itself: bool) -> Value {
    let mut it = json!({ "type": kind, "id": number.to_string() });
    if let Value::Object(fields) = fields {
        for (name, value) in fields {
            if asked.wants(&name, by_itself) {
                it[name] = value;
            }
        }
    }
    it
}

fn page(found: Vec<Value>, asked: &Asked) -> HttpResponse {
    let total = found.len() as u64;
    let skip = usize::try_from(asked.offset).unwrap_or(usize::MAX);
    let take = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let data = found.into_iter().skip(skip).take(take).collect();
    wire::list(data, total, NO_LIMIT)
}
