//! What a period means beside the group's other instances: a drawing, and a sentence that says the
//! same. Percent coordinates, so that text does not shrink on a phone.
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    domain::{ActivePeriod, Coverage, Facts, coverage::Run},
    http::words::{self, Here},
    key_instances::KeyInstance,
};

pub struct Preview {
    pub bars: Vec<Bar>,
    pub grid: Vec<String>,
    pub now: String,
    pub icon: &'static str,
    pub class: &'static str,
    pub text: String,
}

pub struct Bar {
    pub class: &'static str,
    pub x: String,
    pub width: String,
    pub y: i32,
    pub text_x: String,
    pub text_y: i32,
    pub text_class: &'static str,
    pub label: String,
}

/// Of the other keys.
const DRAWN: usize = 2;

struct Window {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Window {
    fn share(&self, at: DateTime<Utc>) -> f64 {
        let all = (self.until - self.from).num_milliseconds().max(1) as f64;
        ((at - self.from).num_milliseconds() as f64 / all * 100.0).clamp(-2.0, 102.0)
    }

    fn percent(&self, at: DateTime<Utc>) -> String {
        format!("{:.2}%", self.share(at))
    }
}

impl Preview {
    /// `period`: the new one of `name`, if what was typed is one. `others`: the group's instances
    /// that are or will be accepted, without the one that is edited.
    pub fn of(
        name: &str,
        period: Option<&ActivePeriod>,
        others: &[KeyInstance],
        here: &Here,
    ) -> Self {
        let facts: Vec<Facts> = others.iter().map(KeyInstance::facts).collect();
        let (icon, class, text) = match period {
            None => ("info", "", "Enter dates to see how they fit the other keys.".to_owned()),
            Some(it) => sentence(it, &facts, others, here),
        };
        let window = window(period, &facts, here.now);
        // The one that the sentence is about is among them.
        let named = |it: &&KeyInstance| text.contains(&format!("{} ", it.name()));
        let (first, rest): (Vec<_>, Vec<_>) = others.iter().partition(named);
        let left = match others.len().saturating_sub(DRAWN) {
            0 => String::new(),
            1 => " One more key is not drawn.".to_owned(),
            n => format!(" {n} more keys are not drawn."),
        };
        let shown = first.into_iter().chain(rest).take(DRAWN);
        let mut bars: Vec<Bar> = shown
            .enumerate()
            .map(|(lane, it)| {
                let period = it.facts().period;
                let starts_later = period.from() > here.now;
                let class = if starts_later { "lane-future" } else { "lane-active" };
                bar(&window, &period, lane, (class, it.name()))
            })
            .collect();
        if let Some(period) = period {
            bars.push(bar(&window, period, bars.len(), ("lane-new", name.to_owned())));
        }
        // Fewer bars than lanes stand in the middle.
        let free = 3_usize.saturating_sub(bars.len());
        for bar in &mut bars {
            bar.y += 9 * i32::try_from(free).unwrap_or(0);
            bar.text_y = bar.y + 10;
        }
        let weeks = (window.until - window.from).num_days() / 7;
        let step = (weeks / 14 + 1) * 7;
        let lines = (1..=14).map(|n| window.from + TimeDelta::days(n * step));
        Self {
            bars,
            grid: lines.filter(|it| *it < window.until).map(|it| window.percent(it)).collect(),
            now: window.percent(here.now),
            icon,
            class,
            text: format!("{text}{left} Times in {}.", here.zone),
        }
    }
}

fn window(period: Option<&ActivePeriod>, others: &[Facts], now: DateTime<Utc>) -> Window {
    let all = period.into_iter().copied().chain(others.iter().take(DRAWN).map(|it| it.period));
    let (mut from, mut until) = (now, now + TimeDelta::days(30));
    for it in all {
        from = from.min(it.from().max(now - TimeDelta::days(14)));
        let end = it.until().unwrap_or(it.from() + TimeDelta::days(90));
        until = until.max(end.min(now + TimeDelta::days(400)));
    }
    let margin = (until - from) / 20;
    Window { from: from - margin, until: until + margin }
}

fn bar(
    window: &Window,
    period: &ActivePeriod,
    lane: usize,
    (class, label): (&'static str, String),
) -> Bar {
    let start = window.share(period.from());
    let end = period.until().map_or(102.0, |it| window.share(it));
    let top = 6 + 18 * i32::try_from(lane).unwrap_or(0);
    let inside = class != "lane-active";
    Bar {
        x: format!("{start:.2}%"),
        width: format!("{:.2}%", (end - start).max(0.5)),
        y: top,
        // A running key is labelled behind its end, unless that lies outside.
        text_x: format!("{:.2}%", if inside || end > 85.0 { start.max(0.0) } else { end }),
        text_y: top + 10,
        text_class: match class {
            "lane-new" => "lane-t inv",
            "lane-future" => "lane-t next",
            _ if end > 85.0 => "lane-t on",
            _ => "lane-t",
        },
        class,
        // Where nothing of it is in sight, its name would stand on nothing.
        label: if end > 0.0 { label } else { String::new() },
    }
}

fn sentence(
    period: &ActivePeriod,
    facts: &[Facts],
    others: &[KeyInstance],
    here: &Here,
) -> (&'static str, &'static str, String) {
    let last = |until: DateTime<Utc>| {
        let last = others.iter().find(|it| it.facts().period.until() == Some(until));
        last.map_or_else(|| "the other keys".to_owned(), KeyInstance::name)
    };
    if period.has_ended(here.now) {
        let text = "This end has passed: every call with this key would be refused.".to_owned();
        return ("triangle-alert", "c-bad", text);
    }
    let start = period.from().max(here.now);
    let with: Vec<Facts> = facts.iter().copied().chain([Facts::new(*period)]).collect();
    if let Run::Gap { until, next } = Coverage::of(&with, here.now).run
        && start <= until
    {
        let name = others.iter().find(|it| it.facts().period.from() == next);
        let name = name.map(KeyInstance::name).unwrap_or_default();
        let gap = words::span(next - until);
        let text = format!("Leaves a gap of {gap} before {name} starts. Calls fail in between.");
        return ("triangle-alert", "c-bad", text);
    }
    let run = Coverage::of(facts, here.now).run;
    match run {
        _ if others.is_empty() => {
            ("info", "", "No other key of this group is active or waiting.".to_owned())
        }
        Run::Nothing { .. } if start > here.now => {
            let at = here.minute(period.from()).text;
            ("triangle-alert", "c-bad", format!("Nothing is active until this key starts {at}."))
        }
        Run::Nothing { next: Some(next) } if period.until().is_some_and(|it| it > next) => {
            let next = others.iter().find(|it| it.facts().period.from() == next);
            let text = next.map(|next| {
                let other = next.facts().period;
                let ends = period.until().into_iter().chain(other.until()).min();
                let overlap = words::span(ends.unwrap_or(start) - other.from());
                format!("Overlaps {} by {overlap}.", next.name())
            });
            ("circle-check", "c-ok", text.unwrap_or_default())
        }
        Run::Nothing { .. } => {
            ("circle-check", "c-ok", "Nothing else is active now: this key takes over.".to_owned())
        }
        Run::Forever => ("circle-check", "c-ok", "Another key never ends: no gap.".to_owned()),
        _ => {
            let until = run.until().unwrap_or(here.now);
            let name = last(until);
            if start > until {
                let gap = words::span(start - until);
                let text =
                    format!("Leaves a gap of {gap} after {name} ends. Calls fail in between.");
                return ("triangle-alert", "c-bad", text);
            }
            let ends = period.until().map_or(until, |it| it.min(until));
            let overlap = words::span(ends - start);
            let text = if start == until {
                format!("Starts exactly when {name} ends: no gap and no overlap.")
            } else if period.until().is_some_and(|it| it <= until) {
                let text = format!("Ends before {name} does, so it is no successor.");
                return ("info", "", text);
            } else {
                format!("Overlaps {name} by {overlap}.")
            };
            ("circle-check", "c-ok", text)
        }
    }
}
