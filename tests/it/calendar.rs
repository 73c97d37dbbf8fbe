//! The ends of keys as events, read by an independent parser (`tests/read_calendar.py`).
use chrono::TimeDelta;
use keyward::{
    calendar,
    domain::{ActivePeriod, lifecycle::Overlap},
    key_groups::{self, Description},
    key_instances::{self, Issued},
    pepper::random_token,
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{Desk, Events, TestApp, generated, ids, on_both, path_of};

on_both! {
    an_end_is_an_event_with_its_facts,
    a_changed_end_raises_the_sequence,
    a_deactivated_key_is_cancelled_and_comes_back,
    a_revoked_key_stays_cancelled_at_the_date_that_was_planned,
    another_name_of_the_group_is_another_revision_of_its_events,
    reminders_lie_inside_of_the_life_of_a_key,
    nobody_is_reminded_of_what_has_a_successor,
    ends_of_thirty_days_ago_to_two_years_ahead_are_shown,
    the_soonest_come_first_where_there_are_too_many,
    whatever_people_typed_arrives_as_they_typed_it,
    a_feed_shows_its_own_keys_only,
}

/// From so many days before now to so many after.
fn period(app: &TestApp, from: i64, until: i64) -> ActivePeriod {
    let now = app.clock.now();
    ActivePeriod::new(now + TimeDelta::days(from), Some(now + TimeDelta::days(until))).unwrap()
}

async fn event(app: &TestApp, path: &str, key: &Issued) -> Value {
    app.events(path).await.of(key.instance.id).clone()
}

async fn an_end_is_an_event_with_its_facts(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let feed = desk.feed(None).await;
    app.clock.advance(TimeDelta::hours(1));
    let found = app.events(&feed).await;
    let url = app.site.url(&path_of("acme", &key.instance));
    let expected = json!({
        "uid": key.instance.id.to_string(),
        "sequence": 0,
        "summary": "quote-engine k-1 ends",
        "description": "Key k-1 of quote-engine, ACME.\n\
            Active from Fri 20 Nov 2026 10:30 UTC until Thu 18 Feb 2027 10:30 UTC.",
        "url": url,
        "status": "CONFIRMED",
        "transparency": "TRANSPARENT",
        "categories": ["API keys"],
        "start": "2027-02-18T10:30:00Z",
        "stamp": "2026-11-20T10:30:00Z",
        "modified": "2026-11-20T10:30:00Z",
        "created": "2026-11-20T10:30:00Z",
        "alarms": [14, 7, 1],
    });
    assert_eq!(*found.only(), expected);
    let rest = ["name", "old_name", "version"].map(|it| found.0[it].as_str().unwrap());
    assert_eq!(rest, ["Keys of ACME", "Keys of ACME", "2.0"]);
    assert_eq!((&found.0["refresh"], &found.0["parts"]), (&json!(3600), &json!(["VEVENT"])));
    let client = desk.client("partner").await;
    key_instances::create(&desk.act(), client.id, generated(desk.days(30)), &random_token())
        .await
        .unwrap();
    let of_client = desk.feed(Some(client.id)).await;
    let found = app.events(&of_client).await;
    assert_eq!(found.0["name"], "Keys of partner");
    let told = found.only()["description"].as_str().unwrap();
    assert!(told.starts_with("Secret k-1 of partner, ACME."), "{told}");
}

async fn a_changed_end_raises_the_sequence(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let feed = desk.feed(None).await;
    let first = event(app, &feed, &key).await;
    app.clock.advance(TimeDelta::days(1));
    let earlier = period(app, -1, 20);
    key_instances::change_period(&desk.act(), ids(&key), earlier).await.unwrap();
    let moved = event(app, &feed, &key).await;
    assert_eq!((&first["sequence"], &moved["sequence"]), (&json!(0), &json!(1)));
    assert_eq!((&moved["uid"], &moved["start"]), (&first["uid"], &json!("2026-12-11T10:30:00Z")));
    for stamp in ["stamp", "modified"] {
        assert_eq!(moved[stamp], "2026-11-21T10:30:00Z", "{stamp}");
    }
    assert_eq!(moved["created"], first["created"]);
    // The same period once more is no change of it; nor is a rotation that leaves it alone.
    key_instances::change_period(&desk.act(), ids(&key), earlier).await.unwrap();
    let new = generated(desk.days(90));
    key_instances::rotate(&desk.act(), ids(&key), new, Overlap::Own, &random_token())
        .await
        .unwrap();
    assert_eq!(event(app, &feed, &key).await["sequence"], 1);
    // Without an end there is nothing to show; with one it goes on counting.
    let endless = ActivePeriod::new(earlier.from(), None).unwrap();
    key_instances::change_period(&desk.act(), ids(&key), endless).await.unwrap();
    assert_eq!(app.events(&feed).await.summaries(), ["quote-engine k-2 ends"]);
    key_instances::change_period(&desk.act(), ids(&key), earlier).await.unwrap();
    assert_eq!(event(app, &feed, &key).await["sequence"], 3);
}

async fn a_deactivated_key_is_cancelled_and_comes_back(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let feed = desk.feed(Some(key.instance.key_group_id)).await;
    let before = event(app, &feed, &key).await;
    app.clock.advance(TimeDelta::days(2));
    key_instances::deactivate(&desk.act(), ids(&key)).await.unwrap();
    let off = event(app, &feed, &key).await;
    assert_eq!((&off["status"], &off["sequence"]), (&json!("CANCELLED"), &json!(1)));
    assert_eq!((&off["start"], &off["alarms"]), (&before["start"], &json!([])));
    assert!(
        off["description"].as_str().unwrap().ends_with("\nDeactivated Sun 22 Nov 2026 10:30 UTC.")
    );
    app.clock.advance(TimeDelta::days(1));
    key_instances::reactivate(&desk.act(), ids(&key), desk.days(30)).await.unwrap();
    let on = event(app, &feed, &key).await;
    assert_eq!((&on["status"], &on["sequence"]), (&json!("CONFIRMED"), &json!(2)));
    assert_eq!((&on["uid"], &on["start"]), (&before["uid"], &json!("2026-12-23T10:30:00Z")));
    assert_eq!(
        (&on["alarms"], &on["modified"]),
        (&json!([14, 7, 1]), &json!("2026-11-23T10:30:00Z"))
    );
}

async fn a_revoked_key_stays_cancelled_at_the_date_that_was_planned(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let other = desk.key(key.instance.key_group_id, desk.days(60)).await;
    let feed = desk.feed(None).await;
    let before = event(app, &feed, &key).await;
    app.clock.advance(TimeDelta::days(3));
    key_instances::revoke(&desk.act(), ids(&key)).await.unwrap();
    key_instances::deactivate(&desk.act(), ids(&other)).await.unwrap();
    key_instances::revoke(&desk.act(), ids(&other)).await.unwrap();
    app.clock.advance(TimeDelta::days(40)); // its revocation lies behind the window by now
    let revoked = event(app, &feed, &key).await;
    assert_eq!((&revoked["status"], &revoked["sequence"]), (&json!("CANCELLED"), &json!(1)));
    assert_eq!((&revoked["start"], &revoked["alarms"]), (&before["start"], &json!([])));
    assert!(
        revoked["description"].as_str().unwrap().contains("\nRevoked Mon 23 Nov 2026 10:30 UTC.")
    );
    let other = event(app, &feed, &other).await;
    assert_eq!((&other["status"], &other["sequence"]), (&json!("CANCELLED"), &json!(2)));
    assert_eq!(other["start"], "2027-01-19T10:30:00Z");
}

async fn another_name_of_the_group_is_another_revision_of_its_events(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let feed = desk.feed(None).await;
    app.clock.advance(TimeDelta::days(1));
    key_instances::change_period(&desk.act(), ids(&key), period(app, -1, 50)).await.unwrap();
    app.clock.advance(TimeDelta::days(1));
    let named = Description { name: "quotes".into(), contact: "ida".into(), ..Default::default() };
    let group = key.instance.key_group_id;
    key_groups::edit(&desk.act(), group, &named, None).await.unwrap();
    let renamed = event(app, &feed, &key).await;
    assert_eq!(renamed["summary"], "quotes k-1 ends");
    assert_eq!(
        (&renamed["sequence"], &renamed["modified"]),
        (&json!(2), &json!("2026-11-22T10:30:00Z"))
    );
    assert!(renamed["description"].as_str().unwrap().ends_with("\nContact: ida"));
    // Saved as it was.
    key_groups::edit(&desk.act(), group, &named, None).await.unwrap();
    assert_eq!(event(app, &feed, &key).await["sequence"], 2);
}

async fn reminders_lie_inside_of_the_life_of_a_key(app: &TestApp) {
    let desk = app.desk("acme").await;
    for (days, expected) in [(14, vec![14, 7, 1]), (13, vec![7, 1]), (7, vec![7, 1]), (1, vec![1])]
    {
        let key = desk.group(&format!("of-{days}-days"), desk.days(days)).await;
        let feed = desk.feed(Some(key.instance.key_group_id)).await;
        assert_eq!(app.events(&feed).await.only()["alarms"], json!(expected), "{days}");
    }
    let now = app.clock.now();
    let short = ActivePeriod::new(now, Some(now + TimeDelta::hours(23))).unwrap();
    let key = desk.group("of-23-hours", short).await;
    let feed = desk.feed(Some(key.instance.key_group_id)).await;
    assert_eq!(app.events(&feed).await.only()["alarms"], json!([]));
    // What has ended stays without them.
    app.clock.advance(TimeDelta::days(14));
    let ended = app.events(&desk.feed(None).await).await;
    assert_eq!(ended.all().len(), 5);
    assert!(ended.all().iter().all(|it| it["alarms"] == json!([]) && it["status"] == "CONFIRMED"));
}

async fn nobody_is_reminded_of_what_has_a_successor(app: &TestApp) {
    let desk = app.desk("acme").await;
    let old = desk.group("quote-engine", desk.days(20)).await;
    let group = old.instance.key_group_id;
    let feed = desk.feed(None).await;
    let alarms = async |key: &Issued| event(app, &feed, key).await["alarms"].clone();
    // Not by one that ends earlier, nor by one that only waits.
    desk.key(group, desk.days(10)).await;
    let next = desk.key(group, period(app, 5, 60)).await;
    assert_eq!(alarms(&old).await, json!([14, 7, 1]));
    app.clock.advance(TimeDelta::days(5));
    let covered = event(app, &feed, &old).await;
    assert_eq!(covered["alarms"], json!([]));
    assert!(covered["description"].as_str().unwrap().contains("Another one is active already"));
    assert_eq!(alarms(&next).await, json!([14, 7, 1]));
    // It is off: the old one is what counts again, and its event says that it has changed.
    app.clock.advance(TimeDelta::days(1));
    key_instances::deactivate(&desk.act(), ids(&next)).await.unwrap();
    let alone = event(app, &feed, &old).await;
    assert_eq!(
        (&alone["alarms"], &alone["modified"]),
        (&json!([14, 7, 1]), &json!("2026-11-26T10:30:00Z"))
    );
    // One that never ends takes over from every other.
    let endless = ActivePeriod::new(app.clock.now(), None).unwrap();
    desk.key(group, endless).await;
    assert_eq!(alarms(&old).await, json!([]));
}

async fn ends_of_thirty_days_ago_to_two_years_ahead_are_shown(app: &TestApp) {
    let desk = app.desk("acme").await;
    let first = desk.group("ended-31-days-ago", desk.days(1)).await;
    desk.group("ended-29-days-ago", desk.days(3)).await;
    app.clock.advance(TimeDelta::days(32));
    desk.group("in-two-years", desk.days(730)).await;
    desk.group("later", desk.days(733)).await;
    desk.group("never", ActivePeriod::new(app.clock.now(), None).unwrap()).await;
    desk.group("soon", desk.days(1)).await;
    let feed = desk.feed(None).await;
    let shown = ["ended-29-days-ago k-1 ends", "soon k-1 ends", "in-two-years k-1 ends"];
    assert_eq!(app.events(&feed).await.summaries(), shown);
    // Nothing at all is a calendar too.
    let empty = app.events(&desk.feed(Some(first.instance.key_group_id)).await).await;
    assert_eq!((empty.all().len(), &empty.0["name"]), (0, &json!("Keys of ended-31-days-ago")));
}

async fn the_soonest_come_first_where_there_are_too_many(app: &TestApp) {
    let desk = app.desk("acme").await;
    let first = desk.group("a", desk.days(1)).await;
    desk.key(first.instance.key_group_id, desk.days(2)).await;
    app.clock.advance(TimeDelta::days(3));
    for days in [30, 10, 20] {
        desk.group(&format!("in-{days}"), desk.days(days)).await;
    }
    let feed = desk.feed(None).await;
    let token = feed.strip_prefix("/calendar/").unwrap().strip_suffix(".ics").unwrap();
    for (most, expected) in [
        (2, vec!["in-10 k-1 ends", "in-20 k-1 ends"]),
        (4, vec!["a k-2 ends", "in-10 k-1 ends", "in-20 k-1 ends", "in-30 k-1 ends"]),
    ] {
        let text = calendar::read_at_most(app, token, most, app.clock.now()).await.unwrap();
        assert_eq!(Events::parse(&text).summaries(), expected);
    }
}

async fn whatever_people_typed_arrives_as_they_typed_it(app: &TestApp) {
    let desk = app.desk("acme").await;
    let names = [
        r#"a,b;c:d\e"f'"#.to_owned(),
        // That parser trips over some backslashes; `calendar/ical.rs` tests those.
        r"C:\keys\x".to_owned(),
        "🔑".repeat(100),
        "日本語のとても長い名前".repeat(9),
        "END:VEVENT".to_owned(),
        "=cmd|' /C calc'!A0 %s {{7*7}} <script>".to_owned(),
    ];
    for (n, name) in names.iter().enumerate() {
        let key = desk.group(name, desk.days(20)).await;
        let group = key.instance.key_group_id;
        let description = format!("{}; {name}", "ä🔑,".repeat(75 + n));
        let named = Description { name: name.clone(), description, contact: "x;y".into() };
        key_groups::edit(&desk.act(), group, &named, None).await.unwrap();
        let found = app.events(&desk.feed(Some(group)).await).await;
        assert_eq!(found.0["name"], format!("Keys of {name}"));
        let event = found.only();
        assert_eq!(event["summary"], format!("{name} k-1 ends"));
        let told = event["description"].as_str().unwrap();
        assert!(told.contains(&format!("\nAbout: {}\nContact: x;y", named.description)), "{told}");
    }
    // No form takes a control character; if one were there, it could still write no line.
    let all = desk.feed(None).await;
    let sql = "UPDATE key_groups SET description = \
               'a\r\nEND:VEVENT\nBEGIN:VEVENT\r\n b\tc', contact = '\u{1b}\u{85}'";
    app.db.read().execute_unprepared(sql).await.unwrap();
    let found = app.events(&all).await;
    assert_eq!(found.all().len(), names.len());
    let told = found.all()[0]["description"].as_str().unwrap();
    assert!(told.contains("\nAbout: a\nEND:VEVENT\nBEGIN:VEVENT\n b c\n"), "{told:?}");
}

async fn a_feed_shows_its_own_keys_only(app: &TestApp) {
    let (acme, globex) = (app.desk("acme").await, app.desk("globex").await);
    let one = acme.group("one", acme.days(10)).await;
    acme.group("two", acme.days(20)).await;
    globex.group("theirs", globex.days(15)).await;
    let shown = async |desk: &Desk<'_>, group| {
        let found = app.events(&desk.feed(group).await).await;
        found.summaries().join(", ")
    };
    assert_eq!(shown(&acme, None).await, "one k-1 ends, two k-1 ends");
    assert_eq!(shown(&acme, Some(one.instance.key_group_id)).await, "one k-1 ends");
    assert_eq!(shown(&globex, None).await, "theirs k-1 ends");
}
