//! What a person does with a page, and sees of it. Each wait has an end.
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::json;
use thirtyfour::{TypingData, prelude::*};

use crate::support::{PASSWORD, browser::Browser, eventually};

const LIMIT: Duration = Duration::from_secs(30);

/// A text as a literal of JavaScript.
pub(super) fn literal(text: &str) -> String {
    json!(text).to_string()
}

impl Browser {
    /// What an expression of JavaScript gives on the page that is shown.
    pub(super) async fn ask<T: DeserializeOwned>(&self, expression: &str) -> WebDriverResult<T> {
        self.execute(format!("return {expression}"), Vec::new()).await?.convert()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(super) fn until(
        &self,
        expression: impl Into<String>,
    ) -> impl Future<Output = WebDriverResult<()>> {
        let (asked, caller) = (expression.into(), std::panic::Location::caller());
        async move {
            let script = format!("Boolean({asked})");
            // While a page is replaced there is nothing to ask: that is a no.
            if !eventually(LIMIT, async || matches!(self.ask(&script).await, Ok(true))).await {
                let seen: String = self.ask("document.body.innerText").await?;
                let at = self.current_url().await?;
                panic!("{caller}: this never came true: {asked}\n{at}\n{seen}");
            }
            Ok(())
        }
    }

    /// Waits until the page of this path is shown.
    #[track_caller]
    pub(super) fn arrive(&self, path: &str) -> impl Future<Output = WebDriverResult<()>> {
        let there = format!("location.pathname === {}", literal(path));
        self.until(format!("{there} && document.readyState === 'complete'"))
    }

    /// Clicks on what leads to a page, be it the same once more, and waits until that one is shown.
    pub(super) async fn turn(&self, selector: &str) -> WebDriverResult<()> {
        self.execute("document.documentElement.dataset.old = ''", Vec::new()).await?;
        self.click(selector).await?;
        let is_new = "document.documentElement?.dataset.old === undefined";
        self.until(format!("{is_new} && document.readyState === 'complete'")).await
    }

    /// Waits until the page says this somewhere in sight.
    #[track_caller]
    pub(super) fn says(&self, text: &str) -> impl Future<Output = WebDriverResult<()>> {
        self.until(format!("document.body.innerText.includes({})", literal(text)))
    }

    /// Waits until the element has the focus.
    #[track_caller]
    pub(super) fn focused(&self, selector: &str) -> impl Future<Output = WebDriverResult<()>> {
        self.until(format!("document.activeElement?.matches({})", literal(selector)))
    }

    /// Whether there is such an element now.
    pub(super) async fn has(&self, selector: &str) -> WebDriverResult<bool> {
        self.ask(&format!("document.querySelector({}) !== null", literal(selector))).await
    }

    /// How many of such elements there are now.
    pub(super) async fn how_many(&self, selector: &str) -> WebDriverResult<usize> {
        self.ask(&format!("document.querySelectorAll({}).length", literal(selector))).await
    }

    /// What stands in a field.
    pub(super) async fn value(&self, selector: &str) -> WebDriverResult<String> {
        self.wait(selector).await?;
        self.ask(&format!("document.querySelector({}).value", literal(selector))).await
    }

    /// The words of the element.
    pub(super) async fn words(&self, selector: &str) -> WebDriverResult<String> {
        self.wait(selector).await?.text().await
    }

    /// Presses keys where the focus is.
    pub(super) async fn press(&self, keys: impl Into<TypingData>) -> WebDriverResult<()> {
        self.action_chain().send_keys(keys).perform().await
    }

    /// Presses keys while another one is held.
    pub(super) async fn hold(&self, held: Key, keys: impl Into<TypingData>) -> WebDriverResult<()> {
        self.action_chain().key_down(held.clone()).send_keys(keys).key_up(held).perform().await
    }

    /// Chooses a radio button or ticks a box, whatever covers it.
    pub(super) async fn choose(&self, name: &str, value: &str) -> WebDriverResult<()> {
        self.wait(&format!("input[name={name}][value='{value}']")).await?.click().await
    }

    /// Chooses from a list that drops down.
    pub(super) async fn choose_option(&self, name: &str, value: &str) -> WebDriverResult<()> {
        self.click(&format!("select[name={name}] option[value='{value}']")).await
    }

    /// Puts a date and time into its field, as a browser without a locale shows it.
    pub(super) async fn set(&self, selector: &str, value: &str) -> WebDriverResult<()> {
        self.wait(selector).await?;
        let (field, value) = (literal(selector), literal(value));
        let script = format!(
            "const field = document.querySelector({field}); field.value = {value};
             for (const type of ['input', 'change'])
               field.dispatchEvent(new Event(type, {{ bubbles: true }}));"
        );
        self.execute(script, Vec::new()).await.map(drop)
    }

    /// The URLs of this tab's history, the oldest first.
    pub(super) async fn history(&self) -> WebDriverResult<Vec<String>> {
        let all = self.cdp().send_raw("Page.getNavigationHistory", json!({})).await?;
        let all = all["entries"].as_array().cloned().unwrap_or_default();
        Ok(all.iter().map(|it| it["url"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Opens a row's menu by the name of its key, group or subscription.
    pub(super) async fn open_menu(&self, name: &str) -> WebDriverResult<()> {
        self.click(&format!("button[aria-label='Actions for {name}']")).await?;
        self.until("document.querySelector('.menu:popover-open')").await
    }

    /// Clicks on what is called so in the open menu.
    pub(super) async fn pick(&self, label: &str) -> WebDriverResult<()> {
        let by = format!(
            "//*[contains(@class, 'menu')]//*[self::a or self::button][normalize-space() = '{label}']"
        );
        for item in self.find_all(By::XPath(by)).await? {
            if item.is_displayed().await? {
                return item.click().await;
            }
        }
        panic!("no open menu has {label}");
    }

    /// Shows the password once more, where it is asked for, and goes on.
    pub(super) async fn confirm_password(&self) -> WebDriverResult<()> {
        self.arrive("/confirm-password").await?;
        self.fill("password", PASSWORD).await?;
        self.turn("form[action='/confirm-password'] button").await
    }

    /// Makes a group with its first key through the dialog, up to the page that shows the key.
    pub(super) async fn make_group(&self, slug: &str, name: &str) -> WebDriverResult<String> {
        self.open(&format!("/s/{slug}/groups/new")).await?;
        self.fill("name", name).await?;
        self.click("dialog button[value=create]").await?;
        self.value("dialog[data-secret] [data-key]").await
    }
}
