//! A Postgres server of a test's own, which can be stopped, killed and started again.
use std::{
    env, fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use keyward::clock::Clock;
use rand::RngExt;
use tempfile::TempDir;

use super::{Home, TestApp, app::START, eventually};

/// To recover from a crash, and for the memory of the one before to be given back.
const STARTED: Duration = Duration::from_secs(30);

impl TestApp {
    /// On a server of its own.
    pub(crate) async fn on_own_postgres() -> (Self, Postgres) {
        let server = Postgres::start().await;
        let home = Home::at(server.url());
        keyward::db::migrate(&home.database_url).await.unwrap();
        let clock = Clock::fixed(START.parse().unwrap());
        (Self::serve(Arc::new(home), clock, |_| {}).await, server)
    }
}

/// Dies with the thread of its test, and at the latest when it is dropped.
pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
    server: Mutex<Option<Child>>,
}

impl Postgres {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            let mut owner = Command::new("chown");
            assert!(owner.arg("postgres:").arg(folder.path()).status().unwrap().success());
        }
        let it = Self { folder, port: free_port(), server: Mutex::new(None) };
        it.init();
        it.start_again().await;
        it
    }

    /// As it was left.
    pub(crate) async fn start_again(&self) {
        let answers = async || {
            // After a crash it refuses to start while a process of the one before is not gone.
            let has_ended = |it: &mut Child| it.try_wait().unwrap().is_some();
            if self.server.lock().unwrap().as_mut().is_none_or(has_ended) {
                *self.server.lock().unwrap() = Some(self.spawn());
            }
            let mut asked = self.program("pg_isready");
            asked.args(["--quiet", "--host=127.0.0.1", "--port", &self.port.to_string()]);
            asked.status().unwrap().success()
        };
        assert!(eventually(STARTED, answers).await, "Postgres does not start:\n{}", self.log());
    }

    /// All of it, as SQL.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let mut dumped = self.program("pg_dump");
        let dumped = dumped.arg("--dbname").arg(self.url()).output().unwrap();
        assert!(dumped.status.success(), "{dumped:?}");
        dumped.stdout
    }

    /// Stops this server. Another one has the dump then, and what is done to it before anybody finds it in the
    /// place of this one.
    pub(crate) async fn restore_elsewhere(&self, dump: &[u8], then: &str) {
        self.stop("-INT");
        fs::remove_dir_all(self.data()).unwrap();
        self.init();
        let mut server = self.program("postgres");
        // Without TCP nobody finds it.
        server.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c"]);
        server.arg(format!("unix_socket_directories={}", self.folder.path().display()));
        server.arg("-D").arg(self.data()).stdout(Stdio::null()).stderr(Stdio::null());
        *self.server.lock().unwrap() = Some(server.spawn().unwrap());
        let psql = |arguments: &[&str]| {
            let mut psql = self.program("psql");
            psql.args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--username=app"]);
            psql.arg("--host").arg(self.folder.path()).args(arguments).arg("postgres");
            psql.stdout(Stdio::null());
            psql
        };
        let answers = async || psql(&["--command=SELECT 1"]).status().unwrap().success();
        assert!(eventually(STARTED, answers).await, "the other Postgres does not start");
        let mut restoring = psql(&[]).stdin(Stdio::piped()).spawn().unwrap();
        restoring.stdin.take().unwrap().write_all(dump).unwrap();
        assert!(restoring.wait().unwrap().success(), "the dump cannot be restored");
        assert!(psql(&["--command", then]).status().unwrap().success(), "{then}");
        self.stop("-INT");
        self.start_again().await;
    }

    fn init(&self) {
        let mut made = self.program("initdb");
        made.args(["--username=app", "--auth=trust", "--no-sync", "--encoding=UTF8"]);
        made.args(["--locale=C", "--pgdata"]).arg(self.data());
        let made = made.output().expect("setpriv starts it");
        assert!(made.status.success(), "{made:?}");
    }

    fn spawn(&self) -> Child {
        let log = self.folder.path().join("log");
        let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut server = self.program("postgres");
        server.args(["-p", &self.port.to_string(), "-D"]).arg(self.data());
        // A commit is in the file when it is acknowledged. What need not be is written late: as
        // much of that as can be is lost in a crash.
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "synchronous_commit=on",
            "wal_writer_delay=10s",
            "shared_buffers=16MB",
        ] {
            server.args(["-c", setting]);
        }
        server.stdout(log.try_clone().unwrap()).stderr(log);
        server.spawn().expect("setpriv starts it")
    }

    /// With a signal: `-INT` is a fast shutdown, `-QUIT` an immediate one, `-KILL` a crash.
    pub(crate) fn stop(&self, signal: &str) {
        let mut server = self.server.lock().unwrap().take().expect("it runs");
        let id = server.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        server.wait().unwrap();
    }

    fn url(&self) -> String {
        format!("postgres://app@127.0.0.1:{}/postgres", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// One of Postgres's, as somebody who is not root: it refuses to run as root.
    fn program(&self, name: &str) -> Command {
        let programs = env::var_os("KEYWARD_TEST_POSTGRES_PROGRAMS");
        let programs = programs.expect("tests/run says where the programs of Postgres are");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "QUIT"]);
        if is_root() {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        command.arg("--").arg(Path::new(&programs).join(name));
        command.current_dir("/").stdin(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.server.get_mut().is_ok_and(|it| it.is_some()) {
            self.stop("-QUIT");
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Below those that the system gives to whoever asks for any: nobody takes it while the server is away.
fn free_port() -> u16 {
    let mut rng = rand::rng();
    let tries = (0..100).map(|_| rng.random_range(10_000..20_000));
    let mut free = tries.filter(|it| TcpListener::bind(("127.0.0.1", *it)).is_ok());
    free.next().expect("a port is free")
}
