//! The summaries of groups and subscriptions are what their instances say, after any sequence of
//! acts and however much time has passed.
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use keyward::{
    access::Held,
    domain::{ActivePeriod, Coverage, Facts, SecretText, lifecycle::Overlap},
    key_groups::{self, Description, KeyGroup},
    key_instances::{self, KeyInstance, NewKey, Source},
    pepper::random_token,
    subscriptions::{self, Subscription},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

use crate::support::{Desk, TestApp, on_both, own_text};

on_both! { summaries_are_what_the_instances_say_after_any_sequence_of_acts }

const STEPS: usize = 250;

async fn summaries_are_what_the_instances_say_after_any_sequence_of_acts(app: &TestApp) {
    let mut done = HashMap::new();
    for seed in [1, 2] {
        let desk = app.desk("acme").await;
        let mut walk = Walk { app, desk, rng: StdRng::seed_from_u64(seed), done };
        for step in 0..STEPS {
            walk.step(step).await;
            if step % 10 == 9 {
                walk.check(&format!("seed {seed}, step {step}")).await;
            }
        }
        done = walk.done;
    }
    // Ids are random, and with them what is picked: over both walks each act has its turn.
    assert!(done.len() == 9, "{done:?}");
}

struct Walk<'a> {
    app: &'a TestApp,
    desk: Desk<'a>,
    rng: StdRng,
    /// How often each act was possible.
    done: HashMap<&'static str, usize>,
}

impl Walk<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    async fn step(&mut self, n: usize) {
        let act = self.rng.random_range(0..12);
        let period = self.period();
        let instances = self.instances().await;
        let pick = self.rng.random_range(0..instances.len().max(1));
        let Some(it) = instances.get(pick) else { return self.group(period, n).await };
        let ids = (it.key_group_id, it.id);
        let verb = self.desk.act();
        let (name, done) = match act {
            0 => return self.group(period, n).await,
            1 => return self.delete(it.key_group_id).await,
            2 | 3 => {
                let source = match n % 3 {
                    0 => Source::Own(SecretText::from_text(own_text(n))),
                    _ => Source::Generate,
                };
                let new = NewKey { source, period, note: String::new() };
                let token = random_token();
                ("create", key_instances::create(&verb, ids.0, new, &token).await.map(drop))
            }
            4 => ("period", key_instances::change_period(&verb, ids, period).await.map(drop)),
            5 => ("deactivate", key_instances::deactivate(&verb, ids).await.map(drop)),
            6 => ("reactivate", key_instances::reactivate(&verb, ids, period).await.map(drop)),
            7 => ("revoke", key_instances::revoke(&verb, ids).await.map(drop)),
            8 => {
                let overlaps = [Overlap::None, Overlap::Hours(24), Overlap::Own];
                let new = NewKey { source: Source::Generate, period, note: String::new() };
                let (overlap, token) = (overlaps[n % 3], random_token());
                ("rotate", key_instances::rotate(&verb, ids, new, overlap, &token).await.map(drop))
            }
            9 => ("replace", key_instances::replace(&verb, ids, &random_token()).await.map(drop)),
            _ => {
                let hours = self.rng.random_range(1..24 * 12);
                self.app.clock.advance(TimeDelta::hours(hours));
                return;
            }
        };
        if done.is_ok() {
            *self.done.entry(name).or_default() += 1;
        }
    }

    /// Short and long ones, running and waiting ones, without an end and already over.
    fn period(&mut self) -> ActivePeriod {
        let from = self.now() + TimeDelta::hours(self.rng.random_range(-24 * 9..24 * 9));
        let days = [1, 3, 6, 14, 28, 90, 200][self.rng.random_range(0..7)];
        let until = (!self.rng.random_bool(0.1)).then(|| from + TimeDelta::days(days));
        ActivePeriod::new(from, until).unwrap()
    }

    async fn group(&mut self, period: ActivePeriod, n: usize) {
        let name = format!("{n} {}", random_token());
        let described = Description { name, ..Default::default() };
        let first = NewKey { source: Source::Generate, period, note: String::new() };
        let new = (&described, &Held::default());
        let made = key_groups::create(&self.desk.act(), new, first, &random_token()).await;
        if made.is_ok() {
            *self.done.entry("group").or_default() += 1;
        }
    }

    async fn delete(&mut self, id: Uuid) {
        let group = key_groups::find(&self.desk.act(), id).await.unwrap();
        // Often enough to count, seldom enough to keep some.
        if self.rng.random_bool(0.4) {
            key_groups::delete(&self.desk.act(), id, group.version).await.unwrap();
            *self.done.entry("delete").or_default() += 1;
        }
    }

    async fn instances(&self) -> Vec<KeyInstance> {
        let filter = key_instances::Filter::default();
        key_instances::list(&self.desk.act(), &filter, 10_000).await.unwrap().instances
    }

    async fn check(&self, at: &str) {
        let act = self.desk.act();
        key_groups::bring_up_to_date(&act).await.unwrap();
        let groups = key_groups::list(&act, &key_groups::Filter::default(), 10_000).await.unwrap();
        let mut of_group: HashMap<Uuid, Vec<Facts>> = HashMap::new();
        for it in self.instances().await {
            of_group.entry(it.key_group_id).or_default().push(it.facts());
        }
        assert_eq!(groups.groups.len(), of_group.len(), "{at}");
        for group in &groups.groups {
            let expected = Coverage::of(&of_group[&group.id], self.now());
            let counts = expected.counts;
            let stored = [
                group.active_count,
                group.soon_count,
                group.future_count,
                group.expired_count,
                group.deactivated_count,
            ];
            let computed =
                [counts.active, counts.soon, counts.future, counts.expired, counts.deactivated];
            assert_eq!(stored, computed, "{at}: {group:?}");
            assert_eq!(group.run(), expected.run, "{at}: {group:?}");
            assert_eq!(group.warns, counts.soon > 0, "{at}: {group:?}");
            let changes = group.changes_at.map(|it| DateTime::from_timestamp_millis(it).unwrap());
            assert!(changes.is_none_or(|it| it > self.now()), "{at}: {group:?}");
            let ahead = changes.zip(expected.changes_at).is_none_or(|it| it.0 <= it.1);
            assert!(ahead && changes.is_some() == expected.changes_at.is_some(), "{at}: {group:?}");
        }
        let subscription = subscriptions::by_slug(&self.app.db, "acme").await.unwrap();
        assert_eq!(stored(&subscription), summed(&groups.groups), "{at}");
    }
}

fn stored(it: &Subscription) -> [i32; 10] {
    [
        it.group_count,
        it.warning_groups,
        it.no_successor_groups,
        it.nothing_active_groups,
        it.attention_groups,
        it.active_count,
        it.soon_count,
        it.future_count,
        it.expired_count,
        it.deactivated_count,
    ]
}

fn summed(groups: &[KeyGroup]) -> [i32; 10] {
    let sum = |of: fn(&KeyGroup) -> i32| groups.iter().map(of).sum();
    [
        sum(|_| 1),
        sum(|it| it.warns.into()),
        sum(|it| it.no_successor.into()),
        sum(|it| it.nothing_active.into()),
        sum(|it| (it.attention != 0).into()),
        sum(|it| it.active_count),
        sum(|it| it.soon_count),
        sum(|it| it.future_count),
        sum(|it| it.expired_count),
        sum(|it| it.deactivated_count),
    ]
}
