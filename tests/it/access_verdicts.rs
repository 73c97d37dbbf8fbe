//! `/verify` with permissions: what a key may do, where, and what its holder is told.
use chrono::TimeDelta;
use keyward::{
    access::Held,
    domain::ActivePeriod,
    key_instances::{self, Issued, KeyInstance},
};
use reqwest::Method;

use crate::support::{Answer, Desk, TestApp, held, ids, on_both};

on_both! {
    an_accepted_key_is_told_all_that_it_may_do_in_order,
    a_key_passes_with_a_permission_that_it_holds_and_is_forbidden_without,
    the_last_refusal_tells_what_was_asked_for_and_where,
    whatever_else_refuses_a_key_is_told_before_a_lacking_permission,
    whatever_any_source_grants_the_key_has,
    a_role_counts_where_it_is_held,
    a_workspace_of_others_is_none_of_ours,
    a_question_that_makes_no_sense_is_no_call,
    least_privilege_needs_the_data_group_and_the_action_group,
    a_list_that_is_too_long_for_a_header_is_left_out,
    keys_inherit_what_their_group_holds_live,
}

fn reason(answer: &Answer) -> &str {
    answer.header("keyward-reason").expect("no reason is told")
}

/// What the key may do, as its gateway is told; empty: it is accepted, and may do nothing.
async fn told(app: &TestApp, key: &Issued, question: &str) -> String {
    let answer = app.service().asks(key.secret.expose(), question).await.expect(204);
    answer.header("keyward-permissions").expect("no permissions are told").to_owned()
}

/// Whether the key passes each of these questions; else only the permission lacks.
async fn passes(app: &TestApp, key: &Issued, questions: &[&str]) -> Vec<bool> {
    let mut all = Vec::new();
    for question in questions {
        let answer = app.service().asks(key.secret.expose(), question).await;
        if answer.status != 204 {
            assert_eq!((answer.status, reason(&answer)), (403, "insufficient_permissions"));
        }
        all.push(answer.status == 204);
    }
    all
}

async fn stored(desk: &Desk<'_>, key: &Issued) -> KeyInstance {
    key_instances::find(&desk.act(), ids(key)).await.unwrap()
}

async fn an_accepted_key_is_told_all_that_it_may_do_in_order(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["write", "read"]).await;
    desk.declare("Billing", &["pay"]).await;
    let orders = desk.policy("Orders", &["orders:write", "orders:read"]).await.id;
    let billing = desk.policy("Billing", &["Billing:pay", "orders:read"]).await.id;
    let payers = desk.user_group("Payers", &[billing]).await.id;
    let key = desk.group_with("quote-engine", &held(Some(orders), &[payers])).await;
    let bearer = format!("Bearer {}", key.secret.expose());
    for method in [Method::GET, Method::HEAD, Method::POST] {
        let headers = [("authorization", bearer.as_str())];
        let answer = app.service().ask(method.clone(), "/verify", &headers).await.expect(204);
        let told = answer.header("keyward-permissions");
        assert_eq!(told, Some("Billing:pay orders:read orders:write"), "{method}");
    }
    // Asked for one of them, it is told all the same.
    assert_eq!(
        self::told(app, &key, "permission=orders:read").await,
        "Billing:pay orders:read orders:write"
    );
    let nothing = desk.group_with("nothing", &Held::default()).await;
    assert_eq!(self::told(app, &nothing, "").await, "");
    // A user group without any policy, and a policy without any permission, grant nothing.
    let (empty, nobody) =
        (desk.policy("Empty", &[]).await.id, desk.user_group("None", &[]).await.id);
    let nothing = desk.group_with("still nothing", &held(Some(empty), &[nobody])).await;
    assert_eq!(self::told(app, &nothing, "").await, "");
    assert_eq!(passes(app, &nothing, &["permission=orders:read"]).await, [false]);
}

async fn a_key_passes_with_a_permission_that_it_holds_and_is_forbidden_without(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "read:all", "write"]).await;
    let policy = desk.policy("Read all", &["orders:read:all"]).await.id;
    let key = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
    let service = app.service();
    service.asks(key.secret.expose(), "permission=orders:read:all").await.expect(204);
    service.asks(key.secret.expose(), "permission=orders%3Aread%3Aall").await.expect(204);
    // The whole name counts, byte for byte: no beginning, no other case, no pattern.
    for lacking in ["orders:read", "orders:write", "orders:Read:all", "rders:read:all", "nobody:x"]
    {
        let question = format!("permission={lacking}");
        let answer = service.asks(key.secret.expose(), &question).await.expect(403);
        assert_eq!(reason(&answer), "insufficient_permissions", "{lacking}");
        assert_eq!(answer.text(), r#"{"valid":false,"code":"insufficient_permissions"}"#);
        let challenge = "Bearer realm=\"keyward\", error=\"insufficient_scope\", \
                         error_description=\"insufficient_permissions\"";
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
        for untold in ["keyward-permissions", "keyward-subscription", "keyward-key-group"] {
            assert_eq!(answer.header(untold), None);
        }
    }
}

async fn the_last_refusal_tells_what_was_asked_for_and_where(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(2)).await;
    let last = async |question: &str, status| {
        app.clock.advance(TimeDelta::milliseconds(1));
        app.service().asks(key.secret.expose(), question).await.expect(status);
        app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
        let it = stored(&desk, &key).await;
        (it.last_refused_reason.unwrap_or_default(), it.last_refused_asked)
    };
    let lacking = |asked: &str| ("insufficient_permissions".to_owned(), Some(asked.to_owned()));
    assert_eq!(last("permission=orders:read", 403).await, lacking("orders:read"));
    let in_workspace = "permission=orders:write&workspace=europe";
    assert_eq!(last(in_workspace, 403).await, lacking("orders:write in europe"));
    // What was accepted afterwards does not change what was refused last.
    assert_eq!(last("", 204).await, lacking("orders:write in europe"));
    let it = stored(&desk, &key).await;
    assert!(it.last_used_at > it.last_refused_at && it.last_refused_at.is_some());
    // Of another reason nothing that was asked for is told.
    app.clock.advance(TimeDelta::days(2));
    assert_eq!(last("permission=orders:read", 401).await, ("expired".to_owned(), None));
}

async fn whatever_else_refuses_a_key_is_told_before_a_lacking_permission(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Read", &["orders:read"]).await.id;
    let active = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
    let group = active.instance.key_group_id;
    let expired = desk.key(group, desk.days(1)).await;
    let start = app.clock.now() + TimeDelta::days(30);
    let future = ActivePeriod::new(start, Some(start + TimeDelta::days(9))).unwrap();
    let future = desk.key(group, future).await;
    let off = desk.key(group, desk.days(90)).await;
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    let revoked = desk.key(group, desk.days(90)).await;
    key_instances::revoke(&desk.act(), ids(&revoked)).await.unwrap();
    app.desk("rival").await;
    app.clock.advance(TimeDelta::days(1));
    let service = app.service();
    // Held or not, in a workspace that is none: the same.
    for asked in ["permission=orders:read", "permission=orders:write", "workspace=nowhere"] {
        for (key, reasoned) in [
            (&expired, "expired"),
            (&future, "not_yet_active"),
            (&off, "deactivated"),
            (&revoked, "revoked"),
        ] {
            let answer = service.asks(key.secret.expose(), asked).await.expect(401);
            assert_eq!(reason(&answer), reasoned, "{asked}");
            assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"));
        }
        let synthetic = [("x-synthetic-key", active.secret.expose()), ("x-tenant-name", "rival")];
        let path = format!("/verify?{asked}");
        let foreign = service.ask(Method::GET, &path, &synthetic).await.expect(401);
        assert_eq!(reason(&foreign), "wrong_subscription", "{asked}");
        let unknown = service.asks(&active.secret.expose()[..48], asked).await.expect(401);
        assert_eq!(reason(&unknown), "unknown", "{asked}");
    }
    let owner = app.owner().await;
    owner.post("/subscriptions/acme/suspension", &[("confirm", "acme")]).await.expect(303);
    let answer = service.asks(active.secret.expose(), "permission=orders:write").await.expect(401);
    assert_eq!(reason(&answer), "suspended");
}

/// Point 36, and the roles of document 001.
async fn whatever_any_source_grants_the_key_has(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("a", &["1", "2", "3", "4", "5"]).await;
    let mut of = Vec::new();
    for n in 1..=4 {
        let permissions = [format!("a:{n}")];
        let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
        of.push(desk.policy(&format!("Policy {n}"), &permissions).await.id);
    }
    let both = desk.user_group("Two policies", &[of[0], of[1]]).await.id;
    let third = desk.user_group("One policy", &[of[2]]).await.id;
    let whole = desk.role(of[3], None).await.id;
    let roles: std::collections::BTreeSet<_> = [whole].into();
    let all = [
        (Held::default(), ""),
        (held(Some(of[2]), &[]), "a:3"),
        (held(None, &[both]), "a:1 a:2"),
        (held(None, &[both, third]), "a:1 a:2 a:3"),
        (Held { roles: roles.clone(), ..Held::default() }, "a:4"),
        (held(Some(of[2]), &[third]), "a:3"),
        (Held { roles: roles.clone(), ..held(Some(of[2]), &[both]) }, "a:1 a:2 a:3 a:4"),
        (Held { roles, ..held(Some(of[0]), &[both, third]) }, "a:1 a:2 a:3 a:4"),
    ];
    for (n, (held, expected)) in all.iter().enumerate() {
        let key = desk.group_with(&format!("group {n}"), held).await;
        assert_eq!(told(app, &key, "").await, *expected);
        for n in 1..=5 {
            let name = format!("a:{n}");
            let passes = passes(app, &key, &[&format!("permission={name}")]).await;
            assert_eq!(passes, [expected.contains(&name)], "{name} of {expected:?}");
        }
    }
}

async fn a_role_counts_where_it_is_held(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "write", "audit"]).await;
    let read = desk.policy("Read", &["orders:read"]).await.id;
    let write = desk.policy("Write", &["orders:write"]).await.id;
    let audit = desk.policy("Audit", &["orders:audit"]).await.id;
    let europe = desk.workspace("Europe").await;
    desk.workspace("Asia").await;
    let in_europe = desk.role(write, Some(europe.id)).await.id;
    let everywhere = desk.role(audit, None).await.id;
    let held = Held { roles: [in_europe, everywhere].into(), ..held(Some(read), &[]) };
    let key = desk.group_with("quote-engine", &held).await;
    for (place, expected) in [
        ("", "orders:audit orders:read"),
        ("workspace=europe", "orders:audit orders:read orders:write"),
        ("workspace=asia", "orders:audit orders:read"),
        ("workspace=never-made", ""),
    ] {
        assert_eq!(told(app, &key, place).await, expected, "{place}");
        for name in ["orders:read", "orders:write", "orders:audit"] {
            let question = format!("permission={name}&{place}");
            let question = question.trim_end_matches('&');
            let passed = passes(app, &key, &[question]).await;
            assert_eq!(passed, [expected.contains(name)], "{question}");
        }
    }
    // The order of the parameters says nothing.
    assert_eq!(passes(app, &key, &["workspace=europe&permission=orders:write"]).await, [true]);
}

async fn a_workspace_of_others_is_none_of_ours(app: &TestApp) {
    let mut keys = Vec::new();
    for (slug, own) in [("acme", "Own of acme"), ("rival", "Own of rival")] {
        let desk = app.desk(slug).await;
        desk.declare("orders", &["read"]).await;
        let policy = desk.policy("Read", &["orders:read"]).await.id;
        let (own, shared) = (desk.workspace(own).await.id, desk.workspace("Europe").await.id);
        // One holds it in the workspace of its own, the other one in that of the shared name.
        let workspace = if slug == "acme" { own } else { shared };
        let role = desk.role(policy, Some(workspace)).await.id;
        let held = Held { roles: [role].into(), ..Held::default() };
        keys.push(desk.group_with("quote-engine", &held).await);
    }
    let questions = ["own-of-acme", "own-of-rival", "europe"]
        .map(|it| format!("permission=orders:read&workspace={it}"));
    let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
    assert_eq!(passes(app, &keys[0], &questions).await, [true, false, false]);
    assert_eq!(passes(app, &keys[1], &questions).await, [false, false, true]);
}

async fn a_question_that_makes_no_sense_is_no_call(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("Read", &["orders:read"]).await.id;
    desk.workspace("Europe").await;
    let key = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
    let before = app.snapshot().await;
    let long = format!("workspace={}", "x".repeat(64));
    for (question, code) in [
        ("permission=", "empty_parameter"),
        ("permission", "empty_parameter"),
        ("workspace=", "empty_parameter"),
        ("permission=orders:read&workspace=", "empty_parameter"),
        ("permission=&workspace=europe", "empty_parameter"),
        ("permission=orders", "malformed_permission"),
        ("permission=:read", "malformed_permission"),
        ("permission=orders:", "malformed_permission"),
        ("permission=orders:read%20orders:read", "malformed_permission"),
        ("permission=orders:read+", "malformed_permission"),
        ("permission=%20orders:read", "malformed_permission"),
        ("permission=orders:re%C3%A4d", "malformed_permission"),
        ("permission=orders:read%00", "malformed_permission"),
        ("permission=*", "malformed_permission"),
        ("workspace=%00", "malformed_workspace"),
        ("workspace=Europe", "malformed_workspace"),
        ("workspace=europe%20", "malformed_workspace"),
        ("workspace=e", "malformed_workspace"),
        (&long, "malformed_workspace"),
        ("subscription=", "empty_parameter"),
        ("subscription=Acme", "malformed_subscription"),
        ("subscription=acme%00", "malformed_subscription"),
        ("subscription=acme&subscription=acme", "repeated_parameter"),
        ("permission=orders:read&permission=orders:read", "repeated_parameter"),
        ("permission=orders:read&permission=orders:write", "repeated_parameter"),
        ("workspace=europe&workspace=europe", "repeated_parameter"),
        ("workspace=europe&permission=orders:read&workspace=asia", "repeated_parameter"),
    ] {
        let answer = app.service().asks(key.secret.expose(), question).await.expect(400);
        assert_eq!(reason(&answer), code, "{question}");
        assert_eq!(answer.text(), format!(r#"{{"valid":false,"code":"{code}"}}"#));
    }
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    assert_eq!(app.snapshot().await, before, "none of them is a use of the key");
    assert_eq!(passes(app, &key, &["permission=orders:read&workspace=europe"]).await, [true]);
}

/// Point 49: one group for the data, one for the action; the gateway asks for both.
async fn least_privilege_needs_the_data_group_and_the_action_group(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("data", &["contract-4711", "contract-4712"]).await;
    desk.declare("spark", &["DownloadServiceByCallId.json"]).await;
    let data = desk.policy("Contract 4711", &["data:contract-4711"]).await.id;
    let action = desk.policy("Download", &["spark:DownloadServiceByCallId.json"]).await.id;
    let data = desk.user_group("Data", &[data]).await.id;
    let action = desk.user_group("Action", &[action]).await.id;
    let asked = ["permission=data:contract-4711", "permission=spark:DownloadServiceByCallId.json"];
    for (groups, expected) in [
        (&[data, action][..], [true, true]),
        (&[data], [true, false]),
        (&[action], [false, true]),
        (&[], [false, false]),
    ] {
        let key = desk.group_with(&format!("with {expected:?}"), &held(None, groups)).await;
        assert_eq!(passes(app, &key, &asked).await, expected);
        assert_eq!(passes(app, &key, &["permission=data:contract-4712"]).await, [false]);
    }
}

async fn a_list_that_is_too_long_for_a_header_is_left_out(app: &TestApp) {
    let desk = app.desk("acme").await;
    // 20 names of 97 bytes, a space behind each, and one of 88: 2,048 bytes; or one byte more.
    let mut actions: Vec<String> = (0..20).map(|n| format!("{n:0>95}")).collect();
    actions.extend(["x".repeat(86), "x".repeat(87)]);
    desk.declare("s", &actions.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let names: Vec<String> = actions.iter().map(|it| format!("s:{it}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let policy = desk.policy("Long", &names[..21]).await.id;
    let key = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
    let list = told(app, &key, "").await;
    assert_eq!((list.len(), list.split(' ').count()), (2_048, 21));
    let longer: Vec<&str> = names.iter().filter(|it| it.len() != 88).copied().collect();
    desk.edit_policy(policy, &longer).await.unwrap();
    for question in [String::new(), format!("permission={}", names[0])] {
        let answer = app.service().asks(key.secret.expose(), &question).await.expect(204);
        assert_eq!(answer.header("keyward-permissions"), None, "half a list would be a wrong one");
        assert_eq!(answer.header("keyward-key-instance"), Some("k-1"));
    }
    let asked = [names[21], names[20], names[19]].map(|it| format!("permission={it}"));
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    assert_eq!(passes(app, &key, &asked).await, [true, false, true]);
}

/// Points 23, 35 and 48.
async fn keys_inherit_what_their_group_holds_live(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "write"]).await;
    let read = desk.policy("Read", &["orders:read"]).await.id;
    let write = desk.policy("Write", &["orders:write"]).await.id;
    let writers = desk.user_group("Writers", &[write]).await.id;
    let first = desk.group_with("quote-engine", &Held::default()).await;
    let group = first.instance.key_group_id;
    let keys =
        [&first, &desk.key(group, desk.days(90)).await, &desk.key(group, desk.days(9)).await];
    let expect = async |expected: &str| {
        for key in keys {
            assert_eq!(told(app, key, "").await, expected, "{}", key.instance.name());
        }
    };
    expect("").await;
    desk.give(group, &held(Some(read), &[])).await.unwrap();
    expect("orders:read").await;
    desk.give(group, &held(Some(read), &[writers])).await.unwrap();
    expect("orders:read orders:write").await;
    desk.edit_policy(read, &[]).await.unwrap();
    expect("orders:write").await;
    desk.edit_user_group(writers, |it| it.policies.clear()).await.unwrap();
    expect("").await;
    desk.edit_user_group(writers, |it| it.policies = [read, write].into()).await.unwrap();
    expect("orders:write").await;
    desk.give(group, &Held::default()).await.unwrap();
    expect("").await;
}
