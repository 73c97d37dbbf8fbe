//! Keys as people read them: aligned by the width of characters, with instants that look the same
//! everywhere.
use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{Table, presets::NOTHING};
use serde::Deserialize;

use crate::{domain::text::is_invisible, http::words};

/// A key, as the API gives it: what is read of it.
#[derive(Deserialize)]
pub struct Instance {
    pub id: String,
    pub label: String,
    pub key_group: Reference,
    pub status: String,
    pub revoked: bool,
    pub from: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
    pub note: String,
    pub mask: String,
    pub last_used_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Deserialize)]
pub struct Reference {
    pub id: String,
    pub name: String,
}

impl Instance {
    /// `quote-engine / k-2`
    pub fn name(&self) -> String {
        plain(&format!("{} / {}", self.key_group.name, self.label))
    }

    fn status(&self) -> String {
        if self.revoked { "revoked".to_owned() } else { plain(&self.status.replace('_', " ")) }
    }

    /// `until 2027-02-18 10:30 UTC (in 90 days)`
    pub fn end(&self, now: DateTime<Utc>) -> String {
        match self.until {
            Some(at) => format!("until {} ({})", minute(at), distance(now, at)),
            None => "without an end".to_owned(),
        }
    }

    pub fn last_used(&self) -> String {
        self.last_used_at.map_or_else(|| "never".to_owned(), minute)
    }
}

/// All of them, one a line, with a line above that names the columns.
pub fn of(keys: &[Instance], now: DateTime<Utc>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["KEY", "STATUS", "UNTIL", "ENDS", "LAST USED", "MASK", "NOTE"]);
    for it in keys {
        // An end says nothing about a key that was switched off.
        let ends = it.until.filter(|_| it.status != "deactivated");
        table.add_row([
            it.name(),
            it.status(),
            it.until.map_or_else(|| "never".to_owned(), minute),
            ends.map(|at| distance(now, at)).unwrap_or_default(),
            it.last_used(),
            plain(&it.mask),
            plain(&it.note),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt() + "\n"
}

/// `2027-02-18 10:30 UTC`
fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// In days, near by in hours and less.
fn distance(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    let span = at - now;
    let text = match span.abs() {
        far if far >= TimeDelta::days(2) => {
            format!("{} days", (far + TimeDelta::hours(12)).num_days())
        }
        near => words::span(near),
    };
    if span < TimeDelta::zero() { format!("{text} ago") } else { format!("in {text}") }
}

/// Without what could steer a terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|it| if is_invisible(it) { '\u{fffd}' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(group: &str, until: Option<&str>, note: &str) -> Instance {
        Instance {
            id: String::new(),
            label: "k-1".to_owned(),
            key_group: Reference { id: String::new(), name: group.to_owned() },
            status: "active_in_the_future".to_owned(),
            revoked: false,
            from: DateTime::UNIX_EPOCH,
            until: until.map(|it| it.parse().unwrap()),
            note: note.to_owned(),
            mask: "kw_abcd••••wxyz".to_owned(),
            last_used_at: None,
        }
    }

    #[test]
    fn columns_line_up_whatever_the_script() {
        let now = "2026-11-20T10:30:00Z".parse().unwrap();
        let end = Some("2027-02-18T10:30:00Z");
        let keys = [key("見積エンジン", end, ""), key("a", None, "blue\u{1b}[31m\nred")];
        let table = of(&keys, now);
        assert_eq!(
            table,
            "KEY                 STATUS                UNTIL                 ENDS        LAST USED  MASK             NOTE\n\
             見積エンジン / k-1  active in the future  2027-02-18 10:30 UTC  in 90 days  never      kw_abcd••••wxyz\n\
             a / k-1             active in the future  never                             never      kw_abcd••••wxyz  blue\u{fffd}[31m\u{fffd}red\n"
        );
    }

    #[test]
    fn a_distance_is_in_days_unless_it_is_near() {
        let now: DateTime<Utc> = "2026-11-20T10:30:00Z".parse().unwrap();
        let told = |hours: i64| distance(now, now + TimeDelta::hours(hours));
        assert_eq!(told(90 * 24), "in 90 days");
        assert_eq!(told(3650 * 24), "in 3650 days");
        assert_eq!(told(-3 * 24), "3 days ago");
        assert_eq!(told(47), "in 47 hours");
    }
}
