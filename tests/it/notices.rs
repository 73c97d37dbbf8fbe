//! When people are told that a key ends: once for each threshold, late rather than never, and not
//! where another key has taken over. The clock stands still until a test moves it.
use chrono::TimeDelta;
use keyward::{
    domain::{ActivePeriod, Role},
    key_groups,
    key_instances::{self, Issued},
    notices::{self, KeyNotice, Notice, Noticer},
};
use uuid::Uuid;

use crate::support::{Desk, TestApp, ids, on_both, path_of};

on_both! {
    a_key_is_told_of_14_7_and_1_days_before_and_at_its_end_once_each,
    a_short_key_is_told_of_when_its_warning_starts,
    three_days_of_downtime_make_a_notice_late_and_lose_none,
    a_key_whose_successor_is_active_ends_in_silence,
    a_successor_that_is_taken_away_makes_what_was_left_unsaid_be_said,
    a_changed_end_is_told_of_again,
    keys_that_were_taken_out_of_use_are_not_told_of,
    a_suspended_subscription_is_told_when_it_is_open_again,
    what_ended_long_ago_is_no_news,
    members_see_notices_and_a_badge_until_they_have_seen_them,
    a_deleted_group_takes_its_notices_along,
    what_was_done_about_an_end_settles_its_notice,
}

/// One node, and one group `quote-engine`.
struct Told<'a> {
    app: &'a TestApp,
    desk: Desk<'a>,
    noticer: Noticer,
}

impl<'a> Told<'a> {
    async fn new(app: &'a TestApp) -> Self {
        Self { app, desk: app.desk("acme").await, noticer: Noticer::default() }
    }

    /// Moves the clock, lets one round pass, and gives all that was said so far, the oldest first.
    async fn after(&mut self, by: TimeDelta) -> Vec<String> {
        self.app.clock.advance(by);
        self.round().await
    }

    async fn round(&mut self) -> Vec<String> {
        assert!(self.noticer.round(&self.app.app).await.unwrap(), "another node notices");
        let mut rows = said(&self.desk, 100).await;
        rows.reverse();
        rows.iter().map(|it| format!("k-{} {}", it.label, it.threshold)).collect()
    }

    fn period(&self, from: TimeDelta, until: TimeDelta) -> ActivePeriod {
        let now = self.app.clock.now();
        ActivePeriod::new(now + from, Some(now + until)).unwrap()
    }

    async fn key(&self, days: i64) -> Issued {
        self.desk.group("quote-engine", self.desk.days(days)).await
    }

    async fn key_in(&self, group: Uuid) -> Issued {
        self.desk.key(group, self.desk.days(90)).await
    }
}

/// What was said of keys, the newest first.
async fn said(desk: &Desk<'_>, most: u64) -> Vec<KeyNotice> {
    let (rows, _) = notices::list(&desk.act(), Role::Admin, None, most).await.unwrap();
    let key = |it| if let Notice::Key(it) = it { Some(it) } else { None };
    rows.into_iter().filter_map(key).collect()
}

fn days(n: i64) -> TimeDelta {
    TimeDelta::days(n)
}

async fn a_key_is_told_of_14_7_and_1_days_before_and_at_its_end_once_each(app: &TestApp) {
    let mut told = Told::new(app).await;
    told.key(90).await;
    assert!(told.round().await.is_empty());
    let second = TimeDelta::seconds(1);
    assert!(told.after(days(76) - second).await.is_empty());
    assert_eq!(told.after(second).await, ["k-1 14d"]);
    assert_eq!(told.round().await, ["k-1 14d"]);
    assert_eq!(told.after(days(6)).await, ["k-1 14d"]);
    assert_eq!(told.after(days(1)).await, ["k-1 14d", "k-1 7d"]);
    assert_eq!(told.after(days(6)).await, ["k-1 14d", "k-1 7d", "k-1 1d"]);
    let all = ["k-1 14d", "k-1 7d", "k-1 1d", "k-1 end"];
    assert_eq!(told.after(days(1)).await, all);
    assert_eq!(told.after(days(400)).await, all);
}

async fn a_short_key_is_told_of_when_its_warning_starts(app: &TestApp) {
    let mut told = Told::new(app).await;
    told.key(3).await;
    assert!(told.round().await.is_empty());
    assert_eq!(told.after(days(1)).await, ["k-1 warning"]);
    assert_eq!(told.after(days(1)).await, ["k-1 warning", "k-1 1d"]);
    assert_eq!(told.after(days(1)).await, ["k-1 warning", "k-1 1d", "k-1 end"]);
}

async fn three_days_of_downtime_make_a_notice_late_and_lose_none(app: &TestApp) {
    let mut told = Told::new(app).await;
    let first = told.key(90).await.instance;
    let other = told.desk.group("billing", told.desk.days(84)).await.instance;
    let short = told.desk.group("reports", told.desk.days(78)).await.instance;
    assert_eq!(told.after(days(75)).await.len(), 2);
    // From 15 days before the end of the first key to 12: its first threshold passes unseen, the
    // second one of another; and of a third two, the day before its end and the end.
    told.app.clock.advance(days(3));
    let mut restarted = Told { noticer: Noticer::default(), ..told };
    restarted.app.clock.advance(TimeDelta::minutes(1)); // past the lease of the node before
    restarted.round().await;
    let rows = said(&restarted.desk, 100).await;
    let of = |id| {
        let own = rows.iter().filter(move |it| it.key_instance_id == id);
        own.map(|it| it.threshold.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of(first.id), ["14d"]);
    assert_eq!(of(other.id), ["7d", "14d"]);
    assert_eq!(of(short.id), ["end", "7d"], "what is overtaken is not said on top");
    let late = rows.iter().find(|it| it.key_instance_id == first.id).unwrap();
    assert_eq!(late.at, restarted.app.clock.now().timestamp_millis());
}

async fn a_key_whose_successor_is_active_ends_in_silence(app: &TestApp) {
    let mut told = Told::new(app).await;
    let first = told.key(90).await.instance;
    let period = told.period(days(80), days(300));
    told.desk.key(first.key_group_id, period).await;
    // 14 days before, the successor is there but not active: both are told.
    assert_eq!(told.after(days(76)).await, ["k-1 14d"]);
    let rows = said(&told.desk, 1).await;
    let successor = rows[0].successor().unwrap();
    assert_eq!((successor.0.as_str(), successor.1), ("k-2", period.from()));
    for _ in 0..4 {
        assert_eq!(told.after(days(5)).await, ["k-1 14d"]);
    }
    // Nor later, when the successor itself nears its end.
    let all = told.after(days(300 - 96 - 14)).await;
    assert_eq!(all, ["k-1 14d", "k-2 14d"]);
}

async fn a_successor_that_is_taken_away_makes_what_was_left_unsaid_be_said(app: &TestApp) {
    let mut told = Told::new(app).await;
    let first = told.key(90).await.instance;
    let next = told.desk.key(first.key_group_id, told.desk.days(300)).await;
    assert!(told.after(days(80)).await.is_empty(), "10 days before, and covered");
    key_instances::deactivate(&told.desk.act(), ids(&next)).await.unwrap();
    assert_eq!(told.round().await, ["k-1 14d"], "late, because it was covered");
}

async fn a_changed_end_is_told_of_again(app: &TestApp) {
    let mut told = Told::new(app).await;
    let key = told.key(90).await;
    assert_eq!(told.after(days(83)).await, ["k-1 7d"]);
    let from = key.instance.facts().period.from();
    let longer = ActivePeriod::new(from, Some(app.clock.now() + days(60))).unwrap();
    key_instances::change_period(&told.desk.act(), ids(&key), longer).await.unwrap();
    assert_eq!(told.round().await, ["k-1 7d"]);
    assert_eq!(told.after(days(46)).await, ["k-1 7d", "k-1 14d"]);
    assert_eq!(told.after(days(7)).await, ["k-1 7d", "k-1 14d", "k-1 7d"]);
    // An earlier end is told of at once, if its threshold has come.
    let shorter = ActivePeriod::new(from, Some(app.clock.now() + TimeDelta::hours(5))).unwrap();
    key_instances::change_period(&told.desk.act(), ids(&key), shorter).await.unwrap();
    // A minute later, as what is said at one instant has no order.
    let minute = TimeDelta::minutes(1);
    assert_eq!(told.after(minute).await, ["k-1 7d", "k-1 14d", "k-1 7d", "k-1 1d"]);
}

async fn keys_that_were_taken_out_of_use_are_not_told_of(app: &TestApp) {
    let mut told = Told::new(app).await;
    let off = told.key(90).await;
    let revoked = told.desk.group("billing", told.desk.days(90)).await;
    key_instances::deactivate(&told.desk.act(), ids(&off)).await.unwrap();
    key_instances::revoke(&told.desk.act(), ids(&revoked)).await.unwrap();
    assert!(told.after(days(89)).await.is_empty());
    assert!(told.after(days(2)).await.is_empty());
    // Back in use, its new end counts.
    let again = told.desk.days(10);
    key_instances::reactivate(&told.desk.act(), ids(&off), again).await.unwrap();
    assert_eq!(told.after(days(9)).await, ["k-1 1d"]);
}

async fn a_suspended_subscription_is_told_when_it_is_open_again(app: &TestApp) {
    let mut told = Told::new(app).await;
    told.key(90).await;
    app.suspend("acme", true).await;
    assert!(told.after(days(84)).await.is_empty());
    app.suspend("acme", false).await;
    assert_eq!(told.after(TimeDelta::hours(1)).await, ["k-1 7d"]);
}

async fn what_ended_long_ago_is_no_news(app: &TestApp) {
    let mut told = Told::new(app).await;
    told.key(10).await;
    told.desk.group("billing", told.desk.days(12)).await;
    // 31 days after the end of one, 29 after that of the other.
    assert_eq!(told.after(days(41)).await, ["k-1 end"]);
    let rows = said(&told.desk, 10).await;
    assert_eq!(rows[0].group_name, "billing");
}

async fn members_see_notices_and_a_badge_until_they_have_seen_them(app: &TestApp) {
    let mut told = Told::new(app).await;
    let key = told.key(90).await.instance;
    app.auditor("acme").await;
    let member = app.member("acme").await;
    let empty = member.get("/s/acme/notices").await.expect(200);
    assert!(empty.text().contains("Nothing was told yet"), "{}", empty.text());
    told.after(days(83)).await;
    let member = app.member("acme").await; // the session before is long over
    let overview = member.get("/s/acme").await.expect(200);
    assert!(overview.text().contains("title=\"not seen yet\">1<"), "{}", overview.text());
    let page = member.get("/s/acme/notices").await.expect(200);
    let text = page.text();
    assert!(text.contains("quote-engine k-1") && text.contains("7 days before"), "{text}");
    assert!(text.contains(&path_of("acme", &key)) && text.contains("New</span>"), "{text}");
    member.post("/s/acme/notices", &[]).await.expect(303);
    let page = member.get("/s/acme/notices").await.expect(200);
    let text = page.text();
    assert!(!text.contains("not seen yet") && !text.contains("New</span>"), "{text}");
    // Everybody for himself, and who joins later has missed nothing; of another subscription nobody sees anything.
    let auditor = app.auditor("acme").await;
    assert!(auditor.get("/s/acme").await.expect(200).text().contains("not seen yet"));
    let late = {
        told.desk.newcomer("late@acme.example", Role::Member).await;
        app.signed_in("late@acme.example").await
    };
    assert!(!late.get("/s/acme").await.expect(200).text().contains("not seen yet"));
    let stranger = app.member("globex").await;
    stranger.get("/s/acme/notices").await.expect(404);
    let own = stranger.get("/s/globex/notices").await.expect(200);
    assert!(!own.text().contains("quote-engine"));
}

async fn a_deleted_group_takes_its_notices_along(app: &TestApp) {
    let mut told = Told::new(app).await;
    let group = told.key(90).await.instance.key_group_id;
    assert_eq!(told.after(days(83)).await.len(), 1);
    let it = key_groups::find(&told.desk.act(), group).await.unwrap();
    key_groups::delete(&told.desk.act(), group, it.version).await.unwrap();
    assert!(told.round().await.is_empty());
    assert!(told.after(days(20)).await.is_empty());
}

async fn what_was_done_about_an_end_settles_its_notice(app: &TestApp) {
    let mut told = Told::new(app).await;
    let first = told.key(90).await;
    let group = first.instance.key_group_id;
    let [extended, revoked] = [told.key_in(group).await, told.key_in(group).await];
    told.after(days(83)).await;
    let act = told.desk.act();
    let page = async || {
        let admin = app.signed_in("admin@acme.example").await;
        admin.get("/s/acme/notices").await.expect(200).plain()
    };
    let text = page().await;
    assert!(text.contains("k-1 ends in 7 days") && !text.contains("Settled"), "{text}");
    key_instances::revoke(&act, ids(&revoked)).await.unwrap();
    let later = told.period(days(-83), days(20));
    key_instances::change_period(&act, ids(&extended), later).await.unwrap();
    let text = page().await;
    for settled in [
        "k-3 was to end in 7 days 7 days before New Settled. It was revoked.",
        "k-2 was to end in 7 days 7 days before New Settled. It ends Wed 3 Mar 2027 10:30 UTC now.",
        "k-1 was to end in 7 days 7 days before New Settled. Others cover quote-engine to 3 Mar.",
    ] {
        assert!(text.contains(settled), "{settled} is not in {text}");
    }
    // Also when the time has come that was said.
    told.after(days(8)).await;
    let text = page().await;
    let settled = "k-2 was to end 24 hours ago 7 days before New Settled. It ends Wed 3 Mar 2027 10:30 UTC now.";
    assert!(text.contains(settled), "{text}");
    let settled = "k-3 was to end 24 hours ago 7 days before New Settled. It was revoked.";
    assert!(text.contains(settled), "{text}");
    // And not where the other one is gone again.
    key_instances::revoke(&told.desk.act(), ids(&extended)).await.unwrap();
    let text = page().await;
    assert!(text.contains("k-1 ended 24 hours ago") && text.contains("No other key"), "{text}");
}
