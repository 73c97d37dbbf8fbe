//! The database is away: nothing is decided, and everything goes on when it is back.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::future::join_all;
use keyward::key_instances;
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Database, Person, TestApp, eventually, ids, on_both, own_text, path_of};

/// For the program to find its database again.
const LIMIT: Duration = Duration::from_secs(10);

on_both! { no_key_is_called_valid_or_invalid_while_the_database_is_away }

const ROUNDS: usize = 5;

/// One subscription's changes wait for a row of theirs: nobody else waits for a connection.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_row_leaves_connections_for_the_others() {
    let app = TestApp::start(Database::Postgres).await;
    app.desk("acme").await;
    let program = app.program(&["keys:write"]).await;
    let held = app.db.read().begin().await.unwrap();
    held.execute_unprepared("SELECT id FROM subscriptions FOR UPDATE").await.unwrap();
    let posts = (0..16).map(|n| {
        let new = json!({ "name": format!("service-{n}") });
        async { program.post("/key-groups", new).await.status }
    });
    let meanwhile = async {
        let all_wait = async || app.db.connections().in_use > 10;
        assert!(eventually(LIMIT, all_wait).await, "they do not wait");
        for _ in 0..20 {
            app.db.ping().await.unwrap();
            assert!(app.live.is_trusted());
        }
        held.rollback().await.unwrap();
    };
    let (statuses, ()) = tokio::join!(join_all(posts), meanwhile);
    assert_eq!(statuses, [201; 16]);
    app.stop().await;
}

/// Under load: what is good is accepted or cannot be decided, and what was revoked is never accepted.
#[tokio::test(flavor = "multi_thread")]
async fn keys_work_again_when_the_database_is_back() {
    let (app, cable) = TestApp::on_a_cable().await;
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let ended = desk.group("billing", desk.days(90)).await;
    key_instances::revoke(&desk.act(), ids(&ended)).await.unwrap();
    let admin = app.signed_in("admin@acme.example").await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for n in 0..8 {
        let (good, secret) = if n % 2 == 0 { (204, &key.secret) } else { (401, &ended.secret) };
        let request = app.client.get(app.url("/verify")).bearer_auth(secret.expose());
        let stop = stop.clone();
        callers.spawn(async move {
            let mut counts = [0_usize; 2];
            while !stop.load(SeqCst) {
                let answer = request.try_clone().unwrap().send().await.unwrap();
                let status = answer.status().as_u16();
                assert!(status == good || status == 503, "{status} instead of {good}");
                counts[usize::from(status == 503)] += 1;
            }
            counts
        });
    }
    for _ in 0..ROUNDS {
        cable.cut();
        app.relies_on_nothing().await;
        app.service().bearer(key.secret.expose()).await.expect(503);
        cable.mend();
        let works = async || app.service().bearer(key.secret.expose()).await.status == 204;
        assert!(eventually(LIMIT, works).await, "it does not recover");
        assert!(eventually(LIMIT, async || app.live.is_trusted()).await, "it has no lease");
        admin.get("/s/acme").await.expect(200);
    }
    stop.store(true, SeqCst);
    for counts in callers.join_all().await {
        assert!(counts.iter().all(|it| *it > 0), "{counts:?}");
    }
    // What was called before the outage is counted afterwards.
    cable.cut();
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap_err();
    cable.mend();
    let flushed = async || app.recorder.flush(&app.db, app.clock.now()).await.is_ok();
    assert!(eventually(LIMIT, flushed).await, "the counts are not written");
    let sum = app.query("SELECT CAST(SUM(accepted) AS BIGINT) AS n FROM usage_days").await;
    assert!(sum[0]["n"].as_i64().unwrap() >= 3, "{sum:?}");
    app.stop().await;
}

async fn no_key_is_called_valid_or_invalid_while_the_database_is_away(database: &Database) {
    let (app, cable) = match database {
        Database::Sqlite => (TestApp::start(*database).await, None),
        Database::Postgres => {
            let (app, cable) = TestApp::on_a_cable().await;
            (app, Some(cable))
        }
    };
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    let service = app.service();
    service.bearer(key.secret.expose()).await.expect(204);
    match &cable {
        Some(cable) => cable.cut(),
        None => app.db.clone().close().await.unwrap(),
    }
    app.relies_on_nothing().await;
    let own = own_text(1);
    for answer in [
        service.bearer(key.secret.expose()).await,
        service.synthetic(key.secret.expose(), "acme").await,
        service.synthetic(&own, "acme").await,
    ] {
        let answer = answer.expect(503);
        assert_eq!(answer.header("keyward-reason"), Some("unavailable"));
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(answer.text().contains("unavailable"), "{}", answer.text());
    }
    unreachable_pages(&admin, &path_of("acme", &key.instance)).await;
    app.healthz().await.expect(200);
    app.anonymous().get("/readyz").await.expect(503);
    if let Some(cable) = &cable {
        cable.mend();
    }
    app.stop().await;
}

async fn unreachable_pages(admin: &Person<'_>, key: &str) {
    for path in ["/s/acme", "/s/acme/groups", "/sign-in", key] {
        admin.get(path).await.expect(503);
    }
    let path = format!("{key}/revocation");
    let answer = admin.post(&path, &[]).await.expect(503);
    assert!(answer.header("retry-after").is_some());
}
