//! Document 002 replayed: API keys, policies and permissions, by path and by the names of the calls.
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Program, TestApp, on_both};

on_both! {
    point_20_a_key_needs_a_policy,
    point_21_names_are_unique_for_keys_and_for_policies,
    point_22_and_23_another_policy_or_another_permission_is_effective_immediately,
    point_24_a_deleted_key_is_refused_at_once,
    point_25_a_policy_takes_its_keys_along_if_that_was_expected,
    a_policy_takes_no_keys_along_for_a_program_that_may_end_none,
    point_26_and_27_policies_and_permissions_are_listed_as_documented,
    each_call_has_its_name,
    a_key_of_another_kind_is_none_here,
    a_request_sent_again_is_told_where_its_key_is,
    a_program_that_changes_keys_only_gives_none_a_policy,
}

const ALL: [&str; 2] = ["keys:write", "access:write"];

/// A program in a subscription whose orders service declares two permissions.
async fn caller(app: &TestApp) -> Program<'_> {
    app.desk("acme").await.declare("orders", &["read", "write"]).await;
    app.program(&ALL).await
}

async fn policy(program: &Program<'_>, name: &str, permissions: &[&str]) -> Value {
    let new = json!({ "name": name, "permissions": permissions });
    program.post("/api_keys/policies", new).await.expect(201).json()["policy"].clone()
}

async fn key(program: &Program<'_>, name: &str, policy: &Value) -> Value {
    let new = json!({ "name": name, "policy_id": policy["id"] });
    program.post("/api_keys", new).await.expect(201).json()
}

fn text(it: &Value) -> &str {
    it.as_str().unwrap()
}

async fn may(app: &TestApp, key: &Value, permission: &str) -> u16 {
    app.service().asks(text(&key["key"]), &format!("permission={permission}")).await.status
}

async fn point_20_a_key_needs_a_policy(app: &TestApp) {
    let program = caller(app).await;
    let without = program.post("/api_keys", json!({ "name": "billing" })).await.expect(422).json();
    assert!(text(&without["message"]).contains("policy_id"), "{without}");
    let gone = json!({ "name": "billing", "policy_id": Uuid::nil() });
    program.post("/api_keys", gone).await.expect(422);
    assert_eq!(program.get("/api_keys").await.expect(200).json()["api_keys"], json!([]));
    let readers = policy(&program, "Readers", &["orders:read"]).await;
    let made = key(&program, "billing", &readers).await;
    assert_eq!(made["api_key"]["policy_name"], "Readers");
    assert_eq!(may(app, &made, "orders:read").await, 204);
    assert_eq!(may(app, &made, "orders:write").await, 403);
    // The key is in that answer only.
    let path = format!("/api_keys/{}", text(&made["api_key"]["id"]));
    for path in ["/api_keys", &path] {
        let answer = program.get(path).await.expect(200);
        assert!(answer.text().contains("billing") && !answer.text().contains(text(&made["key"])));
    }
}

async fn point_21_names_are_unique_for_keys_and_for_policies(app: &TestApp) {
    let program = caller(app).await;
    let readers = policy(&program, "Readers", &["orders:read"]).await;
    key(&program, "billing", &readers).await;
    let again = json!({ "name": "Billing", "policy_id": readers["id"] });
    let told = program.post("/api_keys", again).await.expect(409).json();
    assert!(text(&told["message"]).contains("already exists"), "{told}");
    let again = json!({ "name": "READERS", "permissions": [] });
    let told = program.post("/api_keys/policies", again).await.expect(409).json();
    assert!(text(&told["message"]).contains("already exists"), "{told}");
}

async fn point_22_and_23_another_policy_or_another_permission_is_effective_immediately(
    app: &TestApp,
) {
    let program = caller(app).await;
    let readers = policy(&program, "Readers", &["orders:read"]).await;
    let writers = policy(&program, "Writers", &["orders:write"]).await;
    let it = key(&program, "billing", &readers).await;
    let path = format!("/api_keys/{}", text(&it["api_key"]["id"]));
    let both = json!({ "name": "invoicing", "policy_id": writers["id"] });
    program.put(&path, both).await.expect(422);
    let changed = program.put(&path, json!({ "policy_id": writers["id"] })).await.expect(200);
    assert_eq!(changed.json()["api_key"]["policy_name"], "Writers");
    assert_eq!(
        (may(app, &it, "orders:read").await, may(app, &it, "orders:write").await),
        (403, 204)
    );
    let renamed = program.put(&path, json!({ "name": "invoicing" })).await.expect(200);
    assert_eq!(renamed.json()["api_key"]["name"], "invoicing");
    let edited = json!({ "permissions": ["orders:read"] });
    let of = format!("/api_keys/policies/{}", text(&writers["id"]));
    program.put(&of, edited).await.expect(200);
    assert_eq!(
        (may(app, &it, "orders:read").await, may(app, &it, "orders:write").await),
        (204, 403)
    );
    program.put(&of, json!({ "permissions": ["never:declared"] })).await.expect(422);
    assert_eq!(may(app, &it, "orders:read").await, 204);
}

async fn point_24_a_deleted_key_is_refused_at_once(app: &TestApp) {
    let program = caller(app).await;
    let readers = policy(&program, "Readers", &["orders:read"]).await;
    let it = key(&program, "billing", &readers).await;
    let path = format!("/api_keys/{}", text(&it["api_key"]["id"]));
    program.delete(&path).await.expect(204);
    assert_eq!(may(app, &it, "orders:read").await, 401);
    program.get(&path).await.expect(404);
    program.delete(&path).await.expect(404);
}

async fn point_25_a_policy_takes_its_keys_along_if_that_was_expected(app: &TestApp) {
    let program = caller(app).await;
    let readers = policy(&program, "Readers", &["orders:read"]).await;
    let one = key(&program, "billing", &readers).await;
    let two = key(&program, "shipping", &readers).await;
    let path = format!("/api_keys/policies/{}", text(&readers["id"]));
    for wrong in ["", "?expect=1", "?expect=3"] {
        let told = program.delete(&format!("{path}{wrong}")).await.expect(409).json();
        assert_eq!(told["expect"], 2);
        let mut names: Vec<_> =
            told["api_keys"].as_array().unwrap().iter().map(|it| text(&it["name"])).collect();
        names.sort();
        assert_eq!(names, ["billing", "shipping"]);
    }
    let shown = program.delete(&path).await.expect(409).header("etag").unwrap().to_owned();
    // A further key is another picture.
    let three = key(&program, "returns", &readers).await;
    let seen = [("if-match", shown.as_str())];
    program.send((Method::DELETE, &path), &seen, Value::Null).await.expect(409);
    for it in [&one, &two, &three] {
        assert_eq!(may(app, it, "orders:read").await, 204);
    }
    program.delete(&format!("{path}?expect=3")).await.expect(204);
    for it in [&one, &two, &three] {
        assert_eq!(may(app, it, "orders:read").await, 401);
    }
    assert_eq!(program.get("/api_keys/policies").await.json(), json!({ "policies": [] }));
}

async fn a_policy_takes_no_keys_along_for_a_program_that_may_end_none(app: &TestApp) {
    let program = caller(app).await;
    let readers = policy(&program, "Readers", &["orders:read"]).await;
    let it = key(&program, "billing", &readers).await;
    let other = app.program(&["access:write"]).await;
    let path = format!("/api_keys/policies/{}?expect=1", text(&readers["id"]));
    let told = other.delete(&path).await.expect(403).json();
    assert!(text(&told["message"]).contains("keys:write"), "{told}");
    let by_name = json!({ "id": readers["id"], "expect": 1 });
    other.rpc("AdminDeleteApiKeyPolicy", by_name).await.expect(403);
    assert_eq!(may(app, &it, "orders:read").await, 204);
    let empty = policy(&other, "Nobody's", &[]).await;
    other.delete(&format!("/api_keys/policies/{}?expect=0", text(&empty["id"]))).await.expect(204);
}

async fn point_26_and_27_policies_and_permissions_are_listed_as_documented(app: &TestApp) {
    let program = caller(app).await;
    let readers = policy(&program, "Readers", &["orders:read"]).await;
    let all = program.get("/api_keys/policies").await.expect(200).json();
    assert_eq!(all, json!({ "policies": [readers] }));
    let all = program.get("/api_keys/permissions").await.expect(200).json();
    let names = all["permissions"].as_array().unwrap().iter().map(|it| text(&it["name"]));
    let names: Vec<_> = names.filter(|it| it.starts_with("orders:")).collect();
    assert_eq!(names, ["orders:read", "orders:write"]);
}

async fn each_call_has_its_name(app: &TestApp) {
    let program = caller(app).await;
    let rpc =
        async |name: &str, body: Value, status: u16| program.rpc(name, body).await.expect(status);
    let new = json!({ "name": "Readers", "permissions": ["orders:read"] });
    let readers = rpc("AdminCreateApiKeyPolicy", new, 201).await.json()["policy"].clone();
    let new = json!({ "name": "billing", "policy_id": readers["id"] });
    let it = rpc("AdminCreateApiKey", new, 201).await.json();
    let id = &it["api_key"]["id"];
    assert_eq!(may(app, &it, "orders:read").await, 204);
    let renamed = rpc("AdminUpdateApiKey", json!({ "id": id, "name": "invoicing" }), 200).await;
    assert_eq!(renamed.json()["api_key"]["name"], "invoicing");
    let change = json!({ "id": readers["id"], "permissions": ["orders:write"] });
    rpc("AdminUpdateApiKeyPolicy", change, 200).await;
    assert_eq!(may(app, &it, "orders:write").await, 204);
    let policies = rpc("AdminGetApiKeyPolicies", json!({}), 200).await.json();
    assert_eq!(policies["policies"][0]["permissions"], json!(["orders:write"]));
    let permissions = rpc("AdminGetApiKeyPermissions", json!({}), 200).await.json();
    assert!(permissions["permissions"].is_array());
    rpc("AdminGetApiKeyPolicies", json!({ "page": 1 }), 422).await;
    rpc("AdminUpdateApiKey", json!({ "name": "x" }), 422).await;
    rpc("AdminUpdateApiKey", json!({ "id": id, "nmae": "x" }), 422).await;
    rpc("AdminDeleteApiKey", json!({ "id": id }), 204).await;
    assert_eq!(may(app, &it, "orders:write").await, 401);
    rpc("AdminDeleteApiKeyPolicy", json!({ "id": readers["id"] }), 409).await;
    rpc("AdminDeleteApiKeyPolicy", json!({ "id": readers["id"], "expect": 0 }), 204).await;
}

async fn a_key_of_another_kind_is_none_here(app: &TestApp) {
    let program = caller(app).await;
    let desk = app.desk("acme").await;
    let free = desk.group("free", desk.days(90)).await.instance.key_group_id;
    let client = desk.client("pipeline").await.id;
    for id in [free, client] {
        program.get(&format!("/api_keys/{id}")).await.expect(404);
        program.delete(&format!("/api_keys/{id}")).await.expect(404);
    }
    assert_eq!(program.get("/api_keys").await.json()["api_keys"], json!([]));
}

async fn a_request_sent_again_is_told_where_its_key_is(app: &TestApp) {
    let program = caller(app).await;
    let readers = policy(&program, "Readers", &["orders:read"]).await;
    let (once, to) = ([("idempotency-key", "deploy-4711")], (Method::POST, "/api_keys"));
    let new = json!({ "name": "billing", "policy_id": readers["id"] });
    let first = program.send(to.clone(), &once, new.clone()).await.expect(201);
    let again = program.send(to, &once, new).await.expect(409);
    assert_eq!(again.location(), first.location());
    assert_eq!(again.json()["error"], "already_done");
    let made = first.json();
    assert!(!again.text().contains(text(&made["key"])));
    let path = again.location().strip_prefix("/api/v1").unwrap().to_owned();
    assert_eq!(program.get(&path).await.expect(200).json()["api_key"]["id"], made["api_key"]["id"]);
    assert_eq!(program.get("/api_keys").await.json()["api_keys"].as_array().unwrap().len(), 1);
}

async fn a_program_that_changes_keys_only_gives_none_a_policy(app: &TestApp) {
    let program = caller(app).await;
    let readers = policy(&program, "Readers", &["orders:read"]).await;
    let writers = policy(&program, "Writers", &["orders:write"]).await;
    let it = key(&program, "billing", &readers).await;
    let lacking = app.program(&["keys:write"]).await;
    let new = json!({ "name": "another", "policy_id": writers["id"] });
    let change = json!({ "policy_id": writers["id"] });
    let by_name = json!({ "id": it["api_key"]["id"], "policy_id": writers["id"] });
    let path = format!("/api_keys/{}", text(&it["api_key"]["id"]));
    for refused in [
        lacking.post("/api_keys", new.clone()).await,
        lacking.put(&path, change).await,
        lacking.rpc("AdminCreateApiKey", new).await,
        lacking.rpc("AdminUpdateApiKey", by_name).await,
    ] {
        let told = refused.expect(403).json();
        assert!(text(&told["message"]).contains("access:write"), "{told}");
    }
    assert_eq!(
        (may(app, &it, "orders:read").await, may(app, &it, "orders:write").await),
        (204, 403)
    );
    lacking.put(&path, json!({ "name": "renamed" })).await.expect(200);
}
