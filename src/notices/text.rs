//! What a notice says to people: on the page and by e-mail alike.
use super::told::Notice;
use crate::{
    clock::instant,
    domain::notice::Threshold,
    http::words::{self, Here},
};

/// `quote-engine k-25 ends in 7 days`, as of `here.now`.
pub fn headline(it: &Notice, here: &Here) -> String {
    let left = words::span(it.ends() - here.now);
    if it.ends() <= here.now {
        format!("{} ended {left} ago", it.name())
    } else {
        format!("{} ends in {left}", it.name())
    }
}

/// When exactly, who takes over, and whether it was used.
pub fn detail(it: &Notice, here: &Here) -> String {
    let end = here.minute(it.ends()).text;
    let ends = if it.ends() <= here.now { "It ended" } else { "It ends" };
    let next = match it {
        Notice::Key(it) => match it.successor() {
            Some((name, from)) if from <= here.now => format!("{name} is active."),
            Some((name, from)) => format!("{name} takes over {}.", here.minute(from).text),
            None => "No other key of the group takes over.".to_owned(),
        },
        Notice::Token(_) => "No other token of this name takes over.".to_owned(),
    };
    let used = match it.last_used_at() {
        Some(at) => format!("Last used {}.", here.minute(instant(at)).text),
        None => "Never used.".to_owned(),
    };
    format!("{ends} {end}. {next} {used}")
}

/// Why it was said then.
pub fn reason(threshold: Threshold) -> &'static str {
    match threshold {
        Threshold::Warning => "Warning began",
        Threshold::Days14 => "14 days before",
        Threshold::Days7 => "7 days before",
        Threshold::Days1 => "1 day before",
        Threshold::End => "At the end",
    }
}
