//! O11: what was acknowledged holds for every call that is sent afterwards, on every node.
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use keyward::{key_groups, key_instances::KeyInstance};
use tokio::task::JoinSet;

use crate::support::{TestApp, eventually, on_both, path_of};

on_both! {
    no_call_sent_after_a_revocation_is_accepted,
    no_call_sent_after_a_deactivation_is_accepted,
    no_call_sent_after_a_deletion_is_accepted,
    no_call_sent_after_a_suspension_is_accepted,
}

const ROUNDS: usize = 5;

/// Calls with one key, again and again, on two nodes: when each was sent, and whether accepted.
struct Load {
    calls: Arc<Mutex<Vec<(Instant, bool)>>>,
    stop: Arc<AtomicBool>,
    callers: JoinSet<()>,
}

impl Load {
    fn start(nodes: [&TestApp; 2], key: &str) -> Self {
        let mut it = Self { calls: Arc::default(), stop: Arc::default(), callers: JoinSet::new() };
        for node in nodes {
            let (calls, stop) = (it.calls.clone(), it.stop.clone());
            let url = format!("http://{}/verify", node.address);
            let request = node.client.get(url).header("authorization", format!("Bearer {key}"));
            it.callers.spawn(async move {
                while !stop.load(SeqCst) {
                    let sent = Instant::now();
                    let answer = request.try_clone().unwrap().send().await.unwrap();
                    calls.lock().unwrap().push((sent, answer.status() == 204));
                }
            });
        }
        it
    }

    /// Until so many further calls were answered.
    async fn pass(&self, further: usize) {
        let answered = || self.calls.lock().unwrap().len();
        let goal = answered() + further;
        let passed = async || answered() >= goal;
        assert!(eventually(Duration::from_secs(30), passed).await, "calls are not answered");
    }

    async fn end(mut self) -> Vec<(Instant, bool)> {
        self.stop.store(true, SeqCst);
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

/// `end` takes the key out of use, and returns when that was acknowledged; `tidy` follows.
async fn rounds(app: &TestApp, end: impl AsyncFn(usize, &KeyInstance), tidy: impl AsyncFn()) {
    let other = app.second_node().await;
    let desk = app.desk("acme").await;
    for round in 0..ROUNDS {
        let key = desk.group(&format!("group {round}"), desk.days(90)).await;
        let load = Load::start([app, &other], key.secret.expose());
        load.pass(40).await;
        end(round, &key.instance).await;
        let acknowledged = Instant::now();
        load.pass(40).await;
        let calls = load.end().await;
        let late = calls.iter().filter(|it| it.0 > acknowledged);
        let accepted = late.clone().filter(|it| it.1).count();
        assert!(late.count() >= 30, "too few calls to show anything");
        assert_eq!(accepted, 0, "round {round}: accepted after the acknowledgement");
        assert!(calls.iter().filter(|it| it.1).count() >= 30, "it never worked");
        tidy().await;
    }
    other.stop().await;
}

async fn no_call_sent_after_a_revocation_is_accepted(app: &TestApp) {
    let admin = app.admin("acme").await;
    let revoke = async |_, key: &KeyInstance| {
        admin.post(&format!("{}/revocation", path_of("acme", key)), &[]).await.expect(303);
    };
    rounds(app, revoke, async || {}).await;
}

async fn no_call_sent_after_a_deactivation_is_accepted(app: &TestApp) {
    let admin = app.admin("acme").await;
    let deactivate = async |_, key: &KeyInstance| {
        admin.post(&format!("{}/deactivation", path_of("acme", key)), &[]).await.expect(303);
    };
    rounds(app, deactivate, async || {}).await;
}

async fn no_call_sent_after_a_deletion_is_accepted(app: &TestApp) {
    let admin = app.admin("acme").await;
    let desk = app.desk("acme").await;
    let delete = async |round, key: &KeyInstance| {
        let version = key_groups::find(&desk.act(), key.key_group_id).await.unwrap().version;
        let path = format!("/s/acme/groups/{}/deletion", key.key_group_id);
        let (name, version) = (format!("group {round}"), version.to_string());
        admin.post(&path, &[("confirm", &name), ("version", &version)]).await.expect(303);
    };
    rounds(app, delete, async || {}).await;
}

async fn no_call_sent_after_a_suspension_is_accepted(app: &TestApp) {
    app.admin("acme").await;
    let owner = app.owner().await;
    let suspend = async |_, _: &KeyInstance| {
        owner.post("/subscriptions/acme/suspension", &[]).await.expect(303);
    };
    let resume = async || {
        owner.post("/subscriptions/acme/resumption", &[]).await.expect(303);
    };
    rounds(app, suspend, resume).await;
}
