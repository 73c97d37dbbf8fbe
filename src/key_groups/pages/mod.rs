//! The pages of key groups: the list, the forms, the deletion.
pub mod deletion;
pub mod forms;
pub mod list;

use super::KeyGroup;
use crate::{
    clock::instant,
    domain::coverage::Run,
    http::words::{self, Here},
};

/// Coverage in words, with an icon and a colour: the text form of the lanes.
pub struct CoverageView {
    pub icon: &'static str,
    pub class: &'static str,
    /// `Runs out in 2 days`
    pub text: String,
    /// `22 Nov · no successor`
    pub detail: String,
}

impl CoverageView {
    pub fn of(group: &KeyGroup, here: &Here) -> Self {
        let day = |at| here.day(at).text;
        let left = |until: chrono::DateTime<chrono::Utc>| words::span(until - here.now);
        let (icon, class, text, detail) = match group.run() {
            Run::RunsOut { until } => (
                "hourglass",
                "c-soon",
                format!("Runs out in {}", left(until)),
                format!("{} · no successor", day(until)),
            ),
            Run::Gap { until, next } => (
                "triangle-alert",
                "c-bad",
                format!("Gap of {} ahead", words::span(next - until)),
                format!("{} to {}", day(until), day(next)),
            ),
            Run::Covered { until } => (
                "circle-check",
                "c-ok",
                format!("Covered to {}", day(until)),
                format!("{} left", left(until)),
            ),
            Run::Forever => (
                "circle-check",
                "c-ok",
                "No expiry date".to_owned(),
                "review after 1 year".to_owned(),
            ),
            Run::Nothing { next } => {
                let refused = group.last_refused_at.filter(|_| group.attention != 0);
                let detail = match (next, refused) {
                    (Some(next), _) => format!("next starts {}", day(next)),
                    (None, Some(at)) => {
                        format!("calls refused, {}", here.relative(instant(at)).text)
                    }
                    (None, None) => "calls are refused".to_owned(),
                };
                ("triangle-alert", "c-bad", "Nothing active".to_owned(), detail)
            }
        };
        Self { icon, class, text, detail }
    }
}
