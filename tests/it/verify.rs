//! `/verify`: who is let in, and what everybody else is told.
use actix_web::test::TestRequest;
use chrono::TimeDelta;
use keyward::{
    domain::{
        ActivePeriod, SecretText,
        secret::{Kind, shape},
    },
    http::headers::Headers,
    key_groups, key_instances,
    verify::gateway::{self, Request},
};
use reqwest::Method;

use crate::support::{Answer, PASSWORD, TestApp, ids, on_both, own_text};

on_both! {
    a_generated_key_is_accepted_by_every_documented_header,
    an_own_key_is_accepted_only_beside_the_name_of_its_tenant,
    get_head_and_post_give_the_same_verdict,
    the_holder_of_a_key_is_told_why_it_is_refused,
    a_suspended_subscription_refuses_all_its_keys_until_it_is_resumed,
    strangers_get_one_constant_answer,
    a_synthetic_key_without_or_with_a_wrong_tenant_name_is_refused,
    more_than_one_credential_is_ambiguous,
    a_key_in_the_query_is_refused_and_not_echoed,
    a_permission_that_the_key_lacks_is_forbidden,
    a_key_that_ends_soon_says_so_to_its_callers,
    a_key_is_accepted_from_its_start_to_just_before_its_end,
    a_group_name_of_any_letters_fits_into_a_header,
    what_memory_knows_is_answered_at_once,
}

/// Without a future, and without the database.
async fn what_memory_knows_is_answered_at_once(app: &TestApp) {
    let desk = app.desk("acme").await;
    let made = desk.group("quote-engine", desk.days(90)).await;
    let at_once = |key: &str| {
        let req = TestRequest::get().insert_header(("authorization", format!("Bearer {key}")));
        let req = req.to_http_request();
        let headers = Headers::Map(req.headers());
        let asked = Request { query: "", headers, peer: None, now: app.clock.now() };
        let answer = gateway::check_at_once(app, asked);
        answer.map(|it| it.into_response().status().as_u16())
    };
    let key = made.secret.expose();
    assert_eq!(at_once(key), Some(204));
    assert_eq!(at_once(&format!("{key}x")), Some(401));
    assert_eq!(at_once("a.personal.key"), None);
}

async fn a_generated_key_is_accepted_by_every_documented_header(app: &TestApp) {
    let desk = app.desk("acme").await;
    let made = desk.group("quote-engine", desk.days(90)).await;
    let key = made.secret.expose();
    let service = app.service();
    let accepted = [
        service.bearer(key).await,
        service.synthetic(key, "acme").await,
        service.raw(&[("authorization", &format!("bEARER {key}"))]).await,
        service
            .raw(&[("authorization", &format!("Bearer {key}")), ("x-tenant-name", "acme")])
            .await,
    ];
    for answer in accepted {
        let answer = answer.expect(204);
        assert_eq!(answer.text(), "");
        assert_eq!(answer.header("keyward-subscription"), Some("acme"));
        assert_eq!(answer.header("keyward-key-group"), Some("quote-engine"));
        assert_eq!(answer.header("keyward-key-instance"), Some("k-1"));
        assert_eq!(answer.header("keyward-permissions"), Some(""));
        assert_eq!(answer.header("keyward-expires"), Some("2027-02-18T10:30:00.000Z"));
        assert_eq!((answer.header("keyward-warning"), answer.header("sunset")), (None, None));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.cookies().is_empty());
    }
}

async fn an_own_key_is_accepted_only_beside_the_name_of_its_tenant(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let text = own_text(1);
    desk.own_key(group, &text, desk.days(90)).await;
    let service = app.service();
    let answer = service.synthetic(&text, "acme").await.expect(204);
    assert_eq!(answer.header("keyward-key-instance"), Some("k-2"));
    let bearer = format!("Bearer {text}");
    service.raw(&[("authorization", &bearer), ("x-tenant-name", "acme")]).await.expect(204);
    assert_eq!(reason(&service.bearer(&text).await.expect(401)), "unknown");
}

async fn get_head_and_post_give_the_same_verdict(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let service = app.service();
    for method in [Method::GET, Method::HEAD, Method::POST] {
        let ask = |key: String| {
            let method = method.clone();
            async move {
                service
                    .ask(method, "/verify", &[("x-synthetic-key", &key), ("x-tenant-name", "acme")])
                    .await
            }
        };
        ask(key.secret.expose().to_owned()).await.expect(204);
        assert_eq!(reason(&ask(own_text(9)).await.expect(401)), "unknown");
    }
}

async fn the_holder_of_a_key_is_told_why_it_is_refused(app: &TestApp) {
    let desk = app.desk("acme").await;
    let now = app.clock.now();
    let first = desk.group("quote-engine", desk.days(2)).await;
    let group = first.instance.key_group_id;
    let later = now + TimeDelta::days(10);
    let period = ActivePeriod::new(later, Some(later + TimeDelta::days(90))).unwrap();
    let future = desk.key(group, period).await;
    let off = desk.key(group, desk.days(90)).await;
    key_instances::deactivate(&desk.act(), ids(&off)).await.unwrap();
    let dead = desk.key(group, desk.days(90)).await;
    key_instances::revoke(&desk.act(), ids(&dead)).await.unwrap();
    app.clock.advance(TimeDelta::days(3));
    let both = desk.key(group, desk.days(90)).await;
    key_instances::deactivate(&desk.act(), ids(&both)).await.unwrap();
    key_instances::revoke(&desk.act(), ids(&both)).await.unwrap();

    for (key, told) in [
        (&first, "expired"),
        (&future, "not_yet_active"),
        (&off, "deactivated"),
        (&dead, "revoked"),
        (&both, "revoked"),
    ] {
        let answer = app.service().bearer(key.secret.expose()).await.expect(401);
        assert_eq!(reason(&answer), told);
        let challenge = answer.header("www-authenticate").unwrap();
        let expected = format!(
            "Bearer realm=\"keyward\", error=\"invalid_token\", error_description=\"{told}\""
        );
        assert_eq!(challenge, expected);
        assert!(answer.header("keyward-subscription").is_none(), "{:?}", answer.headers);
    }
}

async fn a_suspended_subscription_refuses_all_its_keys_until_it_is_resumed(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let other = app.desk("rival").await;
    let others = other.group("quote-engine", other.days(90)).await;
    let owner = app.owner().await;
    owner.post("/subscriptions/acme/suspension", &[("confirm", "acme")]).await.expect(303);
    let answer = app.service().bearer(key.secret.expose()).await.expect(401);
    assert_eq!(reason(&answer), "suspended");
    app.service().bearer(others.secret.expose()).await.expect(204);
    owner.post("/subscriptions/acme/resumption", &[]).await.expect(303);
    app.service().bearer(key.secret.expose()).await.expect(204);
}

async fn strangers_get_one_constant_answer(app: &TestApp) {
    let (acme, rival) = (app.desk("acme").await, app.desk("rival").await);
    let ours = acme.group("quote-engine", acme.days(90)).await;
    let own = own_text(1);
    rival.group("quote-engine", rival.days(90)).await;
    let theirs = rival.group("theirs", rival.days(90)).await.instance.key_group_id;
    rival.own_key(theirs, &own, rival.days(90)).await;
    let gone = acme.group("gone", acme.days(90)).await;
    let version = key_groups::find(&acme.act(), gone.instance.key_group_id).await.unwrap().version;
    key_groups::delete(&acme.act(), gone.instance.key_group_id, version).await.unwrap();
    let never = [Kind::KeyInstance, Kind::ClientSecret, Kind::AutomationToken].map(unknown);
    let key = ours.secret.expose();
    let mut mistyped = key.to_owned();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == 'a' { 'b' } else { 'a' });
    let mut mangled = key.to_owned();
    mangled.replace_range(10..11, if &key[10..11] == "a" { "b" } else { "a" });

    let service = app.service();
    let strangers = [
        service.raw(&[]).await,
        service.bearer("").await,
        service.bearer(&never[0]).await,
        service.bearer(&never[1]).await,
        service.bearer(&never[2]).await,
        service.bearer(&mistyped).await,
        service.bearer(&mangled).await,
        service.bearer(gone.secret.expose()).await,
        service.bearer(&key[..key.len() - 1]).await,
        service.bearer(&format!("{key}0")).await,
        service.bearer(&format!(" {key}")).await.expect(204), // one space or more (RFC 9110)
        service.bearer(&key.to_uppercase()).await,
        service.bearer("k\u{e4}w").await,
        service.bearer(&"x".repeat(5_000)).await,
        service.bearer("' OR 1=1 --").await,
        service.synthetic(&own, "acme").await,
        service.synthetic(&own, "nobody").await,
        service.synthetic(&own, "").await,
        service.synthetic(key, "acme ").await.expect(204), // white space around values is not sent
        service.raw(&[("x-synthetic-key", key)]).await,
        service.raw(&[("authorization", &format!("Basic {key}"))]).await,
        service.raw(&[("authorization", key)]).await,
    ];
    let first = &strangers[0];
    for (n, it) in strangers.iter().enumerate().filter(|it| it.1.status != 204) {
        assert_eq!((it.status, it.text()), (401, r#"{"valid":false,"code":"unknown"}"#), "{n}");
        assert_eq!(headers(it), headers(first), "{n}");
    }
    assert_eq!(strangers.iter().filter(|it| it.status == 204).count(), 2);
    service.synthetic(&own, "rival").await.expect(204);
}

/// Well-formed, and nobody's.
fn unknown(kind: Kind) -> String {
    let fill = |it: &mut [u8]| {
        it.fill(7);
        Ok::<_, std::convert::Infallible>(())
    };
    let text = SecretText::generate(kind, fill).unwrap().expose().to_owned();
    assert_eq!(shape(&text), keyward::domain::secret::Shape::Generated(kind));
    text
}

fn headers(it: &Answer) -> Vec<(String, String)> {
    let all = it.headers.iter().filter(|it| it.0 != "date");
    let mut all: Vec<_> =
        all.map(|it| (it.0.to_string(), it.1.to_str().unwrap().to_owned())).collect();
    all.sort();
    all
}

async fn a_synthetic_key_without_or_with_a_wrong_tenant_name_is_refused(app: &TestApp) {
    let (acme, rival) = (app.desk("acme").await, app.desk("rival").await);
    let made = acme.group("quote-engine", acme.days(90)).await;
    let (key, own) = (made.secret.expose(), own_text(1));
    acme.own_key(made.instance.key_group_id, &own, acme.days(90)).await;
    rival.group("quote-engine", rival.days(90)).await;
    let service = app.service();
    assert_eq!(reason(&service.raw(&[("x-synthetic-key", key)]).await.expect(401)), "unknown");
    assert_eq!(reason(&service.raw(&[("x-synthetic-key", &own)]).await.expect(401)), "unknown");
    for tenant in ["rival", "ACME", "acm", "acme2"] {
        let answer = service.synthetic(key, tenant).await.expect(401);
        assert_eq!(reason(&answer), "wrong_subscription", "{tenant}");
        let answer = service.synthetic(&own, tenant).await.expect(401);
        assert_eq!(reason(&answer), "unknown", "{tenant}");
    }
}

async fn more_than_one_credential_is_ambiguous(app: &TestApp) {
    let desk = app.desk("acme").await;
    let made = desk.group("quote-engine", desk.days(90)).await;
    let key = made.secret.expose();
    let bearer = format!("Bearer {key}");
    let admin = app.signed_in("admin@acme.example").await;
    let session = format!("__Host-sid={}", admin.session());
    let (auth, synthetic, tenant) = ("authorization", "x-synthetic-key", ("x-tenant-name", "acme"));
    for headers in [
        &[(auth, bearer.as_str()), (synthetic, key), tenant][..],
        &[(auth, bearer.as_str()), (auth, bearer.as_str())],
        &[(auth, "Basic YTpi"), (synthetic, key), tenant],
        &[(synthetic, key), (synthetic, key), tenant],
        &[(synthetic, key), tenant, tenant],
        &[(synthetic, key), tenant, ("x-tenant-name", "rival")],
        &[(auth, bearer.as_str()), ("cookie", session.as_str())],
        &[(synthetic, key), tenant, ("cookie", session.as_str())],
    ] {
        let answer = app.service().raw(headers).await.expect(400);
        assert_eq!(reason(&answer), "ambiguous_credentials", "{headers:?}");
    }
    let cookie_alone = app.service().raw(&[("cookie", session.as_str())]).await;
    assert!([400, 401].contains(&cookie_alone.status), "{cookie_alone:?}");
    // Another cookie is none of ours.
    app.service().raw(&[(auth, &bearer), ("cookie", "theme=dark")]).await.expect(204);
}

async fn a_key_in_the_query_is_refused_and_not_echoed(app: &TestApp) {
    let desk = app.desk("acme").await;
    let made = desk.group("quote-engine", desk.days(90)).await;
    let key = made.secret.expose();
    let header = format!("Bearer {key}");
    for name in ["key", "api_key", "token", "x-synthetic-key", "access_token", "anything"] {
        let path = format!("/verify?{name}={key}");
        for headers in [&[][..], &[("authorization", header.as_str())]] {
            let answer = app.service().ask(Method::GET, &path, headers).await.expect(400);
            assert_eq!(reason(&answer), "credentials_never_in_url");
            assert!(!answer.text().contains(key) && !format!("{:?}", answer.headers).contains(key));
        }
    }
    let twice = "/verify?permission=a:b&permission=c:d";
    app.service().ask(Method::GET, twice, &[("authorization", &header)]).await.expect(400);
}

async fn a_permission_that_the_key_lacks_is_forbidden(app: &TestApp) {
    let desk = app.desk("acme").await;
    let made = desk.group("quote-engine", desk.days(2)).await;
    let header = format!("Bearer {}", made.secret.expose());
    let path = "/verify?permission=quotes:read";
    let service = app.service();
    let answer = service.ask(Method::GET, path, &[("authorization", &header)]).await.expect(403);
    assert_eq!(reason(&answer), "insufficient_permissions");
    assert!(answer.header("www-authenticate").unwrap().contains("insufficient_scope"));
    let stranger = service.ask(Method::GET, path, &[]).await.expect(401);
    assert_eq!(reason(&stranger), "unknown");
    app.clock.advance(TimeDelta::days(2));
    let answer = service.ask(Method::GET, path, &[("authorization", &header)]).await.expect(401);
    assert_eq!(reason(&answer), "expired");
}

async fn a_key_that_ends_soon_says_so_to_its_callers(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    app.clock.advance(TimeDelta::days(76) - TimeDelta::milliseconds(1));
    let answer = app.service().bearer(key.secret.expose()).await.expect(204);
    assert_eq!((answer.header("keyward-warning"), answer.header("sunset")), (None, None));
    app.clock.advance(TimeDelta::milliseconds(1));
    let answer = app.service().bearer(key.secret.expose()).await.expect(204);
    assert_eq!(answer.header("keyward-warning"), Some("expires_soon"));
    assert_eq!(answer.header("sunset"), Some("Thu, 18 Feb 2027 10:30:00 GMT"));
    let endless = ActivePeriod::new(app.clock.now(), None).unwrap();
    let key = desk.key(key.instance.key_group_id, endless).await;
    let answer = app.service().bearer(key.secret.expose()).await.expect(204);
    assert_eq!(answer.header("keyward-expires"), Some("never"));
    assert_eq!(answer.header("sunset"), None);
}

/// O15, and point 37: the start is included, the end is not.
async fn a_key_is_accepted_from_its_start_to_just_before_its_end(app: &TestApp) {
    let desk = app.desk("acme").await;
    let from = app.clock.now() + TimeDelta::days(1);
    let until = from + TimeDelta::hours(1);
    let period = ActivePeriod::new(from, Some(until)).unwrap();
    let key = desk.group("quote-engine", period).await;
    let admin = app.signed_in("admin@acme.example").await;
    let ms = TimeDelta::milliseconds(1);
    for (at, status, told, shown) in [
        (from - ms, 401, "not_yet_active", "Active in the future"),
        (from, 204, "", "Expires soon"),
        (until - ms, 204, "", "Expires soon"),
        (until, 401, "expired", "Expired"),
    ] {
        app.clock.advance(at - app.clock.now());
        let answer = app.service().bearer(key.secret.expose()).await.expect(status);
        assert_eq!(answer.header("keyward-reason").unwrap_or_default(), told);
        if !admin.is_signed_in().await {
            admin.sign_in("admin@acme.example", PASSWORD).await.expect(303);
        }
        let page = admin.get(&crate::support::path_of("acme", &key.instance)).await.expect(200);
        assert!(page.plain().contains(&format!("k-1 {shown} ")), "{at}: {}", page.plain());
    }
}

async fn a_group_name_of_any_letters_fits_into_a_header(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("Prämien 100% \u{1f511}", desk.days(90)).await;
    let answer = app.service().bearer(key.secret.expose()).await.expect(204);
    let name = "Pr%C3%A4mien 100%25 %F0%9F%94%91";
    assert_eq!(answer.header("keyward-key-group"), Some(name));
}

fn reason(answer: &Answer) -> &str {
    answer.header("keyward-reason").expect("no reason is told")
}
