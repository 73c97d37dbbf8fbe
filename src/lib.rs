//! Keyward: administration and verification of API keys.
//!
//! The code map, from the rules outwards. `domain` knows nothing else; a feature's `entity` and
//! `store` are known to its `mod.rs` only; `pages` and other faces call verbs and never query;
//! `server` mounts everything. ARCHITECTURE.md tells the invariants and who keeps them.

/// Pure rules: periods, status, warnings, coverage, lifecycle, secrets.
pub mod domain;

/// The only reader of the system clock.
pub mod clock;
/// The command line and the environment.
pub mod config;
/// Opens the pool, begins transactions, migrates.
pub mod db;
/// Why something was refused or failed; knows no HTTP.
pub mod error;
/// Keys outside of the database: digests, cookies, throttle, audit.
pub mod pepper;
/// Counting on many threads at once.
pub mod per_thread;
/// A form that creates something is sent once.
pub mod submissions;

/// What key groups hold, what follows from it, and what an edit would change.
pub mod access;
/// Who did what, appended in the same transaction.
pub mod audit;
/// With which programs manage the keys of a subscription.
pub mod automation_tokens;
/// The ends of keys in the calendars of people.
pub mod calendar;
/// The first start: pepper and owner.
pub mod installation;
/// One application's keys.
pub mod key_groups;
/// One credential each.
pub mod key_instances;
/// What verifications depend on, in memory, as the database has it.
pub mod live;
/// Who belongs to a subscription, and invitations.
pub mod members;
/// What a monitoring system reads.
pub mod metrics;
/// Who is told that a key ends, and when.
pub mod notices;
/// What needs attention in a subscription.
pub mod overview;
/// What services let their callers do.
pub mod permissions;
/// Signed bearer keys of a user.
pub mod personal_keys;
/// Named sets of permissions.
pub mod policies;
/// Signing in and out, session rows.
pub mod sessions;
/// The tenants, and the scope below which everything lives.
pub mod subscriptions;
/// How often something may be tried.
pub mod throttle;
/// Named sets of policies, and of people.
pub mod user_groups;
/// People who sign in.
pub mod users;
/// A presented secret becomes a verdict.
pub mod verify;
/// Parts of a subscription, and policies held in them.
pub mod workspaces;

/// The native management interface for programs.
pub mod api;
/// Interfaces as other systems document them: they translate, and decide nothing.
pub mod dialects;
/// Web kit: state, callers, pages, forms, cookies, headers, assets.
pub mod http;
/// The route table and the assembly of the server.
pub mod server;

/// Keys from the command line: a client of the native interface.
pub mod cli;
/// A filled installation to look at.
pub mod demo;
/// The subcommands.
pub mod run;
