//! Postgres is shut down, killed and started again under load, and two nodes go on without being started
//! again: no wrong verdict, nothing that was acknowledged is lost, and nothing is done by halves.
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use chrono::TimeDelta;
use futures_util::future::join_all;
use keyward::{
    audit,
    db::{Follower, changes::Committed},
    key_instances,
};
use reqwest::{Method, Response, StatusCode};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

use crate::support::{TestApp, eventually, ids};

/// For two nodes to find their database again.
const LIMIT: Duration = Duration::from_secs(60);
const UNAVAILABLE: &str = "Keyward cannot reach its database. Try again in a moment.";

/// How Postgres goes, and whether it is away until nobody has a lease any more.
const ROUNDS: [(&str, bool); 5] =
    [("-INT", true), ("-KILL", false), ("-QUIT", true), ("-INT", false), ("-KILL", true)];

#[tokio::test(flavor = "multi_thread")]
async fn no_verdict_is_wrong_and_no_change_is_lost_while_postgres_is_started_again_five_times() {
    let (app, server) = TestApp::on_own_postgres().await;
    let desk = app.desk("acme").await;
    let ended = desk.group("ended", desk.days(90)).await;
    let expired = desk.group("expired", desk.days(1)).await;
    app.clock.advance(TimeDelta::days(2));
    let good = desk.group("good", desk.days(90)).await;
    key_instances::revoke(&desk.act(), ids(&ended)).await.unwrap();
    let fixed: Arc<[_]> = [(&good, 204), (&ended, 401), (&expired, 401)]
        .map(|(key, status)| (key.secret.expose().to_owned(), status))
        .into();
    let other = app.second_node().await;
    let (apps, admin) = ([&app, &other], app.signed_in("admin@acme.example").await);
    let token: Arc<str> = desk.token(&["keys:write"]).await.1.into();
    let nodes: Arc<[_]> = apps.map(|it| Node::new(it, &token)).into();
    let (journal, stop) = (Journal::default(), Arc::new(AtomicBool::new(false)));

    let (mut callers, mut writers) = (JoinSet::new(), JoinSet::new());
    for at in 0..nodes.len() {
        for key in 0..fixed.len() {
            for _ in 0..2 {
                callers.spawn(call(nodes.clone(), at, fixed.clone(), key, stop.clone()));
            }
        }
        for n in 0..2 {
            let name = format!("{at}-{n}");
            let (nodes, journal) = (nodes.clone(), journal.clone());
            writers.spawn(Writer { nodes, at, name, journal }.run(stop.clone()));
        }
    }
    for (round, (signal, long)) in ROUNDS.into_iter().enumerate() {
        goes_on(&journal, round).await;
        server.stop(signal);
        if long {
            for it in apps {
                it.relies_on_nothing().await;
            }
            let all = nodes.iter().flat_map(|node| fixed.iter().map(|it| node.verify(&it.0)));
            assert_eq!(join_all(all).await, [503; 6]);
            let name = format!("refused {round}");
            let new = || json!({ "name": name });
            for refused in
                join_all(nodes.iter().map(|it| it.post("/key-groups", &name, new()))).await
            {
                assert_eq!(unavailable(refused).await, UNAVAILABLE);
            }
            admin.post("/s/acme/groups/new", &[]).await.expect(503);
        }
        server.start_again().await;
        for (node, it) in nodes.iter().zip(apps) {
            for (secret, status) in &*fixed {
                let works = async || node.verify(secret).await == *status;
                assert!(eventually(LIMIT, works).await, "{round}: it does not recover");
            }
            assert!(eventually(LIMIT, async || it.live.is_trusted()).await, "it has no lease");
        }
        admin.get("/s/acme").await.expect(200);
    }
    goes_on(&journal, ROUNDS.len()).await;
    stop.store(true, SeqCst);
    let made: usize = writers.join_all().await.into_iter().sum();
    for counts in callers.join_all().await {
        assert!(counts.iter().all(|it| *it > 0), "{counts:?}");
    }
    kept(&nodes, &journal).await;
    whole(&app, made).await;
    for it in apps {
        let differ = it.live.differences(&it.db).await.unwrap();
        assert!(differ.is_empty(), "{differ:?}");
    }
    other.stop().await;
    app.stop().await;
}

/// One of Keyward's, as programs see it.
struct Node {
    client: reqwest::Client,
    origin: String,
    token: Arc<str>,
}

type Nodes = Arc<[Node]>;

impl Node {
    fn new(app: &TestApp, token: &Arc<str>) -> Self {
        Self { client: app.client.clone(), origin: app.url(""), token: token.clone() }
    }

    async fn verify(&self, key: &str) -> u16 {
        let request = self.client.get(format!("{}/verify", self.origin)).bearer_auth(key);
        request.send().await.unwrap().status().as_u16()
    }

    async fn post(&self, path: &str, once: &str, body: Value) -> Response {
        let request = self.client.request(Method::POST, format!("{}/api/v1{path}", self.origin));
        let request = request.bearer_auth(&self.token).header("idempotency-key", once);
        request.json(&body).send().await.unwrap()
    }
}

/// Its answer tells that nothing could be said, and what to do: the sentence.
async fn unavailable(answer: Response) -> String {
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["type"], "urn:keyward:problem:unavailable", "{body}");
    body["detail"].as_str().unwrap().to_owned()
}

/// Calls again and again: how often it had a verdict, and how often none.
async fn call(
    nodes: Nodes,
    at: usize,
    keys: Arc<[(String, u16)]>,
    key: usize,
    stop: Arc<AtomicBool>,
) -> [usize; 2] {
    let (secret, right) = &keys[key];
    let mut counts = [0; 2];
    while !stop.load(SeqCst) {
        let status = nodes[at].verify(secret).await;
        assert!(status == *right || status == 503, "node {at}: {status} instead of {right}");
        counts[usize::from(status == 503)] += 1;
    }
    counts
}

/// What was acknowledged of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    Accepted,
    /// It is being revoked, and may be either.
    Ending,
    Refused,
}

impl Promise {
    fn holds(self, status: u16) -> bool {
        match self {
            Self::Accepted => status == 204,
            Self::Ending => true,
            Self::Refused => status == 401,
        }
    }
}

type Journal = Arc<Mutex<Vec<(String, Promise)>>>;

/// Makes keys, and revokes every second one, through one node.
struct Writer {
    nodes: Nodes,
    at: usize,
    name: String,
    journal: Journal,
}

impl Writer {
    /// Gives how many keys there must be.
    async fn run(self, stop: Arc<AtomicBool>) -> usize {
        let mut made = 0;
        while !stop.load(SeqCst) {
            made += 1;
            let name = format!("{} {made}", self.name);
            let new = self.insists("/key-groups", &name, json!({ "name": name })).await;
            // One that was made before its answer was lost is not shown.
            let Some(new) = new else { continue };
            let text = |it: &Value| it.as_str().unwrap().to_owned();
            let (secret, id) = (text(&new["secret"]), text(&new["instance"]["id"]));
            let at = {
                let mut journal = self.journal.lock().unwrap();
                journal.push((secret.clone(), Promise::Accepted));
                journal.len() - 1
            };
            self.shows(&secret, Promise::Accepted).await;
            if made % 2 == 0 {
                self.journal.lock().unwrap()[at].1 = Promise::Ending;
                self.insists(&format!("/instances/{id}/revocation"), &name, json!({})).await;
                self.shows(&secret, Promise::Refused).await;
                self.journal.lock().unwrap()[at].1 = Promise::Refused;
            }
        }
        made
    }

    /// Again and again until it is done. `None`: it was done by a request that was answered with 503.
    async fn insists(&self, path: &str, once: &str, body: Value) -> Option<Value> {
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self.nodes[self.at].post(path, once, body.clone()).await;
            match answer.status() {
                StatusCode::OK | StatusCode::CREATED => return Some(answer.json().await.unwrap()),
                StatusCode::CONFLICT if tries > 1 => return None,
                _ => unavailable(answer).await,
            };
        }
    }

    /// Every node follows at once, or says nothing.
    async fn shows(&self, secret: &str, promised: Promise) {
        for node in &*self.nodes {
            let status = node.verify(secret).await;
            assert!(status == 503 || promised.holds(status), "{status} is not {promised:?}");
        }
    }
}

/// Keys are made and revoked, some more each round.
async fn goes_on(journal: &Journal, round: usize) {
    let count = |state| journal.lock().unwrap().iter().filter(|it| it.1 == state).count();
    let [good, ended] = [Promise::Accepted, Promise::Refused].map(count);
    let more = async || count(Promise::Accepted) > good + 4 && count(Promise::Refused) > ended + 4;
    assert!(eventually(LIMIT, more).await, "{round}: nothing can be changed");
}

/// All that was ever acknowledged.
async fn kept(nodes: &Nodes, journal: &Journal) {
    let journal = journal.lock().unwrap().clone();
    for node in &**nodes {
        for (secret, promised) in &journal {
            let status = node.verify(secret).await;
            assert!(promised.holds(status), "{status} of what is {promised:?}");
        }
    }
}

/// Each key once, with its group and its row in the audit log; nothing of what was refused.
async fn whole(app: &TestApp, made: usize) {
    assert_eq!(app.count("key_groups WHERE name LIKE '%-%'").await, made);
    assert_eq!(app.count("key_groups WHERE name LIKE 'refused%'").await, 0);
    let keys = app.count("key_instances").await;
    assert_eq!(keys, app.count("key_groups").await);
    let told = |action| format!("audit_events WHERE action = '{action}'");
    assert_eq!(app.count(&told("key_instance.created")).await, keys);
    let revoked = app.count("key_instances WHERE revoked_at IS NOT NULL").await;
    assert_eq!(app.count(&told("key_instance.revoked")).await, revoked);
    let checked = audit::verify(&app.db, &app.peppers.derive("audit")).await.unwrap();
    assert!(checked.is_ok(), "the audit log does not fit");
}

/// Postgres numbers transactions. Numbers of which nothing is in its files are given once more after a
/// crash: whoever has looked behind one of them must not take what comes then for known.
#[tokio::test(flavor = "multi_thread")]
async fn what_gets_a_number_of_before_the_crash_is_not_passed_over() {
    let (app, server) = TestApp::on_own_postgres().await;
    app.desk("acme").await;
    // From now on it looks only when it is told to.
    app.without_memory().await;
    for round in 0..4 {
        let used = use_numbers(&app).await;
        app.live.follow(&app.db, Committed::before(Instant::now())).await;
        server.stop("-KILL");
        server.start_again().await;
        let db = app.home.connect().await;
        let change = format!("UPDATE subscriptions SET suspended_at = {round}");
        db.execute_unprepared(&change).await.unwrap();
        db.close().await.unwrap();
        let follows = async || {
            app.live.follow(&app.db, Committed::before(Instant::now())).await;
            app.live.differences(&app.db).await.is_ok_and(|it| it.is_empty())
        };
        assert!(eventually(LIMIT, follows).await, "{round}: it is not seen");
        let newest = app.query("SELECT max(xid::text::bigint) AS n FROM changes").await;
        assert!(newest[0]["n"].as_i64().unwrap() < used, "{round}: no number was used again");
    }
    app.stop().await;
}

/// A hundred, for nothing. Gives the last one.
async fn use_numbers(app: &TestApp) -> i64 {
    let db = app.home.connect().await;
    for _ in 0..100 {
        db.execute_unprepared("BEGIN; SELECT pg_current_xact_id(); ROLLBACK").await.unwrap();
    }
    db.close().await.unwrap();
    let last = app.query("SELECT pg_current_xact_id()::text::bigint AS n").await;
    last[0]["n"].as_i64().unwrap()
}
