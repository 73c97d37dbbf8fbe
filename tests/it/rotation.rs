//! How far a rotation has come, told from real calls while time goes on; and the review of what nobody
//! uses.
use chrono::TimeDelta;
use keyward::{domain::ActivePeriod, key_instances, key_instances::Issued};
use serde_json::json;

use crate::support::{Desk, PASSWORD, Person, TestApp, ids, on_both, path_of};

on_both! {
    a_rotation_shows_who_calls_with_which_key_until_the_old_one_is_safe_to_revoke,
    a_job_that_runs_once_a_week_is_not_cut_off,
    a_successor_that_nobody_uses_is_a_reason_to_wait,
    a_rotation_goes_to_a_newer_key_and_says_when_it_is_not_active_yet,
    a_key_without_a_successor_or_without_a_life_has_no_rotation,
    unused_keys_that_still_work_are_listed_the_longest_idle_first,
    an_overlap_begins_with_a_key_that_starts_later,
}

struct Rotation<'a> {
    app: &'a TestApp,
    desk: Desk<'a>,
    admin: Person<'a>,
    old: Issued,
    new: Issued,
}

impl<'a> Rotation<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let desk = app.desk("acme").await;
        let old = desk.group("quote-engine", desk.days(300)).await;
        let new = desk.key(old.instance.key_group_id, desk.days(400)).await;
        let admin = app.signed_in("admin@acme.example").await;
        Self { app, desk, admin, old, new }
    }

    async fn call(&self, key: &Issued, times: usize) {
        for _ in 0..times {
            self.app.service().bearer(key.secret.expose()).await.expect(204);
        }
        self.app.recorder.flush(&self.app.db, self.app.clock.now()).await.unwrap();
    }

    async fn later(&self, by: TimeDelta) {
        self.app.clock.advance(by);
        self.admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
    }

    async fn page(&self) -> String {
        let page = self.admin.get(&path_of("acme", &self.old.instance)).await.expect(200);
        page.plain()
    }

    async fn dialog(&self, act: &str) -> String {
        let path = format!("{}/{act}", path_of("acme", &self.old.instance));
        let page = self.admin.get(&path).await.expect(200).plain();
        // Behind its title, which the page's title says before.
        page.rsplit_once("k-1? ").unwrap().1.to_owned()
    }
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

async fn a_rotation_shows_who_calls_with_which_key_until_the_old_one_is_safe_to_revoke(
    app: &TestApp,
) {
    let it = Rotation::new(app).await;
    has(
        &it.page().await,
        &["Rotation to k-2", "Neither k-1 nor k-2 was called", "k-1 was never used."],
    );
    it.call(&it.old, 3).await;
    it.later(TimeDelta::hours(3)).await;
    it.call(&it.new, 1).await;
    let page = it.page().await;
    has(
        &page,
        &[
            "k-1 takes 75% of the calls with these two k-2 takes 25%",
            "Calls since 12:00",
            "k-1 the old one 3 0 3 hours ago",
            "k-2 its successor 1 1 now",
            "Not yet safe to revoke. The last call was 3 hours ago. After 24 hours of silence it is safe, \
         from Sat 21 Nov 2026 10:30 UTC on.",
        ],
    );
    has(
        &it.dialog("revocation").await,
        &[
            "3 calls in the last 24 hours , the last one 3 hours ago",
            "Its successor k-2 is active and takes 25% of their calls",
            "Not yet safe to revoke.",
        ],
    );
    has(&it.dialog("deactivation").await, &["Not yet safe to deactivate."]);
    it.later(TimeDelta::hours(21)).await;
    it.call(&it.new, 2).await;
    has(
        &it.page().await,
        &[
            "Safe to revoke. The last call was 24 hours ago. All its calls came on one day, so 24 hours of \
         silence are enough.",
            "k-1 takes 0% of the calls with these two k-2 takes 100%",
        ],
    );
    has(&it.dialog("revocation").await, &["No calls in the last 24 hours", "Safe to revoke."]);
    // A call with it takes that back at once.
    it.call(&it.old, 1).await;
    let page = it.page().await;
    has(
        &page,
        &[
            "Not yet safe to revoke. The last call was now. In the 30 days up to then it was called at least \
         every day. After 2 days of silence it is safe, from Mon 23 Nov 2026 10:30 UTC on.",
            "k-1 takes 25% of the calls with these two k-2 takes 75%",
        ],
    );
}

async fn a_job_that_runs_once_a_week_is_not_cut_off(app: &TestApp) {
    let it = Rotation::new(app).await;
    for _ in 0..4 {
        it.call(&it.old, 1).await;
        it.later(TimeDelta::days(7)).await;
        it.call(&it.new, 1).await;
    }
    // A week ago. A day of silence would have been no reason.
    has(
        &it.page().await,
        &[
            "Not yet safe to revoke. The last call was 7 days ago. In the 30 days up to then it was called \
         at least every 7 days. After 14 days of silence it is safe, from Fri 25 Dec 2026 10:30 UTC on.",
        ],
    );
    it.later(TimeDelta::days(7)).await;
    has(
        &it.page().await,
        &[
            "Safe to revoke. The last call was 14 days ago. In the 30 days up to then it was called at \
         least every 7 days, so 14 days of silence are enough.",
        ],
    );
}

async fn a_successor_that_nobody_uses_is_a_reason_to_wait(app: &TestApp) {
    let it = Rotation::new(app).await;
    it.call(&it.old, 1).await;
    it.later(TimeDelta::days(60)).await;
    let told =
        "Not yet safe to revoke. Its successor k-2 was never used: are its callers switched?";
    has(&it.page().await, &[told]);
    has(&it.dialog("revocation").await, &[told, "k-2 stays active"]);
    // One that waits says when it starts.
    let (now, act) = (app.clock.now(), it.desk.act());
    let waits = ActivePeriod::new(now + TimeDelta::days(5), Some(now + TimeDelta::days(500)));
    key_instances::change_period(&act, ids(&it.new), waits.unwrap()).await.unwrap();
    has(&it.page().await, &["Its successor k-2 is not active before Sun 24 Jan 2027 10:30 UTC."]);
}

async fn a_key_without_a_successor_or_without_a_life_has_no_rotation(app: &TestApp) {
    let it = Rotation::new(app).await;
    let last = it.admin.get(&path_of("acme", &it.new.instance)).await.expect(200);
    assert!(!last.plain().contains("Rotation to"), "{}", last.plain());
    key_instances::deactivate(&it.desk.act(), ids(&it.old)).await.unwrap();
    assert!(!it.page().await.contains("Rotation to"));
    has(&it.dialog("revocation").await, &["Its successor k-2 is active"]);
}

async fn unused_keys_that_still_work_are_listed_the_longest_idle_first(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(900)).await; // k-1
    let id = group.instance.key_group_id;
    let mut keys = vec![group];
    for _ in 2..=5 {
        keys.push(desk.key(id, desk.days(900)).await);
    }
    desk.key(id, desk.days(20)).await; // k-6 expires
    key_instances::revoke(&desk.act(), ids(&keys[3])).await.unwrap(); // k-4
    key_instances::deactivate(&desk.act(), ids(&keys[4])).await.unwrap(); // k-5
    let call = async |key: &Issued| {
        app.service().bearer(key.secret.expose()).await.expect(204);
        app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    };
    app.clock.advance(TimeDelta::days(10));
    call(&keys[0]).await;
    app.clock.advance(TimeDelta::days(70));
    call(&keys[1]).await;
    app.clock.advance(TimeDelta::days(31));
    let viewer = app.member("acme").await;
    let list =
        async |query: &str| viewer.get(&format!("/s/acme/keys/unused{query}")).await.expect(200);
    // k-3 was never used and is 111 days old, k-1 idle for 101 days, k-2 for 31.
    let page = list("").await;
    assert_eq!(page.names(), ["k-3", "k-1", "k-2"]);
    has(&page.plain(), &["Never made 111 days ago", "101 days ago", "31 days ago"]);
    assert_eq!(list("?used=not90d").await.names(), ["k-3", "k-1"]);
    assert_eq!(list("?used=never").await.names(), ["k-3"]);
    let none = list("?used=not365d").await;
    has(&none.plain(), &["Every key that works is in use."]);
    viewer.get("/s/acme/keys/unused?used=7d").await.expect(400);
    let csv = viewer.get("/s/acme/keys.csv?status=live&used=not30d").await.expect(200).csv();
    assert_eq!(csv.len(), 4);
    assert!(viewer.get("/s/acme/keys").await.text().contains("href=\"/s/acme/keys/unused\""));
}

async fn a_rotation_goes_to_a_newer_key_and_says_when_it_is_not_active_yet(app: &TestApp) {
    let desk = app.desk("acme").await;
    let endless = ActivePeriod::new(app.clock.now(), None).unwrap();
    // Old, never ending, and called long ago: it takes over from nobody.
    let group = desk.group("quote-engine", endless).await.instance.key_group_id;
    let second = desk.key(group, desk.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    let page = path_of("acme", &second.instance);
    let text = admin.get(&page).await.expect(200).plain();
    assert!(!text.contains("Rotation to"), "{text}");
    // The next one starts in a week: the dialog must not call it active.
    let now = app.clock.now();
    let later = ActivePeriod::new(now + TimeDelta::days(7), None).unwrap();
    desk.key(group, later).await;
    has(&admin.get(&page).await.expect(200).plain(), &["Rotation to k-3"]);
    let dialog = admin.get(&format!("{page}/revocation")).await.expect(200).plain();
    has(&dialog, &["Its successor k-3 is not active before"]);
    assert!(!dialog.contains("k-3 is active"), "{dialog}");
}

/// Nothing is ever without a key, also where a program rotates ahead.
async fn an_overlap_begins_with_a_key_that_starts_later(app: &TestApp) {
    let desk = app.desk("acme").await;
    let old = desk.group("quote-engine", desk.days(90)).await;
    let program = app.program(&["keys:write", "keys:read"]).await;
    let start = app.clock.now() + TimeDelta::days(5);
    let path = format!("/key-groups/{}/rotation", old.instance.key_group_id);
    let new = json!({ "overlap": "1h", "new": { "from": start } });
    let new = program.post(&path, new).await.expect(201).json();
    let secret = new["secret"].as_str().unwrap();
    let verdicts = async || {
        let of = async |secret: &str| app.service().bearer(secret).await.status;
        (of(old.secret.expose()).await, of(secret).await)
    };
    assert_eq!(verdicts().await, (204, 401));
    app.clock.advance(TimeDelta::days(5));
    assert_eq!(verdicts().await, (204, 204));
    app.clock.advance(TimeDelta::hours(1));
    assert_eq!(verdicts().await, (401, 204));
}
