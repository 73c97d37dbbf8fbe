//! O11 where a node is not well: stopped, killed, cut off from the database, or with a wrong clock. What
//! was acknowledged on one node holds for every call that is sent to any other one afterwards.
use std::{fs, sync::Arc, time::Duration};

use chrono::TimeDelta;
use keyward::{
    db::{changes::Mark, nodes::LEASE},
    key_instances,
};
use reqwest::Method;
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::support::{Database, Home, TestApp, eventually, ids, on_both, program::Program};

on_both! {
    a_stopped_node_accepts_nothing_that_was_revoked_meanwhile,
    who_hears_that_it_is_done_already_can_rely_on_it_as_well,
    who_finds_nothing_to_delete_any_more_can_rely_on_it_as_well,
    a_killed_node_comes_back_with_what_was_revoked_meanwhile,
    a_node_whose_clock_is_behind_refuses_what_was_revoked,
    nobody_waits_out_the_lease_of_a_node_for_what_it_did_itself,
}

const LIMIT: Duration = Duration::from_secs(20);

/// Two processes on one database, and a key that both accept.
struct Pair {
    home: Home,
    first: Program,
    second: Arc<Program>,
    cookie: String,
    key: String,
    secret: String,
}

impl Pair {
    async fn new(database: Database) -> Self {
        let home = Home::new(database).await;
        Program::set_up(&home);
        let (first, second) = (Program::start(&home).await, Program::start(&home).await);
        let cookie = first.sign_in().await;
        let (key, secret) = first.key(&cookie, &[("name", "quote-engine")]).await;
        let it = Self { home, first, second: second.into(), cookie, key, secret };
        for node in [&it.first, &*it.second] {
            assert_eq!(node.verify(&it.secret).await.unwrap().status(), 204);
        }
        it
    }

    /// Through the first node: where it is in force, and how long it took.
    async fn revoke(&self) -> (String, Duration) {
        let (path, start) = (format!("{}/revocation", self.key), Instant::now());
        let fields = [("confirm", "k-1")];
        let done = self.first.send(Method::POST, &path, &self.cookie, &fields).await.unwrap();
        let applied = done.headers().get("keyward-applied").map(|it| it.to_str().unwrap().into());
        assert_eq!(done.status(), 303, "{}", done.text().await.unwrap());
        (applied.expect("it says so"), start.elapsed())
    }

    /// Takes the key out of use through the first node, and once more as soon as that one refuses it, while the
    /// second one sleeps. Both hear of it when the second one can accept it no more.
    async fn twice(&self, path: &str, fields: &[(&str, &str)]) -> [u16; 2] {
        self.second.signal("-STOP");
        let begun = Instant::now();
        let post = async || {
            let sent = self.first.send(Method::POST, path, &self.cookie, fields).await;
            let status = sent.unwrap().status().as_u16();
            assert!(begun.elapsed() >= LEASE, "{status}: the other node could still accept it");
            status
        };
        let again = async {
            let refused = async || self.first.verify(&self.secret).await.unwrap().status() == 401;
            assert!(eventually(LIMIT, refused).await);
            post().await
        };
        let (first, second) = tokio::join!(post(), again);
        self.second.signal("-CONT");
        [first, second]
    }

    /// Files by which processes can be seen to live.
    fn locks(&self) -> usize {
        let files = fs::read_dir(self.home.folder()).unwrap();
        let names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
        names.filter(|it| it.contains("-node-")).count()
    }
}

async fn a_stopped_node_accepts_nothing_that_was_revoked_meanwhile(database: &Database) {
    let it = Pair::new(*database).await;
    it.second.signal("-STOP");
    let (told, took) = it.revoke().await;
    assert!(took >= LEASE, "{took:?}: it cannot have confirmed");
    assert!(told.starts_with("nodes=2, confirmed=1, "), "{told}");
    // Sent after the acknowledgement, while it sleeps, and answered when it goes on.
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (node, secret) = (it.second.clone(), it.secret.clone());
        calls.spawn(async move { node.verify(&secret).await.unwrap().status().as_u16() });
    }
    it.second.signal("-CONT");
    assert_eq!(calls.join_all().await, [401; 20]);
    // It takes part again, and nobody waits for it in vain.
    let refused = async || it.first.verify(&it.secret).await.unwrap().status() == 401;
    assert!(eventually(LIMIT, refused).await);
    it.home.clean_up().await;
}

async fn who_hears_that_it_is_done_already_can_rely_on_it_as_well(database: &Database) {
    let it = Pair::new(*database).await;
    let statuses = it.twice(&format!("{}/revocation", it.key), &[("confirm", "k-1")]).await;
    assert_eq!(statuses, [303, 409]);
    it.home.clean_up().await;
}

async fn who_finds_nothing_to_delete_any_more_can_rely_on_it_as_well(database: &Database) {
    let it = Pair::new(*database).await;
    let (group, _) = it.key.split_once("/keys/").unwrap();
    let statuses = it
        .twice(&format!("{group}/deletion"), &[("version", "1"), ("confirm", "quote-engine")])
        .await;
    assert_eq!(statuses, [303, 404]);
    it.home.clean_up().await;
}

async fn a_killed_node_comes_back_with_what_was_revoked_meanwhile(database: &Database) {
    let it = Pair::new(*database).await;
    it.second.kill_now();
    let (told, _) = it.revoke().await;
    // On one machine it is known to be gone, and nobody waits for its lease.
    let (expected, locks) = match database {
        Database::Sqlite => ("nodes=1, confirmed=1, ", 1),
        Database::Postgres => ("nodes=2, confirmed=1, ", 0),
    };
    assert!(told.starts_with(expected), "{told}");
    assert_eq!(it.locks(), locks, "what it left is not removed");
    let again = Program::start(&it.home).await;
    for _ in 0..20 {
        assert_eq!(again.verify(&it.secret).await.unwrap().status(), 401);
    }
    for it in [&again, &it.first] {
        it.terminate();
        it.ended().await;
    }
    assert_eq!(it.locks(), 0, "who stops leaves nothing");
    it.home.clean_up().await;
}

async fn a_node_whose_clock_is_behind_refuses_what_was_revoked(app: &TestApp) {
    let behind = app.second_node_behind(TimeDelta::seconds(120)).await;
    let desk = app.desk("acme").await;
    // It began long before, for both.
    let key = desk.group("quote-engine", desk.days(90)).await;
    app.clock.advance(TimeDelta::minutes(5));
    behind.clock.advance(TimeDelta::minutes(5));
    behind.service().bearer(key.secret.expose()).await.expect(204);
    key_instances::revoke(&desk.act(), ids(&key)).await.unwrap();
    behind.service().bearer(key.secret.expose()).await.expect(401);
    behind.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_silent_is_away() {
    let app = TestApp::start(Database::Postgres).await;
    let (other, cable) = app.second_node_on_a_cable().await;
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    other.service().bearer(key.secret.expose()).await.expect(204);
    cable.silence(true);
    other.relies_on_nothing().await;
    let asked = other.service();
    let answered = timeout(LIMIT, asked.bearer(key.secret.expose())).await;
    answered.expect("it waits without an end").expect(503);
    cable.silence(false);
    let back = async || other.service().bearer(key.secret.expose()).await.status == 204;
    assert!(eventually(LIMIT, back).await, "it does not come back");
    other.stop().await;
    app.stop().await;
}

async fn nobody_waits_out_the_lease_of_a_node_for_what_it_did_itself(app: &TestApp) {
    let other = app.second_node().await;
    let desk = app.desk("acme").await;
    desk.group("quote-engine", desk.days(90)).await;
    let begun = Instant::now();
    other.db.settled().await;
    assert!(begun.elapsed() < LEASE, "{:?}", begun.elapsed());
    // Struck, it could accept for a moment what the other one revokes.
    assert_eq!(app.count("nodes").await, 2);
    other.stop().await;
}

/// A refusal rests on all that is committed, also on what began before the last that a node has seen.
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_lower_number_that_came_later_is_waited_for_as_well() {
    let app = TestApp::start(Database::Postgres).await;
    app.desk("acme").await;
    let (db, other) = (app.home.connect().await, app.home.connect().await);
    let change = "UPDATE subscriptions SET suspended_at = NULL";
    let early = other.begin().await.unwrap();
    early.execute_unprepared(change).await.unwrap();
    let numbers = "SELECT pg_current_xact_id()::text::bigint AS n";
    let numbered = Statement::from_string(DbBackend::Postgres, numbers);
    let row = early.query_one_raw(numbered).await.unwrap().unwrap();
    let early_id: i64 = row.try_get("", "n").unwrap();
    app.desk("globex").await;
    let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS n";
    let next = app.query(next).await[0]["n"].as_str().unwrap().to_owned();
    let seen = format!("{early_id}:{next}:{early_id}");
    let enter = format!("INSERT INTO nodes (id, seen) VALUES (gen_random_uuid(), '{seen}')");
    db.execute_unprepared(&enter).await.unwrap();
    let silent = format!("nodes WHERE seen = '{seen}'");
    // It lacks nothing that is committed.
    app.db.settled().await;
    assert_eq!(app.count(&silent).await, 1);
    early.commit().await.unwrap();
    app.db.settled().await;
    assert_eq!(app.count(&silent).await, 0, "its lease was not waited for");
    for it in [db, other] {
        it.close().await.unwrap();
    }
    app.stop().await;
}

/// Of a node that was away while the log was shortened.
#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_lower_number_that_was_forgotten_unread_is_a_gap() {
    let app = TestApp::start(Database::Postgres).await;
    app.desk("acme").await;
    let other = app.home.connect().await;
    let early = other.begin().await.unwrap();
    early.execute_unprepared("UPDATE subscriptions SET suspended_at = NULL").await.unwrap();
    app.desk("globex").await;
    let mark = async || app.db.snapshot().await.unwrap().mark().await.unwrap();
    let since = async |it: &Mark| {
        let it = it.clone();
        app.db.snapshot().await.unwrap().since(&it).await.unwrap()
    };
    let before = mark().await;
    early.commit().await.unwrap();
    assert!(!since(&before).await.changes.is_empty());
    // Once nothing runs any more that was begun before, be it another test's.
    let is_missed = async || {
        app.db.prune_changes(before.newest()).await.unwrap();
        since(&before).await.gap
    };
    assert!(eventually(LIMIT, is_missed).await, "it has missed something");
    // Whoever has read everything goes on.
    let desk = app.desk("acme").await;
    let goes_on = async || {
        let name = format!("group {}", app.count("key_groups").await);
        desk.group(&name, desk.days(1)).await;
        let before = mark().await;
        app.db.prune_changes(before.newest()).await.unwrap();
        !since(&before).await.gap
    };
    assert!(eventually(LIMIT, goes_on).await, "it reads everything anew though it missed nothing");
    other.close().await.unwrap();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_asks_the_database_and_says_503() {
    let app = TestApp::start(Database::Postgres).await;
    let (other, cable) = app.second_node_on_a_cable().await;
    let desk = app.desk("acme").await;
    for round in 0..2 {
        let key = desk.group(&format!("group {round}"), desk.days(90)).await;
        other.service().bearer(key.secret.expose()).await.expect(204);
        cable.cut();
        key_instances::revoke(&desk.act(), ids(&key)).await.unwrap();
        other.service().bearer(key.secret.expose()).await.expect(503);
        app.service().bearer(key.secret.expose()).await.expect(401);
        cable.mend();
        let back = async || other.service().bearer(key.secret.expose()).await.status == 401;
        assert!(eventually(LIMIT, back).await, "it does not come back");
        assert!(eventually(LIMIT, async || other.live.is_trusted()).await, "it has no lease");
        let differ = other.live.differences(&other.db).await.unwrap();
        assert!(differ.is_empty(), "{differ:?}");
    }
    other.stop().await;
    app.stop().await;
}
