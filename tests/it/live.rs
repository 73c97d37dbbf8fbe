//! The state in memory is what the database says, after any sequence of acts, on every node.
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use keyward::{
    access::Held,
    db::nodes::LEASE,
    demo::bulk,
    domain::ActivePeriod,
    key_groups,
    key_instances::{self, Issued},
    pepper::random_token,
    policies,
    subscriptions::{self, Subscription},
    user_groups, workspaces,
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::support::{Database, Desk, TestApp, eventually, ids, on_both, path_of};

on_both! {
    memory_is_what_the_database_says_after_any_sequence_of_acts,
    a_change_behind_the_back_of_the_program_is_seen_soon,
    what_was_missed_for_too_long_is_read_anew,
    what_was_made_in_bulk_is_read_anew_and_what_comes_behind_it_is_told,
    without_memory_the_same_verdicts_come_from_the_database,
    a_page_and_a_program_are_told_where_a_key_is_refused,
    a_silent_node_is_waited_for_until_its_lease_is_over_and_then_no_more,
}

const STEPS: usize = 150;
const SOON: Duration = Duration::from_secs(5);

async fn memory_is_what_the_database_says_after_any_sequence_of_acts(app: &TestApp) {
    let other = app.second_node().await;
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "write", "cancel"]).await;
    let mut walk = Walk {
        app,
        desk,
        rng: StdRng::seed_from_u64(7),
        made: Default::default(),
        done: BTreeMap::new(),
    };
    for step in 0..STEPS {
        walk.step(step).await;
        for node in [app, &other] {
            // One whose lease ran out was not waited for, and is not relied on until it is back.
            assert!(eventually(SOON, async || node.live.is_trusted()).await, "it has no lease");
            let differ = node.live.differences(&node.db).await.unwrap();
            assert!(differ.is_empty(), "step {step}: {differ:?}");
        }
    }
    assert_eq!(walk.done.len(), 19, "{:?}", walk.done);
    other.stop().await;
}

struct Walk<'a> {
    app: &'a TestApp,
    desk: Desk<'a>,
    rng: StdRng,
    /// Ids of policies, user groups, workspaces and roles.
    made: [Vec<Uuid>; 4],
    /// How often each act was possible.
    done: BTreeMap<&'static str, usize>,
}

impl Walk<'_> {
    async fn step(&mut self, n: usize) {
        let Self { app, desk, rng, made: [policies_made, people, places, roles], done } = self;
        let act = desk.act();
        let filter = key_instances::Filter::default();
        let keys = key_instances::list(&act, &filter, 1_000).await.unwrap().instances;
        let key = keys.choose(rng).map(|it| (it.key_group_id, it.id));
        let chosen: Vec<_> = keys.iter().filter(|it| it.secret_hash.is_some()).collect();
        let client = chosen.choose(rng).map(|it| it.key_group_id);
        let (policy, place) = (policies_made.choose(rng).copied(), places.choose(rng).copied());
        let (group, role) = (people.choose(rng).copied(), roles.choose(rng).copied());
        let (name, token) = (format!("thing {n}"), random_token());
        let act = match (rng.random_range(0..20), key, policy) {
            (0, ..) => {
                policies_made.push(desk.policy(&name, &["orders:read"]).await.id);
                "policy"
            }
            (1, _, Some(policy)) => {
                let some = [&["orders:read"][..], &["orders:write", "orders:cancel"], &[]];
                desk.edit_policy(policy, some[n % 3]).await;
                "policy edited"
            }
            (2, ..) => {
                let held: Vec<Uuid> = policy.into_iter().collect();
                people.push(desk.user_group(&name, &held).await.id);
                "user group"
            }
            (3, ..) if let Some(group) = group => {
                desk.edit_user_group(group, |it| it.policies = policy.into_iter().collect()).await;
                "user group edited"
            }
            (4, ..) => {
                places.push(desk.workspace(&name).await.id);
                "workspace"
            }
            (5, _, Some(policy)) => {
                // It may be there.
                let made = workspaces::create_role(&act, policy, place, &token).await;
                roles.extend(made.map(|it| it.id));
                "role"
            }
            (6 | 7, ..) => {
                let user_groups = group.into_iter().collect();
                let held = Held { policy, user_groups, roles: role.into_iter().collect() };
                desk.group_with(&name, &held).await;
                "group"
            }
            (8, Some(key), _) => {
                desk.give(key.0, &Held { policy, ..Default::default() }).await;
                "given"
            }
            (9, Some(key), _) if n.is_multiple_of(3) => {
                let version = key_groups::find(&act, key.0).await.unwrap().version;
                key_groups::delete(&act, key.0, version).await.unwrap();
                "group deleted"
            }
            (10, Some(key), _) => {
                let version = key_groups::find(&act, key.0).await.unwrap().version;
                let described = key_groups::Description { name, ..Default::default() };
                key_groups::edit(&act, key.0, &described, Some(version)).await.unwrap();
                "renamed"
            }
            (11, Some(key), _) if chosen.iter().all(|it| it.key_group_id != key.0) => {
                desk.key(key.0, desk.days(30)).await;
                "key"
            }
            (12, Some(key), _) => {
                let until = act.now + TimeDelta::days(rng.random_range(2..60));
                let period = ActivePeriod::new(act.now, Some(until)).unwrap();
                // It may be revoked.
                let _ = key_instances::change_period(&act, key, period).await;
                "period"
            }
            (13, Some(key), _) => {
                let _ = key_instances::revoke(&act, key).await;
                "revoked"
            }
            (14, ..) if let Some(group) = group => {
                let version = user_groups::find(&act, group).await.unwrap().version;
                user_groups::delete(&act, group, version).await.unwrap();
                people.retain(|it| *it != group);
                "user group deleted"
            }
            (15, ..) if let Some(role) = role => {
                workspaces::delete_role(&act, role).await.unwrap();
                roles.retain(|it| *it != role);
                "role deleted"
            }
            (16, _, Some(policy)) if n.is_multiple_of(3) => {
                let fence = policies::deletion::preview(&act, policy).await.unwrap().fence;
                policies::deletion::delete(&act, policy, &fence).await.unwrap();
                policies_made.retain(|it| *it != policy);
                roles.clear(); // some are gone with it
                "policy deleted"
            }
            (17, ..) if n.is_multiple_of(2) => {
                let it = subscriptions::by_slug(&app.db, "acme").await.unwrap();
                for suspended in [true, false] {
                    let (now, owner) = (act.now, app.own(&app.owner_user().await).actor);
                    let it = Subscription { suspended_at: (!suspended).then_some(1), ..it.clone() };
                    let done = subscriptions::set_suspended(app, &it, suspended, &owner, now);
                    done.await.unwrap();
                    let differ = app.live.differences(&app.db).await.unwrap();
                    assert!(differ.is_empty(), "suspended {suspended}: {differ:?}");
                }
                "suspended"
            }
            (18, ..) => {
                let group = desk.client(&name).await.id;
                desk.own_key(group, &format!("Chosen-{n:06}"), desk.days(90)).await;
                "client"
            }
            (19, ..) if let Some(client) = client => {
                // It may have two.
                let _ = desk.try_own_key(client, &format!("Chosen-{n:06}"), desk.days(60)).await;
                "chosen secret"
            }
            _ => return,
        };
        *done.entry(act).or_default() += 1;
    }
}

/// Whoever writes into the database by hand, or restores rows, is heard as well.
async fn a_change_behind_the_back_of_the_program_is_seen_soon(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let service = app.service();
    service.bearer(key.secret.expose()).await.expect(204);
    let db = app.home.connect().await;
    db.execute_unprepared("UPDATE subscriptions SET suspended_at = 1").await.unwrap();
    let refused = async || service.bearer(key.secret.expose()).await.status == 401;
    assert!(eventually(SOON, refused).await, "it is not seen");
    db.execute_unprepared("UPDATE subscriptions SET suspended_at = NULL").await.unwrap();
    db.execute_unprepared("DELETE FROM usage_days").await.unwrap();
    let accepted = async || service.bearer(key.secret.expose()).await.status == 204;
    assert!(eventually(SOON, accepted).await, "it is not seen");
    db.close().await.unwrap();
}

/// Of a log that was cut, memory knows that it has missed something; and nobody waits in vain for it.
async fn what_was_missed_for_too_long_is_read_anew(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let other = app.second_node().await;
    let cut = "UPDATE subscriptions SET suspended_at = 1; DELETE FROM changes; \
               UPDATE subscriptions SET suspended_at = suspended_at";
    let tx = other.db.write().await.unwrap();
    tx.execute_unprepared(cut).await.unwrap();
    let start = Instant::now();
    tx.commit().await.unwrap();
    assert!(start.elapsed() < LEASE, "what was read anew is not confirmed");
    other.stop().await;
    let service = app.service();
    let refused = async || service.bearer(key.secret.expose()).await.status == 401;
    assert!(eventually(SOON, refused).await, "it is not seen");
    assert!(eventually(SOON, async || app.live.is_trusted()).await, "it is not loaded anew");
    assert!(app.live.differences(&app.db).await.unwrap().is_empty());
}

async fn what_was_made_in_bulk_is_read_anew_and_what_comes_behind_it_is_told(app: &TestApp) {
    let other = app.second_node().await;
    let desk = app.desk("acme").await;
    let act = desk.act();
    let keys = bulk::fill(&act, 40).await.unwrap();
    let found = key_instances::list(&act, &key_instances::Filter::default(), 50).await.unwrap();
    assert_eq!((keys.len(), found.instances.len()), (4, 40));
    let group = found.instances[0].key_group_id;
    let later = desk.key(group, ActivePeriod::new(act.now, None).unwrap()).await;
    for node in [app, &other] {
        assert!(eventually(SOON, async || node.live.is_trusted()).await, "it is not loaded anew");
        for secret in keys.iter().chain([&later.secret]) {
            node.service().bearer(secret.expose()).await.expect(204);
        }
        let differ = node.live.differences(&node.db).await.unwrap();
        assert!(differ.is_empty(), "{differ:?}");
    }
    other.stop().await;
}

/// Both ways are asked the same.
async fn without_memory_the_same_verdicts_come_from_the_database(database: &Database) {
    let app = TestApp::start(*database).await;
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "write"]).await;
    let policy = desk.policy("Read orders", &["orders:read"]).await.id;
    let place = desk.workspace("Europe").await;
    let role = desk.role(desk.policy("Write", &["orders:write"]).await.id, Some(place.id)).await;
    let held = Held { policy: Some(policy), roles: [role.id].into(), ..Default::default() };
    let good = desk.group_with("quote-engine", &held).await;
    let ended = desk.group("billing", desk.days(90)).await;
    key_instances::revoke(&desk.act(), (ended.instance.key_group_id, ended.instance.id))
        .await
        .unwrap();
    let client = desk.client("shop").await;
    let both = ["Chosen-000001", "Chosen-000002"];
    for secret in both {
        desk.own_key(client.id, secret, desk.days(90)).await;
    }
    let mut told = Vec::new();
    for memory in [true, false] {
        if !memory {
            app.without_memory().await;
        }
        assert!(eventually(SOON, async || app.live.is_trusted() == memory).await);
        let mut answers = Vec::new();
        for (secret, query) in [
            (&good, ""),
            (&good, "permission=orders:read"),
            (&good, "permission=orders:write"),
            (&good, "permission=orders:write&workspace=europe"),
            (&good, "permission=orders:write&workspace=asia"),
            (&ended, ""),
        ] {
            let answer = app.service().asks(secret.secret.expose(), query).await;
            let permissions = answer.header("keyward-permissions").map(str::to_owned);
            answers.push((answer.status, answer.text().to_owned(), permissions));
        }
        for secret in [both[0], both[1], both[0], "Chosen-000003"] {
            let answer = app.service().basic(&client.client_id, secret).await;
            let label = answer.header("keyward-key-instance").map(str::to_owned);
            answers.push((answer.status, answer.text().to_owned(), label));
        }
        told.push(answers);
    }
    let statuses: Vec<u16> = told[0].iter().map(|it| it.0).collect();
    assert_eq!(statuses, [204, 204, 403, 204, 403, 401, 204, 204, 204, 401]);
    assert_eq!(told[0], told[1]);
    app.stop().await;
}

async fn a_page_and_a_program_are_told_where_a_key_is_refused(app: &TestApp) {
    let (admin, desk) = (app.admin("acme").await, app.desk("acme").await);
    let token = desk.token(&["keys:write"]).await.1;
    let keys = [desk.group("one", desk.days(90)).await, desk.group("two", desk.days(90)).await];
    let end = |key: &Issued| format!("{}/revocation", path_of("acme", &key.instance));
    let path = format!("/s/acme/groups/{}", keys[0].instance.key_group_id);
    admin.post(&end(&keys[0]), &[]).await.expect(303);
    let told = admin.get(&path).await.expect(200).flash();
    assert!(told.contains(" Refused after ") && told.ends_with("ms."), "{told}");
    let other = app.second_node().await;
    let again = desk.key(keys[0].instance.key_group_id, desk.days(90)).await;
    admin.post(&end(&again), &[]).await.expect(303);
    let told = admin.get(&path).await.expect(200).flash();
    assert!(told.contains(" Refused on 2 of 2 nodes after "), "{told}");
    let path = format!("/api/v1/instances/{}/revocation", keys[1].instance.id);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let answer = app.service().ask(Method::POST, &path, &headers).await.expect(200);
    let told = answer.header("keyward-applied").expect("it says so");
    assert!(told.starts_with("nodes=2, confirmed=2, ms="), "{told}");
    let list = app.service().ask(Method::GET, "/api/v1/instances", &headers).await.expect(200);
    assert_eq!(list.header("keyward-applied"), None, "nothing has changed");
    other.stop().await;
}

/// As if it was killed: its row stays.
async fn a_silent_node_is_waited_for_until_its_lease_is_over_and_then_no_more(app: &TestApp) {
    let desk = app.desk("acme").await;
    let keys = [desk.group("one", desk.days(90)).await, desk.group("two", desk.days(90)).await];
    let rows = "INSERT INTO nodes (id, seen) SELECT id, '' FROM subscriptions WHERE slug = 'acme'";
    app.db.read().execute_unprepared(rows).await.unwrap();
    let end = async |key: &Issued| {
        let start = Instant::now();
        key_instances::revoke(&desk.act(), ids(key)).await.unwrap();
        start.elapsed()
    };
    let (first, second) = (end(&keys[0]).await, end(&keys[1]).await);
    assert!(first >= LEASE && second < LEASE, "{first:?}, then {second:?}");
    assert!(eventually(SOON, async || app.live.is_trusted()).await, "it has no lease");
}
