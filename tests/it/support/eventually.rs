//! Waiting for what happens by itself, without knowing when.
use std::time::{Duration, Instant};

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
