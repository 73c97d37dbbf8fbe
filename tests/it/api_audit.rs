//! The audit log through the native interface.
use chrono::TimeDelta;
use keyward::clock::iso;
use serde_json::{Value, json};

use crate::support::{TestApp, on_both};

on_both! {
    the_log_is_read_from_its_newest_row_on_and_has_no_secret,
    rows_are_found_by_who_what_and_when,
    why_a_key_was_taken_out_of_use_is_in_it,
    it_takes_a_scope_of_its_own_and_shows_one_subscription,
}

fn text(it: &Value) -> &str {
    it.as_str().unwrap()
}

async fn the_log_is_read_from_its_newest_row_on_and_has_no_secret(app: &TestApp) {
    let program = app.program(&["keys:write", "audit:read"]).await;
    let new = json!({ "name": "quote-engine" });
    let made = program.post("/key-groups", new).await.expect(201).json();
    let path = format!("/key-groups/{}", text(&made["key_group"]["id"]));
    program.patch(&path, json!({ "description": "Quotes" })).await.expect(200);
    let all = program.get("/audit").await.expect(200);
    assert!(!all.text().contains(text(&made["secret"])));
    let all = all.json();
    let rows = all["data"].as_array().unwrap();
    let newest = &rows[0];
    assert_eq!(newest["action"], "key_group.edited");
    assert_eq!(newest["object"]["name"], "quote-engine");
    assert_eq!(newest["object"]["id"], made["key_group"]["id"]);
    assert_eq!(newest["actor"]["name"], "token for keys:write audit:read");
    assert_eq!(newest["before"]["description"], "");
    assert_eq!(newest["after"]["description"], "Quotes");
    assert_eq!((&newest["outcome"], &newest["from"]), (&json!("done"), &json!("127.0.0.1")));
    // Page by page it is the same.
    let (mut path, mut seen) = ("/audit?limit=2".to_owned(), Vec::new());
    loop {
        let answer = program.get(&path).await.expect(200);
        let body = answer.json();
        seen.extend(body["data"].as_array().unwrap().clone());
        let Some(cursor) = body["next_cursor"].as_str() else { break };
        let link = format!("</api/v1/audit?limit=2&cursor={cursor}>; rel=\"next\"");
        assert_eq!(answer.header("link"), Some(link.as_str()));
        path = format!("/audit?limit=2&cursor={cursor}");
    }
    assert_eq!(&seen, rows);
    let numbers: Vec<i64> = seen.iter().map(|it| it["number"].as_i64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a > b) && numbers.last() == Some(&1), "{numbers:?}");
}

async fn rows_are_found_by_who_what_and_when(app: &TestApp) {
    let desk = app.desk("acme").await;
    let program = app.program(&["audit:read"]).await;
    let key = desk.group("quote-engine", desk.days(90)).await.instance;
    app.clock.advance(TimeDelta::hours(1));
    let at = iso(app.clock.now());
    let policy = desk.policy("Readers", &[]).await;
    let found = async |query: &str| {
        let body = program.get(&format!("/audit?{query}")).await.expect(200).json();
        let rows = body["data"].as_array().unwrap().iter();
        rows.map(|it| text(&it["action"]).to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found(&format!("object={}", key.id)).await, "key_instance.created");
    assert_eq!(found("action=policy.created").await, "policy.created");
    assert_eq!(found(&format!("since={at}")).await, "policy.created");
    assert!(!found(&format!("until={at}")).await.contains("policy.created"));
    assert_eq!(found(&format!("since={at}&until={at}")).await, "");
    let by = format!("actor={}&action=policy.created", policy.created_by);
    assert_eq!(found(&by).await, "policy.created");
    assert_eq!(found(&format!("actor={}", key.id)).await, "");
    assert_eq!(found("action=no.such").await, "");
    for wrong in [
        "since=yesterday",
        "actor=ida",
        "object=x",
        "limit=0",
        "cursor=x",
        "before=3",
        "action=a&action=b",
        "q=kw_0123",
    ] {
        let refused = program.get(&format!("/audit?{wrong}")).await.expect(400);
        assert!(!refused.text().contains("kw_0123"), "{wrong}");
    }
}

async fn why_a_key_was_taken_out_of_use_is_in_it(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.instance;
    let program = app.program(&["keys:write", "audit:read"]).await;
    let post = async |act: &str, body: Value| {
        program.post(&format!("/instances/{}/{act}", key.id), body).await
    };
    for wrong in
        [json!({ "reason": "x".repeat(201) }), json!({ "reason": 7 }), json!({ "why": "" })]
    {
        for act in ["deactivation", "revocation"] {
            let told = post(act, wrong.clone()).await;
            assert!([400, 422].contains(&told.status), "{wrong}: {told:?}");
        }
    }
    post("deactivation", json!({ "reason": "Leaked" })).await.expect(200);
    // Nothing need be said.
    post("revocation", json!({})).await.expect(200);
    let body = program.get(&format!("/audit?object={}&limit=2", key.id)).await.expect(200).json();
    let [revoked, deactivated] = [&body["data"][0]["after"], &body["data"][1]["after"]];
    assert_eq!((&deactivated["reason"], &revoked["reason"]), (&json!("Leaked"), &Value::Null));
}

async fn it_takes_a_scope_of_its_own_and_shows_one_subscription(app: &TestApp) {
    let globex = app.desk("globex").await;
    let foreign = globex.group("batch", globex.days(90)).await.instance;
    let program = app.program(&["audit:read"]).await;
    let body = program.get(&format!("/audit?object={}", foreign.id)).await.expect(200).json();
    assert_eq!(body, json!({ "data": [], "next_cursor": null }));
    let other = app.program(&["keys:write", "access:write", "keys:verify"]).await;
    other.get("/audit").await.expect(403);
    // And that is told there.
    let body = program.get("/audit?limit=1").await.expect(200).json();
    let newest = &body["data"][0];
    assert_eq!((&newest["action"], &newest["outcome"]), (&json!("authz.fail"), &json!("refused")));
    assert_eq!((&newest["object"], &newest["before"]), (&Value::Null, &Value::Null));
}
