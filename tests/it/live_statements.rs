//! An accepted call costs no statement: what a process that relies on its memory asks the database is in
//! its log.
use std::{fs, time::Duration};

use keyward::{clock::Clock, domain::Role};

use crate::{
    plans::statement,
    support::{TestApp, eventually, on_both, program::Program, program::log_file},
};

on_both!(an_accepted_call_asks_the_database_nothing);

const SOON: Duration = Duration::from_secs(20);
const SECRET: &str = "9011@83sd!f1042ds+f19fg86M";

/// What verifications ask where memory cannot be relied on.
fn is_of_a_call(statement: &str) -> bool {
    let words = ["\"client_id\" =", "\"digest\" IN", "\"secret_hash\" IS NOT NULL"];
    let is_personal = statement.contains("FROM \"personal_keys\" INNER JOIN");
    is_personal || words.iter().any(|it| statement.contains(it))
}

fn asked(app: &TestApp) -> usize {
    let log = fs::read_to_string(log_file(&app.home)).unwrap();
    log.lines().filter_map(statement).filter(|it| is_of_a_call(it)).count()
}

async fn an_accepted_call_asks_the_database_nothing(app: &TestApp) {
    // The program below has the real clock.
    app.clock.advance(Clock::System.now() - app.clock.now());
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let client = desk.client("billing").await;
    desk.own_key(client.id, SECRET, desk.days(90)).await;
    let person = app.user("acme", Role::Member).await;
    let token = app.personal_key(&person).await.token();
    let log = [("KEYWARD_LOG", "sqlx::query=trace"), ("KEYWARD_LOG_FORMAT", "json")];
    let program = Program::start_with(&app.home, &log).await;
    let chosen = async || program.basic(&client.client_id, SECRET).await.unwrap().status();
    let bearer = async |key: &str| program.verify(key).await.unwrap().status();
    // The hash of a chosen secret is in the database only: the log would show it.
    assert_eq!(chosen().await, 204);
    assert!(eventually(SOON, async || asked(app) > 0).await, "the log shows no call");
    let asks_nothing = async || {
        let before = asked(app);
        for _ in 0..10 {
            assert_eq!(chosen().await, 204);
            assert_eq!(bearer(key.secret.expose()).await, 204);
            assert_eq!(bearer(token.expose()).await, 204);
        }
        asked(app) == before
    };
    assert!(eventually(SOON, asks_nothing).await, "memory is never relied on");
}
