//! Client credentials (documents 000 and 001): an id, at most two active secrets, HTTP Basic.
use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use keyward::{
    domain::{ActivePeriod, Refusal, Status, lifecycle::Overlap},
    key_groups::{self, KeyGroup},
    key_instances::{self, Issued},
    pepper::random_token,
};
use tokio::sync::Barrier;

use crate::support::{
    Answer, Desk, TestApp, basic, garbled, generated, ids, on_both, path_of, refusal,
};

on_both! {
    a_new_client_has_no_secret_and_cannot_authenticate,
    a_third_active_secret_is_refused_and_expired_ones_do_not_count,
    a_secret_that_starts_later_counts_as_one_of_the_two,
    revoking_sets_the_expiry_to_now_and_refuses_the_old_secret_at_once,
    a_passed_expiry_is_final_and_a_future_one_can_be_changed,
    basic_with_id_and_secret_works_and_a_wrong_half_is_the_same_401,
    the_decoding_of_basic_is_strict,
    a_secret_is_good_for_its_own_client_and_by_basic_only,
    the_holder_of_a_secret_is_told_why_it_is_refused,
    the_contact_of_the_caller_is_kept_with_the_last_use_and_shown,
    a_page_for_people_takes_no_key,
    at_most_two_secrets_are_active_at_any_instant_under_32_parallel_requests,
    a_rotation_leaves_two_secrets_for_the_overlap_and_needs_room,
    a_secret_in_use_ends_at_once_for_who_types_its_name,
    what_members_and_auditors_see_they_cannot_change,
    a_client_is_made_and_its_secret_shown_once_with_both_halves_as_json,
}

/// A client and its first secret, of 90 days.
async fn client(desk: &Desk<'_>, name: &str) -> (KeyGroup, Issued) {
    let group = desk.client(name).await;
    let secret = desk.key(group.id, desk.days(90)).await;
    (group, secret)
}

async fn a_new_client_has_no_secret_and_cannot_authenticate(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.client("billing").await;
    assert_eq!(group.instance_count(), 0);
    assert!(group.client_id.starts_with("billing_") && group.client_id.len() == 8 + 25);
    for secret in ["", "9011@83sd!f1042ds+f19fg86M"] {
        app.service().basic(&group.client_id, secret).await.expect(401);
    }
    let secret = desk.key(group.id, desk.days(90)).await;
    let answer = app.service().basic(&group.client_id, secret.secret.expose()).await.expect(204);
    assert_eq!(answer.header("keyward-key-group"), Some("billing"));
    assert_eq!(answer.header("keyward-key-instance"), Some("k-1"));
}

async fn another(desk: &Desk<'_>, group: &KeyGroup) -> keyward::error::Result<Issued> {
    let new = generated(desk.days(90));
    key_instances::create(&desk.act(), group.id, new, &random_token()).await
}

async fn a_third_active_secret_is_refused_and_expired_ones_do_not_count(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.client("billing").await;
    let first = desk.key(group.id, desk.days(1)).await;
    let late = desk.act();
    let second = desk.key(group.id, desk.days(90)).await;
    assert_eq!(refusal(another(&desk, &group).await), Refusal::TwoActiveSecrets);
    app.clock.advance(TimeDelta::days(1));
    // Somebody who wanted the first one to live longer was kept waiting over its end.
    another(&desk, &group).await.unwrap();
    let longer = key_instances::change_period(&late, ids(&first), desk.days(30)).await;
    assert_eq!(refusal(longer), Refusal::TwoActiveSecrets);
    assert_eq!(refusal(another(&desk, &group).await), Refusal::TwoActiveSecrets);
    key_instances::revoke(&desk.act(), ids(&second)).await.unwrap();
    another(&desk, &group).await.unwrap();
}

async fn a_secret_that_starts_later_counts_as_one_of_the_two(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (group, _) = client(&desk, "billing").await;
    let start = app.clock.now() + TimeDelta::days(30);
    let later = ActivePeriod::new(start, Some(start + TimeDelta::days(30))).unwrap();
    desk.key(group.id, later).await;
    assert_eq!(refusal(another(&desk, &group).await), Refusal::TwoActiveSecrets);
}

async fn revoking_sets_the_expiry_to_now_and_refuses_the_old_secret_at_once(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (group, old) = client(&desk, "billing").await;
    let new = desk.key(group.id, desk.days(90)).await;
    app.clock.advance(TimeDelta::days(2));
    let revoked = key_instances::revoke(&desk.act(), ids(&old)).await.unwrap();
    assert_eq!(revoked.facts().period.until(), Some(app.clock.now()));
    assert_eq!(revoked.status(app.clock.now()), Status::Expired);
    let answer = app.service().basic(&group.client_id, old.secret.expose()).await.expect(401);
    assert_eq!(answer.header("keyward-reason"), Some("revoked"));
    app.service().basic(&group.client_id, new.secret.expose()).await.expect(204);
}

async fn a_passed_expiry_is_final_and_a_future_one_can_be_changed(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (_, secret) = client(&desk, "billing").await;
    let admin = app.admin("acme").await;
    let path = format!("{}/period", path_of("acme", &secret.instance));
    let wanted = [("preset", "dates"), ("from", "2026-11-20T10:30"), ("until", "2026-12-24T10:30")];
    admin.post(&path, &wanted).await.expect(303);
    app.clock.advance(TimeDelta::days(34));
    app.service().basic("x", "y").await.expect(401);
    let admin = app.admin("acme").await;
    let later = [("preset", "dates"), ("from", "2026-11-20T10:30"), ("until", "2027-12-24T10:30")];
    let refused = admin.post(&path, &later).await.expect(409);
    assert_eq!(refused.refusal(), Refusal::SecretEnded.to_string());
    let act = desk.act();
    let now = key_instances::find(&act, ids(&secret)).await.unwrap();
    assert_eq!(now.facts().period.until(), Some(app.clock.now()), "it is as it was");
    for done in [
        key_instances::reactivate(&act, ids(&secret), desk.days(30)).await,
        key_instances::change_period(&act, ids(&secret), desk.days(30)).await,
    ] {
        assert_eq!(refusal(done), Refusal::SecretEnded);
    }
    let done = key_instances::deactivate(&act, ids(&secret)).await;
    assert_eq!(refusal(done), Refusal::SecretsAreRevoked);
}

/// All that a stranger can tell answers apart by.
fn face(answer: &Answer) -> (u16, Vec<String>, String) {
    let headers = answer.headers.iter().filter(|it| it.0 != "date");
    let mut headers: Vec<String> = headers.map(|it| format!("{it:?}")).collect();
    headers.sort();
    (answer.status, headers, answer.text().to_owned())
}

async fn basic_with_id_and_secret_works_and_a_wrong_half_is_the_same_401(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (group, secret) = client(&desk, "billing").await;
    let (other, foreign) = client(&desk, "claims").await;
    let (id, text) = (group.client_id.as_str(), secret.secret.expose());
    let service = app.service();
    service.basic(id, text).await.expect(204);
    let named = [("authorization", basic(id, text)), ("x-tenant-name", "acme".to_owned())];
    let named = named.each_ref().map(|it| (it.0, it.1.as_str()));
    service.raw(&named).await.expect(204);
    let wrong_id = service.basic("billing_0000000000000000000000000", text).await.expect(401);
    let changed = garbled(text);
    for wrong in [
        service.basic(id, &changed).await,
        service.basic(id, foreign.secret.expose()).await,
        service.basic(&other.client_id, text).await,
        service.basic(id, "kj@s$dfS124GDd35").await,
        service.basic(id, "").await,
        service.basic("", text).await,
    ] {
        assert_eq!(face(&wrong), face(&wrong_id));
    }
}

async fn the_decoding_of_basic_is_strict(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (group, secret) = client(&desk, "billing").await;
    let (id, text) = (group.client_id.as_str(), secret.secret.expose());
    let encode = |pair: &str| STANDARD.encode(pair);
    for wrong in [
        encode(&format!("{id}: {text}")),
        encode(&format!("{id}:{text} ")),
        encode(&format!("{id}:{text}\n")),
        encode(&format!("{id}:{text}\0")),
        encode(&format!(" {id}:{text}")),
        encode(id),
        encode(&format!("{id}:{text}")).trim_end_matches('=').to_owned() + "=====",
        format!(" {}", encode(&format!("{id}:{text}"))),
        "%%%".to_owned(),
        String::new(),
    ] {
        let header = format!("Basic {wrong}");
        let answer = app.service().raw(&[("authorization", &header)]).await.expect(401);
        assert_eq!(answer.header("keyward-reason"), Some("unknown"), "{wrong}");
    }
    let scheme = basic(id, text).replacen("Basic", "bASIC", 1);
    app.service().raw(&[("authorization", &scheme)]).await.expect(204);
    let twice = [("authorization", basic(id, text)), ("x-synthetic-key", text.to_owned())];
    let twice = twice.each_ref().map(|it| (it.0, it.1.as_str()));
    app.service().raw(&twice).await.expect(400);
}

async fn a_secret_is_good_for_its_own_client_and_by_basic_only(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (group, secret) = client(&desk, "billing").await;
    let key = desk.group("shop", desk.days(90)).await;
    let service = app.service();
    service.bearer(secret.secret.expose()).await.expect(401);
    service.synthetic(secret.secret.expose(), "acme").await.expect(401);
    let shop = key_groups::find(&desk.act(), key.instance.key_group_id).await.unwrap();
    service.basic(&shop.client_id, key.secret.expose()).await.expect(401);
    service.basic(&group.client_id, key.secret.expose()).await.expect(401);
}

async fn the_holder_of_a_secret_is_told_why_it_is_refused(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (group, secret) = client(&desk, "billing").await;
    let ask = async |headers: &[(&str, &str)]| {
        let mut all = vec![("authorization", basic(&group.client_id, secret.secret.expose()))];
        all.extend(headers.iter().map(|it| (it.0, it.1.to_owned())));
        let all: Vec<_> = all.iter().map(|it| (it.0, it.1.as_str())).collect();
        let answer = app.service().raw(&all).await;
        (answer.status, answer.header("keyward-reason").unwrap_or_default().to_owned())
    };
    app.subscription("globex").await;
    assert_eq!(ask(&[("x-tenant-name", "globex")]).await, (401, "wrong_subscription".into()));
    app.clock.advance(TimeDelta::days(90));
    assert_eq!(ask(&[]).await, (401, "expired".into()));
}

async fn the_contact_of_the_caller_is_kept_with_the_last_use_and_shown(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (group, secret) = client(&desk, "billing").await;
    let header = basic(&group.client_id, secret.secret.expose());
    let headers = [("authorization", header.as_str()), ("x-bs-clientid", "alice@example.com")];
    app.service().raw(&headers).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let page = app.admin("acme").await.get(&path_of("acme", &secret.instance)).await.expect(200);
    assert!(page.plain().contains("alice@example.com"), "{}", page.plain());
}

async fn a_page_for_people_takes_no_key(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (group, secret) = client(&desk, "billing").await;
    let header = basic(&group.client_id, secret.secret.expose());
    app.service().raw(&[("authorization", &header)]).await.expect(204);
    let with_key = app.anonymous().with(&[("authorization", &header)]);
    for path in ["/s/acme", "/s/acme/groups", "/profile"] {
        assert!(with_key.get(path).await.is_sign_in_redirect(), "{path}");
    }
}

/// Two nodes, and a reader that looks all the while.
async fn at_most_two_secrets_are_active_at_any_instant_under_32_parallel_requests(app: &TestApp) {
    let desk = app.desk("acme").await;
    let node = app.second_node().await;
    for round in 0..20 {
        let group = desk.client(&format!("client-{round}")).await;
        let start = Arc::new(Barrier::new(32));
        let create = async |n: usize| {
            start.wait().await;
            let app = if n.is_multiple_of(2) { &app.app } else { &node.app };
            let act = keyward::subscriptions::Act { app, ..desk.act() };
            let new = generated(desk.days(90));
            key_instances::create(&act, group.id, new, &random_token()).await
        };
        let made = futures_util::future::join_all((0..32).map(create)).await;
        let (done, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
        assert_eq!((done.len(), refused.len()), (2, 30), "round {round}");
        for it in refused {
            assert_eq!(refusal(it), Refusal::TwoActiveSecrets);
        }
        let now = key_groups::find(&desk.act(), group.id).await.unwrap();
        assert_eq!(now.active_count, 2);
    }
    node.stop().await;
}

async fn a_rotation_leaves_two_secrets_for_the_overlap_and_needs_room(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (group, old) = client(&desk, "billing").await;
    let rotate = async |key: &Issued, overlap| {
        let (act, new) = (desk.act(), generated(desk.days(90)));
        key_instances::rotate(&act, ids(key), new, overlap, &random_token()).await
    };
    let new = rotate(&old, Overlap::Hours(24)).await.unwrap();
    let ask = async |it: &Issued| app.service().basic(&group.client_id, it.secret.expose()).await;
    ask(&old).await.expect(204);
    ask(&new).await.expect(204);
    // Two are active: one more only in the place of one of them.
    assert_eq!(refusal(rotate(&new, Overlap::Hours(1)).await), Refusal::TwoActiveSecrets);
    let path = format!("{}/rotation", path_of("acme", &new.instance));
    let form = app.admin("acme").await.get(&path).await.expect(200);
    assert!(form.plain().contains("so k-2 ends now and cannot come back"), "{}", form.plain());
    assert_eq!(form.text().matches(" disabled>").count(), 4);
    let third = rotate(&new, Overlap::None).await.unwrap();
    assert_eq!(ask(&new).await.expect(401).header("keyward-reason"), Some("revoked"));
    ask(&third).await.expect(204);
    app.clock.advance(TimeDelta::hours(24));
    assert_eq!(ask(&old).await.expect(401).header("keyward-reason"), Some("expired"));
    ask(&third).await.expect(204);
}

async fn what_members_and_auditors_see_they_cannot_change(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (group, secret) = client(&desk, "billing").await;
    let path = format!("/s/acme/groups/{}", group.id);
    let own = path_of("acme", &secret.instance);
    for person in [app.member("acme").await, app.auditor("acme").await] {
        let page = person.get(&path).await.expect(200);
        let text = page.plain();
        assert!(text.contains(&group.client_id) && text.contains("Only admins can change keys"));
        for button in ["Create secret", "Set expiry", "Revoke"] {
            assert!(!text.contains(button), "{button}: {text}");
        }
        let form = [("make", "generate"), ("preset", "30"), ("submission", "x")];
        for act in
            [format!("{path}/keys/new"), format!("{own}/period"), format!("{own}/revocation")]
        {
            person.post(&act, &form).await.expect(403);
        }
    }
    app.service().basic(&group.client_id, secret.secret.expose()).await.expect(204);
    assert_eq!(app.count("key_instances").await, 1);
}

async fn a_client_is_made_and_its_secret_shown_once_with_both_halves_as_json(app: &TestApp) {
    app.desk("acme").await;
    let admin = app.admin("acme").await;
    let wanted = [("kind", "client_credentials"), ("name", "billing")];
    let made = admin.submit("/s/acme/groups/new", &wanted).await.expect(303);
    let page = admin.follow(&made).await.expect(200);
    assert_eq!(page.flash(), "billing is created. It has no secret yet.");
    assert_eq!(app.count("key_instances").await, 0);
    let shown = admin.issue(made.location(), &[("preset", "30")]).await;
    let (secret, text) = (shown.secret(), shown.plain());
    assert!(secret.starts_with("kws_") && text.contains("Copy your new secret"), "{text}");
    let id = app.query("SELECT client_id FROM key_groups").await[0]["client_id"].clone();
    let id = id.as_str().unwrap();
    assert!(text.contains(id));
    let path = app.query("SELECT key_group_id, id FROM key_instances").await;
    assert_eq!(path.len(), 1);
    let secret_path = shown.text().split_once("/secret/download.json").unwrap().0;
    let secret_path = secret_path.rsplit_once('"').unwrap().1;
    let json = admin.get(&format!("{secret_path}/secret/download.json")).await.expect(200);
    let json: serde_json::Value = serde_json::from_str(json.text()).unwrap();
    assert_eq!(
        (&json["api_key_id"], &json["api_key_secret"]),
        (&id.into(), &secret.clone().into())
    );
    let env = admin.get(&format!("{secret_path}/secret/download.env")).await.expect(200);
    assert!(env.text().contains(&format!("API_KEY_ID={id}\nAPI_KEY_SECRET={secret}\n")));
    app.service().basic(id, &secret).await.expect(204);
    let kept = [("saved_by", "download")];
    admin.post(&format!("{secret_path}/secret/acknowledgement"), &kept).await.expect(303);
    // Only in the dialog of its making is the file offered.
    admin.get(&format!("{secret_path}/secret/download.json")).await.expect(410);
    assert!(!admin.get(made.location()).await.expect(200).text().contains("download.json"));
}

/// A rotation that ends a client secret now ends it for good.
async fn a_secret_in_use_ends_at_once_for_who_types_its_name(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (group, first) = client(&desk, "billing").await;
    let admin = app.admin("acme").await;
    let ask = async |it: &Issued| app.service().basic(&group.client_id, it.secret.expose()).await;
    let path = format!("{}/rotation", path_of("acme", &first.instance));
    let form = admin.get(&path).await.expect(200);
    assert!(!form.text().contains("name=\"confirm\""), "nobody uses it");
    ask(&first).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let form = admin.get(&path).await.expect(200);
    let submission = form.field("submission");
    let post = async |overlap: &str, confirm: &str| {
        let fields = [
            ("submission", submission.as_str()),
            ("make", "generate"),
            ("preset", "30"),
            ("overlap", overlap),
            ("confirm", confirm),
        ];
        admin.post(&path, &fields).await
    };
    for wrong in ["", "k-2"] {
        let page = post("now", wrong).await.expect(422);
        assert_eq!(page.error_at("confirm"), "Type k-1 to confirm.");
        ask(&first).await.expect(204);
    }
    post("now", "k-1").await.expect(303);
    ask(&first).await.expect(401);
}
