//! Calls of `/verify` again and again, on several nodes, while something changes; each must be
//! answered as of a state that was true between its sending and its answer.
use std::{
    ops::RangeInclusive,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::task::JoinSet;

use super::{TestApp, eventually};

pub(crate) struct Load {
    /// Twice the number of acknowledged changes, and one more while a change is under way.
    changes: Arc<AtomicUsize>,
    calls: Arc<Mutex<Vec<Call>>>,
    stop: Arc<AtomicBool>,
    callers: JoinSet<()>,
    nodes: usize,
}

/// Which changes were begun and acknowledged when it was sent, and when its answer came.
#[derive(Clone, Copy, Debug)]
struct Call {
    node: usize,
    sent: usize,
    answered: usize,
    status: u16,
}

impl Call {
    /// The states that were true meanwhile, by the number of changes before.
    fn states(&self) -> RangeInclusive<usize> {
        self.sent / 2..=self.answered.div_ceil(2)
    }
}

impl Load {
    /// So many callers at once on each node, with one key and one question.
    pub(crate) fn start(nodes: [&TestApp; 2], callers: usize, key: &str, question: &str) -> Self {
        let mut it = Self {
            changes: Arc::default(),
            calls: Arc::default(),
            stop: Arc::default(),
            callers: JoinSet::new(),
            nodes: nodes.len(),
        };
        for n in 0..nodes.len() * callers {
            let node = n % nodes.len();
            let (calls, stop, changes) = (it.calls.clone(), it.stop.clone(), it.changes.clone());
            let url = format!("http://{}/verify?{question}", nodes[node].address);
            let request = nodes[node].client.get(url);
            let request = request.header("authorization", format!("Bearer {key}"));
            it.callers.spawn(async move {
                while !stop.load(SeqCst) {
                    let sent = changes.load(SeqCst);
                    let answer = request.try_clone().unwrap().send().await.unwrap();
                    let (answered, status) = (changes.load(SeqCst), answer.status().as_u16());
                    calls.lock().unwrap().push(Call { node, sent, answered, status });
                }
            });
        }
        it
    }

    /// Makes a change. What is sent after it was acknowledged must follow the new state.
    pub(crate) async fn change<T>(&self, change: impl Future<Output = T>) -> T {
        self.changes.fetch_add(1, SeqCst);
        let done = change.await;
        self.changes.fetch_add(1, SeqCst);
        done
    }

    /// Until so many calls that were sent since the last change are answered, by each node.
    pub(crate) async fn pass(&self, calls: usize) {
        let now = self.changes.load(SeqCst);
        let passed = async || {
            let all = self.calls.lock().unwrap();
            let of = |node| all.iter().filter(|it| it.node == node && it.sent == now).count();
            (0..self.nodes).all(|node| of(node) >= calls)
        };
        assert!(eventually(Duration::from_secs(60), passed).await, "calls are not answered");
    }

    /// Every call was answered as of some state that was true meanwhile; `expected` has the status
    /// of each state, and for each of them some calls could follow no other. Gives their number.
    pub(crate) async fn end(mut self, expected: &[u16]) -> usize {
        self.stop.store(true, SeqCst);
        while let Some(ended) = self.callers.join_next().await {
            ended.unwrap();
        }
        let calls = std::mem::take(&mut *self.calls.lock().unwrap());
        let mut certain = vec![0; expected.len()];
        for call in &calls {
            let states = call.states();
            let follows = states.clone().any(|it| expected[it] == call.status);
            assert!(follows, "{call:?} follows none of {:?}", &expected[states]);
            if states.start() == states.end() {
                certain[*states.start()] += 1;
            }
        }
        assert!(certain.iter().all(|it| *it > 0), "{certain:?} calls show nothing");
        calls.len()
    }
}
