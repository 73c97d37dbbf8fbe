//! The filters of a list of instances and its order, as its URL holds them.
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    http::{
        listing::{self, cursor},
        words::Here,
    },
    key_instances::{Filter, Show, Sort, SortBy, Used},
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
    /// The column to sort by, with a dash before it for descending.
    #[serde(default)]
    pub sort: String,
    #[serde(default)]
    pub after: String,
    /// How many rows are on the pages before.
    #[serde(default)]
    pub at: String,
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

/// Value, meaning and label of each order; in the value a dash stands for descending.
pub const SORTS: [(&str, Sort, &str); 4] = [
    ("-name", Sort { by: SortBy::Made, descending: true }, "Newest first"),
    ("name", Sort { by: SortBy::Made, descending: false }, "Oldest first"),
    ("until", Sort { by: SortBy::End, descending: false }, "What ends first"),
    ("-until", Sort { by: SortBy::End, descending: true }, "What ends last"),
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
        if !self.sort.is_empty() && SORTS.iter().all(|it| it.0 != self.sort) {
            return Err(wrong);
        }
        let after = match self.after.as_str() {
            "" => None,
            text => Some(cursor(text).ok_or(wrong)?),
        };
        let (from, until) = (from.map(|it| it.0), until.map(|it| it.1));
        let text = self.q.chars().take(100).collect();
        let known_to = self.known_to();
        let (show, used) = (show.1, used.1);
        let sort = self.sorts().find(|it| it.0 == self.sort).map(|it| it.1);
        let ends_before = None;
        Ok(Filter { group, show, used, from, until, known_to, text, sort, after, ends_before })
    }

    /// The orders that there are of what is shown. A chosen one that is not there any more, since the filters
    /// changed, counts for nothing.
    pub fn sorts(&self) -> impl Iterator<Item = &'static (&'static str, Sort, &'static str)> {
        let is_narrowed = !self.status.is_empty() || !self.used.is_empty();
        SORTS.iter().filter(move |it| it.1.by == SortBy::End || !is_narrowed)
    }

    /// The column that the list is sorted by, and whether that is descending.
    pub fn sorted(&self) -> (&'static str, bool) {
        if let Some((name, sort, _)) = self.sorts().find(|it| it.0 == self.sort) {
            return (name.trim_start_matches('-'), sort.descending);
        }
        match (self.status.as_str(), self.used.as_str()) {
            ("expired" | "deactivated", _) => ("until", true),
            ("future", _) => ("", false), // by their starts
            ("live", "never") => ("name", false),
            ("live", used) if !used.is_empty() => ("used", false),
            ("", "" | "never") => ("name", true),
            ("", used) => ("used", !used.starts_with("not")),
            _ => ("until", false),
        }
    }

    /// Whether the count of its tab is that of the whole list.
    pub fn is_counted(&self) -> bool {
        let filters = [&self.used, &self.from, &self.until, &self.q, &self.known_to];
        filters.iter().all(|it| it.is_empty())
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
            // Each tab has its own.
            ("sort", if change.0 == "status" { "" } else { &self.sort }),
            ("after", ""),
        ];
        listing::address(path, &fields, change)
    }

    /// The very page that this asks for, of the list at `path`.
    pub fn here(&self, path: &str) -> String {
        let it = self.address(path, ("after", &self.after));
        if self.after.is_empty() || self.at.is_empty() {
            return it;
        }
        let at = form_urlencoded::byte_serialize(self.at.as_bytes()).collect::<String>();
        format!("{it}&at={at}")
    }
}
