//! Which reason is told where several hold, by memory and by the database.
use std::time::Duration;

use chrono::TimeDelta;
use keyward::{
    domain::{ActivePeriod, Role},
    key_instances,
};

use crate::support::{Database, TestApp, eventually, ids, on_both};

on_both! {
    what_is_told_first_is_the_subscription_then_the_act_then_the_end,
    without_memory_each_denial_comes_from_the_database,
    of_several_subscriptions_one_that_is_not_suspended_must_be_left,
    a_key_must_be_of_the_subscription_that_the_gateway_names,
}

const SOON: Duration = Duration::from_secs(5);

async fn told(app: &TestApp, key: &str) -> String {
    let answer = app.service().bearer(key).await.expect(401);
    answer.header("keyward-reason").unwrap().to_owned()
}

async fn told_at(app: &TestApp, key: &str, tenant: &str) -> String {
    let answer = app.service().synthetic(key, tenant).await.expect(401);
    answer.header("keyward-reason").unwrap().to_owned()
}

async fn what_is_told_first_is_the_subscription_then_the_act_then_the_end(app: &TestApp) {
    let desk = app.desk("acme").await;
    app.subscription("globex").await;
    let first = desk.group("quote-engine", desk.days(1)).await;
    let dead = desk.group("dead", desk.days(1)).await;
    key_instances::revoke(&desk.act(), ids(&dead)).await.unwrap();
    let off = desk.group("off", desk.days(1)).await;
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    app.clock.advance(TimeDelta::days(2));
    for suspended in [false, true] {
        app.suspend("acme", suspended).await;
        for (key, why) in [(&first, "expired"), (&dead, "revoked"), (&off, "deactivated")] {
            let secret = key.secret.expose();
            assert_eq!(told(app, secret).await, if suspended { "suspended" } else { why });
            assert_eq!(told_at(app, secret, "globex").await, "wrong_subscription");
        }
    }
}

async fn without_memory_each_denial_comes_from_the_database(database: &Database) {
    let app = &TestApp::start(*database).await;
    let desk = app.desk("acme").await;
    app.subscription("globex").await;
    let short = desk.group("short", desk.days(1)).await;
    let from = app.clock.now() + TimeDelta::days(9);
    let later = ActivePeriod::new(from, Some(from + TimeDelta::days(1))).unwrap();
    let future = desk.group("future", later).await;
    let off = desk.group("off", desk.days(90)).await;
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    let good = desk.group("good", desk.days(90)).await;
    let own = app.personal_key(&app.user("acme", Role::Member).await).await.token();
    app.clock.advance(TimeDelta::days(1));
    app.without_memory().await;
    assert!(eventually(SOON, async || !app.live.is_trusted()).await);
    for (key, why) in [(&short, "expired"), (&future, "not_yet_active"), (&off, "deactivated")] {
        assert_eq!(told(app, key.secret.expose()).await, why);
    }
    app.service().bearer(good.secret.expose()).await.expect(204);
    app.service().bearer(own.expose()).await.expect(204);
    assert_eq!(told_at(app, good.secret.expose(), "globex").await, "wrong_subscription");
    app.execute("UPDATE subscriptions SET suspended_at = 1 WHERE slug = 'acme'").await;
    for key in [&short, &future, &off, &good] {
        assert_eq!(told(app, key.secret.expose()).await, "suspended");
    }
    assert_eq!(told(app, own.expose()).await, "suspended");
}

async fn of_several_subscriptions_one_that_is_not_suspended_must_be_left(app: &TestApp) {
    let user = app.user("acme", Role::Member).await;
    let globex = app.subscription("globex").await;
    let desk = app.desk("globex").await;
    let wanted = (user.email.as_str(), Role::Member);
    let actor = desk.act().actor;
    let token = keyward::members::invite(app, &globex, wanted, &actor, app.clock.now()).await;
    let own = app.own(&user).actor;
    keyward::members::accept_as(app, &token.unwrap(), &user, &own, app.clock.now()).await.unwrap();
    let key = app.personal_key(&user).await.token();
    app.suspend("acme", true).await;
    app.service().bearer(key.expose()).await.expect(204);
    app.suspend("globex", true).await;
    assert_eq!(told(app, key.expose()).await, "suspended");
    app.without_memory().await;
    assert!(eventually(SOON, async || !app.live.is_trusted()).await);
    assert_eq!(told(app, key.expose()).await, "suspended");
    app.execute("DELETE FROM members").await;
    assert_eq!(told(app, key.expose()).await, "wrong_subscription");
}

/// Permissions of different subscriptions can be called the same.
async fn a_key_must_be_of_the_subscription_that_the_gateway_names(app: &TestApp) {
    let desk = app.desk("acme").await;
    app.subscription("globex").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let user = app.personal_key(&app.user("acme", Role::Member).await).await.token();
    let own = crate::support::own_text(1);
    desk.own_key(key.instance.key_group_id, &own, desk.days(90)).await;
    for text in [key.secret.expose(), user.expose(), &own] {
        app.service().asks(text, "subscription=acme").await.expect(204);
        for (question, why) in [
            ("subscription=globex", "wrong_subscription"),
            ("subscription=nowhere", "wrong_subscription"),
        ] {
            let answer = app.service().asks(text, question).await.expect(401);
            let why = if text == own { "unknown" } else { why };
            assert_eq!(answer.header("keyward-reason"), Some(why), "{question}");
        }
    }
}
