//! Key groups and keys through the native interface.
use chrono::TimeDelta;
use keyward::pepper::hex;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Program, TestApp, on_both};

on_both! {
    a_group_and_its_first_key_are_made_in_one_request_and_the_key_works,
    a_client_gets_its_secrets_afterwards,
    a_key_is_rotated_deactivated_reactivated_and_revoked,
    a_request_sent_again_makes_nothing_twice_and_gives_no_secret_twice,
    a_request_is_remembered_by_nothing_that_its_secret_could_be_guessed_from,
    whoever_did_not_see_the_newest_state_changes_nothing,
    of_two_who_saw_the_same_state_one_changes_it,
    lists_go_on_where_their_cursor_says_until_all_were_seen,
    keys_are_found_by_status_use_and_end,
    a_body_that_will_not_do_is_told_where_and_why,
    what_a_key_group_holds_takes_a_scope_of_its_own,
    the_audit_log_names_the_token_and_the_secret_needs_no_confirmation,
    a_suspended_subscription_is_read_and_not_changed,
}

const ALL: [&str; 2] = ["keys:write", "access:write"];

async fn made(program: &Program<'_>, name: &str) -> Value {
    program.post("/key-groups", json!({ "name": name })).await.expect(201).json()
}

fn text(it: &Value) -> &str {
    it.as_str().unwrap()
}

async fn a_group_and_its_first_key_are_made_in_one_request_and_the_key_works(app: &TestApp) {
    let program = app.program(&ALL).await;
    let new = json!({
        "name": "quote-engine",
        "description": "Quotes for partners",
        "instance": { "until": "2027-02-18T10:30:00.123456Z", "note": "blue" },
    });
    let answer = program.post("/key-groups", new).await.expect(201);
    let body = answer.json();
    let key = text(&body["instance"]["id"]).to_owned();
    assert_eq!(answer.location(), format!("/api/v1/instances/{key}"));
    assert_eq!(body["key_group"]["name"], "quote-engine");
    assert_eq!(body["key_group"]["kind"], "token");
    let instance = &body["instance"];
    assert_eq!((&instance["label"], &instance["status"]), (&json!("k-1"), &json!("active")));
    assert_eq!(instance["until"], "2027-02-18T10:30:00.123Z");
    assert_eq!(
        (&instance["description"], &instance["note"]),
        (&json!("Quotes for partners"), &json!("blue"))
    );
    let secret = text(&body["secret"]);
    app.service().bearer(secret).await.expect(204);
    // The secret is in this answer and in no other.
    for path in ["/key-groups", "/instances", &format!("/instances/{key}")] {
        let answer = program.get(path).await.expect(200);
        assert!(!answer.text().contains(secret) && answer.text().contains(&key[..8]), "{path}");
    }
    let group = text(&body["key_group"]["id"]);
    let shown = program.get(&format!("/key-groups/{group}")).await.expect(200).json();
    assert_eq!(
        shown["instances"],
        json!({
            "active": 1, "active_in_the_future": 0, "expired": 0, "deactivated": 0
        })
    );
    assert_eq!(shown["coverage"]["state"], "covered");
    program.delete(&format!("/key-groups/{group}")).await.expect(204);
    program.get(&format!("/key-groups/{group}")).await.expect(404);
    app.service().bearer(secret).await.expect(401);
}

async fn a_client_gets_its_secrets_afterwards(app: &TestApp) {
    let program = app.program(&ALL).await;
    let new = json!({ "name": "pipeline", "kind": "client_credentials" });
    let body = program.post("/key-groups", new).await.expect(201).json();
    let group = &body["key_group"];
    assert!(body.get("secret").is_none() && body.get("instance").is_none());
    let path = format!("/key-groups/{}/instances", text(&group["id"]));
    let secret = program.post(&path, json!({})).await.expect(201).json()["secret"].clone();
    let id = text(&group["client_id"]);
    app.service().basic(id, text(&secret)).await.expect(204);
    program.post(&path, json!({ "key": "9011@83sd!f1042ds+f19fg86M" })).await.expect(201);
    app.service().basic(id, "9011@83sd!f1042ds+f19fg86M").await.expect(204);
    // Document 000: two at most.
    let refused = program.post(&path, json!({})).await.expect(409).json();
    assert_eq!(refused["type"], "urn:keyward:problem:refused");
    assert!(text(&refused["detail"]).contains("2 active secrets"), "{refused}");
}

async fn a_key_is_rotated_deactivated_reactivated_and_revoked(app: &TestApp) {
    let program = app.program(&ALL).await;
    let first = made(&program, "quote-engine").await;
    let group = text(&first["key_group"]["id"]);
    let rotation = format!("/key-groups/{group}/rotation");
    let second = program.post(&rotation, json!({ "overlap": "1h" })).await.expect(201).json();
    assert_eq!(second["instance"]["label"], "k-2");
    for it in [&first, &second] {
        app.service().bearer(text(&it["secret"])).await.expect(204);
    }
    app.clock.advance(TimeDelta::hours(1));
    app.service().bearer(text(&first["secret"])).await.expect(401);
    app.service().bearer(text(&second["secret"])).await.expect(204);

    let key = format!("/instances/{}", text(&second["instance"]["id"]));
    let off = program.post(&format!("{key}/deactivation"), Value::Null).await.expect(200);
    assert_eq!(off.json()["status"], "deactivated");
    app.service().bearer(text(&second["secret"])).await.expect(401);
    let again = program.post(&format!("{key}/deactivation"), Value::Null).await.expect(409);
    assert!(text(&again.json()["detail"]).contains("already deactivated"));
    // It comes back with a period that somebody has thought of (document 004).
    let none = program.post(&format!("{key}/reactivation"), json!({})).await.expect(422);
    assert!(none.text().contains("missing field `until`"), "{}", none.text());
    let on = program.post(&format!("{key}/reactivation"), json!({ "until": null })).await;
    let on = on.expect(200).json();
    assert_eq!((&on["status"], &on["until"]), (&json!("active"), &Value::Null));
    app.service().bearer(text(&second["secret"])).await.expect(204);
    let until = json!({ "until": "2027-06-01T00:00:00Z" });
    let longer = program.patch(&key, until).await.expect(200).json();
    assert_eq!(longer["until"], "2027-06-01T00:00:00.000Z");
    let end = program.post(&format!("{key}/revocation"), Value::Null).await.expect(200).json();
    assert_eq!((&end["status"], &end["revoked"]), (&json!("expired"), &json!(true)));
    app.service().bearer(text(&second["secret"])).await.expect(401);
    // Nothing active is left that could give way.
    program.post(&rotation, json!({})).await.expect(409);
}

async fn a_request_sent_again_makes_nothing_twice_and_gives_no_secret_twice(app: &TestApp) {
    let program = app.program(&ALL).await;
    let once = [("idempotency-key", "deploy-4711")];
    let new = json!({ "name": "quote-engine" });
    let to = (Method::POST, "/key-groups");
    let first = program.send(to.clone(), &once, new.clone()).await.expect(201).json();
    let again = program.send(to.clone(), &once, new).await.expect(409);
    let key = format!("/api/v1/instances/{}", text(&first["instance"]["id"]));
    assert_eq!(again.location(), key);
    assert_eq!(again.json()["type"], "urn:keyward:problem:already_done");
    assert!(!again.text().contains(text(&first["secret"])));
    // The same key for something else is a mistake of the caller.
    let other = json!({ "name": "another" });
    let other = program.send(to.clone(), &once, other).await.expect(409);
    assert!(other.text().contains("used for another request"), "{}", other.text());
    // What had no secret is answered as before.
    let client = json!({ "name": "pipeline", "kind": "client_credentials" });
    let once = [("idempotency-key", "deploy-4712")];
    let one = program.send(to.clone(), &once, client.clone()).await.expect(201).json();
    let two = program.send(to.clone(), &once, client).await.expect(201).json();
    assert_eq!(one, two);
    let all = program.get("/key-groups").await.expect(200).json();
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
    // A key of another subscription is another key.
    let desk = app.desk("globex").await;
    let (_, token) = desk.token(&ALL).await;
    let bearer = format!("Bearer {token}");
    let body = json!({ "name": "quote-engine" }).to_string();
    let request = app.client.post(app.url("/api/v1/key-groups")).header("authorization", bearer);
    let request = request.header("idempotency-key", "deploy-4711");
    let request = request.header("content-type", "application/json").body(body);
    assert_eq!(request.send().await.unwrap().status(), 201);
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    program.send(to, &twice, json!({ "name": "x" })).await.expect(400);
}

async fn a_request_is_remembered_by_nothing_that_its_secret_could_be_guessed_from(app: &TestApp) {
    let program = app.program(&ALL).await;
    let client = app.desk("acme").await.client("pipeline").await.id;
    let (path, body) =
        (format!("/key-groups/{client}/instances"), json!({ "key": "Summer-2026!" }));
    let once = [("idempotency-key", "deploy-4711")];
    program.send((Method::POST, &path), &once, body.clone()).await.expect(201);
    let kept = app
        .query("SELECT digest, fingerprint FROM submissions WHERE fingerprint IS NOT NULL")
        .await;
    let [row] = &kept[..] else { panic!("{kept:?}") };
    // Whoever has the database can compute these for every body that somebody may have sent.
    let (path, body) = (format!("/api/v1{path}"), body.to_string());
    for guess in [body.clone(), format!("{path}\n{body}"), format!("{path}{body}")] {
        let guess = hex(&Sha256::digest(guess));
        assert!(row["fingerprint"].is_string() && row["fingerprint"] != guess.as_str());
        assert_ne!(row["digest"], guess.as_str());
    }
}

async fn whoever_did_not_see_the_newest_state_changes_nothing(app: &TestApp) {
    let program = app.program(&ALL).await;
    let first = made(&program, "quote-engine").await;
    let group = format!("/key-groups/{}", text(&first["key_group"]["id"]));
    let key = format!("/instances/{}", text(&first["instance"]["id"]));
    for (path, change) in [
        (&group, json!({ "description": "new" })),
        (&key, json!({ "until": "2027-01-01T00:00:00Z" })),
        (&format!("{group}/access"), json!({})),
    ] {
        let seen = program.get(path).await.expect(200).header("etag").unwrap().to_owned();
        let method = if path.ends_with("access") { Method::PUT } else { Method::PATCH };
        let to = (method, path.as_str());
        let stale = [("if-match", "\"of-yesterday\"")];
        program.send(to.clone(), &stale, change.clone()).await.expect(412);
        assert_eq!(program.get(path).await.header("etag"), Some(seen.as_str()), "{path}");
        let fresh = [("if-match", seen.as_str())];
        program.send(to.clone(), &fresh, change.clone()).await.expect(200);
        program.send(to, &[("if-match", "*")], change).await.expect(200);
    }
    let delete = (Method::DELETE, group.as_str());
    program
        .send(delete.clone(), &[("if-match", "\"of-yesterday\"")], Value::Null)
        .await
        .expect(412);
    program.get(&group).await.expect(200);
    let revocation = format!("{key}/revocation");
    let stale = [("if-match", "\"of-yesterday\"")];
    program.send((Method::POST, &revocation), &stale, Value::Null).await.expect(412);
    app.service().bearer(text(&first["secret"])).await.expect(204);
}

async fn of_two_who_saw_the_same_state_one_changes_it(app: &TestApp) {
    let program = app.program(&ALL).await;
    let key = made(&program, "quote-engine").await;
    let key = format!("/instances/{}", text(&key["instance"]["id"]));
    for day in 1..=9 {
        let seen = program.get(&key).await.header("etag").unwrap().to_owned();
        let headers = [("if-match", seen.as_str())];
        let change = |month| {
            let until = json!({ "until": format!("2027-0{month}-0{day}T00:00:00Z") });
            program.send((Method::PATCH, &key), &headers, until)
        };
        let (one, other) = tokio::join!(change(1), change(2));
        let told = [one.status.min(other.status), one.status.max(other.status)];
        assert_eq!(told, [200, 412]);
    }
}

async fn lists_go_on_where_their_cursor_says_until_all_were_seen(app: &TestApp) {
    let program = app.program(&ALL).await;
    for n in 0..5 {
        made(&program, &format!("group-{n}")).await;
    }
    for list in ["/key-groups", "/instances", "/instances?status=live"] {
        let sign = if list.contains('?') { '&' } else { '?' };
        let (mut path, mut seen) = (format!("{list}{sign}limit=2"), Vec::new());
        loop {
            let answer = program.get(&path).await.expect(200);
            let body = answer.json();
            let rows = body["data"].as_array().unwrap();
            seen.extend(rows.iter().map(|it| text(&it["id"]).to_owned()));
            let Some(cursor) = body["next_cursor"].as_str() else {
                assert_eq!(answer.header("link"), None);
                break;
            };
            assert_eq!(rows.len(), 2);
            path = format!("{list}{sign}limit=2&cursor={cursor}");
            assert_eq!(
                answer.header("link"),
                Some(format!("</api/v1{path}>; rel=\"next\"").as_str())
            );
        }
        assert_eq!(seen.len(), 5, "{list}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 5, "{list} gives one twice");
    }
}

async fn keys_are_found_by_status_use_and_end(app: &TestApp) {
    let program = app.program(&ALL).await;
    let first = made(&program, "quote-engine").await;
    let group = text(&first["key_group"]["id"]);
    let path = format!("/key-groups/{group}/instances");
    let soon = json!({ "until": "2026-11-21T00:00:00Z", "note": "soon" });
    let later = json!({ "from": "2027-01-01T00:00:00Z", "until": null, "note": "later" });
    for new in [soon, later] {
        app.clock.advance(TimeDelta::milliseconds(1)); // ids are in the order of their making
        program.post(&path, new).await.expect(201);
    }
    app.service().bearer(text(&first["secret"])).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let found = async |query: &str| {
        let body = program.get(&format!("/instances?{query}")).await.expect(200).json();
        let rows = body["data"].as_array().unwrap().iter();
        rows.map(|it| text(&it["label"]).to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found("").await, "k-3 k-2 k-1");
    assert_eq!(found("status=active").await, "k-2 k-1");
    assert_eq!(found("status=expiring_soon").await, "k-2");
    assert_eq!(found("status=active_in_the_future").await, "k-3");
    assert_eq!(found("expiring_before=2026-12-01T00:00:00Z").await, "k-2");
    assert_eq!(found("used_within_days=1").await, "k-1");
    assert_eq!(found("status=live&used=never").await, "k-2");
    app.clock.advance(TimeDelta::days(1));
    assert_eq!(found("status=expired").await, "k-2");
    let own = program.get(&format!("{path}?status=expired")).await.expect(200).json();
    assert_eq!(own["data"].as_array().unwrap().len(), 1);
    for wrong in [
        "status=nice",
        "limit=0",
        "limit=201",
        "limit=1&limit=2",
        "cursor=x",
        "used=never&used_within_days=1",
        "status=expired&expiring_before=2026-12-01T00:00:00Z",
        "key=kw_0123",
    ] {
        let refused = program.get(&format!("/instances?{wrong}")).await.expect(400);
        assert!(!refused.text().contains("kw_0123"), "{wrong}");
    }
    // Not every database takes this character.
    program.get("/key-groups?q=a%00b").await.expect(400);
}

async fn a_body_that_will_not_do_is_told_where_and_why(app: &TestApp) {
    let program = app.program(&ALL).await;
    let first = made(&program, "quote-engine").await;
    let group = format!("/key-groups/{}", text(&first["key_group"]["id"]));
    let errors = async |path: &str, body: Value| {
        let told = program.post(path, body).await.expect(422).json();
        let all = told["errors"].as_array().unwrap().iter();
        all.map(|it| text(&it["pointer"]).to_owned()).collect::<Vec<_>>().join(" ")
    };
    let many = json!({ "name": " ", "instance": { "until": "2020-01-01T00:00:00Z", "from": "2019-01-01T00:00:00Z" } });
    assert_eq!(errors("/key-groups", many).await, "/name /instance/until");
    let taken = program.post("/key-groups", json!({ "name": "Quote-Engine" })).await.expect(409);
    assert_eq!(taken.json()["errors"][0]["pointer"], "/name");
    assert_eq!(errors("/key-groups", json!({ "nmae": "x" })).await, "/nmae");
    assert_eq!(errors("/key-groups", json!({ "name": 7 })).await, "/name");
    let gone =
        json!({ "name": "x", "access": { "policy": "8bb11574-0385-43dd-92a4-ad285d9f3d30" } });
    assert_eq!(errors("/key-groups", gone).await, "/access/policy");
    let client = json!({ "name": "x", "kind": "client_credentials", "instance": {} });
    assert_eq!(errors("/key-groups", client).await, "/instance");
    let keys = format!("{group}/instances");
    assert_eq!(errors(&keys, json!({ "key": "too-short" })).await, "/key");
    assert_eq!(errors(&format!("{group}/rotation"), json!({ "overlap": "2h" })).await, "/overlap");
    let short = json!({ "new": { "key": "too-short" } });
    assert_eq!(errors(&format!("{group}/rotation"), short).await, "/new/key");
    // Half of a secret in the wrong place is not said again.
    let wrong = json!({ "until": "kw_half-of-a-secret" });
    let told = program.post(&keys, wrong).await.expect(422);
    assert!(!told.text().contains("half-of-a-secret"), "{}", told.text());
    let raw = app.client.post(app.url("/api/v1/key-groups"));
    let (_, token) = app.desk("acme").await.token(&ALL).await;
    let raw = raw.header("authorization", format!("Bearer {token}"));
    let other = raw.try_clone().unwrap().header("content-type", "text/plain").body("{}");
    assert_eq!(other.send().await.unwrap().status(), 415);
    let json = raw.header("content-type", "application/json");
    let broken = json.try_clone().unwrap().body("{\"name\":");
    assert_eq!(broken.send().await.unwrap().status(), 400);
    let large = json.body(format!("{{\"name\": \"{}\"}}", "x".repeat(70_000)));
    assert_eq!(large.send().await.unwrap().status(), 413);
    assert_eq!(program.get("/key-groups").await.json()["data"].as_array().unwrap().len(), 1);
}

async fn what_a_key_group_holds_takes_a_scope_of_its_own(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Readers", &["orders:read"]).await.id;
    let program = app.program(&["keys:write"]).await;
    let new = json!({ "name": "quote-engine", "access": { "policy": policy } });
    let refused = program.post("/key-groups", new.clone()).await.expect(403).json();
    assert_eq!(refused["type"], "urn:keyward:problem:insufficient_scope");
    assert!(text(&refused["detail"]).contains("access:write"));
    assert!(program.get("/key-groups").await.json()["data"].as_array().unwrap().is_empty());
    let program = app.program(&ALL).await;
    let made = program.post("/key-groups", new).await.expect(201).json();
    assert_eq!(made["key_group"]["access"]["policy"]["name"], "Readers");
    let secret = text(&made["secret"]);
    app.service().asks(secret, "permission=orders:read").await.expect(204);
    // Effective at the next verification.
    let access = format!("/key-groups/{}/access", text(&made["key_group"]["id"]));
    let nothing = program.put(&access, json!({})).await.expect(200).json();
    assert_eq!(nothing, json!({ "policy": null, "user_groups": [], "workspace_roles": [] }));
    app.service().asks(secret, "permission=orders:read").await.expect(403);
}

async fn the_audit_log_names_the_token_and_the_secret_needs_no_confirmation(app: &TestApp) {
    let program = app.program(&["keys:write"]).await;
    let body = made(&program, "quote-engine").await;
    let sql = "SELECT actor FROM audit_events WHERE action = 'key_instance.created'";
    let rows = app.query(sql).await;
    assert_eq!(rows[0]["actor"], "token for keys:write");
    let id = text(&body["instance"]["id"]);
    let sql = "SELECT saved_by FROM key_instances";
    assert_eq!(app.query(sql).await[0]["saved_by"], "program", "{id}");
}

async fn a_suspended_subscription_is_read_and_not_changed(app: &TestApp) {
    let program = app.program(&ALL).await;
    made(&program, "quote-engine").await;
    app.suspend("acme", true).await;
    program.get("/instances").await.expect(200);
    let refused = program.post("/key-groups", json!({ "name": "x" })).await.expect(409);
    assert!(refused.text().contains("suspended"), "{}", refused.text());
}
