//! `Idempotency-Key` on the faces whose documents know none: what is sent again makes no second thing.
use keyward::domain::Role;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, SECRET, TestApp, on_both, world};

on_both! {
    accesses_that_are_made_twice_are_there_once_and_told_again,
    a_personal_key_that_is_made_twice_is_there_once_and_not_shown_again,
    a_form_of_somebody_else_is_another_one_whatever_its_token,
}

const ONCE: [&str; 2] = ["deploy-4711", "deploy-4712"];

async fn accesses_that_are_made_twice_are_there_once_and_told_again(app: &TestApp) {
    let it = world(app).await;
    let post = async |once: &str, names: [&str; 2]| {
        let one = |name: &str| json!({ "name": name, "client_secret": SECRET });
        let body = json!({ "data": names.map(one) });
        let request = app.client.post(app.url(&format!("{}/api_accesses", it.space)));
        let request = request.header("cookie", &it.admin.cookie).header("idempotency-key", once);
        Answer::read(request.json(&body).send().await.unwrap()).await
    };
    let made = post(ONCE[0], ["one", "two"]).await.expect(201).json();
    assert_eq!(made["data"][1]["name"], "two");
    assert_eq!(post(ONCE[0], ["one", "two"]).await.expect(201).json(), made);
    assert_eq!(app.count("key_groups").await, 2);
    post(ONCE[0], ["one", "three"]).await.expect(409);
    post(ONCE[1], ["one", "two"]).await.expect(409);
    post(ONCE[1], ["three", "four"]).await.expect(201);
    assert_eq!(app.count("key_groups").await, 4);
}

async fn a_personal_key_that_is_made_twice_is_there_once_and_not_shown_again(app: &TestApp) {
    let users = [app.user("acme", Role::Member).await, app.user("acme", Role::Admin).await];
    let post = async |email: &str, once: &str| {
        let request = app.client.post(app.url("/auth/api-keys/keys"));
        let request = request.basic_auth(email, Some(PASSWORD)).header("idempotency-key", once);
        app.clock.advance(chrono::TimeDelta::seconds(3)); // each try of a password counts
        Answer::read(request.send().await.unwrap()).await
    };
    let [ida, admin] = users.map(|it| it.email);
    let key = post(&ida, ONCE[0]).await.expect(201).json();
    let again = post(&ida, ONCE[0]).await.expect(409);
    assert!(!again.text().contains(key.as_str().unwrap()), "{}", again.text());
    assert_eq!(again.json()["error"], Value::from("already_done"));
    assert_eq!(app.count("personal_keys").await, 1);
    // It is a word of each person's own.
    for (email, once) in [(&admin, ONCE[0]), (&ida, ONCE[1])] {
        post(email, once).await.expect(201);
    }
    assert_eq!(app.count("personal_keys").await, 3);
}

async fn a_form_of_somebody_else_is_another_one_whatever_its_token(app: &TestApp) {
    let people = [app.admin("acme").await, app.admin("globex").await];
    let token = "1".repeat(43);
    for (admin, slug) in people.iter().zip(["acme", "globex"]) {
        let path = format!("/s/{slug}/policies/new");
        let fields = [("submission", &*token), ("name", "Read"), ("description", "")];
        let made = admin.post(&path, &fields).await.expect(303);
        let place = made.header("location").unwrap().to_owned();
        assert!(place.starts_with(&format!("/s/{slug}/policies/")), "{place}");
        // Sent twice it is there once.
        let again = admin.post(&path, &fields).await.expect(303);
        assert_eq!(again.header("location"), Some(&*place));
    }
    assert_eq!(app.count("policies").await, 2);
    app.desk("acme").await.newcomer("jo@acme.example", Role::Admin).await;
    let colleague = app.signed_in("jo@acme.example").await;
    let fields = [("submission", &*token), ("name", "Write"), ("description", "")];
    colleague.post("/s/acme/policies/new", &fields).await.expect(303);
    assert_eq!(app.count("policies").await, 3);
}
