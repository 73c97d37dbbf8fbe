//! What can be done with a key on its pages, and that each act says what it did, or why not.
use chrono::TimeDelta;
use keyward::{
    domain::ActivePeriod,
    key_instances::{self, Issued},
};

use crate::support::{Answer, Desk, PASSWORD, Person, TestApp, ids, on_both, path_of};

on_both! {
    an_active_period_is_edited,
    days_that_are_added_count_once_and_from_the_end,
    a_key_is_deactivated_with_an_undo_and_reactivated,
    an_expired_key_is_reactivated_with_a_new_period,
    a_key_is_revoked_for_good,
    a_key_in_use_must_be_named_before_it_ends,
    why_a_key_is_taken_out_of_use_is_in_the_audit_log,
    a_rotation_leaves_the_old_key_the_chosen_overlap,
    a_rotated_key_never_works_longer_than_before,
    what_a_status_does_not_allow_is_refused_with_a_reason,
    a_period_that_does_not_do_is_refused_with_its_values_kept,
    labels_are_never_used_again,
}

struct Keys<'a> {
    app: &'a TestApp,
    desk: Desk<'a>,
    admin: Person<'a>,
    first: Issued,
}

impl<'a> Keys<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let desk = app.desk("acme").await;
        let first = desk.group("quote-engine", desk.days(90)).await;
        let admin = app.signed_in("admin@acme.example").await;
        Self { app, desk, admin, first }
    }

    async fn another(&self, period: ActivePeriod) -> Issued {
        self.desk.key(self.first.instance.key_group_id, period).await
    }

    /// Days from now on.
    fn period(&self, from: i64, until: i64) -> ActivePeriod {
        let now = self.app.clock.now();
        let day = TimeDelta::days;
        ActivePeriod::new(now + day(from), Some(now + day(until))).unwrap()
    }

    async fn post(&self, key: &Issued, act: &str, fields: &[(&str, &str)]) -> Answer {
        let path = format!("{}/{act}", path_of("acme", &key.instance));
        self.admin.post(&path, fields).await
    }

    /// What is told on the page that a successful act leads to.
    async fn told(&self, key: &Issued, act: &str, fields: &[(&str, &str)]) -> String {
        let done = self.post(key, act, fields).await.expect(303);
        assert_eq!(Some(done.location()), path_of("acme", &key.instance).split("/keys/").next());
        self.admin.follow(&done).await.expect(200).flash()
    }

    async fn verdict(&self, key: &Issued) -> String {
        let answer = self.app.service().bearer(key.secret.expose()).await;
        answer.header("keyward-reason").unwrap_or("accepted").to_owned()
    }

    async fn until(&self, key: &Issued) -> String {
        let it = key_instances::find(&self.desk.act(), ids(key)).await.unwrap();
        it.facts().period.until().unwrap().to_rfc3339()
    }

    async fn advance(&self, by: TimeDelta) {
        self.app.clock.advance(by);
        self.admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
        // What time alone has changed is written when it is next read.
        self.admin.get("/s/acme").await.expect(200);
    }
}

const DATES: [(&str, &str); 3] =
    [("preset", "dates"), ("from", "2026-11-20T10:30"), ("until", "2026-12-24T18:00")];

async fn an_active_period_is_edited(app: &TestApp) {
    let it = Keys::new(app).await;
    let form = it.admin.get(&format!("{}/period", path_of("acme", &it.first.instance))).await;
    let shown = ["preset", "from", "until"].map(|name| form.field(name));
    assert_eq!(shown, ["dates", "2026-11-20T10:30", "2027-02-18T10:30"]);
    // Also to an earlier end.
    let told = it.told(&it.first, "period", &DATES).await;
    let expected = "k-1 is active from Fri 20 Nov 2026 10:30 UTC to Thu 24 Dec 2026 18:00 UTC.";
    assert_eq!(told, expected);
    assert_eq!(it.until(&it.first).await, "2026-12-24T18:00:00+00:00");
    assert_eq!(it.verdict(&it.first).await, "accepted");
    // A waiting key may start earlier, and a running one later.
    let future = it.another(it.period(10, 20)).await;
    it.told(&future, "period", &DATES).await;
    assert_eq!(it.verdict(&future).await, "accepted");
    let later = [DATES[0], ("from", "2026-12-01T00:00"), DATES[2]];
    it.told(&it.first, "period", &later).await;
    assert_eq!(it.verdict(&it.first).await, "not_yet_active");
    let endless = [("preset", "never"), ("from", "2026-11-20T10:30")];
    let told = it.told(&it.first, "period", &endless).await;
    assert_eq!(told, "k-1 is active from Fri 20 Nov 2026 10:30 UTC, without an end.");
}

async fn days_that_are_added_count_once_and_from_the_end(app: &TestApp) {
    let it = Keys::new(app).await;
    app.clock.advance(TimeDelta::days(80));
    it.admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
    let path = format!("{}/period", path_of("acme", &it.first.instance));
    let form = it.admin.get(&path).await.expect(200);
    assert!(form.plain().contains("+30 days"), "{}", form.plain());
    let base = form.field("base");
    let extend = async |base: &str| {
        let fields = [("preset", "30"), ("from", "2026-11-20T10:30"), ("base", base)];
        it.admin.post(&path, &fields).await
    };
    // Sent twice, as from a form that was shown once.
    for _ in 0..2 {
        let told = extend(&base).await.expect(303);
        let told = it.admin.follow(&told).await.flash();
        assert!(told.ends_with("to Sat 20 Mar 2027 10:30 UTC."), "{told}");
    }
    // Of a program, which names no base, they count from the start, and have passed.
    let refused = extend("").await.expect(409);
    assert!(refused.text().contains("The end must lie in the future"), "{}", refused.text());
}

async fn a_key_is_deactivated_with_an_undo_and_reactivated(app: &TestApp) {
    let it = Keys::new(app).await;
    let done = it.post(&it.first, "deactivation", &[]).await.expect(303);
    assert_eq!(it.verdict(&it.first).await, "deactivated");
    let page = it.admin.follow(&done).await.expect(200);
    let told = page.flash();
    assert!(told.starts_with("k-1 is deactivated."), "{told}");
    let path = path_of("acme", &it.first.instance);
    assert!(page.text().contains(&format!("action=\"{path}/reactivation\"")), "there is no undo");
    let undo = ["preset", "from", "until"].map(|name| page.field(name));
    assert_eq!(undo, ["dates", "2026-11-20T10:30", "2027-02-18T10:30"]);
    let fields = [("preset", &*undo[0]), ("from", &*undo[1]), ("until", &*undo[2])];
    let told = it.told(&it.first, "reactivation", &fields).await;
    assert!(told.starts_with("k-1 is reactivated from Fri 20 Nov 2026 10:30 UTC to "), "{told}");
    assert_eq!(it.verdict(&it.first).await, "accepted");
    assert_eq!(it.until(&it.first).await, "2027-02-18T10:30:00+00:00");
}

async fn an_expired_key_is_reactivated_with_a_new_period(app: &TestApp) {
    let it = Keys::new(app).await;
    it.advance(TimeDelta::days(100)).await;
    assert_eq!(it.verdict(&it.first).await, "expired");
    let form = it.admin.get(&format!("{}/reactivation", path_of("acme", &it.first.instance))).await;
    let shown = ["preset", "from", "until"].map(|name| form.field(name));
    assert_eq!(shown, ["90", "2027-02-28T10:30", "2027-05-29T10:30"]);
    let told = it.told(&it.first, "reactivation", &[("preset", "7")]).await;
    let expected = "k-1 is reactivated from Sun 28 Feb 2027 10:30 UTC to Sun 7 Mar 2027 10:30 UTC.";
    assert_eq!(told, expected);
    assert_eq!(it.verdict(&it.first).await, "accepted");
}

async fn a_key_is_revoked_for_good(app: &TestApp) {
    let it = Keys::new(app).await;
    it.advance(TimeDelta::minutes(1)).await;
    let told = it.told(&it.first, "revocation", &[]).await;
    assert!(told.starts_with("k-1 is revoked. It can never be used again."), "{told}");
    assert_eq!(it.verdict(&it.first).await, "revoked");
    assert_eq!(it.until(&it.first).await, "2026-11-20T10:31:00+00:00");
    let page = it.admin.get(&path_of("acme", &it.first.instance)).await.expect(200);
    assert!(page.plain().contains("k-1 Revoked"), "{}", page.plain());
    // One that waits, one that ended and one that is deactivated can be revoked as well.
    let (future, ended) = (it.another(it.period(10, 20)).await, it.another(it.period(-9, 1)).await);
    let off = it.another(it.period(0, 20)).await;
    it.told(&off, "deactivation", &[]).await;
    it.advance(TimeDelta::days(2)).await;
    for key in [&future, &ended, &off] {
        it.told(key, "revocation", &[]).await;
        assert_eq!(it.verdict(key).await, "revoked");
    }
}

async fn a_key_in_use_must_be_named_before_it_ends(app: &TestApp) {
    let it = Keys::new(app).await;
    // What was called a moment ago may not be written yet, and the dialog says so.
    let path = format!("{}/deactivation", path_of("acme", &it.first.instance));
    let facts = it.admin.get(&path).await.plain();
    assert!(facts.contains("Never used , as of 10 seconds ago"), "{facts}");
    for _ in 0..3 {
        assert_eq!(it.verdict(&it.first).await, "accepted");
    }
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    it.advance(TimeDelta::minutes(5)).await;
    let before = app.snapshot().await;
    for act in ["deactivation", "revocation"] {
        let form = it.admin.get(&format!("{}/{act}", path_of("acme", &it.first.instance))).await;
        let facts = form.plain();
        let calls = "3 calls in the last 24 hours , the last one 5 minutes ago from 127.0.0.1";
        assert!(facts.contains(calls), "{facts}");
        assert!(facts.contains("This is the last active one of its group."), "{facts}");
        for typed in ["", "k-2", "quote-engine"] {
            let page = it.post(&it.first, act, &[("confirm", typed)]).await.expect(422);
            assert_eq!(page.error_at("confirm"), "Type k-1 to confirm.");
        }
    }
    assert_eq!(app.snapshot().await, before);
    it.told(&it.first, "deactivation", &[("confirm", " k-1 ")]).await;
    // A day later nobody uses it any more.
    it.advance(TimeDelta::hours(24)).await;
    it.told(&it.first, "revocation", &[]).await;
}

async fn why_a_key_is_taken_out_of_use_is_in_the_audit_log(app: &TestApp) {
    let it = Keys::new(app).await;
    let before = app.snapshot().await;
    for wrong in ["x".repeat(201), "a\u{202e}b".to_owned()] {
        for act in ["deactivation", "revocation"] {
            let page = it.post(&it.first, act, &[("reason", &wrong)]).await.expect(422);
            assert_ne!(page.error_at("reason"), "");
            assert_eq!(page.field("reason"), wrong, "what was typed stays");
        }
    }
    assert_eq!(app.snapshot().await, before);
    it.told(&it.first, "deactivation", &[("reason", " seen in a <log> ")]).await;
    it.told(&it.first, "revocation", &[("reason", "")]).await;
    let log = it.admin.get("/s/acme/audit?action=key_instance.deactivated").await.plain();
    assert!(log.contains("reason") && log.contains("seen in a <log>"), "{log}");
    let log = it.admin.get("/s/acme/audit?action=key_instance.revoked").await.expect(200).plain();
    assert!(log.contains("Key revoked") && !log.contains("reason"), "{log}");
}

impl Keys<'_> {
    /// The new key, as accepted.
    async fn rotated(&self, old: &Issued, overlap: &str) -> String {
        let path = format!("{}/rotation", path_of("acme", &old.instance));
        let form = self.admin.get(&path).await.expect(200);
        assert_eq!(form.field("overlap"), "24h");
        let made = self.admin.submit(&path, &[("overlap", overlap)]).await.expect(303);
        let secret = self.admin.follow(&made).await.expect(200).secret();
        self.app.service().bearer(&secret).await.expect(204);
        secret
    }
}

async fn a_rotation_leaves_the_old_key_the_chosen_overlap(app: &TestApp) {
    let it = Keys::new(app).await;
    for (overlap, hours) in [("1h", 1), ("24h", 24), ("7d", 168)] {
        let old = it.another(it.period(0, 90)).await;
        it.rotated(&old, overlap).await;
        let end = app.clock.now() + TimeDelta::hours(hours);
        assert_eq!(it.until(&old).await, end.to_rfc3339(), "{overlap}");
        assert_eq!(it.verdict(&old).await, "accepted", "{overlap}");
        it.advance(TimeDelta::hours(hours)).await;
        assert_eq!(it.verdict(&old).await, "expired", "{overlap}");
    }
    let old = it.another(it.period(0, 90)).await;
    it.rotated(&old, "now").await;
    assert_eq!(it.verdict(&old).await, "deactivated");
    let old = it.another(it.period(0, 90)).await;
    let until = it.until(&old).await;
    it.rotated(&old, "own").await;
    assert_eq!((it.verdict(&old).await.as_str(), it.until(&old).await), ("accepted", until));
    // What lies beyond its end would be the same as that, and is not offered.
    let old = it.another(it.period(0, 2)).await;
    let path = format!("{}/rotation", path_of("acme", &old.instance));
    for (hours, chosen, offered) in
        [(1, "24h", &["now", "1h", "24h"][..]), (26, "own", &["now", "1h"])]
    {
        it.advance(TimeDelta::hours(hours)).await;
        let form = it.admin.get(&path).await.expect(200);
        assert_eq!(form.field("overlap"), chosen);
        let values = ["now", "1h", "24h", "7d"].into_iter();
        let is_there =
            |it: &&str| form.text().contains(&format!("name=\"overlap\" value=\"{it}\""));
        assert_eq!(values.filter(is_there).collect::<Vec<_>>(), offered);
    }
    let before = app.snapshot().await;
    for overlap in ["", "2h", "forever"] {
        let token = "x".repeat(40);
        let fields = [("submission", &*token), ("preset", "90"), ("overlap", overlap)];
        let page = it.post(&old, "rotation", &fields).await.expect(422);
        let told = "Choose how long the old key keeps working.";
        assert_eq!(page.error_at("overlap"), told);
    }
    assert_eq!(app.snapshot().await, before);
}

async fn a_rotated_key_never_works_longer_than_before(app: &TestApp) {
    let it = Keys::new(app).await;
    let old = it.another(it.period(0, 2)).await;
    let until = it.until(&old).await;
    it.rotated(&old, "7d").await;
    assert_eq!(it.until(&old).await, until);
}

async fn what_a_status_does_not_allow_is_refused_with_a_reason(app: &TestApp) {
    let it = Keys::new(app).await;
    let ended = it.another(it.period(0, 1)).await;
    let future = it.another(it.period(50, 60)).await;
    let off = it.another(it.period(0, 60)).await;
    let dead = it.another(it.period(0, 60)).await;
    it.told(&off, "deactivation", &[]).await;
    it.told(&dead, "revocation", &[]).await;
    it.advance(TimeDelta::days(1)).await;
    let later = [("preset", "dates"), ("from", "2026-11-21T10:30"), ("until", "2026-12-24T18:00")];
    let token = "x".repeat(40);
    let rotate = [("submission", &*token), ("preset", "90"), ("overlap", "own")];
    let (revoked, ended_told) =
        ("It is revoked, and stays revoked. Make a new one instead.", "This key has ended.");
    let before = app.snapshot().await;
    for (key, act, fields, told) in [
        (&dead, "period", &later, revoked),
        (&dead, "deactivation", &later, revoked),
        (&dead, "reactivation", &later, revoked),
        (&dead, "revocation", &later, revoked),
        (&dead, "rotation", &rotate, "It is not active, so there is nothing to rotate."),
        (&ended, "period", &later, ended_told),
        (&ended, "deactivation", &later, ended_told),
        (&ended, "rotation", &rotate, "It is not active, so there is nothing to rotate."),
        (&off, "period", &later, "This key is deactivated."),
        (&off, "deactivation", &later, "This key is already deactivated."),
        (&off, "rotation", &rotate, "so there is nothing to rotate."),
        (&future, "rotation", &rotate, "so there is nothing to rotate."),
        (&future, "reactivation", &later, "Only a deactivated or expired key can be reactivated."),
        (&it.first, "reactivation", &later, "Only a deactivated or expired key can be"),
    ] {
        let page = it.post(key, act, fields).await.expect(409);
        assert!(page.refusal().contains(told), "{act}: {}", page.refusal());
    }
    assert_eq!(app.snapshot().await, before);
}

async fn a_period_that_does_not_do_is_refused_with_its_values_kept(app: &TestApp) {
    let it = Keys::new(app).await;
    let off = it.another(it.period(0, 60)).await;
    it.told(&off, "deactivation", &[]).await;
    let before = app.snapshot().await;
    for (from, until, field) in [
        ("2026-12-02T00:00", "2026-12-01T00:00", "until"),
        ("2026-12-01T00:00", "2026-12-01T00:00", "until"),
        ("2026-02-30T00:00", "2026-12-01T00:00", "from"),
        ("1826-12-01T00:00", "2026-12-01T00:00", "from"),
        ("2026-12-01T00:00", "2826-12-01T00:00", "until"),
        ("", "2026-12-01T00:00", "from"),
        ("2026-12-01T00:00", "", "until"),
        ("<script>", "2026-12-01T00:00", "from"),
    ] {
        let fields = [("preset", "dates"), ("from", from), ("until", until)];
        for (key, act) in [(&it.first, "period"), (&off, "reactivation")] {
            let page = it.post(key, act, &fields).await.expect(422);
            assert_ne!(page.error_at(field), "", "{fields:?}");
            assert_eq!((page.field("from"), page.field("until")), (from.into(), until.into()));
        }
    }
    let past = [("preset", "dates"), ("from", "2026-01-01T00:00"), ("until", "2026-11-20T10:30")];
    for (key, act) in [(&it.first, "period"), (&off, "reactivation")] {
        let page = it.post(key, act, &past).await;
        assert!([409, 422].contains(&page.status), "{act}: {}", page.status);
        let told = "The end must lie in the future. Deactivate or revoke it if it shall end now.";
        assert!(page.plain().contains(told), "{act}");
        assert_eq!(page.field("until"), "2026-11-20T10:30");
        it.post(key, act, &[]).await.expect(422);
    }
    assert_eq!(app.snapshot().await, before);
}

async fn labels_are_never_used_again(app: &TestApp) {
    let it = Keys::new(app).await;
    let second = it.another(it.period(0, 9)).await;
    assert_eq!(second.instance.name(), "k-2");
    it.told(&second, "revocation", &[]).await;
    assert_eq!(it.another(it.period(0, 9)).await.instance.name(), "k-3");
}
