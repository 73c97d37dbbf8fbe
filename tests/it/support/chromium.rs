//! Chromium and the chromedriver beside it. To start them takes seconds, so they serve one test after
//! the other; those of a failed test serve no other.
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{LazyLock, Mutex, mpsc},
    thread,
};

use serde_json::json;
use tempfile::TempDir;
use thirtyfour::{ChromeCapabilities, prelude::*};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Which build of Chromium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// Without what surrounds a page: the same engine for a third less work.
    Shell,
    /// As people have it, with its back-forward cache.
    Whole,
}

impl Build {
    /// A script in the PATH would leave the shell behind when it is killed.
    fn program(self) -> &'static str {
        match self {
            Self::Shell => "/usr/lib/chromium/chromium-headless-shell",
            Self::Whole => "/usr/bin/chromium",
        }
    }
}

/// More at once would only wait for each other.
static TURNS: Semaphore = Semaphore::const_new(2);
static IDLE: Mutex<Vec<Running>> = Mutex::new(Vec::new());

/// What a test has for itself.
pub(super) struct Chromium {
    /// The URL of its chromedriver.
    pub(super) driver: String,
    running: Option<Running>,
    _turn: SemaphorePermit<'static>,
}

impl Chromium {
    pub(super) async fn take(build: Build) -> Self {
        let turn = TURNS.acquire().await.unwrap();
        let idle = IDLE.lock().unwrap().extract_if(.., |it| it.build == build).next();
        let running = idle.unwrap_or_else(|| Running::start(build));
        Self { driver: running.driver.clone(), running: Some(running), _turn: turn }
    }

    /// For the next test.
    pub(super) fn give_back(mut self) {
        IDLE.lock().unwrap().extend(self.running.take());
    }

    pub(super) fn capabilities(&self) -> WebDriverResult<ChromeCapabilities> {
        let mut wanted = DesiredCapabilities::chrome();
        let address = self.running.as_ref().map(|it| it.address.as_str()).unwrap_or_default();
        wanted.set_debugger_address(address)?;
        wanted.set("goog:loggingPrefs", json!({ "browser": "ALL" }))?;
        Ok(wanted)
    }
}

struct Running {
    build: Build,
    driver: String,
    /// Of the browser itself.
    address: String,
    children: [Child; 2],
    /// Chromium leaves files behind in its TMPDIR.
    _folder: TempDir,
}

impl Running {
    fn start(build: Build) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let profile = folder.path().join("profile");
        let mut chromium = dies_with_its_parent(build.program(), &folder);
        chromium.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--remote-debugging-port=0",
            // Any name is this machine, so that a public URL of another host can be opened.
            "--host-resolver-rules=MAP * 127.0.0.1",
        ]);
        // As chromedriver starts it: nothing asks, nothing is slowed down behind a window.
        chromium.args([
            "--enable-automation",
            "--disable-background-timer-throttling",
            "--disable-backgrounding-occluded-windows",
            "--disable-hang-monitor",
            "--disable-popup-blocking",
            "--disable-prompt-on-repost",
            "--disable-renderer-backgrounding",
            "--no-default-browser-check",
            "--password-store=basic",
            "--use-mock-keychain",
            "about:blank",
        ]);
        chromium.arg(format!("--user-data-dir={}", profile.display())).stderr(Stdio::piped());
        let said = "DevTools listening on ws://";
        let (chromium, address) = start(chromium, said).expect("chromium says its port");
        let address = address.split('/').next().unwrap_or_default().to_owned();
        let driver = || {
            let mut driver = dies_with_its_parent("chromedriver", &folder);
            driver.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
            start(driver, "ChromeDriver was started successfully on port ")
        };
        // The port that it chose may be taken under the other version of IP: then it ends at once.
        let (driver, port) =
            (0..10).find_map(|_| driver()).expect("chromedriver starts: tests/run installs it");
        let driver_url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let children = [driver, chromium];
        Self { build, driver: driver_url, address, children, _folder: folder }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn dies_with_its_parent(program: &str, folder: &TempDir) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command.env("TMPDIR", folder.path()).stdin(Stdio::null());
    command
}

/// Starts a program that says something, and gives what stands behind it in that line. `None`: it
/// ended without.
fn start(command: Command, said: &'static str) -> Option<(Child, String)> {
    // The parent of a process is a thread: of one that ends with its test, the program would too.
    type Order = (Command, mpsc::Sender<Child>);
    static STARTER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
        let (orders, wanted) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in wanted {
                let _ = answer.send(command.spawn().expect("tests/run installs what is started"));
            }
        });
        Mutex::new(orders)
    });
    let (answer, started) = mpsc::channel();
    STARTER.lock().unwrap().send((command, answer)).unwrap();
    let mut child = started.recv().unwrap();
    let output: Box<dyn std::io::Read + Send> = match (child.stdout.take(), child.stderr.take()) {
        (Some(it), _) => Box::new(it),
        (_, it) => Box::new(it.unwrap()),
    };
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let found = lines.find_map(|it| Some(it.split_once(said)?.1.to_owned()));
    let Some(found) = found else {
        let _ = child.wait();
        return None;
    };
    // Whatever it says further must not fill the pipe.
    thread::spawn(move || lines.for_each(drop));
    Some((child, found))
}
