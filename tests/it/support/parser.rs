//! Parsers that are not ours, as scripts of Debian's Python in `tests/`.
use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

/// What the script makes of this text. It must not find a fault in it.
#[track_caller]
pub(crate) fn read_with(script: &str, text: &str) -> Value {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(format!("{}/tests/{script}", env!("CARGO_MANIFEST_DIR")));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let run = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{text}");
    serde_json::from_slice(&run.stdout).unwrap()
}
