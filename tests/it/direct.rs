//! Verifications from the socket and to it: what is parted by us, and what by actix.
use std::time::Duration;

use chrono::TimeDelta;
use keyward::domain::Role;
use sea_orm::{ConnectionTrait, TransactionTrait};
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::support::{
    Database, TestApp, basic, garbled, held, ids, on_both, on_sqlite, own_text,
    wire::{Wire, bearer},
};

on_both! {
    an_answer_is_the_same_from_actix,
}

on_sqlite! {
    calls_in_pieces_are_answered,
    line_ends_between_calls_are_nothing,
    who_sends_no_more_is_answered,
    who_takes_no_answers_is_cut_and_holds_nobody_up,
    many_calls_at_once_are_answered_in_their_order,
    a_body_is_no_call,
    what_is_not_plain_is_answered_by_actix,
    a_connection_is_closed_where_it_cannot_be_understood,
}

/// A line that makes no difference, but that only actix takes.
const FOR_ACTIX: &str = "Upgrade: nothing\r\n";

/// Each call is sent alone, and once more with what only actix takes.
async fn an_answer_is_the_same_from_actix(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "write"]).await;
    let policy = desk.policy("Read orders", &["orders:read"]).await.id;
    let held = held(Some(policy), &[]);
    let key = desk.group_with("Grüße & Co", &held).await.secret.expose().to_owned();
    let soon = desk.group("soon", desk.days(2)).await.secret.expose().to_owned();
    let (bad, own) = (garbled(&key), own_text(1));
    let (group, _) = ids(&desk.group("synthetic", desk.days(90)).await);
    desk.own_key(group, &own, desk.days(90)).await;
    let person = app.user("acme", Role::Admin).await;
    let personal = app.personal_key(&person).await.token().expose().to_owned();
    let session = app.admin("acme").await.session();
    let cookie = format!("Cookie: a=b; __Host-sid={session}\r\n");
    let mut calls = vec![
        ("/verify", bearer(&key), 204),
        ("/verify?permission=orders:read", bearer(&key), 204),
        ("/verify?permission=orders%3Aread&subscription=acme", bearer(&key), 204),
        ("/verify?permission=orders:write", bearer(&key), 403),
        ("/verify?permission=", bearer(&key), 400),
        ("/verify?workspace=Nowhere", bearer(&key), 400),
        ("/verify?workspace=nowhere", bearer(&key), 204),
        ("/verify?key=x", bearer(&key), 400),
        ("/verify?", bearer(&key), 204),
        ("/verify", bearer(&soon), 204),
        ("/verify", bearer(&bad), 401),
        ("/verify", bearer(&personal), 204),
        ("/verify", bearer(&format!("{personal}x")), 401),
        ("/verify", bearer("\u{e4}"), 401),
        ("/verify", bearer(""), 401),
        ("/verify", String::new(), 401),
        ("/verify", format!("aUTHORIZATION:bearer   {key}  \r\n"), 204),
        ("/verify", format!("{}{}", bearer(&key), bearer(&key)), 400),
        ("/verify", format!("X-Synthetic-Key: {own}\r\nX-Tenant-Name: acme\r\n"), 204),
        ("/verify", format!("X-Synthetic-Key: {own}\r\nX-Tenant-Name: other\r\n"), 401),
        ("/verify", format!("X-Synthetic-Key: {own}\r\n"), 401),
        ("/verify", format!("{}Cookie: a=b\r\n", bearer(&key)), 204),
        ("/verify", format!("{}{cookie}", bearer(&key)), 400),
        ("/verify", "Authorization: Basic cG9ydGFsOng=\r\n".to_owned(), 401),
        ("/verify", format!("{}Connection: Keep-Alive\r\n", bearer(&key)), 204),
        ("/verify", format!("{}Content-Length: 0\r\n", bearer(&key)), 204),
    ];
    let mut ways = Vec::new();
    for memory in [true, false] {
        if !memory {
            app.without_memory().await;
        }
        for (path, lines, status) in &calls {
            let mut direct = Wire::to(app).await;
            let told = direct.asks(&direct.call(path, lines)).await;
            assert_eq!(told.status, *status, "{path} {lines}: {told:?}");
            let mut other = Wire::to(app).await;
            let lines = format!("{lines}{FOR_ACTIX}");
            let by_actix = other.asks(&other.call(path, &lines)).await;
            assert_eq!(told, by_actix, "{path} {lines}");
            // On one connection, after each other and back.
            assert_eq!(direct.asks(&direct.call(path, &lines)).await, told, "{path} {lines}");
            let plain = lines.replace(FOR_ACTIX, "");
            assert_eq!(direct.asks(&direct.call(path, &plain)).await, told, "{path} {lines}");
            ways.push(told.status);
        }
        app.clock.advance(TimeDelta::days(3));
        calls.retain(|it| !it.1.contains(&soon));
        calls.push(("/verify", bearer(&soon), 401));
    }
    assert!(ways.len() > 40 && [204, 400, 401, 403].iter().all(|it| ways.contains(it)));
}

async fn calls_in_pieces_are_answered(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.secret;
    let mut wire = Wire::to(app).await;
    let (good, bad) = (wire.key(key.expose()), wire.key(&garbled(key.expose())));
    let whole = wire.asks(&good).await;
    assert_eq!(whole.status, 204);
    for at in (1..good.len()).step_by(3) {
        // The first piece may go to actix, as the beginning of anything.
        let mut wire = Wire::to(app).await;
        for call in [&good, &bad, &good] {
            let (first, rest) = call.split_at(at.min(call.len() - 1));
            wire.send(first).await;
            // So that it is read before the rest is sent, as far as one can know.
            app.healthz().await.expect(200);
            wire.send(rest).await;
            let told = wire.told().await.unwrap();
            assert_eq!(told.status, if call == &good { 204 } else { 401 }, "cut at {at}");
            assert!(told.status == 401 || told == whole);
        }
    }
}

async fn line_ends_between_calls_are_nothing(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.secret;
    let mut wire = Wire::to(app).await;
    let good = wire.key(key.expose());
    let pieces = [
        (format!("\r\n{good}\r\n"), 1),
        (format!("{good}\r\n\r\n{good}\r"), 2),
        (format!("\n{good}"), 1),
        ("\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 1),
    ];
    for (n, (piece, calls)) in pieces.iter().enumerate() {
        wire.send(piece).await;
        for _ in 0..*calls {
            let told = wire.told().await.expect("an answer");
            assert_eq!(told.status, if n == 3 { 200 } else { 204 }, "{piece:?}");
        }
    }
}

async fn who_sends_no_more_is_answered(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.secret;
    for more in ["", FOR_ACTIX] {
        let mut wire = Wire::to(app).await;
        let call = wire.call("/verify", &format!("{}{more}", bearer(key.expose())));
        wire.send(&format!("{call}{call}")).await;
        wire.stream.shutdown().await.unwrap();
        for _ in 0..2 {
            assert_eq!(wire.told().await.map(|it| it.status), Some(204), "{more}");
        }
        assert_eq!(wire.told().await, None, "{more}");
    }
}

async fn who_takes_no_answers_is_cut_and_holds_nobody_up(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.secret;
    let mut wire = Wire::to(app).await;
    let calls = wire.key(key.expose()).repeat(100);
    let cut = async {
        // Until what both ends keep of it is full, and then until the server has enough.
        while wire.stream.write_all(calls.as_bytes()).await.is_ok() {}
    };
    let others = async {
        loop {
            app.service().bearer(key.expose()).await.expect(204);
        }
    };
    tokio::select! {
        _ = others => unreachable!("it goes on"),
        cut = timeout(Duration::from_secs(60), cut) => cut.expect("it is cut"),
    }
}

/// What memory knows is told before the database is asked for what comes behind it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_does_not_wait_for_the_next_one() {
    let app = TestApp::start(Database::Postgres).await;
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.secret;
    let client = desk.client("portal").await;
    let chosen = "9011@83sd!f1042ds+f19fg86M";
    desk.own_key(client.id, chosen, desk.days(90)).await;
    let mut wire = Wire::to(&app).await;
    let other = app.home.connect().await;
    let held = other.begin().await.unwrap();
    held.execute_unprepared("LOCK TABLE key_instances IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let asks = basic(&client.client_id, chosen);
    let asks = wire.call("/verify", &format!("Authorization: {asks}\r\n"));
    let good = wire.key(key.expose());
    wire.send(&format!("{good}{asks}{good}")).await;
    let first = timeout(Duration::from_secs(3), wire.told()).await.expect("it is told at once");
    assert_eq!(first.unwrap().status, 204);
    held.rollback().await.unwrap();
    for instance in ["k-1", "k-1"] {
        let told = wire.told().await.unwrap();
        assert_eq!(told.status, 204);
        assert!(told.lines.contains(&format!("keyward-key-instance: {instance}")), "{told:?}");
    }
    other.close().await.unwrap();
    app.stop().await;
}

async fn many_calls_at_once_are_answered_in_their_order(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.secret;
    let wire = Wire::to(app).await;
    let (good, bad) = (wire.key(key.expose()), wire.key(&garbled(key.expose())));
    let ends_with = [
        ("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 200),
        (good.replace("GET", "HEAD"), 204),
    ];
    for (other, status) in ends_with {
        let mut wire = Wire::to(app).await;
        // More than is read at once, and no multiple of it.
        let calls: Vec<bool> = (0..300).map(|n| n % 7 < 3).collect();
        let text: String = calls.iter().map(|it| if *it { &*good } else { &*bad }).collect();
        wire.send(&format!("{text}{other}{bad}{good}")).await;
        for is_good in calls {
            let told = wire.told().await.unwrap();
            assert_eq!(told.status, if is_good { 204 } else { 401 });
        }
        let mut after = Vec::new();
        for _ in 0..3 {
            after.push(wire.told().await.unwrap().status);
        }
        assert_eq!(after, [status, 401, 204]);
    }
}

/// What looks like a call in the body of another is none.
async fn a_body_is_no_call(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.secret;
    let wire = Wire::to(app).await;
    let (good, bad) = (wire.key(key.expose()), wire.key(&garbled(key.expose())));
    let chunk = format!("{:x}\r\n{good}\r\n0\r\n\r\n", good.len());
    for (line, body) in [
        (format!("Content-Length: {}\r\n", good.len()), good.clone()),
        ("Transfer-Encoding: chunked\r\n".to_owned(), chunk),
    ] {
        let mut wire = Wire::to(app).await;
        let with_body = wire.call("/verify", &format!("{}{line}", bearer("kw_unknown")));
        wire.send(&format!("{good}{with_body}{body}{bad}{good}")).await;
        for status in [204, 401, 401, 204] {
            assert_eq!(wire.told().await.unwrap().status, status, "{line}");
        }
    }
    // Two lengths, or both kinds: nobody can tell where it ends.
    for lines in [
        format!("Content-Length: 0\r\nContent-Length: {}\r\n", good.len()),
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", good.len()),
        "Transfer-Encoding: identity, chunked\r\nContent-Length: 5\r\n".to_owned(),
    ] {
        let mut wire = Wire::to(app).await;
        let call = wire.call("/verify", &format!("{}{lines}", bearer(key.expose())));
        wire.send(&format!("{call}{good}")).await;
        assert_eq!(wire.told().await.unwrap().status, 400, "{lines}");
        assert_eq!(wire.told().await, None, "{lines}");
    }
}

async fn what_is_not_plain_is_answered_by_actix(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.secret;
    let lines = bearer(key.expose());
    let answered = async |call: &dyn Fn(&Wire) -> String, status: u16, closes: bool| {
        let mut wire = Wire::to(app).await;
        let text = call(&wire);
        let told = wire.asks(&text).await;
        assert_eq!(told.status, status, "{text}");
        if closes {
            assert_eq!(wire.told().await, None, "{text}");
        } else {
            let again = wire.key(key.expose());
            wire.send(&again).await;
            assert_eq!(wire.told().await.map(|it| it.status), Some(204), "{text}");
        }
    };
    let with = |more: &str| {
        let lines = format!("{lines}{more}");
        move |it: &Wire| it.call("/verify", &lines)
    };
    answered(&with("Connection: close\r\n"), 204, true).await;
    answered(&with("Expect: a-miracle\r\n"), 204, false).await;
    answered(&with("Upgrade: h2c\r\nConnection: keep-alive\r\n"), 204, false).await;
    answered(&with(&format!("X-Long: {}\r\n", "a".repeat(20_000))), 204, false).await;
    let many: String = (0..80).map(|n| format!("X-{n}: a\r\n")).collect();
    answered(&with(&many), 204, false).await;
    let host = &app.site.hosts[0];
    let head = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
    for (start, status) in [
        (head("POST", "/verify"), 204),
        (head("HEAD", "/verify"), 204),
        (head("DELETE", "/verify"), 405),
        (head("GET", "/verify/"), 404),
        (head("GET", "/verif%79"), 204), // the same (RFC 3986, section 6.2.2.2)
        (head("GET", "/verifying"), 404),
        (head("GET", "http://a/verify"), 204),
    ] {
        answered(&|_| format!("{start}{lines}\r\n"), status, false).await;
    }
    answered(&|_| format!("GET /verify HTTP/1.0\r\nHost: a\r\n{lines}\r\n"), 204, true).await;
}

async fn a_connection_is_closed_where_it_cannot_be_understood(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.secret;
    let good = Wire::to(app).await.key(key.expose());
    for wrong in [
        "GET /verify HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
        "GET /verify HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(),
        "GET /verify HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n".to_owned(),
        "GET /verify HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\n b\r\n\r\n".to_owned(),
        "GET /verify HTTP/1.1\r\nHost: a\r\nAuthorization: a\u{0}b\r\n\r\n".to_owned(),
        "GET /verify ?a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET /verify?workspace=\"x\" HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
    ] {
        let mut wire = Wire::to(app).await;
        wire.send(&format!("{good}{wrong}{good}")).await;
        assert_eq!(wire.told().await.unwrap().status, 204, "{wrong}");
        assert_eq!(wire.told().await.unwrap().status, 400, "{wrong}");
        assert_eq!(wire.told().await, None, "{wrong}");
    }
}
