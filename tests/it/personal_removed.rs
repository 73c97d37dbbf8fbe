//! What becomes of the personal keys of somebody who was removed, or owns the installation no more.
use keyward::{
    domain::{Refusal, Role},
    error::Error,
    members, personal_keys, users,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, on_both};

on_both! {
    who_was_removed_has_no_public_half_and_makes_no_key,
    keys_of_an_owner_without_a_subscription_end_with_the_ownership,
    a_personal_key_of_a_person_from_elsewhere_is_unknown,
}

async fn public(app: &TestApp) -> Vec<String> {
    let answer = app.service().ask(Method::GET, "/.well-known/jwks.json", &[]).await.expect(200);
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    keys.iter().map(|it| it["kid"].as_str().unwrap().to_owned()).collect()
}

async fn who_was_removed_has_no_public_half_and_makes_no_key(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (gone, stays) =
        (app.user("acme", Role::Member).await, app.user("acme", Role::Auditor).await);
    let first = app.personal_key(&gone).await;
    // Ids are in order of their instants, and of one instant in none.
    app.clock.advance(chrono::TimeDelta::minutes(1));
    let keys = [first, app.personal_key(&stays).await];
    assert_eq!(public(app).await.len(), 2);
    members::remove(&desk.act(), gone.id).await.unwrap();
    assert_eq!(public(app).await, [keys[1].key.id.to_string()]);
    app.service().bearer(keys[0].token().expose()).await.expect(401);
    let refused = app.try_personal_key(&gone, None).await.map(drop).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::MemberOfNothing)), "{refused:?}");
    // Where a page ends does not depend on what is left out.
    let page = personal_keys::public_keys(app, None, 1, app.clock.now()).await.unwrap();
    assert!(page.keys.is_empty());
    assert_eq!(page.next, Some(keys[0].key.id));
}

async fn keys_of_an_owner_without_a_subscription_end_with_the_ownership(app: &TestApp) {
    let second = app.desk("acme").await.another_owner("second@example.com").await;
    let owner = app.owner_user().await;
    let admin = app.desk("acme").await;
    if members::find(&admin.act(), second.id).await.is_ok() {
        members::remove(&admin.act(), second.id).await.unwrap();
    }
    let key = app.personal_key(&second).await.token();
    app.service().bearer(key.expose()).await.expect(204);
    let now = app.clock.now();
    users::end_ownership(app, second.id, &app.own(&owner).actor, now).await.unwrap();
    app.service().bearer(key.expose()).await.expect(401);
    assert!(public(app).await.is_empty());
}

async fn a_personal_key_of_a_person_from_elsewhere_is_unknown(app: &TestApp) {
    let program = app.program(&["keys:verify"]).await;
    let user = app.user("globex", Role::Member).await;
    let soon = app.clock.now() + chrono::TimeDelta::days(1);
    let endless = app.personal_key(&user).await.token();
    let short = app.try_personal_key(&user, Some(soon)).await.unwrap().token();
    for _ in 0..2 {
        for key in [&endless, &short] {
            let question = json!({ "secret": key.expose() });
            let told: Value = program.post("/verify", question).await.expect(200).json();
            assert_eq!(told, json!({ "valid": false, "code": "unknown" }));
        }
        app.clock.advance(chrono::TimeDelta::days(1));
    }
}
