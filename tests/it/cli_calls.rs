//! `keyward keys` where the server is not as it should be, and what needs none.
use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path, query_param, query_param_is_missing},
};

use crate::support::{Keys, Said};

const TOKEN: &str = "kwa_of-nobody-in-particular";

fn instance(label: &str) -> Value {
    json!({
        "id": "8bb11574-0385-43dd-92a4-ad285d9f3d30",
        "label": label,
        "key_group": { "id": "0b5a2b4e-3c6d-4a1e-9f10-5d7a8e3c2b1f", "name": "quote-engine" },
        "status": "active",
        "revoked": false,
        "from": "2026-11-20T10:30:00.000Z",
        "until": null,
        "note": "",
        "mask": "kw_abcd••••wxyz",
        "last_used_at": null,
        "of_a_later_version": {},
    })
}

fn made() -> String {
    json!({ "instance": instance("k-1"), "secret": "kw_secret" }).to_string()
}

async fn answering(answer: ResponseTemplate) -> Said {
    let server = MockServer::start().await;
    Mock::given(path("/api/v1/instances")).respond_with(answer).mount(&server).await;
    Keys::new(&server.uri(), TOKEN).run(&["list"]).await
}

#[tokio::test]
async fn a_list_is_followed_to_its_end_or_its_limit() {
    let server = MockServer::start().await;
    let page = |labels: &[&str], next: Value| {
        let data: Vec<Value> = labels.iter().map(|it| instance(it)).collect();
        ResponseTemplate::new(200).set_body_json(json!({ "data": data, "next_cursor": next }))
    };
    let list = || Mock::given(method("GET")).and(path("/api/v1/instances"));
    let first = list().and(query_param_is_missing("cursor")).and(query_param("status", "live"));
    first.respond_with(page(&["k-4", "k-3"], json!("5_a"))).mount(&server).await;
    let second = list().and(query_param("cursor", "5_a")).and(query_param("status", "live"));
    second.respond_with(page(&["k-2", "k-1"], Value::Null)).mount(&server).await;
    let keys = Keys::new(&server.uri(), TOKEN);
    let labels = async |more: &[&str]| {
        let all = [&["list", "--json", "--status", "live"], more].concat();
        let found = keys.run(&all).await.expect(0).json();
        let labels = found.as_array().unwrap().iter().map(|it| it["label"].as_str().unwrap());
        labels.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(labels(&[]).await, "k-4 k-3 k-2 k-1");
    assert_eq!(labels(&["--limit", "3"]).await, "k-4 k-3 k-2");
    assert_eq!(labels(&["--limit", "2"]).await, "k-4 k-3");
}

#[tokio::test]
async fn what_is_no_answer_of_keyward_is_told_apart() {
    answering(ResponseTemplate::new(200).set_body_string("<html>")).await.refused(1, "--url");
    // Of a proxy it does not say that there is no such key.
    answering(ResponseTemplate::new(404).set_body_string("<html>")).await.refused(1, "404");
    answering(ResponseTemplate::new(502)).await.refused(4, "502");
    let away = json!({ "type": "urn:keyward:problem:unavailable", "detail": "Away.\u{1b}[2J" });
    let away = ResponseTemplate::new(503).set_body_json(away);
    answering(away).await.refused(4, "Away.\u{fffd}[2J");
}

#[tokio::test]
async fn the_token_follows_no_redirect() {
    let trap = MockServer::start().await;
    let to = format!("{}/api/v1/instances", trap.uri());
    let sent_on = ResponseTemplate::new(307).insert_header("location", to.as_str());
    answering(sent_on).await.refused(1, &to);
    assert!(trap.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_of_the_environment_sees_no_token_in_the_clear() {
    let (server, proxy) = (MockServer::start().await, MockServer::start().await);
    let empty =
        ResponseTemplate::new(200).set_body_json(json!({ "data": [], "next_cursor": null }));
    Mock::given(method("GET")).respond_with(empty).mount(&server).await;
    let keys = Keys::new(&server.uri(), TOKEN);
    let mut command = keys.program(env!("CARGO_BIN_EXE_keyward"));
    command.args(["keys", "list"]).env("http_proxy", proxy.uri()).env("ALL_PROXY", proxy.uri());
    keys.ended(command, None).await.expect(0);
    assert!(proxy.received_requests().await.unwrap().is_empty());
}

/// Reads a request, and answers with this, or breaks the connection.
fn serve(listener: &TcpListener, answer: Option<String>) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    // The body is JSON, and small.
    while !read.ends_with(b"}") {
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "half a request");
        read.extend_from_slice(&buffer[..n]);
    }
    if let Some(body) = answer {
        let length = body.len();
        let head = format!("HTTP/1.1 201 Created\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    }
    String::from_utf8(read).unwrap().to_lowercase()
}

fn idempotency_key(request: &str) -> &str {
    request.lines().find(|it| it.starts_with("idempotency-key: ")).unwrap()
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_tried_once_more_with_the_same_key() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let keys = Keys::new(&format!("http://{}", listener.local_addr().unwrap()), TOKEN);
    let create = ["create", "--new-group", "quote-engine", "--until", "90d"];
    let server = thread::spawn(move || {
        let both = [serve(&listener, None), serve(&listener, Some(made()))];
        // The second command finds nobody who answers, twice.
        let broken = [serve(&listener, None), serve(&listener, None)];
        (both, broken)
    });
    let said = keys.run(&create).await.expect(0);
    assert_eq!(said.out, "kw_secret\n");
    assert!(said.err.contains("Made quote-engine / k-1 (") && !said.err.contains("kw_secret"));
    let lost = keys.run(&create).await.expect(4);
    assert!(lost.out.is_empty(), "{lost:?}");
    let (both, broken) = server.join().unwrap();
    assert_eq!(both[0], both[1]);
    assert_ne!(idempotency_key(&both[0]), idempotency_key(&broken[0]));
    // Whoever repeats it can say which request it was.
    let (_, key) = idempotency_key(&broken[0]).split_once(": ").unwrap();
    assert!(lost.err.to_lowercase().contains(&format!("--idempotency-key {key} ")), "{lost:?}");
}

#[tokio::test]
async fn what_a_gateway_answers_for_the_server_says_nothing_of_what_was_done() {
    let server = MockServer::start().await;
    let tired = ResponseTemplate::new(504).set_body_string("<html>Gateway Time-out</html>");
    Mock::given(wiremock::matchers::any()).respond_with(tired).mount(&server).await;
    let create = ["create", "--new-group", "quote-engine", "--until", "90d"];
    let said = Keys::new(&server.uri(), TOKEN).run(&create).await.expect(4);
    assert!(said.err.contains("504") && said.err.contains("--idempotency-key "), "{said:?}");
}

#[tokio::test]
async fn a_server_that_is_away_is_told_and_nothing_was_sent() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let keys = Keys::new(&format!("http://{free}"), TOKEN);
    keys.run(&["list"]).await.refused(4, "cannot be reached");
    let create = keys.run(&["create", "--new-group", "quote-engine"]).await.expect(4);
    assert!(create.out.is_empty() && !create.err.contains("idempotency-key"), "{create:?}");
}

/// Full disks: the one copy of a secret must not vanish without a word.
#[tokio::test]
async fn a_secret_that_cannot_be_written_is_no_success() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(201).set_body_raw(made(), "application/json");
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    let keys = Keys::new(&server.uri(), TOKEN);
    let mut command = keys.program("sh");
    let program = env!("CARGO_BIN_EXE_keyward");
    let line = format!("exec {program} keys create --new-group quote-engine > /dev/full");
    command.args(["-c", &line]);
    keys.ended(command, None).await.refused(1, "keyward keys rotate --key 8bb11574");
}

#[tokio::test]
async fn the_token_may_come_from_a_file() {
    let server = MockServer::start().await;
    let empty =
        ResponseTemplate::new(200).set_body_json(json!({ "data": [], "next_cursor": null }));
    Mock::given(method("GET")).respond_with(empty).mount(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let keys = Keys::new(&server.uri(), "another-one");
    keys.run(&["list", "--token-file", file.to_str().unwrap()]).await.expect(0);
    let seen = server.received_requests().await.unwrap();
    assert_eq!(seen[0].headers["authorization"], format!("Bearer {TOKEN}"));
    keys.run(&["list", "--token-file", "/nowhere"]).await.refused(2, "/nowhere");
}

#[tokio::test]
async fn shells_complete_the_words_of_keys_and_the_help_names_the_exit_codes() {
    let keys = Keys::new("", "");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let mut command = keys.program(env!("CARGO_BIN_EXE_keyward"));
        command.args(["completions", shell]);
        let said = keys.ended(command, None).await.expect(0);
        assert!(said.out.contains("rotate") && said.out.contains("idempotency-key"), "{shell}");
        assert!(said.err.is_empty(), "{said:?}");
        if shell == "bash" {
            let (_, keys) = said.out.split_once("keyward__subcmd__keys__subcmd__create)").unwrap();
            let (words, _) = keys.split_once("if [[").unwrap();
            assert!(words.contains("--new-group") && !words.contains("--database-url"), "{words}");
            let (_, serve) = said.out.split_once("keyward__subcmd__serve)").unwrap();
            assert!(serve.split("if [[").next().unwrap().contains("--database-url"));
        }
    }
    for help in [&["--help"][..], &["create", "--help"]] {
        let said = keys.run(help).await.expect(0);
        assert!(said.out.contains("5  there is no such key or key group"), "{said:?}");
        // Of the server.
        assert!(!said.out.contains("--database-url"), "{said:?}");
    }
}
