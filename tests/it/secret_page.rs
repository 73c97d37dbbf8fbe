//! A secret is seen once: by who made it, in that browser, for ten minutes, until it is saved.
use actix_web::cookie::{SameSite, time};
use chrono::TimeDelta;
use futures_util::future::join_all;
use keyward::{domain::Role, key_instances};

use crate::support::{Answer, Person, TestApp, garbled, ids, on_both, path_of};

on_both! {
    the_secret_is_sealed_into_a_cookie_of_its_own_page,
    a_reload_shows_the_same_secret_and_no_other_page_shows_it,
    nobody_else_and_no_other_browser_sees_the_secret,
    a_secret_is_shown_for_ten_minutes,
    saying_that_it_is_saved_ends_the_show_for_good,
    it_must_be_said_how_the_secret_was_saved,
    the_downloads_hold_the_key_and_what_belongs_to_it,
    a_form_sent_twice_makes_one_key,
    a_form_sent_eight_times_at_once_makes_one_key,
    a_rotation_or_a_replacement_sent_twice_makes_one_key,
    a_form_without_its_token_makes_nothing,
    a_key_that_nobody_saved_is_flagged_and_can_be_replaced,
    a_key_that_was_saved_or_used_or_revoked_is_not_replaced,
    a_period_that_was_allowed_once_is_allowed_to_the_replacement,
}

const COOKIE: &str = "kw_once";

/// A new key as its admin sees it.
struct Shown<'a> {
    admin: Person<'a>,
    /// Of its group.
    group: String,
    /// Of the page that shows its secret.
    path: String,
    secret: String,
}

impl<'a> Shown<'a> {
    async fn new(app: &'a TestApp, fields: &[(&str, &str)]) -> Self {
        let desk = app.desk("acme").await;
        let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
        let admin = app.signed_in("admin@acme.example").await;
        let group = format!("/s/acme/groups/{group}");
        let page = admin.issue(&group, fields).await;
        let (path, secret) = (path_shown(&page), page.secret());
        Self { admin, group, path, secret }
    }

    /// The path of the key itself.
    fn key_path(&self) -> &str {
        self.path.strip_suffix("/secret").unwrap()
    }

    async fn save(&self) -> Answer {
        let path = format!("{}/acknowledgement", self.path);
        self.admin.post(&path, &[("saved_by", "clipboard")]).await
    }
}

fn path_shown(page: &Answer) -> String {
    let (before, _) = page.text().split_once("/acknowledgement\"").unwrap();
    before.rsplit('"').next().unwrap().to_owned()
}

async fn the_secret_is_sealed_into_a_cookie_of_its_own_page(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let admin = app.signed_in("admin@acme.example").await;
    let form = format!("/s/acme/groups/{group}/keys/new");
    let answer = admin.submit(&form, &[]).await.expect(303);
    let cookie = answer.set_cookie(COOKIE).unwrap();
    assert_eq!(cookie.path(), Some(answer.location()));
    assert_eq!((cookie.secure(), cookie.http_only()), (Some(true), Some(true)));
    assert_eq!(cookie.same_site(), Some(SameSite::Strict));
    assert_eq!(cookie.max_age(), Some(time::Duration::minutes(10)));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let page = admin.follow(&answer).await.expect(200);
    let secret = page.secret();
    let accepted = app.service().bearer(&secret).await.expect(204);
    assert_eq!(accepted.header("keyward-key-instance"), Some("k-2"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.text().matches(&secret).count(), 1, "once in the field, nowhere else");
    let sent = format!("{:?}", answer.headers) + answer.text();
    let readable = [&secret, &secret[3..20], "\"secret\""];
    assert!(readable.iter().all(|it| !sent.contains(*it)), "{sent}");
    assert!(page.cookies().iter().all(|it| it.name() != COOKIE));
}

async fn a_reload_shows_the_same_secret_and_no_other_page_shows_it(app: &TestApp) {
    let it = Shown::new(app, &[]).await;
    for _ in 0..3 {
        assert_eq!(it.admin.get(&it.path).await.expect(200).secret(), it.secret);
    }
    let mut pages: Vec<String> = ["", "/groups", "/groups.csv", "/keys", "/keys.csv", "/audit"]
        .map(|rest| format!("/s/acme{rest}"))
        .into();
    pages.extend([format!("{}/keys.csv", it.group), it.key_path().to_owned(), it.group.clone()]);
    pages.extend(
        ["/rotation", "/period", "/revocation"].map(|rest| it.key_path().to_owned() + rest),
    );
    for path in pages {
        let page = it.admin.get(&path).await.expect(200);
        let random = &it.secret[7..40];
        assert!(!page.text().contains(random), "{path} shows the secret");
    }
}

async fn nobody_else_and_no_other_browser_sees_the_secret(app: &TestApp) {
    app.user("hq", Role::Admin).await;
    let owner = app.owner().await;
    let desk = app.desk("hq").await;
    let first = desk.group("quote-engine", desk.days(90)).await;
    let group = format!("/s/hq/groups/{}", first.instance.key_group_id);
    let page = owner.issue(&group, &[]).await;
    let secret = page.secret();
    let cookie = owner.cookie(COOKIE).unwrap();
    let path = path_shown(&page);
    assert_eq!(owner.get(&path).await.expect(200).secret(), secret);

    let elsewhere = app.owner().await;
    let colleague = app.signed_in("admin@hq.example").await;
    let thief = app.signed_in("admin@hq.example").await;
    thief.plant(COOKIE, &cookie);
    let other_cookie = app.owner().await;
    other_cookie.plant(COOKIE, &garbled(&cookie));
    for (who, person) in [
        ("elsewhere", &elsewhere),
        ("colleague", &colleague),
        ("thief", &thief),
        ("garbled", &other_cookie),
    ] {
        for rest in ["", "/download.json", "/download.env"] {
            let answer = person.get(&format!("{path}{rest}")).await.expect(410);
            assert!(!answer.text().contains(&secret[3..]), "{who} {rest}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    // An auditor may not look at all, with this cookie or without it.
    let auditor = app.auditor("hq").await;
    auditor.plant(COOKIE, &cookie);
    for rest in ["", "/download.json", "/download.env"] {
        let answer = auditor.get(&format!("{path}{rest}")).await.expect(403);
        assert!(!answer.text().contains(&secret[3..]), "auditor {rest}");
    }
    // The cookie of one key opens no other one.
    owner.plant(COOKIE, &cookie);
    owner.get(&format!("{}/secret", path_of("hq", &first.instance))).await.expect(410);
    let anonymous = app.anonymous();
    anonymous.plant(COOKIE, &cookie);
    assert!(anonymous.get(&path).await.is_sign_in_redirect());
    assert_eq!(owner.get(&path).await.expect(200).secret(), secret);
}

async fn a_secret_is_shown_for_ten_minutes(app: &TestApp) {
    let it = Shown::new(app, &[]).await;
    app.clock.advance(TimeDelta::minutes(10) - TimeDelta::milliseconds(1));
    assert_eq!(it.admin.open(&it.path).await.expect(200).secret(), it.secret);
    app.clock.advance(TimeDelta::milliseconds(1));
    for rest in ["", "/download.json", "/download.env"] {
        let answer = it.admin.get(&format!("{}{rest}", it.path)).await.expect(410);
        assert!(answer.text().contains("replace it"), "{}", answer.text());
    }
    // Whoever has copied it may still say so.
    it.save().await.expect(303);
}

async fn saying_that_it_is_saved_ends_the_show_for_good(app: &TestApp) {
    let it = Shown::new(app, &[]).await;
    let cookie = it.admin.cookie(COOKIE).unwrap();
    let answer = it.save().await.expect(303);
    assert_eq!(answer.location(), it.group);
    let cleared = answer.set_cookie(COOKIE).unwrap();
    assert_eq!((cleared.value(), cleared.path()), ("", Some(it.path.as_str())));
    assert_eq!(cleared.max_age(), Some(time::Duration::ZERO));
    assert_eq!(it.admin.follow(&answer).await.expect(200).flash(), "k-2 is ready to use.");
    assert_eq!(it.admin.cookie(COOKIE), None);
    let is_gone = async || {
        for rest in ["", "/download.json", "/download.env"] {
            let answer = it.admin.get(&format!("{}{rest}", it.path)).await.expect(410);
            assert!(!answer.text().contains(&it.secret), "{rest}");
        }
    };
    is_gone().await;
    it.admin.plant(COOKIE, &cookie); // a browser that would not forget
    is_gone().await;
    it.save().await.expect(410);
    app.service().bearer(&it.secret).await.expect(204);
    let page = it.admin.get(it.key_path()).await.expect(200).plain();
    assert!(page.contains("Confirmed as saved Fri 20 Nov 2026 10:30 UTC by clipboard"), "{page}");
}

async fn it_must_be_said_how_the_secret_was_saved(app: &TestApp) {
    let it = Shown::new(app, &[]).await;
    let path = format!("{}/acknowledgement", it.path);
    let before = app.snapshot().await;
    for fields in [
        &[][..],
        &[("saved_by", "")],
        &[("saved_by", "box")],
        &[("saved_by", "box"), ("confirmed", "")],
        &[("saved_by", "telepathy"), ("confirmed", "on")],
    ] {
        it.admin.post(&path, fields).await.expect(400);
        assert_eq!(it.admin.get(&it.path).await.expect(200).secret(), it.secret, "{fields:?}");
    }
    assert_eq!(app.snapshot().await, before);
    it.admin.post(&path, &[("saved_by", "box"), ("confirmed", "on")]).await.expect(303);
    it.admin.get(&it.path).await.expect(410);
}

async fn the_downloads_hold_the_key_and_what_belongs_to_it(app: &TestApp) {
    let it = Shown::new(app, &[]).await;
    let json = it.admin.get(&format!("{}/download.json", it.path)).await.expect(200);
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert_eq!(json.header("cache-control"), Some("no-store"));
    let name = "attachment; filename=\"quote-engine-k-2.json\"";
    assert_eq!(json.header("content-disposition"), Some(name));
    let content: serde_json::Value = serde_json::from_str(json.text()).unwrap();
    for (field, value) in [
        ("tenant", "acme"),
        ("key_group", "quote-engine"),
        ("key_id", "k-2"),
        ("api_key", it.secret.as_str()),
        ("active_from", "2026-11-20T10:30:00.000Z"),
        ("active_until", "2027-02-18T10:30:00.000Z"),
        ("header", "Authorization: Bearer"),
    ] {
        assert_eq!(content[field], value, "{field}");
    }
    let env = it.admin.get(&format!("{}/download.env", it.path)).await.expect(200);
    let name = "attachment; filename=\"quote-engine-k-2.env\"";
    assert_eq!(env.header("content-disposition"), Some(name));
    assert_eq!(env.header("cache-control"), Some("no-store"));
    let lines: Vec<_> = env.text().lines().collect();
    assert!(lines[0].starts_with("# ") && lines[0].ends_with("It ends 2027-02-18T10:30:00.000Z."));
    assert_eq!(lines[1..], [format!("API_KEY={}", it.secret)]);
    // Downloading says nothing yet: only the acknowledgement does.
    it.admin.get(&it.path).await.expect(200);
}

/// What a form for a new key needs.
fn fields(token: &str) -> [(&str, &str); 4] {
    [("submission", token), ("make", "generate"), ("preset", "90"), ("name", "quote-engine")]
}

async fn a_form_sent_twice_makes_one_key(app: &TestApp) {
    let admin = app.admin("acme").await;
    let form = "/s/acme/groups/new";
    let token = admin.get(form).await.expect(200).field("submission");
    let first = admin.post(form, &fields(&token)).await.expect(303);
    let again = admin.post(form, &fields(&token)).await.expect(303);
    assert_eq!(again.location(), first.location());
    assert!(again.set_cookie(COOKIE).is_none());
    let secret = admin.follow(&first).await.expect(200).secret();
    assert_eq!(admin.follow(&again).await.expect(200).secret(), secret);
    assert_eq!((app.count("key_groups").await, app.count("key_instances").await), (1, 1));

    let group = first.location().split("/keys/").next().unwrap().to_owned();
    let form = format!("{group}/keys/new");
    let token = admin.get(&form).await.expect(200).field("submission");
    let first = admin.post(&form, &fields(&token)).await.expect(303);
    let events = app.count("audit_events").await;
    let again = admin.post(&form, &fields(&token)).await.expect(303);
    assert_eq!(again.location(), first.location());
    assert_eq!((app.count("key_instances").await, app.count("audit_events").await), (2, events));
}

async fn a_form_sent_eight_times_at_once_makes_one_key(app: &TestApp) {
    let admin = app.admin("acme").await;
    for form in ["/s/acme/groups/new".to_owned(), {
        let desk = app.desk("acme").await;
        let made = desk.group("other", desk.days(9)).await;
        format!("/s/acme/groups/{}/keys/new", made.instance.key_group_id)
    }] {
        let before = app.count("key_instances").await;
        let token = admin.get(&form).await.expect(200).field("submission");
        let fields = fields(&token);
        let sent = (0..8).map(|_| admin.post(&form, &fields));
        let answers = join_all(sent).await;
        let locations: Vec<_> = answers.iter().map(|it| (it.status, it.location())).collect();
        assert!(locations.iter().all(|it| *it == (303, answers[0].location())), "{locations:?}");
        let handed = answers.iter().filter(|it| it.set_cookie(COOKIE).is_some()).count();
        assert_eq!((app.count("key_instances").await, handed), (before + 1, 1));
        let page = admin.follow(&answers[0]).await.expect(200);
        app.service().bearer(&page.secret()).await.expect(204);
    }
}

async fn a_rotation_or_a_replacement_sent_twice_makes_one_key(app: &TestApp) {
    let it = Shown::new(app, &[]).await;
    for (rest, keys) in [("/rotation", 3), ("/replacement", 4)] {
        let form = format!("{}{rest}", it.key_path());
        let token = it.admin.get(&form).await.expect(200).field("submission");
        let mut all = fields(&token).to_vec();
        all.push(("overlap", "own"));
        let first = it.admin.post(&form, &all).await.expect(303);
        let again = it.admin.post(&form, &all).await.expect(303);
        assert_eq!(again.location(), first.location(), "{rest}");
        assert_eq!(app.count("key_instances").await, keys, "{rest}");
    }
}

async fn a_form_without_its_token_makes_nothing(app: &TestApp) {
    let it = Shown::new(app, &[]).await;
    let before = app.snapshot().await;
    for token in ["", "short"] {
        for form in [
            "/s/acme/groups/new".to_owned(),
            format!("{}/keys/new", it.group),
            format!("{}/rotation", it.key_path()),
            format!("{}/replacement", it.key_path()),
        ] {
            let mut all = fields(token).to_vec();
            all[3].1 = "another";
            all.push(("overlap", "own"));
            it.admin.post(&form, &all).await.expect(400);
        }
    }
    assert_eq!(app.snapshot().await, before);
}

const FLAG: &str = "ot confirmed as saved.";

async fn a_key_that_nobody_saved_is_flagged_and_can_be_replaced(app: &TestApp) {
    let it = Shown::new(app, &[("note", "billing worker"), ("preset", "30")]).await;
    let replacement = format!("{}/replacement", it.key_path());
    let link = format!("href=\"{replacement}\"");
    let list = it.admin.get(&it.group).await.expect(200);
    assert!(list.text().contains(&link) && list.text().contains(FLAG), "{}", list.text());
    let overview = it.admin.get("/s/acme").await.expect(200).plain();
    assert!(overview.contains("has a key that was never confirmed as saved: k-2"), "{overview}");
    assert!(it.admin.get(it.key_path()).await.expect(200).text().contains(FLAG));

    let token = it.admin.get(&replacement).await.expect(200).field("submission");
    let made = it.admin.post(&replacement, &[("submission", &token)]).await.expect(303);
    let page = it.admin.follow(&made).await.expect(200);
    assert_ne!(page.secret(), it.secret);
    let answer = app.service().bearer(&it.secret).await.expect(401);
    assert_eq!(answer.header("keyward-reason"), Some("revoked"));
    let answer = app.service().bearer(&page.secret()).await.expect(204);
    assert_eq!(answer.header("keyward-key-instance"), Some("k-3"));
    assert_eq!(answer.header("keyward-expires"), Some("2026-12-20T10:30:00.000Z"));
    let list = it.admin.get(&it.group).await.expect(200);
    assert!(!list.text().contains(&link), "a revoked key is not flagged");
    assert!(list.plain().contains("k-3 billing worker"), "the note moves along");
}

async fn a_key_that_was_saved_or_used_or_revoked_is_not_replaced(app: &TestApp) {
    let it = Shown::new(app, &[]).await;
    it.save().await.expect(303);
    let desk = app.desk("acme").await;
    let group = it.group.rsplit('/').next().unwrap().parse().unwrap();
    let used = desk.key(group, desk.days(90)).await;
    app.service().bearer(used.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let revoked = desk.key(group, desk.days(90)).await;
    key_instances::revoke(&desk.act(), ids(&revoked)).await.unwrap();
    let ended = desk.key(group, desk.days(1)).await;
    let off = desk.key(group, desk.days(90)).await;
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    app.clock.advance(TimeDelta::days(1));
    it.admin.sign_in("admin@acme.example", crate::support::PASSWORD).await.expect(303);
    let paths = [&used, &revoked, &ended, &off].map(|it| path_of("acme", &it.instance));
    let token = "x".repeat(40);
    for path in paths.iter().map(String::as_str).chain([it.key_path()]) {
        let form = format!("{path}/replacement");
        it.admin.get(&form).await.expect(409);
        let before = app.snapshot().await;
        it.admin.post(&form, &[("submission", &token)]).await.expect(409);
        assert_eq!(app.snapshot().await, before, "{path}");
        let list = it.admin.get(&it.group).await.expect(200);
        assert!(!list.text().contains(&form), "{path} is offered for replacement");
    }
}

async fn a_period_that_was_allowed_once_is_allowed_to_the_replacement(app: &TestApp) {
    let it = Shown::new(app, &[]).await;
    let desk = app.desk("acme").await;
    desk.change_settings(|it| (it.default_lifetime_days, it.max_lifetime_days) = (30, Some(30)))
        .await;
    let form = format!("{}/replacement", it.key_path());
    let token = it.admin.get(&form).await.expect(200).field("submission");
    it.admin.post(&form, &[("submission", &token)]).await.expect(303);
}
