//! What stands in bodies about access.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    openapi::texts::{self, Description, Name, NewSlug, PermissionName},
    wire::Reference,
};
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

/// A policy to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    #[schema(value_type = Name)]
    name: String,
    #[serde(default)]
    #[schema(value_type = Description)]
    description: String,
    #[serde(default)]
    #[schema(value_type = Vec<PermissionName>)]
    permissions: Vec<String>,
}

impl NewPolicy {
    pub fn wanted(self) -> Result<policies::Wanted, Cause> {
        let permissions = set(&self.permissions)?;
        Ok(policies::Wanted { name: self.name, description: self.description, permissions })
    }
}

/// What shall change of a policy: what is null or not there stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyChange {
    #[schema(value_type = Option<Name>)]
    name: Option<String>,
    #[schema(value_type = Option<Description>)]
    description: Option<String>,
    #[schema(value_type = Option<Vec<PermissionName>>)]
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

/// A named set of permissions.
#[derive(Serialize, ToSchema)]
#[schema(as = Policy)]
pub struct PolicyBody {
    id: Uuid,
    name: String,
    description: String,
    permissions: Vec<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
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

/// A key group that would be deleted, with the number of its keys.
#[derive(Serialize, ToSchema)]
#[schema(as = DoomedKeyGroup)]
struct DoomedGroup {
    id: Uuid,
    name: String,
    keys: i32,
}

/// What dies with a policy.
#[derive(Serialize, ToSchema)]
#[schema(as = DeletionPreview)]
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

/// A user group to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserGroup {
    #[schema(value_type = Name)]
    name: String,
    #[serde(default)]
    #[schema(value_type = Description)]
    description: String,
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>)]
    policies: BTreeSet<Uuid>,
    /// The ids of members of the subscription.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>)]
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

/// What shall change of a user group: what is null or not there stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserGroupChange {
    #[schema(value_type = Option<Name>)]
    name: Option<String>,
    #[schema(value_type = Option<Description>)]
    description: Option<String>,
    #[schema(value_type = Option<Vec<Uuid>>)]
    policies: Option<BTreeSet<Uuid>>,
    #[schema(value_type = Option<Vec<Uuid>>)]
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

/// Policies that key groups and members hold together.
#[derive(Serialize, ToSchema)]
#[schema(as = UserGroup)]
pub struct UserGroupBody {
    id: Uuid,
    name: String,
    description: String,
    policies: Vec<Reference>,
    members: Vec<Reference>,
    #[schema(format = DateTime)]
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

/// A workspace to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkspace {
    #[schema(value_type = Name)]
    name: String,
    /// Made from the name, if it is empty or not there. It never changes.
    #[serde(default)]
    #[schema(value_type = NewSlug)]
    slug: String,
    #[serde(default)]
    #[schema(value_type = Description)]
    description: String,
}

impl From<NewWorkspace> for workspaces::Wanted {
    fn from(it: NewWorkspace) -> Self {
        Self { name: it.name, slug: it.slug, description: it.description }
    }
}

/// What shall change of a workspace: what is null or not there stays. Its short name never changes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceChange {
    #[schema(value_type = Option<Name>)]
    name: Option<String>,
    #[schema(value_type = Option<Description>)]
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

/// A part of the subscription in which roles count.
#[derive(Serialize, ToSchema)]
#[schema(as = Workspace)]
pub struct WorkspaceBody {
    id: Uuid,
    name: String,
    /// How `workspace=` of a verification names it.
    slug: String,
    description: String,
    #[schema(format = DateTime)]
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

/// A policy that counts in one workspace, or everywhere.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWorkspaceRole)]
pub struct NewRole {
    pub policy: Uuid,
    /// null or not there: the whole subscription.
    pub workspace: Option<Uuid>,
}

/// A policy that counts in one workspace (null: everywhere).
#[derive(Serialize, ToSchema)]
#[schema(as = WorkspaceRole)]
pub struct RoleBody {
    id: Uuid,
    name: String,
    #[schema(required)]
    policy: Option<Reference>,
    #[schema(required)]
    workspace: Option<Reference>,
    #[schema(format = DateTime)]
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

/// All permissions that a service knows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeclaredPermissions)]
pub struct Declared {
    /// Actions with their descriptions.
    #[schema(schema_with = texts::actions)]
    pub permissions: BTreeMap<String, String>,
}

/// A permission that a service has declared.
#[derive(Serialize, ToSchema)]
#[schema(as = Permission)]
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
#[derive(Serialize, ToSchema)]
#[schema(as = DeclarationResult)]
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
