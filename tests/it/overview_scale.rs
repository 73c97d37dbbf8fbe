//! The overview asks as many questions of a large subscription as of a small one, and none of them
//! reads what ended before its window.
use std::fs;

use keyward::{clock::Clock, demo::bulk, domain::Role};
use reqwest::Method;

use crate::support::{
    TestApp, on_both,
    program::{Program, log_file},
};

on_both!(the_number_of_questions_is_the_same_and_each_is_bounded_by_the_window);

async fn the_number_of_questions_is_the_same_and_each_is_bounded_by_the_window(app: &TestApp) {
    // The program below has the real clock.
    app.clock.advance(Clock::System.now() - app.clock.now());
    let mut visits = Vec::new();
    for (slug, instances) in [("acme", 1_000), ("large", 6_000)] {
        let admin = app.user(slug, Role::Admin).await.email;
        // Six of ten ended long ago.
        bulk::fill(&app.desk(slug).await.act(), instances).await.unwrap();
        visits.push(asked(app, slug, &admin).await);
    }
    let [few, many] = visits.try_into().unwrap();
    assert!(few.len() > 8, "{few:#?}");
    assert_eq!(few, many);
    for statement in few.iter().filter(|it| it.contains("FROM \"key_instances\"")) {
        let since = ["\"ends_at\" >", "\"active_from\" >", "\"ends_at\" + "];
        let is_bounded = since.iter().any(|it| statement.contains(it));
        // The ones that refused last are looked up by the instants of their groups.
        assert!(is_bounded || statement.contains("\"last_refused_at\" IN"), "{statement}");
    }
}

/// What a visit of the overview asks of keys and their use, in order, whatever the lengths of lists.
async fn asked(app: &TestApp, slug: &str, admin: &str) -> Vec<String> {
    let log = [("KEYWARD_LOG", "sqlx::query=trace"), ("KEYWARD_LOG_FORMAT", "json")];
    let before = fs::read_to_string(log_file(&app.home)).map_or(0, |it| it.len());
    let program = Program::start_with(&app.home, &log).await;
    let cookie = program.sign_in_as(admin).await;
    let page = program.send(Method::GET, &format!("/s/{slug}"), &cookie, &[]).await.unwrap();
    assert_eq!(page.status(), 200);
    page.text().await.unwrap();
    drop(program);
    let log = fs::read_to_string(log_file(&app.home)).unwrap();
    log[before..].lines().filter_map(statement).filter(|it| is_of_the_overview(it)).collect()
}

/// The statement of a line of the log, with each list of parameters as one.
fn statement(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| line[name].as_str().unwrap_or_default().trim().to_owned();
    let statement =
        [text("db.statement"), text("summary")].into_iter().find(|it| !it.is_empty())?;
    let mut plain = String::new();
    for part in statement.split_inclusive("IN (") {
        let list = part.trim_start_matches(|it: char| "?$, ".contains(it) || it.is_ascii_digit());
        plain += if plain.ends_with("IN (") { list } else { part };
    }
    Some(plain)
}

fn is_of_the_overview(statement: &str) -> bool {
    let tables = ["key_groups", "key_instances", "usage_hours"];
    let reads = tables.iter().any(|it| statement.contains(&format!("FROM \"{it}\"")));
    // The background task asks for what is due, too, when it likes.
    statement.starts_with("SELECT") && reads && !statement.contains("\"changes_at\" <=")
}
