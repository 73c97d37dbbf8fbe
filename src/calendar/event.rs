//! What a calendar shows of the end of one key instance. All of it follows from stored facts, so that
//! the same facts are the same bytes.
use chrono::{DateTime, TimeDelta, Utc};

use super::ical::Lines;
use crate::{clock::instant, key_groups::KeyGroup, key_instances::KeyInstance};

/// Days before an end at which a calendar reminds of it.
const REMINDERS: [i64; 3] = [14, 7, 1];

/// What the calendar is called, and how often it is worth asking.
pub(super) fn begin(name: &str) -> Lines {
    let mut lines = Lines::default();
    lines.plain("BEGIN", "VCALENDAR");
    lines.plain("VERSION", "2.0");
    lines.plain("PRODID", "-//Keyward//Keyward//EN");
    lines.plain("CALSCALE", "GREGORIAN");
    lines.text("NAME", name);
    lines.text("X-WR-CALNAME", name);
    lines.plain("REFRESH-INTERVAL;VALUE=DURATION", "PT1H");
    lines.plain("X-PUBLISHED-TTL", "PT1H");
    lines
}

pub(super) fn end(mut lines: Lines) -> String {
    lines.plain("END", "VCALENDAR");
    lines.finish()
}

/// One instance with an end, and what has to be known around it.
pub(super) struct End<'a> {
    pub(super) instance: &'a KeyInstance,
    pub(super) group: &'a KeyGroup,
    pub(super) subscription: &'a str,
    pub(super) at: DateTime<Utc>,
    /// Another key of the group is active and ends later.
    pub(super) has_active_successor: bool,
    /// The address of its page.
    pub(super) url: String,
}

impl End<'_> {
    pub(super) fn write(&self, lines: &mut Lines, now: DateTime<Utc>) {
        let it = self.instance;
        // Without a METHOD both say when it was changed last (RFC 5545, 3.8.7.2). A change of another
        // key of the group can take the reminders away, so it counts.
        let changed = instant(it.changed_at.max(self.group.changed_at));
        lines.plain("BEGIN", "VEVENT");
        lines.plain("UID", &it.id.to_string());
        lines.instant("DTSTAMP", changed);
        lines.instant("CREATED", instant(it.created_at));
        lines.instant("LAST-MODIFIED", changed);
        // Both only rise: the name of the group is in the summary.
        lines.plain("SEQUENCE", &it.revision.saturating_add(self.group.edits).to_string());
        lines.instant("DTSTART", self.at);
        lines.text("SUMMARY", &format!("{} ends", self.name()));
        lines.text("DESCRIPTION", &self.description());
        lines.plain("URL", &self.url);
        lines.plain("CATEGORIES", "API keys");
        lines.plain("TRANSP", "TRANSPARENT");
        lines.plain("STATUS", if self.is_cancelled() { "CANCELLED" } else { "CONFIRMED" });
        for days in self.reminders(now) {
            lines.plain("BEGIN", "VALARM");
            lines.plain("ACTION", "DISPLAY");
            lines.text("DESCRIPTION", &format!("{} ends in {}", self.name(), in_days(days)));
            lines.plain("TRIGGER", &format!("-P{days}D"));
            lines.plain("END", "VALARM");
        }
        lines.plain("END", "VEVENT");
    }

    fn name(&self) -> String {
        format!("{} {}", self.group.name, self.instance.name())
    }

    /// It does not reach its end: it is out of use before.
    fn is_cancelled(&self) -> bool {
        !self.instance.facts().is_live()
    }

    /// Only what somebody can still act upon: inside of the key's life, and where nothing has taken
    /// over already.
    fn reminders(&self, now: DateTime<Utc>) -> impl Iterator<Item = i64> {
        let from = instant(self.instance.active_from);
        let reminds = !self.is_cancelled() && !self.has_active_successor && now < self.at;
        REMINDERS.into_iter().filter(move |it| reminds && self.at - TimeDelta::days(*it) >= from)
    }

    fn description(&self) -> String {
        let it = self.instance;
        let noun = if self.group.kind().is_client() { "Secret" } else { "Key" };
        let mut lines = vec![
            format!("{noun} {} of {}, {}.", it.name(), self.group.name, self.subscription),
            format!("Active from {} until {}.", time(instant(it.active_from)), time(self.at)),
        ];
        match (it.revoked_at, it.deactivated_at) {
            (Some(at), _) => lines.push(format!("Revoked {}.", time(instant(at)))),
            (None, Some(at)) => lines.push(format!("Deactivated {}.", time(instant(at)))),
            (None, None) if self.has_active_successor => {
                lines.push("Another one is active already and ends later.".to_owned());
            }
            (None, None) => {}
        }
        let told = [("Note", &it.note), ("About", &self.group.description)];
        let told = told.into_iter().chain([("Contact", &self.group.contact)]);
        lines.extend(told.filter(|it| !it.1.is_empty()).map(|(what, it)| format!("{what}: {it}")));
        lines.join("\n")
    }
}

fn in_days(days: i64) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

/// Calendars show their own zone beside it.
fn time(at: DateTime<Utc>) -> String {
    at.format("%a %-d %b %Y %H:%M UTC").to_string()
}
