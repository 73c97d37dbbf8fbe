//! Requests to the interfaces for programs that were sent before, and bodies that are not what they look like.
use chrono::TimeDelta;
use keyward::domain::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Program, SECRET, TestApp, on_both};

on_both! {
    what_was_done_is_told_whatever_has_changed_since,
    a_body_is_an_object_and_has_each_field_once,
    what_is_there_already_is_a_rule_and_no_mistyped_value,
    only_members_can_be_in_a_user_group,
    a_list_of_keys_says_where_it_goes_on,
    the_warning_is_told_alike_by_each_answer,
    who_has_the_document_is_not_sent_it_again,
}

const ALL: [&str; 4] = ["keys:read", "keys:write", "access:read", "access:write"];

async fn once(program: &Program<'_>, path: &str, key: &str, body: &Value) -> Answer {
    program.send((Method::POST, path), &[("idempotency-key", key)], body.clone()).await
}

/// Where the first one's result is.
#[track_caller]
fn is_told(first: &Answer, second: Answer) {
    assert_eq!(first.status, 201, "{first:?}");
    let second = second.expect(409);
    assert!(second.text().contains("was done already"), "{second:?}");
    assert_eq!(second.header("location"), first.header("location"));
}

async fn what_was_done_is_told_whatever_has_changed_since(app: &TestApp) {
    let (desk, program) = (app.desk("acme").await, app.program(&ALL).await);
    let token = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let client = desk.client("billing").await.id;
    let soon = (app.clock.now() + TimeDelta::seconds(2)).to_rfc3339();
    let later = (app.clock.now() + TimeDelta::days(80)).to_rfc3339();
    let of = |group, what| format!("/key-groups/{group}/{what}");
    let starts_later = (app.clock.now() + TimeDelta::days(20)).to_rfc3339();
    let all = [
        (of(client, "instances"), json!({ "key": SECRET })),
        (of(token, "rotation"), json!({ "overlap": "now", "new": { "from": starts_later } })),
        (of(token, "instances"), json!({ "until": soon })),
        ("/key-groups".to_owned(), json!({ "name": "short", "instance": { "until": soon } })),
        ("/key-groups".to_owned(), json!({ "name": "long", "instance": { "until": later } })),
    ];
    let mut first = Vec::new();
    for (n, (path, body)) in all.iter().enumerate() {
        first.push(once(&program, path, &format!("n-{n}"), body).await);
    }
    app.clock.advance(TimeDelta::seconds(3));
    desk.change_settings(|it| (it.default_lifetime_days, it.max_lifetime_days) = (30, Some(30)))
        .await;
    let before = app.count("key_instances").await;
    for (n, (path, body)) in all.iter().enumerate() {
        is_told(&first[n], once(&program, path, &format!("n-{n}"), body).await);
    }
    let reused = once(&program, &all[2].0, "n-0", &all[2].1).await.expect(409);
    assert!(!reused.text().contains("was done already"), "{reused:?}");
    assert_eq!(app.count("key_instances").await, before);
}

async fn a_body_is_an_object_and_has_each_field_once(app: &TestApp) {
    let (desk, program) = (app.desk("acme").await, app.program(&ALL).await);
    let key = desk.group("quote-engine", desk.days(90)).await.instance;
    let other = desk.group("billing", desk.days(90)).await.instance;
    for (path, body) in [
        ("/key-groups".to_owned(), json!(["a", "", "", "token", null, null])),
        ("/policies".to_owned(), json!(["a", "", []])),
        (format!("/instances/{}/revocation", key.id), json!([])),
    ] {
        let told = program.post(&path, body).await.expect(422);
        assert!(told.text().contains("a JSON object"), "{path}: {told:?}");
    }
    for kind in [json!(null), json!(1), json!([]), json!({ "token": null }), json!("Token")] {
        let body = json!({ "name": "a", "kind": kind });
        let told = program.post("/key-groups", body).await.expect(422);
        assert!(told.text().contains("/kind"), "{kind}: {told:?}");
    }
    let twice = format!(r#"{{"id":"{}","id":"{}"}}"#, key.key_group_id, other.key_group_id);
    let raw = app.client.post(app.url("/rpc/AdminDeleteApiKey"));
    let (_, token) = desk.token(&ALL).await;
    let raw = raw.bearer_auth(token).header("content-type", "application/json").body(twice);
    assert_eq!(raw.send().await.unwrap().status(), 422);
    assert_eq!(app.count("key_instances").await, 2);
    assert_eq!(app.count("key_groups").await, 2);
}

async fn what_is_there_already_is_a_rule_and_no_mistyped_value(app: &TestApp) {
    let (desk, program) = (app.desk("acme").await, app.program(&ALL).await);
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Read", &["orders:read"]).await.id;
    let role = json!({ "policy": policy });
    program.post("/workspace-roles", role.clone()).await.expect(201);
    program.post("/workspace-roles", role).await.expect(409);
    program.post("/workspaces", json!({ "name": "one", "slug": "w1" })).await.expect(201);
    let told = program.post("/workspaces", json!({ "name": "two", "slug": "w1" })).await;
    assert!(told.expect(409).text().contains("/slug"));
}

async fn only_members_can_be_in_a_user_group(app: &TestApp) {
    let program = app.program(&ALL).await;
    let stranger = app.user("globex", Role::Member).await.id;
    let body = json!({ "name": "x", "members": [stranger] });
    let told = program.post("/user-groups", body).await.expect(422);
    assert!(told.text().contains("/members"), "{told:?}");
    assert_eq!(app.count("user_groups").await, 0);
}

async fn a_list_of_keys_says_where_it_goes_on(app: &TestApp) {
    let (desk, program) = (app.desk("acme").await, app.program(&ALL).await);
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Read", &["orders:read"]).await.id;
    for name in ["one", "two", "three"] {
        let new = json!({ "name": name, "policy_id": policy });
        program.post("/api_keys", new).await.expect(201);
    }
    let mut names = Vec::new();
    let mut path = "/api_keys?limit=2".to_owned();
    loop {
        let page = program.get(&path).await.expect(200);
        let all = page.json();
        names.extend(all["api_keys"].as_array().unwrap().iter().map(|it| it["name"].clone()));
        let Some(link) = page.header("link") else { break };
        assert!(all["next_cursor"].is_string(), "{all}");
        let next = link.strip_prefix("</api/v1").and_then(|it| it.split_once('>')).unwrap();
        assert_eq!(next.1, "; rel=\"next\"");
        path = next.0.to_owned();
    }
    assert_eq!(names.len(), 3);
}

async fn the_warning_is_told_alike_by_each_answer(app: &TestApp) {
    let desk = app.desk("acme").await;
    let program = app.program(&["keys:verify", "keys:read"]).await;
    let key = desk.group("quote-engine", desk.days(3)).await;
    let group = key.instance.key_group_id;
    let of_key = format!("/instances/{}", key.instance.id);
    let ms = TimeDelta::milliseconds(1);
    for (by, warns) in [(TimeDelta::days(1) - ms, false), (ms, true)] {
        app.clock.advance(by);
        let question = json!({ "secret": key.secret.expose() });
        let told = program.post("/verify", question).await.expect(200).json();
        assert_eq!(told["warning"], warns);
        assert_eq!(told["from"], "2026-11-20T10:30:00.000Z");
        assert_eq!(told["until"], "2026-11-23T10:30:00.000Z");
        for path in [&of_key, &format!("/key-groups/{group}")] {
            assert_eq!(program.get(path).await.expect(200).json()["warning"], warns, "{path}");
        }
    }
}

async fn who_has_the_document_is_not_sent_it_again(app: &TestApp) {
    for path in ["/api/v1/openapi.json", "/robots.txt"] {
        let tag = app.service().ask(Method::GET, path, &[]).await.expect(200);
        let tag = tag.header("etag").unwrap().to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let asked = [("if-none-match", known.as_str())];
            app.service().ask(Method::GET, path, &asked).await.expect(304);
        }
        let asked = [("if-none-match", "\"x\"")];
        app.service().ask(Method::GET, path, &asked).await.expect(200);
    }
}
