//! Lists answer from an index: what the pages ask is captured, and explained by the database at
//! 100,000 instances in 10,000 groups.
use std::{collections::BTreeSet, fs, time::Duration};

use keyward::{calendar, clock::Clock, demo::bulk, domain::Role, key_groups};
use reqwest::Method;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use uuid::Uuid;

use crate::support::{
    TestApp, eventually, on_both, on_sqlite,
    program::{Program, log_file},
};

on_both!(no_list_scans_or_sorts_a_table);
on_sqlite!(a_plan_of_sqlite_depends_on_no_value);

async fn no_list_scans_or_sorts_a_table(app: &TestApp) {
    // The program below has the real clock: a key that it accepts is one of today.
    app.clock.advance(Clock::System.now() - app.clock.now());
    let desk = app.desk("acme").await;
    let keys = bulk::fill(&desk.act(), 30_000).await.unwrap();
    let admin = app.user("acme", Role::Admin).await;
    let (knower, admin) = (admin.id, admin.email);
    let group =
        key_groups::list(&desk.act(), &Default::default(), 1).await.unwrap().groups.remove(0);
    let mut feeds = Vec::new();
    for of in [None, Some(group.id)] {
        let url = calendar::make(&desk.act(), of, None).await.unwrap().url;
        feeds.push(url.trim_start_matches(&app.site.origin).to_owned());
    }
    let person = app.user("acme", Role::Admin).await;
    let personal = app.personal_key(&person).await.token();
    // In a process of its own: what other tests ask at the same time is not looked at.
    let log = [("KEYWARD_LOG", "sqlx::query=trace"), ("KEYWARD_LOG_FORMAT", "json")];
    let program = Program::start_with(&app.home, &log).await;
    // First of all, before its memory is loaded: these are asked of the database.
    let key = keys[0].expose();
    for (query, status) in [("", 204), ("permission=load:act-00&workspace=none", 403)] {
        assert_eq!(program.asks(key, query).await.unwrap().status(), status, "{query}");
    }
    for (query, status) in [("", 204), ("permission=load:act-00&workspace=none", 403)] {
        let answer = program.asks(personal.expose(), query).await.unwrap();
        assert_eq!(answer.status(), status, "{query}");
    }
    let cookie = program.sign_in_as(&admin).await;
    let get = async |path: &str| {
        let page = program.send(Method::GET, path, &cookie, &[]).await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        page.text().await.unwrap()
    };
    let of_group = format!("/s/acme/groups/{}", group.id);
    let (page, keys) = (get(&of_group).await, format!("{of_group}/keys/"));
    let key: Uuid = page.split(&keys).find_map(|it| it.get(..36)?.parse().ok()).unwrap();
    let groups = get("/s/acme/groups").await;
    let user_group = groups.split("<option value=\"").nth(2).unwrap();
    let user_group = user_group.split('"').next().unwrap();
    let held = [
        "/s/acme/policies".to_owned(),
        "/s/acme/user-groups".to_owned(),
        format!("/s/acme/user-groups/{user_group}"),
        format!("/s/acme/user-groups/{user_group}/edit"),
        format!("/s/acme/user-groups/{user_group}/deletion"),
        "/s/acme/workspaces".to_owned(),
        format!("/s/acme/groups?user_group={user_group}"),
        format!("/s/acme/keys?known_to={knower}"),
        format!("/s/acme/keys?known_to={knower}&status=active"),
        format!("/s/acme/keys?known_to={knower}&used=not30d"),
        "/s/acme/members".to_owned(),
        format!("{of_group}/keys/{key}"),
        format!("{of_group}?sort=until"),
        format!("{of_group}?sort=-until"),
        format!("{of_group}?sort=name"),
        format!("{of_group}?status=expired&sort=until"),
    ];
    for path in paths().into_iter().chain(held).chain(feeds) {
        let page = get(&path).await;
        if let Some(next) = page.split("rel=\"next\" href=\"").nth(1) {
            let next = next.split('"').next().unwrap();
            get(&next.replace("&amp;", "&").replace("&#38;", "&")).await;
        }
    }
    // What the background asks every few seconds is in the log as well.
    let asked = |table: &str| fs::read_to_string(log_file(&app.home)).unwrap().contains(table);
    let noticed = async || asked("notice_at\\\" <=") && asked("next_at\\\" <=");
    assert!(eventually(Duration::from_secs(60), noticed).await, "nothing was noticed");
    drop(program);
    let is_postgres = app.home.database_url.starts_with("postgres");
    let log = fs::read_to_string(log_file(&app.home)).unwrap();
    let asked: BTreeSet<String> = log.lines().filter_map(statement).collect();
    let asked: Vec<String> = asked.into_iter().filter(|it| is_list(it)).collect();
    assert!(asked.len() > 20, "only {} statements were seen", asked.len());
    assert!(asked.iter().filter(|it| it.contains("LEFT JOIN \"policies\"")).count() >= 2);
    let db = app.home.connect().await;
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
            "SCAN secret_",
            "SCAN user_",
            "SCAN workspace",
            "SCAN policies",
            "SCAN personal_key",
            "SCAN members",
            "SCAN subscriptions",
            "SCAN notices",
            "SCAN deliveries",
            "SCAN automation_tokens",
            "SCAN token_notices",
            "TEMP B-TREE FOR ORDER BY",
            "Seq Scan on",
            "Sort  (",
        ];
        // Ends per week may be sorted to be counted: those of twelve weeks, by an index.
        let is_week = |it: &str| it == "Sort  (" && statement.contains("AS \"covered\"");
        // And the subscriptions of one person, by name.
        let is_person = |it: &str| {
            let sorts = ["Sort  (", "TEMP B-TREE FOR ORDER BY"].contains(&it);
            sorts && statement.contains("AS \"first_change\"")
        };
        // And who knows one key, by the time since when.
        let is_key = |it: &str| {
            let sorts = ["Sort  (", "TEMP B-TREE FOR ORDER BY"].contains(&it);
            sorts
                && statement.contains("FROM \"secret_exposures\"")
                && plan.contains("(key_instance_id")
        };
        let is_fine = |it: &str| is_week(it) || is_person(it) || is_key(it);
        if bad.iter().any(|it| plan.contains(it) && !is_fine(it)) {
            faults.push(format!("{statement}\n{plan}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Otherwise it plans each statement with a limit anew whenever it runs: see `.cargo/config.toml`.
async fn a_plan_of_sqlite_depends_on_no_value(app: &TestApp) {
    let options = Statement::from_string(DbBackend::Sqlite, "PRAGMA compile_options");
    let rows = app.db.read().query_all_raw(options).await.unwrap();
    let options: Vec<String> = rows.iter().map(|it| it.try_get_by_index(0).unwrap()).collect();
    assert!(options.iter().any(|it| it == "ENABLE_QPSG"), "{options:?}");
}

/// Every list with every filter that has an order of its own.
fn paths() -> Vec<String> {
    let mut paths = ["/s/acme", "/s/acme/audit", "/subscriptions"].map(str::to_owned).to_vec();
    for show in ["", "soon", "gap", "none", "unused"] {
        paths.push(format!("/s/acme/groups?show={show}"));
    }
    paths.push("/s/acme/groups?q=team%2042".to_owned());
    for status in ["", "active", "soon", "future", "expired", "deactivated"] {
        paths.push(format!("/s/acme/keys?status={status}"));
    }
    for sort in ["coverage", "-coverage", "name", "-name"] {
        paths.push(format!("/s/acme/groups?sort={sort}"));
        paths.push(format!("/s/acme/groups?show=soon&sort={sort}"));
    }
    for sort in ["name", "-name", "until", "-until"] {
        paths.push(format!("/s/acme/keys?sort={sort}"));
        paths.push(format!("/s/acme/keys?status=active&sort={sort}"));
        paths.push(format!("/s/acme/keys?used=not30d&sort={sort}"));
    }
    for used in ["7d", "not30d", "never"] {
        paths.push(format!("/s/acme/keys?used={used}"));
    }
    for used in ["", "not90d", "not365d", "never"] {
        paths.push(format!("/s/acme/keys/unused?used={used}"));
    }
    paths.push("/s/acme/keys?from=2026-11-01&until=2026-12-01".to_owned());
    paths.extend(["/profile/keys", "/.well-known/jwks.json"].map(str::to_owned));
    paths.push("/s/acme/audit?action=member.joined".to_owned());
    let others = ["/s/acme/notices", "/s/acme/settings/notices", "/s/acme/settings/tokens"];
    paths.extend(others.map(str::to_owned));
    paths
}

/// The statement of a line of the log; short ones are in the summary only.
pub(crate) fn statement(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| line[name].as_str().unwrap_or_default().trim().to_owned();
    let all = [text("db.statement"), text("summary")];
    all.into_iter().find(|it| !it.is_empty())
}

/// What lists ask: rows of the large tables, with a limit; what a verification asks; and what is
/// held, which is asked for in many ways.
fn is_list(statement: &str) -> bool {
    let Some((_, from)) = statement.split_once(" FROM \"") else { return false };
    let of = |tables: &[&str]| tables.iter().any(|it| from.starts_with(&format!("{it}\"")));
    let is_verification = statement.contains("LEFT JOIN \"policies\"");
    let is_list = of(&[
        "key_groups",
        "key_instances",
        "audit_events",
        "personal_keys",
        "notices",
        "deliveries",
        "automation_tokens",
        "token_notices",
        "secret_exposures",
    ]) && (statement.contains(" LIMIT ") || is_verification);
    // Ends per week, and the next end of each subscription.
    let is_sum = ["AS \"covered\"", "AS \"first\""].iter().any(|it| statement.contains(it));
    let is_list = is_list || is_sum;
    statement.starts_with("SELECT") && (is_list || of(&["key_group_access", "permission_days"]))
}

/// How the database would answer, in lines.
pub(crate) async fn explain(db: &DatabaseConnection, statement: &str, is_postgres: bool) -> String {
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
