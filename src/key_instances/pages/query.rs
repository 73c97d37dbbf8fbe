//! The filters of a list of instances, as its URL holds them.
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    http::{
        listing::{self, cursor},
        words::Here,
    },
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
    /// The id of a user.
    #[serde(default)]
    pub known_to: String,
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

/// No tab of its own: what a review of unused keys looks at.
pub const LIVE: (&str, Show, &str) = ("live", Show::Live, "Live");

/// Tabs of that review, by the filter by use.
pub const REVIEWS: [(&str, &str); 4] = [
    ("not30d", "Not used for 30 days"),
    ("not90d", "For 90 days"),
    ("not365d", "For a year"),
    ("never", "Never used"),
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
        let show = SHOWS.iter().chain([&LIVE]).find(|it| it.0 == self.status);
        let used = USES.iter().find(|it| it.0 == self.used);
        let (Some(show), Some(used)) = (show, used) else { return Err(wrong) };
        let (Ok(from), Ok(until)) = (day(&self.from), day(&self.until)) else { return Err(wrong) };
        let after = match self.after.as_str() {
            "" => None,
            text => Some(cursor(text).ok_or(wrong)?),
        };
        let (from, until) = (from.map(|it| it.0), until.map(|it| it.1));
        let text = self.q.chars().take(100).collect();
        let known_to = self.known_to();
        let (show, used) = (show.1, used.1);
        Ok(Filter { group, show, used, from, until, known_to, text, after, ends_before: None })
    }

    /// Whose keys are wanted; the nil id for rubbish, which no user has.
    pub fn known_to(&self) -> Option<Uuid> {
        let given = Some(self.known_to.trim()).filter(|it| !it.is_empty());
        given.map(|it| Uuid::try_parse(it).unwrap_or_default())
    }

    /// The list at `path` with one field changed, from the first page on unless that is the field.
    pub fn address(&self, path: &str, change: (&str, &str)) -> String {
        let fields = [
            ("status", self.status.as_str()),
            ("used", &self.used),
            ("from", &self.from),
            ("until", &self.until),
            ("q", &self.q),
            ("known_to", &self.known_to),
            ("after", ""),
        ];
        listing::address(path, &fields, change)
    }
}
