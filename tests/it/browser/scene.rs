//! A subscription in which everything occurs, and the way through all its pages.
use chrono::{DateTime, TimeDelta, Utc};
use keyward::{
    access::Held,
    calendar,
    domain::{ActivePeriod, Role},
    key_groups::{self, Description},
    key_instances::{self, Issued, NewKey, Source},
    members, notices,
    pepper::random_token,
    permissions::{self, Declaration},
    subscriptions,
};
use uuid::Uuid;

use crate::support::{Desk, TestApp, path_of};

/// What people typed.
pub(super) struct Texts {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) contact: &'static str,
    /// Of a member, who is called as the rest.
    pub(super) email: &'static str,
    pub(super) note: &'static str,
    pub(super) agent: &'static str,
    pub(super) subscription: &'static str,
}

pub(super) const PLAIN: Texts = Texts {
    name: "quote-engine",
    description: "Quotes for brokers, from the rating tables",
    contact: "pricing-team@northwind.example",
    email: "noor@northwind.example",
    note: "Prague cluster, blue",
    agent: "quote-engine/4.2",
    subscription: "Northwind Re",
};

/// A page, and what to do on it before it is looked at.
pub(super) struct Stop {
    /// For a failure, and for the name of a picture.
    pub(super) name: &'static str,
    pub(super) path: String,
    /// Clicked one after the other.
    pub(super) clicks: &'static [&'static str],
}

pub(super) fn stop(name: &'static str, path: impl Into<String>) -> Stop {
    Stop { name, path: path.into(), clicks: &[] }
}

pub(super) fn then(
    name: &'static str,
    path: impl Into<String>,
    clicks: &'static [&'static str],
) -> Stop {
    Stop { name, path: path.into(), clicks }
}

pub(super) struct Scene {
    /// Of a group with keys in every status.
    pub(super) group: String,
    /// Of a key that is used, and ends soon.
    pub(super) used: String,
    /// Of one that starts later, and that nobody confirmed to have.
    pub(super) future: String,
    pub(super) deactivated: String,
    pub(super) access: Ids,
    /// Of the admin, who has made all keys, and of somebody else.
    admin: Uuid,
    member: Uuid,
    webhook: String,
}

/// Of one policy, one user group, one workspace and one role.
pub(super) struct Ids {
    policy: Uuid,
    user_group: Uuid,
    workspace: Uuid,
    role: Uuid,
}

impl Scene {
    pub(super) async fn set(app: &TestApp, texts: &Texts) -> Self {
        let desk = app.desk("acme").await;
        let start = app.clock.now();
        let day = |n: i64| start + TimeDelta::days(n);
        let main = new_group(&desk, texts, (start, 90)).await;
        let group = main.instance.key_group_id;
        let expired = new_key(&desk, texts, &main, (start, 20)).await;
        let off = new_key(&desk, texts, &main, (start, 200)).await;
        let revoked = new_key(&desk, texts, &main, (start, 100)).await;
        let ids = |it: &Issued| (group, it.instance.id);
        key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
        key_instances::revoke(&desk.act(), ids(&revoked)).await.unwrap();
        let claims = desk.group("claims-intake", desk.days(20)).await;
        let gap = desk.group("document-store", desk.days(85)).await;
        let broker = desk.group("broker-api", desk.days(82)).await;
        let endless = ActivePeriod::new(start, None).unwrap();
        let portal = desk.group("customer-portal", endless).await;
        for it in [&main, &gap, &broker] {
            let ids = (it.instance.key_group_id, it.instance.id);
            key_instances::acknowledge(&desk.act(), ids, "clipboard").await.unwrap();
        }
        for _ in 0..22 {
            desk.key(portal.instance.key_group_id, desk.days(60)).await;
        }
        let member = desk.newcomer_called(texts.name, texts.email, Role::Member).await.id;
        let access = grant(&desk, texts, group).await;

        app.clock.advance(TimeDelta::days(80));
        let future = new_key(&desk, texts, &main, (day(88), 90)).await;
        new_key(&desk, texts, &gap, (day(90), 30)).await;
        for (issued, status) in [(&main, 204), (&portal, 204), (&claims, 401), (&expired, 401)] {
            let bearer = format!("Bearer {}", issued.secret.expose());
            let headers = [("authorization", bearer.as_str()), ("user-agent", texts.agent)];
            app.service().raw(&headers).await.expect(status);
        }
        app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
        let subscription = subscriptions::by_slug(&app.db, "acme").await.unwrap();
        let (now, actor) = (app.clock.now(), app.own(&app.owner_user().await).actor);
        subscriptions::rename(app, &subscription, texts.subscription, &actor, now).await.unwrap();
        app.clock.advance(TimeDelta::minutes(3));
        let open = format!("open-{}", texts.email);
        calendar::make(&desk.act(), Some(group), None).await.unwrap();
        desk.token(&["keys:write", "access:write", "audit:read"]).await;
        members::invite_member(&desk.act(), &open, Role::Auditor).await.unwrap();
        // A name that never leads anywhere (RFC 6761).
        let webhook = notices::add(&desk.act(), "https://hooks.invalid/keyward", &random_token())
            .await
            .unwrap()
            .id;
        notices::test(&desk.act(), webhook).await.unwrap();
        notices::round(app).await.unwrap();
        let path = |it: &Issued| path_of("acme", &it.instance);
        Self {
            group: format!("/s/acme/groups/{group}"),
            used: path(&main),
            future: path(&future),
            deactivated: path(&off),
            access,
            admin: app.user("acme", Role::Admin).await.id,
            member,
            webhook: format!("/s/acme/settings/webhooks/{webhook}"),
        }
    }

    /// Pages of a signed-in admin without a dialog.
    pub(super) fn pages(&self) -> Vec<Stop> {
        let Self { group, used, future, deactivated, .. } = self;
        vec![
            stop("overview", "/s/acme"),
            stop("groups", "/s/acme/groups"),
            stop("groups-no-match", "/s/acme/groups?q=nothing-like-this"),
            then("groups-menu", "/s/acme/groups", &["td button[popovertarget]"]),
            stop("group", group),
            then("group-menu", group, &["td button[popovertarget]"]),
            stop("group-filtered", format!("{group}?status=active&used=30d&q=k")),
            stop("keys", "/s/acme/keys"),
            stop("keys-known-to", format!("/s/acme/keys?known_to={}", self.admin)),
            then("keys-selected", group, &["td.pick input"]),
            stop("keys-unused", "/s/acme/keys/unused?used=never"),
            stop("keys-none-chosen", "/s/acme/keys/bulk/extension"),
            stop("members", "/s/acme/members"),
            then("members-menu", "/s/acme/members", &["td button[popovertarget]"]),
            stop("keys-no-match", "/s/acme/keys?q=nothing-like-this"),
            stop("key", used),
            stop("key-unsaved", future),
            stop("key-off", deactivated),
            then("audit", "/s/acme/audit", &["tbody tr:nth-child(4) details summary"]),
            stop("audit-filtered", "/s/acme/audit?action=key_instance.created&since=2026-11-01"),
            stop("settings", "/s/acme/settings"),
            stop("notices", "/s/acme/notices"),
            stop("notices-settings", "/s/acme/settings/notices"),
            stop("webhook", &self.webhook),
            stop("calendar", "/s/acme/settings/calendar"),
            stop("tokens", "/s/acme/settings/tokens"),
            then("calendar-menu", "/s/acme/settings/calendar", &["td button[popovertarget]"]),
            stop("profile", "/profile"),
            stop("subscriptions", "/subscriptions"),
            stop("error-403", "/audit"),
            stop("error-404", "/s/acme/nothing"),
            stop("error-410", format!("{used}/secret")),
        ]
    }

    /// Pages and forms of what keys may do.
    pub(super) fn rights(&self) -> Vec<Stop> {
        let Self { group, used, access, .. } = self;
        let Ids { policy, user_group, workspace, role } = access;
        let [policy, user_group] =
            [format!("/s/acme/policies/{policy}"), format!("/s/acme/user-groups/{user_group}")];
        let workspace = format!("/s/acme/workspaces/{workspace}");
        const TICK: &str = "[data-preview-input]:checked";
        const SAVE: &str = "button.primary";
        vec![
            stop("policies", "/s/acme/policies"),
            stop("policy", &policy),
            then("edit-policy", format!("{policy}/edit"), &[TICK, "#preview .c-bad"]),
            then("new-policy-refused", "/s/acme/policies/new", &["[name=permissions]", SAVE]),
            stop("delete-policy", format!("{policy}/deletion")),
            then(
                "replace-policy",
                format!("{policy}/replacement"),
                &["select[name=to] option:nth-child(2)"],
            ),
            stop("user-groups", "/s/acme/user-groups"),
            stop("user-group", &user_group),
            then("edit-user-group", format!("{user_group}/edit"), &[TICK, "#preview .c-bad"]),
            stop("new-user-group", "/s/acme/user-groups/new"),
            stop("delete-user-group", format!("{user_group}/deletion")),
            stop("workspaces", "/s/acme/workspaces"),
            stop("new-workspace", "/s/acme/workspaces/new"),
            stop("edit-workspace", format!("{workspace}/edit")),
            stop("delete-workspace", format!("{workspace}/deletion")),
            stop("new-role", "/s/acme/workspace-roles/new"),
            stop("delete-role", format!("/s/acme/workspace-roles/{role}/deletion")),
            stop("permissions", "/s/acme/permissions"),
            stop("new-permissions", "/s/acme/permissions/new"),
            stop("edit-permissions", "/s/acme/permissions/pricing/edit"),
            stop("access-yes", format!("{group}/access?permission=pricing:read")),
            stop("access-no", format!("{group}/access?permission=pricing:write&workspace=gone")),
            then("edit-access", format!("{group}/access/edit"), &[TICK, "#preview .c-bad"]),
            stop("access-of-key", format!("{used}/access?permission=pricing:read")),
            stop(
                "groups-of-user-group",
                format!("/s/acme/groups?user_group={}", access.user_group),
            ),
        ]
    }

    /// Dialogs of a signed-in admin, the one with a secret apart.
    pub(super) fn dialogs(&self) -> Vec<Stop> {
        let Self { group, used, future, deactivated, .. } = self;
        const OWN: &str = "[name=make][value=own]";
        vec![
            stop("new-group", "/s/acme/groups/new"),
            stop("new-key", format!("{group}/keys/new")),
            then("new-key-own", format!("{group}/keys/new"), &[OWN]),
            then("new-key-refused", format!("{group}/keys/new"), &[OWN, "button[value=create]"]),
            stop("rotate", format!("{used}/rotation")),
            stop("period", format!("{used}/period")),
            stop("reactivation", format!("{deactivated}/reactivation")),
            stop("deactivation", format!("{used}/deactivation")),
            stop("revocation", format!("{future}/revocation")),
            stop("replacement", format!("{future}/replacement")),
            stop("edit", format!("{group}/edit")),
            then("new-token-refused", "/s/acme/settings/tokens/new", &["dialog button.primary"]),
            then("revoke-token", "/s/acme/settings/tokens", &["td a[href$='/revocation']"]),
            stop("calendar-make", "/s/acme/settings/calendar/address"),
            stop("calendar-reset", format!("{group}/calendar")),
            then(
                "calendar-removal",
                "/s/acme/settings/calendar",
                &["td button[popovertarget]", ".menu a.danger"],
            ),
            stop("invite-member", "/s/acme/invitations/new"),
            stop("change-role", format!("/s/acme/members/{}/role", self.member)),
            stop("remove-member", format!("/s/acme/members/{}/removal", self.admin)),
            stop("password", "/profile/password"),
            stop("deletion", format!("{group}/deletion")),
            then(
                "new-webhook-refused",
                "/s/acme/settings/webhooks/new",
                &["dialog button.primary"],
            ),
            stop("new-webhook-secret", format!("{}/secret", self.webhook)),
            stop("remove-webhook", format!("{}/removal", self.webhook)),
        ]
    }
}

/// Pages and dialogs of the owner, whose own subscription is empty.
pub(super) fn owners() -> Vec<Stop> {
    vec![
        stop("overview-empty", "/s/hq"),
        stop("groups-empty", "/s/hq/groups"),
        stop("keys-empty", "/s/hq/keys"),
        stop("calendar-empty", "/s/hq/settings/calendar"),
        stop("tokens-empty", "/s/hq/settings/tokens"),
        stop("owner-subscriptions", "/subscriptions"),
        then("owner-subscriptions-menu", "/subscriptions", &["td button[popovertarget]"]),
        stop("new-subscription", "/subscriptions/new"),
        then("new-subscription-refused", "/subscriptions/new", &["dialog button.primary"]),
        stop("rename-subscription", "/subscriptions/acme/name"),
        stop("suspend-subscription", "/subscriptions/acme/suspension"),
        stop("invite-admin", "/subscriptions/acme/invitation"),
        stop("owner-audit", "/audit"),
        stop("owners", "/owners"),
        then("new-owner-refused", "/owners/new", &["dialog button.primary"]),
        then("owner-removal", "/owners", &["td button[popovertarget]", ".menu a.danger"]),
    ]
}

fn period((from, days): (DateTime<Utc>, i64)) -> ActivePeriod {
    ActivePeriod::new(from, Some(from + TimeDelta::days(days))).unwrap()
}

fn noted(texts: &Texts, when: (DateTime<Utc>, i64)) -> NewKey {
    NewKey { source: Source::Generate, period: period(when), note: texts.note.to_owned() }
}

/// The group may do something by each way there is.
async fn grant(desk: &Desk<'_>, texts: &Texts, group: Uuid) -> Ids {
    let actions = ["read", "write", "tables:read"].map(|it| (it.into(), texts.description.into()));
    let declaration = Declaration { service: "pricing".into(), actions: actions.into() };
    permissions::declare(&desk.act(), &declaration, None).await.unwrap();
    let policy = desk.policy(texts.name, &["pricing:read", "pricing:tables:read"]).await.id;
    let other = desk.policy("Maintain rating", &["pricing:read", "pricing:write"]).await.id;
    let user_group = desk.user_group(texts.name, &[policy]).await.id;
    desk.user_group("actuaries", &[]).await;
    let workspace = desk.workspace(texts.name).await.id;
    let role = desk.role(policy, Some(workspace)).await.id;
    desk.role(other, None).await;
    let held = Held { policy: Some(other), user_groups: [user_group].into(), roles: [role].into() };
    desk.give(group, &held).await.unwrap();
    // One that its service dropped.
    let mut fewer = declaration;
    fewer.actions.remove("tables:read");
    permissions::declare(&desk.act(), &fewer, None).await.unwrap();
    Ids { policy, user_group, workspace, role }
}

async fn new_group(desk: &Desk<'_>, texts: &Texts, when: (DateTime<Utc>, i64)) -> Issued {
    let [name, description, contact] =
        [texts.name, texts.description, texts.contact].map(str::to_owned);
    let new = Description { name, description, contact };
    let first = noted(texts, when);
    let new = (&new, &Held::default());
    key_groups::create(&desk.act(), new, first, &random_token()).await.unwrap()
}

async fn new_key(
    desk: &Desk<'_>,
    texts: &Texts,
    beside: &Issued,
    when: (DateTime<Utc>, i64),
) -> Issued {
    let (group, new) = (beside.instance.key_group_id, noted(texts, when));
    key_instances::create(&desk.act(), group, new, &random_token()).await.unwrap()
}
