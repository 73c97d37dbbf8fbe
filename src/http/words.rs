//! How instants, spans and numbers read on a page. Pure: the zone and `now` are arguments.
use chrono::{
    DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, SubsecRound, TimeDelta, TimeZone,
    Timelike, Utc,
};
use chrono_tz::Tz;

use crate::{clock::iso, db::Applied};

/// An instant for a template: what is read, and what a title or a script needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    pub text: String,
    /// `Mon 23 Nov 2026 00:00:00 CET (22 Nov 23:00:00 UTC)`
    pub exact: String,
    /// RFC 3339 in UTC, for `datetime`.
    pub iso: String,
}

/// The viewer's zone and the instant at which the page is made.
#[derive(Clone, Copy, Debug)]
pub struct Here {
    pub now: DateTime<Utc>,
    pub zone: Tz,
}

impl Here {
    /// `12 seconds ago`, `in 3 days`.
    pub fn relative(&self, at: DateTime<Utc>) -> Moment {
        self.moment(at, relative(self.now, at))
    }

    /// `23 Nov`, with the year when it is another one.
    pub fn day(&self, at: DateTime<Utc>) -> Moment {
        let local = at.with_timezone(&self.zone);
        let same = local.year() == self.now.with_timezone(&self.zone).year();
        let text = local.format(if same { "%-d %b" } else { "%-d %b %Y" }).to_string();
        self.moment(at, text)
    }

    /// `Mon 23 Nov 2026 00:00 UTC`.
    pub fn minute(&self, at: DateTime<Utc>) -> Moment {
        let text = at.with_timezone(&self.zone).format("%a %-d %b %Y %H:%M %Z").to_string();
        self.moment(at, text)
    }

    /// `23 Nov` in any year: where a row of days says which it is.
    pub fn short_day(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%-d %b").to_string()
    }

    /// Now, as a form shows it: without seconds.
    pub fn this_minute(&self) -> DateTime<Utc> {
        self.now.with_second(0).and_then(|it| it.with_nanosecond(0)).unwrap_or(self.now)
    }

    /// The start of today.
    pub fn today(&self) -> DateTime<Utc> {
        self.days_from_today(0)
    }

    /// The start of the day so many days from today, whatever the clocks do in between.
    pub fn days_from_today(&self, days: i64) -> DateTime<Utc> {
        let today = self.now.with_timezone(&self.zone).date_naive();
        let day = today.checked_add_signed(TimeDelta::days(days)).unwrap_or(today);
        self.start_of(day).unwrap_or(self.now + TimeDelta::days(days))
    }

    /// Such as `3 Dec 2026 16:51:53 CET`.
    pub fn second(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%-d %b %Y %H:%M:%S %Z").to_string()
    }

    fn moment(&self, at: DateTime<Utc>, text: String) -> Moment {
        let local = at.with_timezone(&self.zone);
        let mut exact = local.format("%a %-d %b %Y %H:%M:%S %Z").to_string();
        if local.offset().fix().local_minus_utc() != 0 {
            exact += &at.format(" (%-d %b %H:%M:%S UTC)").to_string();
        }
        Moment { text, exact, iso: iso(at) }
    }

    /// For `<input type=datetime-local>`, to the minute that it is in.
    pub fn input(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.zone).format("%Y-%m-%dT%H:%M").to_string()
    }

    /// The same without loss, for fields that nobody sees.
    pub fn exact_input(&self, at: DateTime<Utc>) -> String {
        let whole = at.timestamp_millis() % 60_000 == 0;
        let format = if whole { "%Y-%m-%dT%H:%M" } else { "%Y-%m-%dT%H:%M:%S%.3f" };
        at.with_timezone(&self.zone).format(format).to_string()
    }

    /// From such an input: an instant, or the sentence to show beside the field.
    pub fn parse_input(&self, text: &str) -> Result<DateTime<Utc>, String> {
        let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f"];
        let naive = formats
            .iter()
            .find_map(|it| NaiveDateTime::parse_from_str(text.trim(), it).ok())
            .ok_or("Enter a date and a time, like 2026-11-20T10:30.")?;
        if !(2000..=2200).contains(&naive.year()) {
            return Err("Enter a year from 2000 to 2200.".into());
        }
        // Where clocks go back the earlier of the two is meant; where they go forward there is none.
        let local = self.zone.from_local_datetime(&naive).earliest();
        let local = local.ok_or_else(|| {
            format!("This time does not exist in {}: the clocks go forward over it.", self.zone)
        })?;
        // Instants have millisecond precision, whatever was typed.
        Ok(local.to_utc().trunc_subsecs(3))
    }

    /// The start of a day such as `2026-11-20` and the start of the next one, in this zone. Where
    /// clocks go forward over midnight, the day starts when they do.
    pub fn day_bounds(&self, text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let day: NaiveDate = text.trim().parse().ok()?;
        let known = (2000..=2200).contains(&day.year());
        Some((self.start_of(day)?, self.start_of(day.succ_opt()?)?)).filter(|_| known)
    }

    fn start_of(&self, day: NaiveDate) -> Option<DateTime<Utc>> {
        let hours = (0..4).filter_map(|hour| day.and_hms_opt(hour, 0, 0));
        let mut starts = hours.filter_map(|it| self.zone.from_local_datetime(&it).earliest());
        starts.next().map(|it| it.to_utc())
    }
}

fn relative(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    let span = now - at;
    if span.abs() < TimeDelta::seconds(1) {
        "now".to_owned()
    } else if span > TimeDelta::zero() {
        format!("{} ago", self::span(span))
    } else {
        format!("in {}", self::span(span))
    }
}

/// In the largest unit that loses little, to the nearest: `45 seconds`, `5 days`, `6 months`. Its sign
/// is ignored.
pub fn span(span: TimeDelta) -> String {
    const UNITS: [(i64, &str, i64); 5] = [
        (1, "second", 60),
        (60, "minute", 60),
        (3_600, "hour", 48),
        (86_400, "day", 120),
        (30 * 86_400, "month", 24),
    ];
    let millis = span.num_milliseconds().abs();
    let nearest = |seconds: i64| (millis + seconds * 500) / (seconds * 1_000);
    let fits = UNITS.iter().find(|(size, _, most)| nearest(*size) < *most);
    let (size, unit) = fits.map_or((365 * 86_400, "year"), |it| (it.0, it.1));
    plural(nearest(size), unit)
}

/// A part of all, rounded but never to nothing or everything: `85%`, `under 1%`, `over 99%`.
pub fn percent(part: i64, all: i64) -> String {
    let rounded = (part as f64 * 100.0 / all.max(1) as f64).round() as i64;
    match rounded {
        0 if part > 0 => "under 1%".to_owned(),
        100.. if part < all => "over 99%".to_owned(),
        it => format!("{it}%"),
    }
}

/// Any integer as the one that these functions count with; one beyond is the most there can be.
pub fn int(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

/// `1 key`, `3 keys`.
pub fn plural(n: impl TryInto<i64>, noun: &str) -> String {
    let n = int(n);
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Where calls are refused since an act of this request: ` Refused on 2 of 2 nodes after 3 ms.`
pub fn refused_where() -> String {
    Applied::of_this_request().map(refused_at).unwrap_or_default()
}

fn refused_at(it: Applied) -> String {
    let ms = count(it.ms());
    match (it.nodes, it.confirmed) {
        (1, 1) => format!(" Refused after {ms}\u{a0}ms."),
        (all, confirmed) if all == confirmed => {
            format!(" Refused on {all} of {all} nodes after {ms}\u{a0}ms.")
        }
        (all, confirmed) => format!(
            " Refused on {confirmed} of {all} nodes after {ms}\u{a0}ms; the others did not answer, and \
             accept nothing without asking the database."
        ),
    }
}

/// `1 284 310`, grouped with thin no-break spaces.
pub fn count(n: impl TryInto<i64>) -> String {
    let n = int(n);
    let digits = n.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    if n < 0 { format!("-{text}") } else { text }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn spans_use_the_largest_unit_that_says_enough() {
        let words = |seconds| span(TimeDelta::seconds(seconds));
        assert_eq!(words(1), "1 second");
        assert_eq!(words(59), "59 seconds");
        assert_eq!(words(60), "1 minute");
        assert_eq!(words(3_600), "1 hour");
        assert_eq!(words(47 * 3_600), "47 hours");
        assert_eq!(words(2 * 86_400), "2 days");
        assert_eq!(words(5 * 86_400 + 3_600), "5 days");
        assert_eq!(words(85 * 86_400), "85 days");
        assert_eq!(words(200 * 86_400), "7 months");
        assert_eq!(words(800 * 86_400), "2 years");
    }

    #[test]
    fn spans_are_rounded_to_the_nearest_and_never_fill_a_larger_unit() {
        let words = |millis| span(TimeDelta::milliseconds(millis));
        let (minute, hour, day) = (60_000, 3_600_000, 86_400_000);
        // A link of 7 days, a second after it was made.
        assert_eq!(words(7 * day - 1_000), "7 days");
        assert_eq!(words(26 * hour + 29 * minute), "26 hours");
        assert_eq!(words(26 * hour + 31 * minute), "27 hours");
        assert_eq!((words(59_499), words(59_500)), ("59 seconds".into(), "1 minute".into()));
        assert_eq!(words(59 * minute + 30_000), "1 hour");
        assert_eq!(words(47 * hour + 30 * minute), "2 days");
        assert_eq!(words(119 * day + 12 * hour), "4 months");
        assert_eq!(words(-90_000), "2 minutes");
    }

    #[test]
    fn a_part_of_all_is_never_rounded_to_nothing_or_everything() {
        assert_eq!((percent(0, 0), percent(0, 9)), ("0%".into(), "0%".into()));
        assert_eq!(
            (percent(1, 1_000), percent(999, 1_000)),
            ("under 1%".into(), "over 99%".into())
        );
        assert_eq!((percent(9, 9), percent(2, 3)), ("100%".into(), "67%".into()));
    }

    #[test]
    fn relative_times_look_both_ways() {
        let now = at("2026-11-20T10:30:00Z");
        let here = Here { now, zone: Tz::UTC };
        assert_eq!(here.relative(now - TimeDelta::seconds(12)).text, "12 seconds ago");
        assert_eq!(here.relative(now + TimeDelta::days(3)).text, "in 3 days");
        assert_eq!(here.relative(now).text, "now");
    }

    #[test]
    fn the_exact_time_names_the_zone_and_utc() {
        let here = Here { now: at("2026-11-20T10:30:00Z"), zone: Tz::Europe__Berlin };
        let moment = here.day(at("2026-11-22T23:30:00Z"));
        assert_eq!(moment.text, "23 Nov");
        assert_eq!(moment.exact, "Mon 23 Nov 2026 00:30:00 CET (22 Nov 23:30:00 UTC)");
        assert_eq!(moment.iso, "2026-11-22T23:30:00.000Z");
        assert_eq!(here.day(at("2027-02-21T00:00:00Z")).text, "21 Feb 2027");
    }

    #[test]
    fn inputs_are_read_in_the_viewers_zone() {
        let here = Here { now: at("2026-11-20T10:30:00Z"), zone: Tz::Europe__Berlin };
        assert_eq!(here.parse_input("2026-11-20T10:30"), Ok(at("2026-11-20T09:30:00Z")));
        assert_eq!(here.input(at("2026-11-20T09:30:00Z")), "2026-11-20T10:30");
        // 25 October 2026, 02:30 happens twice: the first is meant.
        assert_eq!(here.parse_input("2026-10-25T02:30"), Ok(at("2026-10-25T00:30:00Z")));
        assert!(here.parse_input("2026-03-29T02:30").unwrap_err().contains("does not exist"));
    }

    #[test]
    fn a_day_lasts_from_midnight_to_midnight_whatever_the_clocks_do() {
        let bounds = |zone, day| Here { now: at("2026-11-20T10:30:00Z"), zone }.day_bounds(day);
        let berlin = bounds(Tz::Europe__Berlin, "2026-10-25").unwrap();
        assert_eq!(berlin, (at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z")));
        // Midnight does not exist in Cairo on 24 April 2026.
        let cairo = bounds(Tz::Africa__Cairo, "2026-04-24").unwrap();
        assert_eq!(cairo, (at("2026-04-23T22:00:00Z"), at("2026-04-24T21:00:00Z")));
        assert_eq!(bounds(Tz::UTC, "2026-02-30"), None);
        assert_eq!(bounds(Tz::UTC, "9999-01-01"), None);
    }

    #[test]
    fn days_ahead_start_at_midnight_on_either_side_of_a_change_of_the_clocks() {
        let here = Here { now: at("2026-10-24T10:30:00Z"), zone: Tz::Europe__Berlin };
        assert_eq!(here.today(), at("2026-10-23T22:00:00Z"));
        assert_eq!(here.days_from_today(7), at("2026-10-30T23:00:00Z"));
        assert_eq!(here.days_from_today(-14), at("2026-10-09T22:00:00Z"));
        assert_eq!(here.short_day(at("2027-02-11T23:00:00Z")), "12 Feb");
    }

    #[test]
    fn impossible_dates_get_a_sentence() {
        let here = Here { now: at("2026-11-20T10:30:00Z"), zone: Tz::UTC };
        for wrong in ["", "tomorrow", "2026-02-30T10:00", "2026-11-20", "99999-01-01T00:00"] {
            assert!(here.parse_input(wrong).is_err(), "{wrong}");
        }
        assert!(here.parse_input("1999-12-31T23:59").unwrap_err().contains("2000"));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(1_284_310), "1\u{202f}284\u{202f}310");
        assert_eq!((count(999).as_str(), count(-1_000).as_str()), ("999", "-1\u{202f}000"));
    }

    #[test]
    fn lists_read_as_a_person_says_them() {
        let of =
            |items: &[&str]| list(&items.iter().map(|it| String::from(*it)).collect::<Vec<_>>());
        assert_eq!(of(&["a"]), "a");
        assert_eq!(of(&["a", "b", "c"]), "a, b and c");
    }
}
