//! The audit log: each change and its row are one, and nothing in it can be changed unseen.
use chrono::TimeDelta;
use keyward::{
    audit::{self, INSTALLATION, Record},
    domain::Role,
    key_instances::{self, Issued},
};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use uuid::Uuid;

use crate::support::{PASSWORD, Person, TestApp, ids, on_both, own_text, path_of};

on_both! {
    each_act_on_a_key_leaves_one_row_that_tells_all_of_it,
    acts_on_groups_and_settings_tell_before_and_after,
    an_act_that_fails_leaves_no_row,
    a_change_whose_row_cannot_be_written_is_not_made,
    refusals_and_sign_ins_are_told_too,
    the_database_itself_refuses_to_change_a_row,
    a_changed_a_removed_and_a_cut_row_are_found,
    a_log_that_grows_while_it_is_checked_is_whole,
    the_log_is_filtered_in_the_url_and_exported_as_shown,
    the_log_of_others_is_not_there,
}

async fn rows(app: &TestApp, scope: Uuid) -> Vec<Record> {
    let filter = audit::Filter::default();
    let mut rows = audit::list(&app.db, scope, &filter, 1_000).await.unwrap().rows;
    rows.reverse();
    rows
}

/// A group of `acme` with its first key, and its admin.
async fn stage(app: &TestApp) -> (Issued, Person<'_>, Uuid) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    let admin = admin.with(&[("user-agent", "test browser")]);
    (key, admin, desk.act().scope.id())
}

async fn each_act_on_a_key_leaves_one_row_that_tells_all_of_it(app: &TestApp) {
    let (key, admin, scope) = stage(app).await;
    let group = key.instance.key_group_id;
    let path = path_of("acme", &key.instance);
    let new = format!("/s/acme/groups/{group}/keys/new");
    let dates = [("preset", "dates"), ("from", "2026-11-20T10:30"), ("until", "2026-12-24T18:00")];
    for (form, fields, actions) in [
        (new, vec![("preset", "30"), ("note", "a note")], &["key_instance.created"][..]),
        (format!("{path}/period"), dates.to_vec(), &["key_instance.period_changed"]),
        (format!("{path}/deactivation"), vec![], &["key_instance.deactivated"]),
        (format!("{path}/reactivation"), dates.to_vec(), &["key_instance.reactivated"]),
        (
            format!("{path}/rotation"),
            vec![("preset", "30"), ("overlap", "1h")],
            &["key_instance.created", "key_instance.rotated"],
        ),
        (format!("{path}/replacement"), vec![], &["key_instance.created", "key_instance.replaced"]),
    ] {
        let before = rows(app, scope).await.len();
        let mut all = fields.clone();
        let token = if form.ends_with("/new") || form.ends_with("ation") || form.ends_with("ment") {
            let page = admin.get(&form).await.expect(200);
            if page.text().contains("name=\"submission\"") {
                page.field("submission")
            } else {
                String::new()
            }
        } else {
            String::new()
        };
        all.push(("submission", &token));
        let done = admin.post(&form, &all).await.expect(303);
        let rows = rows(app, scope).await;
        let told: Vec<_> = rows[before..].iter().map(|it| it.action.as_str()).collect();
        assert_eq!(told, actions, "{form}");
        for row in &rows[before..] {
            assert_eq!((row.actor.as_str(), row.outcome.as_str()), ("admin@acme.example", "done"));
            assert_eq!(row.actor_id, Some(app.user("acme", Role::Admin).await.id));
            assert_eq!(
                (row.from_address.as_str(), &*row.user_agent),
                ("127.0.0.1", "test browser")
            );
            assert_eq!(Some(row.request_id.as_str()), done.header("x-request-id"));
            assert_eq!(row.at, app.clock.now().timestamp_millis());
            assert!(row.object.starts_with("quote-engine / k-"), "{}", row.object);
            let is_new = row.action == "key_instance.created";
            assert_eq!(row.before.is_empty(), is_new, "{row:?}");
            let after: Value = serde_json::from_str(&row.after).unwrap();
            assert!(after["key"].as_str().unwrap().contains('\u{2022}'), "masked: {after}");
        }
        app.clock.advance(TimeDelta::milliseconds(10));
    }
    let all = rows(app, scope).await;
    let changed = all.iter().find(|it| it.action == "key_instance.period_changed").unwrap();
    let (before, after): (Value, Value) = (
        serde_json::from_str(&changed.before).unwrap(),
        serde_json::from_str(&changed.after).unwrap(),
    );
    assert_eq!(before["until"], "2027-02-18T10:30:00.000Z");
    assert_eq!(after["until"], "2026-12-24T18:00:00.000Z");
}

async fn acts_on_groups_and_settings_tell_before_and_after(app: &TestApp) {
    let (key, admin, scope) = stage(app).await;
    let group = format!("/s/acme/groups/{}", key.instance.key_group_id);
    let before = rows(app, scope).await.len();
    let fields = [("name", "other"), ("preset", "30")];
    admin.submit("/s/acme/groups/new", &fields).await.expect(303);
    admin.post(&format!("{group}/edit"), &[("name", "rating")]).await.expect(303);
    let settings = [("default_lifetime_days", "30"), ("max_lifetime_days", "60")];
    admin.post("/s/acme/settings", &settings).await.expect(303);
    let deletion = format!("{group}/deletion");
    let version = admin.get(&deletion).await.expect(200).field("version");
    let fields = [("confirm", "rating"), ("version", &*version)];
    admin.post(&deletion, &fields).await.expect(303);
    let rows = rows(app, scope).await;
    let told: Vec<_> = rows[before..]
        .iter()
        .map(|it| {
            (it.action.as_str(), it.object.as_str(), !it.before.is_empty(), !it.after.is_empty())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("key_group.created", "other", false, true),
            ("key_instance.created", "other / k-1", false, true),
            ("key_group.edited", "rating", true, true),
            ("subscription.settings_changed", "ACME", true, true),
            ("key_group.deleted", "rating", true, false),
        ]
    );
    assert!(rows.last().unwrap().before.contains("k-1"), "the keys that died are named");
    let changed: Value = serde_json::from_str(&rows[before + 3].after).unwrap();
    assert_eq!(
        (&changed["max_lifetime_days"], &changed["members_see_keys"]),
        (&60.into(), &false.into())
    );
}

async fn an_act_that_fails_leaves_no_row(app: &TestApp) {
    let (key, admin, _) = stage(app).await;
    let path = path_of("acme", &key.instance);
    let before = app.count("audit_events").await;
    admin.post(&format!("{path}/reactivation"), &[("preset", "7")]).await.expect(409);
    admin.post(&format!("{path}/period"), &[("preset", "0")]).await.expect(422);
    admin.post(&format!("{path}/rotation"), &[("preset", "7"), ("overlap", "x")]).await.expect(422);
    admin.post("/s/acme/settings", &[("default_lifetime_days", "x")]).await.expect(422);
    admin.post("/s/acme/groups/new", &[("name", "")]).await.expect(422);
    assert_eq!(app.count("audit_events").await, before);
}

async fn a_change_whose_row_cannot_be_written_is_not_made(app: &TestApp) {
    let (key, admin, _) = stage(app).await;
    let path = path_of("acme", &key.instance);
    let form = "/s/acme/groups/new";
    let token = admin.get(form).await.expect(200).field("submission");
    let before = app.snapshot().await;
    let db = app.home.connect().await;
    db.execute_unprepared("ALTER TABLE audit_events RENAME TO away").await.unwrap();
    let fields = [("submission", &*token), ("name", "other"), ("preset", "30")];
    for (form, fields) in [
        (format!("{path}/revocation"), &[][..]),
        (format!("{path}/deactivation"), &[]),
        (form.to_owned(), &fields),
        (format!("/s/acme/groups/{}/edit", key.instance.key_group_id), &[("name", "new")]),
    ] {
        let answer = admin.post(&form, fields).await;
        assert!(answer.status >= 500, "{form}: {}", answer.status);
    }
    db.execute_unprepared("ALTER TABLE away RENAME TO audit_events").await.unwrap();
    db.close().await.unwrap();
    assert_eq!(app.snapshot().await, before);
    app.service().bearer(key.secret.expose()).await.expect(204);
}

async fn refusals_and_sign_ins_are_told_too(app: &TestApp) {
    let (key, admin, scope) = stage(app).await;
    let member = app.member("acme").await;
    let before = rows(app, scope).await.len();
    let path = format!("{}/revocation", path_of("acme", &key.instance));
    member.post(&path, &[]).await.expect(403);
    member.get("/s/acme/audit").await.expect(403);
    let told = rows(app, scope).await;
    for row in &told[before..] {
        assert_eq!((row.action.as_str(), &*row.outcome), ("authz.fail", "refused"));
        assert_eq!(row.actor, "member@acme.example");
    }
    assert_eq!(told.len(), before + 2);
    let before = rows(app, INSTALLATION).await.len();
    let person = app.anonymous();
    person.sign_in("admin@acme.example", "not the password at all").await.expect(401);
    app.clock.advance(TimeDelta::minutes(5));
    person.sign_in("nobody@acme.example", "not the password at all").await.expect(401);
    app.clock.advance(TimeDelta::minutes(5));
    person.sign_in("admin@acme.example", PASSWORD).await.expect(303);
    person.post("/sign-out", &[]).await.expect(303);
    admin.get("/audit").await.expect(403);
    let told = rows(app, INSTALLATION).await;
    let actions: Vec<_> = told[before..].iter().map(|it| (&*it.action, &*it.outcome)).collect();
    assert_eq!(
        actions,
        [
            ("authn.login_fail", "refused"),
            ("authn.login_fail", "refused"),
            ("authn.login_success", "done"),
            ("authn.logout", "done"),
            ("authz.fail", "refused"),
        ]
    );
    let all = format!("{told:?}");
    assert!(!all.contains("not the password") && !all.contains(PASSWORD));
}

async fn the_database_itself_refuses_to_change_a_row(app: &TestApp) {
    stage(app).await;
    let before = app.snapshot().await;
    let db = app.home.connect().await;
    for sql in [
        "UPDATE audit_events SET actor = 'nobody'",
        "UPDATE audit_events SET at = at",
        "DELETE FROM audit_events",
        "DELETE FROM audit_events WHERE seq = 1",
    ] {
        let refused = db.execute_unprepared(sql).await.unwrap_err().to_string();
        assert!(refused.contains("the audit log is append-only"), "{sql}: {refused}");
    }
    db.close().await.unwrap();
    assert_eq!(app.snapshot().await, before);
}

async fn a_changed_a_removed_and_a_cut_row_are_found(app: &TestApp) {
    let (key, _, scope) = stage(app).await;
    let desk = app.desk("acme").await;
    for _ in 0..3 {
        desk.key(key.instance.key_group_id, desk.days(9)).await;
    }
    let check = async || audit::verify(&app.db, &app.peppers.derive("audit")).await.unwrap();
    let total = app.count("audit_events").await as u64;
    assert_eq!(check().await, Ok(total));
    let last = rows(app, scope).await.last().unwrap().seq;
    let db = app.home.connect().await;
    let is_sqlite = db.get_database_backend() == sea_orm::DbBackend::Sqlite;
    let triggers = if is_sqlite {
        "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete"
    } else {
        "DROP TRIGGER audit_append_only ON audit_events"
    };
    db.execute_unprepared(triggers).await.unwrap();
    let id = if is_sqlite { format!("x'{}'", scope.simple()) } else { format!("'{scope}'") };
    let of = |seq: i64| format!("WHERE scope = {id} AND seq = {seq}");
    db.execute_unprepared("CREATE TABLE kept AS SELECT * FROM audit_events").await.unwrap();
    let put_back = async || {
        db.execute_unprepared("DELETE FROM audit_events").await.unwrap();
        db.execute_unprepared("INSERT INTO audit_events SELECT * FROM kept").await.unwrap();
        assert_eq!(check().await, Ok(total), "put back as it was");
    };
    for column in [
        "actor",
        "action",
        "outcome",
        "object",
        "from_address",
        "user_agent",
        "request_id",
        "after",
    ] {
        let sql = format!("UPDATE audit_events SET {column} = 'x' {}", of(2));
        db.execute_unprepared(&sql).await.unwrap();
        assert_eq!(check().await, Err(audit::Break { scope, seq: 2 }), "{column}");
        put_back().await;
    }
    for (sql, seq) in [
        (format!("UPDATE audit_events SET at = at + 1 {}", of(1)), 1),
        (format!("DELETE FROM audit_events {}", of(2)), 2),
        (format!("DELETE FROM audit_events {}", of(1)), 1),
        (format!("DELETE FROM audit_events {}", of(last)), last),
        (format!("UPDATE audit_events SET seq = seq + 100 {}", of(last)), last),
        (format!("UPDATE audit_events SET object_id = NULL {}", of(last)), last),
    ] {
        db.execute_unprepared(&sql).await.unwrap();
        assert_eq!(check().await, Err(audit::Break { scope, seq }), "{sql}");
        put_back().await;
    }
    // A chain whose head is gone is none that could be checked.
    db.execute_unprepared(&format!("DELETE FROM audit_chains WHERE scope = {id}")).await.unwrap();
    assert_eq!(check().await, Err(audit::Break { scope, seq: 1 }));
    let other = app.peppers.derive("something else");
    assert!(audit::verify(&app.db, &other).await.unwrap().is_err(), "nobody else can make rows");
    db.close().await.unwrap();
}

async fn a_log_that_grows_while_it_is_checked_is_whole(app: &TestApp) {
    let (key, ..) = stage(app).await;
    let desk = app.desk("acme").await;
    let writing = async {
        for _ in 0..60 {
            desk.key(key.instance.key_group_id, desk.days(9)).await;
        }
    };
    let checking = async {
        for _ in 0..60 {
            let found = audit::verify(&app.db, &app.peppers.derive("audit")).await.unwrap();
            assert!(found.is_ok(), "{found:?}");
        }
    };
    tokio::join!(writing, checking);
}

async fn the_log_is_filtered_in_the_url_and_exported_as_shown(app: &TestApp) {
    let (key, admin, _) = stage(app).await;
    let desk = app.desk("acme").await;
    let dead = desk.key(key.instance.key_group_id, desk.days(9)).await;
    key_instances::revoke(&desk.act(), ids(&dead)).await.unwrap();
    app.clock.advance(TimeDelta::days(2));
    for n in 0..60 {
        let text = own_text(n);
        desk.own_key(key.instance.key_group_id, &text, desk.days(9)).await;
    }
    app.member("acme")
        .await
        .post(&format!("{}/revocation", path_of("acme", &key.instance)), &[])
        .await
        .expect(403);
    admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
    let member = app.user("acme", Role::Member).await.id;
    let all = app.query("SELECT seq FROM audit_events").await.len();
    for (query, count) in [
        ("action=key_instance.revoked".to_owned(), 1),
        ("action=key_instance.created".to_owned(), 62),
        (format!("object={}", dead.instance.id), 2),
        (format!("actor={member}&action=authz.fail"), 1),
        ("since=2026-11-22&until=2026-11-22&action=key_instance.created".to_owned(), 60),
        ("until=2026-11-21&action=key_instance.created".to_owned(), 2),
        ("since=2026-11-23".to_owned(), 0),
    ] {
        let csv = admin.get(&format!("/s/acme/audit.csv?{query}")).await.expect(200).csv();
        assert_eq!(csv.len() - 1, count, "{query}");
        let (mut shown, mut next) = (0, Some(format!("/s/acme/audit?{query}")));
        while let Some(path) = next {
            let page = admin.get(&path).await.expect(200);
            shown += page.text().matches("<tr class=\"row\"").count();
            next = page.next_page();
        }
        assert_eq!(shown, count, "{query}");
    }
    assert!(all > 62);
    for wrong in ["actor=x", "object=1", "since=yesterday", "before=x"] {
        admin.get(&format!("/s/acme/audit?{wrong}")).await.expect(400);
    }
    let page = admin.get("/s/acme/audit").await.expect(200);
    assert!(page.plain().contains("Refused") && page.plain().contains("admin@acme.example"));
}

async fn the_log_of_others_is_not_there(app: &TestApp) {
    let (key, ..) = stage(app).await;
    let stranger = app.admin("rival").await;
    for path in ["/s/acme/audit", "/s/acme/audit.csv"] {
        stranger.get(path).await.expect(404);
    }
    let by_id = format!("/s/rival/audit?object={}", key.instance.id);
    assert!(stranger.get(&by_id).await.expect(200).plain().contains("Nothing matches."));
    let auditor = app.auditor("acme").await;
    let log = auditor.get("/s/acme/audit").await.expect(200);
    assert!(log.text().contains("quote-engine / k-1"));
    assert!(!log.text().contains("rival"));
    app.owner().await.get("/s/acme/audit").await.expect(404);
    let installation = app.owner().await.get("/audit").await.expect(200);
    assert!(!installation.text().contains("quote-engine"), "no keys in the owner's log");
}
