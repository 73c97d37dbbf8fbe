//! What the overview tells to do, in which order, with which button and to whom; and what it draws.
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use keyward::{
    domain::{ActivePeriod, coverage},
    key_instances::{self, Issued, outlook},
    subscriptions::Act,
};

use crate::support::{Answer, Desk, TestApp, ids, on_both, on_sqlite};

on_both! {
    matters_come_in_the_stated_order_each_with_one_button,
    callers_that_moved_are_no_matter,
    ends_per_week_agree_with_the_rule_of_successors,
    of_many_groups_those_with_an_event_are_drawn,
    the_list_of_subscriptions_has_counts_and_the_next_end,
}

on_sqlite! {
    whoever_may_not_act_sees_what_matters_without_buttons,
    of_many_matters_the_less_urgent_ones_are_folded,
    the_button_proposes_the_start_that_helps,
    the_calm_sentence_says_for_how_long,
    a_lane_says_all_that_it_shows,
}

async fn saved(desk: &Desk<'_>, key: &Issued) {
    key_instances::acknowledge(&desk.act(), ids(key), "clipboard").await.unwrap();
}

/// A group and its first key, which is saved.
async fn group(desk: &Desk<'_>, name: &str, period: ActivePeriod) -> Issued {
    let key = desk.group(name, period).await;
    saved(desk, &key).await;
    key
}

async fn key(desk: &Desk<'_>, of: &Issued, period: ActivePeriod) -> Issued {
    let key = desk.key(of.instance.key_group_id, period).await;
    saved(desk, &key).await;
    key
}

fn between(app: &TestApp, from: i64, until: i64) -> ActivePeriod {
    let at = |days| app.clock.now() + TimeDelta::days(days);
    ActivePeriod::new(at(from), Some(at(until))).unwrap()
}

/// Text and button of each line of "Needs attention".
fn todos(page: &Answer) -> Vec<(String, Option<(String, String)>)> {
    let Some((_, list)) = page.text().split_once("<ul class=\"todo\">") else { return Vec::new() };
    let list = list.split("</ul>").next().unwrap();
    let line = |it: &str| {
        let what = it.split("<p class=\"t\">").nth(1).unwrap().split("</p>").next().unwrap();
        let what: String =
            what.split('<').map(|it| it.split_once('>').map_or(it, |it| it.1)).collect();
        let button = it.split_once("<a class=\"btn sm\" href=\"").map(|(_, it)| {
            let (path, rest) = it.split_once("\">").unwrap();
            (rest.split('<').next().unwrap().to_owned(), path.replace("&#38;", "&"))
        });
        (what, button)
    };
    list.split("<li>").skip(1).map(line).collect()
}

/// One group for each kind of matter, and 2 days later. Gives the paths of their buttons.
async fn all_kinds(app: &TestApp, desk: &Desk<'_>) -> BTreeMap<&'static str, String> {
    group(desk, "idle", desk.days(400)).await;
    app.clock.advance(TimeDelta::days(100));
    let waiting = group(desk, "waiting", desk.days(1)).await;
    let waits = key(desk, &waiting, between(app, 5, 60)).await;
    let lagging = group(desk, "lagging", desk.days(3)).await;
    key(desk, &lagging, desk.days(300)).await;
    let gap = group(desk, "gap", desk.days(9)).await;
    let after_gap = key(desk, &gap, between(app, 12, 60)).await;
    let runs_out = group(desk, "runs-out", desk.days(4)).await;
    let refusing = group(desk, "refusing", desk.days(1)).await;
    let unsaved = desk.group("unsaved", desk.days(300)).await;
    app.clock.advance(TimeDelta::days(2));
    app.service().bearer(refusing.secret.expose()).await.expect(401);
    app.service().bearer(lagging.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let path = |it: &Issued| crate::support::path_of("acme", &it.instance);
    let refusing = refusing.instance.key_group_id;
    [
        ("Issue key", format!("/s/acme/groups/{refusing}/keys/new")),
        ("Rotate", format!("{}/rotation", path(&runs_out))),
        ("Close gap", format!("{}/period?from=2027-03-09T10%3A30", path(&after_gap))),
        ("Extend", format!("{}/period", path(&lagging))),
        ("Start now", format!("{}/period?from=2027-03-02T10%3A30", path(&waits))),
        ("Replace", format!("{}/replacement", path(&unsaved))),
    ]
    .into()
}

async fn matters_come_in_the_stated_order_each_with_one_button(app: &TestApp) {
    let desk = app.desk("acme").await;
    let buttons = all_kinds(app, &desk).await;
    let page = app.signed_in("admin@acme.example").await.get("/s/acme").await.expect(200);
    let told = todos(&page);
    let expected = [
        ("refusing has no active key since 1 Mar", "Issue key"),
        ("runs-out runs out in 2 days", "Rotate"),
        ("gap has a gap of 3 days ahead", "Close gap"),
        ("lagging still calls with k-1, which ends in 24 hours", "Extend"),
        ("waiting has no active key until 5 Mar", "Start now"),
        ("unsaved has a key that was never confirmed as saved: k-1", "Replace"),
    ];
    let expected: Vec<_> = expected
        .map(|(what, label)| (what.to_owned(), Some((label.to_owned(), buttons[label].clone()))))
        .into();
    assert_eq!(told, expected);
    let text = page.plain();
    for part in [
        "4 key groups need attention, and 2 other things to look at.",
        "k-1 takes 100 % of the calls of the last 24 hours, last now, and expires Wed 3 Mar 2027",
        "Its successor k-2 is active: move the callers.",
        "No key since 1 Mar. k-2 starts Fri 5 Mar 2027 10:30 UTC.",
        "1 active key has not been used for 90 days",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let idle = "<a href=\"/s/acme/keys?status=active&#38;used=not90d\">";
    assert!(page.text().contains(idle), "{}", page.text());
    let admin = app.signed_in("admin@acme.example").await;
    let list = admin.get("/s/acme/keys?status=active&used=not90d").await.expect(200);
    assert_eq!(list.names(), ["k-1"]);
}

async fn whoever_may_not_act_sees_what_matters_without_buttons(app: &TestApp) {
    let desk = app.desk("acme").await;
    all_kinds(app, &desk).await;
    for person in [app.member("acme").await, app.auditor("acme").await] {
        let page = person.get("/s/acme").await.expect(200);
        let told = todos(&page);
        assert_eq!(told.len(), 6);
        assert!(told.iter().all(|it| it.1.is_none()), "{told:?}");
        assert!(!page.text().contains("/keys/new"));
    }
}

async fn of_many_matters_the_less_urgent_ones_are_folded(app: &TestApp) {
    let desk = app.desk("acme").await;
    let admin = app.signed_in("admin@acme.example").await;
    for n in 1..=7 {
        group(&desk, &format!("group-{n}"), desk.days(1)).await;
    }
    let page = admin.get("/s/acme").await.expect(200);
    assert_eq!(todos(&page).len(), 7, "one alone is not hidden");
    assert!(!page.text().contains("<details class=\"advice folded\">"));
    group(&desk, "group-8", desk.days(1)).await;
    let page = admin.get("/s/acme").await.expect(200);
    assert_eq!(todos(&page).len(), 6);
    let (_, folded) = page.text().split_once("<details class=\"advice folded\">").unwrap();
    let (folded, _) = folded.split_once("</details>").unwrap();
    assert!(folded.contains("<span>2 more</span>"), "{folded}");
    assert_eq!(folded.matches("</a> runs out in 24 hours</p>").count(), 2, "{folded}");
    assert!(page.plain().contains("8 key groups need attention."), "{}", page.plain());
    // What will fail is never among them.
    let gap = group(&desk, "gap", desk.days(1)).await;
    key(&desk, &gap, between(app, 2, 60)).await;
    let told = todos(&admin.get("/s/acme").await.expect(200));
    assert_eq!(told.len(), 7);
    assert!(told[6].0.starts_with("gap has a gap of 24 hours"), "{told:?}");
}

async fn callers_that_moved_are_no_matter(app: &TestApp) {
    let desk = app.desk("acme").await;
    let old = group(&desk, "shop", desk.days(3)).await;
    let new = key(&desk, &old, desk.days(300)).await;
    let told = async |accepted: [usize; 2]| {
        for (key, n) in [&old, &new].into_iter().zip(accepted) {
            for _ in 0..n {
                app.service().bearer(key.secret.expose()).await.expect(204);
            }
        }
        app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
        let admin = app.signed_in("admin@acme.example").await;
        todos(&admin.get("/s/acme").await.expect(200)).len()
    };
    // Three days before the end there is time.
    assert_eq!(told([1, 0]).await, 0);
    app.clock.advance(TimeDelta::hours(47));
    assert_eq!(told([1, 9]).await, 0, "a tenth of them");
    assert_eq!(told([1, 0]).await, 1, "more than a tenth");
    key_instances::deactivate(&desk.act(), ids(&old)).await.unwrap();
    assert_eq!(told([0, 0]).await, 0);
}

async fn the_button_proposes_the_start_that_helps(app: &TestApp) {
    let desk = app.desk("acme").await;
    let buttons = all_kinds(app, &desk).await;
    let admin = app.signed_in("admin@acme.example").await;
    for label in ["Close gap", "Start now"] {
        let form = admin.get(&buttons[label]).await.expect(200);
        let [preset, from, until] = ["preset", "from", "until"].map(|it| form.field(it));
        assert!(buttons[label].replace("%3A", ":").ends_with(&format!("from={from}")), "{from}");
        let fields = [("preset", &*preset), ("from", &*from), ("until", &*until), ("act", "save")];
        let path = buttons[label].split('?').next().unwrap();
        admin.post(path, &fields).await.expect(303);
    }
    let told = todos(&admin.get("/s/acme").await.expect(200));
    let told: Vec<&str> = told.iter().map(|it| it.0.split(' ').next().unwrap()).collect();
    assert_eq!(told, ["refusing", "runs-out", "lagging", "unsaved"]);
    // Whatever a link proposes, the form says what is wrong with it.
    let path = buttons["Start now"].split('?').next().unwrap();
    admin.get(&format!("{path}?from=%3Cscript%3E")).await.expect(200);
}

async fn the_calm_sentence_says_for_how_long(app: &TestApp) {
    let desk = app.desk("acme").await;
    let says = async |sentence: &str| {
        let admin = app.signed_in("admin@acme.example").await;
        let page = admin.get("/s/acme").await.expect(200).plain();
        assert!(page.contains(sentence), "{sentence} is missing: {page}");
    };
    let endless = ActivePeriod::new(app.clock.now(), None).unwrap();
    group(&desk, "endless", endless).await;
    says("All groups are covered. No key that carries them has an end.").await;
    group(&desk, "ends", desk.days(60)).await;
    says("All groups are covered for the next 30 days. Next end: ends, 19 Jan 2027.").await;
    app.clock.advance(TimeDelta::days(42));
    says("All groups are covered for the next 18 days. Next end: ends, 19 Jan.").await;
    let off = group(&desk, "off", desk.days(90)).await;
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    says("1 group has nothing active, and nothing calls it. All others are covered for").await;
}

/// The same numbers by the rule itself, over all keys.
fn expected(keys: &[Issued], act: &Act<'_>, today: DateTime<Utc>) -> BTreeMap<(i64, bool), i64> {
    let mut counts = BTreeMap::new();
    for key in keys.iter().map(|it| &it.instance) {
        let (facts, now) = (key.facts(), act.now);
        let Some(until) = facts.period.until().filter(|it| *it > now) else { continue };
        let week = (until - today).num_days() / 7;
        let group = keys.iter().filter(|it| it.instance.key_group_id == key.key_group_id);
        let group: Vec<_> = group.map(|it| it.instance.facts()).collect();
        let covered = coverage::successor(&facts, &group, |it| *it).is_some();
        if week < 12 {
            *counts.entry((week, covered)).or_default() += 1;
        }
    }
    counts
}

async fn ends_per_week_agree_with_the_rule_of_successors(app: &TestApp) {
    let desk = app.desk("acme").await;
    let mut keys = Vec::new();
    // Many lengths and starts, some of them beyond the weeks, some back to back.
    for n in 0..6_i64 {
        let first = desk.group(&format!("group-{n}"), desk.days(3 + 7 * n)).await;
        for m in 0..6_i64 {
            let from = (n * 5 + m * 11) % 40;
            let period = between(app, from, from + 1 + (n * 13 + m * 17) % 60);
            keys.push(desk.key(first.instance.key_group_id, period).await);
        }
        let back_to_back = between(app, 3 + 7 * n, 20 + 7 * n);
        keys.push(desk.key(first.instance.key_group_id, back_to_back).await);
        keys.push(first);
    }
    let off = keys.pop().unwrap();
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    let act = desk.act();
    let today = "2026-11-20T00:00:00Z".parse().unwrap();
    let found = outlook::weeks(&act, today).await.unwrap();
    let found: BTreeMap<_, _> = found.into_iter().map(|(week, is, n)| ((week, is), n)).collect();
    assert_eq!(found, expected(&keys, &act, today));
    assert!(found.keys().any(|it| it.1) && found.keys().any(|it| !it.1), "{found:?}");
    let page = app.signed_in("admin@acme.example").await.get("/s/acme").await.expect(200);
    let totals: Vec<String> = (0..12)
        .map(|week| [true, false].iter().filter_map(|it| found.get(&(week, *it))).sum::<i64>())
        .map(|it| it.to_string())
        .collect();
    let label = format!("Expiries in each of the next 12 weeks: {}.", totals.join(", "));
    assert!(page.text().contains(&label), "{label}");
}

/// The groups with a lane, from top to bottom.
fn lanes(page: &Answer) -> Vec<String> {
    let table = page.text().split_once("<table class=\"table lanes\"").map_or("", |it| it.1);
    let rows = table.split("</table>").next().unwrap().split("<a class=\"name\"").skip(1);
    rows.map(|it| it.split_once('>').unwrap().1.split('<').next().unwrap().to_owned()).collect()
}

async fn of_many_groups_those_with_an_event_are_drawn(app: &TestApp) {
    let desk = app.desk("acme").await;
    group(&desk, "ends", desk.days(60)).await;
    let starts = group(&desk, "starts", desk.days(400)).await;
    key(&desk, &starts, between(app, 10, 500)).await;
    group(&desk, "ended", desk.days(2)).await;
    for n in 0..9 {
        group(&desk, &format!("calm-{n}"), desk.days(300)).await;
    }
    app.clock.advance(TimeDelta::days(5));
    let admin = app.signed_in("admin@acme.example").await;
    let page = admin.get("/s/acme").await.expect(200);
    assert_eq!(lanes(&page).len(), 12, "all of a few");
    assert_eq!(lanes(&page)[0], "ends");
    assert!(!page.text().contains("All key groups by their coverage"));
    group(&desk, "calm-9", desk.days(300)).await;
    let page = admin.get("/s/acme").await.expect(200);
    assert_eq!(lanes(&page), ["ends", "starts", "ended"]);
    assert!(
        page.text().contains("<a href=\"/s/acme/groups\">All key groups by their coverage</a>")
    );
}

async fn a_lane_says_all_that_it_shows(app: &TestApp) {
    let desk = app.desk("acme").await;
    let old = group(&desk, "<b>shop", desk.days(20)).await;
    key(&desk, &old, between(app, 18, 300)).await;
    for _ in 0..3 {
        key(&desk, &old, desk.days(40)).await;
    }
    let admin = app.signed_in("admin@acme.example").await;
    let page = admin.get("/s/acme").await.expect(200);
    let told = "aria-label=\"&#60;b&#62;shop: Covered to 16 Sep 2027, overlap 2 days. k-1 works until \
                10 Dec; k-3 works until 30 Dec; k-2 works from 8 Dec to 16 Sep 2027.\"";
    assert!(page.text().contains(told), "{}", page.text());
    assert!(page.plain().contains("+2 more keys without a bar"), "{}", page.plain());
    assert!(page.text().contains("class=\"lane-over\" x=\"33.10%\""), "{}", page.text());
    let group = format!("/s/acme/groups/{}", old.instance.key_group_id);
    let page = admin.get(&group).await.expect(200);
    assert!(page.plain().contains("Covered to 16 Sep 2027, with an overlap of 2 days."));
    assert_eq!(page.text().matches("class=\"lane-active\" x=").count(), 4);
}

async fn the_list_of_subscriptions_has_counts_and_the_next_end(app: &TestApp) {
    let desk = app.desk("acme").await;
    group(&desk, "secret-name", desk.days(200)).await;
    group(&desk, "other-name", desk.days(4)).await;
    let off = group(&desk, "third-name", desk.days(90)).await;
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    app.clock.advance(TimeDelta::days(2));
    let owner = app.owner().await;
    let page = owner.get("/subscriptions").await.expect(200);
    let row =
        "ACME acme 1 needs attention 3 1 without successor 1 with nothing active 2 1 24 Nov none";
    assert!(page.plain().contains(row), "{}", page.plain());
    for name in ["secret-name", "other-name", "third-name", "k-1"] {
        assert!(!page.text().contains(name), "{name}");
    }
    let admin = app.signed_in("admin@acme.example").await;
    let page = admin.get("/subscriptions").await.expect(200).plain();
    assert!(page.contains("2 1 24 Nov Admin"), "{page}");
}
