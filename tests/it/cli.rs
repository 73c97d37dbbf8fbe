//! `keyward keys` against a running Keyward.
use chrono::TimeDelta;
use serde_json::Value;

use crate::support::{Keys, TestApp, on_both};

on_both! {
    a_made_key_prints_its_secret_alone_and_the_secret_works,
    keys_are_listed_for_people_and_for_programs,
    a_rotation_gives_the_new_secret_and_an_end_to_the_old_key,
    a_client_gets_its_secrets_too,
    a_revocation_asks_on_a_terminal_and_nowhere_else,
    a_command_sent_again_makes_nothing_twice,
    the_exit_code_says_what_went_wrong,
}

const WRITE: [&str; 1] = ["keys:write"];

async fn listed(keys: &Keys, more: &[&str]) -> Vec<String> {
    let json = keys.run(&[&["list", "--json"], more].concat()).await.expect(0).json();
    let labels = json.as_array().unwrap().iter().map(|it| it["label"].as_str().unwrap().to_owned());
    labels.collect()
}

fn text<'a>(it: &'a Value, pointer: &str) -> &'a str {
    it.pointer(pointer).unwrap().as_str().unwrap()
}

async fn a_made_key_prints_its_secret_alone_and_the_secret_works(app: &TestApp) {
    let keys = app.keys(&WRITE).await;
    let first = ["create", "--new-group", "quote-engine", "--description", "Quotes"];
    let times = ["--until", "2027-02-18T10:30", "--note", "blue"];
    let (secret, told) = keys.secret(&[&first[..], &times].concat()).await;
    assert!(told.contains("Made quote-engine / k-1 ("), "{told}");
    assert!(told.contains("until 2027-02-18 10:30 UTC (in "), "{told}");
    let verified = app.service().bearer(&secret).await.expect(204);
    assert_eq!(verified.header("keyward-expires"), Some("2027-02-18T10:30:00.000Z"));

    // By a name that is typed carelessly, and as JSON.
    let again = ["--json", "create", "--group", " QUOTE-Engine", "--until", "never"];
    let said = keys.run(&again).await.expect(0);
    let json = said.json();
    assert_eq!(text(&json, "/instance/label"), "k-2");
    assert!(json["instance"]["until"].is_null(), "{json}");
    app.service().bearer(text(&json, "/secret")).await.expect(204);
    assert!(!said.err.contains(text(&json, "/secret")), "{said:?}");

    // By the id of the group; without an end it is the subscription's default.
    let id = text(&json, "/instance/key_group/id");
    let later = ["create", "--group", id, "--from", "2027-01-01"];
    let (secret, told) = keys.secret(&later).await;
    assert!(told.contains("quote-engine / k-3 (") && told.contains("until 2027-"), "{told}");
    app.service().bearer(&secret).await.expect(401);
}

async fn keys_are_listed_for_people_and_for_programs(app: &TestApp) {
    let keys = app.keys(&WRITE).await;
    let nothing = keys.run(&["list"]).await.expect(0);
    assert_eq!((nothing.out.as_str(), nothing.err.as_str()), ("", "There are no such keys.\n"));
    assert_eq!(keys.run(&["list", "--json"]).await.expect(0).json(), serde_json::json!([]));
    let desk = app.desk("acme").await;
    let quotes = desk.group("見積エンジン", desk.days(90)).await;
    desk.group("risk", desk.days(1)).await; // which warns all its life
    app.service().bearer(quotes.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();

    let said = keys.run(&["list", "--group", "見積エンジン"]).await.expect(0);
    let lines: Vec<&str> = said.out.lines().collect();
    let [head, row] = lines[..] else { panic!("{said:?}") };
    assert!(head.starts_with("KEY                 STATUS  UNTIL "), "{head}");
    assert!(row.starts_with("見積エンジン / k-1  active  2027-02-18 10:30 UTC  in "), "{row}");
    assert!(row.contains(" days  2026-11-20 10:30 UTC  kw_"), "{row}");
    assert!(row.contains("••••") && !row.contains(quotes.secret.expose()), "{row}");
    assert_eq!(said.err, "");

    let all = keys.run(&["list", "--json"]).await.expect(0).json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(text(&all, "/0/status"), "active");
    assert_eq!(listed(&keys, &["--limit", "1"]).await.len(), 1);
    assert_eq!(listed(&keys, &["--status", "expiring-soon"]).await.len(), 1);
    assert_eq!(listed(&keys, &["--status", "expired"]).await.len(), 0);
    assert_eq!(listed(&keys, &["--expiring-before", "2026-12-01"]).await.len(), 1);
    assert_eq!(listed(&keys, &["--group", "risk", "--status", "active"]).await, ["k-1"]);
}

async fn a_rotation_gives_the_new_secret_and_an_end_to_the_old_key(app: &TestApp) {
    let keys = app.keys(&WRITE).await;
    let (first, _) = keys.secret(&["create", "--new-group", "quote-engine"]).await;
    let rotate = ["rotate", "--group", "quote-engine"];
    app.clock.advance(TimeDelta::milliseconds(1)); // lists are in the order of making
    let (second, told) = keys.secret(&[&rotate[..], &["--note", "green"]].concat()).await;
    assert!(told.contains("quote-engine / k-2 ("), "{told}");
    assert!(told.contains("The old key works for 24 hours at most."), "{told}");
    for secret in [&first, &second] {
        app.service().bearer(secret).await.expect(204);
    }
    let all = keys.run(&["list", "--json"]).await.expect(0).json();
    assert_eq!(text(&all, "/1/until"), "2026-11-21T10:30:00.001Z");

    // One that is named, by its label and by its id alone.
    app.clock.advance(TimeDelta::milliseconds(1));
    let named = ["--key", "K-2", "--overlap", "now", "--until", "2027-06-01"];
    let (third, _) = keys.secret(&[&rotate[..], &named].concat()).await;
    app.service().bearer(&second).await.expect(401);
    let id = keys.run(&["list", "--json", "--limit", "1"]).await.expect(0).json();
    let alone = ["rotate", "--key", text(&id, "/0/id"), "--overlap", "own"];
    let (fourth, told) = keys.secret(&alone).await;
    assert!(told.contains("/ k-4 (") && told.contains("keeps its own end"), "{told}");
    for secret in [&third, &fourth] {
        app.service().bearer(secret).await.expect(204);
    }
    keys.run(&[&rotate[..], &["--key", "k-9"]].concat()).await.refused(5, "has no key k-9");
    keys.run(&["rotate", "--key", "k-1"]).await.refused(2, "--group");
}

async fn a_client_gets_its_secrets_too(app: &TestApp) {
    let client = app.desk("acme").await.client("partner-portal").await;
    let keys = app.keys(&WRITE).await;
    let (first, _) = keys.secret(&["create", "--group", "partner-portal"]).await;
    app.service().basic(&client.client_id, &first).await.expect(204);
    let (second, _) = keys.secret(&["rotate", "--group", "partner-portal"]).await;
    app.service().basic(&client.client_id, &second).await.expect(204);
    // A rule of clients, in the server's words.
    let third = ["create", "--group", "partner-portal"];
    keys.run(&third).await.refused(1, "already has 2 active secrets");
}

async fn a_revocation_asks_on_a_terminal_and_nowhere_else(app: &TestApp) {
    let keys = app.keys(&WRITE).await;
    let (first, _) = keys.secret(&["create", "--new-group", "quote-engine"]).await;
    let revoke = ["revoke", "--group", "quote-engine", "--key", "k-1"];
    keys.run(&revoke).await.refused(2, "--yes");
    let asked = keys.typing("n\n", &revoke).await.expect(1);
    assert!(asked.out.contains("quote-engine / k-1, kw_"), "{asked:?}");
    assert!(asked.out.contains("Nothing was done."), "{asked:?}");
    app.service().bearer(&first).await.expect(204);
    let asked = keys.typing("y\n", &revoke).await.expect(0);
    assert!(asked.out.contains("Revoked quote-engine / k-1 ("), "{asked:?}");
    app.service().bearer(&first).await.expect(401);
    // It stays so, and the server says why.
    keys.run(&[&revoke[..], &["--yes"]].concat()).await.refused(1, "It is revoked");

    let json = keys.run(&["create", "--group", "quote-engine", "--json"]).await.expect(0).json();
    let id = text(&json, "/instance/id");
    let said = keys.run(&["revoke", id, "--yes"]).await.expect(0);
    assert!(said.out.is_empty() && said.err.contains("Revoked quote-engine / k-2"), "{said:?}");
    app.service().bearer(text(&json, "/secret")).await.expect(401);
}

async fn a_command_sent_again_makes_nothing_twice(app: &TestApp) {
    let keys = app.keys(&WRITE).await;
    let create = ["create", "--new-group", "quote-engine", "--until", "2027-02-18"];
    let create = [&create[..], &["--idempotency-key", "deploy-17"]].concat();
    keys.secret(&create).await;
    let again = keys.run(&create).await.expect(1);
    assert!(again.out.is_empty() && again.err.contains("done already"), "{again:?}");
    assert_eq!(listed(&keys, &[]).await, ["k-1"]);
    // What it says to do does what is needed.
    let (_, command) = again.err.trim_end().split_once("keyward keys ").unwrap();
    let (_, told) = keys.secret(&command.split(' ').collect::<Vec<_>>()).await;
    assert!(told.contains("quote-engine / k-2 ("), "{told}");
    let other = [&create[..4], &["2027-03-01", "--idempotency-key", "deploy-17"]].concat();
    keys.run(&other).await.refused(1, "was used for another request");
}

async fn the_exit_code_says_what_went_wrong(app: &TestApp) {
    let keys = app.keys(&WRITE).await;
    keys.secret(&["create", "--new-group", "quote-engine"]).await;
    let new = ["create", "--group", "quote-engine"];
    // 1: a rule, with the field that it is about.
    let past = [&new[..], &["--from", "2019-01-01", "--until", "2020-01-01"]].concat();
    keys.run(&past).await.refused(1, "/until: The end must lie in the future.");
    let taken = ["create", "--new-group", "Quote-Engine"];
    keys.run(&taken).await.refused(1, "/name: A key group with this name");
    // 2: wrong usage, also of what clap does not know.
    keys.run(&["create"]).await.refused(2, "--group");
    keys.run(&["list", "--status", "nice"]).await.refused(2, "expiring-soon");
    keys.run(&[&new[..], &["--until", "tomorrow"]].concat()).await.refused(2, "2027-02-18");
    keys.run(&["list", "--token", "kwa_1"]).await.refused(2, "unexpected argument");
    let elsewhere = Keys::new("http://keys.example.com", &keys.token);
    elsewhere.run(&["list"]).await.refused(2, "plain http");
    Keys::new(&keys.url, "").run(&["list"]).await.refused(2, "token");
    Keys::new(&keys.url, "two words").run(&["list"]).await.refused(2, "token");
    keys.run(&["list", "--url", "https://keys.example.com/s/acme"]).await.refused(2, "host alone");
    // 3: nobody, or somebody who may not.
    let wrong = Keys::new(&keys.url, &"kwa_0123456789".repeat(4));
    wrong.run(&["list"]).await.refused(3, "automation token");
    let reader = app.keys(&["keys:read"]).await;
    reader.run(&["list"]).await.expect(0);
    reader.run(&new).await.refused(3, "keys:write");
    // 5: not there, also by an id.
    keys.run(&["create", "--group", "quote"]).await.refused(5, "no key group “quote”");
    let id = "8bb11574-0385-43dd-92a4-ad285d9f3d30";
    keys.run(&["list", "--group", id]).await.refused(5, id);
    keys.run(&["revoke", id, "--yes"]).await.refused(5, id);
}
