//! Personal keys from memory: what it says is what the database says, after any sequence of acts and on
//! every node; and what was taken away is refused everywhere before it is acknowledged.
use std::{collections::BTreeMap, time::Duration};

use keyward::{
    domain::Role,
    members,
    personal_keys::{self, Issued},
    policies, subscriptions, user_groups,
    users::{self, User},
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::support::{Desk, TestApp, eventually, on_both};

on_both! {
    memory_knows_of_personal_keys_what_the_database_says,
    what_a_person_lost_is_refused_on_every_node_at_the_next_call,
    whoever_deletes_a_personal_key_is_told_where_it_is_refused,
}

const STEPS: usize = 120;
const SOON: Duration = Duration::from_secs(5);

async fn memory_knows_of_personal_keys_what_the_database_says(app: &TestApp) {
    let (other, bare) = (app.second_node().await, app.second_node().await);
    bare.without_memory().await;
    let (desk, elsewhere) = (app.desk("acme").await, app.desk("globex").await);
    desk.declare("orders", &["read", "write"]).await;
    desk.workspace("Europe").await;
    let mut people = Vec::new();
    for name in ["ida", "tom"] {
        people.push(desk.newcomer(&format!("{name}@example.com"), Role::Member).await.id);
    }
    let rng = StdRng::seed_from_u64(11);
    let mut walk =
        Walk { app, desk, elsewhere, rng, people, made: Default::default(), done: BTreeMap::new() };
    let mut told = BTreeMap::new();
    for step in 0..STEPS {
        walk.step(step).await;
        for node in [app, &other] {
            // One whose lease ran out was not waited for, and is not relied on until it is back.
            assert!(eventually(SOON, async || node.live.is_trusted()).await, "it has no lease");
            let differ = node.live.differences(&node.db).await.unwrap();
            assert!(differ.is_empty(), "step {step}: {differ:?}");
        }
        let Some((token, tenant, query)) = walk.question() else { continue };
        let mut answers = Vec::new();
        for node in [app, &other, &bare] {
            let bearer = format!("Bearer {token}");
            let mut headers = vec![("authorization", bearer.as_str())];
            headers.extend(tenant.map(|it| ("x-tenant-name", it)));
            let path = format!("/verify?{query}");
            let answer = node.service().ask(reqwest::Method::GET, &path, &headers).await;
            let names = ["keyward-user", "keyward-permissions", "keyward-subscription"];
            let said = names.map(|it| answer.header(it).map(str::to_owned));
            answers.push((answer.status, answer.text().to_owned(), said));
        }
        assert!(answers.iter().all(|it| *it == answers[0]), "step {step}: {answers:?}");
        *told.entry(answers[0].0).or_insert(0) += 1;
    }
    assert_eq!(walk.done.len(), 11, "{:?}", walk.done);
    assert!([204, 401, 403].iter().all(|it| told.contains_key(it)), "{told:?}");
    assert!(!bare.live.is_trusted(), "it was asked from memory");
    for node in [app, &other] {
        assert!(eventually(SOON, async || node.live.is_trusted()).await, "it has no lease");
    }
    bare.stop().await;
    other.stop().await;
}

#[derive(Default)]
struct Made {
    keys: Vec<(Uuid, Issued)>,
    policies: Vec<Uuid>,
    user_groups: Vec<Uuid>,
}

struct Walk<'a> {
    app: &'a TestApp,
    desk: Desk<'a>,
    elsewhere: Desk<'a>,
    rng: StdRng,
    people: Vec<Uuid>,
    made: Made,
    /// How often each act was possible.
    done: BTreeMap<&'static str, usize>,
}

impl Walk<'_> {
    async fn step(&mut self, n: usize) {
        let Self { app, desk, elsewhere, rng, people, made, done } = self;
        let id = *people.choose(rng).unwrap();
        let user = users::find(&app.db, id).await.unwrap().unwrap();
        let (policy, group) =
            (made.policies.choose(rng).copied(), made.user_groups.choose(rng).copied());
        let key = rng.random_range(0..made.keys.len().max(1));
        let mut inside = Vec::new();
        for it in people.iter() {
            inside.extend(members::find(&desk.act(), *it).await.ok().map(|it| it.user.id));
        }
        let act = match (rng.random_range(0..14), policy, group) {
            (0..=2, ..) => {
                // There is an end to their number.
                let issued = app.try_personal_key(&user, None).await;
                made.keys.extend(issued.ok().map(|it| (id, it)));
                "key"
            }
            (3, ..) if key < made.keys.len() && n.is_multiple_of(2) => {
                let (of, issued) = &made.keys[key];
                let user = users::find(&app.db, *of).await.unwrap().unwrap();
                let _ = personal_keys::delete(&app.own(&user), issued.key.id).await;
                "key deleted"
            }
            (4, ..) => {
                made.policies.push(desk.policy(&format!("policy {n}"), &["orders:read"]).await.id);
                "policy"
            }
            (5, Some(policy), _) => {
                let some = [&["orders:read"][..], &["orders:read", "orders:write"], &[]];
                desk.edit_policy(policy, some[n % 3]).await;
                "policy edited"
            }
            (6, Some(policy), _) => {
                let made_now = desk.user_group(&format!("group {n}"), &[policy]).await.id;
                desk.edit_user_group(made_now, |it| it.members = inside.into_iter().collect())
                    .await;
                made.user_groups.push(made_now);
                "user group"
            }
            (7 | 8, _, Some(group)) => {
                inside.retain(|_| rng.random_range(0..3) > 0);
                desk.edit_user_group(group, |it| {
                    it.members = inside.into_iter().collect();
                    it.policies = policy.into_iter().collect();
                })
                .await;
                "user group edited"
            }
            (9, _, Some(group)) if n.is_multiple_of(2) => {
                let version = user_groups::find(&desk.act(), group).await.unwrap().version;
                user_groups::delete(&desk.act(), group, version).await.unwrap();
                made.user_groups.retain(|it| *it != group);
                "user group deleted"
            }
            (10, Some(policy), _) if n.is_multiple_of(2) => {
                let fence = policies::deletion::preview(&desk.act(), policy).await.unwrap().fence;
                policies::deletion::delete(&desk.act(), policy, &fence).await.unwrap();
                made.policies.retain(|it| *it != policy);
                "policy deleted"
            }
            (11, ..) => {
                let (at, slug) =
                    if n.is_multiple_of(2) { (&*desk, "acme") } else { (&*elsewhere, "globex") };
                if members::remove(&at.act(), id).await.is_err() {
                    join(app, at, &user, slug).await;
                }
                "member"
            }
            (12, ..) => {
                // No verb does that.
                let tx = app.db.write().await.unwrap();
                let sql = format!(
                    "UPDATE users SET email = 'person-{n}@example.com' WHERE email = '{}'",
                    user.email
                );
                tx.execute_unprepared(&sql).await.unwrap();
                tx.commit().await.unwrap();
                "address"
            }
            (13, ..) if n.is_multiple_of(2) => {
                desk.workspace(&format!("place {n}")).await;
                "workspace"
            }
            _ => return,
        };
        *done.entry(act).or_default() += 1;
    }

    /// Some key, and what is asked of it.
    fn question(&mut self) -> Option<(String, Option<&'static str>, &'static str)> {
        let (_, key) = self.made.keys.choose(&mut self.rng)?;
        let tenants = [None, Some("acme"), Some("globex"), Some("nobody")];
        let tenant = *tenants.choose(&mut self.rng)?;
        let queries = [
            "",
            "permission=orders:read",
            "permission=orders:write",
            "permission=orders:read&workspace=europe",
        ];
        let query = *queries.choose(&mut self.rng)?;
        Some((key.token().expose().to_owned(), tenant, query))
    }
}

async fn join(app: &TestApp, desk: &Desk<'_>, user: &User, slug: &str) {
    let act = desk.act();
    let to = subscriptions::by_slug(&app.db, slug).await.unwrap();
    let wanted = (user.email.as_str(), Role::Member);
    let token = members::invite(app, &to, wanted, &act.actor, act.now).await.unwrap();
    members::accept_as(app, &token, user, &app.own(user).actor, act.now).await.unwrap();
}

async fn what_a_person_lost_is_refused_on_every_node_at_the_next_call(app: &TestApp) {
    let other = app.second_node().await;
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Read orders", &["orders:read"]).await.id;
    let group = desk.user_group("Readers", &[policy]).await.id;
    let user = desk.newcomer("ida@example.com", Role::Member).await;
    let is_in = async |is_in: bool| {
        let people = if is_in { [user.id].into() } else { [].into() };
        desk.edit_user_group(group, |it| it.members = people).await;
    };
    is_in(true).await;
    let keys = [app.personal_key(&user).await, app.personal_key(&user).await];
    let ask = async |key: &Issued| {
        let token = key.token();
        let mut told = Vec::new();
        for node in [app, &other] {
            let answer = node.service().asks(token.expose(), "permission=orders:read").await;
            told.push(answer.status);
        }
        (told[0], told[1])
    };
    for _ in 0..20 {
        assert_eq!(ask(&keys[1]).await, (204, 204));
        is_in(false).await;
        assert_eq!(ask(&keys[1]).await, (403, 403));
        is_in(true).await;
    }
    assert_eq!(ask(&keys[0]).await, (204, 204));
    personal_keys::delete(&app.own(&user), keys[0].key.id).await.unwrap();
    assert_eq!(ask(&keys[0]).await, (401, 401));
    assert_eq!(ask(&keys[1]).await, (204, 204));
    members::remove(&desk.act(), user.id).await.unwrap();
    assert_eq!(ask(&keys[1]).await, (401, 401));
    other.stop().await;
}

async fn whoever_deletes_a_personal_key_is_told_where_it_is_refused(app: &TestApp) {
    let other = app.second_node().await;
    let user = app.user("acme", Role::Member).await;
    let key = app.personal_key(&user).await;
    let path = format!("/auth/api-keys/keys/{}", key.key.id);
    let answer = app.service().person(&user.email, "DELETE", &path).await;
    let told = answer.header("keyward-applied").expect("it says so");
    assert!(told.starts_with("nodes=2, confirmed=2, ms="), "{told}");
    other.stop().await;
}
