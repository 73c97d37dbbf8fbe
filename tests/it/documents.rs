//! `tests/documents.py` replays what documents 000, 001 and 003 show, from another program and another
//! language.
use std::process::Command;

use crate::support::{PASSWORD, TestApp, on_both};

on_both!(another_program_finds_every_answer_as_documented);

async fn another_program_finds_every_answer_as_documented(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.things().await;
    let mut script = Command::new("python3");
    script.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents.py"));
    script.arg(&app.site.origin).args(["--user", "admin@acme.example", "--space", "acme"]);
    script.env("KEYWARD_PASSWORD", PASSWORD);
    let run = tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(run.status.success(), "{said}");
    for document in ["== 000", "== 001", "== 003", "Every answer is as documented."] {
        assert!(said.contains(document), "{document}: {said}");
    }
    assert!(said.matches("\n> ").count() > 30, "{said}");
}
