//! `POST /api/v1/verify`: a service asks about a secret that was shown to it.
use keyward::domain::Role;
use serde_json::{Value, json};

use crate::support::{Program, TestApp, held, ids, on_both};

on_both! {
    a_good_secret_of_each_kind_is_valid_and_says_what_it_may_do,
    a_secret_that_is_not_good_says_why,
    what_belongs_to_another_subscription_is_as_unknown_as_what_never_was,
    a_question_that_makes_no_sense_is_refused,
    its_calls_count_as_uses,
}

async fn asked(program: &Program<'_>, question: Value) -> Value {
    program.post("/verify", question).await.expect(200).json()
}

async fn a_good_secret_of_each_kind_is_valid_and_says_what_it_may_do(app: &TestApp) {
    let desk = app.desk("acme").await;
    let program = app.program(&["keys:verify"]).await;
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Readers", &["orders:read"]).await.id;
    let key = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
    let told = asked(&program, json!({ "secret": key.secret.expose() })).await;
    assert_eq!((&told["valid"], &told["code"]), (&json!(true), &json!("accepted")));
    assert_eq!(told["subscription"], "acme");
    assert_eq!(told["key_group"]["name"], "quote-engine");
    assert_eq!(told["key_instance"], json!({ "id": key.instance.id, "label": "k-1" }));
    assert_eq!(told["permissions"], json!(["orders:read"]));
    let custom = "Zr7-qPw2Lk9xBn4Td6Vy";
    desk.own_key(key.instance.key_group_id, custom, desk.days(90)).await;
    assert_eq!(asked(&program, json!({ "secret": custom })).await["code"], "accepted");
    let client = desk.client("pipeline").await;
    let own = "9011@83sd!f1042ds+f19fg86M";
    desk.own_key(client.id, own, desk.days(90)).await;
    let question = json!({ "secret": own, "client_id": client.client_id });
    assert_eq!(asked(&program, question).await["valid"], true);
    let user = app.user("acme", Role::Member).await;
    let personal = app.personal_key(&user).await.token();
    let told = asked(&program, json!({ "secret": personal.expose() })).await;
    assert_eq!((&told["valid"], &told["user"]), (&json!(true), &json!(user.email)));
}

async fn a_secret_that_is_not_good_says_why(app: &TestApp) {
    let desk = app.desk("acme").await;
    let program = app.program(&["keys:verify"]).await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let secret = key.secret.expose();
    let question = json!({ "secret": secret, "permission": "orders:read" });
    let told = asked(&program, question).await;
    assert_eq!(told, json!({ "valid": false, "code": "insufficient_permissions" }));
    keyward::key_instances::revoke(&desk.act(), ids(&key)).await.unwrap();
    let told = asked(&program, json!({ "secret": secret })).await;
    assert_eq!(told, json!({ "valid": false, "code": "revoked" }));
    for never in ["", "x", "kw_0123", &secret[1..]] {
        let told = asked(&program, json!({ "secret": never })).await;
        assert_eq!(told, json!({ "valid": false, "code": "unknown" }), "{never}");
    }
}

async fn what_belongs_to_another_subscription_is_as_unknown_as_what_never_was(app: &TestApp) {
    let program = app.program(&["keys:verify"]).await;
    let desk = app.desk("globex").await;
    let foreign = desk.group("batch", desk.days(90)).await;
    let told = asked(&program, json!({ "secret": foreign.secret.expose() })).await;
    assert_eq!(told, json!({ "valid": false, "code": "unknown" }));
    // And it is not told there that somebody asked.
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let seen = app.query("SELECT last_refused_at FROM key_instances").await;
    assert!(seen[0]["last_refused_at"].is_null());
}

async fn a_question_that_makes_no_sense_is_refused(app: &TestApp) {
    let program = app.program(&["keys:verify"]).await;
    for (question, pointer) in [
        (json!({ "secret": "x", "permission": "orders" }), "/permission"),
        (json!({ "secret": "x", "workspace": "No Slug" }), "/workspace"),
        (json!({ "secret": "x", "tenant": "globex" }), "/tenant"),
        (json!({ "permission": "orders:read" }), ""),
    ] {
        let told = program.post("/verify", question).await.expect(422).json();
        assert_eq!(told["errors"][0]["pointer"], pointer);
    }
}

async fn its_calls_count_as_uses(app: &TestApp) {
    let desk = app.desk("acme").await;
    let program = app.program(&["keys:verify"]).await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    asked(&program, json!({ "secret": key.secret.expose() })).await;
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let seen = app.query("SELECT last_used_at FROM key_instances").await;
    assert!(seen[0]["last_used_at"].is_i64());
}
