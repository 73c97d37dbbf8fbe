//! Coverage lanes: the instances of one group along a window of time, in percent of its width. What
//! is drawn, not how: bars, their warning, the overlap of a rotation, the gap where calls fail.
use chrono::{DateTime, TimeDelta, Utc};

use super::{Facts, coverage::Run, warning};

/// Days that a window reaches back from today, and ahead.
pub const BACK: i64 = 14;
pub const AHEAD: i64 = 84;

/// Shares are cut off a little outside of the window, so that no rounded end shows at its edge.
const OUTSIDE: f64 = 2.0;

/// The time that lanes show: `[from, until)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Window {
    /// Around the day that starts at `today`.
    pub fn around(today: DateTime<Utc>) -> Self {
        Self { from: today - TimeDelta::days(BACK), until: today + TimeDelta::days(AHEAD) }
    }

    pub fn from(&self) -> DateTime<Utc> {
        self.from
    }

    pub fn until(&self) -> DateTime<Utc> {
        self.until
    }

    /// Where an instant lies: 0 at the start of the window, 100 at its end.
    pub fn share(&self, at: DateTime<Utc>) -> f64 {
        let all = (self.until - self.from).num_milliseconds() as f64;
        let part = (at - self.from).num_milliseconds() as f64;
        (part / all * 100.0).clamp(-OUTSIDE, 100.0 + OUTSIDE)
    }

    /// The part of `[from, until)` that lies inside; no end: for ever.
    pub fn span(&self, from: DateTime<Utc>, until: Option<DateTime<Utc>>) -> Option<Span> {
        let is_seen = from < self.until
            && until.is_none_or(|it| it > self.from)
            && until.is_none_or(|it| it > from);
        let until = until.unwrap_or(self.until + TimeDelta::days(AHEAD));
        is_seen.then(|| Span { from: self.share(from), until: self.share(until) })
    }
}

/// A part of a window, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub from: f64,
    pub until: f64,
}

impl Span {
    pub fn width(&self) -> f64 {
        self.until - self.from
    }
}

/// A part of a window and the time that it stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub span: Span,
}

/// How a bar looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Past,
    Active,
    Future,
}

/// One instance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Its place among the given instances.
    pub key: usize,
    pub look: Look,
    pub span: Span,
    /// The part in which an active instance warns.
    pub warns: Option<Span>,
}

/// One group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lane {
    /// In the order of their starts.
    pub bars: Vec<Bar>,
    /// Where an instance and the one that takes over are both accepted.
    pub overlaps: Vec<Stretch>,
    /// Where no instance is accepted.
    pub gap: Option<Stretch>,
    /// Instances ahead that have no bar.
    pub more: usize,
}

impl Lane {
    /// `all`: the group's instances that are not deactivated; `run`: its coverage; `lost_at`: since
    /// when nothing is active. At most `most` bars are drawn: always the instance that carries the
    /// coverage and the one that starts after the gap, then those that end first.
    pub fn of(
        all: &[Facts],
        (run, lost_at): (Run, Option<DateTime<Utc>>),
        window: &Window,
        now: DateTime<Utc>,
        most: usize,
    ) -> Self {
        let is_ahead = |it: &Facts| it.is_live() && !it.period.has_ended(now);
        let mut ahead: Vec<usize> = (0..all.len()).filter(|it| is_ahead(&all[*it])).collect();
        let gap = gap(run, lost_at, now);
        let next = gap.map(|it| it.1);
        ahead.sort_by_key(|it| {
            let period = &all[*it].period;
            let carries = match run {
                Run::Nothing { .. } => false,
                _ => period.until() == run.until(),
            };
            let resumes = Some(period.from()) == next && !period.contains(now);
            (!(carries || resumes), period.until().is_none(), period.until(), period.from())
        });
        let bar = |key: &usize| bar(*key, &all[*key], window, now);
        let mut bars: Vec<Bar> = ahead.iter().filter_map(bar).take(most).collect();
        let more = ahead.len() - bars.len();

        let mut past: Vec<usize> = (0..all.len()).filter(|it| !is_ahead(&all[*it])).collect();
        past.sort_by_key(|it| std::cmp::Reverse(end(&all[*it])));
        let room = if bars.is_empty() { most } else { 1.min(most - bars.len()) };
        bars.extend(past.iter().filter_map(bar).take(room).collect::<Vec<_>>());
        bars.sort_by_key(|it| (all[it.key].period.from(), all[it.key].period.until(), it.key));

        let stretch = |(from, until)| {
            let span = window.span(from, Some(until))?;
            Some(Stretch { from, until, span })
        };
        let live: Vec<&Facts> = ahead.iter().map(|it| &all[*it]).collect();
        Self {
            bars,
            overlaps: overlaps(&live, window).into_iter().filter_map(stretch).collect(),
            gap: gap.and_then(stretch),
            more,
        }
    }
}

/// When it stopped or will stop being accepted.
fn end(it: &Facts) -> Option<DateTime<Utc>> {
    match (it.period.until(), it.revoked_at) {
        (Some(until), Some(revoked)) => Some(until.min(revoked)),
        (until, revoked) => until.or(revoked),
    }
}

fn bar(key: usize, it: &Facts, window: &Window, now: DateTime<Utc>) -> Option<Bar> {
    let from = it.period.from();
    let span = window.span(from, end(it))?;
    let look = match () {
        () if !it.is_live() || it.period.has_ended(now) => Look::Past,
        () if from > now => Look::Future,
        () => Look::Active,
    };
    let warns = warning::of(&it.period).filter(|_| look == Look::Active);
    let warns = warns.and_then(|warning| window.span(warning.starts, it.period.until()));
    Some(Bar { key, look, span, warns })
}

fn gap(
    run: Run,
    lost_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    match run {
        Run::Gap { until, next } => Some((until, next)),
        Run::Nothing { next } => Some((lost_at?, next.unwrap_or(now))),
        _ => None,
    }
}

/// From the start of an instance to the next end of an earlier one that it outlives, where that end can
/// be seen; stretches that touch are one.
fn overlaps(live: &[&Facts], window: &Window) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let is_seen = |it: &DateTime<Utc>| *it >= window.from && *it < window.until;
    let mut found = Vec::new();
    for new in live.iter().map(|it| &it.period).filter(|it| it.from() < window.until) {
        let ends = live.iter().filter(|it| it.period.from() < new.from());
        let ends = ends.filter_map(|it| it.period.until()).filter(is_seen);
        let ends = ends.filter(|end| new.until().is_none_or(|until| until > *end));
        found.extend(ends.filter(|it| *it > new.from()).min().map(|end| (new.from(), end)));
    }
    found.sort_unstable();
    let mut merged: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for (from, until) in found {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => merged.push((from, until)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{ActivePeriod, Coverage};

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    fn day(day: i64) -> DateTime<Utc> {
        at(day * 24)
    }

    fn key(from: i64, until: impl Into<Option<i64>>) -> Facts {
        Facts::new(ActivePeriod::new(day(from), until.into().map(day)).unwrap())
    }

    /// Today is day 0.
    fn lane(all: &[Facts], lost_at: Option<DateTime<Utc>>) -> Lane {
        let run = Coverage::of(all, day(0)).run;
        Lane::of(all, (run, lost_at), &Window::around(day(0)), day(0), 3)
    }

    fn keys(lane: &Lane) -> Vec<usize> {
        lane.bars.iter().map(|it| it.key).collect()
    }

    #[test]
    fn shares_run_from_the_start_of_the_window_to_its_end() {
        let window = Window::around(day(0));
        let shares = [-14, 0, 35, 84].map(|it| window.share(day(it)).round());
        assert_eq!(shares, [0.0, 14.0, 50.0, 100.0]);
        assert_eq!([-400, 400].map(|it| window.share(day(it))), [-2.0, 102.0]);
        assert_eq!(window.span(day(84), None), None);
        assert_eq!(window.span(day(-90), Some(day(-14))), None);
    }

    #[test]
    fn an_active_key_is_green_until_its_warning_starts() {
        let lane = lane(&[key(-60, 30)], None);
        let [bar] = lane.bars[..] else { panic!("{lane:?}") };
        let window = Window::around(day(0));
        assert_eq!(bar.look, Look::Active);
        assert_eq!(bar.span.until, window.share(day(30)));
        assert_eq!(bar.warns, window.span(day(16), Some(day(30))));
        assert_eq!((lane.gap, lane.more), (None, 0));
    }

    #[test]
    fn a_future_key_is_outlined_and_warns_not_yet() {
        let lane = lane(&[key(-60, 30), key(25, 80)], None);
        assert_eq!((lane.bars[1].look, lane.bars[1].warns), (Look::Future, None));
        let [overlap] = lane.overlaps[..] else { panic!("{lane:?}") };
        assert_eq!((overlap.from, overlap.until), (day(25), day(30)));
    }

    #[test]
    fn a_gap_reaches_from_the_end_of_coverage_to_the_next_start() {
        let gap = lane(&[key(-60, 7), key(10, 100)], None).gap.unwrap();
        assert_eq!((gap.from, gap.until), (day(7), day(10)));
        let waits = lane(&[key(-60, -3), key(10, 100)], Some(day(-3))).gap.unwrap();
        assert_eq!((waits.from, waits.until), (day(-3), day(10)));
        let nothing = lane(&[key(-60, -3)], Some(day(-3)));
        assert_eq!((nothing.gap.unwrap().until, nothing.bars[0].look), (day(0), Look::Past));
        // A group that never had a key has lost nothing.
        assert_eq!(lane(&[key(5, 9)], None).gap, None);
    }

    #[test]
    fn the_bars_are_the_carrier_the_resumer_and_those_that_end_first() {
        let all = [key(-90, 200), key(-50, 5), key(-50, 40), key(-50, 60), key(-50, 50)];
        let lane = lane(&all, None);
        assert_eq!((keys(&lane), lane.more), (vec![0, 1, 2], 2));
        let gap = [key(-9, 3), key(-9, 4), key(-9, 5), key(-9, 6), key(9, 80)];
        let lane = self::lane(&gap, None);
        assert_eq!((keys(&lane), lane.more), (vec![0, 3, 4], 2));
    }

    #[test]
    fn what_ended_is_grey_and_needs_room() {
        let lane = lane(&[key(-30, -5), key(-60, -9), key(-20, 20)], None);
        assert_eq!(keys(&lane), [0, 2]);
        assert_eq!(lane.bars[0].look, Look::Past);
        let revoked = Facts { revoked_at: Some(day(-2)), ..key(-30, 30) };
        let lane = self::lane(&[revoked], None);
        assert_eq!(lane.bars[0].span.until, Window::around(day(0)).share(day(-2)));
    }

    #[test]
    fn a_key_that_ends_before_the_older_one_is_no_rotation() {
        assert_eq!(lane(&[key(-60, 60), key(10, 20)], None).overlaps, []);
        assert_eq!(lane(&[key(-60, None), key(10, 20)], None).overlaps, []);
        assert_eq!(lane(&[key(-60, 20), key(10, None)], None).overlaps.len(), 1);
        // Of two that end, it takes over from the next one.
        let next = lane(&[key(-60, 12), key(-60, 50), key(10, 80)], None).overlaps;
        assert_eq!((next.len(), next[0].until), (1, day(12)));
    }

    fn any_key() -> impl Strategy<Value = Facts> {
        let length = prop::option::weighted(0.9, 1..120_i64);
        (-100..120_i64, length, prop::bool::weighted(0.15)).prop_map(|(from, length, revoked)| {
            Facts {
                revoked_at: revoked.then(|| day(from.min(0))),
                ..key(from, length.map(|it| from + it))
            }
        })
    }

    proptest! {
        #[test]
        fn a_lane_tells_nothing_untrue(keys in prop::collection::vec(any_key(), 0..9)) {
            let now = day(0);
            let window = Window::around(now);
            let run = Coverage::of(&keys, now).run;
            let lane = Lane::of(&keys, (run, None), &window, now, 3);
            let ahead = keys.iter().filter(|it| it.is_live() && !it.period.has_ended(now)).count();
            let shown = lane.bars.iter().filter(|it| it.look != Look::Past).count();
            prop_assert!(lane.bars.len() <= 3);
            prop_assert_eq!(shown + lane.more, ahead);
            for bar in &lane.bars {
                prop_assert!(bar.span.from < bar.span.until);
                prop_assert!(bar.span.from >= -2.0 && bar.span.until <= 102.0);
                let accepted = keys[bar.key].accept(now).is_ok();
                prop_assert_eq!(bar.look == Look::Active, accepted);
                if let Some(warns) = bar.warns {
                    prop_assert!(warns.from >= bar.span.from && warns.until == bar.span.until);
                }
            }
            let accepted = |at| keys.iter().filter(|it| it.accept(at).is_ok()).count();
            if let Some(gap) = lane.gap {
                prop_assert!(accepted(gap.from) == 0 && accepted(gap.until) > 0);
            }
            for it in &lane.overlaps {
                let last = it.until - TimeDelta::milliseconds(1);
                prop_assert!(accepted(it.from) >= 2 && accepted(last) >= 2);
            }
            // The end of the coverage is drawn, if it lies in the window.
            if let Some(until) = run.until() && until < window.until() {
                let end = window.share(until);
                prop_assert!(lane.bars.iter().any(|it| (it.span.until - end).abs() < 1e-9));
            }
        }
    }
}
