//! What can be held at all: one policy, unique names, declared permissions, and a policy for each
//! key where the subscription demands one.
use std::time::Duration;

use keyward::{
    access::{self, Held, undo},
    domain::{Refusal, lifecycle::Overlap},
    key_groups::{self, Description},
    key_instances::{self, Issued, NewKey, Source},
    pepper::random_token,
    permissions::{self, Permission},
    policies, user_groups, workspaces,
};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::support::{Desk, TestApp, blamed, eventually, held, ids, on_both, refusal, wanted};

on_both! {
    the_database_itself_refuses_a_second_policy_and_one_of_others,
    names_of_policies_and_user_groups_are_unique_and_told_at_the_field,
    a_policy_takes_declared_permissions_only,
    a_permission_that_its_service_dropped_stays_where_it_is_held_and_is_marked,
    a_dropped_permission_comes_back_with_its_service,
    without_a_policy_there_is_no_key_where_one_is_demanded,
    a_demanded_policy_can_be_changed_and_not_removed,
    an_undo_takes_no_demanded_policy_away,
    a_key_group_and_a_user_group_hold_at_most_fifty,
    what_is_gone_cannot_be_held,
    many_edits_at_once_wait_for_each_other,
}

/// Point 22, whatever the program does.
async fn the_database_itself_refuses_a_second_policy_and_one_of_others(app: &TestApp) {
    let (desk, rival) = (app.desk("acme").await, app.desk("rival").await);
    desk.declare("orders", &["read", "write"]).await;
    let first = desk.policy("First", &["orders:read"]).await.id;
    desk.policy("Second", &["orders:write"]).await;
    rival.policy("Theirs", &[]).await;
    let key = desk.group_with("quote-engine", &held(Some(first), &[])).await;
    let db = app.home.connect().await;
    // The policy's id serves as that of the row.
    let add = async |policy: &str| {
        let sql = format!(
            "INSERT INTO key_group_access (id, subscription_id, key_group_id, policy_id) \
             SELECT p.id, g.subscription_id, g.id, p.id FROM key_groups g, policies p \
             WHERE p.name = '{policy}'"
        );
        db.execute_unprepared(&sql).await.map(|it| it.rows_affected())
    };
    let before = app.snapshot().await;
    let refused = add("Second").await.unwrap_err().to_string().to_lowercase();
    assert!(refused.contains("unique"), "{refused}");
    assert_eq!(app.snapshot().await, before);
    db.execute_unprepared("DELETE FROM key_group_access").await.unwrap();
    let refused = add("Theirs").await.unwrap_err().to_string().to_lowercase();
    assert!(refused.contains("foreign key"), "{refused}");
    // The first and only one is welcome.
    assert_eq!(add("Second").await.unwrap(), 1);
    let told = async || {
        let answer = app.service().asks(key.secret.expose(), "").await.expect(204);
        answer.header("keyward-permissions") == Some("orders:write")
    };
    assert!(eventually(Duration::from_secs(5), told).await, "it is not seen");
    db.close().await.unwrap();
}

/// Point 21.
async fn names_of_policies_and_user_groups_are_unique_and_told_at_the_field(app: &TestApp) {
    let (desk, rival) = (app.desk("acme").await, app.desk("rival").await);
    desk.policy("Grüne Wiese", &[]).await;
    let policy = desk.policy("Other", &[]).await;
    desk.user_group("Grüne Wiese", &[]).await;
    let group = desk.user_group("Other", &[]).await;
    let admin = app.signed_in("admin@acme.example").await;
    let before = app.snapshot().await;
    for (of, told, id, version) in [
        ("policies", "A policy with this name already exists.", policy.id, policy.version),
        ("user-groups", "A user group with this name already exists.", group.id, group.version),
    ] {
        let (new, edit) = (format!("/s/acme/{of}/new"), format!("/s/acme/{of}/{id}/edit"));
        let (token, version) = (random_token(), version.to_string());
        for taken in ["Grüne Wiese", "  GRÜNE wiese "] {
            let fields = [("name", taken), ("submission", &*token), ("version", &*version)];
            for path in [&new, &edit] {
                let page = admin.post(path, &fields).await.expect(422);
                assert_eq!(page.error_at("name"), told, "{path}");
                assert_eq!(page.field("name"), taken);
            }
        }
    }
    assert_eq!(app.snapshot().await, before);
    // Its own name in other letters is free, and so is every name of another subscription.
    let (act, renamed) = (desk.act(), wanted("OTHER", &[]));
    let renamed = policies::edit(&act, policy.id, policy.version, &renamed).await.unwrap();
    assert_eq!(renamed.0.name, "OTHER");
    rival.policy("Grüne Wiese", &[]).await;
    rival.user_group("Grüne Wiese", &[]).await;
}

async fn create_policy(desk: &Desk<'_>, permissions: &[&str]) -> keyward::error::Result<Uuid> {
    let (new, token) = (wanted(&random_token()[..20], permissions), random_token());
    policies::create(&desk.act(), &new, &token).await.map(|it| it.id)
}

/// Point 27.
async fn a_policy_takes_declared_permissions_only(app: &TestApp) {
    let (desk, rival) = (app.desk("acme").await, app.desk("rival").await);
    desk.declare("orders", &["read", "write"]).await;
    rival.declare("theirs", &["read"]).await;
    let policy = desk.policy("Read", &["orders:read"]).await;
    let before = app.snapshot().await;
    for undeclared in ["orders:audit", "orders:", "orders", "Orders:read", "theirs:read", "*"] {
        let set = ["orders:read", undeclared];
        assert_eq!(blamed(create_policy(&desk, &set).await), "permissions", "{undeclared}");
        let edited = policies::edit(&desk.act(), policy.id, 1, &wanted("Read", &set)).await;
        assert_eq!(blamed(edited), "permissions", "{undeclared}");
    }
    assert_eq!(app.snapshot().await, before);
    let admin = app.signed_in("admin@acme.example").await;
    let token = random_token();
    let fields = [("name", "x"), ("permissions", "orders:audit"), ("submission", &*token)];
    let page = admin.post("/s/acme/policies/new", &fields).await.expect(422);
    let told = "No service declares the permission orders:audit.";
    assert!(page.plain().contains(told), "{}", page.plain());
    desk.edit_policy(policy.id, &["orders:write"]).await.unwrap();
}

async fn listed(desk: &Desk<'_>) -> Vec<(String, bool)> {
    let all = permissions::list(&desk.act()).await.unwrap();
    let all = all.into_iter().filter(|it| !it.is_own());
    all.map(|it: Permission| (it.name.clone(), it.is_declared())).collect()
}

async fn may(app: &TestApp, key: &Issued) -> String {
    let answer = app.service().asks(key.secret.expose(), "").await.expect(204);
    answer.header("keyward-permissions").unwrap().to_owned()
}

async fn a_permission_that_its_service_dropped_stays_where_it_is_held_and_is_marked(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "write", "audit"]).await;
    let policy = desk.policy("All", &["orders:read", "orders:write"]).await.id;
    let key = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
    desk.declare("orders", &["read"]).await;
    // What nobody holds is no longer shown, what is held is marked, and still granted.
    let read = ("orders:read".to_owned(), true);
    assert_eq!(listed(&desk).await, [read.clone(), ("orders:write".to_owned(), false)]);
    assert_eq!(may(app, &key).await, "orders:read orders:write");
    let admin = app.signed_in("admin@acme.example").await;
    let page = format!("/s/acme/policies/{policy}");
    for path in ["/s/acme/permissions", &page, &format!("{page}/edit")] {
        let page = admin.get(path).await.expect(200).plain();
        assert!(page.contains("orders:write no longer declared"), "{path}: {page}");
        assert_eq!(page.matches("no longer declared").count(), 1, "{path}: {page}");
    }
    let page = admin.get("/s/acme/policies/new").await.expect(200).plain();
    assert!(page.contains("orders:read") && !page.contains("orders:write"), "{page}");
    // It can be added nowhere, and an edit of something else leaves it.
    assert_eq!(blamed(create_policy(&desk, &["orders:write"]).await), "permissions");
    let it = policies::find(&desk.act(), policy).await.unwrap();
    let renamed = wanted("Renamed", &["orders:read", "orders:write"]);
    policies::edit(&desk.act(), policy, it.version, &renamed).await.unwrap().1.unwrap();
    assert_eq!(may(app, &key).await, "orders:read orders:write");
    // Once removed, no edit brings it back; an undo does: to exactly what was before.
    let edit = desk.edit_policy(policy, &["orders:read"]).await.unwrap();
    assert_eq!(listed(&desk).await, std::slice::from_ref(&read));
    let it = policies::find(&desk.act(), policy).await.unwrap();
    assert_eq!(
        blamed(policies::edit(&desk.act(), policy, it.version, &renamed).await),
        "permissions"
    );
    undo::undo(&desk.act(), edit).await.unwrap();
    assert_eq!(listed(&desk).await, [read, ("orders:write".to_owned(), false)]);
    assert_eq!(may(app, &key).await, "orders:read orders:write");
}

async fn a_dropped_permission_comes_back_with_its_service(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "write"]).await;
    desk.declare("billing", &["pay"]).await;
    let policy = desk.policy("Write", &["orders:write"]).await.id;
    desk.declare("orders", &[]).await;
    let billing = ("billing:pay".to_owned(), true);
    assert_eq!(listed(&desk).await, [billing.clone(), ("orders:write".to_owned(), false)]);
    desk.declare("orders", &["read", "write"]).await;
    let orders = ["orders:read", "orders:write"].map(|it| (it.to_owned(), true));
    assert_eq!(listed(&desk).await, [&[billing][..], &orders].concat());
    create_policy(&desk, &["orders:read", "orders:write"]).await.unwrap();
    assert_eq!(app.count("permissions").await, 3, "it is the same row as before");
    desk.edit_policy(policy, &["orders:read", "orders:write", "billing:pay"]).await.unwrap();
}

fn new_key(desk: &Desk<'_>) -> NewKey {
    NewKey { source: Source::Generate, period: desk.days(30), note: String::new() }
}

async fn create_group(desk: &Desk<'_>, name: &str, it: &Held) -> keyward::error::Result<Issued> {
    let new = Description { name: name.to_owned(), ..Default::default() };
    key_groups::create(&desk.act(), (&new, it), new_key(desk), &random_token()).await
}

/// Point 20.
async fn without_a_policy_there_is_no_key_where_one_is_demanded(app: &TestApp) {
    let desk = app.desk("acme").await;
    let policy = desk.policy("Nothing", &[]).await.id;
    let group = desk.user_group("Group", &[policy]).await.id;
    let role = desk.role(policy, None).await.id;
    let roles = Held { roles: [role].into(), ..held(None, &[group]) };
    // Nobody demands one yet.
    let bare = desk.group_with("bare", &roles).await;
    let with = desk.group_with("with", &held(Some(policy), &[])).await;
    let admin = app.signed_in("admin@acme.example").await;
    desk.change_settings(|it| it.policy_required = true).await;
    let before = app.snapshot().await;
    for held in [&Held::default(), &roles] {
        assert_eq!(blamed(create_group(&desk, "new", held).await), "policy");
    }
    let (of, act) = (ids(&bare), desk.act());
    let created = key_instances::create(&act, of.0, new_key(&desk), &random_token()).await;
    assert_eq!(refusal(created), Refusal::PolicyRequired);
    for overlap in [Overlap::None, Overlap::Hours(1), Overlap::Own] {
        let token = random_token();
        let rotated = key_instances::rotate(&act, of, new_key(&desk), overlap, &token).await;
        assert_eq!(refusal(rotated), Refusal::PolicyRequired);
    }
    let replaced = key_instances::replace(&act, of, &random_token()).await;
    assert_eq!(refusal(replaced), Refusal::PolicyRequired);
    assert_eq!(app.snapshot().await, before);
    let path = format!("/s/acme/groups/{}/keys/new", of.0);
    let page = admin.submit(&path, &[]).await.expect(409).plain();
    assert!(page.contains(&Refusal::PolicyRequired.to_string()), "{page}");
    let page = admin.submit("/s/acme/groups/new", &[("name", "new")]).await.expect(422);
    assert_eq!(page.error_at("policy"), Refusal::PolicyRequired.to_string());
    // Keys that are there already go on, and end, as before.
    app.service().bearer(bare.secret.expose()).await.expect(204);
    key_instances::revoke(&act, of).await.unwrap();
    // With a policy everything works; and so it does for the group that gets one.
    create_group(&desk, "new", &held(Some(policy), &[])).await.unwrap();
    let token = random_token();
    key_instances::rotate(&act, ids(&with), new_key(&desk), Overlap::Own, &token).await.unwrap();
    desk.give(of.0, &held(Some(policy), &[group])).await.unwrap();
    let further = desk.key(of.0, desk.days(30)).await;
    key_instances::replace(&act, ids(&further), &random_token()).await.unwrap();
    let left = desk.group_with("left", &held(Some(policy), &[])).await;
    desk.change_settings(|it| it.policy_required = false).await;
    desk.give(left.instance.key_group_id, &Held::default()).await.unwrap();
    desk.key(left.instance.key_group_id, desk.days(1)).await;
}

async fn a_demanded_policy_can_be_changed_and_not_removed(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.change_settings(|it| it.policy_required = true).await;
    let (first, second) = (desk.policy("1", &[]).await.id, desk.policy("2", &[]).await.id);
    let role = desk.role(first, None).await.id;
    let group = desk.group_with("quote-engine", &held(Some(first), &[])).await;
    let group = group.instance.key_group_id;
    let before = app.snapshot().await;
    for without in [Held::default(), Held { roles: [role].into(), ..Held::default() }] {
        assert_eq!(blamed(access::set(&desk.act(), group, 1, &without).await), "policy");
    }
    assert_eq!(app.snapshot().await, before);
    desk.give(group, &Held { roles: [role].into(), ..held(Some(second), &[]) }).await.unwrap();
    assert_eq!(access::of_group(&desk.act(), group).await.unwrap().policy, Some(second));
}

async fn an_undo_takes_no_demanded_policy_away(app: &TestApp) {
    let desk = app.desk("acme").await;
    let policy = desk.policy("Policy", &[]).await.id;
    let group = desk.group_with("quote-engine", &Held::default()).await.instance.key_group_id;
    let edit = desk.give(group, &held(Some(policy), &[])).await.unwrap();
    desk.change_settings(|it| it.policy_required = true).await;
    let before = app.snapshot().await;
    let refused = refusal(undo::undo(&desk.act(), edit).await);
    assert_eq!(refused, Refusal::PolicyRequired);
    assert_eq!(app.snapshot().await, before);
    desk.change_settings(|it| it.policy_required = false).await;
    undo::undo(&desk.act(), edit).await.unwrap();
    assert!(access::of_group(&desk.act(), group).await.unwrap().is_empty());
}

async fn what_is_gone_cannot_be_held(app: &TestApp) {
    let (desk, rival) = (app.desk("acme").await, app.desk("rival").await);
    let policy = rival.policy("Theirs", &[]).await.id;
    let user_group = rival.user_group("Theirs", &[]).await.id;
    let workspace = rival.workspace("Theirs").await.id;
    let role = rival.role(policy, None).await.id;
    let mine = desk.policy("Mine", &[]).await.id;
    let group = desk.group_with("quote-engine", &Held::default()).await.instance.key_group_id;
    let before = app.snapshot().await;
    for (held, field) in [
        (held(Some(policy), &[]), "policy"),
        (held(None, &[user_group]), "user_groups"),
        (Held { roles: [role].into(), ..Held::default() }, "roles"),
        (held(Some(Uuid::nil()), &[]), "policy"),
    ] {
        assert_eq!(blamed(access::set(&desk.act(), group, 1, &held).await), field);
        assert_eq!(blamed(create_group(&desk, "new", &held).await), field);
    }
    let theirs = user_groups::Wanted {
        name: "New".to_owned(),
        policies: [policy].into(),
        ..Default::default()
    };
    let made = user_groups::create(&desk.act(), &theirs, &random_token()).await;
    assert_eq!(blamed(made), "policies");
    let act = desk.act();
    assert_eq!(
        blamed(workspaces::create_role(&act, policy, None, &random_token()).await),
        "policy"
    );
    assert_eq!(
        blamed(workspaces::create_role(&act, mine, Some(workspace), &random_token()).await),
        "workspace"
    );
    assert_eq!(app.snapshot().await, before);
}

/// More at once than the pool has connections: none may need a second one while it has the first.
async fn many_edits_at_once_wait_for_each_other(app: &TestApp) {
    let desk = app.desk("acme").await;
    let policy = desk.policy("Policy", &[]).await.id;
    let names: Vec<String> = (0..40).map(|n| format!("User group {n}")).collect();
    let policies = [policy];
    let made = names.iter().map(|name| desk.user_group(name, &policies));
    let made = futures_util::future::join_all(made).await;
    assert_eq!(made.len(), 40);
    let edits = made.iter().map(|it| desk.edit_user_group(it.id, |it| it.policies.clear()));
    let edits = futures_util::future::join_all(edits).await;
    assert!(edits.iter().all(Option::is_some));
}

/// Each verification reads all that a group holds: there is an end to it.
async fn a_key_group_and_a_user_group_hold_at_most_fifty(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (mut policies, mut groups) = (Vec::new(), Vec::new());
    for n in 0..51 {
        policies.push(desk.policy(&format!("Policy {n}"), &[]).await.id);
        groups.push(desk.user_group(&format!("Group {n}"), &[]).await.id);
    }
    let act = desk.act();
    let wanted = |policies: &[Uuid]| user_groups::Wanted {
        name: "Many".into(),
        policies: policies.iter().copied().collect(),
        ..Default::default()
    };
    let refused = user_groups::create(&act, &wanted(&policies), &random_token()).await;
    assert_eq!(blamed(refused), "policies");
    user_groups::create(&act, &wanted(&policies[1..]), &random_token()).await.unwrap();
    let key = desk.group("quote-engine", desk.days(9)).await;
    let of = key.instance.key_group_id;
    let version = key_groups::find(&act, of).await.unwrap().access_version;
    let refused = access::set(&act, of, version, &held(None, &groups)).await;
    assert_eq!(blamed(refused), "user_groups");
    desk.give(of, &held(None, &groups[1..])).await.unwrap();
}
