//! Lists answer from an index: what the pages ask is captured, and explained by the database at
//! 100,000 instances in 10,000 groups.
use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, Once},
};

use keyward::demo::bulk;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, filter::filter_fn, layer::Context, prelude::*};

use crate::support::{TestApp, on_both};

on_both!(no_list_scans_or_sorts_a_table);

async fn no_list_scans_or_sorts_a_table(app: &TestApp) {
    capture();
    let desk = app.desk("acme").await;
    let keys = bulk::fill(&desk.act(), 100_000).await.unwrap();
    let bearer = format!("Bearer {}", keys[0].expose());
    for (query, status) in [("", 204), ("?permission=load:act-00&workspace=none", 403)] {
        let headers = [("authorization", bearer.as_str())];
        let path = format!("/verify{query}");
        app.service().ask(reqwest::Method::GET, &path, &headers).await.expect(status);
    }
    let admin = app.admin("acme").await;
    let groups = admin.get("/s/acme/groups").await.expect(200);
    let user_group = groups.text().split("<option value=\"").nth(2).unwrap();
    let user_group = user_group.split('"').next().unwrap();
    let held = [
        "/s/acme/policies".to_owned(),
        "/s/acme/user-groups".to_owned(),
        format!("/s/acme/user-groups/{user_group}"),
        format!("/s/acme/user-groups/{user_group}/edit"),
        format!("/s/acme/user-groups/{user_group}/deletion"),
        "/s/acme/workspaces".to_owned(),
        format!("/s/acme/groups?user_group={user_group}"),
    ];
    for path in paths().into_iter().chain(held) {
        let page = admin.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        if let Some(next) = page.text().split("rel=\"next\" href=\"").nth(1) {
            let next = next.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
            assert_eq!(admin.get(&next).await.status, 200, "{next}");
        }
    }
    let db = app.home.connect().await;
    let is_postgres = app.home.database_url.starts_with("postgres");
    let asked: Vec<String> =
        CAPTURED.lock().unwrap().iter().filter(|it| is_list(it, is_postgres)).cloned().collect();
    assert!(asked.len() > 20, "only {} statements were seen", asked.len());
    assert!(asked.iter().filter(|it| it.contains("LEFT JOIN \"policies\"")).count() >= 2);
    if is_postgres {
        db.execute_unprepared("ANALYZE").await.unwrap();
        db.execute_unprepared("SET plan_cache_mode = force_generic_plan").await.unwrap();
        // Of a small table Postgres reads all at once, whatever the index: ask what there is.
        db.execute_unprepared("SET enable_seqscan = off").await.unwrap();
    }
    let mut faults = Vec::new();
    for statement in asked {
        let plan = explain(&db, &statement, is_postgres).await;
        let bad = [
            "SCAN permission_days",
            "SCAN key_",
            "SCAN audit_",
            "SCAN user_",
            "SCAN workspace",
            "SCAN policies",
            "TEMP B-TREE FOR ORDER BY",
            "Seq Scan on",
            "Sort  (",
        ];
        if bad.iter().any(|it| plan.contains(it)) {
            faults.push(format!("{statement}\n{plan}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Every list with every filter that has an order of its own.
fn paths() -> Vec<String> {
    let mut paths = vec!["/s/acme".to_owned(), "/s/acme/audit".to_owned()];
    for show in ["", "soon", "gap", "none", "unused"] {
        paths.push(format!("/s/acme/groups?show={show}"));
    }
    paths.push("/s/acme/groups?q=team%2042".to_owned());
    for status in ["", "active", "soon", "future", "expired", "deactivated"] {
        paths.push(format!("/s/acme/keys?status={status}"));
    }
    for used in ["7d", "not30d", "never"] {
        paths.push(format!("/s/acme/keys?used={used}"));
    }
    paths.push("/s/acme/keys?from=2026-11-01&until=2026-12-01".to_owned());
    paths.push("/s/acme/audit?action=member.joined".to_owned());
    paths
}

static CAPTURED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What lists ask: rows of the large tables, with a limit; and what a verification asks. Tests
/// beside this one may add their own.
fn is_list(statement: &str, is_postgres: bool) -> bool {
    let from = ["\"key_groups\"", "\"key_instances\"", "\"audit_events\""];
    let is_verification = statement.contains("LEFT JOIN \"policies\"");
    let is_list = from.iter().any(|it| statement.contains(&format!("FROM {it}")))
        && (statement.contains(" LIMIT ") || is_verification);
    // What is held is asked for in many ways, each of which has an index to serve it.
    let is_access = ["key_group_access", "permission_days"]
        .iter()
        .any(|it| statement.contains(&format!("FROM \"{it}\"")));
    statement.starts_with("SELECT")
        && (is_list || is_access)
        && statement.contains("$1") == is_postgres
}

async fn explain(db: &DatabaseConnection, statement: &str, is_postgres: bool) -> String {
    let backend = db.get_database_backend();
    let rows = |sql: String| db.query_all_raw(Statement::from_string(backend, sql));
    if !is_postgres {
        let rows = rows(format!("EXPLAIN QUERY PLAN {statement}")).await.unwrap();
        let lines = rows.iter().map(|it| it.try_get::<String>("", "detail").unwrap());
        return lines.collect::<Vec<_>>().join("\n");
    }
    let parameters = (1..).take_while(|n| statement.contains(&format!("${n}"))).count();
    let nulls = vec!["NULL"; parameters].join(", ");
    db.execute_unprepared(&format!("PREPARE asked AS {statement}")).await.unwrap();
    let rows = rows(format!("EXPLAIN EXECUTE asked({nulls})")).await.unwrap();
    db.execute_unprepared("DEALLOCATE asked").await.unwrap();
    let lines = rows.iter().map(|it| it.try_get::<String>("", "QUERY PLAN").unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// Collects the text of every statement of this process from now on.
fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let statements = filter_fn(|it| it.target() == "sqlx::query");
        let subscriber = tracing_subscriber::registry().with(Collector.with_filter(statements));
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

struct Collector;

impl<S: Subscriber> Layer<S> for Collector {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        CAPTURED.lock().unwrap().insert(text.0.trim().to_owned());
    }
}

/// The whole statement; short ones are in the summary only.
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_text =
            field.name() == "db.statement" || (field.name() == "summary" && self.0.is_empty());
        if is_text && !value.trim().is_empty() {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
