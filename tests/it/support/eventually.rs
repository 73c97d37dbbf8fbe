//! Waiting for what happens by itself, without knowing when.
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_millis(2);

/// Whether this comes true within the limit. It is asked at once, and then again and again.
#[must_use]
pub(crate) async fn eventually(limit: Duration, is_so: impl AsyncFn() -> bool) -> bool {
    let started = Instant::now();
    while !is_so().await {
        if started.elapsed() >= limit {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
    }
    true
}

#[tokio::test]
async fn a_wait_ends_when_it_came_true_or_at_its_limit() {
    let asked = AtomicUsize::new(0);
    let third = async || asked.fetch_add(1, Relaxed) == 2;
    assert!(eventually(Duration::from_secs(10), third).await);
    assert_eq!(asked.load(Relaxed), 3);
    assert!(!eventually(Duration::from_millis(10), async || false).await);
}
