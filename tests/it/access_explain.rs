//! What is explained and foretold is what happens: every combination of a small world, asked both
//! of `explain` and of `/verify`.
use std::collections::{BTreeSet, HashMap};

use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use keyward::{
    access::{
        self, Catalogue, Held,
        explain::{self, Subject},
        impact,
    },
    domain::{
        ActivePeriod, Facts, Permissions,
        access::{Place, Source},
    },
    key_instances,
};
use uuid::Uuid;

use crate::support::{Desk, TestApp, held, ids, on_both};

on_both! {
    explain_agrees_with_verify_in_every_combination,
    what_a_removal_would_lose_is_lost_by_it,
    an_impact_foretells_exactly_what_an_edit_does,
    only_accepted_calls_of_thirty_days_and_of_touched_groups_are_counted,
}

const STATES: [(&str, &str); 5] = [
    ("active", ""),
    ("expired", "expired"),
    ("deactivated", "deactivated"),
    ("revoked", "revoked"),
    ("future", "not_yet_active"),
];
const ASKED: [Option<&str>; 3] = [Some("s:p"), Some("s:q"), None];
/// What `workspace=` says; empty: nothing is said.
const PLACES: [&str; 4] = ["", "w1", "w2", "unknown"];

/// A key group of the world.
struct Group {
    held: Held,
    /// What it may do, by the place: told by hand, from how the group was made.
    may: [&'static str; 4],
    /// By state.
    keys: Vec<(String, Facts)>,
    id: Uuid,
}

/// {no policy, A, B} x {no user group, U1, U2, both} x {no role, in W1, in W2, everywhere}.
async fn world(app: &TestApp, desk: &Desk<'_>, states: usize) -> Vec<Group> {
    desk.declare("s", &["p", "q"]).await;
    let a = desk.policy("A", &["s:p"]).await.id;
    let b = desk.policy("B", &["s:q"]).await.id;
    let both = desk.policy("P and Q", &["s:p", "s:q"]).await.id;
    let groups = [desk.user_group("U1", &[a]).await.id, desk.user_group("U2", &[b]).await.id];
    let (w1, w2) = (desk.workspace("W1").await.id, desk.workspace("W2").await.id);
    let roles = [None, Some(Some(w1)), Some(Some(w2)), Some(None)];
    let mut made = Vec::new();
    for workspace in roles {
        made.push(match workspace {
            Some(workspace) => Some(desk.role(both, workspace).await.id),
            None => None,
        });
    }
    let mut all = Vec::new();
    for (policy, grants_policy) in [(None, ""), (Some(a), "p"), (Some(b), "q")] {
        for (user_groups, grants_groups) in
            [(&[][..], ""), (&groups[..1], "p"), (&groups[1..], "q"), (&groups[..], "pq")]
        {
            for (n, role) in made.iter().enumerate() {
                let roles: BTreeSet<Uuid> = role.iter().copied().collect();
                let held = Held { roles, ..held(policy, user_groups) };
                let may = [n == 3, n == 1 || n == 3, n == 2 || n == 3].map(|by_role| {
                    let grants =
                        |it| by_role || grants_policy.contains(it) || grants_groups.contains(it);
                    match (grants('p'), grants('q')) {
                        (true, true) => "s:p s:q",
                        (true, false) => "s:p",
                        (false, true) => "s:q",
                        (false, false) => "",
                    }
                });
                let may = [may[0], may[1], may[2], ""];
                let name = format!("group {}", all.len());
                all.push(group(app, desk, (&name, held, may), states).await);
            }
        }
    }
    assert_eq!(all.len(), 3 * 4 * 4);
    all
}

/// With a key in each of the first `states`.
async fn group(
    app: &TestApp,
    desk: &Desk<'_>,
    (name, held, may): (&str, Held, [&'static str; 4]),
    states: usize,
) -> Group {
    let mut keys = vec![desk.group_with(name, &held).await];
    let id = keys[0].instance.key_group_id;
    let later = app.clock.now() + TimeDelta::days(30);
    let future = ActivePeriod::new(later, Some(later + TimeDelta::days(30))).unwrap();
    let day = desk.days(1);
    for (state, _) in &STATES[1..states] {
        let period = match *state {
            "expired" => day,
            "future" => future,
            _ => desk.days(90),
        };
        let key = desk.key(id, period).await;
        match *state {
            "deactivated" => drop(key_instances::deactivate(&desk.act(), ids(&key)).await.unwrap()),
            "revoked" => drop(key_instances::revoke(&desk.act(), ids(&key)).await.unwrap()),
            _ => {}
        }
        keys.push(key);
    }
    let mut with_facts = Vec::new();
    for key in keys {
        let facts = key_instances::find(&desk.act(), ids(&key)).await.unwrap().facts();
        with_facts.push((key.secret.expose().to_owned(), facts));
    }
    Group { held, may, keys: with_facts, id }
}

/// As a gateway hears it: the status, the reason of a refusal, and all that the key may do.
type Heard = (u16, String, String);

async fn ask(app: &TestApp, key: &str, asked: Option<&str>, place: &str) -> Heard {
    let mut question = Vec::new();
    question.extend(asked.map(|it| format!("permission={it}")));
    question.extend(Some(place).filter(|it| !it.is_empty()).map(|it| format!("workspace={it}")));
    let answer = app.service().asks(key, &question.join("&")).await;
    let text = |name| answer.header(name).unwrap_or_default().to_owned();
    (answer.status, text("keyward-reason"), text("keyward-permissions"))
}

async fn explain_agrees_with_verify_in_every_combination(app: &TestApp) {
    let desk = app.desk("acme").await;
    let world = world(app, &desk, STATES.len()).await;
    app.clock.advance(TimeDelta::days(1));
    let all = Catalogue::load(&desk.act()).await.unwrap();
    let mut questions = Vec::new();
    for group in 0..world.len() {
        for state in 0..STATES.len() {
            for asked in ASKED {
                questions.extend((0..PLACES.len()).map(|place| (group, state, asked, place)));
            }
        }
    }
    assert_eq!(questions.len(), 48 * 5 * 3 * 4);
    let heard = stream::iter(questions).map(|it| {
        let (group, state, asked, place) = it;
        let key = &world[group].keys[state].0;
        async move { (it, ask(app, key, asked, PLACES[place]).await) }
    });
    let heard: HashMap<_, _> = heard.buffer_unordered(16).collect().await;
    let now = app.clock.now();
    for ((group, state, asked, place), (status, reason, list)) in &heard {
        let (it, (name, refused)) = (&world[*group], STATES[*state]);
        let at = format!("{name}: {asked:?} in {:?} of {:?}", PLACES[*place], it.held);
        // What verification must say, told by hand.
        let may = it.may[*place];
        let lacks = asked.is_some_and(|it| !may.contains(it));
        let expected = match (refused, lacks) {
            ("", false) => (204, ""),
            ("", true) => (403, "insufficient_permissions"),
            _ => (401, refused),
        };
        assert_eq!((*status, reason.as_str()), expected, "{at}");
        assert_eq!(list, if *status == 204 { may } else { "" }, "{at}");
        // What is explained.
        let place = all.asked(PLACES[*place]);
        let facts = Some(&it.keys[*state].1);
        let of_key = Subject { held: &it.held, suspended: false, facts };
        let answer = explain::ask(&all, &of_key, (*asked, place), now);
        let told = answer.verdict.map_or_else(|it| it.code().to_owned(), |()| String::new());
        assert_eq!(told, *reason, "{at}");
        let granted = asked.is_some() && !lacks;
        assert_eq!(!answer.why.is_empty(), granted, "{at}");
        for (source, policy) in &answer.why {
            assert!(it.held.sources().any(|held| held == *source), "{at}: {source:?}");
            let policy = all.policy(*policy).unwrap().set();
            assert!(policy.contains(asked.unwrap()), "{at}: {policy:?}");
        }
        let would = all.policies.iter().filter(|it| it.set().contains(asked.unwrap_or("")));
        let would: Vec<_> = would.map(|it| it.id).collect();
        assert_eq!(answer.would, if granted { Vec::new() } else { would }, "{at}");
        // Each place that is named instead is one where it is granted, and one is named if any is.
        let granted_at = |place: &Place| match place {
            Place::Subscription => it.may[0].contains(asked.unwrap()),
            Place::Workspace(id) => {
                let slug = &all.workspace(*id).unwrap().slug;
                it.may[if slug == "w1" { 1 } else { 2 }].contains(asked.unwrap())
            }
            Place::Nowhere => false,
        };
        let elsewhere = lacks && it.may.iter().any(|may| may.contains(asked.unwrap()));
        assert_eq!(!answer.elsewhere.is_empty(), elsewhere, "{at}");
        assert!(answer.elsewhere.iter().all(granted_at), "{at}: {:?}", answer.elsewhere);
        // Of the group the same as of its active key.
        let of_group = Subject { facts: None, ..of_key };
        let verdict = explain::ask(&all, &of_group, (*asked, place), now).verdict;
        assert_eq!(verdict.is_ok(), !lacks, "{at}");
    }
    let owner = app.owner().await;
    owner.post("/subscriptions/acme/suspension", &[("confirm", "acme")]).await.expect(303);
    for (it, asked) in world.iter().zip(ASKED.into_iter().cycle()) {
        let heard = ask(app, &it.keys[0].0, asked, "").await;
        let of_key = Subject { held: &it.held, suspended: true, facts: Some(&it.keys[0].1) };
        let told = explain::ask(&all, &of_key, (asked, Place::Subscription), now).verdict;
        assert_eq!((heard.0, heard.1.as_str()), (401, "suspended"));
        assert_eq!(told.unwrap_err().code(), "suspended");
    }
}

/// What a group is told that it may do, in each place that is one.
async fn may(app: &TestApp, key: &str) -> Vec<(&'static str, Permissions)> {
    let mut all = Vec::new();
    for place in &PLACES[..3] {
        let (status, _, list) = ask(app, key, None, place).await;
        assert_eq!(status, 204);
        all.push((*place, Permissions::stored(list)));
    }
    all
}

/// `told` is what is in `before` and not in `after`: at each place what goes there is told for it, or
/// for the whole subscription; and what is told for a place goes there.
fn is_difference(
    all: &Catalogue,
    told: &[(Place, Permissions)],
    before: &[(&str, Permissions)],
    after: &[(&str, Permissions)],
) -> bool {
    let tells = |at, name: &str| told.iter().any(|it| it.0 == at && it.1.contains(name));
    let mut places = before.iter().zip(after);
    places.all(|((place, before), (_, after))| {
        let place = all.asked(place);
        ["s:p", "s:q"].iter().all(|name| {
            let goes = before.contains(name) && !after.contains(name);
            let is_told = tells(place, name) || tells(Place::Subscription, name);
            (!goes || is_told) && (goes || !tells(place, name))
        })
    })
}

async fn what_a_removal_would_lose_is_lost_by_it(app: &TestApp) {
    let desk = app.desk("acme").await;
    let world = world(app, &desk, 1).await;
    let all = Catalogue::load(&desk.act()).await.unwrap();
    let (mut removals, mut losses) = (0, 0);
    // Every group that holds something of two kinds or more, every other of those that hold less.
    let many = |it: &Group| it.held.sources().count() > 1;
    for (n, it) in world.iter().enumerate().filter(|(n, it)| many(it) || n % 2 == 1) {
        for source in it.held.sources().collect::<Vec<_>>() {
            let told = explain::lost_without(&all, &it.held, source);
            let mut less = it.held.clone();
            match source {
                Source::Policy(_) => less.policy = None,
                Source::UserGroup(id) => assert!(less.user_groups.remove(&id)),
                Source::Role(id) => assert!(less.roles.remove(&id)),
            }
            let before = may(app, &it.keys[0].0).await;
            desk.give(it.id, &less).await.unwrap();
            let after = may(app, &it.keys[0].0).await;
            let agrees = is_difference(&all, &told, &before, &after);
            assert!(agrees, "group {n}, {source:?}: {told:?}, but {before:?} became {after:?}");
            desk.give(it.id, &it.held).await.unwrap();
            (removals, losses) = (removals + 1, losses + usize::from(!told.is_empty()));
        }
    }
    assert!(removals > 60 && losses > 20 && losses < removals, "{losses} of {removals}");
}

async fn an_impact_foretells_exactly_what_an_edit_does(app: &TestApp) {
    let desk = app.desk("acme").await;
    let world = world(app, &desk, 1).await;
    desk.key(world[47].id, desk.days(9)).await;
    let act = desk.act();
    for (name, edited) in [("A", &["s:q"][..]), ("A", &[]), ("P and Q", &["s:p"]), ("B", &["s:p"])]
    {
        let all = Catalogue::load(&act).await.unwrap();
        let policy = all.policies.iter().find(|it| it.name == name).unwrap().clone();
        let edited: Permissions = edited.iter().copied().collect();
        let changed = all.clone().with_policy(policy.id, &edited);
        let (ways, sets) = (all.ways_to(policy.id), (&policy.set(), &edited));
        let told = impact::shared(&act, (&all, &changed), &ways, sets).await.unwrap();
        let touched: Vec<_> =
            world.iter().filter(|it| it.held.sources().any(|held| ways.contains(&held))).collect();
        let keys = touched.len() + usize::from(touched.iter().any(|it| it.id == world[47].id));
        assert_eq!((told.key_groups, told.keys), (touched.len() as i64, keys as i64), "{name}");
        assert!(told.removed.iter().all(|it| it.place == Place::Subscription), "{name}");
        let removed: Vec<&str> = told.removed.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(removed.join(" "), policy.set().without(&edited).as_str(), "{name}");
        let mut added = vec![(Place::Subscription, edited.without(&policy.set()))];
        added.retain(|it| !it.1.is_empty());
        assert_eq!(told.added, added, "{name}");
        assert_eq!(told.groups.len(), 10.min(touched.len()), "{name}: the rest is counted");
        let mut before = HashMap::new();
        for it in &world {
            before.insert(it.id, may(app, &it.keys[0].0).await);
        }
        let wanted: Vec<&str> = edited.iter().collect();
        desk.edit_policy(policy.id, &wanted).await.unwrap();
        for it in &world {
            let (before, after) = (&before[&it.id], may(app, &it.keys[0].0).await);
            if let Some(told) = told.groups.iter().find(|told| told.group.id == it.id) {
                assert!(is_difference(&all, &told.lost, before, &after), "{name}: {told:?}");
                assert!(is_difference(&all, &told.gained, &after, before), "{name}: {told:?}");
            }
            let is_touched = touched.iter().any(|touched| touched.id == it.id);
            assert!(is_touched || *before == after, "{name}: {:?} is not told", it.held);
        }
    }
}

async fn only_accepted_calls_of_thirty_days_and_of_touched_groups_are_counted(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("s", &["p", "q", "r"]).await;
    let policy = desk.policy("Edited", &["s:p", "s:q"]).await.id;
    let same = desk.policy("Another", &["s:p", "s:q"]).await.id;
    let user_group = desk.user_group("Group", &[policy]).await.id;
    let workspace = desk.workspace("W1").await.id;
    let role = desk.role(policy, Some(workspace)).await.id;
    let own = desk.group_with("own", &held(Some(policy), &[user_group])).await;
    let roles = Held { roles: [role].into(), ..Held::default() };
    let through_role = desk.group_with("role", &roles).await;
    let untouched = desk.group_with("untouched", &held(Some(same), &[])).await;
    let calls = async |key: &str, question: &str, status: u16, n: usize| {
        for _ in 0..n {
            app.service().asks(key, question).await.expect(status);
        }
        app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    };
    let key = own.secret.expose();
    calls(key, "permission=s:p", 204, 3).await;
    calls(key, "permission=s:r", 403, 2).await;
    calls(key, "", 204, 5).await;
    calls(through_role.secret.expose(), "permission=s:p&workspace=w1", 204, 4).await;
    calls(through_role.secret.expose(), "permission=s:p", 403, 2).await;
    calls(untouched.secret.expose(), "permission=s:p", 204, 7).await;
    app.clock.advance(TimeDelta::days(1));
    calls(key, "permission=s:p", 204, 1).await;
    calls(key, "permission=s:q", 204, 2).await;
    let told = async || {
        let act = desk.act();
        let all = Catalogue::load(&act).await.unwrap();
        let edited: Permissions = ["s:r"].into_iter().collect();
        let changed = all.clone().with_policy(policy, &edited);
        let sets = (&all.policy(policy).unwrap().set(), &edited);
        let ways = all.ways_to(policy);
        impact::shared(&act, (&all, &changed), &ways, sets).await.unwrap()
    };
    let removed = |p: i64, q: i64| {
        let one = |name: &str, calls| {
            let (place, name) = (Place::Subscription, name.to_owned());
            impact::Removed { place, name, calls }
        };
        vec![one("s:p", p), one("s:q", q)]
    };
    let impact = told().await;
    assert_eq!((impact.key_groups, impact.keys), (2, 2));
    assert_eq!(impact.removed, removed(3 + 4 + 1, 2));
    // Today and the 29 days before it.
    app.clock.advance(TimeDelta::days(28));
    assert_eq!(told().await.removed, removed(8, 2));
    app.clock.advance(TimeDelta::days(1));
    assert_eq!(told().await.removed, removed(1, 2));
    app.clock.advance(TimeDelta::days(1));
    assert_eq!(told().await.removed, removed(0, 0));
    // An edit of what one group holds counts the calls of this one.
    calls(key, "permission=s:p", 204, 3).await;
    calls(through_role.secret.expose(), "permission=s:p&workspace=w1", 204, 4).await;
    let (act, all) = (desk.act(), Catalogue::load(&desk.act()).await.unwrap());
    let group = keyward::key_groups::find(&act, own.instance.key_group_id).await.unwrap();
    let now = access::of_group(&act, group.id).await.unwrap();
    let impact = impact::of_group(&act, &all, &group, (&now, &Held::default())).await.unwrap();
    assert_eq!((impact.removed, impact.keys), (removed(3, 0), 1));
}
