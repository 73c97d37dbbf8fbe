//! O12: an acknowledged edit of access holds for every call that is sent afterwards, on every node.
use keyward::{
    access::{Held, undo},
    key_instances::Issued,
    policies::deletion,
    user_groups, workspaces,
};
use uuid::Uuid;

use crate::support::{Desk, Load, TestApp, held, on_both};

on_both! {
    no_call_sent_after_an_edit_of_a_policy_follows_the_old_one,
    no_call_sent_after_an_edit_of_what_is_held_follows_the_old_one,
    no_call_sent_after_an_undo_or_a_replacement_follows_the_old_state,
    no_call_sent_after_a_deletion_follows_what_was_held,
}

const ROUNDS: usize = 10;
/// On each node.
const CALLERS: usize = 4;
/// On each node, sent after each of four changes in a round, and answered: more than 200 in all.
const CALLS: usize = 30;
const ASKED: &str = "permission=orders:read";
const READ: &[&str] = &["orders:read"];

/// A policy that grants what is asked for, a group that holds it, and its key.
async fn stage(desk: &Desk<'_>) -> (Uuid, Uuid, Issued) {
    desk.declare("orders", &["read", "write"]).await;
    let policy = desk.policy("Read", READ).await.id;
    let key = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
    (policy, key.instance.key_group_id, key)
}

/// Rounds of four changes, each on another node than the one before, while calls come in.
async fn rounds(app: &TestApp, stage: impl AsyncFn(&Desk<'_>) -> Rounds) {
    let other = app.second_node().await;
    let desks = [app.desk("acme").await, other.desk("acme").await];
    let of = stage(&desks[0]).await;
    let load = Load::start([app, &other], CALLERS, of.key.secret.expose(), of.asked);
    load.pass(CALLS).await;
    let mut expected = vec![204];
    for round in 0..ROUNDS {
        for (n, (change, status)) in of.changes.iter().enumerate() {
            // Not the same node for the same change each time.
            let desk = &desks[(round + n) % 2];
            load.change(change.make(desk)).await;
            load.pass(CALLS).await;
            expected.push(*status);
        }
    }
    let calls = load.end(&expected).await;
    assert!(calls >= ROUNDS * 200, "{calls} calls are too few to show anything");
    other.stop().await;
}

struct Rounds {
    key: Issued,
    asked: &'static str,
    /// Each with the status that follows it.
    changes: [(Change, u16); 4],
}

enum Change {
    Policy(Uuid, &'static [&'static str]),
    UserGroup(Uuid, Vec<Uuid>),
    Give(Uuid, Held),
}

impl Change {
    async fn make(&self, desk: &Desk<'_>) {
        let edit = match self {
            Self::Policy(id, permissions) => desk.edit_policy(*id, permissions).await,
            Self::Give(group, held) => desk.give(*group, held).await,
            Self::UserGroup(id, policies) => {
                let to = policies.iter().copied().collect();
                desk.edit_user_group(*id, |it| it.policies = to).await
            }
        };
        assert!(edit.is_some(), "nothing was changed");
    }
}

/// Removed from the policy, put back; the policy removed from the group, put back. Point 23.
async fn no_call_sent_after_an_edit_of_a_policy_follows_the_old_one(app: &TestApp) {
    let stage = async |desk: &Desk<'_>| {
        let (policy, group, key) = stage(desk).await;
        let changes = [
            (Change::Policy(policy, &["orders:write"]), 403),
            (Change::Policy(policy, READ), 204),
            (Change::Give(group, Held::default()), 403),
            (Change::Give(group, held(Some(policy), &[])), 204),
        ];
        Rounds { key, asked: ASKED, changes }
    };
    rounds(app, stage).await;
}

/// The same through a user group and a role in a workspace. Point 48.
async fn no_call_sent_after_an_edit_of_what_is_held_follows_the_old_one(app: &TestApp) {
    let stage = async |desk: &Desk<'_>| {
        let (policy, group, key) = stage(desk).await;
        let user_group = desk.user_group("Readers", &[policy]).await.id;
        let workspace = desk.workspace("Europe").await.id;
        let role = desk.role(policy, Some(workspace)).await.id;
        let through_role = Held { roles: [role].into(), ..Held::default() };
        let through_group = held(None, &[user_group]);
        desk.give(group, &through_group).await.unwrap();
        let changes = [
            (Change::UserGroup(user_group, Vec::new()), 403),
            (Change::Give(group, through_role), 204),
            (Change::Give(group, through_group), 403),
            (Change::UserGroup(user_group, vec![policy]), 204),
        ];
        Rounds { key, asked: "permission=orders:read&workspace=europe", changes }
    };
    rounds(app, stage).await;
}

async fn no_call_sent_after_an_undo_or_a_replacement_follows_the_old_state(app: &TestApp) {
    let other = app.second_node().await;
    let (desk, far) = (app.desk("acme").await, other.desk("acme").await);
    let (policy, _, key) = stage(&desk).await;
    let empty = desk.policy("Empty", &[]).await.id;
    let load = Load::start([app, &other], CALLERS, key.secret.expose(), ASKED);
    load.pass(CALLS).await;
    let mut expected = vec![204];
    for _ in 0..ROUNDS / 2 {
        let edit = load.change(desk.edit_policy(policy, &[])).await.unwrap();
        load.pass(CALLS).await;
        load.change(undo::undo(&far.act(), edit)).await.unwrap();
        load.pass(CALLS).await;
        let fence = deletion::preview(&far.act(), policy).await.unwrap().fence;
        let act = far.act();
        let replaced = load.change(deletion::replace(&act, (policy, empty), &fence)).await;
        load.pass(CALLS).await;
        let act = desk.act();
        load.change(undo::undo(&act, replaced.unwrap().1.unwrap())).await.unwrap();
        load.pass(CALLS).await;
        expected.extend([403, 204, 403, 204]);
    }
    load.end(&expected).await;
    other.stop().await;
}

/// Of the policy, which takes the key with it; of a user group, a role, a workspace, which do not.
async fn no_call_sent_after_a_deletion_follows_what_was_held(app: &TestApp) {
    let other = app.second_node().await;
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read"]).await;
    for round in 0..3 {
        for (what, status) in [("policy", 401), ("group", 403), ("role", 403), ("workspace", 403)] {
            let policy = desk.policy(&format!("{what} {round}"), READ).await.id;
            let group = desk.user_group(&format!("{what} {round}"), &[policy]).await;
            let workspace = desk.workspace("Europe").await;
            let role = desk.role(policy, Some(workspace.id)).await.id;
            let held = match what {
                "policy" => held(Some(policy), &[]),
                "group" => held(None, &[group.id]),
                _ => Held { roles: [role].into(), ..Held::default() },
            };
            let key = desk.group_with(&format!("{what} {round}"), &held).await;
            let asked = format!("{ASKED}&workspace={}", workspace.slug);
            let load = Load::start([app, &other], CALLERS, key.secret.expose(), &asked);
            load.pass(CALLS).await;
            let act = desk.act();
            let delete = async {
                match what {
                    "policy" => {
                        let fence = deletion::preview(&act, policy).await.unwrap().fence;
                        deletion::delete(&act, policy, &fence).await.map(drop)
                    }
                    "group" => user_groups::delete(&act, group.id, group.version).await.map(drop),
                    "role" => workspaces::delete_role(&act, role).await.map(drop),
                    _ => workspaces::delete(&act, workspace.id, 2).await.map(drop),
                }
            };
            load.change(delete).await.unwrap();
            load.pass(CALLS).await;
            load.end(&[204, status]).await;
            if what != "workspace" {
                let it = workspaces::find(&act, workspace.id).await.unwrap();
                workspaces::delete(&act, it.id, it.version).await.unwrap();
            }
        }
    }
    other.stop().await;
}
