//! Chromium, driven by chromedriver. Each session has a profile of its own and ends with its test;
//! at its end the console must be clean: no violation of the content security policy, no error.
use std::{
    io::{BufRead, BufReader},
    ops::Deref,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::json;
use thirtyfour::{ChromeCapabilities, prelude::*, testing::run_browser_test};
use tokio::sync::Semaphore;

use super::{PASSWORD, TestApp};

/// The person's window and wishes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
    pub(crate) scripts: bool,
}

impl Look {
    pub(crate) const DESKTOP: Self = Self { width: 1280, height: 900, dark: false, scripts: true };
    pub(crate) const PHONE: Self = Self { width: 390, height: 844, ..Self::DESKTOP };
}

/// More browsers at once would only wait for each other.
static TURNS: Semaphore = Semaphore::const_new(2);

/// A session of a browser, at the origin of an app.
#[derive(Clone)]
pub(crate) struct Browser {
    driver: WebDriver,
    origin: String,
}

impl Deref for Browser {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        &self.driver
    }
}

/// Runs `test` in a fresh browser, which is closed whatever happens.
pub(crate) async fn browse<F, Done>(app: &TestApp, look: Look, test: F)
where
    F: FnOnce(Browser) -> Done,
    Done: Future<Output = WebDriverResult<()>>,
{
    let _at_most_two = TURNS.acquire().await.unwrap();
    let driver = Driver::start();
    let profile = tempfile::tempdir().unwrap();
    let wanted = capabilities(app, profile.path()).unwrap();
    let origin = app.site.origin.clone();
    let session = WebDriver::new(&driver.url, wanted);
    let ran = run_browser_test(session, |driver| async move {
        let browser = Browser { driver, origin };
        browser.look(look).await?;
        test(browser.clone()).await?;
        browser.console_is_clean().await
    });
    ran.await.unwrap();
}

impl Browser {
    pub(crate) async fn open(&self, path: &str) -> WebDriverResult<()> {
        self.goto(format!("{}{path}", self.origin)).await
    }

    /// The path of the page that is shown.
    pub(crate) async fn path(&self) -> WebDriverResult<String> {
        Ok(self.current_url().await?.path().to_owned())
    }

    /// The element, as soon as it is there; a failure after ten seconds.
    pub(crate) async fn wait(&self, selector: &str) -> WebDriverResult<WebElement> {
        let (limit, pause) = (Duration::from_secs(10), Duration::from_millis(20));
        self.query(By::Css(selector)).wait(limit, pause).first().await
    }

    pub(crate) async fn click(&self, selector: &str) -> WebDriverResult<()> {
        self.wait(selector).await?.click().await
    }

    pub(crate) async fn fill(&self, field: &str, text: &str) -> WebDriverResult<()> {
        let field = self.wait(&format!("[name={field}]")).await?;
        field.clear().await?;
        field.send_keys(text).await
    }

    /// Through the form, as a person does.
    pub(crate) async fn sign_in(&self, email: &str) -> WebDriverResult<()> {
        self.open("/sign-in").await?;
        self.fill("email", email).await?;
        self.fill("password", PASSWORD).await?;
        self.click("form[action='/sign-in'] button").await?;
        self.wait("form[action='/sign-out']").await.map(|_| ())
    }

    pub(crate) async fn look(&self, look: Look) -> WebDriverResult<()> {
        let (width, height) = (look.width, look.height);
        let window = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false
        });
        let scheme = if look.dark { "dark" } else { "light" };
        let scheme = json!({ "name": "prefers-color-scheme", "value": scheme });
        // Else axe meets colours half way between two themes.
        let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        for (command, wanted) in [
            ("Emulation.setDeviceMetricsOverride", window),
            ("Emulation.setEmulatedMedia", json!({ "features": [scheme, still] })),
            ("Emulation.setScriptExecutionDisabled", json!({ "value": !look.scripts })),
        ] {
            self.cdp().send_raw(command, wanted).await?;
        }
        Ok(())
    }

    /// What axe finds against WCAG 2.2 AA on the page that is shown: one line per rule and element.
    pub(crate) async fn accessibility_faults(&self) -> WebDriverResult<Vec<String>> {
        const RUN: &str = "
            const done = arguments[arguments.length - 1];
            const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
            axe.run(document, { runOnly: { type: 'tag', values: tags } }).then((found) => done(
                found.passes.length === 0 ? ['nothing was looked at'] :
                found.violations.flatMap((rule) => rule.nodes.map((node) =>
                    `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`))));";
        const IS_HERE: &str = "return typeof axe !== 'undefined'";
        if !self.execute(IS_HERE, Vec::new()).await?.convert::<bool>()? {
            self.execute(include_str!("../vendor/axe.min.js"), Vec::new()).await?;
        }
        self.execute_async(RUN, Vec::new()).await?.convert()
    }

    /// What Chromium only mentions is no error of the page.
    async fn console_is_clean(&self) -> WebDriverResult<()> {
        const KNOWN: [&str; 3] = [
            "Failed to load resource: the server responded with a status of 4",
            // over plain http
            "The Cross-Origin-Opener-Policy header has been ignored",
            // before a person has touched the page
            "Blocked attempt to show a 'beforeunload' confirmation panel",
        ];
        let mut lines = self.browser_log().await?;
        let is_known = |text: &str| KNOWN.iter().any(|it| text.contains(it));
        lines.retain(|it| it.level == "SEVERE" && !is_known(&it.message));
        assert!(lines.is_empty(), "the console says: {lines:#?}");
        Ok(())
    }
}

fn capabilities(app: &TestApp, profile: &Path) -> WebDriverResult<ChromeCapabilities> {
    let mut wanted = DesiredCapabilities::chrome();
    wanted.set_binary("/usr/bin/chromium")?;
    for flag in [
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
    ] {
        wanted.add_arg(flag)?;
    }
    wanted.add_arg(&format!("--user-data-dir={}", profile.display()))?;
    // Any name is this machine, so that a public URL of another host can be opened.
    wanted.add_arg(&format!("--host-resolver-rules=MAP * {}", app.address.ip()))?;
    wanted.set("goog:loggingPrefs", json!({ "browser": "ALL" }))?;
    Ok(wanted)
}

/// A chromedriver on a port that it chose. It dies with the thread of its test.
struct Driver {
    child: Child,
    url: String,
    /// Chromium leaves files behind in its TMPDIR.
    _tmp: tempfile::TempDir,
}

impl Driver {
    fn start() -> Self {
        // The port that it chose may be taken under the other version of IP: then it ends at once.
        (0..10).find_map(|_| Self::try_start()).expect("chromedriver says its port")
    }

    fn try_start() -> Option<Self> {
        let tmp = tempfile::tempdir().unwrap();
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--", "chromedriver", "--port=0"])
            .env("TMPDIR", tmp.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts: tests/run installs it");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said = "ChromeDriver was started successfully on port ";
        let port =
            lines.find_map(|it| Some(it.strip_prefix(said)?.trim_end_matches('.').to_owned()));
        let Some(port) = port else {
            let _ = child.wait();
            return None;
        };
        // Whatever it says further must not fill the pipe.
        thread::spawn(move || lines.for_each(drop));
        Some(Self { child, url: format!("http://127.0.0.1:{port}"), _tmp: tmp })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
