//! The edges of the Octane dialect: what is refused, and how it is told.
use keyward::{domain::Role, subscriptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ALL, Answer, OTHER, SECRET, Space, TestApp, basic, on_both, world};

on_both! {
    each_way_a_secret_fails_the_rule_is_refused_and_nothing_is_made,
    the_query_has_semicolons_braces_and_tells_where_garbage_is,
    several_accesses_are_made_in_one_request_or_none,
    a_key_manages_nothing_here,
    what_is_not_an_admins_own_is_not_there_or_forbidden,
    what_a_body_must_not_be_is_told_and_never_a_fault_of_ours,
    a_password_is_throttled_here_as_on_the_page,
    a_name_or_roles_are_changed_one_at_a_time,
    an_expiration_has_milliseconds_and_a_year_of_four_digits,
    a_secret_that_is_sent_twice_at_once_is_taken_once,
    what_a_faster_clock_has_revoked_is_in_nobodys_way,
}

async fn each_way_a_secret_fails_the_rule_is_refused_and_nothing_is_made(app: &TestApp) {
    let it = world(app).await;
    let path = format!("{}/api_accesses", it.space);
    let long = "aB3".repeat(11);
    for (secret, why) in [
        ("aB3aB3aB3", "10 to 30"),
        (&long, "10 to 30"),
        ("lowerUPPER", "at least three"),
        ("lower12345", "at least three"),
        ("UPPER12345", "at least three"),
        ("lower!!!!!", "at least three"),
        ("aB3 aB3aB3aB3", "without spaces"),
        ("", "10 to 30"),
    ] {
        let body = json!({ "data": [{ "name": "x", "client_secret": secret }] });
        let told = it.admin.post(&path, body).await.expect(422).json();
        let text = told["description"].as_str().unwrap();
        assert!(text.contains("client_secret") && text.contains(why), "{secret}: {text}");
        assert!(secret.is_empty() || !text.contains(secret), "{text}");
    }
    let none = json!({ "data": [{ "name": "x" }] });
    let told = it.admin.post(&path, none).await.expect(422).json();
    assert!(told["description"].as_str().unwrap().contains("client_secret"), "{told}");
    assert_eq!((app.count("key_groups").await, app.count("key_instances").await), (0, 0));
}

async fn the_query_has_semicolons_braces_and_tells_where_garbage_is(app: &TestApp) {
    let it = world(app).await;
    for name in ["one", "two"] {
        it.access(name, json!({})).await;
    }
    let found = async |path: &str, query: &str| {
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        it.admin.get(&format!("{}/{path}?{query}", it.space)).await
    };
    let count = async |path: &str, query: &str| {
        found(path, query).await.expect(200).json()["total_count"].as_i64().unwrap()
    };
    assert_eq!(count("api_accesses", "\"(name=two)\"").await, 1);
    assert_eq!(count("api_accesses", "\"(name=two;name=one)\"").await, 0);
    assert_eq!(count("api_accesses", "\"(name=^two^)\"").await, 1);
    assert_eq!(count("workspace_roles", "\"(role={name=^DevOps Admin^})\"").await, 2);
    assert_eq!(count("workspace_roles", "\"(workspace={name=Europe;id=1})\"").await, 0);
    assert_eq!(count("roles", "\"(logical_name=role.workspace.devops.admin)\"").await, 1);
    for (query, at) in [("(id=1)", "1"), ("\"(workspace={id=1)\"", "18"), ("\"(id=1\"", "7")] {
        let told = found("workspace_roles", query).await.expect(400).json();
        let text = told["description"].as_str().unwrap();
        assert!(text.contains(&format!("at character {at}:")), "{query}: {text}");
    }
    for query in ["\"(client_secret=x)\"", "\"(workspace={secret=1})\"", "\"(workspace=1)\""] {
        for path in ["workspace_roles", "api_accesses", "roles"] {
            found(path, query).await.expect(400);
        }
    }
    // SQL is text like any other.
    assert_eq!(count("api_accesses", "\"(name=^' OR '1'='1^)\"").await, 0);
}

async fn several_accesses_are_made_in_one_request_or_none(app: &TestApp) {
    let it = world(app).await;
    let path = format!("{}/api_accesses?fields=name", it.space);
    let of = |names: &[&str]| {
        let one = |name: &&str| json!({ "name": name, "client_secret": SECRET });
        json!({ "data": names.iter().map(one).collect::<Vec<_>>() })
    };
    let made = it.admin.post(&path, of(&["a", "b", "c"])).await.expect(201).json();
    assert_eq!(made["total_count"], 3);
    let told = it.admin.post(&path, of(&["d", "e", "B"])).await.expect(409).json();
    assert!(told["description"].as_str().unwrap().contains("already exists"), "{told}");
    let all = it.admin.get(&path).await.expect(200).json();
    let names: Vec<&str> =
        all["data"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let page = it.admin.get(&format!("{path}&limit=1&offset=1")).await.expect(200).json();
    assert_eq!((&page["total_count"], &page["data"][0]["name"]), (&json!(3), &json!("b")));
    it.admin.post(&path, of(&[])).await.expect(422);
}

async fn a_key_manages_nothing_here(app: &TestApp) {
    let it = world(app).await;
    let made = it.access("myKey03", json!({})).await;
    let id = made["client_id"].as_str().unwrap();
    let key = Space::sign_in_client(app, id, SECRET).await;
    let list = format!("{}/api_accesses", it.space);
    key.get(&list).await.expect(403);
    key.put(&it.path(&made), json!({ "is_valid": false })).await.expect(403);
    let header = basic(id, SECRET);
    let own = [("authorization", header.as_str())];
    app.service().ask(Method::GET, &list, &own).await.expect(403);
    // Two credentials are ambiguous, whatever they are.
    let both = [("authorization", header.as_str()), ("cookie", it.admin.cookie.as_str())];
    app.service().ask(Method::GET, &list, &both).await.expect(400);
    it.verify(&made, SECRET).await.expect(204);
}

async fn what_is_not_an_admins_own_is_not_there_or_forbidden(app: &TestApp) {
    let it = world(app).await;
    let made = it.access("myKey03", json!({})).await;
    app.user("globex", Role::Admin).await;
    let stranger = Space::sign_in(app, "admin@globex.example").await;
    let never = it.path(&made).replacen(&it.space, "/api/shared_spaces/999999", 1);
    let (theirs, nothing) = (stranger.get(&it.path(&made)).await, stranger.get(&never).await);
    assert_eq!((theirs.status, nothing.status), (404, 404));
    let bare = |it: &Answer| {
        let mut body = it.json();
        body["correlation_id"] = Value::Null;
        body
    };
    assert_eq!(bare(&theirs), bare(&nothing));
    stranger.put(&it.path(&made), json!({ "is_valid": false })).await.expect(404);
    // Below their own space the number of another one's access is nothing.
    let globex = subscriptions::by_slug(&app.db, "globex").await.unwrap().number;
    let below = it.path(&made).replacen(&it.space, &format!("/api/shared_spaces/{globex}"), 1);
    stranger.get(&below).await.expect(404);
    for role in [Role::Member, Role::Auditor] {
        app.user("acme", role).await;
        let other = Space::sign_in(app, &format!("{}@acme.example", role.as_str())).await;
        other.get(&format!("{}/api_accesses", it.space)).await.expect(403);
        other.put(&it.path(&made), json!({ "is_valid": false })).await.expect(403);
    }
    // A key of the other kind is no access.
    let desk = app.desk("acme").await;
    let shop = desk.group("shop", desk.days(90)).await.instance.key_group_id;
    let shop = keyward::key_groups::find(&desk.act(), shop).await.unwrap().number;
    it.admin.get(&format!("{}/api_accesses/{shop}", it.space)).await.expect(404);
    it.verify(&made, SECRET).await.expect(204);
}

async fn what_a_body_must_not_be_is_told_and_never_a_fault_of_ours(app: &TestApp) {
    let it = world(app).await;
    let path = format!("{}/api_accesses", it.space);
    let raw = async |kind: &str, body: &str| {
        let request = app.client.post(app.url(&path)).header("cookie", &it.admin.cookie);
        let request = request.header("content-type", kind).body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(raw("text/plain", "{}").await, 415);
    assert_eq!(raw("application/json", "{").await, 400);
    assert_eq!(raw("application/json", "").await, 400);
    assert_eq!(raw("application/json", "[]").await, 422);
    assert_eq!(raw("application/json; charset=utf-8", "{\"data\": 5}").await, 422);
    assert_eq!(raw("application/json", &"[".repeat(60_000)).await, 422);
    assert_eq!(raw("application/json", &" ".repeat(70_000)).await, 413);
    for (one, field) in [
        (json!({ "name": "x", "client_secret": SECRET, "admin": true }), "admin"),
        (json!({ "name": "x\u{0}", "client_secret": SECRET }), "name"),
        (json!({ "name": "", "client_secret": SECRET }), "name"),
        (
            json!({ "name": "x", "client_secret": SECRET,
                    "workspace_roles": { "data": [{ "id": "999999" }] } }),
            "workspace_roles",
        ),
        (
            json!({ "name": "x", "client_secret": SECRET,
                    "workspace_roles": { "data": [{ "type": "role", "id": it.devops }] } }),
            "workspace_roles",
        ),
        (
            json!({ "name": "x", "client_secret": SECRET, "expiration": "2020-01-01T00:00:00Z" }),
            "expiration",
        ),
    ] {
        // That a period must not end before it starts is a rule; the others cannot be read.
        let status = if field == "expiration" { 409 } else { 422 };
        let told = it.admin.post(&path, json!({ "data": [one] })).await.expect(status).json();
        assert!(told["description"].as_str().unwrap().contains(field), "{field}: {told}");
    }
    for query in ["client_secret=x", "limit=x", "limit=1000", "offset=-1", "fields=x"] {
        it.admin.get(&format!("{path}?{query}")).await.expect(400);
    }
    it.admin.get(&format!("{path}/rubbish")).await.expect(404);
    let foreign = app.client.get(app.url(&path)).header("cookie", &it.admin.cookie);
    let foreign = foreign.header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    assert_eq!(app.count("key_groups").await, 0);
}

async fn a_password_is_throttled_here_as_on_the_page(app: &TestApp) {
    world(app).await;
    let nobody = Space::nobody(app);
    let body = || json!({ "user": "admin@acme.example", "password": "wrong" });
    nobody.post("/authentication/sign_in", body()).await.expect(401);
    let told = nobody.post("/authentication/sign_in", body()).await.expect(429);
    assert!(told.header("retry-after").is_some());
}

async fn a_name_or_roles_are_changed_one_at_a_time(app: &TestApp) {
    let it = world(app).await;
    let made = it.access("myKey03", json!({})).await;
    let path = format!("{}?fields={ALL}", it.path(&made));
    let one = it.admin.put(&path, json!({ "name": "renamed" })).await.expect(200).json();
    assert_eq!((&one["name"], &one["client_id"]), (&json!("renamed"), &made["client_id"]));
    let roles = json!({ "workspace_roles": { "data": [{ "id": it.ci_cd }] } });
    let one = it.admin.put(&path, roles).await.expect(200).json();
    assert_eq!(one["workspace_roles"]["data"][0]["id"], it.ci_cd);
    let both = json!({ "name": "again", "is_valid": false });
    it.admin.put(&path, both).await.expect(422);
    it.verify(&made, SECRET).await.expect(204);
}

async fn an_expiration_has_milliseconds_and_a_year_of_four_digits(app: &TestApp) {
    let it = world(app).await;
    let made = it.access("myKey03", json!({})).await;
    let path = format!("{}?fields=expiration", it.path(&made));
    let set = async |at: &str| it.admin.put(&path, json!({ "expiration": at })).await;
    // It has no end yet: whatever comes is a shorter period.
    set("+10000-01-01T00:00:00Z").await.expect(409);
    let told = set("2026-12-24T00:00:00.0005Z").await.expect(200).json();
    assert_eq!(told["expiration"], "2026-12-24T00:00:00Z");
    // Behind its start by less than is kept.
    let start = app.clock.now() + chrono::TimeDelta::microseconds(500);
    for at in [&start.to_rfc3339(), "+10000-01-01T00:00:00Z", "+262142-12-31T00:00:00Z"] {
        let told = set(at).await.expect(409).json();
        assert!(told["description"].as_str().is_some_and(|it| !it.is_empty()), "{at}: {told}");
        let one = json!({ "name": "x", "client_secret": SECRET, "expiration": at });
        let accesses = format!("{}/api_accesses", it.space);
        it.admin.post(&accesses, json!({ "data": [one] })).await.expect(409);
    }
    assert_eq!(app.count("key_groups").await, 1);
}

async fn a_secret_that_is_sent_twice_at_once_is_taken_once(app: &TestApp) {
    let it = world(app).await;
    let made = it.access("myKey03", json!({})).await;
    let path = it.path(&made);
    let put = || it.admin.put(&path, json!({ "client_secret": OTHER }));
    let (one, two) = tokio::join!(put(), put());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    it.verify(&made, OTHER).await.expect(204);
    assert_eq!(app.count("key_instances").await, 2);
}

async fn what_a_faster_clock_has_revoked_is_in_nobodys_way(app: &TestApp) {
    let it = world(app).await;
    let made = it.access("myKey03", json!({})).await;
    let path = it.path(&made);
    it.admin.put(&path, json!({ "client_secret": OTHER })).await.expect(200);
    app.clock.advance(-chrono::TimeDelta::seconds(1));
    let off = it.admin.put(&path, json!({ "is_valid": false })).await.expect(200).json();
    assert_eq!(off["is_valid"], false);
    app.clock.advance(chrono::TimeDelta::seconds(2));
    for secret in [SECRET, OTHER] {
        it.verify(&made, secret).await.expect(401);
    }
}
