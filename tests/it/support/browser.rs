//! A person's browser. At the end of a test its console must be clean: no violation of the content
//! security policy, no error.
use std::{ops::Deref, time::Duration};

use serde_json::{Value, json};
use thirtyfour::{
    error::{WebDriverError, WebDriverErrorInner},
    prelude::*,
    testing::run_browser_test,
};

pub(crate) use super::chromium::Build;
use super::{PASSWORD, TestApp, chromium::Chromium, plain_client};

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

/// Runs `test` in a tab of its own, in a browser that remembers nothing of the tests before.
pub(crate) async fn browse<F, Done>(app: &TestApp, look: Look, test: F)
where
    F: FnOnce(Browser) -> Done,
    Done: Future<Output = WebDriverResult<()>>,
{
    browse_with(Build::Shell, app, look, test).await;
}

/// The same in one of the two browsers.
pub(crate) async fn browse_with<F, Done>(build: Build, app: &TestApp, look: Look, test: F)
where
    F: FnOnce(Browser) -> Done,
    Done: Future<Output = WebDriverResult<()>>,
{
    let chromium = Chromium::take(build).await;
    let origin = app.site.origin.clone();
    let session = WebDriver::builder(&chromium.driver, chromium.capabilities().unwrap());
    let session = session.client(plain_client());
    let ran = run_browser_test(session, |driver| async move {
        let browser = Browser { driver, origin };
        browser.begin_anew().await?;
        browser.look(look).await?;
        test(browser.clone()).await?;
        browser.console_is_clean().await
    });
    ran.await.unwrap();
    chromium.give_back();
}

impl Browser {
    /// A new tab, and nothing that an earlier test has left.
    async fn begin_anew(&self) -> WebDriverResult<()> {
        let old = self.windows().await?;
        let tab = self.new_tab().await?;
        for it in old {
            self.switch_to_window(it).await?;
            self.close_window().await?;
        }
        self.switch_to_window(tab).await?;
        let all = json!({ "origin": self.origin, "storageTypes": "all" });
        // What a click may do in a browser with windows.
        let copying = json!({
            "permission": { "name": "clipboard-write" }, "setting": "granted", "origin": self.origin
        });
        for (command, wanted) in [
            ("Network.clearBrowserCookies", json!({})),
            ("Network.clearBrowserCache", json!({})),
            ("Storage.clearDataForOrigin", all),
            ("Browser.resetPermissions", json!({})),
            ("Browser.setPermission", copying),
            ("Browser.setDownloadBehavior", json!({ "behavior": "default" })),
        ] {
            self.cdp().send_raw(command, wanted).await?;
        }
        self.browser_log().await.map(drop)
    }

    pub(crate) async fn open(&self, path: &str) -> WebDriverResult<()> {
        self.goto(format!("{}{path}", self.origin)).await
    }

    /// The path of the page that is shown.
    pub(crate) async fn path(&self) -> WebDriverResult<String> {
        Ok(self.current_url().await?.path().to_owned())
    }

    /// The element, as soon as it is there; a failure after half a minute.
    pub(crate) async fn wait(&self, selector: &str) -> WebDriverResult<WebElement> {
        let (limit, pause) = (Duration::from_secs(30), Duration::from_millis(20));
        self.query(By::Css(selector)).wait(limit, pause).first().await
    }

    pub(crate) async fn click(&self, selector: &str) -> WebDriverResult<()> {
        loop {
            let clicked = self.wait(selector).await?.click().await;
            // A page that is just left had such an element as well.
            let is_gone = |it: &WebDriverError| {
                matches!(it.as_inner(), WebDriverErrorInner::StaleElementReference(_))
            };
            if !clicked.as_ref().is_err_and(is_gone) {
                return clicked;
            }
        }
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

    /// Runs a script on every page before the page's own ones.
    pub(crate) async fn on_every_page(&self, script: &str) -> WebDriverResult<()> {
        let wanted = json!({ "source": script });
        self.cdp().send_raw("Page.addScriptToEvaluateOnNewDocument", wanted).await.map(drop)
    }

    /// What axe finds against WCAG 2.2 AA on the page that is shown: one line per rule and element.
    pub(crate) async fn accessibility_faults(&self) -> WebDriverResult<Vec<String>> {
        let tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
        self.axe(json!({ "type": "tag", "values": tags })).await
    }

    /// The same of its colours: all that another theme changes.
    pub(crate) async fn colour_faults(&self) -> WebDriverResult<Vec<String>> {
        self.axe(json!({ "type": "rule", "values": ["color-contrast", "link-in-text-block"] }))
            .await
    }

    async fn axe(&self, rules: Value) -> WebDriverResult<Vec<String>> {
        const RUN: &str = "
            const done = arguments[arguments.length - 1];
            const options = { runOnly: arguments[0], resultTypes: ['violations'] };
            axe.run(document, options).then((found) => done(
                found.passes.length === 0 ? ['nothing was looked at'] :
                found.violations.flatMap((rule) => rule.nodes.map((node) =>
                    `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`))));";
        const IS_HERE: &str = "return typeof axe !== 'undefined'";
        const AXE: &str = include_str!("../vendor/axe.min.js");
        if !self.execute(IS_HERE, Vec::new()).await?.convert::<bool>()? {
            self.execute(AXE, Vec::new()).await?;
            // To send it takes as long as to run it: once for all pages to come.
            self.on_every_page(AXE).await?;
        }
        self.execute_async(RUN, vec![rules]).await?.convert()
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
