//! What ends when: lanes of coverage, expiries per week, the next ends and starts.
use crate::{
    clock::instant,
    domain::{
        coverage::Run,
        label_name,
        lanes::Window,
        weeks::{self, WEEKS, Week},
    },
    http::{
        InPlace,
        words::{self, Here, Moment},
    },
    key_groups::pages::CoverageView,
    key_instances::{
        outlook,
        pages::lanes::{self, LaneView},
    },
    overview::{Covered, Overview},
};

/// One group with its lane.
pub struct LaneRow {
    pub name: String,
    pub description: String,
    pub path: String,
    pub coverage: CoverageView,
    pub lane: LaneView,
}

pub fn lane(it: &Covered, viewer: &InPlace, window: &Window) -> LaneRow {
    let here = &viewer.me.here;
    let mut coverage = CoverageView::of(&it.group, here);
    if let Run::Covered { .. } = it.group.run() {
        let overlap = lanes::overlap(&it.group, &it.instances, here);
        coverage.detail = overlap.map_or(coverage.detail, |it| format!("overlap {it}"));
    }
    LaneRow {
        name: it.group.name.clone(),
        description: it.group.description.clone(),
        path: viewer.path(&format!("/groups/{}", it.group.id)),
        lane: LaneView::of(&it.group, &it.instances, &coverage, window, here),
        coverage,
    }
}

/// Height of the highest column, and where the columns stand, in pixels.
const HIGHEST: i64 = 52;
const BASE: i64 = 82;

/// Expiries per week, as columns.
pub struct Ends {
    pub label: String,
    pub columns: Vec<Column>,
    /// Nothing ends at all.
    pub is_empty: bool,
}

pub struct Column {
    pub x: String,
    pub middle: String,
    /// All of them from the top, and the part without a successor.
    pub y: i64,
    pub height: i64,
    pub open_y: i64,
    pub open_height: i64,
    pub count: String,
    /// Above the column.
    pub count_y: i64,
    /// The day of the month under every second column, and the month where it begins.
    pub day: String,
    pub month: String,
}

impl Ends {
    pub fn of(counts: &[(i64, bool, i64)], here: &Here) -> Self {
        let weeks = weeks::weeks(here.today(), counts.iter().copied());
        let most = weeks.iter().map(Week::total).max().unwrap_or_default();
        // In the middle of its first day, so that a change of the clocks moves no name of a day.
        let noon = |it: &Week| it.starts + chrono::TimeDelta::hours(12);
        let day = |it: &Week| here.short_day(noon(it));
        let mut month = String::new();
        let columns = weeks.iter().enumerate().map(|(n, it)| {
            let each = 100.0 / WEEKS as f64;
            let (height, open) =
                (weeks::height(it.total(), most, HIGHEST), weeks::height(it.open, most, HIGHEST));
            let text = day(it);
            let (day, named) = text.split_once(' ').unwrap_or_default();
            let is_new = named != month;
            if is_new {
                named.clone_into(&mut month);
            }
            Column {
                x: format!("{:.2}%", each * n as f64 + each * 0.14),
                middle: format!("{:.2}%", each * (n as f64 + 0.5)),
                y: BASE - height,
                height,
                open_y: BASE - open,
                open_height: open,
                count: if it.total() > 0 { words::count(it.total()) } else { String::new() },
                count_y: BASE - height - 6,
                day: if n % 2 == 0 { day.to_owned() } else { String::new() },
                month: if is_new { named.to_owned() } else { String::new() },
            }
        });
        Self { columns: columns.collect(), label: label(&weeks, day), is_empty: most == 0 }
    }
}

fn label(weeks: &[Week], day: impl Fn(&Week) -> String) -> String {
    let totals: Vec<String> = weeks.iter().map(|it| it.total().to_string()).collect();
    let open: Vec<String> = weeks
        .iter()
        .filter(|it| it.open > 0)
        .map(|it| format!("{} in the week from {}", it.open, day(it)))
        .collect();
    let open = match open.is_empty() {
        true => "All have a successor.".to_owned(),
        false => format!("Without a successor: {}.", words::list(&open)),
    };
    format!("Expiries in each of the next {WEEKS} weeks: {}. {open}", totals.join(", "))
}

/// One of the next ends and starts.
pub struct Event {
    pub day: Moment,
    pub key: String,
    pub group: String,
    pub path: String,
    pub what: &'static str,
}

/// The next ones, the first one first: as many as there is room for beside so many things to do.
pub fn events(it: &Overview, viewer: &InPlace, todos: usize) -> Vec<Event> {
    let event = |key: &outlook::Event, group: &String, at: i64, what| {
        let path = viewer.path(&format!("/groups/{}/keys/{}", key.key_group_id, key.id));
        let day = viewer.me.here.day(instant(at));
        (at, Event { day, key: label_name(key.label), group: group.clone(), path, what })
    };
    let ends = it.ends.iter().map(|(key, group)| event(key, group, key.ends_at, "ends"));
    let starts = it.starts.iter().map(|(key, group)| event(key, group, key.active_from, "starts"));
    let mut all: Vec<_> = ends.chain(starts).collect();
    all.sort_by_key(|it| it.0);
    all.into_iter().map(|it| it.1).take((todos * 2).clamp(8, 18) - 5).collect()
}
