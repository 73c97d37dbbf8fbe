//! Document 004's list call by a service that shows its own key.
use chrono::TimeDelta;
use keyward::{
    domain::{Role, permission},
    key_instances,
};
use serde_json::{Value, json};

use crate::support::{Answer, Desk, TestApp, basic, held, ids, on_both};

on_both! {
    a_key_with_the_permission_lists_all_keys_of_its_subscription,
    each_kind_of_credential_will_do,
    a_key_without_the_permission_is_told_so_and_any_other_is_refused,
    a_key_can_do_nothing_else,
    its_call_counts_as_a_use,
    the_permission_is_there_without_a_declaration,
}

const LIST: &str = "/api/v1/instances";

async fn lists(app: &TestApp, headers: &[(&str, &str)]) -> Answer {
    app.service().ask("GET".parse().unwrap(), LIST, headers).await
}

async fn bearer(app: &TestApp, key: &str) -> Answer {
    lists(app, &[("authorization", &format!("Bearer {key}"))]).await
}

/// A policy with the permission.
async fn policy(desk: &Desk<'_>) -> uuid::Uuid {
    desk.policy("Inventory", &[permission::READ_INSTANCES]).await.id
}

async fn a_key_with_the_permission_lists_all_keys_of_its_subscription(app: &TestApp) {
    let (desk, globex) = (app.desk("acme").await, app.desk("globex").await);
    globex.group("batch", globex.days(90)).await;
    let policy = policy(&desk).await;
    let readers = desk.user_group("Inventory", &[policy]).await.id;
    let key = desk.group_with("inventory", &held(None, &[readers])).await;
    app.clock.advance(TimeDelta::milliseconds(1));
    desk.group("quote-engine", desk.days(90)).await;
    let answer = bearer(app, key.secret.expose()).await.expect(200);
    assert!(!answer.text().contains(key.secret.expose()));
    let body = answer.json();
    let rows = body["data"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["quote-engine", "inventory"]);
    assert_eq!(rows[1]["user_groups"], json!([{ "id": readers, "name": "Inventory" }]));
    assert!(rows[1]["from"].is_string() && rows[1]["until"].is_string());
    // Another policy, and it is over at once.
    desk.edit_policy(policy, &[]).await;
    bearer(app, key.secret.expose()).await.expect(403);
}

async fn each_kind_of_credential_will_do(app: &TestApp) {
    let desk = app.desk("acme").await;
    let held = held(Some(policy(&desk).await), &[]);
    let key = desk.group_with("inventory", &held).await;
    let custom = "Zr7-qPw2Lk9xBn4Td6Vy";
    desk.own_key(key.instance.key_group_id, custom, desk.days(90)).await;
    let client = desk.client("pipeline").await;
    desk.give(client.id, &held).await;
    let made = desk.key(client.id, desk.days(90)).await;
    let own = "9011@83sd!f1042ds+f19fg86M";
    desk.own_key(client.id, own, desk.days(90)).await;

    let (custom_bearer, tenant) = (format!("Bearer {custom}"), ("x-tenant-name", "acme"));
    let secret = key.secret.expose();
    let pairs = [made.secret.expose(), own].map(|it| basic(&client.client_id, it));
    lists(app, &[("authorization", &custom_bearer), tenant]).await.expect(200);
    lists(app, &[("x-synthetic-key", custom), tenant]).await.expect(200);
    lists(app, &[("x-synthetic-key", secret), tenant]).await.expect(200);
    for pair in &pairs {
        lists(app, &[("authorization", pair)]).await.expect(200);
    }
    // A custom key is known within its tenant only, and this header means nothing without one.
    for wrong in [
        vec![("authorization", custom_bearer.as_str())],
        vec![("x-synthetic-key", secret)],
        vec![("x-synthetic-key", custom), ("x-tenant-name", "globex")],
        vec![("x-synthetic-key", secret), ("x-tenant-name", "globex")],
    ] {
        lists(app, &wrong).await.expect(401);
    }
    let (_, token) = desk.token(&["keys:read"]).await;
    let token = format!("Bearer {token}");
    lists(app, &[("authorization", &token)]).await.expect(200);
    for two in [
        [("authorization", token.as_str()), ("x-synthetic-key", secret)],
        [("authorization", pairs[0].as_str()), ("authorization", pairs[1].as_str())],
        [("x-synthetic-key", secret), ("x-synthetic-key", secret)],
    ] {
        let told = lists(app, &two).await.expect(400).json();
        assert_eq!(told["type"], "urn:keyward:problem:ambiguous_credentials");
    }
}

async fn a_key_without_the_permission_is_told_so_and_any_other_is_refused(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let secret = key.secret.expose();
    let told = bearer(app, secret).await.expect(403);
    assert!(told.text().contains(permission::READ_INSTANCES), "{}", told.text());
    // In one workspace only is not in the subscription.
    let (policy, workspace) = (policy(&desk).await, desk.workspace("Europe").await.id);
    let role = desk.role(policy, Some(workspace)).await.id;
    let mut held = held(None, &[]);
    held.roles.insert(role);
    desk.give(key.instance.key_group_id, &held).await;
    bearer(app, secret).await.expect(403);
    held.policy = Some(policy);
    desk.give(key.instance.key_group_id, &held).await;
    bearer(app, secret).await.expect(200);
    key_instances::revoke(&desk.act(), ids(&key)).await.unwrap();
    for wrong in [secret, "", "x", "kw_0123", &secret[1..]] {
        let told = bearer(app, wrong).await.expect(401);
        assert!(told.header("www-authenticate").is_some(), "{wrong}");
    }
    // A person is none.
    let user = app.user("acme", Role::Admin).await;
    let personal = app.personal_key(&user).await.token();
    bearer(app, personal.expose()).await.expect(403);
}

async fn a_key_can_do_nothing_else(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group_with("inventory", &held(Some(policy(&desk).await), &[])).await;
    let secret = format!("Bearer {}", key.secret.expose());
    let shown = [("authorization", secret.as_str())];
    let own = format!("{LIST}/{}", key.instance.id);
    for (method, path) in [
        ("GET", own.as_str()),
        ("PATCH", &own),
        ("POST", &format!("{own}/revocation")),
        ("GET", "/api/v1/key-groups"),
        ("GET", "/api/v1/policies"),
        ("GET", "/api/v1/permissions"),
        ("GET", "/api/v1/audit"),
        ("POST", "/api/v1/verify"),
    ] {
        let told = app.service().ask(method.parse().unwrap(), path, &shown).await.expect(403);
        assert_eq!(told.json()["type"], "urn:keyward:problem:key_not_accepted", "{path}");
    }
}

async fn its_call_counts_as_a_use(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group_with("inventory", &held(Some(policy(&desk).await), &[])).await;
    app.clock.advance(TimeDelta::milliseconds(1));
    let other = desk.group("quote-engine", desk.days(90)).await;
    bearer(app, key.secret.expose()).await.expect(200);
    bearer(app, other.secret.expose()).await.expect(403);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let sql = "SELECT last_used_at, last_refused_at FROM key_instances ORDER BY id";
    let seen = app.query(sql).await;
    assert!(seen[0]["last_used_at"].is_i64() && seen[0]["last_refused_at"].is_null());
    assert!(seen[1]["last_used_at"].is_null() && seen[1]["last_refused_at"].is_i64());
}

async fn the_permission_is_there_without_a_declaration(app: &TestApp) {
    let admin = app.admin("acme").await;
    let list = admin.get("/s/acme/permissions").await.expect(200);
    assert!(list.plain().contains(permission::READ_INSTANCES));
    assert!(!list.text().contains("/permissions/keyward/edit"));
    admin.get("/s/acme/permissions/keyward/edit").await.expect(404);
    let form = admin.get("/s/acme/policies/new").await.expect(200);
    assert!(form.text().contains("value=\"keyward:instances.read\""));
    // Nobody declares anything beside it.
    let fields = [("service", "keyward"), ("actions", "write Write all")];
    let refused = admin.post("/s/acme/permissions/new", &fields).await.expect(422);
    assert!(refused.error_at("service").contains("Keyward's own"), "{}", refused.text());
    let program = app.program(&["access:write"]).await;
    let new = json!({ "name": "Inventory", "permissions": [permission::READ_INSTANCES] });
    program.post("/policies", new).await.expect(201);
    let all = program.get("/permissions").await.expect(200).json();
    let names: Vec<&Value> = all["data"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, [permission::READ_INSTANCES]);
}
