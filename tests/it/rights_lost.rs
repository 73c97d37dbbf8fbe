//! Who was let in, and lost it before the change began: what counts is the instant of the lock.
use keyward::{
    audit::{Actor, Client},
    automation_tokens::{self, NewToken},
    calendar,
    domain::{ApiScopes, Role, SecretText},
    error::Error,
    key_instances, members, notices,
    pepper::random_token,
    subscriptions::{self, Act, NewSubscription},
    users,
};

use crate::support::{PASSWORD, TestApp, generated, ids, on_both, own_text};

on_both! {
    whoever_lost_the_role_meanwhile_changes_nothing,
    a_token_that_was_revoked_meanwhile_changes_nothing,
    whoever_lost_the_ownership_meanwhile_changes_nothing,
    a_first_admins_link_dies_with_the_ownership,
}

async fn whoever_lost_the_role_meanwhile_changes_nothing(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let second = desk.newcomer("second@acme.example", Role::Admin).await;
    let other = app.user("acme", Role::Member).await;
    let (scope, _) = subscriptions::enter(&app.db, second.id, &[], "acme").await.unwrap();
    let actor = Actor { user_id: Some(second.id), ..desk.act().actor };
    let late = Act { app, scope: &scope, actor, now: app.clock.now() };
    let of_key = ids(&key);
    key_instances::deactivate(&late, of_key).await.unwrap();
    members::change_role(&desk.act(), second.id, Role::Member).await.unwrap();
    let before = app.snapshot().await;
    let token = NewToken {
        name: "late".into(),
        scopes: ApiScopes::parse(["keys:write"]),
        ends_at: Some(desk.days(30).until().unwrap()),
    };
    let own = key_instances::NewKey {
        source: key_instances::Source::Own(SecretText::from_text(own_text(1))),
        ..generated(desk.days(30))
    };
    let told = "You are no longer an admin of this subscription.";
    for refused in [
        members::change_role(&late, second.id, Role::Admin).await.map(drop),
        members::change_role(&late, other.id, Role::Admin).await.map(drop),
        members::remove(&late, other.id).await.map(drop),
        members::invite_member(&late, "noor@acme.example", Role::Admin).await.map(drop),
        automation_tokens::create(&late, &token, &random_token()).await.map(drop),
        calendar::make(&late, None, None).await.map(drop),
        notices::add(&late, "https://hooks.invalid/", &random_token()).await.map(drop),
        key_instances::create(&late, of_key.0, own, &random_token()).await.map(drop),
        key_instances::revoke(&late, of_key).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Forbidden(it)) if it == told), "{refused:?}");
    }
    assert_eq!(app.snapshot().await, before);
}

async fn a_token_that_was_revoked_meanwhile_changes_nothing(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    for ends in [false, true] {
        let (id, text) = desk.token(&["keys:write"]).await;
        let (from, now) = ([127, 0, 0, 1].into(), app.clock.now());
        let known = automation_tokens::recognize(app, &text, from, now).await.unwrap();
        let (token, scope, _) = known.unwrap();
        let client = Client { address: from, agent: "program".into(), request_id: String::new() };
        let actor = automation_tokens::actor(&token, client);
        let late = || Act { app, scope: &scope, actor: actor.clone(), now: app.clock.now() };
        let create = async || {
            let new = generated(desk.days(30));
            key_instances::create(&late(), group, new, &random_token()).await.map(drop)
        };
        create().await.unwrap();
        if ends {
            app.clock.advance(chrono::TimeDelta::days(30));
        } else {
            automation_tokens::revoke(&desk.act(), id).await.unwrap();
        }
        let before = app.snapshot().await;
        let refused = create().await;
        assert!(matches!(refused, Err(Error::Unauthenticated)), "{ends}: {refused:?}");
        assert_eq!(app.snapshot().await, before);
    }
}

async fn whoever_lost_the_ownership_meanwhile_changes_nothing(app: &TestApp) {
    let acme = app.subscription("acme").await;
    let second = app.desk("acme").await.another_owner("second@example.com").await;
    let (actor, owner) = (app.own(&second).actor, app.owner_user().await);
    let now = app.clock.now();
    users::end_ownership(app, second.id, &app.own(&owner).actor, now).await.unwrap();
    let before = app.snapshot().await;
    let new = NewSubscription { name: "Globex".into(), slug: "globex".into() };
    let told = "You are no longer an owner of this installation.";
    for refused in [
        subscriptions::create(app, new, &actor, now).await.map(drop),
        subscriptions::rename(app, &acme, "Other", &actor, now).await,
        subscriptions::set_suspended(app, &acme, true, &actor, now).await,
        users::make_owner(app, "admin@acme.example", &actor, now).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Forbidden(it)) if it == told), "{refused:?}");
    }
    assert_eq!(app.snapshot().await, before);
}

/// Else who was turned out could come back as the admin of a subscription that has none yet.
async fn a_first_admins_link_dies_with_the_ownership(app: &TestApp) {
    let second = app.desk("acme").await.another_owner("second@example.com").await;
    let (globex, now) = (app.subscription("globex").await, app.clock.now());
    let (owner, by) = (app.owner_user().await, app.own(&second).actor);
    let invite = async |by| {
        let wanted = "new@globex.example";
        let token = subscriptions::invite_admin(app, &globex, wanted, by, now).await.unwrap();
        format!("/invitations/{token}")
    };
    let link = invite(&by).await;
    users::end_ownership(app, second.id, &app.own(&owner).actor, now).await.unwrap();
    let members = app.count("members").await;
    app.anonymous().get(&link).await.expect(404);
    let fields = [("name", "N"), ("password", PASSWORD)];
    app.anonymous().post(&link, &fields).await.expect(404);
    assert_eq!(app.count("members").await, members);
    let link = invite(&app.own(&owner).actor).await;
    app.anonymous().post(&link, &fields).await.expect(303);
    assert_eq!(app.count("members").await, members + 1);
}
