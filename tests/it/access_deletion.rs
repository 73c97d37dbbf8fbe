//! Deleting a policy takes what a preview showed, all of it, or nothing. Point 25, O12.
use keyward::{
    access::{self, Held},
    audit,
    domain::Refusal,
    error::{Error, Result},
    key_groups::{self, Description},
    key_instances::{self, Issued, NewKey, Source},
    pepper::random_token,
    policies::{self, deletion},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Desk, TestApp, held, ids, on_both, refusal};

on_both! {
    a_preview_lists_what_dies_with_its_last_use_and_what_loses,
    a_workspace_page_foretells_what_its_deletion_does,
    all_fifty_keys_of_a_policy_are_refused_and_told_to_the_audit_log,
    a_set_that_has_changed_since_the_preview_is_not_deleted,
    the_number_of_keys_must_be_typed,
    user_groups_and_roles_merely_lose_the_policy,
    creation_and_deletion_at_once_leave_nothing_without_a_parent,
}

async fn calls(app: &TestApp, keys: &[Issued], status: u16) {
    for key in keys {
        app.service().bearer(key.secret.expose()).await.expect(status);
    }
}

async fn a_preview_lists_what_dies_with_its_last_use_and_what_loses(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Read", &["orders:read"]).await.id;
    let group = desk.user_group("Readers", &[policy]).await.id;
    let used = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
    desk.key(used.instance.key_group_id, desk.days(30)).await;
    desk.group_with("rating", &held(Some(policy), &[group])).await;
    desk.group_with("loser", &held(None, &[group])).await;
    desk.group_with("stranger", &Held::default()).await;
    calls(app, std::slice::from_ref(&used), 204).await;
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let doomed = deletion::preview(&desk.act(), policy).await.unwrap();
    let mut names: Vec<_> = doomed.groups.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!((names, doomed.keys), (vec!["quote-engine", "rating"], 3));
    let admin = app.signed_in("admin@acme.example").await;
    let path = format!("/s/acme/policies/{policy}/deletion");
    let page = admin.get(&path).await.expect(200);
    assert_eq!(page.field("fence"), doomed.fence);
    let plain = page.plain();
    for part in ["quote-engine", "rating", "k-1", "k-2", "never used", "last used", "loser"] {
        assert!(plain.contains(part), "{part} is missing: {plain}");
    }
    assert!(!plain.contains("stranger"), "{plain}");
    // What stays: the user group, and who held the policy through it. Not what dies anyway.
    let (_, staying) = plain.split_once("What stays and loses something").unwrap();
    assert!(staying.contains("Readers the user group loses the policy"), "{staying}");
    assert!(staying.contains("loser loses orders:read"), "{staying}");
    assert!(!staying.contains("rating") && !staying.contains("quote-engine"), "{staying}");
    // Each key that dies, also of sets that no page could hold.
    let file = admin.get(&format!("{path}.csv")).await.expect(200).csv();
    let mut keys: Vec<_> = file[1..].iter().map(|it| (it[0].as_str(), it[1].as_str())).collect();
    keys.sort_unstable();
    assert_eq!(keys, [("quote-engine", "k-1"), ("quote-engine", "k-2"), ("rating", "k-1")]);
    let used = file.iter().filter(|it| it[4] == "127.0.0.1").count();
    assert_eq!(used, 1, "{file:?}");
}

/// What the page of a deletion says is what `/verify` says afterwards.
async fn a_workspace_page_foretells_what_its_deletion_does(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Read", &["orders:read"]).await.id;
    let workspace = desk.workspace("Europe").await.id;
    let role = desk.role(policy, Some(workspace)).await.id;
    let everywhere = desk.group_with("everywhere", &held(Some(policy), &[])).await;
    let roles = Held { roles: [role].into(), ..Held::default() };
    let regional = desk.group_with("regional", &roles).await;
    let both = Held { policy: Some(policy), ..roles };
    let both = desk.group_with("both", &both).await;
    let keys = [&everywhere, &regional, &both];
    let told = async |query: &str| {
        let mut all = Vec::new();
        for key in keys {
            all.push(app.service().asks(key.secret.expose(), query).await.status);
        }
        all
    };
    let (there, anywhere) = ("permission=orders:read&workspace=europe", "permission=orders:read");
    assert_eq!((told(there).await, told(anywhere).await), (vec![204; 3], vec![204, 403, 204]));
    let admin = app.signed_in("admin@acme.example").await;
    let path = format!("/s/acme/workspaces/{workspace}/deletion");
    let page = admin.get(&path).await.expect(200);
    let plain = page.plain();
    for part in [
        "regional loses orders:read in Europe",
        "both keeps all that it may do",
        "A call that names workspace=europe is then refused every permission, also one that its \
         key holds in the whole subscription.",
    ] {
        assert!(plain.contains(part), "{part} is missing: {plain}");
    }
    let version = page.field("version");
    admin.post(&path, &[("version", version.as_str())]).await.expect(303);
    assert_eq!((told(there).await, told(anywhere).await), (vec![403; 3], vec![204, 403, 204]));
}

async fn all_fifty_keys_of_a_policy_are_refused_and_told_to_the_audit_log(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (policy, other) = (desk.policy("Doomed", &[]).await.id, desk.policy("Other", &[]).await.id);
    let kept = desk.group_with("kept", &held(Some(other), &[])).await;
    let stored = async || {
        let mut all = app.snapshot().await;
        // Counts per hour end by themselves.
        let tables = ["subscriptions", "key_groups", "key_instances", "key_group_access"];
        all.retain(|name, _| tables.contains(&&**name) || name.ends_with("_days"));
        // Numbers are never used again.
        for row in all.get_mut("subscriptions").unwrap() {
            let mut columns: serde_json::Value = serde_json::from_str(row).unwrap();
            columns.as_object_mut().unwrap().remove("next_number").unwrap();
            *row = columns.to_string();
        }
        all
    };
    let before = stored().await;
    let mut keys = Vec::new();
    for n in 0..10 {
        let first = desk.group_with(&format!("group {n}"), &held(Some(policy), &[])).await;
        let group = first.instance.key_group_id;
        keys.push(first);
        for days in [1, 10, 90, 90] {
            keys.push(desk.key(group, desk.days(days)).await);
        }
    }
    key_instances::revoke(&desk.act(), ids(&keys[3])).await.unwrap();
    key_instances::deactivate(&desk.act(), ids(&keys[7])).await.unwrap();
    assert_ne!(stored().await["subscriptions"], before["subscriptions"]);
    calls(app, &keys[10..], 204).await;
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let fence = deletion::preview(&desk.act(), policy).await.unwrap().fence;
    let (it, doomed) = deletion::delete(&desk.act(), policy, &fence).await.unwrap();
    assert_eq!((it.id, doomed.groups.len(), doomed.keys), (policy, 10, 50));
    assert_eq!(keys.len(), 50);
    for key in &keys {
        let answer = app.service().bearer(key.secret.expose()).await.expect(401);
        assert_eq!(answer.header("keyward-reason"), Some("unknown"));
    }
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    // The sums are those of what is left, and so is all else.
    let after = stored().await;
    for (table, rows) in &before {
        assert_eq!(&after[table], rows, "{table}");
    }
    assert!(policies::find(&desk.act(), policy).await.is_err());
    calls(app, &[kept], 204).await;
    let scope = desk.act().scope.id();
    let log = audit::list(&app.db, scope, &audit::Filter::default(), 1_000).await.unwrap().rows;
    let (mut told, mut names) = (0, Vec::new());
    for row in log.iter().filter(|it| it.action == "key_group.deleted") {
        let before: Value = serde_json::from_str(&row.before).unwrap();
        assert_eq!(before["instances"], json!(["k-1", "k-2", "k-3", "k-4", "k-5"]), "{row:?}");
        told += before["instances"].as_array().unwrap().len();
        names.push(before["name"].as_str().unwrap().to_owned());
    }
    names.sort();
    let expected: Vec<String> = (0..10).map(|n| format!("group {n}")).collect();
    assert_eq!((told, &names), (50, &expected));
    let row = log.iter().find(|it| it.action == "policy.deleted").unwrap();
    let before: Value = serde_json::from_str(&row.before).unwrap();
    let mut names: Vec<String> = serde_json::from_value(before["key_groups"].clone()).unwrap();
    names.sort();
    assert_eq!((names, &before["keys"]), (expected, &json!(50)));
    let key = app.peppers.derive("audit");
    assert!(audit::verify(&app.db, &key).await.unwrap().is_ok(), "the chain is whole");
}

async fn a_set_that_has_changed_since_the_preview_is_not_deleted(app: &TestApp) {
    let desk = app.desk("acme").await;
    let policy = desk.policy("Doomed", &[]).await.id;
    let first = desk.group_with("first", &held(Some(policy), &[])).await;
    let second = desk.group_with("second", &held(Some(policy), &[])).await;
    let (act, group) = (desk.act(), second.instance.key_group_id);
    let admin = app.signed_in("admin@acme.example").await;
    let path = format!("/s/acme/policies/{policy}/deletion");
    for change in ["further key", "new group", "other access", "deleted group", "rotation"] {
        let doomed = deletion::preview(&act, policy).await.unwrap();
        match change {
            "further key" => drop(desk.key(group, desk.days(1)).await),
            "new group" => drop(desk.group_with("new", &held(Some(policy), &[])).await),
            "other access" => drop(desk.give(group, &Held::default()).await.unwrap()),
            "deleted group" => {
                let it = doomed.groups.iter().find(|it| it.name == "new").unwrap();
                key_groups::delete(&act, it.id, it.version).await.map(drop).unwrap();
            }
            _ => {
                let (new, token) = (new_key(&desk), random_token());
                let overlap = keyward::domain::lifecycle::Overlap::None;
                let rotated = key_instances::rotate(&act, ids(&first), new, overlap, &token).await;
                assert!(rotated.is_ok(), "{change}");
            }
        }
        let before = app.snapshot().await;
        let deleted = deletion::delete(&act, policy, &doomed.fence).await;
        assert_eq!(refusal(deleted), Refusal::DoomedChanged, "{change}");
        let keys = doomed.keys.to_string();
        let fields = [("confirm", keys.as_str()), ("fence", doomed.fence.as_str())];
        let page = admin.post(&path, &fields).await.expect(409);
        assert_eq!(page.refusal(), Refusal::DoomedChanged.to_string(), "{change}");
        assert_eq!(app.snapshot().await, before, "{change}");
    }
    // No picture at all, and one of another policy, are none of this.
    let other = desk.policy("Other", &[]).await.id;
    let fence = deletion::preview(&act, other).await.unwrap().fence;
    for fence in ["", &fence] {
        let deleted = deletion::delete(&act, policy, fence).await;
        assert_eq!(refusal(deleted), Refusal::DoomedChanged);
    }
    app.service().bearer(second.secret.expose()).await.expect(204);
    // What leaves the set as it is does not matter: an edit of the policy, a key taken out of use.
    let fence = deletion::preview(&act, policy).await.unwrap().fence;
    desk.declare("orders", &["read"]).await;
    desk.edit_policy(policy, &["orders:read"]).await.unwrap();
    key_instances::revoke(&act, (first.instance.key_group_id, last_key(&desk, &first).await))
        .await
        .unwrap();
    assert_eq!(deletion::delete(&act, policy, &fence).await.unwrap().1.groups.len(), 1);
}

/// The newest key of a group.
async fn last_key(desk: &Desk<'_>, of: &Issued) -> Uuid {
    let all = key_instances::ahead(&desk.act(), of.instance.key_group_id).await.unwrap();
    all.into_iter().max_by_key(|it| it.label).unwrap().id
}

async fn the_number_of_keys_must_be_typed(app: &TestApp) {
    let desk = app.desk("acme").await;
    let policy = desk.policy("Doomed", &[]).await.id;
    for name in ["first", "second"] {
        let key = desk.group_with(name, &held(Some(policy), &[])).await;
        desk.key(key.instance.key_group_id, desk.days(9)).await;
    }
    let admin = app.signed_in("admin@acme.example").await;
    let path = format!("/s/acme/policies/{policy}/deletion");
    let fence = admin.get(&path).await.expect(200).field("fence");
    let before = app.snapshot().await;
    for typed in ["", "2", "3", "04", "4.0", "four", "Doomed"] {
        let fields = [("confirm", typed), ("fence", &*fence)];
        let page = admin.post(&path, &fields).await.expect(422);
        let told = "Type 4, the number of keys that are deleted, to confirm.";
        assert_eq!(page.error_at("confirm"), told, "{typed}");
    }
    assert_eq!(app.snapshot().await, before);
    let deleted = admin.post(&path, &[("confirm", " 4 "), ("fence", &fence)]).await.expect(303);
    let told = "Doomed is deleted, with 2 key groups and 4 keys.";
    assert_eq!(admin.follow(&deleted).await.flash(), told);
    assert_eq!((app.count("key_groups").await, app.count("key_instances").await), (0, 0));
    // Where nothing dies nothing is typed.
    let empty = desk.policy("Empty", &[]).await.id;
    let path = format!("/s/acme/policies/{empty}/deletion");
    let fence = admin.get(&path).await.expect(200).field("fence");
    admin.post(&path, &[("fence", &fence)]).await.expect(303);
    admin.post(&path, &[("fence", &fence)]).await.expect(404);
    assert_eq!(app.count("policies").await, 0);
}

async fn user_groups_and_roles_merely_lose_the_policy(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "write"]).await;
    let policy = desk.policy("Read", &["orders:read"]).await.id;
    let other = desk.policy("Write", &["orders:write"]).await.id;
    let group = desk.user_group("Both", &[policy, other]).await.id;
    let workspace = desk.workspace("Europe").await.id;
    let (place, everywhere) =
        (desk.role(policy, Some(workspace)).await.id, desk.role(policy, None).await.id);
    let roles = |of: &[Uuid]| Held { roles: of.iter().copied().collect(), ..held(None, &[]) };
    let mut keys = Vec::new();
    for (name, held) in [
        ("through a group", held(None, &[group])),
        ("through a role", roles(&[everywhere])),
        ("in a workspace", roles(&[place])),
        ("of its own too", Held { policy: Some(other), ..roles(&[place, everywhere]) }),
    ] {
        keys.push(desk.group_with(name, &held).await);
    }
    let may = async || {
        let mut all = Vec::new();
        for key in &keys {
            let answer = app.service().asks(key.secret.expose(), "workspace=europe").await;
            let list = answer.expect(204).header("keyward-permissions").unwrap().to_owned();
            all.push(list);
        }
        all
    };
    let both = "orders:read orders:write";
    assert_eq!(may().await, [both, "orders:read", "orders:read", both]);
    let doomed = deletion::preview(&desk.act(), policy).await.unwrap();
    assert_eq!((doomed.groups.len(), doomed.keys), (0, 0));
    deletion::delete(&desk.act(), policy, &doomed.fence).await.unwrap();
    assert_eq!(may().await, ["orders:write", "", "", "orders:write"]);
    let act = desk.act();
    let of = async |n: usize| access::of_group(&act, keys[n].instance.key_group_id).await.unwrap();
    assert_eq!((of(0).await, of(1).await), (held(None, &[group]), Held::default()));
    assert_eq!(of(3).await, held(Some(other), &[]));
    assert_eq!((app.count("workspaces").await, app.count("workspace_roles").await), (1, 0));
    assert_eq!(app.count("user_group_policies").await, 1);
}

fn new_key(desk: &Desk<'_>) -> NewKey {
    NewKey { source: Source::Generate, period: desk.days(30), note: String::new() }
}

/// A further key of a group, or a new group of a policy.
async fn create(desk: &Desk<'_>, (policy, group): (Uuid, Uuid), n: usize) -> Result<Issued> {
    let token = random_token();
    if n % 4 < 2 {
        return key_instances::create(&desk.act(), group, new_key(desk), &token).await;
    }
    let new = Description { name: format!("new {n}"), ..Default::default() };
    let held = held(Some(policy), &[]);
    key_groups::create(&desk.act(), (&new, &held), new_key(desk), &token).await
}

async fn creation_and_deletion_at_once_leave_nothing_without_a_parent(app: &TestApp) {
    const ROUNDS: usize = 200;
    let other = app.second_node().await;
    let (near, far) = (app.desk("acme").await, other.desk("acme").await);
    let (mut deletions, mut creations, mut both) = (0, 0, 0);
    for n in 0..ROUNDS {
        let policy = near.policy(&format!("policy {n}"), &[]).await.id;
        let first = near.group_with(&format!("group {n}"), &held(Some(policy), &[])).await;
        let of = (policy, first.instance.key_group_id);
        // The preview before, or meanwhile; the creation on the same node, or on the other one;
        // either of them a few steps later.
        let earlier = deletion::preview(&near.act(), policy).await.unwrap().fence;
        let creator = if n % 8 < 4 { &near } else { &far };
        let wait = async |steps: usize| {
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
        };
        let delete = async {
            wait(n % 3 * 8).await;
            let act = near.act();
            let fence = match n % 2 {
                0 => earlier,
                _ => deletion::preview(&act, policy).await.unwrap().fence,
            };
            deletion::delete(&act, policy, &fence).await
        };
        let make = async {
            wait(n % 5 * 4).await;
            create(creator, of, n).await
        };
        let (deleted, created) = if n % 16 < 8 {
            tokio::join!(delete, make)
        } else {
            let (created, deleted) = tokio::join!(make, delete);
            (deleted, created)
        };
        let status = async |key: &Issued| app.service().bearer(key.secret.expose()).await.status;
        match (&deleted, &created) {
            (Ok((_, doomed)), Ok(key)) => {
                let shown = doomed.groups.iter().find(|it| it.id == key.instance.key_group_id);
                let shown = shown.is_some_and(|it| it.last_label >= key.instance.label);
                assert!(shown, "round {n}: the key is not among those that were deleted");
                both += 1;
            }
            (Ok(_), Err(Error::NotFound | Error::Invalid(_))) => deletions += 1,
            (Err(Error::Refused(Refusal::DoomedChanged)), Ok(key)) => {
                assert_eq!(status(key).await, 204, "round {n}: acknowledged, and not there");
                creations += 1;
            }
            (deleted, created) => {
                panic!("round {n}: {:?}, {:?}", deleted.as_ref().err(), created.as_ref().err())
            }
        }
        let expected = if deleted.is_ok() { 401 } else { 204 };
        assert_eq!(status(&first).await, expected, "round {n}");
        if let (Ok(_), Ok(key)) = (&deleted, &created) {
            assert_eq!(status(key).await, 401, "round {n}: it outlived its policy");
        }
    }
    assert!(deletions > 0 && creations > 0, "{deletions} deletions, {creations} creations, {both}");
    for orphans in [
        "key_instances i WHERE NOT EXISTS (SELECT 1 FROM key_groups g WHERE g.id = i.key_group_id)",
        "key_group_access a WHERE a.policy_id IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM policies p WHERE p.id = a.policy_id)",
        "key_groups g WHERE NOT EXISTS \
         (SELECT 1 FROM key_group_access a WHERE a.key_group_id = g.id)",
    ] {
        assert_eq!(app.count(orphans).await, 0, "{orphans}");
    }
    let summed = app.query("SELECT group_count FROM subscriptions WHERE slug = 'acme'").await;
    assert_eq!(summed[0]["group_count"], app.count("key_groups").await);
    other.stop().await;
}
