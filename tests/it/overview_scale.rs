//! The overview asks as many questions of a large subscription as of a small one, and none of them
//! reads what ended before its window.
use std::{fs, time::Duration};

use keyward::{clock::Clock, demo::bulk, domain::Role, notices::Noticer};
use reqwest::Method;
use sea_orm::ConnectionTrait;

use crate::{
    plans::{explain, statement},
    support::{
        TestApp, eventually, on_both,
        program::{Program, log_file},
    },
};

on_both!(the_number_of_questions_is_the_same_and_each_is_bounded_by_the_window);

async fn the_number_of_questions_is_the_same_and_each_is_bounded_by_the_window(app: &TestApp) {
    let mut noticer = Noticer::default();
    let mut visits = Vec::new();
    for (slug, instances) in [("acme", 1_000), ("large", 6_000)] {
        let admin = app.user(slug, Role::Admin).await.email;
        // The program below has the real clock.
        app.clock.advance(Clock::System.now() - app.clock.now());
        // Six of ten ended long ago.
        bulk::fill(&app.desk(slug).await.act(), instances).await.unwrap();
        // This one tells of ends, so that the program's background has nothing to ask.
        assert!(noticer.round(&app.app).await.unwrap());
        visits.push(asked(app, slug, &admin).await);
    }
    let [few, many] = visits.try_into().unwrap();
    assert!(few.len() > 8, "{few:#?}");
    // Many are asked at once: what comes first in the log is chance.
    let plain = |all: &[String]| {
        let mut all: Vec<_> = all.iter().map(|it| without_lengths(it)).collect();
        all.sort();
        all
    };
    assert_eq!(plain(&few), plain(&many));
    let is_postgres = app.home.database_url.starts_with("postgres");
    let db = app.home.connect().await;
    if is_postgres {
        db.execute_unprepared("ANALYZE").await.unwrap();
        db.execute_unprepared("SET plan_cache_mode = force_generic_plan").await.unwrap();
        db.execute_unprepared("SET enable_seqscan = off").await.unwrap();
    }
    for statement in many.iter().filter(|it| it.contains("FROM \"key_instances\"")) {
        let since = ["\"ends_at\" >", "\"active_from\" >", "\"ends_at\" + "];
        let is_bounded = since.iter().any(|it| statement.contains(it));
        // The ones that refused last are looked up by the instants of their groups.
        assert!(is_bounded || statement.contains("\"last_refused_at\" IN"), "{statement}");
        // And the index that is read is bounded by it: from a start in the past on are all of old.
        let plan = explain(&db, statement, is_postgres).await;
        let is_open = plan.lines().any(|it| {
            let reads = it.contains("SEARCH") || it.contains("Index Cond");
            reads && it.contains("active_from <") && !it.contains("active_from >")
        });
        let is_open = is_open || plan.contains("active_from<?)") && !plan.contains("active_from>?");
        assert!(!is_open, "{statement}\n{plan}");
    }
}

/// What a visit of the overview asks of keys and their use, whatever the lengths of lists.
async fn asked(app: &TestApp, slug: &str, admin: &str) -> Vec<String> {
    let log = [("KEYWARD_LOG", "sqlx::query=trace,keyward=info"), ("KEYWARD_LOG_FORMAT", "json")];
    let log_so_far = || fs::read_to_string(log_file(&app.home)).unwrap_or_default();
    let before = log_so_far().len();
    let program = Program::start_with(&app.home, &log).await;
    // Until then it asks for all keys.
    let is_loaded = async || log_so_far()[before..].contains("keys are in memory");
    assert!(eventually(Duration::from_secs(60), is_loaded).await, "it does not load");
    let before = log_so_far().len();
    let cookie = program.sign_in_as(admin).await;
    let page = program.send(Method::GET, &format!("/s/{slug}"), &cookie, &[]).await.unwrap();
    assert_eq!(page.status(), 200);
    page.text().await.unwrap();
    drop(program);
    log_so_far()[before..]
        .lines()
        .filter_map(statement)
        .filter(|it| is_of_the_overview(it))
        .collect()
}

/// Each list of parameters as one.
fn without_lengths(statement: &str) -> String {
    let mut plain = String::new();
    for part in statement.split_inclusive("IN (") {
        let list = part.trim_start_matches(|it: char| "?$, ".contains(it) || it.is_ascii_digit());
        plain += if plain.ends_with("IN (") { list } else { part };
    }
    // What follows a list is numbered by its length.
    plain.chars().filter(|it| !it.is_ascii_digit()).collect()
}

fn is_of_the_overview(statement: &str) -> bool {
    let tables = ["key_groups", "key_instances", "usage_hours"];
    let reads = tables.iter().any(|it| statement.contains(&format!("FROM \"{it}\"")));
    // The background task asks for what is due, too, when it likes.
    let due = ["\"changes_at\" <=", "\"notice_at\" <="];
    statement.starts_with("SELECT") && reads && !due.iter().any(|it| statement.contains(it))
}
