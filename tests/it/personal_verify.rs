//! `/verify` with a personal key: its signature, its row, its end, and what its person may do now.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::TimeDelta;
use keyward::{
    domain::Role,
    personal_keys::{self, Issued},
    subscriptions,
    users::User,
};
use uuid::Uuid;

use crate::support::{Answer, Desk, TestApp, eventually, on_both};

on_both! {
    an_accepted_personal_key_says_whose_it_is_and_what_he_may_do,
    an_end_is_the_first_instant_at_which_it_is_refused,
    a_forged_or_foreign_or_deleted_key_is_one_constant_answer,
    the_subscription_must_be_claimed_and_the_person_a_member_of_it_now,
    a_suspended_subscription_is_told_to_who_is_a_member,
    without_a_name_the_only_subscription_counts_and_of_several_none,
    user_groups_count_that_are_claimed_and_that_the_person_is_in_now,
    a_workspace_must_be_one_of_the_subscription,
    the_last_use_is_written_with_the_next_batch_and_never_goes_backwards,
    a_personal_key_that_is_deleted_between_use_and_batch_stays_deleted,
}

struct Ida<'a> {
    app: &'a TestApp,
    desk: Desk<'a>,
    user: User,
    /// The user group that she is in.
    group: Uuid,
    policy: Uuid,
}

impl<'a> Ida<'a> {
    /// She may read orders in `acme`.
    async fn new(app: &'a TestApp) -> Self {
        let desk = app.desk("acme").await;
        desk.declare("orders", &["read", "write"]).await;
        let policy = desk.policy("Read orders", &["orders:read"]).await.id;
        let group = desk.user_group("Readers", &[policy]).await.id;
        let user = app.user("acme", Role::Member).await;
        let it = Self { app, desk, user, group, policy };
        it.is_in(group, true).await;
        it
    }

    async fn is_in(&self, group: Uuid, is_in: bool) {
        let people = if is_in { [self.user.id].into() } else { [].into() };
        self.desk.edit_user_group(group, |it| it.members = people).await;
    }

    async fn key(&self) -> Issued {
        self.app.personal_key(&self.user).await
    }

    /// What she may do with a key, as a gateway hears it.
    async fn may(&self, key: &Issued) -> String {
        let answer = self.app.service().bearer(key.token().expose()).await.expect(204);
        answer.header("keyward-permissions").unwrap().to_owned()
    }

    async fn joins(&self, slug: &str) {
        let desk = self.app.desk(slug).await;
        let act = desk.act();
        let to = subscriptions::by_slug(&self.app.db, slug).await.unwrap();
        let wanted = (self.user.email.as_str(), Role::Member);
        let (app, actor) = (self.app, self.app.own(&self.user).actor);
        let token = keyward::members::invite(app, &to, wanted, &act.actor, act.now).await.unwrap();
        keyward::members::accept_as(app, &token, &self.user, &actor, act.now).await.unwrap();
    }
}

async fn in_tenant(app: &TestApp, key: &Issued, tenant: &str) -> Answer {
    let bearer = format!("Bearer {}", key.token().expose());
    app.service().raw(&[("authorization", &bearer), ("x-tenant-name", tenant)]).await
}

#[track_caller]
fn code(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.json()["code"].as_str().unwrap().to_owned()
}

async fn an_accepted_personal_key_says_whose_it_is_and_what_he_may_do(app: &TestApp) {
    let ida = Ida::new(app).await;
    let key = ida.key().await;
    let answer = app.service().bearer(key.token().expose()).await.expect(204);
    let id = key.key.id.to_string();
    for (name, value) in [
        ("keyward-subscription", Some("acme")),
        ("keyward-user", Some("member@acme.example")),
        ("keyward-key-instance", Some(id.as_str())),
        ("keyward-permissions", Some("orders:read")),
        ("keyward-expires", Some("never")),
        ("keyward-key-group", None),
        ("cache-control", Some("no-store")),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let token = key.token();
    app.service().asks(token.expose(), "permission=orders:read").await.expect(204);
    let lacks = app.service().asks(token.expose(), "permission=orders:write").await;
    assert_eq!(code(&lacks, 403), "insufficient_permissions");
    // Only as Bearer: `x-synthetic-key` is for keys of a subscription.
    let synthetic = app.service().synthetic(token.expose(), "acme").await;
    assert_eq!(code(&synthetic, 401), "unknown");
}

async fn an_end_is_the_first_instant_at_which_it_is_refused(app: &TestApp) {
    let user = app.user("acme", Role::Member).await;
    let end = app.clock.now() + TimeDelta::days(30);
    let key = app.try_personal_key(&user, Some(end)).await.unwrap();
    let token = key.token();
    let answer = app.service().bearer(token.expose()).await.expect(204);
    assert_eq!(answer.header("keyward-expires"), Some("2026-12-20T10:30:00.000Z"));
    app.clock.advance(TimeDelta::days(30) - TimeDelta::milliseconds(1));
    app.service().bearer(token.expose()).await.expect(204);
    app.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(code(&app.service().bearer(token.expose()).await, 401), "expired");
    // Behind whose it is, as of every key.
    assert_eq!(code(&in_tenant(app, &key, "globex").await, 401), "wrong_subscription");
    // An end that has a fraction of a second loses it, in the claims and in the row alike.
    let end = app.clock.now() + TimeDelta::milliseconds(1_999);
    let key = app.try_personal_key(&user, Some(end)).await.unwrap();
    let claims = key.key.claims().unwrap();
    assert_eq!(claims.exp.map(|it| it * 1_000), key.key.active_until);
    // One that is over is none.
    let over = app.clock.now();
    assert!(app.try_personal_key(&user, Some(over)).await.is_err());
}

/// With this header, the claims of that key, and its signature or another one.
fn forged(head: &str, key: &Issued, signature: &str) -> String {
    format!("{}.{}.{signature}", BASE64.encode(head), BASE64.encode(&key.key.claims))
}

async fn a_forged_or_foreign_or_deleted_key_is_one_constant_answer(app: &TestApp) {
    let ida = Ida::new(app).await;
    let (key, other) = (ida.key().await, ida.key().await);
    let (token, id, second) = (key.token(), key.key.id, other.key.id);
    let signature = key.signature.expose();
    let ours = |id: Uuid| format!(r#"{{"alg":"EdDSA","kid":"{id}","typ":"JWT"}}"#);
    let mut claims = key.key.claims().unwrap();
    claims.subscriptions[0].slug = "globex".to_owned();
    let other_claims = BASE64.encode(serde_json::to_string(&claims).unwrap());
    let deleted = ida.key().await;
    personal_keys::delete(&app.own(&ida.user), deleted.key.id).await.unwrap();
    let nul = BASE64.encode(key.key.claims.replace("\"acme\"", "\"a\\u0000me\""));
    let wrong = [
        forged(&ours(second), &key, signature),
        forged(&ours(id), &key, other.signature.expose()),
        forged(&ours(id), &other, signature),
        forged(&format!(r#"{{"alg":"none","kid":"{id}","typ":"JWT"}}"#), &key, ""),
        forged(&ours(id), &key, ""),
        forged(&ours(Uuid::nil()), &key, signature),
        format!("{}.{other_claims}.{signature}", BASE64.encode(ours(id))),
        format!("{}.{nul}.{signature}", BASE64.encode(ours(id))),
        deleted.token().expose().to_owned(),
        "a.b.c".to_owned(),
        "..".to_owned(),
        format!("{}A", token.expose()),
        // Another installation's, which we have never heard of.
        format!("eyJhbGciOiJIUzI1NiJ9.e30.{signature}"),
    ];
    let never = app.service().bearer("kw_never").await.expect(401);
    for wrong in &wrong {
        for tenant in ["", "acme"] {
            let bearer = format!("Bearer {wrong}");
            let mut headers = vec![("authorization", bearer.as_str())];
            headers.extend((!tenant.is_empty()).then_some(("x-tenant-name", tenant)));
            let answer = app.service().raw(&headers).await;
            assert_eq!((answer.status, answer.text()), (401, never.text()), "{wrong}");
            for name in ["keyward-reason", "www-authenticate"] {
                assert_eq!(answer.header(name), never.header(name), "{wrong}");
            }
        }
    }
    // Each of a hundred changed characters too; all of them are tried where the token is read.
    for at in (0..token.expose().len()).step_by(token.expose().len() / 100) {
        let mut bytes = token.expose().as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        app.service().bearer(&changed).await.expect(401);
    }
    app.service().bearer(token.expose()).await.expect(204);
    app.service().bearer(other.token().expose()).await.expect(204);
}

async fn the_subscription_must_be_claimed_and_the_person_a_member_of_it_now(app: &TestApp) {
    let ida = Ida::new(app).await;
    app.subscription("globex").await;
    let key = ida.key().await;
    in_tenant(app, &key, "acme").await.expect(204);
    for foreign in ["globex", "never-was", "ACME", "no slug", ""] {
        assert_eq!(code(&in_tenant(app, &key, foreign).await, 401), "wrong_subscription");
    }
    // A member since, and yet the claims do not have it.
    ida.joins("globex").await;
    assert_eq!(code(&in_tenant(app, &key, "globex").await, 401), "wrong_subscription");
    let later = ida.key().await;
    in_tenant(app, &later, "globex").await.expect(204);
    // A member no more: also where nothing is named.
    let sql =
        "DELETE FROM members WHERE user_id IN (SELECT id FROM users WHERE email LIKE 'member@%')";
    app.execute(sql).await;
    assert_eq!(code(&in_tenant(app, &key, "acme").await, 401), "wrong_subscription");
    let unnamed = app.service().bearer(key.token().expose()).await;
    assert_eq!(code(&unnamed, 401), "wrong_subscription");
    // Member again: her user groups are not what they were, and so neither are her permissions.
    ida.joins("acme").await;
    assert_eq!(ida.may(&key).await, "");
}

async fn a_suspended_subscription_is_told_to_who_is_a_member(app: &TestApp) {
    let ida = Ida::new(app).await;
    let key = ida.key().await;
    for (suspended, status) in [(true, 401), (false, 204)] {
        app.suspend("acme", suspended).await;
        let answer = in_tenant(app, &key, "acme").await;
        assert_eq!(answer.status, status);
        if suspended {
            assert_eq!(code(&answer, 401), "suspended");
        }
    }
}

async fn without_a_name_the_only_subscription_counts_and_of_several_none(app: &TestApp) {
    let ida = Ida::new(app).await;
    ida.joins("globex").await;
    let key = ida.key().await;
    let token = key.token();
    let answer = app.service().bearer(token.expose()).await.expect(204);
    assert_eq!(answer.header("keyward-subscription"), None);
    assert_eq!(answer.header("keyward-permissions"), Some(""));
    let asks = app.service().asks(token.expose(), "permission=orders:read").await;
    assert_eq!(code(&asks, 403), "insufficient_permissions");
    let named = in_tenant(app, &key, "acme").await.expect(204);
    assert_eq!(named.header("keyward-permissions"), Some("orders:read"));
    assert_eq!(named.header("keyward-subscription"), Some("acme"));
    let named = in_tenant(app, &key, "globex").await.expect(204);
    assert_eq!(named.header("keyward-permissions"), Some(""));
    // Of a person without any, a key still says who she is.
    let owner = app.owner_user().await;
    app.execute("DELETE FROM members").await;
    let key = app.personal_key(&owner).await;
    let answer = app.service().bearer(key.token().expose()).await.expect(204);
    assert_eq!(answer.header("keyward-user"), Some("owner@example.com"));
    assert_eq!(answer.header("keyward-subscription"), None);
}

async fn user_groups_count_that_are_claimed_and_that_the_person_is_in_now(app: &TestApp) {
    let ida = Ida::new(app).await;
    let (desk, key) = (&ida.desk, ida.key().await);
    assert_eq!(ida.may(&key).await, "orders:read");
    // An edit of the policy counts at the very next verification.
    desk.edit_policy(ida.policy, &["orders:read", "orders:write"]).await;
    assert_eq!(ida.may(&key).await, "orders:read orders:write");
    desk.edit_policy(ida.policy, &["orders:read"]).await;
    // A group that came later is not claimed.
    let write = desk.policy("Write orders", &["orders:write"]).await.id;
    let writers = desk.user_group("Writers", &[write]).await.id;
    ida.is_in(writers, true).await;
    assert_eq!(ida.may(&key).await, "orders:read");
    assert_eq!(ida.may(&ida.key().await).await, "orders:read orders:write");
    // One that she has left does not count, until she is back.
    ida.is_in(ida.group, false).await;
    assert_eq!(ida.may(&key).await, "");
    ida.is_in(ida.group, true).await;
    assert_eq!(ida.may(&key).await, "orders:read");
    // Another name changes nothing, and another group of the old name is not the one that is claimed.
    desk.edit_user_group(ida.group, |it| it.name = "Readers of old".to_owned()).await;
    assert_eq!(ida.may(&key).await, "orders:read");
    let group = keyward::user_groups::find(&desk.act(), ida.group).await.unwrap();
    keyward::user_groups::delete(&desk.act(), ida.group, group.version).await.unwrap();
    let again = desk.user_group("Readers", &[ida.policy, write]).await.id;
    ida.is_in(again, true).await;
    assert_eq!(ida.may(&key).await, "");
}

async fn a_workspace_must_be_one_of_the_subscription(app: &TestApp) {
    let ida = Ida::new(app).await;
    ida.desk.workspace("Europe").await;
    let key = ida.key().await;
    let token = key.token();
    let asks = async |workspace: &str| {
        let query = format!("permission=orders:read&workspace={workspace}");
        app.service().asks(token.expose(), &query).await
    };
    asks("europe").await.expect(204);
    assert_eq!(code(&asks("asia").await, 403), "insufficient_permissions");
}

async fn the_last_use_is_written_with_the_next_batch_and_never_goes_backwards(app: &TestApp) {
    let user = app.user("acme", Role::Member).await;
    let key = app.personal_key(&user).await;
    let bearer = format!("Bearer {}", key.token().expose());
    let used = [("authorization", bearer.as_str()), ("user-agent", "curl/8.5")];
    let stored = async || personal_keys::find(&app.own(&user), key.key.id).await.unwrap();
    let before = app.snapshot().await;
    app.service().raw(&used).await.expect(204);
    assert_eq!(app.snapshot().await, before, "a call writes nothing by itself");
    let first = app.clock.now();
    app.recorder.flush(&app.db, first).await.unwrap();
    let it = stored().await;
    assert_eq!(it.last_used_at, Some(first.timestamp_millis()));
    assert_eq!(it.last_used_from.as_deref(), Some("127.0.0.1"));
    assert_eq!(it.last_used_agent.as_deref(), Some("curl/8.5"));
    // Point 8: the name that a caller gives itself.
    app.clock.advance(TimeDelta::seconds(1));
    let named = [used[0], used[1], ("x-bs-clientid", "ida@example.com")];
    app.service().raw(&named).await.expect(204);
    // A refused one is no use.
    let refused = [used[0], ("user-agent", "refused"), ("x-tenant-name", "globex")];
    app.clock.advance(TimeDelta::seconds(1));
    app.service().raw(&refused).await.expect(401);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let second = first + TimeDelta::seconds(1);
    assert_eq!(stored().await.last_used_at, Some(second.timestamp_millis()));
    assert_eq!(stored().await.last_used_agent.as_deref(), Some("ida@example.com"));
    // Another node's batch, which is older, comes late.
    let older = keyward::verify::usage::Call {
        denial: None,
        from: [192, 0, 2, 1].into(),
        agent: "older",
        asked: None,
        workspace: None,
    };
    app.recorder.note_personal(key.key.id, older, first);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    assert_eq!(stored().await.last_used_at, Some(second.timestamp_millis()));
    assert_eq!(stored().await.last_used_from.as_deref(), Some("127.0.0.1"));
    // Nobody has to ask for it.
    assert!(keyward::verify::usage::until_next(std::time::Duration::ZERO).as_secs() < 10);
}

async fn a_personal_key_that_is_deleted_between_use_and_batch_stays_deleted(app: &TestApp) {
    let user = app.user("acme", Role::Member).await;
    let (gone, kept) = (app.personal_key(&user).await, app.personal_key(&user).await);
    for key in [&gone, &kept] {
        app.service().bearer(key.token().expose()).await.expect(204);
    }
    personal_keys::delete(&app.own(&user), gone.key.id).await.unwrap();
    let is_written = async || {
        app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
        let keys = personal_keys::list(&app.own(&user)).await.unwrap();
        keys.len() == 1 && keys[0].last_used_at.is_some()
    };
    assert!(eventually(std::time::Duration::from_secs(5), is_written).await);
}
