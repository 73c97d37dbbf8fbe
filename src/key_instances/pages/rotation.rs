//! How far a rotation has come: who still calls with the old key, and whether it may go.
use chrono::{DateTime, Timelike, Utc};

use super::ending::Fact;
use crate::{
    clock::instant,
    domain::{
        Status,
        rotation::{Progress, Rhythm, Verdict},
    },
    error::Result,
    http::{
        InPlace,
        words::{self, Here, Moment},
    },
    key_instances::{self, KeyInstance},
    subscriptions::Act,
    verify::usage::{self, Recent},
};

/// One of the two keys.
pub struct Side {
    pub name: String,
    pub path: String,
    pub day: String,
    pub hour: String,
    /// Of the calls that both got: `85%`.
    pub share: String,
    /// The same for the bar: `84.62%`.
    pub width: String,
    pub last_call: Option<Moment>,
}

pub struct RotationView {
    pub old: Side,
    pub new: Side,
    /// Neither of them was called in the last 24 hours: there is nothing to share.
    pub is_silent: bool,
    /// From when on `hour` counts: `09:00`.
    pub since: String,
    verdict: Verdict,
    rhythm: Rhythm,
    successor_from: DateTime<Utc>,
    /// The successor is accepted now.
    is_active: bool,
}

/// Of an active key that has a successor among the `others` of its group.
pub async fn of(
    it: &InPlace,
    act: &Act<'_>,
    key: &KeyInstance,
    others: &[KeyInstance],
) -> Result<Option<RotationView>> {
    let here = &it.me.here;
    // A rotation goes to a newer key, whatever else is there and ends later.
    let newer: Vec<KeyInstance> =
        others.iter().filter(|it| it.label > key.label).cloned().collect();
    let next = key_instances::successor(key, &newer);
    let Some(next) = next.filter(|_| key.status(here.now) == Status::Active) else {
        return Ok(None);
    };
    let calls = usage::last_hours(&act.app.db, vec![key.id, next.id], here.now).await?;
    let of = |key: &KeyInstance| calls.get(&key.id).copied().unwrap_or_default();
    let rhythm = Rhythm::of(&usage::days_with_calls(&act.app.db, key.id).await?);
    let progress = Progress {
        last_call: last_call(key),
        rhythm,
        successor_from: next.facts().period.from(),
        successor_used: next.last_used_at.is_some(),
    };
    let all = of(key).day + of(next).day;
    let side = |key: &KeyInstance| side(it, key, of(key), all);
    let hour = here.now - chrono::TimeDelta::hours(1);
    let hour = hour.with_minute(0).unwrap_or(hour);
    Ok(Some(RotationView {
        old: side(key),
        new: side(next),
        is_silent: all == 0,
        since: hour.with_timezone(&here.zone).format("%H:%M").to_string(),
        verdict: progress.verdict(here.now),
        rhythm,
        successor_from: progress.successor_from,
        is_active: progress.successor_from <= here.now,
    }))
}

/// Accepted or not: whoever is refused still uses it.
fn last_call(key: &KeyInstance) -> Option<DateTime<Utc>> {
    key.last_used_at.max(key.last_refused_at).map(instant)
}

fn side(it: &InPlace, key: &KeyInstance, calls: Recent, all: i64) -> Side {
    Side {
        name: key.name(),
        path: it.path(&format!("/groups/{}/keys/{}", key.key_group_id, key.id)),
        day: words::count(calls.day),
        hour: words::count(calls.hour),
        share: words::percent(calls.day, all),
        width: format!("{:.2}%", calls.day as f64 * 100.0 / all.max(1) as f64),
        last_call: last_call(key).map(|at| it.me.here.relative(at)),
    }
}

impl RotationView {
    /// Both, with what they are to each other.
    pub fn sides(&self) -> [(&Side, &'static str); 2] {
        [(&self.old, "the old one"), (&self.new, "its successor")]
    }

    /// Whether the old key may go, and why. `act`: how it would go, such as `revoke`.
    pub fn verdict(&self, act: &str, here: &Here) -> Fact {
        let (old, new) = (&self.old.name, &self.new.name);
        let quiet = words::span(self.rhythm.quiet());
        let last = self.old.last_call.as_ref().map(|it| it.text.clone()).unwrap_or_default();
        let rhythm = match self.rhythm.longest_pause() {
            None => String::new(),
            Some(1) => "In the 30 days up to then it was called at least every day".to_owned(),
            Some(days) => {
                format!("In the 30 days up to then it was called at least every {days} days")
            }
        };
        let not_yet = |icon, class, text| {
            let strong = format!("Not yet safe to {act}.");
            Fact { icon, class, strong, text }
        };
        match self.verdict {
            Verdict::NeverUsed => Fact {
                icon: "circle-check",
                class: "c-ok",
                strong: format!("{old} was never used."),
                text: " No call ever came with it.".to_owned(),
            },
            Verdict::SuccessorWaits => {
                let from = here.minute(self.successor_from).text;
                let text = format!(" Its successor {new} is not active before {from}.");
                not_yet("hourglass", "c-soon", text)
            }
            Verdict::SuccessorUnused => {
                let text =
                    format!(" Its successor {new} was never used: are its callers switched?");
                not_yet("triangle-alert", "c-bad", text)
            }
            Verdict::TooSoon { safe_at } => {
                let at = here.minute(safe_at).text;
                let because = if rhythm.is_empty() { rhythm } else { format!(" {rhythm}.") };
                let text = format!(
                    " The last call was {last}.{because} After {quiet} of silence it is safe, from {at} \
                     on."
                );
                not_yet("hourglass", "c-soon", text)
            }
            Verdict::Safe => {
                let because = match rhythm.is_empty() {
                    true => format!(" All its calls came on one day, so {quiet} of silence"),
                    false => format!(" {rhythm}, so {quiet} of silence"),
                };
                Fact {
                    icon: "circle-check",
                    class: "c-ok",
                    strong: format!("Safe to {act}."),
                    text: format!(" The last call was {last}.{because} are enough."),
                }
            }
        }
    }

    /// Whether [`Self::facts`] say that the successor is active.
    pub fn says_active(&self) -> bool {
        self.is_active && !matches!(self.verdict, Verdict::SuccessorUnused)
    }

    /// What the dialogs tell besides the calls of the old key: how much its successor has taken over,
    /// and the verdict where it says more than that.
    pub fn facts(&self, act: &str, here: &Here) -> Vec<Fact> {
        let (new, share) = (&self.new.name, &self.new.share);
        let verdict = self.verdict(act, here);
        if !self.is_active {
            let from = here.minute(self.successor_from).text;
            let text = format!("Its successor {new} is not active before {from}");
            let (icon, class, strong) = ("hourglass", "c-soon", String::new());
            let waits = Fact { icon, class, strong, text };
            return match self.verdict {
                Verdict::NeverUsed => vec![waits],
                _ => vec![verdict],
            };
        }
        if !self.says_active() {
            return vec![verdict];
        }
        let told = match self.is_silent {
            true => format!("Its successor {new} is active"),
            false => format!("Its successor {new} is active and takes {share} of their calls"),
        };
        let told = Fact { icon: "circle-check", class: "c-ok", strong: String::new(), text: told };
        match self.verdict {
            Verdict::NeverUsed => vec![told],
            _ => vec![told, verdict],
        }
    }
}
