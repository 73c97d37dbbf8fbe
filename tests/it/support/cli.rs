//! `keyward keys` as a script runs it: the real program in an empty folder, which stays empty.
use std::{
    fs,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::TestApp;

/// The program with a server and a token.
pub(crate) struct Keys {
    pub(crate) url: String,
    pub(crate) token: String,
    folder: TempDir,
}

/// How it ended and what it has said.
#[derive(Debug)]
pub(crate) struct Said {
    code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl TestApp {
    /// With a token of `acme` that has these scopes.
    pub(crate) async fn keys(&self, scopes: &[&str]) -> Keys {
        Keys::new(&self.url(""), &self.desk("acme").await.token(scopes).await.1)
    }
}

impl Keys {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { url: url.to_owned(), token: token.to_owned(), folder }
    }

    /// `keyward keys` with these arguments.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Said {
        let mut command = self.program(env!("CARGO_BIN_EXE_keyward"));
        command.arg("keys").args(arguments);
        self.ended(command, None).await
    }

    /// The same on a terminal where this is typed.
    pub(crate) async fn typing(&self, typed: &'static str, arguments: &[&str]) -> Said {
        let script =
            "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        let mut command = self.program("python3");
        command.args(["-c", script, env!("CARGO_BIN_EXE_keyward"), "keys"]).args(arguments);
        self.ended(command, Some(typed)).await
    }

    /// The secret that one of the creating commands prints, and what it tells.
    pub(crate) async fn secret(&self, arguments: &[&str]) -> (String, String) {
        let said = self.run(arguments).await.expect(0);
        let secret = said.out.strip_suffix('\n').unwrap();
        assert!(secret.starts_with("kw") && secret.len() > 40, "{said:?}");
        assert!(secret.bytes().all(|it| it.is_ascii_graphic()), "{said:?}");
        assert!(!said.err.contains(secret), "{said:?}");
        (secret.to_owned(), said.err)
    }

    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env_clear().current_dir(self.folder.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("KEYWARD_URL", &self.url).env("KEYWARD_TOKEN", &self.token);
        command
    }

    pub(crate) async fn ended(&self, mut command: Command, typed: Option<&'static str>) -> Said {
        let output = tokio::task::spawn_blocking(move || {
            let stdin = if typed.is_some() { Stdio::piped() } else { Stdio::null() };
            command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            if let (Some(typed), Some(mut stdin)) = (typed, child.stdin.take()) {
                std::io::Write::write_all(&mut stdin, typed.as_bytes()).unwrap();
            }
            child.wait_with_output().unwrap()
        });
        let Output { status, stdout, stderr } = output.await.unwrap();
        let text = |it| String::from_utf8(it).unwrap();
        let said = Said { code: status.code().unwrap(), out: text(stdout), err: text(stderr) };
        let token = self.token.as_str();
        let told = [&said.out, &said.err].iter().any(|it| it.contains(token));
        assert!(token.is_empty() || !told, "it tells the token");
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 0, "it has made a file");
        said
    }
}

impl Said {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// A failure: nothing for the script, and this for people.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, with: &str) {
        let it = self.expect(code);
        assert!(it.out.is_empty() && it.err.contains(with), "{with}: {it:?}");
        assert!(!it.err.contains("panicked"), "{it:?}");
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}
