//! An edit of access stays as it is where something came between: nothing is half restored.
use keyward::{
    access::{Held, undo},
    domain::Refusal,
    key_groups,
    policies::{self, deletion},
    user_groups, workspaces,
};
use uuid::Uuid;

use crate::support::{Desk, TestApp, held, on_both, refusal, wanted};

on_both! {
    an_edit_of_a_policy_stays_if_something_came_between,
    an_edit_of_a_user_group_stays_if_something_came_between,
    an_edit_of_what_a_group_holds_stays_if_something_came_between,
    a_replacement_stays_as_a_whole_if_one_part_was_changed_since,
}

/// Refused as changed since, and nothing was written.
#[track_caller]
fn stays<'a>(app: &'a TestApp, desk: &'a Desk<'_>, edit: Uuid) -> impl Future<Output = ()> + 'a {
    let at = std::panic::Location::caller();
    async move {
        let before = app.snapshot().await;
        let undone = undo::undo(&desk.act(), edit).await;
        assert!(undone.is_err(), "undone: {at}");
        assert_eq!(refusal(undone), Refusal::ChangedSinceEdit, "{at}");
        assert_eq!(app.snapshot().await, before, "{at}");
    }
}

async fn delete_policy(desk: &Desk<'_>, id: Uuid) {
    let fence = deletion::preview(&desk.act(), id).await.unwrap().fence;
    deletion::delete(&desk.act(), id, &fence).await.unwrap();
}

async fn an_edit_of_a_policy_stays_if_something_came_between(app: &TestApp) {
    let desk = app.desk("acme").await;
    let policy = desk.policy("First name", &[]).await;
    let rename = async |name: &str| {
        let it = policies::find(&desk.act(), policy.id).await.unwrap();
        let new = wanted(name, &[]);
        policies::edit(&desk.act(), policy.id, it.version, &new).await.unwrap().1.unwrap()
    };
    let first = rename("Second name").await;
    let second = rename("Third name").await;
    stays(app, &desk, first).await;
    // Nor after the second one is undone: that is a change as well.
    undo::undo(&desk.act(), second).await.unwrap();
    stays(app, &desk, first).await;
    let third = rename("Fourth name").await;
    let taken = desk.policy("second NAME", &[]).await.id;
    stays(app, &desk, third).await;
    delete_policy(&desk, taken).await;
    undo::undo(&desk.act(), third).await.unwrap();
    let fourth = rename("Fifth name").await;
    delete_policy(&desk, policy.id).await;
    stays(app, &desk, fourth).await;
}

async fn an_edit_of_a_user_group_stays_if_something_came_between(app: &TestApp) {
    let desk = app.desk("acme").await;
    let mut policies = Vec::new();
    for name in ["kept", "removed", "in it"] {
        policies.push(desk.policy(name, &[]).await.id);
    }
    let group = desk.user_group("Group", &policies).await.id;
    let drop_second = |it: &mut user_groups::Wanted| _ = it.policies.remove(&policies[1]);
    let first = desk.edit_user_group(group, drop_second).await.unwrap();
    let second = desk.edit_user_group(group, |it| it.description = "x".into()).await.unwrap();
    stays(app, &desk, first).await;
    // The deletion of a policy that is in it changes it.
    delete_policy(&desk, policies[2]).await;
    stays(app, &desk, second).await;
    // What was taken out, and is gone since, cannot be put back.
    let drop_first = |it: &mut user_groups::Wanted| it.policies.clear();
    let third = desk.edit_user_group(group, drop_first).await.unwrap();
    delete_policy(&desk, policies[0]).await;
    stays(app, &desk, third).await;
    // And what was put in, and is gone since, has changed it too.
    let late = desk.policy("late", &[]).await.id;
    let put_in = desk.edit_user_group(group, |it| it.policies = [late].into()).await.unwrap();
    delete_policy(&desk, late).await;
    stays(app, &desk, put_in).await;
    let fourth = desk.edit_user_group(group, |it| it.description = "y".into()).await.unwrap();
    let it = user_groups::find(&desk.act(), group).await.unwrap();
    user_groups::delete(&desk.act(), group, it.version).await.unwrap();
    stays(app, &desk, fourth).await;
}

async fn an_edit_of_what_a_group_holds_stays_if_something_came_between(app: &TestApp) {
    let desk = app.desk("acme").await;
    let act = desk.act();
    let ways = ["policy", "policy of role", "user group", "role", "workspace", "group", "edit"];
    for (n, gone) in ways.into_iter().enumerate() {
        // What is deleted then was taken away by the edit, or left, or given by it.
        for by_edit in ["taken", "left", "given"] {
            if gone == "policy" && by_edit != "taken" {
                continue; // a policy that is held takes the group with it
            }
            let name = format!("{n} {by_edit}");
            let own = desk.policy(&format!("Own {name}"), &[]).await.id;
            let of_role = desk.policy(&format!("Of role {name}"), &[]).await.id;
            let user_group = desk.user_group(&format!("First {name}"), &[own]).await.id;
            let other = desk.user_group(&format!("Other {name}"), &[]).await.id;
            let workspace = desk.workspace(&format!("Workspace {name}")).await.id;
            let role = desk.role(of_role, Some(workspace)).await.id;
            let all = Held { roles: [role].into(), ..held(Some(own), &[user_group]) };
            let few = held(None, &[other]);
            let more = Held { user_groups: [user_group, other].into(), ..all.clone() };
            let (before, after) = match by_edit {
                "taken" => (&all, &few),
                "left" => (&all, &more),
                _ => (&few, &all),
            };
            let group = desk.group_with(&name, before).await.instance.key_group_id;
            let edit = desk.give(group, after).await.unwrap();
            match gone {
                "policy" => delete_policy(&desk, own).await,
                "policy of role" => delete_policy(&desk, of_role).await,
                "user group" => {
                    let it = user_groups::find(&act, user_group).await.unwrap();
                    user_groups::delete(&act, it.id, it.version).await.map(drop).unwrap();
                }
                "role" => workspaces::delete_role(&act, role).await.map(drop).unwrap(),
                "workspace" => {
                    let it = workspaces::find(&act, workspace).await.unwrap();
                    workspaces::delete(&act, it.id, it.version).await.map(drop).unwrap();
                }
                "group" => {
                    let it = key_groups::find(&act, group).await.unwrap();
                    key_groups::delete(&act, it.id, it.version).await.map(drop).unwrap();
                }
                _ => drop(desk.give(group, &Held::default()).await.unwrap()),
            }
            stays(app, &desk, edit).await;
        }
    }
}

async fn a_replacement_stays_as_a_whole_if_one_part_was_changed_since(app: &TestApp) {
    let desk = app.desk("acme").await;
    let act = desk.act();
    let (old, new) = (desk.policy("Old", &[]).await.id, desk.policy("New", &[]).await.id);
    let mut groups = Vec::new();
    for name in ["first", "second", "third"] {
        let key = desk.group_with(name, &held(Some(old), &[])).await;
        groups.push(key.instance.key_group_id);
    }
    let replace = async || {
        let fence = deletion::preview(&act, old).await.unwrap().fence;
        deletion::replace(&act, (old, new), &fence).await.unwrap().1.unwrap()
    };
    let edit = replace().await;
    desk.give(groups[1], &Held::default()).await.unwrap();
    stays(app, &desk, edit).await;
    for group in &groups {
        desk.give(*group, &held(Some(old), &[])).await.unwrap();
    }
    let edit = replace().await;
    let it = key_groups::find(&act, groups[2]).await.unwrap();
    key_groups::delete(&act, it.id, it.version).await.unwrap();
    stays(app, &desk, edit).await;
    for group in &groups[..2] {
        desk.give(*group, &held(Some(old), &[])).await.unwrap();
    }
    let edit = replace().await;
    delete_policy(&desk, old).await;
    stays(app, &desk, edit).await;
}
