//! Fixtures of access below a subscription, through the verbs that pages call.
use keyward::{
    access::{self, Held},
    calendar,
    domain::Role as MemberRole,
    key_groups::{self, Description},
    key_instances::{Issued, KeyInstance},
    members, notices,
    pepper::random_token,
    permissions::{self, Declaration},
    policies::{self, Policy},
    user_groups::{self, UserGroup},
    workspaces::{self, Role, Workspace},
};
use uuid::Uuid;

use super::{Desk, desk::generated};

impl Desk<'_> {
    /// A service declares exactly these actions.
    pub(crate) async fn declare(&self, service: &str, actions: &[&str]) {
        let actions = actions.iter().map(|it| ((*it).to_owned(), format!("May {it}"))).collect();
        let declaration = Declaration { service: service.to_owned(), actions };
        permissions::declare(&self.act(), &declaration, None).await.unwrap();
    }

    pub(crate) async fn policy(&self, name: &str, permissions: &[&str]) -> Policy {
        let wanted = wanted(name, permissions);
        policies::create(&self.act(), &wanted, &random_token()).await.unwrap()
    }

    /// Other permissions in a policy. Gives the edit.
    pub(crate) async fn edit_policy(&self, id: Uuid, permissions: &[&str]) -> Option<Uuid> {
        let it = policies::find(&self.act(), id).await.unwrap();
        let wanted = wanted(&it.name, permissions);
        policies::edit(&self.act(), id, it.version, &wanted).await.unwrap().1
    }

    /// Without people.
    pub(crate) async fn user_group(&self, name: &str, policies: &[Uuid]) -> UserGroup {
        let wanted = user_groups::Wanted {
            name: name.to_owned(),
            policies: policies.iter().copied().collect(),
            ..Default::default()
        };
        user_groups::create(&self.act(), &wanted, &random_token()).await.unwrap()
    }

    /// Another user group. Gives the edit.
    pub(crate) async fn edit_user_group(
        &self,
        id: Uuid,
        change: impl FnOnce(&mut user_groups::Wanted),
    ) -> Option<Uuid> {
        let act = self.act();
        let it = user_groups::find(&act, id).await.unwrap();
        let mut wanted = user_groups::wanted(&act, &it).await.unwrap();
        change(&mut wanted);
        user_groups::edit(&act, id, it.version, &wanted).await.unwrap().1
    }

    pub(crate) async fn workspace(&self, name: &str) -> Workspace {
        let wanted = workspaces::Wanted { name: name.to_owned(), ..Default::default() };
        workspaces::create(&self.act(), &wanted, &random_token()).await.unwrap()
    }

    pub(crate) async fn role(&self, policy: Uuid, workspace: Option<Uuid>) -> Role {
        workspaces::create_role(&self.act(), policy, workspace, &random_token()).await.unwrap()
    }

    /// Another access for a key group. Gives the edit.
    pub(crate) async fn give(&self, group: Uuid, held: &Held) -> Option<Uuid> {
        let it = key_groups::find(&self.act(), group).await.unwrap();
        access::set(&self.act(), group, it.access_version, held).await.unwrap().1
    }

    /// A group that holds this, with its first key, of 90 days.
    pub(crate) async fn group_with(&self, name: &str, held: &Held) -> Issued {
        let new = Description { name: name.to_owned(), ..Default::default() };
        let first = generated(self.days(90));
        key_groups::create(&self.act(), (&new, held), first, &random_token()).await.unwrap()
    }

    /// One of everything that a route can be about.
    pub(crate) async fn things(&self) -> Things {
        self.declare("orders", &["read", "write"]).await;
        let policy = self.policy("Read orders", &["orders:read"]).await.id;
        let user_group = self.user_group("Readers", &[policy]).await.id;
        let workspace = self.workspace("Europe").await.id;
        let role = self.role(policy, Some(workspace)).await.id;
        let held = Held { policy: Some(policy), ..Default::default() };
        let key = self.group_with("quote-engine", &held).await.instance;
        let held = Held { user_groups: [user_group].into(), ..held };
        let edit = self.give(key.key_group_id, &held).await.unwrap();
        let member = self.newcomer("somebody@acme.example", MemberRole::Member).await.id;
        let act = self.act();
        members::invite_member(&act, "open@acme.example", MemberRole::Member).await.unwrap();
        let invitation = members::open_invitations(&act).await.unwrap()[0].id;
        let owner = self.another_owner("another-owner@example.com").await.id;
        let feed = calendar::make(&act, None, None).await.unwrap().feed.id;
        // A name that never leads anywhere (RFC 6761), so that nothing is sent.
        let webhook =
            notices::add(&act, "https://hooks.invalid/keyward", &random_token()).await.unwrap().id;
        let delivery = notices::test(&act, webhook).await.unwrap().id;
        Things {
            key,
            policy,
            user_group,
            workspace,
            role,
            edit,
            member,
            invitation,
            owner,
            webhook,
            delivery,
            feed,
            automation_token: self.token(&["keys:read"]).await.0,
        }
    }
}

/// Of one subscription.
pub(crate) struct Things {
    pub(crate) key: KeyInstance,
    pub(crate) policy: Uuid,
    pub(crate) user_group: Uuid,
    pub(crate) workspace: Uuid,
    pub(crate) role: Uuid,
    /// An edit of access that can be undone.
    pub(crate) edit: Uuid,
    /// Somebody of whom nothing else is expected, and an open invitation.
    pub(crate) member: Uuid,
    pub(crate) invitation: Uuid,
    /// A second owner of the installation.
    pub(crate) owner: Uuid,
    /// A webhook, and a test that did not reach it.
    pub(crate) webhook: Uuid,
    pub(crate) delivery: Uuid,
    /// A calendar feed.
    pub(crate) feed: Uuid,
    pub(crate) automation_token: Uuid,
}

/// A policy without a description.
pub(crate) fn wanted(name: &str, permissions: &[&str]) -> policies::Wanted {
    policies::Wanted {
        name: name.to_owned(),
        description: String::new(),
        permissions: permissions.iter().copied().collect(),
    }
}

/// At most one policy, and these user groups.
pub(crate) fn held(policy: Option<Uuid>, user_groups: &[Uuid]) -> Held {
    Held { policy, user_groups: user_groups.iter().copied().collect(), ..Default::default() }
}
