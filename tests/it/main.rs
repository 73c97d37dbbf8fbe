#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
mod browser;
mod guard;
mod sessions;
mod support;
mod throttle;
mod tidy;
