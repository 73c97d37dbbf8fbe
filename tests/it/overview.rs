//! The overview: what needs attention, the most urgent first, and why. Point 41: yellow at every
//! level, with the rule that fired.
use chrono::TimeDelta;
use keyward::domain::ActivePeriod;

use crate::support::{PASSWORD, TestApp, on_both};

on_both! {
    an_empty_subscription_says_how_to_begin,
    nothing_to_do_says_what_ends_next,
    the_most_urgent_comes_first_with_its_reason,
    each_warning_band_shows_its_rule_at_every_level,
    an_ending_key_whose_successor_is_there_needs_nothing,
}

async fn an_empty_subscription_says_how_to_begin(app: &TestApp) {
    let (admin, member) = (app.admin("acme").await, app.member("acme").await);
    for path in ["/s/acme", "/s/acme/groups"] {
        let page = admin.get(path).await.expect(200);
        assert!(page.plain().contains("No keys yet. A group holds the keys of one application."));
        assert!(page.text().contains("href=\"/s/acme/groups/new\""), "{path}");
        let page = member.get(path).await.expect(200);
        assert!(page.plain().contains("No keys yet."));
        assert!(!page.text().contains("/s/acme/groups/new"), "{path}");
    }
    assert!(admin.get("/s/acme/keys").await.expect(200).plain().contains("No keys yet."));
    assert_eq!(admin.get("/s/acme/keys.csv").await.expect(200).csv().len(), 1);
}

async fn nothing_to_do_says_what_ends_next(app: &TestApp) {
    let desk = app.desk("acme").await;
    let admin = app.signed_in("admin@acme.example").await;
    for (name, days) in [("later", 90), ("quote-engine", 60)] {
        let key = desk.group(name, desk.days(days)).await;
        let ids = crate::support::ids(&key);
        keyward::key_instances::acknowledge(&desk.act(), ids, "box").await.unwrap();
    }
    let page = admin.get("/s/acme").await.expect(200).plain();
    assert!(page.contains("Nothing needs attention."), "{page}");
    let told = "All groups are covered for the next 30 days. Next end: quote-engine, 19 Jan 2027.";
    assert!(page.contains(told), "{page}");
}

async fn the_most_urgent_comes_first_with_its_reason(app: &TestApp) {
    let desk = app.desk("acme").await;
    let at = |days| app.clock.now() + TimeDelta::days(days);
    let gap = desk.group("gap-ahead", desk.days(9)).await;
    let later = ActivePeriod::new(at(12), Some(at(50))).unwrap();
    desk.key(gap.instance.key_group_id, later).await;
    desk.group("runs-later", desk.days(5)).await;
    desk.group("runs-out", desk.days(4)).await;
    let refusing = desk.group("refusing", desk.days(1)).await;
    app.clock.advance(TimeDelta::days(2));
    app.service().bearer(refusing.secret.expose()).await.expect(401);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let admin = app.signed_in("admin@acme.example").await;
    let overview = admin.get("/s/acme").await.expect(200);
    let page = overview.plain();
    let told = [
        "refusing has no active key",
        "1 call with k-1 refused in the last 24 hours",
        "runs-out runs out in 2 days",
        "No successor. It lives for at most 5 days, so the warning shows from its 2nd day.",
        "runs-later runs out in 3 days",
        "gap-ahead has a gap of 3 days ahead",
        "Calls fail in between.",
    ];
    let places = told.map(|it| page.find(it).unwrap_or_else(|| panic!("{it} is missing: {page}")));
    assert!(places.is_sorted(), "{places:?}: {page}");
    assert!(page.contains("4 key groups need attention"), "{page}");
    let text = overview.text();
    let rule = "title=\"It lives for at most 5 days, so the warning shows from its 2nd day.\"";
    assert!(text.contains(rule), "{text}");
    let newest = format!("/s/acme/groups/{}/keys/new", refusing.instance.key_group_id);
    assert!(text.contains(&newest), "a way out is offered");
}

async fn each_warning_band_shows_its_rule_at_every_level(app: &TestApp) {
    let admin = app.admin("acme").await;
    // Days of life; hours until it warns; what the rule says.
    for (days, starts, told) in [
        (1, 0, "It lives for a day at most, so the warning always shows."),
        (5, 24, "at most 5 days, so the warning shows from its 2nd day."),
        (7, 4 * 24, "at most 7 days, so the warning shows from its 5th day."),
        (14, 9 * 24 + 8, "7 to 23 days, so the warning shows for its last third"),
        (30, 23 * 24, "at most 31 days, so the warning shows from its 24th day."),
        (90, 76 * 24, "at most 180 days, so the warning shows for its last 14 days."),
        (365, 335 * 24, "more than 180 days, so the warning shows for its last 30 days."),
    ] {
        admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
        let desk = app.desk("acme").await;
        let key = desk.group(&format!("band-{days}"), desk.days(days)).await;
        let path = crate::support::path_of("acme", &key.instance);
        let group = path.split("/keys/").next().unwrap().to_owned();
        let soon = async |path: &str, what: &str| {
            admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
            admin.get(path).await.expect(200).text().contains(what)
        };
        if starts > 0 {
            app.clock.advance(TimeDelta::hours(starts) - TimeDelta::milliseconds(1));
            assert!(!soon(&path, "Expires soon").await, "{days} days, too early");
            assert!(!soon(&group, told).await, "{days} days, too early");
            let tabs = admin.get("/s/acme/groups").await.expect(200).tabs();
            assert_eq!(tabs["Expiring soon"], 0, "{days} days, too early");
            let all = admin.get("/subscriptions").await.expect(200).plain();
            assert!(all.contains("ACME acme All covered"), "{days} days, too early: {all}");
            app.clock.advance(TimeDelta::milliseconds(1));
        }
        assert!(soon(&path, "Expires soon").await && soon(&path, told).await, "instance, {days}");
        assert!(soon(&group, "Expires soon").await && soon(&group, told).await, "row, {days}");
        let list = admin.get("/s/acme/groups").await.expect(200);
        assert_eq!(list.tabs()["Expiring soon"], 1, "group, {days}");
        assert!(list.plain().contains("Runs out in"), "group, {days}: {}", list.plain());
        let overview = admin.get("/s/acme").await.expect(200).plain();
        assert!(overview.contains(told), "subscription, {days}: {overview}");
        assert!(overview.contains("Expiring soon 1"), "subscription, {days}: {overview}");
        let all = admin.get("/subscriptions").await.expect(200).plain();
        assert!(all.contains("ACME acme 1 needs attention"), "all, {days}: {all}");
        app.clock.advance(TimeDelta::days(days) - TimeDelta::hours(starts));
        assert!(!soon(&path, "Expires soon").await, "{days} days, over");
    }
}

async fn an_ending_key_whose_successor_is_there_needs_nothing(app: &TestApp) {
    let desk = app.desk("acme").await;
    let first = desk.group("quote-engine", desk.days(3)).await;
    desk.key(first.instance.key_group_id, desk.days(90)).await;
    app.clock.advance(TimeDelta::hours(30));
    let admin = app.signed_in("admin@acme.example").await;
    let page = admin.get("/s/acme").await.expect(200).plain();
    assert!(!page.contains("quote-engine runs out"), "{page}");
    assert!(page.contains("Expiring soon 1 another key follows"), "{page}");
    let group = format!("/s/acme/groups/{}", first.instance.key_group_id);
    let page = admin.get(&group).await.expect(200).plain();
    assert!(page.contains("Its successor k-2 is active already."), "{page}");
}
