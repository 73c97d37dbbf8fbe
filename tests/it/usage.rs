//! Last use and counts: written in batches, never going backwards, never lost by a failed write.
use std::net::IpAddr;

use chrono::TimeDelta;
use keyward::{
    domain::Denial,
    key_instances::{self, Issued, KeyInstance},
    verify::usage::{self, Call},
};
use sea_orm::ConnectionTrait;

use crate::support::{Desk, PASSWORD, TestApp, ids, on_both, path_of};

on_both! {
    the_last_use_says_when_from_where_and_by_whom,
    a_use_shows_after_the_next_batch,
    the_last_use_never_goes_backwards,
    calls_are_counted_per_day_and_hour,
    a_batch_that_fails_is_written_with_the_next,
    every_call_of_many_at_once_is_counted,
    a_group_that_only_refuses_needs_attention,
    a_stranger_s_call_is_no_use_of_any_key,
    the_address_behind_a_named_proxy_is_the_callers,
}

async fn flush(app: &TestApp) {
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
}

async fn stored(desk: &Desk<'_>, key: &Issued) -> KeyInstance {
    key_instances::find(&desk.act(), ids(key)).await.unwrap()
}

async fn the_last_use_says_when_from_where_and_by_whom(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let bearer = format!("Bearer {}", key.secret.expose());
    let agent = [("authorization", bearer.as_str()), ("user-agent", "okhttp/5.1")];
    app.service().raw(&agent).await.expect(204);
    flush(app).await;
    let it = stored(&desk, &key).await;
    assert_eq!(it.last_used(), Some(app.clock.now()));
    assert_eq!(it.last_used_from.as_deref(), Some("127.0.0.1"));
    assert_eq!(it.last_used_agent.as_deref(), Some("okhttp/5.1"));
    // Point 8: the name that a caller gives itself.
    app.clock.advance(TimeDelta::milliseconds(1));
    let named = [agent[0], agent[1], ("x-bs-clientid", "team@broker.example")];
    app.service().raw(&named).await.expect(204);
    let long = "a".repeat(1_000);
    flush(app).await;
    assert_eq!(stored(&desk, &key).await.last_used_agent.as_deref(), Some("team@broker.example"));
    app.clock.advance(TimeDelta::milliseconds(1));
    app.service().raw(&[agent[0], ("x-bs-clientid", &long)]).await.expect(204);
    flush(app).await;
    assert_eq!(stored(&desk, &key).await.last_used_agent.unwrap().len(), 200);
    let admin = app.signed_in("admin@acme.example").await;
    let page = admin.get(&path_of("acme", &key.instance)).await.expect(200);
    assert!(page.plain().contains("Accepted, last 24 hours 3"), "{}", page.plain());
    // Point 40: relative, with the exact time for mouse and keyboard.
    let exact = "title=\"Fri 20 Nov 2026 10:30:00 UTC\"";
    let tip = page.text().split("<time class=\"tip\" tabindex=\"0\"").nth(1).unwrap();
    assert!(tip.split('>').next().unwrap().contains(exact), "{tip}");
}

async fn a_use_shows_after_the_next_batch(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let before = app.snapshot().await;
    for _ in 0..20 {
        app.service().bearer(key.secret.expose()).await.expect(204);
    }
    assert_eq!(app.snapshot().await, before, "a call writes nothing by itself");
    assert!(usage::until_next(std::time::Duration::ZERO).as_secs() < 10);
    flush(app).await;
    let group = app.query("SELECT last_used_at FROM key_groups").await;
    assert!(group[0]["last_used_at"].is_number() && group.len() == 1);
    assert!(stored(&desk, &key).await.last_used().is_some());
}

async fn the_last_use_never_goes_backwards(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let other = app.second_node().await;
    let call = |agent| Call {
        denial: None,
        from: IpAddr::from([192, 0, 2, 1]),
        agent,
        asked: None,
        workspace: None,
    };
    let (group, id) = ids(&key);
    let (old, new) = (app.clock.now(), app.clock.now() + TimeDelta::hours(3));
    // In one batch, in the wrong order; then from another node that is late.
    app.recorder.note_many((id, group), call("new"), 1, new);
    app.recorder.note_many((id, group), call("old"), 1, old);
    app.recorder.note_many((id, group), call("older"), 1, new - TimeDelta::milliseconds(1));
    app.recorder.flush(&app.db, new).await.unwrap();
    other.recorder.note_many((id, group), call("late"), 1, new - TimeDelta::minutes(1));
    other.recorder.flush(&other.db, new).await.unwrap();
    let it = stored(&desk, &key).await;
    assert_eq!((it.last_used(), it.last_used_agent.as_deref()), (Some(new), Some("new")));
    let rows = app.query("SELECT last_used_at, idle_since FROM key_groups").await;
    let expected = serde_json::json!(new.timestamp_millis());
    assert_eq!((&rows[0]["last_used_at"], &rows[0]["idle_since"]), (&expected, &expected));
    let counted: i64 = counts(app, "usage_days").await;
    assert_eq!(counted, 4, "every call counts, whenever it comes");
    other.stop().await;
    // What lists are sorted by follows within a minute, and is never ahead.
    for (seconds, behind) in [(60, 60), (61, 0), (70, 9)] {
        let at = new + TimeDelta::seconds(seconds);
        app.recorder.note_many((id, group), call("new"), 1, at);
        app.recorder.flush(&app.db, at).await.unwrap();
        for table in ["key_groups", "key_instances"] {
            let rows = app.query(&format!("SELECT last_used_at, idle_since FROM {table}")).await;
            let [last, idle] =
                ["last_used_at", "idle_since"].map(|it| rows[0][it].as_i64().unwrap());
            assert_eq!((last, last - idle), (at.timestamp_millis(), behind * 1_000), "{table}");
        }
    }
}

async fn counts(app: &TestApp, table: &str) -> i64 {
    let rows = app.query(&format!("SELECT accepted FROM {table}")).await;
    rows.iter().map(|it| it["accepted"].as_i64().unwrap()).sum()
}

async fn calls_are_counted_per_day_and_hour(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let (group, id) = ids(&key);
    for _ in 0..40 {
        app.service().bearer(key.secret.expose()).await.expect(204);
        app.clock.advance(TimeDelta::hours(20));
    }
    let path = "/verify?permission=a:b";
    let bearer = format!("Bearer {}", key.secret.expose());
    let service = app.service();
    service.ask(reqwest::Method::GET, path, &[("authorization", &bearer)]).await.expect(403);
    flush(app).await;
    let now = app.clock.now();
    let day = usage::last_day(&app.db, vec![id], now).await.unwrap()[&id];
    assert_eq!((day.accepted, day.refused), (1, 1));
    let month = usage::of_groups(&app.db, vec![group], now).await.unwrap()[&group];
    assert_eq!((month.accepted, month.refused), (35, 1), "of 40 calls, 20 hours apart");
    let admin = app.signed_in("admin@acme.example").await;
    let page = admin.get(&format!("/s/acme/groups/{group}")).await.expect(200).plain();
    assert!(page.contains("Calls, last 30 days 35 · 1 refused (2.78%)"), "{page}");
    usage::prune(&app.db, now).await.unwrap();
    assert_eq!(counts(app, "usage_hours").await, 2, "hours are kept for two days");
    assert_eq!(counts(app, "usage_days").await, 40, "days stay");
}

async fn a_batch_that_fails_is_written_with_the_next(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let db = app.home.connect().await;
    for (table, calls) in [("usage_days", 3), ("usage_hours", 6), ("key_groups", 9)] {
        for _ in 0..2 {
            app.service().bearer(key.secret.expose()).await.expect(204);
        }
        db.execute_unprepared(&format!("ALTER TABLE {table} RENAME TO away")).await.unwrap();
        app.recorder.flush(&app.db, app.clock.now()).await.unwrap_err();
        db.execute_unprepared(&format!("ALTER TABLE away RENAME TO {table}")).await.unwrap();
        app.clock.advance(TimeDelta::minutes(1));
        app.service().bearer(key.secret.expose()).await.expect(204);
        flush(app).await;
        assert_eq!(counts(app, "usage_days").await, calls, "after {table} was away");
        assert_eq!(counts(app, "usage_hours").await, calls, "after {table} was away");
        assert_eq!(stored(&desk, &key).await.last_used(), Some(app.clock.now()));
    }
    // The group's own last use as well, without any further call.
    app.clock.advance(TimeDelta::minutes(1));
    app.service().bearer(key.secret.expose()).await.expect(204);
    db.execute_unprepared("ALTER TABLE key_groups RENAME TO away").await.unwrap();
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap_err();
    db.execute_unprepared("ALTER TABLE away RENAME TO key_groups").await.unwrap();
    flush(app).await;
    let rows = app.query("SELECT last_used_at FROM key_groups").await;
    assert_eq!(rows[0]["last_used_at"], app.clock.now().timestamp_millis());
    assert_eq!(counts(app, "usage_days").await, 10, "nothing is counted twice");
    db.close().await.unwrap();
}

async fn every_call_of_many_at_once_is_counted(app: &TestApp) {
    let desk = app.desk("acme").await;
    let other = app.second_node().await;
    let mut keys = Vec::new();
    for n in 0..5 {
        keys.push(desk.group(&format!("group {n}"), desk.days(90)).await);
    }
    let calls = (0..200).map(|n| {
        let node = if n % 2 == 0 { app } else { &other };
        let (service, key) = (node.service(), keys[n % 5].secret.expose());
        async move { service.bearer(key).await }
    });
    // Two nodes write their batches while calls come in.
    let writing = async {
        for _ in 0..10 {
            flush(app).await;
            flush(&other).await;
        }
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(calls), writing);
    assert!(answers.iter().all(|it| it.status == 204));
    flush(app).await;
    flush(&other).await;
    assert_eq!(counts(app, "usage_days").await, 200);
    assert_eq!(counts(app, "usage_hours").await, 200);
    other.stop().await;
}

async fn a_group_that_only_refuses_needs_attention(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(1)).await;
    desk.group("covered", desk.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    app.clock.advance(TimeDelta::days(2));
    admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
    let quiet = admin.get("/s/acme").await.expect(200).plain();
    assert!(!quiet.contains("has no active key"), "nobody calls it: {quiet}");
    for _ in 0..3 {
        app.service().bearer(key.secret.expose()).await.expect(401);
    }
    flush(app).await;
    let it = stored(&desk, &key).await;
    assert_eq!(it.last_refused_reason.as_deref(), Some(Denial::Expired.code()));
    assert_eq!((it.last_refused_from.as_deref(), it.last_used()), (Some("127.0.0.1"), None));
    let page = admin.get("/s/acme").await.expect(200).plain();
    let why = "quote-engine has no active key since 21 Nov 3 calls with k-1 refused in the last 24 hours, \
               last from 127.0.0.1";
    assert!(page.contains(why), "{page}");
    // A new key ends the matter.
    desk.key(key.instance.key_group_id, desk.days(90)).await;
    let page = admin.get("/s/acme").await.expect(200).plain();
    assert!(!page.contains("has no active key"), "{page}");
}

async fn a_stranger_s_call_is_no_use_of_any_key(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let before = app.snapshot().await;
    let text = key.secret.expose();
    app.service().bearer(&text[..text.len() - 1]).await.expect(401);
    app.service().raw(&[("x-synthetic-key", text)]).await.expect(401);
    app.service().raw(&[]).await.expect(401);
    flush(app).await;
    assert_eq!(app.snapshot().await, before);
}

async fn the_address_behind_a_named_proxy_is_the_callers(database: &crate::support::Database) {
    for (trusted, seen) in [(true, "198.51.100.7"), (false, "127.0.0.1")] {
        let app = TestApp::start_with(*database, |config| {
            if trusted {
                config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
            }
        })
        .await;
        let desk = app.desk("acme").await;
        let key = desk.group("quote-engine", desk.days(90)).await;
        let bearer = format!("Bearer {}", key.secret.expose());
        let headers = [("authorization", &*bearer), ("x-forwarded-for", "6.6.6.6, 198.51.100.7")];
        app.service().raw(&headers).await.expect(204);
        flush(&app).await;
        assert_eq!(stored(&desk, &key).await.last_used_from.as_deref(), Some(seen));
        drop(desk);
        app.stop().await;
    }
}
