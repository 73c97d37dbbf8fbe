//! Client secrets that a user chose (document 001): the rule, how they are kept, and that checking
//! them is in nobody's way.
use chrono::TimeDelta;
use keyward::{
    domain::SecretText,
    key_groups::KeyGroup,
    key_instances::{self, Issued, NewKey, Source},
    pepper::random_token,
};
use sea_orm::ConnectionTrait;

use crate::support::{Answer, Database, Desk, TestApp, basic, blamed, ids, on_both};

on_both! {
    a_chosen_secret_obeys_the_rule_and_works,
    of_a_chosen_secret_only_a_slow_hash_is_kept_and_nothing_is_shown,
    a_proof_is_remembered_and_a_state_never,
    a_secret_that_the_client_has_or_had_is_not_taken_again,
    each_of_two_chosen_secrets_works_and_both_tell_why_not,
    a_hash_that_was_not_written_by_us_opens_nothing,
    after_thirty_wrong_secrets_a_client_waits_and_a_proven_one_does_not,
    who_goes_on_with_an_old_secret_holds_nobody_up,
    who_owns_many_addresses_of_one_network_is_one_caller,
    a_flood_of_wrong_secrets_leaves_generated_keys_answering,
}

const GOOD: &str = "9011@83sd!f1042ds+f19fg86M";
const OTHER: &str = "kj@s$dfS124GDd35";

async fn choose(desk: &Desk<'_>, group: &KeyGroup, secret: &str) -> keyward::error::Result<Issued> {
    let source = Source::Own(SecretText::from_text(secret.to_owned()));
    let new = NewKey { source, period: desk.days(90), note: String::new() };
    key_instances::create(&desk.act(), group.id, new, &random_token()).await
}

async fn a_chosen_secret_obeys_the_rule_and_works(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.client("billing").await;
    for wrong in
        ["aB3aB3aB3", &"aB3".repeat(11), "lowerUPPER", "aB3 aB3aB3aB3", "aB3\u{e4}aB3aB3aB"]
    {
        assert_eq!(blamed(choose(&desk, &group, wrong).await), "key", "{wrong}");
    }
    choose(&desk, &group, GOOD).await.unwrap();
    let answer = app.service().basic(&group.client_id, GOOD).await.expect(204);
    assert_eq!(answer.header("keyward-key-instance"), Some("k-1"));
    app.service().basic(&group.client_id, OTHER).await.expect(401);
    app.service().basic("billing_0000000000000000000000000", GOOD).await.expect(401);
}

async fn of_a_chosen_secret_only_a_slow_hash_is_kept_and_nothing_is_shown(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.client("billing").await;
    let made = choose(&desk, &group, GOOD).await.unwrap();
    let hash = made.instance.secret_hash.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    let page = app.admin("acme").await.get(&format!("/s/acme/groups/{}", group.id)).await;
    let page = page.expect(200);
    for hidden in [GOOD, "6M", &GOOD[..4], &hash] {
        assert!(!page.text().contains(hidden), "{hidden}");
    }
}

async fn a_proof_is_remembered_and_a_state_never(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.client("billing").await;
    let made = choose(&desk, &group, GOOD).await.unwrap();
    let ask = async || app.service().basic(&group.client_id, GOOD).await;
    ask().await.expect(204);
    ask().await.expect(204);
    key_instances::revoke(&desk.act(), ids(&made)).await.unwrap();
    assert_eq!(ask().await.expect(401).header("keyward-reason"), Some("revoked"));
    let other = async || app.service().basic(&group.client_id, OTHER).await;
    choose(&desk, &group, OTHER).await.unwrap();
    assert_eq!(other().await.expect(204).header("keyward-key-instance"), Some("k-2"));
    app.clock.advance(TimeDelta::days(90));
    assert_eq!(other().await.expect(401).header("keyward-reason"), Some("expired"));
}

async fn a_secret_that_the_client_has_or_had_is_not_taken_again(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.client("billing").await;
    let made = choose(&desk, &group, GOOD).await.unwrap();
    assert_eq!(blamed(choose(&desk, &group, GOOD).await), "key");
    key_instances::revoke(&desk.act(), ids(&made)).await.unwrap();
    // Somebody may have seen it: that is what revoking is for.
    assert_eq!(blamed(choose(&desk, &group, GOOD).await), "key");
    let answer = app.service().basic(&group.client_id, GOOD).await.expect(401);
    assert_eq!(answer.header("keyward-reason"), Some("revoked"));
    // Of another client nothing is told.
    let stranger = desk.client("claims").await;
    choose(&desk, &stranger, GOOD).await.unwrap();
}

async fn each_of_two_chosen_secrets_works_and_both_tell_why_not(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.client("billing").await;
    choose(&desk, &group, GOOD).await.unwrap();
    choose(&desk, &group, OTHER).await.unwrap();
    for (secret, label) in [(GOOD, "k-1"), (OTHER, "k-2")] {
        let answer = app.service().basic(&group.client_id, secret).await.expect(204);
        assert_eq!(answer.header("keyward-key-instance"), Some(label));
    }
    app.clock.advance(TimeDelta::days(90));
    for secret in [GOOD, OTHER] {
        let answer = app.service().basic(&group.client_id, secret).await.expect(401);
        assert_eq!(answer.header("keyward-reason"), Some("expired"));
    }
}

/// Somebody who can write the database, without the pepper.
async fn a_hash_that_was_not_written_by_us_opens_nothing(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.client("billing").await;
    let victim = desk.client("claims").await;
    choose(&desk, &group, GOOD).await.unwrap();
    choose(&desk, &victim, OTHER).await.unwrap();
    app.service().basic(&victim.client_id, OTHER).await.expect(204);
    let by_name = "SELECT secret_hash FROM key_instances AS i \
                   JOIN key_groups AS g ON g.id = i.key_group_id ORDER BY g.name";
    let hash = app.query(by_name).await;
    let (own, theirs) = (&hash[0]["secret_hash"], &hash[1]["secret_hash"]);
    let (own, theirs) = (own.as_str().unwrap(), theirs.as_str().unwrap());
    let planted =
        format!("UPDATE key_instances SET secret_hash = '{own}' WHERE secret_hash = '{theirs}'");
    app.db.read().execute_unprepared(&planted).await.unwrap();
    app.clock.advance(TimeDelta::minutes(2));
    for secret in [GOOD, OTHER] {
        app.service().basic(&victim.client_id, secret).await.expect(401);
    }
}

async fn after_thirty_wrong_secrets_a_client_waits_and_a_proven_one_does_not(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.client("billing").await;
    choose(&desk, &group, GOOD).await.unwrap();
    let ask = async |secret: &str| app.service().basic(&group.client_id, secret).await;
    ask(GOOD).await.expect(204);
    for n in 0..30 {
        ask(&format!("Wrong-secret-{n}")).await.expect(401);
    }
    let refused = ask("Wrong-secret-x").await.expect(429);
    let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    ask(GOOD).await.expect(204);
    app.clock.advance(TimeDelta::minutes(1));
    ask("Wrong-secret-x").await.expect(401);
    // A clock that is set back leaves nobody waiting for what it showed before.
    for n in 0..30 {
        ask(&format!("Wrong-secret-{n}")).await;
    }
    ask("Wrong-secret-y").await.expect(429);
    app.clock.advance(TimeDelta::days(-1));
    ask("Wrong-secret-y").await.expect(401);
}

/// Behind one gateway all callers of a client have one address.
async fn who_goes_on_with_an_old_secret_holds_nobody_up(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.client("billing").await;
    // More than are looked at.
    let old = [GOOD, OTHER, "third@S4rd!f1042ds", "fourth@S4rd!f1042d"];
    for secret in old {
        let made = choose(&desk, &group, secret).await.unwrap();
        key_instances::revoke(&desk.act(), ids(&made)).await.unwrap();
    }
    let live = "fifth@S4rd!f1042ds";
    choose(&desk, &group, live).await.unwrap();
    let ask = async |secret: &str| app.service().basic(&group.client_id, secret).await;
    for _ in 0..40 {
        ask(GOOD).await.expect(401);
    }
    ask(live).await.expect(204);
    // A second one comes, so all is proved anew, while the old one is still called with.
    choose(&desk, &group, "sixth@S4rd!f1042ds").await.unwrap();
    for _ in 0..40 {
        ask(GOOD).await.expect(401);
        ask(live).await.expect(204);
    }
}

async fn who_owns_many_addresses_of_one_network_is_one_caller(database: &Database) {
    let local = vec!["127.0.0.0/8".parse().unwrap()];
    let app = TestApp::start_with(*database, |it| it.trusted_proxies = local).await;
    let desk = app.desk("acme").await;
    let group = desk.client("billing").await;
    choose(&desk, &group, GOOD).await.unwrap();
    let ask = async |network: &str, n: usize| {
        let credential = basic(&group.client_id, &format!("Wrong-secret-{n}"));
        let from = format!("2001:db8:0:{network}::{n}");
        let headers = [("authorization", credential.as_str()), ("x-forwarded-for", &from)];
        app.service().raw(&headers).await.status
    };
    for n in 0..30 {
        assert_eq!(ask("1", n).await, 401);
    }
    assert_eq!((ask("1", 30).await, ask("2", 30).await), (429, 401));
    drop(desk);
    app.stop().await;
}

async fn wrong(app: &TestApp, client_id: &str, n: usize) -> Answer {
    app.service().basic(client_id, &format!("Wrong-{n:06}")).await
}

/// R-DOS-1: 200 at once, and a key instance in between.
async fn a_flood_of_wrong_secrets_leaves_generated_keys_answering(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("shop", desk.days(90)).await;
    let mut clients = Vec::new();
    for n in 0..8 {
        let group = desk.client(&format!("client-{n}")).await;
        choose(&desk, &group, GOOD).await.unwrap();
        clients.push(group.client_id);
    }
    let flood = (0..200).map(|n| wrong(app, &clients[n % 8], n));
    let flood = futures_util::future::join_all(flood);
    let calls = async {
        for _ in 0..50 {
            app.service().bearer(key.secret.expose()).await.expect(204);
        }
    };
    let (flooded, ()) = tokio::join!(flood, calls);
    let count = |status| flooded.iter().filter(|it| it.status == status).count();
    assert_eq!(count(401) + count(429), 200);
    assert!(count(401) > 0 && count(429) > 100, "{} were looked at", count(401));
    app.service().basic(&clients[0], GOOD).await.expect(204);
}
