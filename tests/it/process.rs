//! The program as operators run it: stopping under load (O26), and what its log never says.
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use sea_orm::{FromQueryResult, JsonValue, Statement};
use tokio::task::JoinSet;

use crate::support::{
    Database, Home, eventually, on_both, on_sqlite, own_text,
    program::{Program, command, log_file},
};

on_both! {
    stopping_under_load_breaks_no_answer_and_loses_no_use,
    connections_that_are_idle_do_not_delay_a_stop,
    the_audit_log_is_verified_without_a_trace,
    keys_passwords_and_sessions_reach_no_log,
}

on_sqlite! {
    a_machine_that_trusts_no_certificates_starts_and_tells_its_webhooks,
}

#[derive(Default)]
struct Seen {
    accepted: AtomicUsize,
    answers: AtomicUsize,
    stop: AtomicBool,
}

async fn stopping_under_load_breaks_no_answer_and_loses_no_use(database: &Database) {
    let home = Home::new(*database).await;
    Program::set_up(&home);
    let program = Arc::new(Program::start(&home).await);
    let cookie = program.sign_in().await;
    let secret = program.key(&cookie, &[("name", "quote-engine")]).await.1;
    let seen = Arc::new(Seen::default());
    let mut load = JoinSet::new();
    for n in 0..8 {
        let (program, seen) = (program.clone(), seen.clone());
        let (cookie, secret) = (cookie.clone(), secret.clone());
        load.spawn(async move {
            loop {
                let sent = match n % 4 {
                    0 => program.send(Method::GET, "/s/acme/groups", &cookie, &[]).await,
                    _ => program.verify(&secret).await,
                };
                let Ok(answer) = sent else {
                    // A connection may be refused, but only once it was asked to stop.
                    assert!(seen.stop.load(SeqCst), "an answer is missing");
                    return;
                };
                let status = answer.status().as_u16();
                assert!(status == 200 || status == 204, "{status}");
                let body = answer.text().await.expect("a whole body");
                assert!(status == 204 || body.ends_with("</html>") || body.ends_with("</html>\n"));
                seen.accepted.fetch_add(usize::from(status == 204), SeqCst);
                seen.answers.fetch_add(1, SeqCst);
            }
        });
    }
    let under_load = async || seen.answers.load(SeqCst) >= 200;
    assert!(eventually(Duration::from_secs(30), under_load).await, "no load");
    seen.stop.store(true, SeqCst);
    let asked = Instant::now();
    program.terminate();
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
    let status = program.ended().await;
    let log = fs::read_to_string(log_file(&home)).unwrap();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(asked.elapsed() < Duration::from_secs(30));
    let db = home.connect().await;
    let sql = "SELECT accepted, last_used_at FROM usage_days d \
               JOIN key_instances k ON k.id = d.key_instance_id";
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = JsonValue::find_by_statement(statement).all(&db).await.unwrap();
    let written: u64 = rows.iter().map(|it| it["accepted"].as_u64().unwrap()).sum();
    let written = usize::try_from(written).unwrap();
    let accepted = seen.accepted.load(SeqCst);
    assert!(
        (accepted..accepted + 8).contains(&written),
        "{written} of {accepted} are written\n{log}"
    );
    assert!(rows.iter().all(|it| it["last_used_at"].is_number()), "{rows:?}");
    db.close().await.unwrap();
    let verified = command(&home).args(["audit", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
    home.clean_up().await;
}

async fn connections_that_are_idle_do_not_delay_a_stop(database: &Database) {
    let home = Home::new(*database).await;
    Program::set_up(&home);
    let program = Program::start(&home).await;
    let address = program.origin.strip_prefix("http://").unwrap();
    let mut idle = Vec::new();
    for path in ["/verify", "/healthz", ""] {
        let mut stream = TcpStream::connect(address).unwrap();
        if !path.is_empty() {
            let call = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
            stream.write_all(call.as_bytes()).unwrap();
            let mut answer = [0; 4096];
            let length = stream.read(&mut answer).unwrap();
            assert!(answer[..length].starts_with(b"HTTP/1.1 "), "{path}");
        }
        idle.push(stream);
    }
    let asked = Instant::now();
    program.terminate();
    assert_eq!(program.ended().await.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    for mut stream in idle {
        assert_eq!(stream.read(&mut [0; 64]).unwrap(), 0);
    }
    home.clean_up().await;
}

/// It may be the only copy of what happened.
async fn the_audit_log_is_verified_without_a_trace(database: &Database) {
    let home = Home::new(*database).await;
    Program::set_up(&home);
    let verify = |url: &str| {
        let mut verify = command(&home);
        verify.args(["audit", "verify"]).env("KEYWARD_DATABASE_URL", url);
        verify.output().unwrap()
    };
    let told = verify(&home.database_url);
    assert!(told.status.success(), "{told:?}");
    let Some(file) = keyward::db::sqlite_file(&home.database_url) else {
        return home.clean_up().await;
    };
    let folder = home.folder().join("copies");
    fs::create_dir(&folder).unwrap();
    let (copy, nothing) = (folder.join("copy.db"), folder.join("nothing.db"));
    fs::copy(&file, &copy).unwrap();
    fs::write(&nothing, "").unwrap();
    let url = |file: &Path| format!("sqlite://{}?mode=rwc", file.display());
    let told = verify(&url(&copy));
    assert!(told.status.success(), "{told:?}");
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&file).unwrap());
    let told = verify(&url(&nothing));
    let text = String::from_utf8(told.stderr).unwrap();
    assert!(!told.status.success() && text.contains("this is no database of Keyward"), "{text}");
    assert_eq!(fs::read(&nothing).unwrap(), b"");
    let mut left: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["copy.db", "nothing.db"]);
    home.clean_up().await;
}

/// With the log as talkative as it gets.
async fn keys_passwords_and_sessions_reach_no_log(database: &Database) {
    let home = Home::new(*database).await;
    Program::set_up(&home);
    let program = Program::start_logging(&home, "keyward=trace,info").await;
    let cookie = program.sign_in().await;
    let wrong = [("email", "owner@example.com"), ("password", "a wrong password, typed")];
    program.send(Method::POST, "/sign-in", "", &wrong).await.unwrap();
    let own = own_text(1);
    let generated = program.key(&cookie, &[("name", "quote-engine")]).await.1;
    let fields = [("submission", "a-token-of-some-length-2"), ("name", "own"), ("make", "own")];
    let mut fields = fields.to_vec();
    fields.extend([("key", own.as_str()), ("preset", "90")]);
    let made = program.send(Method::POST, "/s/acme/groups/new", &cookie, &fields).await.unwrap();
    assert_eq!(made.status(), 303);
    for key in [&generated, &own] {
        program.verify(key).await.unwrap();
        let search = [("query", key.as_str())];
        let found = program.send(Method::POST, "/s/acme/search", &cookie, &search).await.unwrap();
        assert_eq!(found.status(), 303);
        for path in ["/verify", "/s/acme/groups", "/nowhere", "/s/acme/search"] {
            let path = format!("{path}?key={key}");
            program.send(Method::GET, &path, &cookie, &[]).await.unwrap();
        }
        let odd = format!("/verify/{key}");
        program.send(Method::GET, &odd, "", &[]).await.unwrap();
        let agent = program.agent(&format!("evil\t{{\"event\":\"x\"}} {key}")).await;
        assert_eq!(agent.status(), 200);
    }
    program.terminate();
    assert_eq!(program.ended().await.code(), Some(0));
    let log = fs::read_to_string(log_file(&home)).unwrap();
    assert!(log.contains("/s/{slug}/search") && log.contains("/sign-in"), "{log}");
    let session = cookie.split_once('=').unwrap().1;
    for secret in [generated.as_str(), &own, crate::support::PASSWORD, "a wrong password", session]
    {
        assert!(!log.contains(secret), "the log says {secret}");
    }
    home.clean_up().await;
}

async fn a_machine_that_trusts_no_certificates_starts_and_tells_its_webhooks(database: &Database) {
    let home = Home::new(*database).await;
    Program::set_up(&home);
    let none = home.folder().join("certificates");
    fs::write(&none, "").unwrap();
    let opened = ("KEYWARD_WEBHOOK_NETWORKS", "127.0.0.0/8");
    let trusted = [("SSL_CERT_FILE", none.to_str().unwrap()), ("SSL_CERT_DIR", "/nowhere"), opened];
    let program = Program::start_with(&home, &trusted).await;
    let cookie = program.sign_in().await;
    let fields = [("url", "https://127.0.0.1:9/hook"), ("submission", "a-token-of-some-length")];
    let new = "/s/acme/settings/webhooks/new";
    let made = program.send(Method::POST, new, &cookie, &fields).await.unwrap();
    assert_eq!(made.status(), 303);
    let page = made.headers()["location"].to_str().unwrap();
    let test = format!("{page}/test");
    assert_eq!(program.send(Method::POST, &test, &cookie, &[]).await.unwrap().status(), 303);
    let page = program.send(Method::GET, page, &cookie, &[]).await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("No CA certificates were loaded"), "{page}");
    home.clean_up().await;
}
