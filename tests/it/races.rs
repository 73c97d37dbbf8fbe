//! V5 and V6: revoke against verify. 64 connections on two nodes call all the time; whatever is sent after
//! the revocation of its key was acknowledged must be refused.
//!
//! `KEYWARD_RACES=10000 tests/run races` makes as many as the issue asks for; without it, a few.
use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use keyward::key_instances;
use tokio::task::JoinSet;

use crate::support::{TestApp, eventually, ids, on_both};

on_both! { nothing_sent_after_an_acknowledged_revocation_is_accepted }

const CONNECTIONS: usize = 64;
const FEW: usize = 64;
/// Keys that are called at the same time.
const AT_ONCE: usize = 32;

struct Key {
    secret: String,
    is_revoked: AtomicBool,
    /// Calls that were sent after it, and before.
    after: AtomicUsize,
    before: AtomicUsize,
}

async fn nothing_sent_after_an_acknowledged_revocation_is_accepted(app: &TestApp) {
    let races = env::var("KEYWARD_RACES").map_or(FEW, |it| it.parse().unwrap());
    let other = app.second_node().await;
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    for _ in 0..races.div_ceil(AT_ONCE) {
        let mut made = Vec::new();
        for _ in 0..AT_ONCE {
            made.push(desk.key(group, desk.days(90)).await);
        }
        let key = |it: &key_instances::Issued| Key {
            secret: it.secret.expose().to_owned(),
            is_revoked: AtomicBool::new(false),
            after: AtomicUsize::new(0),
            before: AtomicUsize::new(0),
        };
        let keys: Arc<Vec<Key>> = Arc::new(made.iter().map(key).collect());
        let stop = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for n in 0..CONNECTIONS {
            let node = if n % 2 == 0 { app } else { &other };
            let (client, url) = (node.client.clone(), node.url("/verify"));
            let (keys, stop) = (keys.clone(), stop.clone());
            callers.spawn(async move {
                for at in n.. {
                    let key = &keys[at % AT_ONCE];
                    let was_revoked = key.is_revoked.load(SeqCst);
                    let request = client.get(&url).bearer_auth(&key.secret);
                    let status = request.send().await.unwrap().status().as_u16();
                    let counted = if was_revoked { &key.after } else { &key.before };
                    counted.fetch_add(1, SeqCst);
                    assert!(status == 401 || !was_revoked, "{status} after the acknowledgement");
                    assert!(status == 401 || status == 204, "{status}");
                    if stop.load(SeqCst) {
                        return;
                    }
                }
            });
        }
        for (key, made) in keys.iter().zip(&made) {
            // Each of them has been accepted before, and is refused on both nodes afterwards.
            let called = async || key.before.load(SeqCst) > 2;
            assert!(eventually(Duration::from_secs(60), called).await, "nobody calls");
            key_instances::revoke(&desk.act(), ids(made)).await.unwrap();
            key.is_revoked.store(true, SeqCst);
        }
        let all = async || keys.iter().all(|it| it.after.load(SeqCst) > 2);
        assert!(eventually(Duration::from_secs(60), all).await, "nobody calls");
        stop.store(true, SeqCst);
        while let Some(ended) = callers.join_next().await {
            ended.unwrap();
        }
    }
    other.stop().await;
}
