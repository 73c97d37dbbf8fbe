//! A new key on its pages: generated or one's own, and for how long.
use chrono::{DateTime, Utc};
use keyward::{
    error::Error,
    key_groups,
    key_instances::{self, NewKey, Source},
    pepper::random_token,
    subscriptions::Settings,
};
use serde_json::json;

use crate::support::{Answer, Person, TestApp, on_both, own_text};

on_both! {
    an_own_key_of_20_to_128_characters_is_taken,
    each_fault_of_an_own_key_is_said_beside_the_field,
    the_same_own_key_is_refused_twice_within_a_subscription_and_unseen_across,
    a_period_is_chosen_by_preset_or_by_dates,
    an_end_that_is_typed_beside_a_preset_is_the_end,
    dates_are_read_in_the_zone_of_the_profile,
    impossible_dates_are_refused_beside_the_field,
    years_of_more_than_four_digits_are_refused_at_what_has_them,
    the_subscription_limits_the_lifetime,
    the_note_is_one_line,
    a_preview_says_what_the_period_means_and_makes_nothing,
    a_form_that_is_not_one_is_refused,
    what_was_done_is_said_to_be_done_when_its_group_is_gone,
}

/// The form for a new key of a group of `acme`.
struct Form<'a> {
    admin: Person<'a>,
    path: String,
}

impl<'a> Form<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let desk = app.desk("acme").await;
        let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
        let admin = app.signed_in("admin@acme.example").await;
        Self { admin, path: format!("/s/acme/groups/{group}/keys/new") }
    }

    async fn send(&self, fields: &[(&str, &str)]) -> Answer {
        self.admin.submit(&self.path, fields).await
    }

    async fn own(&self, key: &str) -> Answer {
        self.send(&[("make", "own"), ("key", key)]).await
    }

    /// When a new key starts and ends. It is accepted from its start on, not before.
    async fn made(&self, app: &TestApp, fields: &[(&str, &str)]) -> (String, String) {
        let made = self.send(fields).await.expect(303);
        let page = self.admin.follow(&made).await.expect(200);
        let json = self.admin.get(&format!("{}/download.json", made.location())).await.expect(200);
        let content: serde_json::Value = serde_json::from_str(json.text()).unwrap();
        let time = |name: &str| content[name].as_str().unwrap_or("never").to_owned();
        let (from, until) = (time("active_from"), time("active_until"));
        let verdict = app.service().bearer(&page.secret()).await;
        if from.parse::<DateTime<Utc>>().unwrap() > app.clock.now() {
            assert_eq!(verdict.expect(401).header("keyward-reason"), Some("not_yet_active"));
        } else {
            assert_eq!(verdict.expect(204).header("keyward-expires"), Some(until.as_str()));
        }
        (from, until)
    }
}

/// 148 characters without any pattern.
const LONG: &str = "Zr7qPw2Lk9xBn4Td6VyHc8Gf3Js5Mm1DuXeRaWoKiYtNbQvCzFhElSgAjUpO0ITx4Yk2Bq9Wm7\
                    Lz5Vn3Dc8Xf6Pj1Rh0Gs-Ht4Ku2Ew9Av7Io5Ny3Mb8Tq6Ul1Ci0Sr-x5Wd8Ke3Pv6Qz1Ja7";

/// Point 42.
async fn an_own_key_of_20_to_128_characters_is_taken(app: &TestApp) {
    let it = Form::new(app).await;
    for length in [20, 21, 127, 128] {
        let key = &LONG[..length];
        let made = it.own(key).await.expect(303);
        assert_eq!(it.admin.follow(&made).await.expect(200).secret(), key);
        app.service().synthetic(key, "acme").await.expect(204);
    }
    let page = it.admin.get("/s/acme/keys").await.expect(200);
    assert!(page.text().contains(&format!("\u{2022}\u{2022}\u{2022}\u{2022}{}", &LONG[124..128])));
}

async fn each_fault_of_an_own_key_is_said_beside_the_field(app: &TestApp) {
    let it = Form::new(app).await;
    let before = app.snapshot().await;
    let long = "x".repeat(10_000);
    for (key, told) in [
        ("", "Enter it, or let one be generated."),
        (&LONG[..19], "Use 20 to 128 characters."),
        (&LONG[..129], "Use 20 to 128 characters."),
        (&long, "Use 20 to 128 characters."),
        ("Zr7-qPw2Lk9xBn4Td6_Vy", "Use only letters A to Z, digits and dashes."),
        ("Zr7-qPw2Lk9xBn4Td6 Vy", "Use only letters A to Z, digits and dashes."),
        ("Zr7-qPw2Lk9xBn4Td6V\u{e4}y", "Use only letters A to Z, digits and dashes."),
        ("Zr7-qPw2Lk9xBn4Td6\u{0}Vy", "Use only letters A to Z, digits and dashes."),
        ("abababababababababababab", "Use at least 10 different characters."),
        ("aaaaaaaabcdefghijxyz", "No character may make up more than a quarter of the key."),
        ("abcdefghijklmnopX7q2", "A sequence such as abcdef or 123456 fills half of the key."),
        ("q7Rt2Lp9Xwq7Rt2Lp9Xw", "A repetition fills half of the key."),
        ("quote-engine-quote-engine-42", "The key is little more than the group's name."),
    ] {
        let page = it.own(key).await.expect(422);
        assert!(page.error_at("key").contains(told), "{key}: {}", page.error_at("key"));
        assert_eq!((page.field("make"), page.field("key")), ("own".into(), String::new()));
        assert!(key.is_empty() || !page.text().contains(key), "{key} is echoed");
    }
    assert_eq!(app.snapshot().await, before);
}

async fn the_same_own_key_is_refused_twice_within_a_subscription_and_unseen_across(app: &TestApp) {
    let rival = app.desk("rival").await;
    let group = rival.group("theirs", rival.days(90)).await.instance.key_group_id;
    let text = own_text(1);
    rival.own_key(group, &text, rival.days(90)).await;
    let it = Form::new(app).await;
    it.own(&text).await.expect(303);
    for tenant in ["acme", "rival"] {
        let accepted = app.service().synthetic(&text, tenant).await.expect(204);
        assert_eq!(accepted.header("keyward-subscription"), Some(tenant));
    }
    let before = app.snapshot().await;
    let page = it.own(&text).await.expect(422);
    assert_eq!(page.error_at("key"), "A key with this value already exists.");
    // Also for the first key of another group.
    let fields = [("name", "other"), ("make", "own"), ("key", text.as_str())];
    let page = it.admin.submit("/s/acme/groups/new", &fields).await.expect(422);
    assert_eq!(page.error_at("key"), "A key with this value already exists.");
    assert_eq!(app.snapshot().await, before);
}

async fn a_period_is_chosen_by_preset_or_by_dates(app: &TestApp) {
    let it = Form::new(app).await;
    let dates = [("from", "2026-12-01T00:00"), ("until", "2026-12-02T00:00:00.500")];
    for (preset, fields, from, until) in [
        ("7", &[][..], "2026-11-20T10:30:00.000Z", "2026-11-27T10:30:00.000Z"),
        ("365", &[], "2026-11-20T10:30:00.000Z", "2027-11-20T10:30:00.000Z"),
        ("30", &dates, "2026-12-01T00:00:00.000Z", "2026-12-31T00:00:00.000Z"),
        ("dates", &dates, "2026-12-01T00:00:00.000Z", "2026-12-02T00:00:00.500Z"),
        // In the past it may start, but not end.
        (
            "dates",
            &[("from", "2020-02-29T12:00"), ("until", "2026-11-20T10:30:00.001")][..],
            "2020-02-29T12:00:00.000Z",
            "2026-11-20T10:30:00.001Z",
        ),
        ("never", &[], "2026-11-20T10:30:00.000Z", "never"),
    ] {
        let mut all = vec![("preset", preset)];
        all.extend(fields);
        let made = it.made(app, &all).await;
        assert_eq!(made, (from.to_owned(), until.to_owned()), "{all:?}");
    }
}

/// As a browser without scripts sends it.
async fn an_end_that_is_typed_beside_a_preset_is_the_end(app: &TestApp) {
    let it = Form::new(app).await;
    let page = it.admin.get(&it.path).await.expect(200);
    let (offered, token) = (page.field("offered"), page.field("submission"));
    assert_eq!(page.field("until"), offered);
    let typed = [
        ("submission", token.as_str()),
        ("preset", &page.field("preset")),
        ("from", &page.field("from")),
        ("until", "2026-12-01T00:00"),
        ("offered", &offered),
    ];
    let faulty: Vec<_> = typed.iter().copied().chain([("note", "\u{7}")]).collect();
    let again = it.admin.post(&it.path, &faulty).await.expect(422);
    assert_eq!((again.field("preset"), again.field("until")), ("dates".into(), typed[3].1.into()));
    it.admin.post(&it.path, &typed).await.expect(303);
    let group = [("name", "new-group"), ("submission", "another-token-of-some-length")];
    let typed: Vec<_> = group.iter().chain(&typed[1..]).copied().collect();
    it.admin.post("/s/acme/groups/new", &typed).await.expect(303);
    let midnight = "2026-12-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap().timestamp_millis();
    assert_eq!(app.count(&format!("key_instances WHERE active_until = {midnight}")).await, 2);
}

async fn dates_are_read_in_the_zone_of_the_profile(app: &TestApp) {
    let it = Form::new(app).await;
    let profile = [("name", "Ada"), ("theme", "dark"), ("time_zone", "Europe/Berlin")];
    it.admin.post("/profile", &profile).await.expect(303);
    let form = it.admin.get(&it.path).await.expect(200);
    assert_eq!(form.field("from"), "2026-11-20T11:30");
    assert!(form.plain().contains("From Europe/Berlin"), "the zone is named");
    for (from, until, utc_from, utc_until) in [
        // Over the end of summer time, 02:30 happens twice: the first is meant.
        ("2027-10-31T02:30", "2027-10-31T03:00", "2027-10-31T00:30", "2027-10-31T02:00"),
        ("2027-01-01T00:00", "2027-07-01T00:00", "2026-12-31T23:00", "2027-06-30T22:00"),
    ] {
        let fields = [("preset", "dates"), ("from", from), ("until", until)];
        let made = it.made(app, &fields).await;
        assert_eq!(made, (format!("{utc_from}:00.000Z"), format!("{utc_until}:00.000Z")));
    }
    // Days of a preset are days of 24 hours.
    let made = it.made(app, &[("preset", "7"), ("from", "2027-03-27T12:00")]).await;
    let expected = ("2027-03-27T11:00:00.000Z", "2027-04-03T11:00:00.000Z");
    assert_eq!(made, (expected.0.to_owned(), expected.1.to_owned()));
    let gone = [("preset", "dates"), ("from", "2027-03-28T02:30"), ("until", "2027-04-28T02:30")];
    let page = it.send(&gone).await.expect(422);
    let told = "This time does not exist in Europe/Berlin: the clocks go forward over it.";
    assert_eq!(page.error_at("from"), told);
}

async fn impossible_dates_are_refused_beside_the_field(app: &TestApp) {
    let it = Form::new(app).await;
    let before = app.snapshot().await;
    let (like, years) =
        ("Enter a date and a time, like 2026-11-20T10:30.", "Enter a year from 2000 to 2200.");
    let past = "The end must lie in the future.";
    let order = "The end must be after the start. It starts Tue 1 Dec 2026 00:00 UTC.";
    for (preset, from, until, field, told) in [
        ("dates", "", "2026-12-02T00:00", "from", like),
        ("dates", "2026-12-01T00:00", "", "until", like),
        ("dates", "tomorrow", "2026-12-02T00:00", "from", like),
        ("dates", "2026-02-30T00:00", "2026-12-02T00:00", "from", like),
        ("dates", "2026-12-01", "2026-12-02T00:00", "from", like),
        ("dates", "1999-12-31T23:59", "2026-12-02T00:00", "from", years),
        ("dates", "2026-12-01T00:00", "2201-01-01T00:00", "until", years),
        ("dates", "2026-12-01T00:00", "99999-01-01T00:00", "until", ""),
        ("dates", "2026-12-01T00:00", "2026-12-01T00:00", "until", order),
        ("dates", "2026-12-01T00:00", "2026-11-30T23:59", "until", order),
        ("dates", "2026-01-01T00:00", "2026-11-20T10:30", "until", past),
        ("7", "2026-01-01T00:00", "", "until", past),
        ("0", "", "", "until", "Choose for how long the key is active."),
        ("-7", "", "", "until", "Choose for how long the key is active."),
        ("3651", "", "", "until", "Choose for how long the key is active."),
        ("soon", "", "", "until", "Choose for how long the key is active."),
        ("", "", "", "until", like),
    ] {
        let fields = [("preset", preset), ("from", from), ("until", until), ("note", "kept")];
        let page = it.send(&fields).await.expect(422);
        let said = page.error_at(field);
        assert!(said.starts_with(told) && !said.is_empty(), "{fields:?}: {said}");
        let kept = ["from", "until", "note"].map(|it| page.field(it));
        assert_eq!(kept, [from, until, "kept"], "{fields:?}");
    }
    assert_eq!(app.snapshot().await, before);
}

/// No answer could say them (RFC 3339), and behind the last day there is none to count to.
async fn years_of_more_than_four_digits_are_refused_at_what_has_them(app: &TestApp) {
    let program = app.program(&["keys:write"]).await;
    for (instance, at) in [
        (json!({ "from": "9999-12-31T23:59:59-01:00" }), "from"),
        (json!({ "from": "+262142-12-31T00:00:00Z" }), "from"),
        (json!({ "from": "+262142-12-30T00:00:00Z", "until": null }), "from"),
        (json!({ "until": "+10000-01-01T00:00:00Z" }), "until"),
    ] {
        let new = json!({ "name": "x", "instance": instance });
        let told = program.post("/key-groups", new).await.expect(409).json();
        assert_eq!(told["errors"][0]["pointer"], format!("/instance/{at}"), "{instance}");
        assert_eq!(told["errors"][0]["detail"], "Use a year up to 9999.");
    }
    assert_eq!(app.count("key_groups").await, 0);
}

async fn the_subscription_limits_the_lifetime(app: &TestApp) {
    let it = Form::new(app).await;
    let desk = app.desk("acme").await;
    let strict = |it: &mut Settings| {
        it.default_lifetime_days = 30;
        it.max_lifetime_days = Some(60);
        it.never_expires_allowed = false;
    };
    desk.change_settings(strict).await;
    let form = it.admin.get(&it.path).await.expect(200);
    assert_eq!(form.field("preset"), "30");
    for preset in ["90", "never"] {
        let offered = format!("name=\"preset\" value=\"{preset}\"");
        assert!(!form.text().contains(&offered), "{preset} is offered");
    }
    let before = app.snapshot().await;
    let told = "Keys of this subscription may live for 60 days at most.";
    let dates =
        [("preset", "dates"), ("from", "2026-12-01T00:00"), ("until", "2027-01-30T00:00:00.001")];
    for fields in [&[("preset", "61")][..], &[("preset", "never")], &dates] {
        assert_eq!(it.send(fields).await.expect(422).error_at("until"), told, "{fields:?}");
    }
    assert_eq!(app.snapshot().await, before);
    it.send(&[("preset", "60")]).await.expect(303);
    desk.change_settings(|it| it.max_lifetime_days = None).await;
    let page = it.send(&[("preset", "never")]).await.expect(422);
    assert_eq!(page.error_at("until"), "Keys of this subscription must have an end.");
    it.send(&[("preset", "3650")]).await.expect(303);
}

async fn the_note_is_one_line(app: &TestApp) {
    let it = Form::new(app).await;
    let before = app.snapshot().await;
    let long = "n".repeat(10_000);
    for (note, told) in [
        (long.as_str(), "Use at most 200 characters; these are 10000."),
        ("a\r\nb", "Remove the control character U+000D."),
        ("a\u{0}", "Remove the control character U+0000."),
    ] {
        assert_eq!(it.send(&[("note", note)]).await.expect(422).error_at("note"), told);
    }
    assert_eq!(app.snapshot().await, before);
    let polyglot = "\"><img src=x onerror=alert(1)>'{{7*7}}";
    it.send(&[("note", polyglot)]).await.expect(303);
    let page = it.admin.get(it.path.strip_suffix("/keys/new").unwrap()).await.expect(200);
    assert!(!page.text().contains("<img src=x") && page.plain().contains(polyglot));
}

async fn a_preview_says_what_the_period_means_and_makes_nothing(app: &TestApp) {
    let it = Form::new(app).await;
    let before = app.snapshot().await;
    for (from, until, told) in [
        ("2026-12-01T00:00", "2027-06-01T00:00", "Overlaps k-1 by 79 days."),
        (
            "2027-02-18T10:30",
            "2027-06-01T00:00",
            "Starts exactly when k-1 ends: no gap and no overlap.",
        ),
        ("2027-02-20T10:30", "2027-06-01T00:00", "Leaves a gap of 2 days after k-1 ends."),
        ("2026-12-01T00:00", "2027-01-01T00:00", "Ends before k-1 does, so it is no successor."),
    ] {
        let fields = [("act", "check"), ("preset", "dates"), ("from", from), ("until", until)];
        let page = it.send(&fields).await.expect(200);
        assert!(page.plain().contains(told), "{from}: {}", page.plain());
        assert_eq!(page.field("from"), from);
    }
    let page = it.send(&[("act", "check"), ("make", "own"), ("key", LONG)]).await.expect(200);
    assert!(!page.text().contains(LONG));
    assert_eq!(app.snapshot().await, before);
}

async fn a_form_that_is_not_one_is_refused(app: &TestApp) {
    let it = Form::new(app).await;
    let before = app.snapshot().await;
    let json = br#"{"make":"generate","preset":"90"}"#.to_vec();
    it.admin.post_raw(&it.path, "application/json", json).await.expect(400);
    let form = "application/x-www-form-urlencoded";
    let twice = b"preset=90&preset=30&make=generate&submission=12345678901234567890".to_vec();
    it.admin.post_raw(&it.path, form, twice).await.expect(400);
    it.admin.post_raw(&it.path, form, vec![b'a'; 70_000]).await.expect(413);
    let broken = it.admin.post_raw(&it.path, form, b"note=%ff%fe&preset=90".to_vec()).await;
    assert!((400..500).contains(&broken.status), "{broken:?}");
    it.admin.post(&it.path, &[]).await.expect(422);
    assert_eq!(app.snapshot().await, before);
}

async fn what_was_done_is_said_to_be_done_when_its_group_is_gone(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let (act, token) = (desk.act(), random_token());
    let create = async |token: &str| {
        let (source, note) = (Source::Generate, String::new());
        let new = NewKey { source, period: desk.days(30), note };
        key_instances::create(&act, group, new, &token.to_owned()).await.map(|it| it.instance.id)
    };
    let made = create(&token).await.unwrap();
    let version = key_groups::find(&act, group).await.unwrap().version;
    key_groups::delete(&act, group, version).await.unwrap();
    match create(&token).await {
        Err(Error::AlreadyDone { location }) => assert!(location.contains(&made.to_string())),
        other => panic!("{other:?}"),
    }
    assert!(matches!(create(&random_token()).await, Err(Error::NotFound)));
}
