//! Point 38: searching by a whole key leads to it, and the key goes nowhere else.
use chrono::TimeDelta;
use keyward::key_instances::{self, Issued};

use crate::support::{Answer, PASSWORD, Person, TestApp, ids, on_both, own_text, path_of};

on_both! {
    a_whole_key_leads_to_its_instance_whatever_its_status,
    a_key_of_others_and_an_unknown_one_get_the_same_answer,
    the_key_that_was_searched_reaches_no_url_and_no_table,
    every_role_that_sees_keys_may_search,
    what_is_no_key_narrows_the_list_it_was_typed_in,
    searching_leads_nowhere_else,
}

async fn search(person: &Person<'_>, query: &str, list: &str) -> Answer {
    person.post("/s/acme/search", &[("query", query), ("list", list)]).await
}

struct Keys {
    all: Vec<Issued>,
}

/// One generated key in each status, and two of one's own, one without any digit.
async fn keys(app: &TestApp) -> Keys {
    let desk = app.desk("acme").await;
    let active = desk.group("quote-engine", desk.days(90)).await;
    let group = active.instance.key_group_id;
    let ended = desk.key(group, desk.days(1)).await;
    let off = desk.key(group, desk.days(90)).await;
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    let revoked = desk.key(group, desk.days(90)).await;
    key_instances::revoke(&desk.act(), ids(&revoked)).await.unwrap();
    let own = desk.own_key(group, &own_text(1), desk.days(90)).await;
    let words = desk.own_key(group, "qWzRtPLkXvBnMdSyGhCf", desk.days(90)).await;
    let lower = desk.own_key(group, "qwzrtplkxvbnmdsyghcf", desk.days(90)).await;
    let revoked_own = desk.own_key(group, &own_text(2), desk.days(90)).await;
    key_instances::revoke(&desk.act(), ids(&revoked_own)).await.unwrap();
    let later = app.clock.now() + TimeDelta::days(9);
    let period = keyward::domain::ActivePeriod::new(later, None);
    let future = desk.key(group, period.unwrap()).await;
    app.clock.advance(TimeDelta::days(2));
    Keys { all: vec![active, ended, off, revoked, own, words, lower, revoked_own, future] }
}

async fn a_whole_key_leads_to_its_instance_whatever_its_status(app: &TestApp) {
    let keys = keys(app).await;
    let admin = app.signed_in("admin@acme.example").await;
    for key in &keys.all {
        for list in ["/s/acme/groups", "/s/acme/keys"] {
            let typed = format!("  {} ", key.secret.expose());
            let found = search(&admin, &typed, list).await.expect(303);
            assert_eq!(found.location(), path_of("acme", &key.instance));
            let page = admin.follow(&found).await.expect(200);
            let told = format!("The key you searched for is {}.", key.instance.name());
            assert_eq!(page.flash(), told);
        }
    }
}

async fn a_key_of_others_and_an_unknown_one_get_the_same_answer(app: &TestApp) {
    let (acme, rival) = (app.desk("acme").await, app.desk("rival").await);
    acme.group("ours", acme.days(90)).await;
    let foreign = rival.group("theirs", rival.days(90)).await;
    let own = own_text(1);
    rival.own_key(foreign.instance.key_group_id, &own, rival.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    let mut mistyped = foreign.secret.expose().to_owned();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == 'a' { 'b' } else { 'a' });
    let mut answers = Vec::new();
    for key in [foreign.secret.expose(), &mistyped, &own, &own_text(7), "kw_", "kwa_123"] {
        let answer = search(&admin, key, "/s/acme/keys?status=active").await.expect(303);
        assert_eq!(answer.location(), "/s/acme/keys?status=active");
        let page = admin.follow(&answer).await.expect(200);
        assert_eq!(page.flash(), "No key with this value in ACME. Was it pasted whole?");
        answers.push((answer.text().to_owned(), page.text().to_owned()));
    }
    assert!(answers.iter().all(|it| *it == answers[0]));
}

async fn the_key_that_was_searched_reaches_no_url_and_no_table(app: &TestApp) {
    let keys = keys(app).await;
    let rival = app.desk("rival").await;
    let foreign = rival.group("theirs", rival.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    for key in keys.all.iter().chain([&foreign]) {
        let text = key.secret.expose();
        let answer = search(&admin, text, "/s/acme/groups").await.expect(303);
        assert!(!format!("{:?}", answer.headers).contains(text), "{:?}", answer.headers);
        assert!(!admin.follow(&answer).await.text().contains(text));
        let everything = format!("{:?}", app.snapshot().await);
        assert!(!everything.contains(text), "it is stored");
    }
    let sql = "SELECT action, outcome, object FROM audit_events \
               WHERE action = 'key_instance.searched_by_key' ORDER BY seq";
    let rows = app.query(sql).await;
    assert_eq!(rows.len(), keys.all.len() + 1);
    let told: Vec<_> = rows.iter().map(|it| (&it["outcome"], &it["object"])).collect();
    let names = keys.all.iter().map(|it| format!("{} / {}", it.group.name, it.instance.name()));
    for (row, name) in told.iter().zip(names) {
        assert_eq!((row.0.as_str(), row.1.as_str()), (Some("done"), Some(&*name)));
    }
    let miss = told.last().unwrap();
    assert_eq!((miss.0.as_str(), miss.1.as_str()), (Some("refused"), Some("")));
}

async fn every_role_that_sees_keys_may_search(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    for person in [app.member("acme").await, app.auditor("acme").await] {
        let found = search(&person, key.secret.expose(), "").await.expect(303);
        assert_eq!(found.location(), path_of("acme", &key.instance));
    }
    let stranger = app.admin("rival").await;
    search(&stranger, key.secret.expose(), "").await.expect(404);
}

async fn what_is_no_key_narrows_the_list_it_was_typed_in(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.group("northwind-reinsurance-prod", desk.days(90)).await;
    desk.group("100%_sure", desk.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    for (typed, names) in [
        ("northwind", &["northwind-reinsurance-prod"][..]),
        ("northwind-reinsurance-prod", &["northwind-reinsurance-prod"]),
        ("NORTH", &["northwind-reinsurance-prod"]),
        ("%", &["100%_sure"]),
        ("_", &["100%_sure"]),
        ("x' OR 1=1 --", &[]),
        ("\\", &[]),
    ] {
        let answer = search(&admin, typed, "/s/acme/groups?show=").await.expect(303);
        assert!(answer.location().starts_with("/s/acme/groups?q="), "{}", answer.location());
        let page = admin.follow(&answer).await.expect(200);
        assert_eq!(page.names(), names, "{typed}");
        assert_eq!(page.field("query"), typed);
    }
    let all = search(&admin, "", "/s/acme/groups").await.expect(303);
    assert_eq!(all.location(), "/s/acme/groups");
    search(&admin, "a\u{0}b", "").await.expect(400);
    let long = "w ".repeat(5_000);
    let answer = search(&admin, &long, "").await.expect(303);
    assert!(answer.location().len() < 400);
    admin.follow(&answer).await.expect(200);
}

async fn searching_leads_nowhere_else(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
    for list in
        ["//evil.example", "https://evil.example/", "/\\evil", "/s/rival/keys", "/s/acme/../x\r\n"]
    {
        for query in ["word", "kw_unknown"] {
            let answer = search(&admin, query, list).await.expect(303);
            let location = answer.location();
            assert!(location.starts_with("/s/acme/"), "{list}: {location}");
            assert!(!location.contains("evil") && !location.contains("rival"), "{location}");
        }
    }
    // A search is a POST only: a key in a URL finds nothing, and GET is no way to ask.
    let path = format!("/s/acme/search?query={}", key.secret.expose());
    admin.get(&path).await.expect(405);
}
