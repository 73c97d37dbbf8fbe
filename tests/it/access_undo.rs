//! An edit of access can be taken back for 10 minutes: once, exactly, and only if nothing came
//! between.
use std::collections::BTreeMap;

use chrono::TimeDelta;
use keyward::{
    access::{Held, undo},
    audit,
    domain::{Refusal, Role},
    error::Error,
    key_groups,
    policies::{self, deletion},
    subscriptions::Act,
    user_groups,
};
use serde_json::Value;
use uuid::Uuid;

use crate::support::{Desk, TestApp, held, on_both, refusal, wanted};

on_both! {
    an_undo_restores_exactly_what_was_before_and_holds_at_once,
    an_undo_is_told_to_the_audit_log_part_by_part,
    an_edit_can_be_undone_once,
    an_edit_can_be_undone_for_ten_minutes,
    an_edit_of_others_is_not_there,
}

/// Every row that an edit of access can change, without what counts changes and without the ids of
/// rows that nothing refers to.
async fn state(app: &TestApp) -> BTreeMap<&'static str, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in [
        "policies",
        "user_groups",
        "user_group_policies",
        "user_group_members",
        "workspaces",
        "workspace_roles",
        "key_group_access",
        "key_groups",
        "key_instances",
        "permissions",
        "subscriptions",
    ] {
        let mut rows: Vec<String> = Vec::new();
        for mut row in app.query(&format!("SELECT * FROM {table}")).await {
            let columns = row.as_object_mut().unwrap();
            let change = ["version", "access_version", "changed_at"];
            columns.retain(|name, _| !change.contains(&name.as_str()));
            if table == "key_group_access" {
                columns.remove("id").unwrap();
            }
            rows.push(row.to_string());
        }
        rows.sort();
        all.insert(table, rows);
    }
    all
}

/// What the page of an object offers to take back: the edit that made it what it is.
async fn offered(act: &Act<'_>, object: Uuid) -> Option<(Uuid, i64)> {
    let policy = policies::find(act, object).await.map(|it| it.version);
    let user_group = user_groups::find(act, object).await.map(|it| it.version);
    let key_group = key_groups::find(act, object).await.map(|it| it.access_version);
    let version = policy.or(user_group).or(key_group).unwrap_or_default();
    undo::last(act, object, version).await.unwrap()
}

/// Two policies, a user group, a role, and key groups that hold them.
struct Stage {
    read: Uuid,
    write: Uuid,
    user_group: Uuid,
    /// Of key groups: holding the policy; and all of it.
    groups: [Uuid; 2],
    keys: [String; 2],
}

impl Stage {
    async fn of(desk: &Desk<'_>, app: &TestApp) -> Self {
        desk.declare("orders", &["read", "write", "audit"]).await;
        let read = desk.policy("Read", &["orders:audit", "orders:read"]).await.id;
        let write = desk.policy("Write", &["orders:write"]).await.id;
        let user_group = desk.user_group("Group", &[read]).await.id;
        let admin = app.user("acme", Role::Admin).await.id;
        desk.edit_user_group(user_group, |it| it.members = [admin].into()).await.unwrap();
        let workspace = desk.workspace("Europe").await.id;
        let role = desk.role(write, Some(workspace)).await.id;
        let all = Held { roles: [role].into(), ..held(Some(read), &[user_group]) };
        let one = desk.group_with("one", &held(Some(read), &[])).await;
        let all = desk.group_with("all", &all).await;
        let groups = [one.instance.key_group_id, all.instance.key_group_id];
        let keys = [one, all].map(|it| it.secret.expose().to_owned());
        Self { read, write, user_group, groups, keys }
    }

    /// What each key may do, in no workspace and in Europe.
    async fn told(&self, app: &TestApp) -> Vec<String> {
        let mut all = Vec::new();
        for key in &self.keys {
            for question in ["", "workspace=europe"] {
                let answer = app.service().asks(key, question).await.expect(204);
                all.push(answer.header("keyward-permissions").unwrap().to_owned());
            }
        }
        all
    }

    /// One edit of each kind.
    async fn edit(&self, desk: &Desk<'_>, kind: &str) -> Uuid {
        let act = desk.act();
        let edit = match kind {
            "policy" => {
                let it = policies::find(&act, self.read).await.unwrap();
                let mut new = wanted("Renamed", &["orders:read", "orders:write"]);
                new.description = "What was said before is told again".to_owned();
                policies::edit(&act, self.read, it.version, &new).await.unwrap().1
            }
            "user group" => {
                let (policy, name) = (self.write, "Renamed".to_owned());
                let change = |it: &mut user_groups::Wanted| {
                    (it.name, it.description) = (name, "Nobody in it".to_owned());
                    (it.policies, it.members) = ([policy].into(), [].into());
                };
                desk.edit_user_group(self.user_group, change).await
            }
            "key group" => desk.give(self.groups[1], &held(Some(self.write), &[])).await,
            "bare key group" => desk.give(self.groups[1], &Held::default()).await,
            "replacement" => {
                let fence = deletion::preview(&act, self.read).await.unwrap().fence;
                deletion::replace(&act, (self.read, self.write), &fence).await.unwrap().1
            }
            other => panic!("{other} is no kind of edit"),
        };
        edit.unwrap()
    }
}

const KINDS: [&str; 5] = ["policy", "user group", "key group", "bare key group", "replacement"];

async fn an_undo_restores_exactly_what_was_before_and_holds_at_once(app: &TestApp) {
    let desk = app.desk("acme").await;
    let stage = Stage::of(&desk, app).await;
    let admin = app.signed_in("admin@acme.example").await;
    let (before, told) = (state(app).await, stage.told(app).await);
    let both = "orders:audit orders:read";
    assert_eq!(told, [both, both, both, "orders:audit orders:read orders:write"]);
    for kind in KINDS {
        let edit = stage.edit(&desk, kind).await;
        assert_ne!(state(app).await, before, "{kind}");
        if kind != "user group" {
            assert_ne!(stage.told(app).await, told, "{kind}");
        }
        let path = format!("/s/acme/access-edits/{edit}/undo");
        let back = format!("/s/acme/policies/{}", stage.read);
        let undone = admin.post(&path, &[("back", &back)]).await.expect(303);
        assert_eq!(undone.location(), back);
        let flash = admin.follow(&undone).await.expect(200).flash();
        assert!(flash.ends_with("as before."), "{flash}");
        assert_eq!(state(app).await, before, "{kind}");
        assert_eq!(stage.told(app).await, told, "{kind}");
    }
    // Also one after the other, the newest first.
    let mut edits = Vec::new();
    for kind in KINDS.into_iter().filter(|it| !it.contains("key group")) {
        edits.push(stage.edit(&desk, kind).await);
    }
    for edit in edits.into_iter().rev() {
        undo::undo(&desk.act(), edit).await.unwrap();
    }
    assert_eq!(state(app).await, before);
}

async fn an_undo_is_told_to_the_audit_log_part_by_part(app: &TestApp) {
    let desk = app.desk("acme").await;
    let stage = Stage::of(&desk, app).await;
    let scope = desk.act().scope.id();
    let rows = async || {
        let filter = audit::Filter::default();
        audit::list(&app.db, scope, &filter, 1_000).await.unwrap().rows
    };
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    for (kind, object, parts) in [
        ("policy", "policy", 1),
        ("user group", "user_group", 1),
        ("key group", "key_group", 1),
        ("replacement", "key_group", 2),
    ] {
        let edit = stage.edit(&desk, kind).await;
        let made = rows().await;
        let names = undo::undo(&desk.act(), edit).await.unwrap();
        let undone = rows().await;
        assert_eq!((undone.len() - made.len(), names.len()), (parts, parts), "{kind}");
        for row in &undone[..parts] {
            assert_eq!((&*row.action, &*row.object_kind), ("access.edit_undone", object));
            assert_eq!(row.actor, "admin@acme.example");
            // The newest row about it before was the edit: this one is its opposite.
            let of = made.iter().find(|it| it.object_id == row.object_id).unwrap();
            let (edit, undo) = ((&of.before, &of.after), (&row.before, &row.after));
            if kind == "replacement" {
                assert_eq!(parsed(undo.0)["policy"], parsed(edit.1)["policy"]);
                assert_eq!(parsed(undo.1)["policy"], parsed(edit.0)["policy"]);
            } else {
                assert_eq!((parsed(undo.0), parsed(undo.1)), (parsed(edit.1), parsed(edit.0)));
            }
            assert!(names.contains(&row.object), "{names:?}");
        }
    }
    let key = app.peppers.derive("audit");
    assert!(audit::verify(&app.db, &key).await.unwrap().is_ok(), "the chain is whole");
}

async fn an_edit_can_be_undone_once(app: &TestApp) {
    let desk = app.desk("acme").await;
    let stage = Stage::of(&desk, app).await;
    let admin = app.signed_in("admin@acme.example").await;
    for kind in KINDS {
        let edit = stage.edit(&desk, kind).await;
        // Two at once: one of them.
        let act = desk.act();
        let both = tokio::join!(undo::undo(&act, edit), undo::undo(&act, edit));
        let done = [&both.0, &both.1].iter().filter(|it| it.is_ok()).count();
        assert_eq!(done, 1, "{kind}");
        let second = if both.0.is_ok() { both.1 } else { both.0 };
        assert_eq!(refusal(second), Refusal::AlreadyUndone, "{kind}");
        let before = app.snapshot().await;
        assert_eq!(refusal(undo::undo(&act, edit).await), Refusal::AlreadyUndone, "{kind}");
        let page = admin.post(&format!("/s/acme/access-edits/{edit}/undo"), &[]).await.expect(409);
        assert!(page.plain().contains(&Refusal::AlreadyUndone.to_string()), "{}", page.plain());
        assert_eq!(app.snapshot().await, before, "{kind}");
        assert_eq!(offered(&act, stage.read).await, None, "{kind}");
    }
}

async fn an_edit_can_be_undone_for_ten_minutes(app: &TestApp) {
    let desk = app.desk("acme").await;
    let stage = Stage::of(&desk, app).await;
    let (before, made) = (state(app).await, app.clock.now());
    let edit = stage.edit(&desk, "policy").await;
    app.clock.advance(TimeDelta::minutes(10) - TimeDelta::milliseconds(1));
    let expected = Some((edit, made.timestamp_millis()));
    assert_eq!(offered(&desk.act(), stage.read).await, expected);
    undo::undo(&desk.act(), edit).await.unwrap();
    assert_eq!(state(app).await, before);
    for kind in KINDS {
        let stage_edit = stage.edit(&desk, kind).await;
        app.clock.advance(TimeDelta::minutes(10));
        let before = app.snapshot().await;
        let refused = refusal(undo::undo(&desk.act(), stage_edit).await);
        assert_eq!(refused, Refusal::TooLateToUndo, "{kind}");
        assert_eq!(app.snapshot().await, before, "{kind}");
        for object in [stage.read, stage.user_group, stage.groups[1]] {
            assert_eq!(offered(&desk.act(), object).await, None, "{kind}");
        }
        if kind == "policy" {
            // Its own name again, for the next kinds.
            let it = policies::find(&desk.act(), stage.read).await.unwrap();
            let old = wanted("Read", &["orders:audit", "orders:read"]);
            policies::edit(&desk.act(), stage.read, it.version, &old).await.unwrap();
        }
    }
}

async fn an_edit_of_others_is_not_there(app: &TestApp) {
    let (desk, rival) = (app.desk("acme").await, app.desk("rival").await);
    let stage = Stage::of(&desk, app).await;
    let edit = stage.edit(&desk, "policy").await;
    let admin = app.signed_in("admin@rival.example").await;
    let before = app.snapshot().await;
    assert!(matches!(undo::undo(&rival.act(), edit).await, Err(Error::NotFound)));
    assert_eq!(offered(&rival.act(), stage.read).await, None);
    for id in [edit, Uuid::nil()] {
        admin.post(&format!("/s/rival/access-edits/{id}/undo"), &[]).await.expect(404);
        admin.post(&format!("/s/acme/access-edits/{id}/undo"), &[]).await.expect(404);
    }
    assert_eq!(app.snapshot().await, before);
    undo::undo(&desk.act(), edit).await.unwrap();
}
