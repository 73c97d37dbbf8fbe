//! Looking at something changes nothing.
use keyward::server::{Access, MACHINE_ROUTES, ROUTES};
use reqwest::Method;

use crate::support::{Person, TestApp, on_both, path_to};

on_both! {
    no_get_and_no_head_changes_anything,
}

async fn no_get_and_no_head_changes_anything(app: &TestApp) {
    let desk = app.desk("acme").await;
    let things = desk.things().await;
    desk.key(things.key.key_group_id, desk.days(30)).await;
    let (admin, owner, nobody) = (app.admin("acme").await, app.owner().await, app.anonymous());
    let (mut before, mut walked) = (app.snapshot().await, 0);
    for route in ROUTES.iter().chain(MACHINE_ROUTES).filter(|it| it.method == "GET") {
        // Whom it refuses a route writes about into the audit log.
        let people: Vec<&Person<'_>> = match route.access {
            Access::Owner => vec![&owner],
            _ => vec![&admin, &nobody],
        };
        for person in people {
            for method in [Method::GET, Method::HEAD] {
                let answer = person.send(method, &path_to(route, &things)).await;
                assert!(![403, 405].contains(&answer.status), "{}", route.path);
            }
        }
        walked += 1;
        let mut now = app.snapshot().await;
        if route.path.ends_with(".csv") {
            // That somebody took it away is in the audit log, and nothing else is different.
            for table in ["audit_events", "audit_chains"] {
                before.insert(table.to_owned(), now.remove(table).unwrap());
                now.insert(table.to_owned(), before[table].clone());
            }
        }
        assert_eq!(now, before, "after {}", route.path);
    }
    let rows = ROUTES.iter().chain(MACHINE_ROUTES);
    assert_eq!(walked, rows.filter(|it| it.method == "GET").count());
}
