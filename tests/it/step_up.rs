//! The password once more, at most 5 minutes old, before what shows a secret, changes who may do
//! what, or cannot be undone (SECURITY.md 3.4).
use chrono::TimeDelta;
use keyward::{
    domain::Role,
    server::{Access, ROUTES, Route},
    sessions,
};

use crate::support::{Answer, PASSWORD, Person, TestApp, on_both, path_of, path_to};

on_both! {
    every_route_that_demands_it_asks_for_the_password_and_the_others_do_not,
    what_demands_the_password_is_what_the_requirement_says,
    a_password_counts_for_five_minutes,
    the_role_is_asked_before_the_password,
    a_wrong_password_is_counted_like_a_sign_in_and_changes_nothing,
    the_session_gets_another_id_when_the_password_is_shown,
    confirming_never_leads_to_another_site,
    what_was_typed_waits_while_the_password_is_asked,
    a_download_leads_back_to_the_page_that_offers_it,
    a_session_that_never_showed_a_password_is_asked,
}

const STALE: TimeDelta = TimeDelta::milliseconds(300_001);

async fn call(person: &Person<'_>, route: &Route, path: &str) -> Answer {
    match route.method.as_str() {
        "POST" => person.post(path, &[("submission", "x"), ("saved_by", "manual")]).await,
        _ => person.send(route.method.as_str().parse().unwrap(), path).await,
    }
}

async fn every_route_that_demands_it_asks_for_the_password_and_the_others_do_not(app: &TestApp) {
    let desk = app.desk("acme").await;
    let things = desk.things().await;
    let (admin, owner) = (app.admin("acme").await, app.owner().await);
    app.clock.advance(STALE);
    let (before, mut asked) = (app.count("audit_events").await, 0);
    // Signing in and confirming make a session fresh, and signing out ends it.
    let fresh = ROUTES.iter().filter(|it| it.fresh);
    for route in fresh {
        let person = if route.access == Access::Owner { &owner } else { &admin };
        let path = path_to(route, &things);
        let answer = call(person, route, &path).await;
        assert!(answer.is_confirm_redirect(), "{} {path}: {}", route.method, answer.status);
        if route.method == "GET" {
            let head = person.send(reqwest::Method::HEAD, &path).await;
            assert!(head.is_confirm_redirect(), "HEAD {path}: {}", head.status);
        } else {
            let has_page = |it: &&Route| it.method == "GET" && it.path == route.path;
            assert!(ROUTES.iter().find(has_page).is_some_and(|it| it.fresh), "{path} has no form");
        }
        asked += 1;
    }
    assert_eq!(app.count("audit_events").await, before, "to be asked is no event");
    assert!(asked > 25, "{asked} routes were asked");
    let ways_in = ["/sign-in", "/sign-out", "/confirm-password"];
    for route in ROUTES.iter().filter(|it| !it.fresh && !ways_in.contains(&it.path)) {
        let person = if route.access == Access::Owner { &owner } else { &admin };
        let path = path_to(route, &things);
        let answer = call(person, route, &path).await;
        assert!(!answer.is_confirm_redirect(), "{} {path} asks for the password", route.method);
    }
}

async fn what_demands_the_password_is_what_the_requirement_says(_: &TestApp) {
    let demands = |path: &str| {
        let rows: Vec<_> = ROUTES.iter().filter(|it| it.path == path).collect();
        assert!(!rows.is_empty(), "{path} is gone");
        rows.iter().all(|it| it.fresh)
    };
    for path in [
        "/s/{slug}/groups/new",
        "/s/{slug}/groups/{group}/keys/new",
        "/s/{slug}/groups/{group}/keys/{key}/rotation",
        "/s/{slug}/groups/{group}/keys/{key}/replacement",
        "/s/{slug}/groups/{group}/keys/{key}/secret",
        "/s/{slug}/groups/{group}/keys/{key}/secret/download.json",
        "/s/{slug}/groups/{group}/keys/{key}/secret/download.env",
        "/s/{slug}/invitations/new",
        "/s/{slug}/settings/calendar/address",
        "/s/{slug}/groups/{group}/calendar",
        "/s/{slug}/members/{member}/role",
        "/s/{slug}/members/{member}/removal",
        "/owners/new",
        "/owners/{owner}/removal",
        "/s/{slug}/policies/{policy}/deletion",
        "/subscriptions/{slug}/suspension",
        "/subscriptions/{slug}/invitation",
        "/s/{slug}/audit.csv",
        "/audit.csv",
        "/profile/keys/new",
        "/profile/keys/{personal_key}/secret",
        "/profile/keys/{personal_key}/secret/download.json",
    ] {
        assert!(demands(path), "{path}");
    }
    // Whoever has copied the key must be able to say so.
    assert!(!demands("/s/{slug}/groups/{group}/keys/{key}/secret/acknowledgement"));
}

async fn a_password_counts_for_five_minutes(app: &TestApp) {
    let admin = app.admin("acme").await;
    assert_eq!(sessions::FRESH, TimeDelta::minutes(5));
    app.clock.advance(sessions::FRESH);
    admin.get("/s/acme/groups/new").await.expect(200);
    app.clock.advance(TimeDelta::milliseconds(1));
    let asked = admin.get("/s/acme/groups/new").await.expect(303);
    let page = admin.follow(&asked).await.expect(200);
    let told = "You are about to make a key group with its first key . Type your password \
                once more:";
    assert!(page.plain().contains(told), "{}", page.plain());
    assert!(page.text().contains("href=\"/s/acme/groups\">Cancel"), "{}", page.text());
    assert_eq!(page.field("next"), "/s/acme/groups/new");
    let on = admin.confirm(PASSWORD, "/s/acme/groups/new").await.expect(303);
    assert_eq!(on.location(), "/s/acme/groups/new");
    admin.follow(&on).await.expect(200);
    // What is not asked for leads on at once.
    let on = admin.get("/confirm-password?next=/profile").await.expect(303);
    assert_eq!(on.location(), "/profile");
    app.clock.advance(sessions::FRESH);
    admin.get("/s/acme/groups/new").await.expect(200);
}

async fn the_role_is_asked_before_the_password(app: &TestApp) {
    let things = app.desk("acme").await.things().await;
    let (member, stranger) = (app.member("acme").await, app.admin("globex").await);
    app.clock.advance(STALE);
    let of_a_role = |it: &&Route| it.fresh && it.access != Access::SignedIn;
    for route in ROUTES.iter().filter(of_a_role) {
        let path = path_to(route, &things);
        call(&member, route, &path).await.expect(403);
        let theirs = if route.access == Access::Owner { 403 } else { 404 };
        call(&stranger, route, &path).await.expect(theirs);
        assert!(call(&app.anonymous(), route, &path).await.is_sign_in_redirect(), "{path}");
    }
    assert!(app.anonymous().get("/confirm-password").await.is_sign_in_redirect());
    assert!(app.anonymous().confirm(PASSWORD, "/").await.is_sign_in_redirect());
}

async fn a_wrong_password_is_counted_like_a_sign_in_and_changes_nothing(app: &TestApp) {
    let admin = app.admin("acme").await;
    app.clock.advance(STALE);
    let session = admin.session();
    let next = "/s/acme/groups/new";
    let wrong = admin.confirm("not the password at all", next).await.expect(401);
    assert!(wrong.plain().contains("This is not your password."), "{}", wrong.plain());
    assert_eq!(wrong.field("next"), next);
    assert!(!wrong.text().contains("not the password at all"));
    let waits = admin.confirm(PASSWORD, next).await.expect(429);
    assert_eq!(waits.header("retry-after"), Some("1"));
    admin.sign_in("admin@acme.example", PASSWORD).await.expect(429);
    assert!(admin.get(next).await.is_confirm_redirect());
    assert_eq!(admin.session(), session);
    app.clock.advance(TimeDelta::seconds(1));
    admin.confirm(PASSWORD, next).await.expect(303);
    let log = app.owner().await.get("/audit").await.expect(200).plain();
    assert!(log.contains("admin@acme.example Sign-in failed refused"), "{log}");
    assert!(log.contains("admin@acme.example Password confirmed"), "{log}");
}

async fn the_session_gets_another_id_when_the_password_is_shown(app: &TestApp) {
    let admin = app.admin("acme").await;
    let before = admin.session();
    app.clock.advance(STALE);
    admin.confirm(PASSWORD, "/").await.expect(303);
    assert_ne!(admin.session(), before);
    assert!(admin.is_signed_in().await);
    let thief = app.anonymous();
    thief.plant("__Host-sid", &before);
    assert!(!thief.is_signed_in().await, "the id from before is dead");
    let user = app.user("acme", Role::Admin).await.id;
    let live = sessions::of_user(&app.db, user, app.clock.now()).await.unwrap();
    assert_eq!(live.len(), 1);
}

async fn confirming_never_leads_to_another_site(app: &TestApp) {
    let admin = app.admin("acme").await;
    for away in ["//evil.example", "/\\evil.example", "https:evil.example", "javascript:alert(1)"] {
        let on = admin.confirm(PASSWORD, away).await.expect(303);
        assert_eq!(on.location(), "/", "{away}");
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("next", away).finish();
        let on = admin.get(&format!("/confirm-password?{query}")).await.expect(303);
        assert_eq!(on.location(), "/", "{away}");
    }
}

async fn what_was_typed_waits_while_the_password_is_asked(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let path = format!("/s/acme/groups/{group}/keys/new");
    let admin = app.admin("acme").await;
    let token = admin.get(&path).await.expect(200).field("submission");
    app.clock.advance(STALE);
    let keys = app.count("key_instances").await;
    let typed = [
        ("submission", token.as_str()),
        ("make", "own"),
        ("key", "never-to-be-kept-1234567890"),
        ("preset", "30"),
        ("from", "2026-12-01T08:00"),
        ("note", "typed <before> & kept"),
        ("act", "create"),
    ];
    let asked = admin.post(&path, &typed).await.expect(303);
    assert!(asked.is_confirm_redirect());
    assert_eq!(app.count("key_instances").await, keys);
    let draft = asked.set_cookie("kw_draft").unwrap();
    assert_eq!((draft.path(), draft.http_only()), (Some(path.as_str()), Some(true)));
    let next = admin.follow(&asked).await.expect(200).field("next");
    let on = admin.confirm(PASSWORD, &next).await.expect(303);
    assert_eq!(on.location(), path);
    let form = admin.follow(&on).await.expect(200);
    let read = ["make", "preset", "from", "note"].map(|it| form.field(it));
    assert_eq!(read, ["own", "30", "2026-12-01T08:00", "typed <before> & kept"]);
    assert!(!form.text().contains("never-to-be-kept"));
    // A member to be, and another role.
    let user = app.user("acme", Role::Member).await.id;
    app.clock.advance(STALE);
    let invited = [("email", "noor@acme.example"), ("role", "auditor")];
    for (path, fields) in [
        ("/s/acme/invitations/new".to_owned(), &invited[..]),
        (format!("/s/acme/members/{user}/role"), &invited[1..]),
    ] {
        let asked = admin.post(&path, fields).await.expect(303);
        assert!(asked.is_confirm_redirect(), "{path}");
        let form = admin.open(&path).await.expect(200);
        for (name, value) in fields {
            assert_eq!(form.field(name), *value, "{path}");
        }
        app.clock.advance(STALE);
    }
    assert_eq!(app.query("SELECT 1 AS one FROM members WHERE role = 'auditor'").await.len(), 0);
}

async fn a_download_leads_back_to_the_page_that_offers_it(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let admin = app.admin("acme").await;
    app.clock.advance(STALE);
    let secret = format!("{}/secret", path_of("acme", &key.instance));
    for (file, page) in [
        ("/s/acme/audit.csv?action=member.joined".to_owned(), "/s/acme/audit?action=member.joined"),
        (format!("{secret}/download.json"), secret.as_str()),
        (format!("{secret}/download.env"), &secret),
    ] {
        let asked = admin.get(&file).await.expect(303);
        assert_eq!(admin.follow(&asked).await.expect(200).field("next"), page);
    }
    let on = admin.confirm(PASSWORD, "/s/acme/audit").await.expect(303);
    let page = admin.follow(&on).await.expect(200);
    assert_eq!(page.flash(), "Your password is confirmed for 5 minutes.");
    admin.get("/s/acme/audit.csv").await.expect(200);
}

/// One that is older than this rule.
async fn a_session_that_never_showed_a_password_is_asked(app: &TestApp) {
    use sea_orm::ConnectionTrait;

    let admin = app.admin("acme").await;
    let state = app.query("SELECT state FROM sessions").await[0]["state"].clone();
    let mut state: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(state.as_str().unwrap()).unwrap();
    state.retain(|key, _| [sessions::USER, sessions::PASSWORD].contains(&key.as_str()));
    let state = serde_json::Value::from(state);
    let db = app.home.connect().await;
    db.execute_unprepared(&format!("UPDATE sessions SET state = '{state}'")).await.unwrap();
    db.close().await.unwrap();
    let page = admin.get("/profile").await.expect(200);
    assert!(page.plain().contains("Unknown browser this one"), "{}", page.plain());
    assert!(admin.get("/s/acme/groups/new").await.is_confirm_redirect());
    admin.open("/s/acme/groups/new").await.expect(200);
}
