//! Coverage lanes as SVG: percent coordinates and no viewBox, so that text does not shrink on a phone.
//! `domain::lanes` says what is drawn; each drawing says the same as a sentence.
use chrono::{DateTime, Datelike, TimeDelta, Utc, Weekday};

use crate::{
    clock::instant,
    domain::{
        Facts,
        coverage::Run,
        lanes::{AHEAD, BACK, Bar, Lane, Look, Span, Stretch, Window},
    },
    http::words::{self, Here},
    key_groups::{KeyGroup, pages::CoverageView},
    key_instances::KeyInstance,
};

/// Bars of a group among others, and on its own page.
const FEW: usize = 3;
const MANY: usize = 8;

/// Weeks above the lanes, and lines through them.
pub struct Axis {
    /// Mondays: where, and every second one with its name.
    pub lines: Vec<String>,
    pub ticks: Vec<Tick>,
    pub now: String,
    /// `Keys from 6 Nov to 12 Feb`
    pub text: String,
}

pub struct Tick {
    pub x: String,
    pub text: String,
    /// Left out where there is little room.
    pub spare: bool,
}

pub struct LaneView {
    pub label: String,
    pub height: i64,
    pub overlaps: Vec<(String, String)>,
    pub bars: Vec<Rect>,
    pub gap: Option<(String, String)>,
    pub texts: Vec<Text>,
    /// Keys without a bar.
    pub more: usize,
}

pub struct Rect {
    pub class: &'static str,
    pub x: String,
    pub width: String,
    pub y: f64,
    pub height: f64,
    pub hatched: bool,
}

pub struct Text {
    pub class: &'static str,
    pub x: String,
    pub dx: i64,
    pub y: f64,
    pub anchor: &'static str,
    pub text: String,
}

/// The window around the viewer's today.
pub fn window(here: &Here) -> Window {
    Window::around(here.today())
}

impl Axis {
    pub fn of(window: &Window, here: &Here) -> Self {
        let share = |at| percent(window.share(at));
        let today = window.share(here.now);
        let days = (-BACK..AHEAD).map(|n| here.days_from_today(n));
        let mondays: Vec<_> =
            days.filter(|it| it.with_timezone(&here.zone).weekday() == Weekday::Mon).collect();
        let tick = |(n, at): (usize, &DateTime<Utc>)| Tick {
            x: share(*at),
            text: here.short_day(*at),
            // Also beside the line of today, and near the end.
            spare: !n.is_multiple_of(2)
                || (0.0..13.0).contains(&(today - window.share(*at)))
                || window.share(*at) > 86.0,
        };
        // The last one would reach out of the drawing.
        let named = mondays.iter().step_by(2).filter(|it| window.share(**it) < 94.0);
        let last = window.until() - TimeDelta::hours(12);
        Self {
            lines: mondays.iter().map(|it| share(*it)).collect(),
            ticks: named.enumerate().map(tick).collect(),
            now: share(here.now),
            text: format!("Keys from {} to {}", here.day(window.from()).text, here.day(last).text),
        }
    }
}

impl LaneView {
    /// Of one group among others.
    pub fn of(
        group: &KeyGroup,
        keys: &[KeyInstance],
        coverage: &CoverageView,
        window: &Window,
        here: &Here,
    ) -> Self {
        Self::drawn(group, keys, coverage, window, here, FEW)
    }

    /// Of a group on its own page: one row for each key.
    pub fn alone(
        group: &KeyGroup,
        keys: &[KeyInstance],
        coverage: &CoverageView,
        here: &Here,
    ) -> Self {
        Self::drawn(group, keys, coverage, &window(here), here, MANY)
    }

    fn drawn(
        group: &KeyGroup,
        keys: &[KeyInstance],
        coverage: &CoverageView,
        window: &Window,
        here: &Here,
        most: usize,
    ) -> Self {
        // By their labels, so that of two alike always the same one has a bar.
        let mut keys: Vec<&KeyInstance> = keys.iter().collect();
        keys.sort_by_key(|it| it.label);
        let facts: Vec<Facts> = keys.iter().map(|it| it.facts()).collect();
        let run = (group.run(), group.lost_at.map(instant));
        let lane = Lane::of(&facts, run, window, here.now, most);
        let rows = Rows::of(lane.bars.len(), most);
        let mut texts = Vec::new();
        for (row, bar) in lane.bars.iter().enumerate() {
            let before_gap = lane.gap.is_some_and(|it| it.span.from <= bar.span.until);
            texts.extend(label(bar, keys[bar.key].name(), rows.text(row), before_gap));
        }
        texts.extend(lane.gap.as_ref().and_then(|gap| gap_label(gap, &lane, run.0, &rows)));
        let bars = lane.bars.iter().enumerate().flat_map(|(row, bar)| rects(bar, row, &rows));
        let extent = |it: &Span| (percent(it.from), percent(it.width().max(0.6)));
        Self {
            label: sentence(group, &keys, coverage, &lane, here),
            height: rows.height,
            overlaps: lane.overlaps.iter().map(|it| extent(&it.span)).collect(),
            bars: bars.collect(),
            gap: lane.gap.map(|it| extent(&it.span)),
            texts,
            more: lane.more,
        }
    }
}

/// How long two keys work together in the next rotation: `2 days`.
pub fn overlap(group: &KeyGroup, keys: &[KeyInstance], here: &Here) -> Option<String> {
    let facts: Vec<Facts> = keys.iter().map(KeyInstance::facts).collect();
    let lane = Lane::of(&facts, (group.run(), None), &window(here), here.now, FEW);
    let next = lane.overlaps.into_iter().find(|it| it.until > here.now)?;
    Some(words::span(next.until - next.from))
}

/// Where the bars lie from top to bottom.
struct Rows {
    top: f64,
    step: f64,
    thick: f64,
    height: i64,
}

impl Rows {
    fn of(bars: usize, most: usize) -> Self {
        let (top, step, thick, height) = match bars {
            _ if most > FEW => (9.0, 20.0, 12.0, 12 + 20 * words::int(bars.max(1))),
            0 | 1 => (16.0, 0.0, 14.0, 46),
            2 => (9.0, 16.0, 12.0, 46),
            _ => (3.0, 14.0, 12.0, 46),
        };
        Self { top, step, thick, height }
    }

    fn y(&self, row: usize) -> f64 {
        self.top + self.step * row as f64
    }

    fn text(&self, row: usize) -> f64 {
        self.y(row) + self.thick - 2.5
    }
}

fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

fn rects(bar: &Bar, row: usize, rows: &Rows) -> Vec<Rect> {
    let rect = |class, span: &Span, line: f64, hatched| Rect {
        class,
        x: percent(span.from),
        width: percent(span.width().max(0.6)),
        y: rows.y(row) + line,
        height: rows.thick - 2.0 * line,
        hatched,
    };
    match bar.look {
        Look::Past => vec![rect("lane-past", &bar.span, 0.0, false)],
        Look::Future => vec![rect("lane-future", &bar.span, 0.75, false)],
        Look::Active => {
            let whole = rect("lane-active", &bar.span, 0.0, false);
            let warns = bar.warns.map(|it| rect("lane-soon", &it, 0.0, true));
            [Some(whole), warns].into_iter().flatten().collect()
        }
    }
}

/// The name of a key where there is room: behind its bar, in it, or before it.
fn label(bar: &Bar, text: String, y: f64, before_gap: bool) -> Option<Text> {
    let (from, until) = (bar.span.from.max(0.0), bar.span.until.min(100.0));
    let plain = bar.warns.map_or(until, |it| it.from.min(until));
    let at = |x: f64, dx, class, anchor| {
        Some(Text { class, x: percent(x), dx, y, anchor, text: text.clone() })
    };
    match bar.look {
        Look::Past => None,
        Look::Future if until - from >= 9.0 => at(from, 6, "lane-t next", "start"),
        Look::Future => at(from, -6, "lane-t next", "end"),
        Look::Active if until <= 88.0 && !before_gap => at(until, 6, "lane-t", "start"),
        // Rather than on the hatched part.
        Look::Active if plain - from >= 9.0 => at(plain, -6, "lane-t on", "end"),
        Look::Active if until - from >= 9.0 => at(until, -6, "lane-t on hatched", "end"),
        Look::Active if from >= 10.0 => at(from, -6, "lane-t", "end"),
        Look::Active => None,
    }
}

fn gap_label(gap: &Stretch, lane: &Lane, run: Run, rows: &Rows) -> Option<Text> {
    let text = match run {
        Run::Gap { .. } => format!("gap {}", short(gap.until - gap.from)),
        _ => "nothing active".to_owned(),
    };
    let y = rows.text(0);
    let at = |x: f64, dx, anchor| {
        Some(Text { class: "lane-t bad", x: percent(x), dx, y, anchor, text: text.clone() })
    };
    // What comes after the gap may be in the same row.
    let is_free = lane.bars.first().is_none_or(|it| it.span.from < gap.span.until);
    match gap.span {
        it if is_free && it.until <= 82.0 => at(it.until, 6, "start"),
        it if it.from >= 18.0 => at(it.from, -6, "end"),
        _ => None,
    }
}

fn short(span: TimeDelta) -> String {
    match span {
        it if it >= TimeDelta::days(2) => format!("{} d", it.num_days()),
        it if it >= TimeDelta::hours(1) => format!("{} h", it.num_hours()),
        it => format!("{} min", it.num_minutes()),
    }
}

/// All that the drawing shows.
fn sentence(
    group: &KeyGroup,
    keys: &[&KeyInstance],
    coverage: &CoverageView,
    lane: &Lane,
    here: &Here,
) -> String {
    let bar = |it: &Bar| {
        let (key, day) = (keys[it.key], |at| here.day(at).text);
        let (name, period) = (key.name(), key.facts().period);
        match (it.look, period.until()) {
            (Look::Past, _) => format!("{name} ended {}", day(instant(key.ends_at))),
            (Look::Active, Some(until)) => format!("{name} works until {}", day(until)),
            (Look::Active, None) => format!("{name} works without an end"),
            (Look::Future, Some(until)) => {
                format!("{name} works from {} to {}", day(period.from()), day(until))
            }
            (Look::Future, None) => format!("{name} works from {}", day(period.from())),
        }
    };
    let bars: Vec<String> = lane.bars.iter().map(bar).collect();
    let head = format!("{}: {}, {}", group.name, coverage.text, coverage.detail);
    if bars.is_empty() { format!("{head}.") } else { format!("{head}. {}.", bars.join("; ")) }
}
