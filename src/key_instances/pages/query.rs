//! The filters of a list of instances, as its URL holds them.
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    http::words::Here,
    key_instances::{Filter, Show, Used},
};

/// The filters as the URL holds them.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ListQuery {
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub used: String,
    #[serde(default)]
    pub from: String,
    #[serde(default)]
    pub until: String,
    #[serde(default)]
    pub q: String,
    #[serde(default)]
    pub after: String,
}

/// Value, meaning and label of each tab.
pub const SHOWS: [(&str, Show, &str); 6] = [
    ("", Show::All, "All"),
    ("active", Show::Active, "Active"),
    ("soon", Show::ExpiringSoon, "Expiring soon"),
    ("future", Show::Future, "Future"),
    ("expired", Show::Expired, "Expired"),
    ("deactivated", Show::Deactivated, "Deactivated"),
];

/// Value, meaning and label of the filter by use.
pub const USES: [(&str, Used, &str); 8] = [
    ("", Used::Any, "Any"),
    ("7d", Used::Within(7), "Used in the last 7 days"),
    ("30d", Used::Within(30), "Used in the last 30 days"),
    ("not30d", Used::NotFor(30), "Not used for 30 days"),
    ("not90d", Used::NotFor(90), "Not used for 90 days"),
    ("not365d", Used::NotFor(365), "Not used for a year"),
    ("never", Used::Never, "Never used"),
    ("within90d", Used::Within(90), "Used in the last 90 days"),
];

impl ListQuery {
    pub fn filter(&self, group: Option<Uuid>, here: &Here) -> Result<Filter> {
        let wrong = Error::Malformed("This list cannot be filtered like that. Clear the filters.");
        let day = |text: &str| match text.trim() {
            "" => Ok(None),
            text => here.day_bounds(text).map(Some).ok_or(()),
        };
        let show = SHOWS.iter().find(|it| it.0 == self.status);
        let used = USES.iter().find(|it| it.0 == self.used);
        let (Some(show), Some(used)) = (show, used) else { return Err(wrong) };
        let (Ok(from), Ok(until)) = (day(&self.from), day(&self.until)) else { return Err(wrong) };
        let after = match self.after.as_str() {
            "" => None,
            text => Some(cursor(text).ok_or(wrong)?),
        };
        let (from, until) = (from.map(|it| it.0), until.map(|it| it.1));
        let text = self.q.chars().take(100).collect();
        Ok(Filter { group, show: show.1, used: used.1, from, until, text, after })
    }

    /// This query with one field changed, from the first page on.
    pub fn with(&self, name: &str, value: &str) -> String {
        let fields = [
            ("status", &self.status),
            ("used", &self.used),
            ("from", &self.from),
            ("until", &self.until),
            ("q", &self.q),
        ];
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (field, current) in fields {
            let value = if field == name { value } else { current };
            if !value.is_empty() {
                text.append_pair(field, value);
            }
        }
        if name == "after" {
            text.append_pair("after", value);
        }
        let text = text.finish();
        if text.is_empty() { text } else { format!("?{text}") }
    }
}

/// `{value}_{id}`, opaque to callers.
pub fn cursor(text: &str) -> Option<(i64, Uuid)> {
    let (value, id) = text.split_once('_')?;
    Some((value.parse().ok()?, Uuid::try_parse(id).ok()?))
}

pub fn cursor_text((value, id): (i64, Uuid)) -> String {
    format!("{value}_{}", id.simple())
}
