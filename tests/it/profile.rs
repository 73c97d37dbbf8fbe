//! One's own password, and where one is signed in.
use chrono::TimeDelta;
use keyward::{domain::Role, sessions};

use sea_orm::ConnectionTrait;

use crate::support::{Answer, PASSWORD, Person, TestApp, on_both};

on_both! {
    a_changed_password_ends_all_other_sessions_and_begins_a_new_one,
    a_new_password_keeps_the_rules_and_needs_the_old_one,
    guessing_the_old_password_is_throttled_like_signing_in,
    of_two_changes_at_once_one_counts,
    the_profile_says_where_one_is_signed_in,
    a_session_elsewhere_is_ended,
    all_other_sessions_are_ended_at_once,
    a_session_that_began_with_another_password_is_none,
    nobody_ends_the_session_of_somebody_else,
}

const NEW: &str = "an entirely different sentence";

async fn change(person: &Person<'_>, old: &str, new: &str) -> Answer {
    person.post("/profile/password", &[("password", old), ("new_password", new)]).await
}

async fn a_changed_password_ends_all_other_sessions_and_begins_a_new_one(app: &TestApp) {
    let email = app.user("acme", Role::Member).await.email;
    let (here, elsewhere) = (app.signed_in(&email).await, app.signed_in(&email).await);
    let somebody = app.auditor("acme").await;
    let before = here.session();
    here.get("/profile/password").await.expect(200);
    let done = change(&here, PASSWORD, NEW).await.expect(303);
    assert_ne!(here.session(), before);
    let told = here.follow(&done).await.expect(200).flash();
    assert_eq!(told, "Your password is changed. Your other sessions have ended.");
    assert!(!elsewhere.is_signed_in().await);
    assert!(somebody.is_signed_in().await);
    let copy = app.anonymous();
    copy.plant("__Host-sid", &before);
    assert!(!copy.is_signed_in().await, "the session from before is dead");
    app.anonymous().sign_in(&email, PASSWORD).await.expect(401);
    app.clock.advance(TimeDelta::seconds(2)); // what a wrong one costs
    app.anonymous().sign_in(&email, NEW).await.expect(303);
    let log = app.owner().await.get("/audit?action=user.password_changed").await.expect(200);
    assert!(log.plain().contains(&format!("{email} Password changed {email}")), "{}", log.plain());
    for secret in [PASSWORD, NEW] {
        assert!(!log.text().contains(secret));
    }
}

async fn a_new_password_keeps_the_rules_and_needs_the_old_one(app: &TestApp) {
    let user = app.user("acme", Role::Member).await;
    let person = app.signed_in(&user.email).await;
    let (short, long) = ("fourteen chars", "abcde".repeat(26));
    let before = app.snapshot().await;
    for (new, told) in [
        ("", "Use at least 15 characters; these are 0."),
        (short, "Use at least 15 characters; these are 14."),
        (long.as_str(), "Use at most 128 characters; these are 130."),
        ("aaaaaaaaaaaaaaaaaaaa", "Use at least 5 different characters."),
        ("MEMBER@acme.example", "Do not use your e-mail address."),
        (PASSWORD, "This is the password that you have now."),
    ] {
        let page = change(&person, PASSWORD, new).await.expect(422);
        assert_eq!(page.error_at("new_password"), told);
        assert!(!page.text().contains(PASSWORD), "a password comes back");
    }
    assert_eq!(app.snapshot().await, before, "not even a try is counted");
    let page = change(&person, "not the password at all", NEW).await.expect(422);
    assert_eq!(page.error_at("password"), "This is not your password.");
    assert!(!page.text().contains(NEW));
    app.clock.advance(TimeDelta::seconds(2));
    app.anonymous().sign_in(&user.email, PASSWORD).await.expect(303);
}

async fn guessing_the_old_password_is_throttled_like_signing_in(app: &TestApp) {
    let person = app.member("acme").await;
    change(&person, "not the password at all", NEW).await.expect(422);
    let waits = change(&person, PASSWORD, NEW).await.expect(429);
    assert_eq!(waits.header("retry-after"), Some("1"));
    assert_eq!(waits.error_at("password"), "Too many tries. Wait 1 second, then try again.");
    // The same tries count for signing in with this browser, and for confirming.
    person.sign_in("member@acme.example", PASSWORD).await.expect(429);
    person.confirm(PASSWORD, "/profile").await.expect(429);
    app.clock.advance(TimeDelta::seconds(1));
    change(&person, PASSWORD, NEW).await.expect(303);
}

async fn of_two_changes_at_once_one_counts(app: &TestApp) {
    let email = app.user("acme", Role::Member).await.email;
    let (one, two) = (app.signed_in(&email).await, app.signed_in(&email).await);
    let (first, second) = tokio::join!(
        change(&one, PASSWORD, "the sentence of the first"),
        change(&two, PASSWORD, "the sentence of the second"),
    );
    // The later one is told that the password is wrong, or that its session is over.
    let done = |it: &Answer| it.status == 303 && it.location() == "/profile";
    assert_eq!([&first, &second].into_iter().filter(|it| done(it)).count(), 1);
    app.clock.advance(TimeDelta::minutes(1));
    let right =
        if done(&first) { "the sentence of the first" } else { "the sentence of the second" };
    app.anonymous().sign_in(&email, right).await.expect(303);
    app.anonymous().sign_in(&email, PASSWORD).await.expect(401);
}

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) \
                      AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/604.1";

async fn with_agent<'a>(app: &'a TestApp, email: &str, agent: &str) -> Person<'a> {
    let person = app.anonymous().with(&[("user-agent", agent)]);
    person.sign_in(email, PASSWORD).await.expect(303);
    person
}

async fn the_profile_says_where_one_is_signed_in(app: &TestApp) {
    let email = app.user("acme", Role::Member).await.email;
    let desk = with_agent(app, &email, FIREFOX).await;
    app.clock.advance(TimeDelta::minutes(10));
    let phone = with_agent(app, &email, IPHONE).await;
    app.clock.advance(TimeDelta::minutes(5));
    desk.get("/").await.expect(303); // seen
    app.clock.advance(TimeDelta::seconds(30));
    let at_desk = "Firefox on Linux";
    let on_phone = "Safari on iPhone";
    for (person, here, there) in [(&desk, at_desk, on_phone), (&phone, on_phone, at_desk)] {
        let page = person.get("/profile").await.expect(200).plain();
        let (_, sessions) = page.split_once("Where you are signed in").unwrap();
        let own = format!("{here} this one 127.0.0.1");
        assert!(sessions.contains(&own), "{sessions}");
        assert!(sessions.contains(&format!("{there} 127.0.0.1")), "{sessions}");
        assert_eq!(sessions.matches("this one").count(), 1);
        let times = ["started 16 minutes ago", "started 6 minutes ago"];
        assert!(times.iter().all(|it| sessions.contains(it)), "{sessions}");
    }
    // What ended by itself is no session.
    app.clock.advance(sessions::IDLE - TimeDelta::minutes(1));
    desk.get("/").await.expect(303);
    app.clock.advance(TimeDelta::minutes(2));
    let page = desk.get("/profile").await.expect(200).plain();
    assert!(page.contains(at_desk) && !page.contains(on_phone), "{page}");
}

/// The form of the profile that ends the first other session.
fn id_of_another(page: &Answer) -> String {
    let (_, form) = page.text().split_once("name=\"session\" value=\"").unwrap();
    form.split('"').next().unwrap().to_owned()
}

async fn a_session_elsewhere_is_ended(app: &TestApp) {
    let email = app.user("acme", Role::Member).await.email;
    let desk = with_agent(app, &email, FIREFOX).await;
    let phone = with_agent(app, &email, IPHONE).await;
    let page = desk.get("/profile").await.expect(200);
    let id = id_of_another(&page);
    assert!(!id.is_empty() && !page.text().contains(&phone.session()));
    let done = desk.post("/profile/sessions/ending", &[("session", &id)]).await.expect(303);
    let page = desk.follow(&done).await.expect(200);
    assert_eq!(page.flash(), "The session is ended.");
    assert!(!page.plain().contains("Safari on iPhone"));
    assert!(!phone.is_signed_in().await);
    assert!(desk.is_signed_in().await);
    let again = desk.post("/profile/sessions/ending", &[("session", &id)]).await.expect(303);
    assert_eq!(desk.follow(&again).await.flash(), "This session had ended already.");
    let told = app.query("SELECT actor FROM audit_events WHERE action = 'session.ended'").await;
    assert_eq!(told.len(), 1, "what ended nothing is not told");
    assert_eq!(told[0]["actor"], email);
}

async fn all_other_sessions_are_ended_at_once(app: &TestApp) {
    let email = app.user("acme", Role::Member).await.email;
    let here = app.signed_in(&email).await;
    let others = [app.signed_in(&email).await, app.signed_in(&email).await];
    let somebody = app.auditor("acme").await;
    let done = here.post("/profile/sessions/others/ending", &[]).await.expect(303);
    let page = here.follow(&done).await.expect(200);
    assert_eq!(page.flash(), "2 other sessions ended. This one goes on.");
    assert!(!page.text().contains("/profile/sessions/"), "there is nothing to end");
    for other in others {
        assert!(!other.is_signed_in().await);
    }
    assert!(somebody.is_signed_in().await);
}

async fn nobody_ends_the_session_of_somebody_else(app: &TestApp) {
    let (member, auditor) = (app.member("acme").await, app.auditor("acme").await);
    let second = app.signed_in("member@acme.example").await;
    let id = id_of_another(&member.get("/profile").await.expect(200));
    let before = app.snapshot().await;
    for id in [id.as_str(), "", "rubbish"] {
        let done = auditor.post("/profile/sessions/ending", &[("session", id)]).await.expect(303);
        assert_eq!(auditor.follow(&done).await.flash(), "This session had ended already.");
    }
    assert_eq!(app.snapshot().await, before);
    assert!(second.is_signed_in().await);
    // The one that is used is left by signing out.
    let own = id_of_another(&second.get("/profile").await.expect(200));
    member.post("/profile/sessions/ending", &[("session", &own)]).await.expect(400);
}

/// Whatever row it left behind: it may have begun in the very moment of the change.
async fn a_session_that_began_with_another_password_is_none(app: &TestApp) {
    let email = app.user("acme", Role::Member).await.email;
    let (here, somebody) = (app.signed_in(&email).await, app.auditor("acme").await);
    assert!(here.is_signed_in().await);
    let changed = format!("UPDATE users SET password_hash = 'another' WHERE email = '{email}'");
    app.db.read().execute_unprepared(&changed).await.unwrap();
    assert!(!here.is_signed_in().await);
    assert!(somebody.is_signed_in().await);
}
