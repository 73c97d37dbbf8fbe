//! How times are said on the command line: dates, instants, and spans from now on. Pure: `now` is an
//! argument.
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// A time, which may depend on now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    At(DateTime<Utc>),
    In(TimeDelta),
}

impl When {
    /// The instant that is meant.
    pub fn instant(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::In(span) => now.checked_add_signed(span).unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }
}

/// When a key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Never,
    When(When),
}

/// Reads `never` or a time.
pub fn end(text: &str) -> Result<End, String> {
    match text.trim().eq_ignore_ascii_case("never") {
        true => Ok(End::Never),
        false => time(text).map(End::When).map_err(|it| format!("{it}, or never")),
    }
}

/// Reads a time.
pub fn time(text: &str) -> Result<When, String> {
    let text = text.trim();
    let told = "say it like 2027-02-18, 2027-02-18T10:30, 2027-02-18T10:30:00+01:00 or 90d";
    span(text).map(When::In).or_else(|| at(text).map(When::At)).ok_or_else(|| told.to_owned())
}

fn span(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last().filter(char::is_ascii)?;
    let hours = match unit {
        'h' => 1,
        'd' => 24,
        'w' => 7 * 24,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    // No sign: a span leads into the future. Nobody means more than two centuries.
    let fits = (1..=4).contains(&number.len()) && number.bytes().all(|it| it.is_ascii_digit());
    let number: i64 = number.parse().ok().filter(|_| fits)?;
    TimeDelta::try_hours(number * hours)
}

fn at(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(it) = DateTime::parse_from_rfc3339(text) {
        return Some(it.to_utc());
    }
    // As the table of `keys list` prints it.
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix(" UTC")).unwrap_or(text);
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"];
    let mut read = formats.iter().filter_map(|it| NaiveDateTime::parse_from_str(text, it).ok());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let naive = read.next().or_else(|| Some(day()?.and_time(NaiveTime::MIN)))?;
    Some(naive.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_the_help_names() {
        let now: DateTime<Utc> = "2026-11-20T10:30:00Z".parse().unwrap();
        let read = |text: &str| crate::clock::iso(time(text).unwrap().instant(now));
        for (text, instant) in [
            ("2027-02-18", "2027-02-18T00:00:00.000Z"),
            ("2027-02-18T10:30", "2027-02-18T10:30:00.000Z"),
            ("2027-02-18 10:30 UTC", "2027-02-18T10:30:00.000Z"),
            ("2027-02-18T10:30:00+01:00", "2027-02-18T09:30:00.000Z"),
            ("2027-02-18T10:30:00.250Z", "2027-02-18T10:30:00.250Z"),
            ("2w", "2026-12-04T10:30:00.000Z"),
            ("90d", "2027-02-18T10:30:00.000Z"),
            ("12h", "2026-11-20T22:30:00.000Z"),
        ] {
            assert_eq!(read(text), instant, "{text}");
        }
        assert_eq!(end("Never"), Ok(End::Never));
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        for wrong in
            ["", "d", "-3d", "90", "10000d", "1.5d", "tomorrow", "2027-02-30", "18.02.2027", "9é"]
        {
            assert!(time(wrong).unwrap_err().contains("2027-02-18"), "{wrong}");
        }
        assert!(end("nie").unwrap_err().ends_with("or never"));
        assert!(time("never").is_err());
    }
}
