//! A database that an earlier Keyward has filled is brought up to date with all its rows.
use keyward::db;
use migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, FromQueryResult, JsonValue, Statement};

use crate::support::{Database, Home, on_both};

on_both! {
    what_is_there_gets_numbers_in_the_order_of_its_making,
    tokens_that_are_there_are_told_of_from_then_on,
}

/// Before things had numbers.
const EARLIER: u32 = 4;
/// Before tokens were told of.
const SILENT: u32 = 12;

/// A database as it was after so many steps.
async fn earlier(database: &Database, steps: u32) -> (Home, DatabaseConnection) {
    let home = Home::new(*database).await;
    if matches!(database, Database::Sqlite) {
        std::fs::write(home.folder().join("keyward.db"), "").unwrap();
    }
    let db = home.connect().await;
    Migrator::up(&db, Some(steps)).await.unwrap();
    (home, db)
}

/// As the database writes an id.
fn id(database: &Database, n: u32) -> String {
    match database {
        Database::Sqlite => format!("X'{n:032x}'"),
        Database::Postgres => format!("'{n:032x}'::uuid"),
    }
}

async fn what_is_there_gets_numbers_in_the_order_of_its_making(database: &Database) {
    let (home, db) = earlier(database, EARLIER).await;
    let id = |n: u32| id(database, n);
    let run = async |sql: String| {
        db.execute_unprepared(&sql).await.unwrap();
    };
    for (n, slug) in [(1, "acme"), (2, "globex")] {
        run(format!(
            "INSERT INTO subscriptions (id, name, slug, members_see_keys, default_lifetime_days, \
             never_expires_allowed, created_at) VALUES ({}, '{slug}', '{slug}', TRUE, 90, TRUE, 5)",
            id(n)
        ))
        .await;
    }
    // Of acme four, of globex one.
    for (n, subscription) in [(11, 1), (12, 1), (13, 1), (14, 1), (21, 2)] {
        let named = format!("{}, {}, 'p{n}', 'p{n}', '', 1, 7, {}", id(n), id(subscription), id(9));
        run(format!(
            "INSERT INTO policies (id, subscription_id, name, name_folded, description, version, \
             created_at, created_by, permissions) VALUES ({named}, '')"
        ))
        .await;
    }
    run(format!(
        "INSERT INTO workspaces (id, subscription_id, name, name_folded, description, version, \
         created_at, created_by, slug) VALUES ({}, {}, 'Europe', 'europe', '', 1, 7, {}, 'europe')",
        id(31),
        id(1),
        id(9)
    ))
    .await;
    db.close().await.unwrap();

    db::migrate(&home.database_url).await.unwrap();
    let db = home.connect().await;
    let all = async |sql: &str| {
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let rows = JsonValue::find_by_statement(statement).all(&db).await.unwrap();
        let row = |it: &JsonValue| {
            let fields = it.as_object().unwrap().values().map(ToString::to_string);
            fields.collect::<Vec<_>>().join(" ").replace('"', "")
        };
        rows.iter().map(row).collect::<Vec<_>>()
    };
    let policies = all("SELECT name, number, changed_at FROM policies ORDER BY name").await;
    assert_eq!(policies, ["p11 1001 7", "p12 1002 7", "p13 1003 7", "p14 1004 7", "p21 1001 7"]);
    let subscriptions = all("SELECT slug, number, next_number FROM subscriptions ORDER BY slug");
    assert_eq!(subscriptions.await, ["acme 1001 1005", "globex 1002 1002"]);
    assert_eq!(all("SELECT number FROM workspaces").await, ["1001"]);
    db.close().await.unwrap();
    home.clean_up().await;
}

async fn tokens_that_are_there_are_told_of_from_then_on(database: &Database) {
    let (home, db) = earlier(database, SILENT).await;
    let id = |n: u32| id(database, n);
    let digest = |n: u32| match database {
        Database::Sqlite => format!("X'{n:064x}'"),
        Database::Postgres => format!("'\\x{n:064x}'::bytea"),
    };
    let run = async |sql: String| {
        db.execute_unprepared(&sql).await.unwrap();
    };
    run(format!(
        "INSERT INTO subscriptions (id, name, slug, members_see_keys, default_lifetime_days, \
         never_expires_allowed, created_at, number, next_number) \
         VALUES ({}, 'acme', 'acme', TRUE, 90, TRUE, 5, 1001, 1001)",
        id(1)
    ))
    .await;
    run(format!(
        "INSERT INTO users (id, email, name, password_hash, is_owner, theme, time_zone, created_at) \
         VALUES ({}, 'ida@acme.example', 'Ida', '', FALSE, 'system', 'UTC', 5)",
        id(9)
    ))
    .await;
    // Good until 2100, ended in 1970, revoked.
    for (n, ends_at, revoked_at) in
        [(11, "4102444800000", "NULL"), (12, "1000", "NULL"), (13, "4102444800000", "900")]
    {
        run(format!(
            "INSERT INTO automation_tokens (id, subscription_id, name, scopes, digest, \
             pepper_version, mask, created_at, created_by, ends_at, revoked_at) VALUES ({}, {}, \
             't{n}', 'keys:read', {}, 1, 'kwa_', 700, {}, {ends_at}, {revoked_at})",
            id(n),
            id(1),
            digest(n),
            id(9)
        ))
        .await;
    }
    db.close().await.unwrap();

    db::migrate(&home.database_url).await.unwrap();
    let db = home.connect().await;
    let sql = "SELECT name FROM automation_tokens WHERE notice_at = 700 ORDER BY name";
    let due = Statement::from_string(db.get_database_backend(), sql);
    let due = JsonValue::find_by_statement(due).all(&db).await.unwrap();
    assert_eq!(due, [serde_json::json!({ "name": "t11" })]);
    db.close().await.unwrap();
    home.clean_up().await;
}
