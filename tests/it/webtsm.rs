//! The WebTSM dialect: document 003 as it stands there, then its edges.
use chrono::TimeDelta;
use futures_util::future::join_all;
use keyward::{
    config::Config,
    domain::{Refusal, Role},
    personal_keys::{self, MOST, token::Claims},
};
use reqwest::Method;

use crate::support::{Database, PASSWORD, TestApp, basic, on_both, on_sqlite, refusal};

on_both! {
    the_exchange_of_document_003_works_as_it_stands_there,
    point_28_creating_answers_201_a_string_and_where_it_is,
    point_29_no_query_ever_gives_the_key,
    point_30_a_deleted_key_is_204_then_404_and_is_refused,
    point_31_a_request_that_shows_a_key_manages_no_keys,
    point_32_only_the_own_keys_are_listed_and_those_of_others_never_were,
    point_33_issued_at_has_an_offset_and_claims_are_fixed_at_issue,
    a_credential_is_shown_once_and_never_in_the_url,
    a_wrong_password_is_throttled_and_audited_as_on_the_page,
    bodies_are_refused_unless_they_say_nothing,
    a_person_has_at_most_20_live_keys_however_many_are_made_at_once,
    what_happens_to_personal_keys_is_in_the_audit_log_and_no_key_is,
    the_public_halves_of_live_keys_are_a_jwks,
}

on_sqlite! {
    plain_http_elsewhere_takes_no_password,
}

const KEYS: &str = "/auth/api-keys/keys";
const IDA: &str = "member@acme.example";

fn key_of(answer: &crate::support::Answer) -> String {
    answer.json().as_str().expect("a JSON string").to_owned()
}

/// The path of a link on our own origin.
fn path<'a>(app: &TestApp, link: &'a str) -> &'a str {
    link.strip_prefix(&app.site.origin).expect("an absolute link")
}

async fn the_exchange_of_document_003_works_as_it_stands_there(app: &TestApp) {
    app.user("acme", Role::Member).await;
    let service = app.service();
    // "An API key is created by issuing a POST request to /auth/api-keys/keys"
    let made = service.person(IDA, "POST", KEYS).await.expect(201);
    let key = key_of(&made);
    let link = path(app, made.location());
    // "Authorization header with a value starting with Bearer followed by the API key"
    service.bearer(&key).await.expect(204);
    // "A GET request will return information about all the keys"
    let all = service.person(IDA, "GET", KEYS).await.expect(200).json();
    assert_eq!(all.as_array().unwrap().len(), 1);
    let mut names: Vec<&str> = all[0].as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let documented = ["ClaimValues", "IssuedAt", "Key", "KeyId", "KeyIssuer", "OriginalIssuer"];
    assert_eq!(names, documented);
    // "To get a single key, append the KeyId to the path"
    let one = format!("{KEYS}/{}", all[0]["KeyId"].as_str().unwrap());
    assert_eq!(one, link);
    assert_eq!(service.person(IDA, "GET", &one).await.expect(200).json(), all[0]);
    // "it can be invalidated by issuing a DELETE request"
    let gone = service.person(IDA, "DELETE", &one).await.expect(204);
    assert_eq!(gone.text(), "");
    service.bearer(&key).await.expect(401);
}

async fn point_28_creating_answers_201_a_string_and_where_it_is(app: &TestApp) {
    app.user("acme", Role::Member).await;
    let made = app.service().person(IDA, "POST", KEYS).await.expect(201);
    assert_eq!(made.header("content-type"), Some("application/json"));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let key = key_of(&made);
    assert_eq!(key.split('.').count(), 3);
    let link = made.location().to_owned();
    assert!(link.starts_with(&format!("{}{KEYS}/", app.site.origin)), "{link}");
    app.service().person(IDA, "GET", path(app, &link)).await.expect(200);
    // Not of a host that somebody sends.
    let authorization = basic(IDA, PASSWORD);
    let headers = [("authorization", authorization.as_str()), ("x-forwarded-host", "evil.example")];
    let made = app.service().ask(Method::POST, KEYS, &headers).await.expect(201);
    assert!(made.location().starts_with(&app.site.origin));
}

async fn point_29_no_query_ever_gives_the_key(app: &TestApp) {
    let user = app.user("acme", Role::Member).await;
    let issued = app.personal_key(&user).await;
    let one = format!("{KEYS}/{}", issued.key.id);
    let token = issued.token();
    let signed_part = token.expose().rsplit_once('.').unwrap().0;
    for path in [KEYS, one.as_str(), "/.well-known/jwks.json"] {
        let text = app.service().person(IDA, "GET", path).await.expect(200);
        assert!(!text.text().contains(issued.signature.expose()), "{path}");
        assert!(!text.text().contains(signed_part), "{path}");
    }
    // It cannot: nothing that is stored has it.
    let stored = format!("{:?}", app.snapshot().await);
    assert!(stored.contains(&issued.key.id.to_string()));
    assert!(!stored.contains(issued.signature.expose()));
}

async fn point_30_a_deleted_key_is_204_then_404_and_is_refused(app: &TestApp) {
    app.user("acme", Role::Member).await;
    let made = app.service().person(IDA, "POST", KEYS).await.expect(201);
    let (key, link) = (key_of(&made), path(app, made.location()).to_owned());
    let other = key_of(&app.service().person(IDA, "POST", KEYS).await.expect(201));
    app.service().bearer(&key).await.expect(204);
    app.service().person(IDA, "DELETE", &link).await.expect(204);
    let refused = app.service().bearer(&key).await.expect(401);
    assert_eq!(refused.json()["code"], "unknown", "it is as if it had never been");
    for method in ["DELETE", "GET"] {
        app.service().person(IDA, method, &link).await.expect(404);
    }
    app.service().bearer(&other).await.expect(204);
}

async fn point_31_a_request_that_shows_a_key_manages_no_keys(app: &TestApp) {
    let desk = app.desk("acme").await;
    let instance = desk.group("quote-engine", desk.days(90)).await;
    let user = app.user("acme", Role::Member).await;
    let issued = app.personal_key(&user).await;
    let (personal, key) = (issued.token(), instance.secret.expose());
    let personal = personal.expose();
    let one = format!("{KEYS}/{}", issued.key.id);
    let shown: Vec<(&str, String)> = vec![
        ("authorization", format!("Bearer {personal}")),
        ("authorization", format!("bearer {personal}")),
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("Token {key}")),
        ("authorization", key.to_owned()),
        ("authorization", basic(key, "x-oauth-basic")),
        ("authorization", basic(personal, "")),
        ("authorization", basic(IDA, personal)),
        ("authorization", basic(IDA, key)),
        ("authorization", basic("quote-engine_l2j4391xlw0k2ipwx5ejmdor8", "secret")),
        ("authorization", "Bearer kws_whatever".to_owned()),
        ("authorization", "Bearer kwa_whatever".to_owned()),
        ("x-synthetic-key", key.to_owned()),
    ];
    let before = app.snapshot().await;
    for (name, value) in &shown {
        for (method, path) in [("GET", KEYS), ("POST", KEYS), ("GET", &one), ("DELETE", &one)] {
            let headers = [(*name, value.as_str()), ("x-tenant-name", "acme")];
            let answer = app.service().ask(method.parse().unwrap(), path, &headers).await;
            assert_eq!(answer.status, 403, "{method} {path} {name}: {value}");
            assert_eq!(answer.json()["error"], "key_not_accepted");
        }
    }
    assert_eq!(app.snapshot().await, before);
    // A password that merely begins like a key is one that is wrong.
    let header = basic(IDA, "kw_is how my password begins");
    app.service().ask(Method::GET, KEYS, &[("authorization", &header)]).await.expect(401);
}

async fn point_32_only_the_own_keys_are_listed_and_those_of_others_never_were(app: &TestApp) {
    let [ida, ben] = [app.user("acme", Role::Member).await, app.user("acme", Role::Admin).await];
    let (hers, his) = (app.personal_key(&ida).await.key.id, app.personal_key(&ben).await.key.id);
    let list = app.service().person(IDA, "GET", KEYS).await.expect(200).json();
    let ids: Vec<_> = list.as_array().unwrap().iter().map(|it| it["KeyId"].clone()).collect();
    assert_eq!(ids, [hers.to_string()]);
    for method in ["GET", "DELETE"] {
        let theirs = format!("{KEYS}/{his}");
        let theirs = app.service().person(IDA, method, &theirs).await.expect(404);
        for never in ["8bb11574-0385-43dd-92a4-ad285d9f3d30", "no-id", "%00"] {
            let never = format!("{KEYS}/{never}");
            let never = app.service().person(IDA, method, &never).await.expect(404);
            assert_eq!(never.text(), theirs.text());
            assert_eq!(never.header("content-type"), theirs.header("content-type"));
        }
    }
    personal_keys::find(&app.own(&ben), his).await.unwrap();
}

async fn point_33_issued_at_has_an_offset_and_claims_are_fixed_at_issue(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.user_group("Readers", &[]).await;
    let ida = app.user("acme", Role::Member).await;
    desk.edit_user_group(group.id, |it| it.members = [ida.id].into()).await;
    let made = app.service().person(IDA, "POST", KEYS).await.expect(201);
    let one = path(app, made.location());
    let info = app.service().person(IDA, "GET", one).await.expect(200).json();
    assert_eq!(info["IssuedAt"], "2026-11-20T10:31:00+00:00");
    let host = app.site.origin.strip_prefix("http://").unwrap();
    assert_eq!(info["KeyIssuer"], format!("api-key://{host}"));
    assert_eq!(info["OriginalIssuer"], app.site.origin);
    let claims: Claims = serde_json::from_value(info["ClaimValues"].clone()).unwrap();
    assert_eq!(
        (claims.sub, claims.email.as_str(), claims.name.as_str()),
        (ida.id, IDA, "Member of acme")
    );
    assert_eq!(claims.jti.to_string(), info["KeyId"].as_str().unwrap());
    assert_eq!((claims.iat, claims.exp), (1_795_170_660, None));
    let place = &claims.subscriptions[0];
    assert_eq!((place.slug.as_str(), place.role.as_str()), ("acme", "member"));
    assert_eq!(place.user_groups, ["Readers"]);
    let jwk = &info["Key"];
    let fixed = ["kty", "crv", "alg", "use"].map(|it| jwk[it].as_str().unwrap());
    assert_eq!(fixed, ["OKP", "Ed25519", "EdDSA", "sig"]);
    assert_eq!(jwk["kid"], info["KeyId"]);
    assert_eq!(jwk["x"].as_str().unwrap().len(), 43);
    // The same are in the token, which is what others read.
    let key = key_of(&made);
    let payload = key.split('.').nth(1).unwrap();
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
    assert_eq!(serde_json::from_slice::<Claims>(&payload).unwrap(), claims);
    // Whatever changes since, they stay.
    desk.edit_user_group(group.id, |it| it.name = "Readers of orders".to_owned()).await;
    assert_eq!(app.service().person(IDA, "GET", one).await.json(), info);
}

async fn a_credential_is_shown_once_and_never_in_the_url(app: &TestApp) {
    let ida = app.signed_in(&app.user("acme", Role::Member).await.email).await;
    let (good, session) = (basic(IDA, PASSWORD), format!("__Host-sid={}", ida.session()));
    let send = async |path: &str, headers: &[(&str, &str)]| {
        app.clock.advance(TimeDelta::minutes(1));
        app.service().ask(Method::GET, path, headers).await
    };
    let auth = ("authorization", good.as_str());
    for headers in [
        &[auth, auth][..],
        &[auth, ("authorization", "Bearer x")],
        &[auth, ("x-synthetic-key", "x")],
        &[("x-synthetic-key", "x"), ("x-synthetic-key", "y")],
        &[auth, ("cookie", session.as_str())],
        &[("x-synthetic-key", "x"), ("cookie", session.as_str())],
    ] {
        let refused = send(KEYS, headers).await.expect(400);
        assert_eq!(refused.json()["error"], "ambiguous_credentials", "{headers:?}");
    }
    for query in ["?api_key=x", "?access_token=x", "?x"] {
        let refused = send(&format!("{KEYS}{query}"), &[auth]).await.expect(400);
        assert_eq!(refused.json()["error"], "credentials_never_in_url");
    }
    // The session of a browser alone is nothing, and cookies of others are nobody's business.
    send(KEYS, &[("cookie", &session)]).await.expect(401);
    send(KEYS, &[auth, ("cookie", "theme=dark")]).await.expect(200);
    for wrong in ["Basic", "Basic x", "Bearer x", "Digest x", ""] {
        send(KEYS, &[("authorization", wrong)]).await.expect(401);
    }
}

async fn a_wrong_password_is_throttled_and_audited_as_on_the_page(app: &TestApp) {
    app.user("acme", Role::Member).await;
    let wrong = basic(IDA, "not the password");
    let nobody = basic("nobody@acme.example", "not the password");
    let ask = async |header: &str| {
        app.service().ask(Method::GET, KEYS, &[("authorization", header)]).await
    };
    let refused = ask(&wrong).await.expect(401);
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Basic realm="), "{challenge}");
    assert_eq!(ask(&nobody).await.expect(401).text(), refused.text());
    let later = ask(&basic(IDA, PASSWORD)).await.expect(429);
    assert_eq!(later.header("retry-after"), Some("1"));
    assert_eq!(later.json()["error"], "too_many");
    app.clock.advance(TimeDelta::seconds(1));
    ask(&basic(IDA, PASSWORD)).await.expect(200);
    let rows =
        app.query("SELECT action FROM audit_events WHERE action LIKE 'authn.%' ORDER BY seq").await;
    let actions: Vec<_> = rows.iter().map(|it| it["action"].as_str().unwrap()).collect();
    let expected =
        ["authn.login_fail", "authn.login_fail", "authn.login_throttled", "authn.login_success"];
    assert_eq!(actions, expected);
}

async fn bodies_are_refused_unless_they_say_nothing(app: &TestApp) {
    app.user("acme", Role::Member).await;
    let post = async |kind: &str, body: &str| {
        app.service().person_sends(IDA, KEYS, kind, body.to_owned()).await
    };
    for (kind, body) in [
        ("application/json", ""),
        ("text/plain", ""),
        ("application/json", "{}"),
        ("application/json; charset=utf-8", " null "),
    ] {
        post(kind, body).await.expect(201);
    }
    let before = app.count("personal_keys").await;
    let large = format!("\"{}\"", "x".repeat(70_000));
    for (kind, body, status, error) in [
        ("application/json", large.as_str(), 413, "too_large"),
        ("application/x-www-form-urlencoded", "a=b", 415, "unsupported_media_type"),
        ("", "{}", 415, "unsupported_media_type"),
        ("application/json", "{", 400, "malformed_body"),
        ("application/json", "[1]", 400, "malformed_body"),
        ("application/json", "{\"until\":1}", 422, "unknown_field"),
    ] {
        let refused = post(kind, body).await;
        assert_eq!(refused.status, status, "{kind}: {}", refused.text());
        assert_eq!(refused.json()["error"], error);
    }
    assert_eq!(app.count("personal_keys").await, before);
}

async fn a_person_has_at_most_20_live_keys_however_many_are_made_at_once(app: &TestApp) {
    let user = app.user("acme", Role::Member).await;
    let soon = app.clock.now() + TimeDelta::days(1);
    for _ in 0..3 {
        app.try_personal_key(&user, Some(soon)).await.unwrap();
    }
    let made = join_all((0..24).map(|_| app.try_personal_key(&user, None))).await;
    let made: Vec<_> = made.into_iter().filter(Result::is_ok).collect();
    assert_eq!(made.len(), MOST - 3);
    let full = app.try_personal_key(&user, None).await;
    assert_eq!(refusal(full.map(drop)), Refusal::TooManyPersonalKeys { most: MOST });
    let refused = app.service().person(IDA, "POST", KEYS).await.expect(409);
    assert_eq!(refused.json()["error"], "refused");
    // Others have as many of their own, and what has ended does not count.
    app.personal_key(&app.user("acme", Role::Admin).await).await;
    app.clock.advance(TimeDelta::days(1));
    for _ in 0..3 {
        app.personal_key(&user).await;
    }
    assert!(app.try_personal_key(&user, None).await.is_err());
    assert_eq!(personal_keys::list(&app.own(&user)).await.unwrap().len(), MOST + 3);
}

async fn what_happens_to_personal_keys_is_in_the_audit_log_and_no_key_is(app: &TestApp) {
    app.user("acme", Role::Member).await;
    let made = app.service().person(IDA, "POST", KEYS).await.expect(201);
    app.service().person(IDA, "DELETE", path(app, made.location())).await.expect(204);
    let id = made.location().rsplit_once('/').unwrap().1;
    let sql = "SELECT * FROM audit_events WHERE object_kind = 'personal_key' ORDER BY seq";
    let rows = app.query(sql).await;
    let actions: Vec<_> = rows.iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["personal_key.issued", "personal_key.deleted"]);
    for row in &rows {
        assert_eq!((&row["actor"], &row["object"]), (&IDA.into(), &IDA.into()));
        assert_eq!(row["scope"], "00000000-0000-0000-0000-000000000000");
        assert_eq!(row["object_id"], id);
        assert!(!row.to_string().contains(key_of(&made).rsplit_once('.').unwrap().1));
    }
}

async fn the_public_halves_of_live_keys_are_a_jwks(app: &TestApp) {
    let user = app.user("acme", Role::Member).await;
    let jwks = async |query: &str| {
        let path = format!("/.well-known/jwks.json{query}");
        app.service().ask(Method::GET, &path, &[]).await
    };
    assert_eq!(jwks("").await.expect(200).text(), "{\"keys\":[]}");
    let soon = app.clock.now() + TimeDelta::days(1);
    let first = app.try_personal_key(&user, Some(soon)).await.unwrap().key;
    app.clock.advance(TimeDelta::minutes(1));
    let second = app.personal_key(&app.user("acme", Role::Admin).await).await.key;
    let answer = jwks("").await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    let expected = serde_json::json!({ "keys": [first.jwk(), second.jwk()] });
    assert_eq!(answer.json(), expected);
    assert_eq!(
        jwks(&format!("?after={}", first.id)).await.json()["keys"][0]["kid"],
        second.id.to_string()
    );
    jwks("?after=x").await.expect(400);
    app.clock.advance(TimeDelta::days(1));
    assert_eq!(jwks("").await.json()["keys"].as_array().unwrap().len(), 1);
    // A list that is longer than a page says where it goes on.
    let page = personal_keys::public_keys(app, None, 1, first_instant(app)).await.unwrap();
    assert_eq!((page.keys.len(), page.next), (1, Some(first.id)));
}

async fn plain_http_elsewhere_takes_no_password(database: &Database) {
    let in_the_lan = |it: &mut Config| {
        let url = format!("http://keyward.test:{}", it.bind.port());
        it.public_url = Some(url.parse().unwrap());
    };
    let app = TestApp::start_with(*database, in_the_lan).await;
    app.user("acme", Role::Member).await;
    let authorization = basic(IDA, PASSWORD);
    let headers = [("authorization", authorization.as_str()), ("host", &app.site.hosts[0])];
    let refused = app.service().ask(Method::GET, KEYS, &headers).await.expect(403);
    assert_eq!(refused.json()["error"], "insecure_transport");
    app.stop().await;
}

/// Before anything has ended.
fn first_instant(app: &TestApp) -> chrono::DateTime<chrono::Utc> {
    app.clock.now() - TimeDelta::days(1)
}
