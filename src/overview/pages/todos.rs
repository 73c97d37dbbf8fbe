//! "Needs attention": what, why, and one button.
use crate::{
    automation_tokens::AutomationToken,
    clock::instant,
    domain::GroupKind,
    http::{
        InPlace,
        words::{self, Here},
    },
    key_groups::Attention,
    key_instances::KeyInstance,
    overview::Matter,
};

/// One line of "Needs attention".
pub struct Todo {
    pub icon: &'static str,
    /// Calls fail, or will where a gap begins.
    pub fails: bool,
    pub group: String,
    pub path: String,
    /// Follows the group's name: `runs out in 2 days`.
    pub what: String,
    pub why: String,
    /// By which rule it warns, in a sentence; empty if by none.
    pub rule: String,
    pub action: Option<(&'static str, String)>,
}

impl Todo {
    /// Of its icon.
    pub fn class(&self) -> &'static str {
        if self.fails { "c-bad" } else { "c-soon" }
    }
}

/// A key that nobody confirmed to have.
pub fn unsaved((key, group): &(KeyInstance, String), viewer: &InPlace) -> Todo {
    let path = viewer.path(&format!("/groups/{}", key.key_group_id));
    let replace = format!("{path}/keys/{}/replacement", key.id);
    Todo {
        icon: "circle-help",
        fails: false,
        group: group.clone(),
        what: format!("has a key that was never confirmed as saved: {}", key.name()),
        why: format!(
            "It was made {} and never used. If it is lost, replace it.",
            viewer.me.here.relative(instant(key.created_at)).text
        ),
        rule: String::new(),
        action: viewer.role.changes_keys().then_some(("Replace", replace)),
        path,
    }
}

/// An automation token that ends, and that no other replaces.
pub fn token(it: &AutomationToken, viewer: &InPlace) -> Todo {
    let here = &viewer.me.here;
    let used = match it.last_used_at {
        Some(at) => format!("Last used {}.", here.relative(instant(at)).text),
        None => "Never used.".to_owned(),
    };
    let path = viewer.path("/settings/tokens");
    Todo {
        icon: "hourglass",
        fails: false,
        group: format!("Token {}", it.name),
        what: format!("ends in {}", words::span(it.ends() - here.now)),
        why: format!(
            "{} Its program is refused from {} on. Give it a new token of the same name.",
            used,
            here.minute(it.ends()).text
        ),
        rule: String::new(),
        action: Some(("Replace", format!("{path}/new?like={}", it.id))),
        path,
    }
}

pub fn todo(it: &Matter, viewer: &InPlace) -> Todo {
    let here = &viewer.me.here;
    let path = viewer.path(&format!("/groups/{}", it.group.id));
    let of = |key: &Option<KeyInstance>, rest: &str| {
        key.as_ref().map(|it| format!("{path}/keys/{}/{rest}", it.id))
    };
    // The start that the form proposes.
    let starting = |at| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("from", &here.input(at))
            .finish();
        of(&it.next, &format!("period?{query}"))
    };
    let start_now = || Some(("Start now", starting(here.this_minute())?));
    let (icon, what, action) = match it.why {
        Attention::Refusing => (
            "triangle-alert",
            match it.group.lost_at {
                Some(at) => format!("has no active key since {}", here.day(instant(at)).text),
                None => "has no active key".to_owned(),
            },
            start_now().or_else(|| Some(("Issue key", format!("{path}/keys/new")))),
        ),
        Attention::RunsOut => {
            let left = it.group.covered_until.map(|at| words::span(instant(at) - here.now));
            let what = format!("runs out in {}", left.unwrap_or_default());
            ("hourglass", what, of(&it.ending, "rotation").map(|it| ("Rotate", it)))
        }
        Attention::Gap => {
            let gap = it.group.covered_until.zip(it.group.next_start);
            let span = gap.map(|(until, next)| words::span(instant(next) - instant(until)));
            let what = format!("has a gap of {} ahead", span.unwrap_or_default());
            let close = gap.and_then(|(until, _)| starting(instant(until)));
            ("calendar-x-2", what, close.map(|it| ("Close gap", it)))
        }
        Attention::Lagging => {
            let left = it.ending.as_ref().map(|it| words::span(instant(it.ends_at) - here.now));
            let name = it.ending.as_ref().map(KeyInstance::name).unwrap_or_default();
            let what =
                format!("still calls with {name}, which ends in {}", left.unwrap_or_default());
            let is_waiting = it.next.as_ref().is_some_and(|it| instant(it.active_from) > here.now);
            let action = match is_waiting {
                true => start_now(),
                false => of(&it.ending, "period").map(|it| ("Extend", it)),
            };
            ("hourglass", what, action)
        }
        Attention::Waiting => {
            let is_near = |at| instant(at) - here.now < chrono::TimeDelta::days(1);
            let text =
                |at| if is_near(at) { here.minute(instant(at)) } else { here.day(instant(at)) };
            let next = it.group.next_start.map(|at| text(at).text);
            let what = format!("has no active key until {}", next.unwrap_or_default());
            ("calendar-clock", what, start_now())
        }
    };
    Todo {
        icon,
        fails: matches!(it.why, Attention::Refusing | Attention::Gap | Attention::Waiting),
        group: it.group.name.clone(),
        what,
        why: why(it, here),
        rule: rule(it, here),
        action: action.filter(|_| viewer.role.changes_keys()),
        path,
    }
}

/// Where no key follows: of others it is said on their own pages.
fn rule(it: &Matter, here: &Here) -> String {
    let ending = it.ending.as_ref().filter(|_| it.why == Attention::RunsOut);
    let warning = ending.and_then(|it| it.warning(here.now));
    warning.map(|it| it.rule.sentence()).unwrap_or_default()
}

fn why(it: &Matter, here: &Here) -> String {
    if it.why == Attention::Waiting {
        return waiting(it, here);
    }
    let Some(key) = &it.ending else { return String::new() };
    let name = key.name();
    match it.why {
        Attention::Refusing => {
            let last = key.last_refused_at.map(|at| here.relative(instant(at)).text);
            let from = key.last_refused_from.as_deref().unwrap_or("an unknown address");
            let next = it.next.as_ref().map(|next| {
                format!(" {} starts {}.", next.name(), here.day(instant(next.active_from)).text)
            });
            format!(
                "{} with {name} refused in the last 24 hours, last from {from}, {}.{}",
                words::plural(it.calls.refused, "call"),
                last.unwrap_or_default(),
                next.unwrap_or_default()
            )
        }
        Attention::RunsOut => {
            let end = here.minute(instant(key.ends_at)).text;
            let used = key.last_used().map(|at| here.relative(at).text);
            let used = used.map_or("never used".to_owned(), |it| format!("last used {it}"));
            format!("{name} expires {end}, {used}. No successor.")
        }
        Attention::Gap => {
            let end = here.day(instant(key.ends_at)).text;
            let next = it.next.as_ref().map(|next| {
                format!("{} starts {}", next.name(), here.day(instant(next.active_from)).text)
            });
            format!("{name} ends {end}, {}. Calls fail in between.", next.unwrap_or_default())
        }
        Attention::Lagging => lagging(it, key, here),
        Attention::Waiting => String::new(),
    }
}

fn lagging(it: &Matter, key: &KeyInstance, here: &Here) -> String {
    let (name, all) = (key.name(), it.all.max(1));
    let share = (it.calls.accepted * 100 / all).clamp(1, 100);
    let end = here.minute(instant(key.ends_at)).text;
    let Some(next) = &it.next else { return String::new() };
    let from = instant(next.active_from);
    let next = match from > here.now {
        true => format!("Its successor {} starts {}.", next.name(), here.minute(from).text),
        false => format!("Its successor {} is active: move the callers.", next.name()),
    };
    let used = key.last_used().map(|at| here.relative(at).text);
    let used = used.map(|it| format!(", last {it}")).unwrap_or_default();
    format!(
        "{name} takes {share} % of the calls of the last 24 hours{used}, and expires {end}. {next}"
    )
}

fn waiting(it: &Matter, here: &Here) -> String {
    let lost = it.group.lost_at.map(|at| here.day(instant(at)).text).unwrap_or_default();
    let next = it.next.as_ref().map(|next| {
        format!(" {} starts {}.", next.name(), here.minute(instant(next.active_from)).text)
    });
    let noun = match it.group.kind() {
        GroupKind::Token => "key",
        GroupKind::ClientCredentials => "secret",
    };
    format!("No {noun} since {lost}.{} Calls fail until then.", next.unwrap_or_default())
}
