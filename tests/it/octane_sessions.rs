//! Sessions of the Octane dialect: how they end, and who may not begin or use one.
use keyward::{domain::Role, members};
use serde_json::json;

use crate::support::{PASSWORD, SECRET, Space, TestApp, on_both, world};

on_both! {
    a_program_is_out_with_the_role_and_with_the_password,
    of_many_sessions_the_oldest_give_way,
    no_other_site_signs_in_out_or_writes,
    whoever_signs_in_shows_one_credential_and_none_in_the_url,
}

async fn a_program_is_out_with_the_role_and_with_the_password(app: &TestApp) {
    let it = world(app).await;
    let desk = app.desk("acme").await;
    let second = desk.newcomer("second@acme.example", Role::Admin).await;
    let path = format!("{}/api_accesses", it.space);
    let program = Space::sign_in(app, &second.email).await;
    for (role, status) in [(Role::Member, 403), (Role::Admin, 200)] {
        members::change_role(&desk.act(), second.id, role).await.unwrap();
        program.get(&path).await.expect(status);
    }
    let person = app.signed_in(&second.email).await;
    let fields = [("password", PASSWORD), ("new_password", "an entirely different sentence")];
    person.post("/profile/password", &fields).await.expect(303);
    program.get(&path).await.expect(401);
    // By whatever way the password becomes another one.
    let other = Space::sign_in(app, "admin@acme.example").await;
    other.get(&path).await.expect(200);
    app.execute("UPDATE users SET password_hash = 'another'").await;
    other.get(&path).await.expect(401);
}

async fn of_many_sessions_the_oldest_give_way(app: &TestApp) {
    let mut it = world(app).await;
    let path = format!("{}/api_accesses", it.space);
    let mut all = Vec::new();
    for _ in 0..11 {
        all.push(Space::sign_in(app, "admin@acme.example").await);
    }
    all[0].get(&path).await.expect(401);
    for one in &all[1..] {
        one.get(&path).await.expect(200);
    }
    // The session of the world has given way, too.
    it.admin = Space::sign_in(app, "admin@acme.example").await;
    let made = it.access("myKey03", json!({})).await;
    let id = made["client_id"].as_str().unwrap();
    for _ in 0..12 {
        Space::sign_in_client(app, id, SECRET).await;
        app.clock.advance(chrono::TimeDelta::milliseconds(10));
    }
    let sql = "SELECT digest FROM rest_sessions WHERE key_instance_id IS NOT NULL";
    assert_eq!(app.query(sql).await.len(), 10);
}

async fn no_other_site_signs_in_out_or_writes(app: &TestApp) {
    let it = world(app).await;
    let path = format!("{}/api_accesses", it.space);
    let before = app.snapshot().await;
    let login = json!({ "user": "admin@acme.example", "password": PASSWORD });
    let new = json!({ "data": [{ "name": "x", "client_secret": SECRET }] });
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        for (to, body) in [
            ("/authentication/sign_in", &login),
            ("/authentication/sign_out", &json!({})),
            (path.as_str(), &new),
        ] {
            let request = app.client.post(app.url(to)).header("cookie", &it.admin.cookie);
            let answer = request.header(name, value).json(body).send().await.unwrap();
            assert_eq!(answer.status(), 403, "{name}: {value} {to}");
            assert!(answer.headers().get("set-cookie").is_none());
        }
    }
    assert_eq!(app.snapshot().await, before);
    it.admin.get(&path).await.expect(200);
}

async fn whoever_signs_in_shows_one_credential_and_none_in_the_url(app: &TestApp) {
    world(app).await;
    app.clock.advance(chrono::TimeDelta::seconds(3));
    let login = json!({ "user": "admin@acme.example", "password": PASSWORD });
    let before = app.snapshot().await;
    for to in ["sign_in", "sign_out"] {
        let path = app.url(&format!("/authentication/{to}"));
        let in_url = app.client.post(format!("{path}?secret=x")).json(&login);
        let twice = app.client.post(&path).header("authorization", "Bearer kw_x").json(&login);
        for request in [in_url, twice] {
            assert_eq!(request.send().await.unwrap().status(), 400, "{to}");
        }
    }
    assert_eq!(app.snapshot().await, before);
}
