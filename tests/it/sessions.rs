//! Signing in, staying signed in, and signing out.
use std::collections::{BTreeSet, HashMap};

use actix_session::storage::SessionStore;
use actix_web::cookie::{SameSite, time::Duration};
use chrono::TimeDelta;
use keyward::{
    domain::Role,
    server::ROUTES,
    sessions::{self, DbSessionStore},
};
use url::Url;

use crate::support::{PASSWORD, TestApp, on_both, path_of, wire};

on_both! {
    the_session_cookie_is_for_this_host_and_for_http_only,
    a_planted_session_id_is_never_valid,
    signing_in_ends_the_session_that_a_browser_had_before,
    signing_out_ends_the_session_on_the_server,
    a_session_that_ended_counts_no_more_at_the_end_of_a_body_that_trickles,
    a_session_ends_when_it_is_unused_for_half_an_hour,
    a_busy_session_ends_after_twelve_hours,
    the_eleventh_session_of_a_user_ends_the_first,
    a_request_in_flight_does_not_bring_a_revoked_session_back,
    a_wrong_password_and_an_unknown_user_look_the_same,
    signing_in_leads_back_to_the_page_that_was_asked_for,
    signing_in_never_leads_to_another_site,
    what_was_typed_is_kept_when_signing_in_fails,
    a_form_sent_after_the_session_ended_waits_for_its_author,
    a_form_that_was_sent_after_all_is_not_offered_again,
    what_was_typed_into_a_dialog_waits_as_well,
    nobody_is_led_back_to_an_address_that_only_takes_forms,
}

async fn the_session_cookie_is_for_this_host_and_for_http_only(app: &TestApp) {
    let email = app.owner_user().await.email;
    let answer = app.anonymous().sign_in(&email, PASSWORD).await.expect(303);
    let session = answer.set_cookie("__Host-sid").unwrap();
    assert_eq!((session.secure(), session.http_only()), (Some(true), Some(true)));
    assert_eq!((session.same_site(), session.path()), (Some(SameSite::Lax), Some("/")));
    assert_eq!((session.domain(), session.max_age(), session.expires()), (None, None, None));
    for other in answer.cookies() {
        assert_eq!((other.secure(), other.http_only()), (Some(true), Some(true)), "{other}");
        assert!(other.same_site().is_some() && other.domain().is_none(), "{other}");
    }
}

async fn a_planted_session_id_is_never_valid(app: &TestApp) {
    let email = app.owner_user().await.email;
    let person = app.anonymous();
    person.plant("__Host-sid", "attacker");
    person.get("/sign-in").await.expect(200);
    assert!(!person.is_signed_in().await);
    person.sign_in(&email, PASSWORD).await.expect(303);
    assert_ne!(person.session(), "attacker");
    assert!(person.is_signed_in().await);
    let attacker = app.anonymous();
    attacker.plant("__Host-sid", "attacker");
    assert!(!attacker.is_signed_in().await);
}

/// Session fixation: the attacker's own valid session, put into the victim's browser.
async fn signing_in_ends_the_session_that_a_browser_had_before(app: &TestApp) {
    let mallory = app.member("acme").await;
    let victim = app.anonymous();
    victim.plant("__Host-sid", &mallory.session());
    assert!(victim.is_signed_in().await);
    let email = app.owner_user().await.email;
    victim.sign_in(&email, PASSWORD).await.expect(303);
    assert_ne!(victim.session(), mallory.session());
    assert!(!mallory.is_signed_in().await);
    assert!(victim.get("/audit").await.expect(200).text().contains(&email));
}

async fn signing_out_ends_the_session_on_the_server(app: &TestApp) {
    let person = app.owner().await;
    let kept = person.session();
    let answer = person.post("/sign-out", &[]).await.expect(303);
    assert_eq!(answer.location(), "/sign-in");
    assert!(answer.header("clear-site-data").unwrap().contains("\"cache\""));
    assert_eq!(person.cookie("__Host-sid"), None);
    person.plant("__Host-sid", &kept);
    assert!(!person.is_signed_in().await);
}

async fn a_session_that_ended_counts_no_more_at_the_end_of_a_body_that_trickles(app: &TestApp) {
    let (admin, host) = (app.admin("acme").await, &app.site.hosts[0]);
    let body = "name=orders&slug=orders&submission=a-token-of-some-length";
    let (begin, end) = body.split_at(9);
    let head = format!(
        "POST /s/acme/workspaces/new HTTP/1.1\r\nhost: {host}\r\norigin: {}\r\n\
         cookie: __Host-sid={}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{begin}",
        app.site.origin,
        admin.session(),
        body.len()
    );
    let signed_out = async {
        // By now the head has been looked at.
        app.anonymous().get("/sign-in").await.expect(200);
        admin.post("/sign-out", &[]).await.expect(303);
    };
    let answer = wire::in_two_parts(app.address, (head, end), signed_out).await;
    assert!(answer.contains("/sign-in"), "{answer}");
    assert_eq!(app.count("workspaces").await, 0);
}

async fn a_session_ends_when_it_is_unused_for_half_an_hour(app: &TestApp) {
    let person = app.owner().await;
    app.clock.advance(sessions::IDLE - TimeDelta::seconds(1));
    assert!(person.is_signed_in().await);
    app.clock.advance(sessions::IDLE);
    assert!(!person.is_signed_in().await);
    assert_eq!(sessions::IDLE, TimeDelta::minutes(30));
}

async fn a_busy_session_ends_after_twelve_hours(app: &TestApp) {
    let person = app.owner().await;
    for _ in 0..35 {
        app.clock.advance(TimeDelta::minutes(20));
        assert!(person.is_signed_in().await, "at {}", app.clock.now());
    }
    app.clock.advance(TimeDelta::minutes(20));
    assert!(!person.is_signed_in().await);
}

async fn the_eleventh_session_of_a_user_ends_the_first(app: &TestApp) {
    let mut browsers = Vec::new();
    for _ in 0..10 {
        browsers.push(app.owner().await);
        app.clock.advance(TimeDelta::seconds(1));
    }
    for browser in &browsers {
        assert!(browser.is_signed_in().await);
    }
    browsers.push(app.owner().await);
    for (n, browser) in browsers.iter().enumerate() {
        assert_eq!(browser.is_signed_in().await, n > 0, "browser {n}");
    }
}

async fn a_request_in_flight_does_not_bring_a_revoked_session_back(app: &TestApp) {
    let user = app.owner_user().await;
    let store = DbSessionStore(app.app.clone());
    let id = serde_json::to_string(&user.id).unwrap();
    let state = HashMap::from([(sessions::USER.to_owned(), id)]);
    let ttl = Duration::hours(1);
    let key = store.save(state.clone(), &ttl).await.unwrap();
    assert_eq!(store.load(&key).await.unwrap(), Some(state.clone()));
    store.delete(&key).await.unwrap();
    let rows = app.count("sessions").await;
    store.update_ttl(&key, &ttl).await.unwrap();
    let key = store.update(key, state.clone(), &ttl).await.unwrap();
    assert_eq!(store.load(&key).await.unwrap(), None);
    assert_eq!(app.count("sessions").await, rows);

    // Whichever of the two comes first: at the end it is dead.
    for _ in 0..20 {
        let key = store.save(state.clone(), &ttl).await.unwrap();
        let same = key.as_ref().to_owned().try_into().unwrap();
        let (deleted, updated) =
            tokio::join!(store.delete(&key), store.update(same, state.clone(), &ttl));
        deleted.unwrap();
        assert_eq!(store.load(&updated.unwrap()).await.unwrap(), None);
    }
}

async fn a_wrong_password_and_an_unknown_user_look_the_same(app: &TestApp) {
    let known = app.owner_user().await.email;
    let unknown = known.replace("owner", "onwer");
    let wrong = app.anonymous().sign_in(&known, "a wrong password of 15").await;
    let nobody = app.anonymous().sign_in(&unknown, "a wrong password of 15").await;
    assert_eq!((wrong.status, nobody.status), (401, 401));
    assert_eq!(wrong.text(), nobody.text().replace(&unknown, &known));
    assert!(wrong.cookies().is_empty() && nobody.cookies().is_empty());
    // As a set: the server writes them in another order each time.
    let names = |answer: &crate::support::Answer| -> BTreeSet<String> {
        answer.headers.keys().map(|it| it.to_string()).collect()
    };
    assert_eq!(names(&wrong), names(&nobody));
}

async fn signing_in_leads_back_to_the_page_that_was_asked_for(app: &TestApp) {
    let email = app.user("acme", Role::Admin).await.email;
    let person = app.anonymous();
    let sent_away = person.get("/s/acme/groups?show=unused&q=a%26b").await.expect(303);
    let form = person.follow(&sent_away).await.expect(200);
    let next = form.field("next");
    assert_eq!(next, "/s/acme/groups?show=unused&q=a%26b");
    let fields = [("email", email.as_str()), ("password", PASSWORD), ("next", &next)];
    assert_eq!(person.post("/sign-in", &fields).await.expect(303).location(), next);
    let again = person.get("/sign-in?next=/profile").await.expect(303);
    assert_eq!(again.location(), "/profile");
}

async fn signing_in_never_leads_to_another_site(app: &TestApp) {
    let email = app.owner_user().await.email;
    let ours = Url::parse(&app.site.origin).unwrap();
    for away in [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        "/%09/evil.example",
        "/%2fevil.example",
        "/%5cevil.example",
        "/.//evil.example",
        "/..//evil.example",
        "javascript:alert(1)",
        "/x\r\nSet-Cookie: a=b",
        "/x%0d%0aSet-Cookie:a=b",
        "evil.example",
        "@evil.example",
    ] {
        app.clock.advance(TimeDelta::minutes(1)); // no more than 30 a minute from one address
        let person = app.anonymous();
        let fields = [("email", email.as_str()), ("password", PASSWORD), ("next", away)];
        let signed_in = person.post("/sign-in", &fields).await.expect(303);
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("next", away).finish();
        let already = person.get(&format!("/sign-in?{query}")).await.expect(303);
        for answer in [signed_in, already] {
            let there = ours.join(answer.location()).unwrap();
            assert_eq!(there.origin(), ours.origin(), "{away:?} led to {there}");
            assert!(answer.set_cookie("a").is_none(), "{away:?}");
        }
        let form = app.anonymous().get(&format!("/sign-in?{query}")).await.expect(200);
        let next = ours.join(&form.field("next")).unwrap();
        assert_eq!(next.origin(), ours.origin(), "{away:?}");
    }
}

async fn what_was_typed_is_kept_when_signing_in_fails(app: &TestApp) {
    let (email, password) = ("somebody@example.com", "what nobody shall see again");
    let fields = [("email", email), ("password", password), ("next", "/profile")];
    let answer = app.anonymous().post("/sign-in", &fields).await.expect(401);
    assert_eq!(
        (answer.field("email").as_str(), answer.field("next").as_str()),
        (email, "/profile")
    );
    assert!(!answer.text().contains(password));
}

/// A group of `acme`, its admin in a browser whose session has ended, and what they typed.
const TYPED: [(&str, &str); 7] = [
    ("make", "own"),
    ("key", "never-to-be-kept-1234567890"),
    ("preset", "30"),
    ("from", "2026-12-01T08:00"),
    ("until", ""),
    ("note", "typed <before> the end & kept"),
    ("act", "create"),
];

async fn a_form_sent_after_the_session_ended_waits_for_its_author(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let path = format!("/s/acme/groups/{group}/keys/new");
    let admin = app.admin("acme").await;
    let token = admin.get(&path).await.expect(200).field("submission");
    let mut typed = TYPED.to_vec();
    typed.push(("submission", &token));
    let keys = app.count("key_instances").await;

    app.clock.advance(TimeDelta::minutes(31));
    let sent_away = admin.post(&path, &typed).await.expect(303);
    assert_eq!(app.count("key_instances").await, keys);
    let draft = sent_away.set_cookie("kw_draft").unwrap();
    assert_eq!((draft.path(), draft.http_only()), (Some(path.as_str()), Some(true)));
    // It is sealed, and as long as without the key: it does not hold it.
    let mut without: Vec<_> = typed.iter().filter(|it| it.0 != "submission").copied().collect();
    without[1].1 = "";
    let shorter = app.anonymous().post(&path, &without).await.set_cookie("kw_draft").unwrap();
    assert_eq!(draft.value().len(), shorter.value().len());
    let next = admin.follow(&sent_away).await.expect(200).field("next");
    let email = app.user("acme", Role::Admin).await.email;
    let fields = [("email", email.as_str()), ("password", PASSWORD), ("next", &next)];
    let back = admin.post("/sign-in", &fields).await.expect(303);
    assert_eq!(back.location(), path);
    let form = admin.follow(&back).await.expect(200);
    let read = ["make", "preset", "from", "note"].map(|it| form.field(it));
    assert_eq!(read, ["own", "30", "2026-12-01T08:00", "typed <before> the end & kept"]);
    assert!(!form.text().contains("never-to-be-kept"));
    assert_ne!(form.field("submission"), token);
}

async fn what_was_typed_into_a_dialog_waits_as_well(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = path_of("acme", &desk.group("quote-engine", desk.days(90)).await.instance);
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Readers", &["orders:read"]).await.id;
    let other = desk.policy("Others", &["orders:read"]).await.id.to_string();
    let (admin, owner) = (app.user("acme", Role::Admin).await, app.owner_user().await);
    for (user, path, field, typed) in [
        (&admin, format!("{key}/deactivation"), "reason", "a box was lost"),
        (&admin, format!("{key}/revocation"), "reason", "a box was stolen"),
        (&admin, format!("/s/acme/policies/{policy}/replacement"), "to", &*other),
        (&owner, "/subscriptions/acme/name".to_owned(), "name", "ACME Limited"),
        (&owner, "/subscriptions/acme/invitation".to_owned(), "email", "noor@acme.example"),
    ] {
        let person = app.signed_in(&user.email).await;
        app.clock.advance(TimeDelta::minutes(31));
        let sent_away = person.post(&path, &[(field, typed)]).await.expect(303);
        assert!(sent_away.location().starts_with("/sign-in"), "{path}");
        person.sign_in(&user.email, PASSWORD).await.expect(303);
        assert_eq!(person.get(&path).await.expect(200).field(field), typed, "{path}");
    }
}

async fn a_form_that_was_sent_after_all_is_not_offered_again(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let group_path = format!("/s/acme/groups/{group}");
    let path = format!("{group_path}/keys/new");
    let admin = app.admin("acme").await;
    app.clock.advance(TimeDelta::minutes(31));
    admin.post(&path, &TYPED).await.expect(303);
    let email = app.user("acme", Role::Admin).await.email;
    admin.sign_in(&email, PASSWORD).await.expect(303);
    let note = admin.get(&path).await.expect(200).field("note");
    assert_eq!(note, "typed <before> the end & kept");
    admin.issue(&group_path, &[("note", &note)]).await;
    assert_eq!(admin.get(&path).await.expect(200).field("note"), "");
}

async fn nobody_is_led_back_to_an_address_that_only_takes_forms(app: &TestApp) {
    let gets: Vec<&str> = ROUTES.iter().filter(|it| it.method == "GET").map(|it| it.path).collect();
    let only_posts = ROUTES.iter().filter(|it| it.method == "POST" && !gets.contains(&it.path));
    let owner = app.owner().await;
    for route in only_posts.filter(|it| it.access != keyward::server::Access::Anyone) {
        let path = route.path.replace("{slug}", "hq").replace(['{', '}'], "");
        let sent_away = app.anonymous().post(&path, &[]).await.expect(303);
        let next = app.anonymous().follow(&sent_away).await.expect(200).field("next");
        if !next.is_empty() {
            let there = owner.get(&next).await;
            assert_ne!(there.status, 405, "POST {path} without a session leads to {next}");
        }
    }
}
