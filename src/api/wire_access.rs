//! What stands in bodies about access.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::wire::Reference;
use crate::{
    access::Catalogue,
    clock::{instant, iso},
    domain::{Permissions, access::Source, permission},
    error::Result,
    http::fault::Cause,
    members,
    permissions::{Changes, Permission},
    policies::{self, Policy, deletion::Doomed},
    subscriptions::Act,
    user_groups::{self, UserGroup},
    workspaces::{self, Role, Workspace},
};

/// `POST /api/v1/policies`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    permissions: Vec<String>,
}

impl NewPolicy {
    pub fn wanted(self) -> Result<policies::Wanted, Cause> {
        let permissions = set(&self.permissions)?;
        Ok(policies::Wanted { name: self.name, description: self.description, permissions })
    }
}

/// `PATCH /api/v1/policies/{id}`: what is not there stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    name: Option<String>,
    description: Option<String>,
    permissions: Option<Vec<String>>,
}

impl PolicyChange {
    pub fn applied_to(self, it: &Policy) -> Result<policies::Wanted, Cause> {
        let now = policies::Wanted::of(it);
        Ok(policies::Wanted {
            name: self.name.unwrap_or(now.name),
            description: self.description.unwrap_or(now.description),
            permissions: match self.permissions {
                Some(names) => set(&names)?,
                None => now.permissions,
            },
        })
    }
}

/// Names one by one: a space would part them.
fn set(names: &[String]) -> Result<Permissions, Cause> {
    match names.iter().position(|it| !permission::is_name(it)) {
        None => Ok(names.iter().map(String::as_str).collect()),
        Some(n) => {
            let told = "A permission is called service:action.";
            Err(Cause::Unreadable(format!("/permissions/{n}"), told.to_owned()))
        }
    }
}

#[derive(Serialize)]
pub struct PolicyBody {
    id: Uuid,
    name: String,
    description: String,
    permissions: Vec<String>,
    created_at: String,
    changed_at: String,
}

impl From<&Policy> for PolicyBody {
    fn from(it: &Policy) -> Self {
        Self {
            id: it.id,
            name: it.name.clone(),
            description: it.description.clone(),
            permissions: it.set().iter().map(str::to_owned).collect(),
            created_at: iso(instant(it.created_at)),
            changed_at: iso(instant(it.changed_at)),
        }
    }
}

#[derive(Serialize)]
struct DoomedGroup {
    id: Uuid,
    name: String,
    keys: i32,
}

/// What dies with a policy.
#[derive(Serialize)]
pub struct DoomedBody {
    policy: Reference,
    key_groups: Vec<DoomedGroup>,
    keys: i64,
}

impl DoomedBody {
    pub fn of(policy: &Policy, it: &Doomed) -> Self {
        let groups = it.groups.iter().map(|it| DoomedGroup {
            id: it.id,
            name: it.name.clone(),
            keys: it.instance_count(),
        });
        Self {
            policy: Reference { id: policy.id, name: policy.name.clone() },
            key_groups: groups.collect(),
            keys: it.keys,
        }
    }
}

/// `POST /api/v1/user-groups`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUserGroup {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    policies: BTreeSet<Uuid>,
    /// Users.
    #[serde(default)]
    members: BTreeSet<Uuid>,
}

impl From<NewUserGroup> for user_groups::Wanted {
    fn from(it: NewUserGroup) -> Self {
        Self {
            name: it.name,
            description: it.description,
            policies: it.policies,
            members: it.members,
        }
    }
}

/// `PATCH /api/v1/user-groups/{id}`: what is not there stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserGroupChange {
    name: Option<String>,
    description: Option<String>,
    policies: Option<BTreeSet<Uuid>>,
    members: Option<BTreeSet<Uuid>>,
}

impl UserGroupChange {
    pub fn applied_to(self, now: user_groups::Wanted) -> user_groups::Wanted {
        user_groups::Wanted {
            name: self.name.unwrap_or(now.name),
            description: self.description.unwrap_or(now.description),
            policies: self.policies.unwrap_or(now.policies),
            members: self.members.unwrap_or(now.members),
        }
    }
}

#[derive(Serialize)]
pub struct UserGroupBody {
    id: Uuid,
    name: String,
    description: String,
    policies: Vec<Reference>,
    members: Vec<Reference>,
    created_at: String,
}

/// What user groups consist of, by name.
pub struct Named {
    all: Catalogue,
    people: HashMap<Uuid, String>,
}

impl Named {
    pub async fn load(act: &Act<'_>) -> Result<Self> {
        let people = members::people(act).await?.into_iter();
        let people = people.map(|(id, name, _)| (id, name)).collect();
        Ok(Self { all: Catalogue::load(act).await?, people })
    }

    /// All user groups, each with its policies.
    pub fn take_user_groups(&mut self) -> Vec<(UserGroup, Vec<Uuid>)> {
        std::mem::take(&mut self.all.user_groups)
    }

    pub fn body<'a>(
        &self,
        it: &UserGroup,
        policies: impl IntoIterator<Item = &'a Uuid>,
        members: impl IntoIterator<Item = &'a Uuid>,
    ) -> UserGroupBody {
        let policy =
            |id: &Uuid| Some(Reference { id: *id, name: self.all.policy(*id)?.name.clone() });
        let person = |id: &Uuid| Some(Reference { id: *id, name: self.people.get(id)?.clone() });
        UserGroupBody {
            id: it.id,
            name: it.name.clone(),
            description: it.description.clone(),
            policies: policies.into_iter().filter_map(policy).collect(),
            members: members.into_iter().filter_map(person).collect(),
            created_at: iso(instant(it.created_at)),
        }
    }
}

/// `POST /api/v1/workspaces`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWorkspace {
    name: String,
    /// Made from the name, if it is not there. It never changes.
    #[serde(default)]
    slug: String,
    #[serde(default)]
    description: String,
}

impl From<NewWorkspace> for workspaces::Wanted {
    fn from(it: NewWorkspace) -> Self {
        Self { name: it.name, slug: it.slug, description: it.description }
    }
}

/// `PATCH /api/v1/workspaces/{id}`: what is not there stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceChange {
    name: Option<String>,
    description: Option<String>,
}

impl WorkspaceChange {
    pub fn applied_to(self, it: &Workspace) -> workspaces::Wanted {
        workspaces::Wanted {
            name: self.name.unwrap_or_else(|| it.name.clone()),
            slug: it.slug.clone(),
            description: self.description.unwrap_or_else(|| it.description.clone()),
        }
    }
}

#[derive(Serialize)]
pub struct WorkspaceBody {
    id: Uuid,
    name: String,
    /// How `workspace=` of a verification names it.
    slug: String,
    description: String,
    created_at: String,
}

impl From<&Workspace> for WorkspaceBody {
    fn from(it: &Workspace) -> Self {
        Self {
            id: it.id,
            name: it.name.clone(),
            slug: it.slug.clone(),
            description: it.description.clone(),
            created_at: iso(instant(it.created_at)),
        }
    }
}

/// `POST /api/v1/workspace-roles`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    pub policy: Uuid,
    /// null: the whole subscription.
    pub workspace: Option<Uuid>,
}

#[derive(Serialize)]
pub struct RoleBody {
    id: Uuid,
    name: String,
    policy: Option<Reference>,
    workspace: Option<Reference>,
    created_at: String,
}

impl RoleBody {
    pub fn of(all: &Catalogue, it: &Role) -> Self {
        let policy = all.policy(it.policy_id);
        let workspace = it.workspace_id.and_then(|id| all.workspace(id));
        Self {
            id: it.id,
            name: all.name(Source::Role(it.id)),
            policy: policy.map(|it| Reference { id: it.id, name: it.name.clone() }),
            workspace: workspace.map(|it| Reference { id: it.id, name: it.name.clone() }),
            created_at: iso(instant(it.created_at)),
        }
    }
}

/// `PUT /api/v1/services/{service}/permissions`: all that the service knows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// Actions with their descriptions.
    pub permissions: BTreeMap<String, String>,
}

#[derive(Serialize)]
pub struct PermissionBody {
    name: String,
    service: String,
    description: String,
    /// `false`: its service has dropped it, and a policy still holds it.
    declared: bool,
}

impl From<&Permission> for PermissionBody {
    fn from(it: &Permission) -> Self {
        Self {
            name: it.name.clone(),
            service: it.service.clone(),
            description: it.description.clone(),
            declared: it.is_declared(),
        }
    }
}

/// What a declaration has changed: numbers of permissions.
#[derive(Serialize)]
pub struct ChangesBody {
    added: usize,
    described: usize,
    withdrawn: usize,
}

impl From<Changes> for ChangesBody {
    fn from(it: Changes) -> Self {
        Self { added: it.added, described: it.described, withdrawn: it.withdrawn }
    }
}
