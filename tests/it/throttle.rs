//! Guessing passwords (SECURITY.md 3.6).
use chrono::TimeDelta;

use crate::support::{Answer, Database, PASSWORD, Person, TestApp, on_both, own_text};

on_both! {
    each_failure_makes_the_next_try_wait_until_the_account_is_locked_for_a_day,
    an_unknown_account_is_throttled_like_a_known_one,
    a_browser_that_the_account_has_used_before_is_not_locked_out_by_others,
    the_browser_of_one_account_is_nobody_for_another,
    one_address_may_not_try_many_accounts,
    right_passwords_do_not_count_against_their_address,
    forwarded_addresses_count_behind_a_trusted_proxy_only,
    a_restart_or_a_second_node_forgets_nothing,
    parallel_tries_share_no_admission,
    guessed_keys_are_not_even_looked_up_after_thirty_misses_a_minute,
    one_address_may_not_try_many_links,
    a_flood_of_tries_does_not_flood_the_audit_log,
}

const WRONG: &str = "a wrong password of 15";

/// Seconds to wait after so many failures.
fn curve(failures: i64) -> i64 {
    match failures {
        ..3 => 1,
        3..9 => 3,
        9..25 => 5,
        25..100 => 10,
        _ => unreachable!("the account is locked"),
    }
}

#[track_caller]
fn must_wait(answer: &Answer) -> i64 {
    assert_eq!(answer.status, 429, "{}", answer.text());
    answer.header("retry-after").unwrap().parse().unwrap()
}

/// Fails so often, always as soon as allowed.
async fn fail(app: &TestApp, person: &Person<'_>, email: &str, times: i64) {
    for failures in 1..=times {
        person.sign_in(email, WRONG).await.expect(401);
        let waiting = person.sign_in(email, PASSWORD).await;
        if failures < 100 {
            assert_eq!(must_wait(&waiting), curve(failures), "after {failures} failures");
            app.clock.advance(TimeDelta::seconds(curve(failures)));
        }
    }
}

async fn each_failure_makes_the_next_try_wait_until_the_account_is_locked_for_a_day(app: &TestApp) {
    let email = app.owner_user().await.email;
    let (person, started) = (app.anonymous(), app.clock.now());
    fail(app, &person, &email, 100).await;
    for _ in 0..20 {
        let left = (started + TimeDelta::hours(24) - app.clock.now()).num_seconds();
        assert_eq!(must_wait(&person.sign_in(&email, PASSWORD).await), left);
        app.clock.advance(TimeDelta::hours(1));
    }
    let left = started + TimeDelta::hours(24) - app.clock.now();
    app.clock.advance(left - TimeDelta::seconds(1));
    assert_eq!(must_wait(&person.sign_in(&email, PASSWORD).await), 1);
    app.clock.advance(TimeDelta::seconds(1));
    person.sign_in(&email, PASSWORD).await.expect(303);
}

async fn an_unknown_account_is_throttled_like_a_known_one(app: &TestApp) {
    fail(app, &app.anonymous(), "nobody@example.com", 10).await;
}

async fn a_browser_that_the_account_has_used_before_is_not_locked_out_by_others(app: &TestApp) {
    let email = app.owner_user().await.email;
    let theirs = app.owner().await;
    theirs.post("/sign-out", &[]).await.expect(303);
    fail(app, &app.anonymous(), &email, 9).await;
    app.anonymous().sign_in(&email, WRONG).await.expect(401);
    must_wait(&app.anonymous().sign_in(&email, PASSWORD).await);
    theirs.sign_in(&email, PASSWORD).await.expect(303);
    // It has a bucket of its own, which a thief of the cookie would fill as well.
    theirs.sign_in(&email, WRONG).await.expect(401);
    assert_eq!(must_wait(&theirs.sign_in(&email, PASSWORD).await), curve(1));
}

async fn the_browser_of_one_account_is_nobody_for_another(app: &TestApp) {
    let email = app.owner_user().await.email;
    let mallory = app.member("acme").await;
    app.anonymous().sign_in(&email, WRONG).await.expect(401);
    must_wait(&mallory.sign_in(&email, WRONG).await);
}

async fn one_address_may_not_try_many_accounts(app: &TestApp) {
    let email = app.owner_user().await.email;
    let known = app.owner().await;
    app.clock.advance(TimeDelta::minutes(1));
    for n in 0..30 {
        app.anonymous().sign_in(&format!("user{n}@example.com"), WRONG).await.expect(401);
    }
    let answer = app.anonymous().sign_in("user30@example.com", WRONG).await;
    assert_eq!(must_wait(&answer), 60);
    // Whoever has signed in from there before is not kept out by them.
    known.sign_in(&email, PASSWORD).await.expect(303);
    app.clock.advance(TimeDelta::seconds(60));
    app.anonymous().sign_in("user30@example.com", WRONG).await.expect(401);
}

/// An office shares one address.
async fn right_passwords_do_not_count_against_their_address(app: &TestApp) {
    let email = app.owner_user().await.email;
    for _ in 0..35 {
        app.anonymous().sign_in(&email, PASSWORD).await.expect(303);
    }
    for n in 0..30 {
        app.anonymous().sign_in(&format!("user{n}@example.com"), WRONG).await.expect(401);
    }
    app.anonymous().sign_in("user30@example.com", WRONG).await.expect(429);
}

async fn forwarded_addresses_count_behind_a_trusted_proxy_only(database: &Database) {
    for (proxies, next) in [(vec![], 429), (vec!["127.0.0.0/8".parse().unwrap()], 401)] {
        let app = TestApp::start_with(*database, |it| it.trusted_proxies = proxies).await;
        let from = |n: u8| app.anonymous().with(&[("x-forwarded-for", &format!("192.0.2.{n}"))]);
        for n in 0..30 {
            from(n).sign_in(&format!("user{n}@example.com"), WRONG).await.expect(401);
        }
        from(30).sign_in("user30@example.com", WRONG).await.expect(next);
        app.stop().await;
    }
}

async fn a_restart_or_a_second_node_forgets_nothing(app: &TestApp) {
    let email = app.owner_user().await.email;
    fail(app, &app.anonymous(), &email, 3).await;
    app.anonymous().sign_in(&email, WRONG).await.expect(401);
    let other = app.second_node().await;
    assert_eq!(must_wait(&other.anonymous().sign_in(&email, PASSWORD).await), curve(4));
    app.clock.advance(TimeDelta::seconds(curve(4)));
    other.anonymous().sign_in(&email, WRONG).await.expect(401);
    assert_eq!(must_wait(&app.anonymous().sign_in(&email, PASSWORD).await), curve(5));
    other.stop().await;
}

async fn parallel_tries_share_no_admission(app: &TestApp) {
    let email = app.owner_user().await.email;
    let person = app.anonymous();
    let (a, b, c, d) = tokio::join!(
        person.sign_in(&email, WRONG),
        person.sign_in(&email, WRONG),
        person.sign_in(&email, WRONG),
        person.sign_in(&email, WRONG),
    );
    let mut statuses = [a.status, b.status, c.status, d.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [401, 429, 429, 429]);
}

async fn guessed_keys_are_not_even_looked_up_after_thirty_misses_a_minute(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let lower = "qwzrtplkxvbnmdsyghcf"; // without a digit it could be a name
    desk.own_key(key.instance.key_group_id, lower, desk.days(90)).await;
    let (admin, member) = (app.signed_in("admin@acme.example").await, app.member("acme").await);
    let search = async |person: &Person<'_>, text: &str| {
        person.post("/s/acme/search", &[("query", text)]).await
    };
    for n in 0..30 {
        // Who finds what is searched for is not kept from searching.
        search(&admin, key.secret.expose()).await.expect(303);
        search(&admin, &own_text(n)).await.expect(303);
    }
    for text in [&own_text(30), key.secret.expose(), lower] {
        assert_eq!(must_wait(&search(&admin, text).await), 60, "{text}");
    }
    search(&admin, "quote").await.expect(303); // no key at all
    search(&member, key.secret.expose()).await.expect(303);
    app.clock.advance(TimeDelta::seconds(60));
    search(&admin, key.secret.expose()).await.expect(303);
}

async fn one_address_may_not_try_many_links(app: &TestApp) {
    app.owner_user().await;
    let person = app.anonymous();
    for n in 0..15 {
        person.post(&format!("/setup/never-made-{n}"), &[]).await;
        person.post(&format!("/invitations/never-made-{n}"), &[]).await.expect(404);
    }
    for path in ["/setup/never-made", "/invitations/never-made"] {
        assert_eq!(must_wait(&person.post(path, &[]).await), 60, "{path}");
    }
    app.clock.advance(TimeDelta::seconds(60));
    person.post("/invitations/never-made", &[]).await.expect(404);
}

async fn a_flood_of_tries_does_not_flood_the_audit_log(app: &TestApp) {
    let email = app.owner_user().await.email;
    let person = app.anonymous();
    person.sign_in(&email, WRONG).await.expect(401);
    let told = async || {
        let sql = "SELECT seq FROM audit_events WHERE action = 'authn.login_throttled'";
        app.query(sql).await.len()
    };
    for _ in 0..20 {
        must_wait(&person.sign_in(&email, WRONG).await);
    }
    assert_eq!(told().await, 1, "one row a minute of one address");
    app.clock.advance(TimeDelta::minutes(1));
    person.sign_in(&email, WRONG).await.expect(401);
    must_wait(&person.sign_in(&email, WRONG).await);
    assert_eq!(told().await, 2);
}
