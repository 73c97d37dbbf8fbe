//! Lists of groups and of keys: filters, counts, paging, and the same as CSV.
use std::collections::BTreeSet;

use chrono::TimeDelta;
use keyward::{
    access::Held,
    domain::ActivePeriod,
    key_groups::{self, Description},
    key_instances::{self, Issued, NewKey, Source},
    pepper::random_token,
};

use crate::support::{Answer, Desk, PASSWORD, Person, TestApp, ids, on_both};

on_both! {
    each_status_has_a_tab_whose_count_is_what_it_lists,
    keys_are_filtered_by_dates_usage_and_text,
    groups_are_filtered_by_what_they_need_and_by_text,
    paging_gives_every_row_once_and_in_order,
    a_csv_file_is_exactly_what_is_filtered,
    a_spreadsheet_takes_no_cell_for_a_formula,
    filters_that_are_none_are_refused,
}

/// In days from now.
async fn key(desk: &Desk<'_>, app: &TestApp, group: &Issued, days: (i64, i64)) -> Issued {
    let at = |days| app.clock.now() + TimeDelta::days(days);
    let period = ActivePeriod::new(at(days.0), Some(at(days.1))).unwrap();
    desk.key(group.instance.key_group_id, period).await
}

async fn advance(app: &TestApp, admin: &Person<'_>, by: TimeDelta) {
    app.clock.advance(by);
    admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
}

/// Every page of a list, from this one on.
async fn all_pages(person: &Person<'_>, path: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let page = person.get(&path).await.expect(200);
        assert!(page.names().len() <= 25, "{path}");
        names.extend(page.names());
        next = page.next_page();
    }
    names
}

const STATUSES: [(&str, &str); 6] = [
    ("", "All"),
    ("active", "Active"),
    ("soon", "Expiring soon"),
    ("future", "Future"),
    ("expired", "Expired"),
    ("deactivated", "Deactivated"),
];
const SHOWS: [(&str, &str); 5] = [
    ("", "All"),
    ("soon", "Expiring soon"),
    ("gap", "No successor"),
    ("none", "Nothing active"),
    ("unused", "Unused 30 days"),
];

async fn each_status_has_a_tab_whose_count_is_what_it_lists(app: &TestApp) {
    let desk = app.desk("acme").await;
    let first = desk.group("quote-engine", desk.days(90)).await;
    for days in [(-9, 1), (-9, 40), (0, 3), (0, 14), (0, 30), (5, 9), (20, 300)] {
        key(&desk, app, &first, days).await;
    }
    let off = key(&desk, app, &first, (0, 90)).await;
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    for days in [(0, 90), (30, 90), (-5, 1)] {
        let dead = key(&desk, app, &first, days).await;
        key_instances::revoke(&desk.act(), ids(&dead)).await.unwrap();
    }
    let other = desk.group("other", desk.days(1)).await;
    key(&desk, app, &other, (10, 100)).await;
    desk.group("short", desk.days(3)).await;
    let admin = app.signed_in("admin@acme.example").await;
    let group = format!("/s/acme/groups/{}", first.instance.key_group_id);
    let mut seen = BTreeSet::new();
    // Over starts, beginnings of warnings, and ends.
    for hours in [0, 1, 23, 24, 24, 24 * 4, 24 * 5, 24 * 10, 24 * 30, 24 * 60, 24 * 300] {
        advance(app, &admin, TimeDelta::hours(hours)).await;
        for list in ["/s/acme/keys", &group] {
            let mut by_status = 0;
            for (status, label) in STATUSES {
                let path = format!("{list}?status={status}");
                let count = admin.get(&path).await.expect(200).tabs()[label];
                let names = all_pages(&admin, &path).await;
                assert_eq!(count, names.len(), "{path} after {hours} h");
                by_status += if ["", "soon"].contains(&status) { 0 } else { count };
                seen.insert((status, count > 0));
            }
            assert_eq!(admin.get(list).await.tabs()["All"], by_status, "{list}");
        }
        for (show, label) in SHOWS {
            let path = format!("/s/acme/groups?show={show}");
            let count = admin.get(&path).await.expect(200).tabs()[label];
            assert_eq!(count, all_pages(&admin, &path).await.len(), "{path} after {hours} h");
            seen.insert((label, count > 0));
        }
    }
    for (status, _) in STATUSES.iter().chain(&SHOWS.map(|it| (it.1, ""))) {
        assert!(seen.contains(&(*status, true)), "nothing was ever {status}");
    }
}

async fn keys_are_filtered_by_dates_usage_and_text(app: &TestApp) {
    let desk = app.desk("acme").await;
    let first = desk.group("quote-engine", desk.days(90)).await; // 20 Nov to 18 Feb
    let group = first.instance.key_group_id;
    let noted = NewKey {
        source: Source::Generate,
        period: desk.days(10), // to 30 Nov 10:30
        note: "Billing WORKER 100%".into(),
    };
    let noted = key_instances::create(&desk.act(), group, noted, &random_token()).await.unwrap();
    key(&desk, app, &first, (30, 60)).await; // 20 Dec to 19 Jan
    let admin = app.signed_in("admin@acme.example").await;
    app.service().bearer(noted.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let path = format!("/s/acme/groups/{group}");
    let check = async |query: &str, names: &[&str]| {
        for list in [path.as_str(), "/s/acme/keys"] {
            let mut found = all_pages(&admin, &format!("{list}?{query}")).await;
            found.sort();
            assert_eq!(found, names, "{list}?{query}");
        }
    };
    check("from=2026-11-30&until=2026-11-30", &["k-1", "k-2"]).await;
    check("from=2026-12-01", &["k-1", "k-3"]).await;
    check("until=2026-12-19", &["k-1", "k-2"]).await;
    check("until=2026-12-20", &["k-1", "k-2", "k-3"]).await;
    check("from=2027-01-19&until=2027-02-01", &["k-1", "k-3"]).await;
    check("from=2027-01-20", &["k-1"]).await;
    check("from=2027-02-19", &[]).await;
    check("q=worker", &["k-2"]).await;
    check("q=100%25", &["k-2"]).await;
    check("q=k-3", &["k-3"]).await;
    check("q=K-3", &["k-3"]).await;
    check("q=k-", &[]).await;
    check("used=never", &["k-1", "k-3"]).await;
    check("used=7d", &["k-2"]).await;
    check("status=future&q=worker", &[]).await;
    check("status=active&used=never", &["k-1"]).await;
    advance(app, &admin, TimeDelta::days(7) + TimeDelta::milliseconds(1)).await;
    check("used=7d", &[]).await;
    check("used=30d", &["k-2"]).await;
    check("used=not30d", &[]).await;
    advance(app, &admin, TimeDelta::days(24)).await;
    check("used=30d", &[]).await;
    check("used=not30d", &["k-1", "k-2", "k-3"]).await;
    check("used=not90d", &[]).await;
    // Days are days of the viewer's zone, and an active filter can be taken away.
    let profile = [("name", "Ada"), ("theme", "dark"), ("time_zone", "Pacific/Kiritimati")];
    admin.post("/profile", &profile).await.expect(303);
    check("from=2026-12-01&until=2026-12-01", &["k-1", "k-2"]).await;
    let page = admin.get(&format!("{path}?status=active&q=x&used=never&from=2026-12-01")).await;
    let chips = ["Text: x", "Never used", "Active from 2026-12-01"];
    assert!(chips.iter().all(|it| page.plain().contains(it)), "{}", page.plain());
    let without = format!("href=\"{path}?status=active&#38;used=never&#38;from=2026-12-01\"");
    assert!(page.text().contains(&without), "{}", page.text());
    assert!(page.plain().contains("No keys match."));
}

async fn groups_are_filtered_by_what_they_need_and_by_text(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.group("covered", desk.days(90)).await;
    desk.group("runs out", desk.days(3)).await;
    let followed = desk.group("followed", desk.days(2)).await;
    key(&desk, app, &followed, (1, 200)).await;
    let gap = desk.group("gap ahead", desk.days(2)).await;
    key(&desk, app, &gap, (5, 50)).await;
    let waiting = desk.group("waiting", desk.days(90)).await;
    key_instances::revoke(&desk.act(), ids(&waiting)).await.unwrap();
    key(&desk, app, &waiting, (9, 50)).await;
    let admin = app.signed_in("admin@acme.example").await;
    advance(app, &admin, TimeDelta::hours(36)).await;
    let check = async |query: &str, names: &[&str]| {
        assert_eq!(all_pages(&admin, &format!("/s/acme/groups?{query}")).await, names, "{query}");
    };
    // What ends first comes first; what has nothing active comes last.
    check("", &["gap ahead", "runs out", "covered", "followed", "waiting"]).await;
    check("show=soon", &["gap ahead", "runs out", "followed"]).await;
    check("show=gap", &["runs out"]).await;
    check("show=none", &["waiting"]).await;
    check("show=unused", &[]).await;
    check("q=AHEAD", &["gap ahead"]).await;
    check("show=soon&q=o", &["runs out", "followed"]).await;
    check("q=nothing+like+this", &[]).await;
    let page = admin.get("/s/acme/groups").await.expect(200).plain();
    for told in
        ["Runs out in 36 hours", "Gap of 3 days ahead", "Nothing active", "Covered to 18 Feb"]
    {
        assert!(page.contains(told), "{told} is missing: {page}");
    }
    advance(app, &admin, TimeDelta::days(30)).await;
    let unused = admin.get("/s/acme/groups?show=unused").await.expect(200);
    assert_eq!(unused.names().len(), 5);
}

async fn paging_gives_every_row_once_and_in_order(app: &TestApp) {
    let desk = app.desk("acme").await;
    let mut group = None;
    for n in 0..63 {
        // Many with the same end.
        group = Some(desk.group(&format!("group {n:02}"), desk.days(20 + n % 4)).await);
    }
    let group = group.unwrap();
    for n in 0..62 {
        key(&desk, app, &group, (0, 20 + n % 3)).await;
    }
    let admin = app.signed_in("admin@acme.example").await;
    let whole = |names: &[String], n: usize, what: &str| {
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!((names.len(), distinct.len()), (n, n), "{what}");
    };
    let groups = all_pages(&admin, "/s/acme/groups").await;
    whole(&groups, 63, "groups");
    let ends = |it: &String| it[6..].parse::<i64>().unwrap() % 4;
    assert!(groups.iter().map(ends).is_sorted(), "{groups:?}");
    whole(&all_pages(&admin, "/s/acme/groups?q=group").await, 63, "groups with text");
    let path = format!("/s/acme/groups/{}", group.instance.key_group_id);
    let labels = all_pages(&admin, &path).await;
    whole(&labels, 63, "keys of a group");
    let expected: Vec<_> = (1..=63).rev().map(|n| format!("k-{n}")).collect();
    assert_eq!(labels, expected);
    for filter in ["status=active", "used=never", "from=2026-11-20", "status=active&used=never"] {
        whole(&all_pages(&admin, &format!("{path}?{filter}")).await, 63, filter);
    }
    for filter in ["", "status=active", "used=never", "from=2026-11-20", "used=not30d"] {
        let csv = admin.get(&format!("/s/acme/keys.csv?{filter}")).await.expect(200).csv();
        let listed = all_pages(&admin, &format!("/s/acme/keys?{filter}")).await;
        let exported: Vec<_> = csv[1..].iter().map(|it| it[1].clone()).collect();
        assert_eq!(listed, exported, "{filter}");
    }
    advance(app, &admin, TimeDelta::days(40)).await;
    for filter in ["status=expired", "used=not30d"] {
        whole(&all_pages(&admin, &format!("{path}?{filter}")).await, 63, filter);
    }
    whole(&all_pages(&admin, "/s/acme/groups?show=unused").await, 63, "unused groups");
    whole(&all_pages(&admin, "/s/acme/groups?show=none").await, 63, "groups with nothing active");
}

async fn a_csv_file_is_exactly_what_is_filtered(app: &TestApp) {
    let desk = app.desk("acme").await;
    let first = desk.group("quote-engine", desk.days(90)).await;
    let off = key(&desk, app, &first, (0, 40)).await;
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    desk.group("other", desk.days(1)).await;
    app.service().bearer(first.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let admin = app.signed_in("admin@acme.example").await;
    let read = async |path: &str| {
        let file = admin.get(path).await.expect(200);
        assert_eq!(file.header("content-type"), Some("text/csv; charset=utf-8"));
        assert_eq!(file.header("cache-control"), Some("no-store"));
        assert!(file.header("content-disposition").unwrap().starts_with("attachment; "));
        file.csv()
    };
    let group = format!("/s/acme/groups/{}/keys.csv", first.instance.key_group_id);
    let rows = read(&format!("{group}?status=active")).await;
    let expected = [
        "quote-engine",
        "k-1",
        "",
        "Active",
        &first.instance.mask,
        "2026-11-20T10:30:00.000Z",
        "2027-02-18T10:30:00.000Z",
        "",
        "",
        "2026-11-20T10:30:00.000Z",
        "127.0.0.1",
        "Admin of acme",
        "2026-11-20T10:30:00.000Z",
    ];
    assert_eq!(rows[1..], [expected]);
    assert_eq!(rows[0].len(), expected.len());
    assert_eq!(read(&group).await.len(), 3);
    assert_eq!(read("/s/acme/keys.csv").await.len(), 4);
    assert_eq!(read("/s/acme/keys.csv?status=deactivated").await[1][1], "k-2");
    assert_eq!(read("/s/acme/keys.csv?used=7d").await.len(), 2);
    let groups = read("/s/acme/groups.csv?q=quote").await;
    assert_eq!(groups.len(), 2);
    assert_eq!((groups[1][0].as_str(), groups[1][11].as_str()), ("quote-engine", "1"));
    assert_eq!(read("/s/acme/groups.csv?show=soon").await[1][0], "other");
}

/// O21
async fn a_spreadsheet_takes_no_cell_for_a_formula(app: &TestApp) {
    let desk = app.desk("acme").await;
    let names = ["=1+1", "@SUM(A1)", "+1", "-1", "a\"b", "a,b;c", "'=1", "=\"x\",\"y\""];
    for name in names {
        let described = Description {
            name: name.into(),
            description: format!("{name} described"),
            contact: "=HYPERLINK(\"http://evil.example\")".into(),
        };
        let first = NewKey { source: Source::Generate, period: desk.days(9), note: name.into() };
        let token = random_token();
        let new = (&described, &Held::default());
        key_groups::create(&desk.act(), new, first, &token).await.unwrap();
    }
    let admin = app.signed_in("admin@acme.example").await;
    for (path, column) in [("/s/acme/groups.csv", 0), ("/s/acme/keys.csv", 2)] {
        let file = admin.get(path).await.expect(200);
        assert!(file.text().ends_with("\r\n") && !file.text().contains('\t'));
        let rows = file.csv();
        assert_eq!(rows.len(), names.len() + 1, "{path}");
        for cell in rows.iter().flatten() {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{path}: {cell}");
        }
        let mut found: Vec<_> = rows[1..].iter().map(|it| it[column].clone()).collect();
        found.sort();
        let armed = |it: &&str| it.starts_with(['=', '+', '-', '@']);
        let mut expected = names.map(|it| if armed(&it) { format!("'{it}") } else { it.into() });
        expected.sort();
        assert_eq!(found, expected, "{path}");
    }
}

async fn filters_that_are_none_are_refused(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    let group = format!("/s/acme/groups/{}", key.instance.key_group_id);
    let refused = |it: Answer, what: String| {
        assert_eq!(it.status, 400, "{what}\n{}", it.plain());
        assert!(it.plain().contains("Clear the filters."), "{what}: {}", it.plain());
    };
    for query in [
        "status=gone",
        "status=Active",
        "used=1d",
        "from=yesterday",
        "from=2026-02-30",
        "until=1800-01-01",
        "after=1",
        "after=x_y",
        "after=1_2",
        "from=2026-11-20T10:30",
        "sort=made",
    ] {
        for list in [group.as_str(), "/s/acme/keys", "/s/acme/keys.csv"] {
            let path = format!("{list}?{query}");
            if !(list.ends_with(".csv") && query.starts_with("after=")) {
                refused(admin.get(&path).await, path);
            }
        }
    }
    for query in ["show=all", "show=SOON", "after=1", "sort=until"] {
        refused(admin.get(&format!("/s/acme/groups?{query}")).await, query.into());
    }
    for path in ["/s/acme/groups", "/s/acme/keys", "/s/acme/audit", "/s/acme/keys.csv"] {
        for query in [
            "q=%00",
            "q=%ff",
            "action=%00",
            "q=%F0%9F%94%91",
            "%00=1",
            "q=a%00b&status=",
            "sort=name&after=a%00b&at=%00",
        ] {
            let answer = admin.get(&format!("{path}?{query}")).await;
            assert!(answer.status < 500, "{path}?{query}: {}", answer.status);
        }
    }
    for path in ["/s/%00/groups", "/s/acme%00/groups", "/s/acme/groups/%00", "/s/%ff"] {
        let answer = admin.get(path).await;
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
    }
}
