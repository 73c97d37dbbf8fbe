//! Tests of the whole program: the real server, on SQLite and on Postgres, and a real browser.
//! Names are sentences of behaviour; `support` holds what they stand on. Run them with `tests/run`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod browser;
mod groups;
mod guard;
mod guard_headers;
mod hostile;
mod issuing;
mod lifecycle;
mod outage;
mod plans;
mod safety;
mod search;
mod secret_page;
mod sessions;
mod setup;
mod show_once;
mod support;
mod throttle;
mod tidy;
mod verdicts_at_once;
mod verify;
