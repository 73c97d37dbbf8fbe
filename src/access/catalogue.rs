//! All policies, user groups, workspaces and roles of a subscription: what a choice is made from,
//! and a world in which an edit can be tried before it is made.
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::Held;
use crate::{
    db::Tx,
    domain::{
        Access, Permissions,
        access::{Holding, Place, Source},
    },
    error::Result,
    policies::{self, Policy},
    subscriptions::{Act, Scope},
    user_groups::{self, UserGroup},
    workspaces::{self, Role, Workspace},
};

const EVERYWHERE: &str = "the whole subscription";

/// A role as people call it: its policy, and where that counts.
pub(super) fn role_name(policy: &str, workspace: Option<&str>) -> String {
    format!("{policy} in {}", workspace.unwrap_or(EVERYWHERE))
}

/// There are few of each (their modules have the limits), so one page can hold them all.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    pub policies: Vec<Policy>,
    /// With the ids of their policies.
    pub user_groups: Vec<(UserGroup, Vec<Uuid>)>,
    pub workspaces: Vec<Workspace>,
    pub roles: Vec<Role>,
}

impl Catalogue {
    pub async fn load(act: &Act<'_>) -> Result<Self> {
        Self::read(act.app.db.read(), act.scope).await
    }

    /// As of a transaction.
    pub(crate) async fn load_in(act: &Act<'_>, tx: &Tx) -> Result<Self> {
        Self::read(tx, act.scope).await
    }

    async fn read(db: &impl ConnectionTrait, scope: &Scope) -> Result<Self> {
        Ok(Self {
            policies: policies::all_in(db, scope).await?,
            user_groups: user_groups::all(db, scope).await?,
            workspaces: workspaces::all(db, scope).await?,
            roles: workspaces::roles(db, scope).await?,
        })
    }

    pub fn policy(&self, id: Uuid) -> Option<&Policy> {
        self.policies.iter().find(|it| it.id == id)
    }

    pub fn user_group(&self, id: Uuid) -> Option<&(UserGroup, Vec<Uuid>)> {
        self.user_groups.iter().find(|it| it.0.id == id)
    }

    pub fn role(&self, id: Uuid) -> Option<&Role> {
        self.roles.iter().find(|it| it.id == id)
    }

    pub fn workspace(&self, id: Uuid) -> Option<&Workspace> {
        self.workspaces.iter().find(|it| it.id == id)
    }

    /// What a group that holds `held` may do.
    pub fn access(&self, held: &Held) -> Access {
        held.sources().flat_map(|it| self.holdings(it)).collect()
    }

    /// The policies that are held through `source`.
    fn holdings(&self, source: Source) -> Vec<Holding> {
        let (policies, workspace) = match source {
            Source::Policy(id) => (vec![id], None),
            Source::UserGroup(id) => {
                (self.user_group(id).map(|it| it.1.clone()).unwrap_or_default(), None)
            }
            Source::Role(id) => match self.role(id) {
                Some(role) => (vec![role.policy_id], role.workspace_id),
                None => return Vec::new(),
            },
        };
        let policies = policies.into_iter().filter_map(|id| self.policy(id));
        let holding =
            |it: &Policy| Holding { source, policy: it.id, workspace, permissions: it.set() };
        policies.map(holding).collect()
    }

    /// The permissions of a user group: of all its policies.
    pub fn of_user_group(&self, policies: &[Uuid]) -> Permissions {
        let sets: Vec<_> = policies.iter().filter_map(|id| Some(self.policy(*id)?.set())).collect();
        Permissions::union(&sets)
    }

    /// Everything through which a key group can hold this policy.
    pub fn ways_to(&self, policy: Uuid) -> Vec<Source> {
        let user_groups = self.user_groups.iter().filter(|it| it.1.contains(&policy));
        let roles = self.roles.iter().filter(|it| it.policy_id == policy);
        std::iter::once(Source::Policy(policy))
            .chain(user_groups.map(|it| Source::UserGroup(it.0.id)))
            .chain(roles.map(|it| Source::Role(it.id)))
            .collect()
    }

    /// As people call it: a role by its policy and where it is held.
    pub fn name(&self, source: Source) -> String {
        let gone = || "something deleted".to_owned();
        match source {
            Source::Policy(id) => self.policy(id).map_or_else(gone, |it| it.name.clone()),
            Source::UserGroup(id) => self.user_group(id).map_or_else(gone, |it| it.0.name.clone()),
            Source::Role(id) => self.role(id).map_or_else(gone, |it| {
                let policy = self.policy(it.policy_id).map_or_else(gone, |it| it.name.clone());
                let workspace = it.workspace_id.and_then(|id| self.workspace(id));
                role_name(&policy, workspace.map(|it| it.name.as_str()))
            }),
        }
    }

    pub fn place(&self, workspace: Option<Uuid>) -> String {
        let name = |id| self.workspace(id).map_or("a deleted workspace", |it| &it.name).to_owned();
        workspace.map_or_else(|| EVERYWHERE.to_owned(), name)
    }

    /// What `workspace=` asks for; empty: nothing.
    pub fn asked(&self, slug: &str) -> Place {
        if slug.is_empty() {
            return Place::Subscription;
        }
        let found = self.workspaces.iter().find(|it| it.slug == slug);
        found.map_or(Place::Nowhere, |it| Place::Workspace(it.id))
    }

    // --- what if

    /// With other permissions in a policy.
    pub fn with_policy(mut self, id: Uuid, permissions: &Permissions) -> Self {
        for it in self.policies.iter_mut().filter(|it| it.id == id) {
            it.permissions = permissions.as_str().to_owned();
        }
        self
    }

    /// With other policies in a user group.
    pub fn with_user_group(mut self, id: Uuid, policies: &[Uuid]) -> Self {
        for it in self.user_groups.iter_mut().filter(|it| it.0.id == id) {
            it.1 = policies.to_vec();
        }
        self
    }

    /// Without what is deleted with it: the roles of a workspace, the places of a policy.
    pub fn without(mut self, source: Source) -> Self {
        match source {
            Source::Policy(id) => {
                self.policies.retain(|it| it.id != id);
                self.roles.retain(|it| it.policy_id != id);
            }
            Source::UserGroup(id) => self.user_groups.retain(|it| it.0.id != id),
            Source::Role(id) => self.roles.retain(|it| it.id != id),
        }
        self
    }
}
