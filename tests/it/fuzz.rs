//! What the OpenAPI document says is what the server does: schemathesis reads it, makes up requests that
//! fit it and requests that do not, and finds no answer that is not as it is told. Each run tries the same.
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use keyward::{api::openapi, domain::ApiScope};
use tempfile::TempDir;

use crate::support::{TestApp, on_both};

on_both!(a_fuzzer_that_reads_the_document_finds_no_surprise);

/// Tried in one run, at least.
const LEAST: u32 = 1_000;
/// Ten times of what it takes.
const LIMIT: Duration = Duration::from_secs(600);

/// A program of the fuzzer, in the environment that `tests/run` has made.
fn program(name: &str, folder: &Path) -> Command {
    let home = std::env::var_os("KEYWARD_TEST_SCHEMATHESIS");
    let home = PathBuf::from(home.expect("tests/run installs schemathesis and says where it is"));
    // It dies with the tests, and keeps what it remembers in a folder that is thrown away.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(home.join("bin").join(name));
    command.env_clear().current_dir(folder).env("HOME", folder).stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn of_ours(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fuzz").join(name)
}

fn said(it: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&it.stdout), text(&it.stderr))
}

async fn a_fuzzer_that_reads_the_document_finds_no_surprise(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.things().await;
    for n in 0..12 {
        desk.group(&format!("service-{n}"), desk.days(90)).await;
        desk.policy(&format!("Policy {n}"), &["orders:read"]).await;
    }
    let token = desk.token(&ApiScope::ALL.map(ApiScope::as_str)).await.1;
    let folder = TempDir::new().unwrap();
    let mut command = program("schemathesis", folder.path());
    command.arg("--config-file").arg(of_ours("schemathesis.toml"));
    command.env("SCHEMATHESIS_HOOKS", of_ours("hooks.py"));
    command.env("KEYWARD_URL", app.url("")).env("KEYWARD_TOKEN", &token);
    command.args(["run", &app.url("/api/v1/openapi.json"), "--no-color"]);
    command.args(["--header", &format!("Authorization: Bearer {token}")]);
    command.args(["--checks", "all", "--phases", "examples,coverage,fuzzing,stateful"]);
    command.args(["--max-examples", "12", "--seed", "1", "--generation-database", "none"]);
    command.args(["--workers", "1", "--no-shrink", "--continue-on-failure"]);
    let (sender, ended) = tokio::sync::oneshot::channel();
    // A thread of its own: the program would die with one that only waits for it a while.
    std::thread::spawn(move || sender.send(command.output().unwrap()));
    let output = tokio::time::timeout(LIMIT, ended).await.expect("it takes too long").unwrap();
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    let tried = told.lines().find_map(|it| it.trim().split_once(" generated, "));
    let tried: u32 = tried.and_then(|it| it.0.replace(',', "").parse().ok()).expect(&told);
    assert!(tried >= LEAST, "{tried} only\n{told}");
    assert!(!told.contains("Authentication failed"), "{told}");
}

/// By the schema of OpenAPI 3.1 itself; and each example by the schema that it is an example of.
#[test]
fn the_document_is_valid_and_so_are_its_examples() {
    let folder = TempDir::new().unwrap();
    let document = folder.path().join("openapi.json");
    std::fs::write(&document, openapi::document().to_string()).unwrap();
    let mut command = program("python", folder.path());
    let output = command.arg(of_ours("document.py")).arg(&document).output().unwrap();
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("examples are as their schemas say"), "{told}");
}
