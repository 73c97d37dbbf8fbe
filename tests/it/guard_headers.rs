//! What protects a browser: the headers of every answer, who may send a form, which host is ours.
use keyward::server::ROUTES;
use reqwest::Method;

use crate::support::{Answer, Database, PASSWORD, TestApp, on_both, path_of, path_to, wire};

on_both! {
    every_answer_tells_the_browser_what_it_may_do,
    a_database_that_is_away_is_neither_a_verdict_nor_a_refusal,
    machines_get_no_sniffing_and_no_caching,
    https_is_demanded_for_a_year_where_it_is_served,
    no_form_is_taken_from_another_site,
    a_link_from_another_site_opens_a_page_but_no_script_reads_one,
    another_host_is_answered_with_421_and_nothing_of_it,
    a_forwarded_host_changes_no_link,
}

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                   font-src 'self'; connect-src 'self'; form-action 'self'; \
                   frame-ancestors 'none'; base-uri 'none'; object-src 'none'; \
                   require-trusted-types-for 'script'";

/// SECURITY.md 3.5.
#[track_caller]
fn check_headers(answer: &Answer, what: &str) {
    for (name, value) in [
        ("content-security-policy", CSP),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("vary", "Sec-Fetch-Site, Origin, Cookie"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name} of {what}");
    }
    let features = answer.header("permissions-policy").unwrap();
    assert!(features.contains("clipboard-write=(self)") && features.contains("camera=()"));
    for telling in ["server", "x-powered-by", "strict-transport-security"] {
        assert_eq!(answer.header(telling), None, "{telling} of {what}");
    }
}

async fn every_answer_tells_the_browser_what_it_may_do(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = path_of("acme", &desk.group("quote-engine", desk.days(90)).await.instance);
    let (admin, member, nobody) =
        (app.admin("acme").await, app.member("acme").await, app.anonymous());
    let elsewhere = nobody.with(&[("sec-fetch-site", "cross-site")]);
    let form = "application/x-www-form-urlencoded";
    let settings = "/s/acme/settings";
    let answers = [
        (200, admin.get("/s/acme/groups").await),
        (200, admin.get("/s/acme/groups.csv").await),
        (200, nobody.get("/sign-in").await),
        (303, nobody.get("/").await),
        (400, admin.post_raw(settings, "application/json", b"{}".to_vec()).await),
        (401, nobody.sign_in("nobody@example.com", PASSWORD).await),
        (403, elsewhere.post("/sign-in", &[]).await),
        (403, member.get(settings).await),
        (404, admin.get("/nothing/here").await),
        (404, nobody.get("/setup/never-made").await),
        (405, admin.send(Method::DELETE, settings).await),
        (405, nobody.send(Method::PUT, "/sign-in").await),
        (405, nobody.send(Method::DELETE, "/verify").await),
        (410, admin.get(&format!("{key}/secret")).await),
        (413, admin.post_raw(settings, form, vec![b'a'; 70_000]).await),
        (413, nobody.post_raw("/sign-in", form, vec![b'a'; 70_000]).await),
        (421, nobody.with(&[("host", "evil.example")]).get("/sign-in").await),
        (422, admin.post(settings, &[("default_lifetime_days", "0")]).await),
        (429, nobody.sign_in("nobody@example.com", PASSWORD).await),
    ];
    for (status, answer) in answers {
        check_headers(&answer, &format!("{status}"));
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{status}");
    }
    let style = keyward::http::assets::url("app.css");
    for (status, path) in [(200, style.as_str()), (404, "/static/0/none"), (200, "/favicon.ico")] {
        check_headers(&nobody.get(path).await.expect(status), path);
    }
}

async fn a_database_that_is_away_is_neither_a_verdict_nor_a_refusal(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.secret;
    let (admin, nobody) = (app.admin("acme").await, app.anonymous());
    app.db.clone().close().await.unwrap();
    app.relies_on_nothing().await;
    for answer in [
        admin.get("/s/acme/groups").await,
        admin.post("/s/acme/settings", &[]).await,
        nobody.sign_in("owner@example.com", PASSWORD).await,
    ] {
        let answer = answer.expect(503);
        check_headers(&answer, "503");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("retry-after").is_some());
    }
    let verdict = app.service().bearer(key.expose()).await.expect(503);
    assert_eq!(verdict.header("keyward-reason"), Some("unavailable"));
    nobody.get("/readyz").await.expect(503);
    app.healthz().await.expect(200);
}

async fn machines_get_no_sniffing_and_no_caching(app: &TestApp) {
    let desk = app.desk("acme").await;
    let issued = desk.group("quote-engine", desk.days(90)).await;
    let service = app.service();
    let twice = [("x-synthetic-key", "a"), ("x-synthetic-key", "b")];
    for (status, answer) in [
        (204, service.bearer(issued.secret.expose()).await),
        (401, service.bearer("kw_unknown").await),
        (401, service.synthetic("unknown", "acme").await),
        (400, service.raw(&twice).await),
        (200, app.healthz().await),
    ] {
        let answer = answer.expect(status);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{status}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{status}");
        assert!(answer.header("content-security-policy").is_some(), "{status}");
    }
    // What has no path at all is no exception.
    let request = format!("OPTIONS * HTTP/1.1\r\nHost: {}\r\n\r\n", app.address);
    let reply = wire::send(app.address, request).await;
    assert_eq!(reply.status, Some(404), "{reply:?}");
    assert!(reply.text.contains("x-content-type-options: nosniff"), "{reply:?}");
}

async fn https_is_demanded_for_a_year_where_it_is_served(database: &Database) {
    let https = "https://keys.example.com";
    let app = TestApp::start_with(*database, |it| it.public_url = https.parse().ok()).await;
    let year = Some("max-age=31536000; includeSubDomains");
    for path in ["/sign-in", "/", "/nothing", "/healthz", "/verify"] {
        let answer = app.anonymous().get(path).await;
        assert_eq!(answer.header("strict-transport-security"), year, "{path}");
    }
    let answer = app.anonymous().send(Method::DELETE, "/verify").await.expect(405);
    assert_eq!(answer.header("strict-transport-security"), year);
    // Refused by a layer.
    let large = "x".repeat(70_000);
    let answer = app.anonymous().post("/sign-in", &[("email", &large)]).await.expect(413);
    assert_eq!(answer.header("strict-transport-security"), year);
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.header("x-request-id").is_some());
    app.stop().await;
}

async fn no_form_is_taken_from_another_site(app: &TestApp) {
    let things = app.desk("acme").await.things().await;
    let key = path_of("acme", &things.key);
    let (admin, owner) = (app.admin("acme").await, app.owner().await);
    let before = app.snapshot().await;
    let port = app.address.port();
    let neighbour = format!("http://127.0.0.1:{}", if port == 1 { 2 } else { port - 1 });
    let localhost = format!("http://localhost:{port}");
    let ours = app.site.origin.as_str();
    let mut claims = vec![("", ""), ("", "null"), ("", "https://evil.example")];
    claims.extend([("", neighbour.as_str()), ("", localhost.as_str())]);
    for site in ["cross-site", "same-site", "none", "Same-Origin", "rubbish"] {
        claims.extend([(site, ours), (site, "")]);
    }
    let posts = ROUTES.iter().filter(|it| it.method == "POST");
    for route in posts {
        let path = path_to(route, &things);
        for (site, origin) in &claims {
            for person in [&admin, &owner, &app.anonymous()] {
                let claiming = person.with(&[("sec-fetch-site", site), ("origin", origin)]);
                let answer = claiming.post(&path, &[]).await;
                assert_eq!(answer.status, 403, "{path} from {site:?} {origin:?}");
            }
        }
    }
    assert_eq!(app.snapshot().await, before);
    // Either proof suffices: a form that would be accepted changes something.
    for headers in [("same-origin", ""), ("", ours)] {
        let own = admin.with(&[("sec-fetch-site", headers.0), ("origin", headers.1)]);
        own.post(&format!("{key}/deactivation"), &[]).await.expect(303);
        own.post(&format!("{key}/reactivation"), &[("preset", "30")]).await.expect(303);
    }
}

async fn a_link_from_another_site_opens_a_page_but_no_script_reads_one(app: &TestApp) {
    let owner = app.owner().await;
    let from = |mode, destination| {
        let headers = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", mode),
            ("sec-fetch-dest", destination),
        ];
        owner.with(&headers)
    };
    from("navigate", "document").get("/subscriptions").await.expect(200);
    for (mode, destination) in
        [("no-cors", "image"), ("no-cors", "script"), ("cors", "empty"), ("navigate", "iframe")]
    {
        from(mode, destination).get("/subscriptions").await.expect(403);
    }
}

async fn another_host_is_answered_with_421_and_nothing_of_it(app: &TestApp) {
    let owner = app.owner().await;
    let before = app.snapshot().await;
    let other_port = format!("127.0.0.1:{}", app.address.port() ^ 1);
    for host in ["evil.example", "127.0.0.1", other_port.as_str(), "127.0.0.1:80@evil.example"] {
        let there = owner.with(&[("host", host)]);
        for path in ["/", "/sign-in", "/subscriptions/new", "/nothing"] {
            let answer = there.get(path).await;
            assert!([421, 400].contains(&answer.status), "{host} {path}: {}", answer.status);
            assert!(!format!("{:?}{}", answer.headers, answer.text()).contains("evil"), "{path}");
        }
        let new = [("name", "Evil"), ("subscription", "Evil"), ("slug", "evil")];
        let answer = there.post("/subscriptions/new", &new).await;
        assert!([421, 400].contains(&answer.status), "{host}: {}", answer.status);
    }
    for hosts in ["", "Host: evil.example\r\nHost: {ours}\r\n", "Host: {ours}\r\nHost: evil\r\n"] {
        let hosts = hosts.replace("{ours}", &app.site.hosts[0]);
        let request = format!("GET /sign-in HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let reply = wire::send(app.address, request).await;
        assert!([Some(421), Some(400)].contains(&reply.status), "{hosts:?}: {reply:?}");
    }
    assert_eq!(app.snapshot().await, before);
}

async fn a_forwarded_host_changes_no_link(app: &TestApp) {
    let owner = app.owner().await.with(&[
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-url", "/evil"),
    ]);
    let form = owner.get("/subscriptions/new").await.expect(200);
    let new = [("name", "Globex"), ("subscription", "Globex"), ("slug", "globex")];
    let made = owner.post("/subscriptions/new", &new).await;
    let list = owner.get("/subscriptions").await.expect(200);
    let sent_away = app.anonymous().with(&[("x-forwarded-host", "evil.example")]).get("/").await;
    assert_eq!(sent_away.location(), "/sign-in");
    for answer in [form, made, list, sent_away] {
        assert!(answer.status < 400, "{}: {}", answer.status, answer.text());
        assert!(!format!("{:?}{}", answer.headers, answer.text()).contains("evil"));
    }
}
