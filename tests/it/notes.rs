//! The note of a key is for people, and changes whenever they like.
use chrono::TimeDelta;
use keyward::key_instances;
use serde_json::json;

use crate::support::{TestApp, ids, on_both, path_of};

on_both! {
    a_note_is_changed_on_a_page_and_found_by_its_new_words,
    a_note_is_changed_by_a_program_alone_or_with_the_period,
}

async fn a_note_is_changed_on_a_page_and_found_by_its_new_words(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    let path = path_of("acme", &key.instance);
    let note = format!("{path}/note");
    assert_eq!(admin.get(&note).await.expect(200).field("note"), "");
    let before = app.snapshot().await;
    for wrong in ["x".repeat(201), "a\u{202e}b".to_owned()] {
        let page = admin.post(&note, &[("note", &*wrong)]).await.expect(422);
        assert_ne!(page.error_at("note"), "");
        assert_eq!(page.field("note"), wrong, "what was typed stays");
    }
    assert_eq!(app.snapshot().await, before);
    let saved = admin.post(&note, &[("note", " Billing <WORKER> ")]).await.expect(303);
    assert_eq!(admin.follow(&saved).await.flash(), "The note of k-1 is saved.");
    let events = app.count("audit_events").await;
    admin.post(&note, &[("note", "Billing <WORKER>")]).await.expect(303);
    assert_eq!(app.count("audit_events").await, events, "nothing has changed");
    let found = admin.get("/s/acme/keys?q=worker").await.expect(200);
    assert_eq!(found.names(), ["k-1"]);
    let log = admin.get("/s/acme/audit?action=key_instance.note_changed").await.plain();
    assert!(log.contains("quote-engine / k-1") && log.contains("Billing <WORKER>"), "{log}");
    app.service().bearer(key.secret.expose()).await.expect(204);
    // What has become of the key makes no difference.
    key_instances::revoke(&desk.act(), ids(&key)).await.unwrap();
    admin.post(&note, &[("note", "Leaked in a ticket")]).await.expect(303);
    let it = key_instances::find(&desk.act(), ids(&key)).await.unwrap();
    assert_eq!(it.note, "Leaked in a ticket");
    assert!(it.is_revoked());
}

async fn a_note_is_changed_by_a_program_alone_or_with_the_period(app: &TestApp) {
    let program = app.program(&["keys:read", "keys:write"]).await;
    let body = json!({ "name": "quote-engine", "instance": { "note": "first" } });
    let made = program.post("/key-groups", body).await.expect(201).json();
    let key = format!("/instances/{}", made["instance"]["id"].as_str().unwrap());
    let seen = program.get(&key).await.expect(200);
    let tag = seen.header("etag").unwrap().to_owned();
    let noted = program.patch(&key, json!({ "note": "second" })).await.expect(200);
    assert_eq!(noted.json()["note"], "second");
    assert_eq!(noted.json()["until"], seen.json()["until"]);
    assert_ne!(noted.header("etag"), Some(&*tag), "it has changed");
    // The same once more changes nothing.
    let again = program.patch(&key, json!({ "note": "second" })).await.expect(200);
    assert_eq!(again.header("etag"), noted.header("etag"));
    app.clock.advance(TimeDelta::seconds(1));
    let both = json!({ "note": "third", "until": "2027-06-01T00:00:00Z" });
    let both = program.patch(&key, both).await.expect(200).json();
    assert_eq!(both["note"], "third");
    assert_eq!(both["until"], "2027-06-01T00:00:00.000Z");
    // All or nothing.
    let past = json!({ "note": "fourth", "until": "2026-01-01T00:00:00Z" });
    program.patch(&key, past).await.expect(409);
    let long = json!({ "note": "x".repeat(201), "until": "2027-07-01T00:00:00Z" });
    let long = program.patch(&key, long).await.expect(422).json();
    assert_eq!(long["errors"][0]["pointer"], "/note");
    let now = program.get(&key).await.expect(200).json();
    assert_eq!((&now["note"], &now["until"]), (&both["note"], &both["until"]));
    let old = (reqwest::Method::PATCH, &*key);
    program.send(old, &[("if-match", &*tag)], json!({ "note": "fifth" })).await.expect(412);
}
