//! A calendar program: what it gets, and what a parser that is not ours makes of it.
use keyward::calendar;
use serde_json::Value;
use uuid::Uuid;

use super::{Answer, Desk, TestApp, read_with};

impl Desk<'_> {
    /// A new feed of a group, or of the whole subscription: the path of its address.
    pub(crate) async fn feed(&self, group: Option<Uuid>) -> String {
        let act = self.act();
        let old = calendar::find_of(&act, group).await.unwrap().map(|it| it.id);
        let url = calendar::make(&act, group, old).await.unwrap().url;
        url.strip_prefix(&act.app.site.origin).unwrap().to_owned()
    }
}

impl TestApp {
    /// As a program asks, which is no browser.
    pub(crate) async fn calendar(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.service().ask("GET".parse().unwrap(), path, headers).await
    }

    /// What is in the calendar at this path.
    pub(crate) async fn events(&self, path: &str) -> Events {
        Events::parse(self.calendar(path, &[]).await.expect(200).text())
    }
}

/// A parsed calendar.
pub(crate) struct Events(pub(crate) Value);

impl Events {
    pub(crate) fn parse(text: &str) -> Self {
        Self(read_with("read_calendar.py", text))
    }

    pub(crate) fn all(&self) -> &[Value] {
        self.0["events"].as_array().unwrap()
    }

    #[track_caller]
    pub(crate) fn only(&self) -> &Value {
        assert_eq!(self.all().len(), 1, "{}", self.0);
        &self.all()[0]
    }

    /// The event of this key.
    #[track_caller]
    pub(crate) fn of(&self, key: Uuid) -> &Value {
        let key = key.to_string();
        let found = self.all().iter().find(|it| it["uid"] == *key);
        found.unwrap_or_else(|| panic!("there is no event of {key} in {}", self.0))
    }

    /// Of all events, in their order.
    pub(crate) fn summaries(&self) -> Vec<&str> {
        self.all().iter().map(|it| it["summary"].as_str().unwrap()).collect()
    }
}
