//! What a monitoring system reads, as a parser that is not ours understands it.
use std::{net::TcpListener, time::Duration};

use actix_web::dev::ServerHandle;
use chrono::TimeDelta;
use keyward::{key_instances, metrics, notices, pepper::random_token, server};
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{
    Database, Home, TestApp, eventually, ids, on_both, plain_client, program::Program, read_with,
};

on_both! {
    each_answer_of_a_verification_is_counted,
    the_soonest_ends_are_listed_and_the_others_counted,
    names_of_any_kind_are_labels,
    notices_sessions_and_groups_are_told,
    a_scrape_works_while_the_database_is_away,
    they_are_served_on_a_listener_of_their_own,
}

struct Scraped(Value);

impl Scraped {
    fn parse(text: &str) -> Self {
        Self(read_with("read_metrics.py", text))
    }

    async fn of(app: &TestApp, listed: u64) -> Self {
        Self::parse(&metrics::scrape(&app.app, listed).await.unwrap())
    }

    /// The samples of this name, with their labels.
    fn all(&self, name: &str) -> Vec<(&Value, f64)> {
        let samples = self.0["samples"].as_array().unwrap().iter();
        let own = samples.filter(|it| it["name"] == name);
        own.map(|it| (&it["labels"], it["value"].as_f64().unwrap())).collect()
    }

    /// The one sample that has these labels.
    #[track_caller]
    fn one(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |it: &&(&Value, f64)| labels.iter().all(|(key, value)| it.0[*key] == *value);
        let all = self.all(name);
        let own: Vec<_> = all.iter().filter(fits).collect();
        assert_eq!(own.len(), 1, "{name} {labels:?} in {}", self.0);
        own[0].1
    }

    fn verified(&self, result: &str) -> f64 {
        self.one("keyward_verifications_total", &[("result", result)])
    }
}

async fn each_answer_of_a_verification_is_counted(app: &TestApp) {
    let desk = app.desk("acme").await;
    let good = desk.group("quote-engine", desk.days(90)).await;
    let off = desk.key(good.instance.key_group_id, desk.days(90)).await;
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    for _ in 0..3 {
        app.service().bearer(good.secret.expose()).await.expect(204);
    }
    app.service().bearer(off.secret.expose()).await.expect(401);
    app.service().bearer("kw_nobody").await.expect(401);
    app.service().raw(&[]).await.expect(401);
    let lacking = "/verify?permission=orders:read";
    let bearer = format!("Bearer {}", good.secret.expose());
    let url = app.url(lacking);
    let asked = app.client.get(url).header("authorization", bearer).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::FORBIDDEN);
    let twice =
        [("x-synthetic-key", "a"), ("authorization", "Bearer b"), ("x-tenant-name", "acme")];
    app.service().raw(&twice).await.expect(400);
    let it = Scraped::of(app, 10).await;
    for (result, n) in [
        ("accepted", 3.0),
        ("deactivated", 1.0),
        ("unknown", 2.0),
        ("insufficient_permissions", 1.0),
        ("malformed", 1.0),
        ("expired", 0.0),
        ("revoked", 0.0),
        ("throttled", 0.0),
        ("unavailable", 0.0),
    ] {
        assert_eq!(it.verified(result), n, "{result}");
    }
    let family = &it.0["families"]["keyward_verifications"];
    assert_eq!(family["type"], "counter");
    assert!(family["help"].as_str().unwrap().len() > 20);
}

async fn the_soonest_ends_are_listed_and_the_others_counted(app: &TestApp) {
    let desk = app.desk("acme").await;
    let first = desk.group("quote-engine", desk.days(30)).await;
    let group = first.instance.key_group_id;
    let revoked = desk.key(group, desk.days(5)).await;
    let off = desk.key(group, desk.days(6)).await;
    for days in [40, 50, 60, 200] {
        desk.key(group, desk.days(days)).await;
    }
    let elsewhere = app.desk("globex").await;
    elsewhere.group("billing", elsewhere.days(20)).await;
    key_instances::revoke(&desk.act(), ids(&revoked)).await.unwrap();
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    const NAME: &str = "keyward_key_instance_expiry_seconds";
    let it = Scraped::of(app, 3).await;
    let day = 86_400.0;
    let listed: Vec<(String, f64)> = it
        .all(NAME)
        .into_iter()
        .map(|(labels, value)| (labels["key_instance"].as_str().unwrap().to_owned(), value / day))
        .collect();
    let listed: Vec<(&str, f64)> = listed.iter().map(|it| (it.0.as_str(), it.1)).collect();
    assert_eq!(listed, [("k-1", 20.0), ("k-1", 30.0), ("k-4", 40.0)]);
    let own = [("subscription", "globex"), ("key_group", "billing"), ("key_instance", "k-1")];
    assert_eq!(it.one(NAME, &own), 20.0 * day);
    assert_eq!(it.one("keyward_key_instances_not_listed", &[]), 2.0, "of the next 90 days");
    assert_eq!(it.0["families"]["keyward_key_instance_expiry_seconds"]["unit"], "seconds");
    // Negative for 7 days, then gone.
    app.clock.advance(TimeDelta::days(22));
    // What has ended takes no place from what will.
    let few: Vec<f64> = Scraped::of(app, 3).await.all(NAME).iter().map(|it| it.1 / day).collect();
    assert_eq!(few, [8.0, 18.0, 28.0]);
    assert_eq!(Scraped::of(app, 10).await.one(NAME, &own), -2.0 * day);
    app.clock.advance(TimeDelta::days(6));
    let it = Scraped::of(app, 10).await;
    assert!(it.all(NAME).iter().all(|it| it.0["subscription"] == "acme"));
    assert_eq!(it.all(NAME).len(), 5);
}

async fn names_of_any_kind_are_labels(app: &TestApp) {
    let desk = app.desk("acme").await;
    let name = "a \"quoted\" \\ name # {x=\"y\"} 1 ä";
    desk.group(name, desk.days(30)).await;
    let it = Scraped::of(app, 10).await;
    assert!(it.one("keyward_key_instance_expiry_seconds", &[("key_group", name)]) > 0.0);
}

async fn notices_sessions_and_groups_are_told(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.group("quote-engine", desk.days(90)).await;
    // A name that never leads anywhere (RFC 6761).
    notices::add(&desk.act(), "https://hooks.invalid/", &random_token()).await.unwrap();
    app.clock.advance(TimeDelta::days(83));
    notices::round(app).await.unwrap();
    app.admin("acme").await;
    app.member("acme").await;
    let it = Scraped::of(app, 10).await;
    assert_eq!(it.one("keyward_notices_total", &[("threshold", "7d")]), 1.0);
    assert_eq!(it.one("keyward_notices_total", &[("threshold", "end")]), 0.0);
    let failed = [("channel", "webhook"), ("result", "failed")];
    assert_eq!(it.one("keyward_delivery_attempts_total", &failed), 1.0);
    assert_eq!(it.one("keyward_deliveries_waiting", &[]), 1.0);
    assert_eq!(it.one("keyward_sessions", &[]), 2.0);
    assert_eq!(it.one("keyward_key_groups", &[("state", "all")]), 1.0);
    assert_eq!(it.one("keyward_up_database", &[]), 1.0);
    // Keys are in memory; whether they are relied on at this moment is for `live.rs` to test.
    assert_eq!(it.one("keyward_live_key_instances", &[]), 1.0);
    assert!([0.0, 1.0].contains(&it.one("keyward_live_trusted", &[])));
    assert_eq!(it.all("keyward_database_connections").len(), 2);
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(it.one("keyward_build_info", &version), 1.0);
}

async fn a_scrape_works_while_the_database_is_away(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    app.service().bearer(key.secret.expose()).await.expect(204);
    app.db.clone().close().await.unwrap();
    let it = Scraped::of(app, 10).await;
    assert_eq!(it.one("keyward_up_database", &[]), 0.0);
    assert_eq!(it.verified("accepted"), 1.0);
    assert!(it.all("keyward_key_groups").is_empty());
}

async fn serve(app: &TestApp) -> (String, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = server::start_metrics(listener, app.app.clone()).unwrap();
    let handle = server.handle();
    tokio::spawn(server);
    (origin, handle)
}

async fn they_are_served_on_a_listener_of_their_own(database: &Database) {
    let app = TestApp::start(*database).await;
    let (origin, handle) = serve(&app).await;
    let get = async |path: &str| app.client.get(format!("{origin}{path}")).send().await.unwrap();
    let answer = get("/metrics").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let kind = answer.headers()["content-type"].to_str().unwrap();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    Scraped::parse(&answer.text().await.unwrap());
    for path in ["/", "/sign-in", "/verify", "/s/acme"] {
        assert_eq!(get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    app.anonymous().get("/metrics").await.expect(404);
    handle.stop(false).await;
    app.stop().await;
    // The program: beside its pages, and never in their place.
    let home = Home::new(*database).await;
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let program = Program::start_with(&home, &[("KEYWARD_METRICS_BIND", &free)]).await;
    let url = format!("http://{free}/metrics");
    let client = plain_client();
    let works = async || client.get(&url).send().await.is_ok_and(|it| it.status() == 200);
    assert!(eventually(Duration::from_secs(10), works).await, "no metrics");
    let taken = program.origin.trim_start_matches("http://").to_owned();
    program.terminate();
    assert!(program.ended().await.success());
    assert!(client.get(&url).send().await.is_err(), "it is still served");
    // A taken port is an error that says so.
    let occupied = TcpListener::bind(&taken).unwrap();
    let (fine, said) = Program::run_with(
        &home,
        &["serve"],
        &[("KEYWARD_BIND", "127.0.0.1:0"), ("KEYWARD_METRICS_BIND", &taken)],
    );
    assert!(!fine && said.contains("the metrics cannot be served"), "{said}");
    drop(occupied);
    home.clean_up().await;
}
