//! Several nodes: one notices, another takes over, and nothing is said twice.
use std::{collections::HashMap, time::Duration};

use chrono::TimeDelta;
use keyward::{
    domain::Role,
    notices::{self, Noticer},
    pepper::random_token,
};
use reqwest::Method;
use tokio::task::JoinSet;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::support::{Database, Home, TestApp, eventually, on_both, program::Program};

on_both! {
    one_node_notices_and_another_follows_when_its_lease_is_over,
    a_node_that_stops_hands_over_at_once,
    nodes_that_all_believe_to_be_the_one_say_nothing_twice,
    a_killed_process_is_replaced_within_a_minute,
}

async fn one_node_notices_and_another_follows_when_its_lease_is_over(app: &TestApp) {
    let second = app.second_node().await;
    let desk = app.desk("acme").await;
    desk.group("quote-engine", desk.days(90)).await;
    let (mut one, mut two) = (Noticer::default(), Noticer::default());
    assert!(one.round(&app.app).await.unwrap());
    assert!(!two.round(&second.app).await.unwrap());
    // It renews its lease while it lives.
    for _ in 0..20 {
        app.clock.advance(TimeDelta::seconds(5));
        assert!(one.round(&app.app).await.unwrap());
        assert!(!two.round(&second.app).await.unwrap());
    }
    // It is killed: the other one follows within a minute, and says what became due.
    app.clock.advance(TimeDelta::seconds(31));
    assert!(two.round(&second.app).await.unwrap());
    app.clock.advance(TimeDelta::days(76));
    assert!(two.round(&second.app).await.unwrap());
    assert_eq!(notices::list(&desk.act(), Role::Admin, None, 10).await.unwrap().0.len(), 1);
    // It was only asleep: it has lost the lease.
    assert!(!one.round(&app.app).await.unwrap());
    assert_eq!(notices::list(&desk.act(), Role::Admin, None, 10).await.unwrap().0.len(), 1);
    second.stop().await;
}

async fn a_node_that_stops_hands_over_at_once(app: &TestApp) {
    let (mut one, mut two) = (Noticer::default(), Noticer::default());
    assert!(one.round(&app.app).await.unwrap());
    one.stop(&app.app).await.unwrap();
    assert!(two.round(&app.app).await.unwrap());
    one.stop(&app.app).await.unwrap(); // it has none to give up
    assert!(!one.round(&app.app).await.unwrap());
}

/// The lease only saves work. Here every node believes to have it, as if clocks differed by far.
async fn nodes_that_all_believe_to_be_the_one_say_nothing_twice(database: &Database) {
    let receiver = MockServer::start().await;
    let slowly = ResponseTemplate::new(204).set_delay(Duration::from_millis(20));
    Mock::given(any()).respond_with(slowly).mount(&receiver).await;
    let open = |it: &mut keyward::config::Config| {
        it.webhook_networks = vec!["127.0.0.0/8".parse().unwrap()];
    };
    let app = TestApp::start_with(*database, open).await;
    let desk = app.desk("acme").await;
    notices::add(&desk.act(), &receiver.uri(), &random_token()).await.unwrap();
    for n in 0..12 {
        desk.group(&format!("group-{n}"), desk.days(90)).await;
    }
    app.clock.advance(TimeDelta::days(89));
    let mut rounds = JoinSet::new();
    for _ in 0..6 {
        let app = app.app.clone();
        rounds.spawn(async move { notices::round(&app).await.unwrap() });
    }
    rounds.join_all().await;
    assert_eq!(notices::list(&desk.act(), Role::Admin, None, 100).await.unwrap().0.len(), 12);
    let mut ids: HashMap<String, usize> = HashMap::new();
    for it in receiver.received_requests().await.unwrap() {
        *ids.entry(it.headers["webhook-id"].to_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(ids.len(), 12);
    assert!(ids.values().all(|it| *it == 1), "{ids:?}");
    app.stop().await;
}

/// The real program, twice on one database, with the clock of this machine.
async fn a_killed_process_is_replaced_within_a_minute(database: &Database) {
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(204)).mount(&receiver).await;
    let home = Home::new(*database).await;
    Program::set_up(&home);
    let open = [("KEYWARD_WEBHOOK_NETWORKS", "127.0.0.0/8")];
    let first = Program::start_with(&home, &open).await;
    let cookie = first.sign_in().await;
    let url = receiver.uri();
    let hook = [("url", url.as_str()), ("submission", "a-token-of-some-length-0")];
    let made =
        first.send(Method::POST, "/s/acme/settings/webhooks/new", &cookie, &hook).await.unwrap();
    assert_eq!(made.status(), 303);
    let count = async || receiver.received_requests().await.unwrap().len();
    // A key of a day warns from its start on: it is told of in the next round.
    let day = |name, token| [("name", name), ("submission", token), ("preset", "1")];
    let key = day("quote-engine", "a-token-of-some-length-1");
    let made = first.send(Method::POST, "/s/acme/groups/new", &cookie, &key).await.unwrap();
    assert_eq!(made.status(), 303);
    assert!(eventually(Duration::from_secs(20), async || count().await == 1).await, "not told");
    let second = Program::start_with(&home, &open).await;
    first.kill_now();
    let key = day("billing", "a-token-of-some-length-2");
    let made = second.send(Method::POST, "/s/acme/groups/new", &cookie, &key).await.unwrap();
    assert_eq!(made.status(), 303);
    assert!(
        eventually(Duration::from_secs(60), async || count().await == 2).await,
        "nobody follows"
    );
    second.kill_now();
    home.clean_up().await;
}
