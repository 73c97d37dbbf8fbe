//! Tests of the whole program: the real server, on SQLite and on Postgres, and a real browser.
//! Names are sentences of behaviour; `support` holds what they stand on. Run them with `tests/run`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod access_at_once;
mod access_deletion;
mod access_explain;
mod access_replacement;
mod access_rules;
mod access_undo;
mod access_undo_refused;
mod access_verdicts;
mod at_rest;
mod audit;
mod browser;
mod client_secrets;
mod clients;
mod crash;
mod exposures;
mod groups;
mod guard;
mod guard_headers;
mod hostile;
mod issuing;
mod lifecycle;
mod lists;
mod members;
mod outage;
mod overview;
mod owners;
mod permissions;
mod plans;
mod process;
mod profile;
mod roles;
mod safety;
mod search;
mod secret_page;
mod sessions;
mod setup;
mod step_up;
mod sums;
mod support;
mod throttle;
mod tidy;
mod usage;
mod verdicts_at_once;
mod verify;
