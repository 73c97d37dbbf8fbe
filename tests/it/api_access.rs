//! Policies, user groups, workspaces, roles and permissions through the native interface.
use chrono::TimeDelta;
use keyward::domain::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Program, TestApp, held, on_both};

on_both! {
    a_policy_is_made_read_changed_and_deleted,
    what_dies_with_a_policy_is_listed_and_not_deleted_without_consent,
    an_edit_of_a_policy_is_effective_at_the_very_next_verification,
    a_user_group_has_policies_and_people,
    a_role_is_a_policy_in_a_workspace_or_everywhere,
    a_service_declares_what_it_knows,
    a_request_sent_again_makes_nothing_twice,
    whoever_did_not_see_the_newest_state_changes_nothing,
    each_thing_takes_its_scope_and_is_not_there_for_others,
    lists_go_on_where_their_cursor_says_until_all_were_seen,
    a_body_that_will_not_do_is_told_where_and_why,
}

const ALL: [&str; 2] = ["access:write", "keys:write"];
const READ: &str = "permission=orders:read";

fn text(it: &Value) -> &str {
    it.as_str().unwrap()
}

/// Makes a thing, and gives it and where it is.
async fn made(program: &Program<'_>, list: &str, body: Value) -> (Value, String) {
    let answer = program.post(list, body).await.expect(201);
    let path = answer.location().strip_prefix("/api/v1").unwrap().to_owned();
    let it = answer.json();
    assert_eq!(path, format!("{list}/{}", text(&it["id"])));
    let shown = program.get(&path).await.expect(200);
    assert_eq!((shown.json(), shown.header("etag")), (it.clone(), answer.header("etag")));
    (it, path)
}

async fn a_policy_is_made_read_changed_and_deleted(app: &TestApp) {
    app.desk("acme").await.declare("orders", &["read", "write"]).await;
    let program = app.program(&["access:write"]).await;
    let new = json!({
        "name": "Readers",
        "description": "Look and touch nothing",
        "permissions": ["orders:write", "orders:read", "orders:read"],
    });
    let (it, path) = made(&program, "/policies", new).await;
    assert_eq!(it["permissions"], json!(["orders:read", "orders:write"]));
    let change = json!({ "permissions": ["orders:read"] });
    let after = program.patch(&path, change).await.expect(200);
    assert_ne!(after.header("etag"), Some("\"1\""));
    let after = after.json();
    assert_eq!(after["permissions"], json!(["orders:read"]));
    assert_eq!((&after["name"], &after["description"]), (&it["name"], &it["description"]));
    program.patch(&path, json!({ "name": "Lookers" })).await.expect(200);
    let all = program.get("/policies").await.expect(200).json();
    assert_eq!(all["data"][0]["name"], "Lookers");
    assert_eq!(all["data"].as_array().unwrap().len(), 1);
    // It is the policy of nothing, and that is said too.
    program.delete(&path).await.expect(409);
    program.delete(&format!("{path}?expect=0")).await.expect(204);
    program.get(&path).await.expect(404);
}

async fn what_dies_with_a_policy_is_listed_and_not_deleted_without_consent(app: &TestApp) {
    let desk = app.desk("acme").await;
    let policy = desk.policy("Readers", &[]).await.id;
    let one = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
    desk.key(one.instance.key_group_id, desk.days(30)).await;
    // What is made later comes later.
    app.clock.advance(TimeDelta::milliseconds(1));
    let other = desk.group_with("batch", &held(Some(policy), &[])).await;
    let program = app.program(&ALL).await;
    let path = format!("/policies/{policy}");
    let group =
        |id: uuid::Uuid, name: &str, keys: i32| json!({ "id": id, "name": name, "keys": keys });
    let dying = json!([
        group(one.instance.key_group_id, "quote-engine", 2),
        group(other.instance.key_group_id, "batch", 1),
    ]);
    let preview = format!("{path}/deletion-preview");
    let shown = program.get(&preview).await.expect(200);
    let seen = shown.header("etag").unwrap().to_owned();
    let body = shown.json();
    assert_eq!((&body["key_groups"], &body["keys"]), (&dying, &json!(3)));
    assert_eq!(body["policy"]["name"], "Readers");

    let refuse = async |path: &str, headers: &[(&str, &str)]| {
        let to = (Method::DELETE, path);
        let told = program.send(to, headers, Value::Null).await.expect(409);
        assert_eq!(told.header("content-type"), Some("application/problem+json"));
        told.json()
    };
    let told = refuse(&path, &[]).await;
    assert_eq!((&told["key_groups"], &told["keys"]), (&dying, &json!(3)));
    assert_eq!(told["type"], "urn:keyward:problem:needs_consent");
    let expecting = format!("{path}?expect=2");
    refuse(&expecting, &[]).await;
    // Of the policy, not of what dies; and any at all says nothing.
    for tag in ["\"1\"", "*", "\"\""] {
        refuse(&path, &[("if-match", tag)]).await;
    }
    refuse(&expecting, &[("if-match", &seen)]).await;
    program.delete(&format!("{path}?expect=all")).await.expect(400);
    // One more key, and what was seen is not what dies.
    desk.key(other.instance.key_group_id, desk.days(30)).await;
    assert_eq!(refuse(&path, &[("if-match", &seen)]).await["keys"], 4);
    app.service().bearer(one.secret.expose()).await.expect(204);
    // Keys die of it, so that it takes the scope for keys as well.
    let expecting = format!("{path}?expect=4");
    let lacking = app.program(&["access:write"]).await;
    let told = lacking.delete(&expecting).await.expect(403);
    assert!(told.text().contains("keys:write"), "{}", told.text());
    program.get(&path).await.expect(200);

    let seen = program.get(&preview).await.header("etag").unwrap().to_owned();
    let to = (Method::DELETE, path.as_str());
    program.send(to, &[("if-match", &seen)], Value::Null).await.expect(204);
    for key in [&one, &other] {
        app.service().bearer(key.secret.expose()).await.expect(401);
    }
    assert_eq!(program.get("/key-groups").await.json()["data"], json!([]));
    program.delete(&expecting).await.expect(404);
}

async fn an_edit_of_a_policy_is_effective_at_the_very_next_verification(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read"]).await;
    let program = app.program(&["access:write"]).await;
    let (policy, path) = made(&program, "/policies", json!({ "name": "Readers" })).await;
    let policy = text(&policy["id"]).parse().unwrap();
    let key = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
    let secret = key.secret.expose();
    app.service().asks(secret, READ).await.expect(403);
    for (permissions, status) in [(json!(["orders:read"]), 204), (json!([]), 403)] {
        program.patch(&path, json!({ "permissions": permissions })).await.expect(200);
        app.service().asks(secret, READ).await.expect(status);
    }
}

async fn a_user_group_has_policies_and_people(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Readers", &["orders:read"]).await.id;
    let user = app.user("acme", Role::Member).await;
    let program = app.program(&["access:write"]).await;
    let new = json!({ "name": "Partners", "policies": [policy, policy], "members": [user.id] });
    let (it, path) = made(&program, "/user-groups", new).await;
    assert_eq!(it["policies"], json!([{ "id": policy, "name": "Readers" }]));
    assert_eq!(it["members"], json!([{ "id": user.id, "name": user.name }]));
    assert_eq!(program.get("/user-groups").await.json()["data"], json!([it]));
    let id = text(&it["id"]).parse().unwrap();
    let key = desk.group_with("quote-engine", &held(None, &[id])).await;
    let secret = key.secret.expose();
    app.service().asks(secret, READ).await.expect(204);
    let after = program.patch(&path, json!({ "policies": [] })).await.expect(200).json();
    assert_eq!((&after["policies"], &after["members"]), (&json!([]), &it["members"]));
    app.service().asks(secret, READ).await.expect(403);
    program.delete(&path).await.expect(204);
    program.get(&path).await.expect(404);
    app.service().bearer(secret).await.expect(204);
}

async fn a_role_is_a_policy_in_a_workspace_or_everywhere(app: &TestApp) {
    let policy = app.desk("acme").await.policy("Readers", &[]).await.id;
    let program = app.program(&["access:write"]).await;
    let new = json!({ "name": "Europe, Middle East", "description": "All of it" });
    let (it, path) = made(&program, "/workspaces", new).await;
    assert_eq!(it["slug"], "europe-middle-east");
    let after = program.patch(&path, json!({ "name": "EMEA" })).await.expect(200).json();
    assert_eq!((&after["name"], &after["slug"]), (&json!("EMEA"), &it["slug"]));
    assert_eq!(program.get("/workspaces").await.json()["data"], json!([after]));

    let new = json!({ "policy": policy, "workspace": it["id"] });
    let (role, there) = made(&program, "/workspace-roles", new).await;
    assert_eq!(role["name"], "Readers in EMEA");
    assert_eq!(role["workspace"], json!({ "id": it["id"], "name": "EMEA" }));
    let new = json!({ "policy": policy, "workspace": null });
    let (role, everywhere) = made(&program, "/workspace-roles", new.clone()).await;
    assert_eq!((&role["policy"]["name"], &role["workspace"]), (&json!("Readers"), &Value::Null));
    let twice = program.post("/workspace-roles", new).await.expect(409).json();
    assert_eq!(twice["errors"][0]["pointer"], "/policy");
    program.patch(&there, json!({})).await.expect(405);
    let all = program.get("/workspace-roles").await.json();
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
    program.delete(&everywhere).await.expect(204);
    // A role ends with its workspace.
    program.delete(&path).await.expect(204);
    for gone in [path, there, everywhere] {
        program.get(&gone).await.expect(404);
    }
}

async fn a_service_declares_what_it_knows(app: &TestApp) {
    let program = app.program(&["access:write"]).await;
    let to = "/services/pricing/permissions";
    let declared = json!({ "permissions": { "read": "Read prices", "lists:write": "" } });
    let told = program.put(to, declared.clone()).await.expect(200).json();
    assert_eq!(told, json!({ "added": 2, "described": 0, "withdrawn": 0 }));
    let same = program.put(to, declared).await.expect(200).json();
    assert_eq!(same, json!({ "added": 0, "described": 0, "withdrawn": 0 }));
    let new = json!({ "name": "Readers", "permissions": ["pricing:read"] });
    program.post("/policies", new).await.expect(201);
    let other = json!({ "permissions": { "lists:write": "Write price lists" } });
    let told = program.put(to, other).await.expect(200).json();
    assert_eq!(told, json!({ "added": 0, "described": 1, "withdrawn": 1 }));
    let all = program.get("/permissions").await.expect(200).json();
    let row = |name: &str, description: &str, declared: bool| {
        let service = name.split(':').next().unwrap();
        json!({ "name": name, "service": service, "description": description, "declared": declared })
    };
    let own = "List all keys of the subscription, without their secrets";
    assert_eq!(
        all["data"],
        json!([
            row("keyward:instances.read", own, true),
            row("pricing:lists:write", "Write price lists", true),
            // A policy holds it.
            row("pricing:read", "Read prices", false),
        ])
    );
    let new = json!({ "name": "Late", "permissions": ["pricing:read"] });
    let told = program.post("/policies", new).await.expect(422).json();
    assert!(text(&told["detail"]).contains("No service declares"), "{told}");
}

async fn a_request_sent_again_makes_nothing_twice(app: &TestApp) {
    let policy = app.desk("acme").await.policy("Readers", &[]).await.id;
    let program = app.program(&["access:write"]).await;
    for (n, (list, new)) in [
        ("/policies", json!({ "name": "Writers" })),
        ("/user-groups", json!({ "name": "Partners", "policies": [policy] })),
        ("/workspaces", json!({ "name": "Europe" })),
        ("/workspace-roles", json!({ "policy": policy })),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("deploy-{n}");
        let once = [("idempotency-key", key.as_str())];
        let to = (Method::POST, list);
        let count = async || program.get(list).await.json()["data"].as_array().unwrap().len();
        let before = count().await;
        let first = program.send(to.clone(), &once, new.clone()).await.expect(201);
        let again = program.send(to.clone(), &once, new).await.expect(201);
        assert_eq!(first.json(), again.json());
        assert_eq!(first.location(), again.location());
        assert_eq!(count().await, before + 1, "{list}");
        let other = json!({ "name": "Another", "policy": policy });
        assert!([409, 422].contains(&program.send(to, &once, other).await.status), "{list}");
        assert_eq!(count().await, before + 1, "{list}");
    }
}

async fn whoever_did_not_see_the_newest_state_changes_nothing(app: &TestApp) {
    let things = app.desk("acme").await.things().await;
    let program = app.program(&ALL).await;
    let stale = [("if-match", "\"0\"")];
    for path in [
        format!("/policies/{}", things.policy),
        format!("/user-groups/{}", things.user_group),
        format!("/workspaces/{}", things.workspace),
    ] {
        let change = json!({ "description": "new" });
        let to = (Method::PATCH, path.as_str());
        let seen = program.get(&path).await.expect(200).header("etag").unwrap().to_owned();
        program.send(to.clone(), &stale, change.clone()).await.expect(412);
        assert_eq!(program.get(&path).await.header("etag"), Some(seen.as_str()), "{path}");
        let fresh = [("if-match", seen.as_str())];
        let after = program.send(to.clone(), &fresh, change.clone()).await.expect(200);
        assert_ne!(after.header("etag"), Some(seen.as_str()), "{path}");
        program.send(to, &fresh, json!({ "description": "newer" })).await.expect(412);
    }
    for path in [
        format!("/user-groups/{}", things.user_group),
        format!("/workspace-roles/{}", things.role),
        format!("/workspaces/{}", things.workspace),
    ] {
        let to = (Method::DELETE, path.as_str());
        program.send(to.clone(), &stale, Value::Null).await.expect(412);
        let seen = program.get(&path).await.expect(200).header("etag").unwrap().to_owned();
        program.send(to, &[("if-match", &seen)], Value::Null).await.expect(204);
    }
}

async fn each_thing_takes_its_scope_and_is_not_there_for_others(app: &TestApp) {
    let things = app.desk("globex").await.things().await;
    let (reader, writer) = (app.program(&["access:read"]).await, app.program(&ALL).await);
    let keys = app.program(&["keys:write"]).await;
    for (list, id) in [
        ("/policies", things.policy),
        ("/user-groups", things.user_group),
        ("/workspaces", things.workspace),
        ("/workspace-roles", things.role),
    ] {
        assert_eq!(reader.get(list).await.expect(200).json()["data"], json!([]));
        keys.get(list).await.expect(403);
        reader.post(list, json!({ "name": "x", "policy": things.policy })).await.expect(403);
        for id in [id.to_string(), "rubbish".to_owned()] {
            let path = format!("{list}/{id}");
            reader.get(&path).await.expect(404);
            writer.delete(&path).await.expect(404);
            if list != "/workspace-roles" {
                writer.patch(&path, json!({ "name": "x" })).await.expect(404);
            }
        }
    }
    reader.put("/services/orders/permissions", json!({ "permissions": {} })).await.expect(403);
    writer.get(&format!("/policies/{}/deletion-preview", things.policy)).await.expect(404);
    // What belongs to others can be put into nothing of one's own.
    let told = writer.post("/user-groups", json!({ "name": "x", "policies": [things.policy] }));
    assert_eq!(told.await.expect(422).json()["errors"][0]["pointer"], "/policies");
    writer.post("/workspace-roles", json!({ "policy": things.policy })).await.expect(422);
}

async fn lists_go_on_where_their_cursor_says_until_all_were_seen(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["a", "b", "c", "d"]).await;
    for n in 0..5 {
        app.clock.advance(TimeDelta::milliseconds(1));
        let policy = desk.policy(&format!("p-{n}"), &[]).await.id;
        desk.user_group(&format!("u-{n}"), &[policy]).await;
        desk.workspace(&format!("Place {n}")).await;
        desk.role(policy, None).await;
    }
    let program = app.program(&["access:read"]).await;
    for list in ["/policies", "/user-groups", "/workspaces", "/workspace-roles", "/permissions"] {
        let (mut path, mut seen) = (format!("{list}?limit=2"), Vec::new());
        loop {
            let answer = program.get(&path).await.expect(200);
            let body = answer.json();
            let rows = body["data"].as_array().unwrap();
            seen.extend(rows.iter().map(|it| text(&it["name"]).to_owned()));
            if body["next_cursor"].is_null() {
                assert_eq!((rows.len(), answer.header("link")), (1, None), "{list}");
                break;
            }
            let link = answer.header("link").unwrap();
            let next = link.strip_prefix("</api/v1").unwrap().strip_suffix(">; rel=\"next\"");
            path = next.unwrap().to_owned();
        }
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        // All of them were made, or are named, in this order.
        assert_eq!((seen.len(), &once), (5, &seen), "{list}");
        for wrong in ["limit=0", "limit=201", "cursor=x", "cursor=a:b%20c", "q=kw_0123"] {
            program.get(&format!("{list}?{wrong}")).await.expect(400);
        }
    }
}

async fn a_body_that_will_not_do_is_told_where_and_why(app: &TestApp) {
    let things = app.desk("acme").await.things().await;
    let program = app.program(&["access:write"]).await;
    let before = app.count("audit_events").await;
    for (list, body, pointer) in [
        ("/policies", json!({ "name": " " }), "/name"),
        (
            "/policies",
            json!({ "name": "x", "permissions": ["orders:read orders:write"] }),
            "/permissions/0",
        ),
        ("/policies", json!({ "name": "x", "permissions": ["orders:never"] }), "/permissions"),
        ("/policies", json!({ "name": "x", "permission": [] }), "/permission"),
        ("/user-groups", json!({ "name": "x", "members": [things.policy] }), "/members"),
        ("/user-groups", json!({ "name": "x", "policies": ["x"] }), "/policies/0"),
        ("/workspaces", json!({ "name": "x", "slug": "No Slug" }), "/slug"),
        ("/workspace-roles", json!({ "policy": things.role }), "/policy"),
        (
            "/workspace-roles",
            json!({ "policy": things.policy, "workspace": things.role }),
            "/workspace",
        ),
    ] {
        let told = program.post(list, body.clone()).await.expect(422).json();
        assert_eq!(told["errors"][0]["pointer"], pointer, "{list} {body}");
    }
    // A name that is taken can be read: a rule refuses it.
    for (list, name) in [("/policies", "READ orders"), ("/user-groups", "Readers")] {
        let told = program.post(list, json!({ "name": name })).await.expect(409).json();
        assert_eq!(told["errors"][0]["pointer"], "/name", "{list}");
    }
    for (service, body, pointer) in [
        ("orders", json!({ "permissions": { "a b": "" } }), "/permissions"),
        ("orders", json!({ "permissions": { "read": 7 } }), "/permissions/read"),
        ("orders", json!({ "permissions": {}, "service": "x" }), "/service"),
        ("keyward", json!({ "permissions": { "read": "" } }), "/service"),
        ("Keyward", json!({ "permissions": {} }), "/service"),
    ] {
        let path = format!("/services/{service}/permissions");
        let told = program.put(&path, body.clone()).await.expect(422).json();
        assert_eq!(told["errors"][0]["pointer"], pointer, "{service} {body}");
    }
    assert_eq!(app.count("audit_events").await, before);
}
