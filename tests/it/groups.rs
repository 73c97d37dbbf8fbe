//! Key groups on their pages: made with a first key, edited, deleted.
use chrono::TimeDelta;
use keyward::{key_groups, key_instances::Filter};
use uuid::Uuid;

use crate::support::{PASSWORD, Person, TestApp, on_both, own_text};

on_both! {
    a_group_and_its_first_key_are_made_in_one_form,
    an_edited_group_renames_its_keys_at_once,
    what_a_group_cannot_be_called_is_said_beside_the_field,
    one_try_shows_every_error_and_keeps_what_was_typed,
    a_name_is_taken_within_the_subscription_only,
    a_deletion_lists_what_dies_and_when_it_was_last_used,
    a_deletion_must_be_confirmed_by_the_name_of_the_group,
    a_deletion_of_what_has_changed_since_the_preview_deletes_nothing,
    a_deleted_group_refuses_at_once_and_leaves_no_trace_in_the_lists,
    a_suspended_subscription_refuses_every_change,
}

const NEW: &str = "/s/acme/groups/new";

/// Point 34.
async fn a_group_and_its_first_key_are_made_in_one_form(app: &TestApp) {
    let admin = app.admin("acme").await;
    let form = admin.get(NEW).await.expect(200);
    let fields = ["preset", "from", "until", "make"].map(|it| form.field(it));
    assert_eq!(fields, ["90", "2026-11-20T10:30", "2027-02-18T10:30", "generate"]);
    let fields = [
        ("name", "  quote-engine "),
        ("description", "Rating calls"),
        ("contact", "team@acme.example"),
        ("note", "first"),
        ("preset", "30"),
    ];
    let made = admin.submit(NEW, &fields).await.expect(303);
    let page = admin.follow(&made).await.expect(200);
    let accepted = app.service().bearer(&page.secret()).await.expect(204);
    assert_eq!(accepted.header("keyward-key-group"), Some("quote-engine"));
    assert_eq!(accepted.header("keyward-key-instance"), Some("k-1"));
    assert_eq!(accepted.header("keyward-expires"), Some("2026-12-20T10:30:00.000Z"));
    let group = made.location().split("/keys/").next().unwrap();
    let page = admin.get(group).await.expect(200).plain();
    for part in ["quote-engine", "Rating calls", "team@acme.example", "k-1 first"] {
        assert!(page.contains(part), "{part} is missing: {page}");
    }
    assert_eq!((app.count("key_groups").await, app.count("key_instances").await), (1, 1));
    let client_id = &app.query("SELECT client_id FROM key_groups").await[0]["client_id"];
    let suffix = client_id.as_str().unwrap().strip_prefix("quote-engine_").unwrap();
    assert_eq!(suffix.len(), 25);
    assert!(suffix.bytes().all(|it| it.is_ascii_digit() || it.is_ascii_lowercase()));
    // With a key of one's own as well.
    let own = own_text(1);
    let fields = [("name", "own"), ("make", "own"), ("key", own.as_str())];
    admin.submit(NEW, &fields).await.expect(303);
    app.service().synthetic(&own, "acme").await.expect(204);
}

/// Point 35.
async fn an_edited_group_renames_its_keys_at_once(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    let group = format!("/s/acme/groups/{}", key.instance.key_group_id);
    let form = admin.get(&format!("{group}/edit")).await.expect(200);
    assert_eq!(form.field("name"), "quote-engine");
    let fields = [("name", "rating"), ("description", "All rating calls"), ("contact", "")];
    let saved = admin.post(&format!("{group}/edit"), &fields).await.expect(303);
    assert_eq!(saved.location(), group);
    let page = admin.follow(&saved).await.expect(200);
    assert!(page.flash().starts_with("rating is saved."), "{}", page.flash());
    let accepted = app.service().bearer(key.secret.expose()).await.expect(204);
    assert_eq!(accepted.header("keyward-key-group"), Some("rating"));
    for path in [
        group.clone(),
        format!("{group}/keys/{}", key.instance.id),
        "/s/acme/keys".into(),
        "/s/acme/keys.csv".into(),
    ] {
        let page = admin.get(&path).await.expect(200);
        assert!(page.text().contains("rating"), "{path}");
        let old = page.text().replace("quote-engine_", ""); // the client id stays
        assert!(!old.contains("quote-engine"), "{path}");
    }
}

async fn what_a_group_cannot_be_called_is_said_beside_the_field(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.group("Taken", desk.days(90)).await;
    let other = desk.group("other", desk.days(90)).await.instance.key_group_id;
    let admin = app.signed_in("admin@acme.example").await;
    let edit = format!("/s/acme/groups/{other}/edit");
    let (long, longer) = ("x".repeat(10_000), "x".repeat(101));
    let before = app.snapshot().await;
    for (field, text, told) in [
        ("name", "", "Enter a name."),
        ("name", "   ", "Enter a name."),
        ("name", &long, "Use at most 100 characters; these are 10000."),
        ("name", &longer, "Use at most 100 characters; these are 101."),
        ("name", "a\u{0}b", "Remove the control character U+0000."),
        ("name", "a\nb", "Remove the control character U+000A."),
        ("name", "a\u{202e}b", "Remove the control character U+202E."),
        ("name", "taken", "A key group with this name already exists."),
        ("description", &long, "Use at most 500 characters; these are 10000."),
        ("description", "a\u{1b}[31m", "Remove the control character U+001B."),
        ("contact", &long, "Use at most 200 characters; these are 10000."),
    ] {
        let mut fields = vec![("name", "fresh"), ("description", ""), ("contact", "")];
        fields.retain(|it| it.0 != field);
        fields.push((field, text));
        for refused in [admin.submit(NEW, &fields).await, admin.post(&edit, &fields).await] {
            let page = refused.expect(422);
            assert_eq!(page.error_at(field), told);
            let kept = page.field(field);
            assert!(kept == text || text.contains(['\u{0}', '\n']), "{field}: {kept:?}");
        }
    }
    assert_eq!(app.snapshot().await, before);
    // A form without any field is a form with empty ones.
    let page = admin.post(&edit, &[]).await.expect(422);
    assert_eq!(page.error_at("name"), "Enter a name.");
}

async fn one_try_shows_every_error_and_keeps_what_was_typed(app: &TestApp) {
    let admin = app.admin("acme").await;
    let before = app.snapshot().await;
    let typed = [
        ("name", "\u{7}"),
        ("description", "what <b>calls</b> & \"why\""),
        ("contact", "team@acme.example"),
        ("note", "a note"),
        ("preset", "dates"),
        ("from", "2026-12-02T10:00"),
        ("until", "2026-12-01T10:00"),
        ("make", "own"),
        ("key", "secret-that-is-not-echoed-1"),
    ];
    let page = admin.submit(NEW, &typed).await.expect(422);
    assert_eq!(page.error_at("name"), "Remove the control character U+0007.");
    assert!(page.error_at("until").starts_with("The end must be after the start."));
    for (field, value) in typed.iter().filter(|it| it.0 != "key" && it.0 != "name") {
        assert_eq!(page.field(field), *value);
    }
    assert_eq!(page.field("key"), "");
    assert!(!page.text().contains("secret-that-is-not-echoed"));
    assert_ne!(page.field("submission"), "");
    assert_eq!(app.snapshot().await, before);
}

async fn a_name_is_taken_within_the_subscription_only(app: &TestApp) {
    for slug in ["acme", "rival"] {
        let desk = app.desk(slug).await;
        desk.group("quote-engine", desk.days(90)).await;
    }
    assert_eq!(app.count("key_groups").await, 2);
}

async fn deletion_form(admin: &Person<'_>, group: Uuid) -> (String, String, String) {
    let path = format!("/s/acme/groups/{group}/deletion");
    let page = admin.get(&path).await.expect(200);
    let (version, plain) = (page.field("version"), page.plain());
    (path, version, plain)
}

async fn a_deletion_lists_what_dies_and_when_it_was_last_used(app: &TestApp) {
    let desk = app.desk("acme").await;
    let first = desk.group("quote-engine", desk.days(90)).await;
    let group = first.instance.key_group_id;
    app.service().bearer(first.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    app.clock.advance(TimeDelta::days(3));
    for _ in 0..21 {
        desk.key(group, desk.days(5)).await;
    }
    let admin = app.signed_in("admin@acme.example").await;
    let (_, _, page) = deletion_form(&admin, group).await;
    assert!(page.contains("Delete quote-engine and 22 keys?"), "{page}");
    // The last ones used first; those that were made at one instant are in no order.
    assert_eq!(page.matches(" , never used").count(), 19, "{page}");
    assert!(page.contains("and 2 more"), "{page}");
    assert!(page.contains("k-1 , last used 3 days ago"), "{page}");
    assert!(page.contains("Type quote-engine to confirm"), "{page}");
    let few = desk.group("few", desk.days(90)).await;
    app.service().bearer(few.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    app.clock.advance(TimeDelta::hours(2));
    admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
    let (_, _, page) = deletion_form(&admin, few.instance.key_group_id).await;
    assert!(page.contains("k-1 , last used 2 hours ago"), "{page}");
}

async fn a_deletion_must_be_confirmed_by_the_name_of_the_group(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let admin = app.signed_in("admin@acme.example").await;
    let (path, version, _) = deletion_form(&admin, group).await;
    let before = app.snapshot().await;
    for typed in ["", "Quote-Engine", "quote", "k-1"] {
        let fields = [("confirm", typed), ("version", version.as_str())];
        let page = admin.post(&path, &fields).await.expect(422);
        assert_eq!(page.error_at("confirm"), "Type quote-engine to confirm.");
    }
    admin.post(&path, &[("confirm", "quote-engine"), ("version", "x")]).await.expect(400);
    for version in ["", "0", "-1", "99"] {
        let fields = [("confirm", "quote-engine"), ("version", version)];
        let status = admin.post(&path, &fields).await.status;
        assert!([400, 409].contains(&status), "version {version:?}: {status}");
    }
    admin.post(&path, &[("confirm", "quote-engine")]).await.expect(409);
    assert_eq!(app.snapshot().await, before);
}

async fn a_deletion_of_what_has_changed_since_the_preview_deletes_nothing(app: &TestApp) {
    let desk = app.desk("acme").await;
    let made = desk.group("quote-engine", desk.days(90)).await;
    let group = made.instance.key_group_id;
    let admin = app.signed_in("admin@acme.example").await;
    let (path, version, _) = deletion_form(&admin, group).await;
    desk.key(group, desk.days(90)).await;
    let before = app.snapshot().await;
    let fields = [("confirm", "quote-engine"), ("version", version.as_str())];
    let page = admin.post(&path, &fields).await.expect(409);
    assert_eq!(page.refusal(), "The key group has changed meanwhile. Look at it once more.");
    assert_eq!(app.snapshot().await, before);
    app.service().bearer(made.secret.expose()).await.expect(204);
    // The refused form shows the new state: sending it again deletes exactly that.
    let version = page.field("version");
    let fields = [("confirm", "quote-engine"), ("version", version.as_str())];
    admin.post(&path, &fields).await.expect(303);
}

async fn a_deleted_group_refuses_at_once_and_leaves_no_trace_in_the_lists(app: &TestApp) {
    let desk = app.desk("acme").await;
    let first = desk.group("quote-engine", desk.days(90)).await;
    let group = first.instance.key_group_id;
    let second = desk.key(group, desk.days(2)).await;
    let kept = desk.group("kept", desk.days(90)).await;
    app.service().bearer(first.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    app.service().bearer(second.secret.expose()).await.expect(204); // counted after it is gone
    let admin = app.signed_in("admin@acme.example").await;
    let (path, version, _) = deletion_form(&admin, group).await;
    let fields = [("confirm", "quote-engine"), ("version", version.as_str())];
    let deleted = admin.post(&path, &fields).await.expect(303);
    assert_eq!(deleted.location(), "/s/acme/groups");
    let page = admin.follow(&deleted).await.expect(200);
    let told = page.flash();
    assert!(told.starts_with("quote-engine and its keys are deleted."), "{told}");
    assert_eq!(page.names(), ["kept"]);
    for key in [&first, &second] {
        let answer = app.service().bearer(key.secret.expose()).await.expect(401);
        assert_eq!(answer.header("keyward-reason"), Some("unknown"));
    }
    app.service().bearer(kept.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let listing = keyward::key_instances::list(&desk.act(), &Filter::default(), 10).await.unwrap();
    assert_eq!(listing.instances.len(), 1);
    admin.get(&format!("/s/acme/groups/{group}")).await.expect(404);
    admin.post(&path, &fields).await.expect(404);
    assert_eq!(page.tabs()["All"], 1);
    assert_eq!(admin.get("/s/acme/keys").await.tabs()["All"], 1);
    // Its name is free again.
    desk.group("quote-engine", desk.days(90)).await;
    assert!(key_groups::find(&desk.act(), group).await.is_err());
}

async fn a_suspended_subscription_refuses_every_change(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    let owner = app.owner().await;
    let token = admin.get(NEW).await.expect(200).field("submission");
    owner.post("/subscriptions/acme/suspension", &[("confirm", "acme")]).await.expect(303);
    let path = crate::support::path_of("acme", &key.instance);
    let group = path.split("/keys/").next().unwrap();
    let fields = [
        ("submission", token.as_str()),
        ("name", "x"),
        ("make", "generate"),
        ("preset", "90"),
        ("overlap", "own"),
        ("confirm", "quote-engine"),
        ("version", "1"),
        ("default_lifetime_days", "90"),
        ("saved_by", "clipboard"),
    ];
    let before = app.snapshot().await;
    for form in [
        NEW.to_owned(),
        "/s/acme/settings".into(),
        format!("{group}/edit"),
        format!("{group}/deletion"),
        format!("{group}/keys/new"),
        format!("{path}/rotation"),
        format!("{path}/replacement"),
        format!("{path}/period"),
        format!("{path}/note"),
        format!("{path}/reactivation"),
        format!("{path}/deactivation"),
        format!("{path}/revocation"),
        format!("{path}/secret/acknowledgement"),
    ] {
        let page = admin.post(&form, &fields).await;
        assert_eq!(page.status, 409, "{form}\n{}", page.plain());
        assert!(page.plain().contains("This subscription is suspended."), "{form}");
    }
    assert_eq!(app.snapshot().await, before);
}
