//! Bodies without end, heads without end, bytes once a second, text that wants to be a log line.
use std::time::Duration;

use keyward::audit;

use crate::support::{PASSWORD, TestApp, on_both, path_of, wire};

on_both! {
    a_body_without_end_is_refused_and_the_server_lives,
    ten_thousand_fields_do_no_harm,
    a_megabyte_of_head_is_refused,
    a_request_that_trickles_is_cut_after_fifteen_seconds_at_most,
    a_head_that_trickles_is_cut,
    a_user_agent_cannot_forge_a_line_of_the_log,
    a_name_with_control_characters_is_refused,
}

const FORM: &str = "application/x-www-form-urlencoded";

/// The head of a POST that claims to come from our own pages.
fn head(app: &TestApp, path: &str, length: &str, cookie: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nOrigin: {}\r\nContent-Type: {FORM}\r\n\
         Cookie: __Host-sid={cookie}\r\n{length}\r\n\r\n",
        app.site.hosts[0], app.site.origin
    )
}

async fn a_body_without_end_is_refused_and_the_server_lives(app: &TestApp) {
    let admin = app.admin("acme").await;
    for path in ["/sign-in", "/s/acme/groups/new", "/setup/never-made"] {
        let big = vec![b'a'; 64 * 1024 + 1];
        admin.post_raw(path, FORM, big).await.expect(413);
        let endless = head(app, path, "Transfer-Encoding: chunked", &admin.session());
        let chunk = [b"4000\r\n", vec![b'a'; 0x4000].as_slice(), b"\r\n"].concat();
        let reply = wire::drip(app.address, endless, chunk, Duration::from_millis(1)).await;
        assert_eq!(reply.status, Some(413), "{path}");
        let gigabyte = head(app, path, "Content-Length: 1073741824", &admin.session());
        let reply =
            wire::drip(app.address, gigabyte, vec![b'a'; 0x4000], Duration::from_millis(1)).await;
        assert_eq!(reply.status, Some(413), "{path}");
    }
    // This one looks at heads only.
    let endless = head(app, "/verify", "Transfer-Encoding: chunked", "").replace("Cookie", "X");
    let chunk = b"1\r\na\r\n".to_vec();
    let reply = wire::drip(app.address, endless, chunk, Duration::from_millis(1)).await;
    assert_eq!(reply.status, Some(401));
    app.healthz().await.expect(200);
    assert!(admin.is_signed_in().await);
}

async fn ten_thousand_fields_do_no_harm(app: &TestApp) {
    let admin = app.admin("acme").await;
    let before = app.snapshot().await;
    let fields = "a=&".repeat(10_000);
    let same = "name=x&".repeat(9_000);
    for body in [fields, same, "%".repeat(60_000), "\u{0}=\u{0}&&&===".repeat(1_000)] {
        for path in ["/s/acme/groups/new", "/s/acme/settings"] {
            let answer = admin.post_raw(path, FORM, body.clone().into_bytes()).await;
            assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        }
    }
    assert_eq!(app.snapshot().await, before);
}

async fn a_megabyte_of_head_is_refused(app: &TestApp) {
    let host = &app.site.hosts[0];
    let long = "a".repeat(1_000_000);
    for request in [
        format!("GET /sign-in HTTP/1.1\r\nHost: {host}\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("GET /verify HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {long}\r\n\r\n"),
    ] {
        let reply = wire::send(app.address, request).await;
        // Some of it may still be on its way when the connection is closed.
        assert!(reply.status.is_none_or(|it| (400..500).contains(&it)), "{reply:?}");
        app.healthz().await.expect(200);
    }
}

async fn a_request_that_trickles_is_cut_after_fifteen_seconds_at_most(app: &TestApp) {
    let admin = app.admin("acme").await;
    let second = Duration::from_secs(1);
    let slow = |path: &str| {
        let head = head(app, path, "Content-Length: 1000", &admin.session());
        wire::drip(app.address, head, b"a".to_vec(), second)
    };
    let (form, page, verify) =
        tokio::join!(slow("/sign-in"), slow("/s/acme/groups/new"), slow("/verify"));
    // `/verify` does not look at bodies; it refuses the cookie.
    for (status, reply) in [(408, form), (408, page), (400, verify)] {
        assert!(reply.after < 15 * second, "{reply:?}");
        assert_eq!(reply.status, Some(status), "{reply:?}");
    }
    app.healthz().await.expect(200);
}

async fn a_head_that_trickles_is_cut(app: &TestApp) {
    let second = Duration::from_secs(1);
    let slow = |path: &str| {
        let start = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nX-Slow: ", app.site.hosts[0]);
        wire::drip(app.address, start, b"a".to_vec(), second)
    };
    let (page, verify) = tokio::join!(slow("/"), slow("/verify"));
    for reply in [page, verify] {
        assert!(reply.after < 15 * second, "{reply:?}");
        assert!(reply.status.is_none_or(|it| it == 408), "{reply:?}");
    }
}

async fn a_user_agent_cannot_forge_a_line_of_the_log(app: &TestApp) {
    let email = app.owner_user().await.email;
    // C1 control characters are the only ones that a header can carry: NEL, CSI.
    let agent = "curl\u{85}{\"event\":\"authn.login_success\"}\u{9b}31m";
    let person = app.anonymous().with(&[("user-agent", agent)]);
    person.sign_in(&email, PASSWORD).await.expect(303);
    let everything = audit::Filter::default();
    let log = audit::list(&app.db, audit::INSTALLATION, &everything, 100).await.unwrap();
    let row = log.rows.iter().find(|it| it.action == "authn.login_success").unwrap();
    assert_eq!(row.user_agent, "curl{\"event\":\"authn.login_success\"}31m");
    for agent in ["a\r\n b", "a\u{1b}[31m", "a\u{0}b"] {
        let request =
            format!("GET / HTTP/1.1\r\nHost: {}\r\nUser-Agent: {agent}\r\n\r\n", app.site.hosts[0]);
        let reply = wire::send(app.address, request).await;
        assert_eq!(reply.status, Some(400), "{agent:?}");
    }
}

async fn a_name_with_control_characters_is_refused(app: &TestApp) {
    let (admin, desk) = (app.admin("acme").await, app.desk("acme").await);
    let key = desk.group("quote-engine", desk.days(90)).await;
    let group = path_of("acme", &key.instance);
    let edit = format!("{}/edit", group.split("/keys").next().unwrap());
    let before = app.snapshot().await;
    for name in ["a\r\n{\"event\":1}", "a\u{1b}[31m", "a\u{0}b", "a\u{202e}b", "a\u{85}b"] {
        let answer = admin.post(&edit, &[("name", name)]).await.expect(422);
        assert!(answer.text().contains("control character"), "{name:?}");
    }
    assert_eq!(app.snapshot().await, before);
}
