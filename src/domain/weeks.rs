//! Expiries per week: how many instances end in each of the weeks ahead, and how many of them have a
//! successor. Weeks have seven days from the start of today on.
use chrono::{DateTime, TimeDelta, Utc};

/// Weeks ahead.
pub const WEEKS: usize = 12;
/// Milliseconds of one week.
pub const WEEK: i64 = 7 * 86_400_000;

/// One week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Week {
    pub starts: DateTime<Utc>,
    /// Ends that another instance of the group takes over.
    pub covered: i64,
    /// Ends without a successor.
    pub open: i64,
}

impl Week {
    pub fn total(&self) -> i64 {
        self.covered + self.open
    }
}

/// Numbers of ends, by week and by whether they have a successor: the weeks in order, also those in
/// which nothing ends. Weeks outside are left out.
pub fn weeks(
    today: DateTime<Utc>,
    counts: impl IntoIterator<Item = (i64, bool, i64)>,
) -> Vec<Week> {
    let starts = |n: usize| today + TimeDelta::milliseconds(WEEK) * i32::try_from(n).unwrap_or(0);
    let mut weeks: Vec<Week> =
        (0..WEEKS).map(|n| Week { starts: starts(n), covered: 0, open: 0 }).collect();
    for (week, has_successor, n) in counts {
        let week = usize::try_from(week).ok().and_then(|it| weeks.get_mut(it));
        if let Some(week) = week {
            *(if has_successor { &mut week.covered } else { &mut week.open }) += n;
        }
    }
    weeks
}

/// The height of `n` in a chart whose highest column has `most`: of `pixels`, and never so low that
/// something looks like nothing. Few columns are no towers: one has half of the height.
pub fn height(n: i64, most: i64, pixels: i64) -> i64 {
    if n == 0 { 0 } else { (n * pixels / most.max(2)).max(4) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_end_is_in_its_week_on_its_side() {
        let today = DateTime::UNIX_EPOCH;
        let weeks = weeks(today, [(0, true, 2), (0, false, 1), (11, false, 4), (12, true, 9)]);
        assert_eq!(weeks.len(), WEEKS);
        assert_eq!((weeks[0].covered, weeks[0].open, weeks[0].total()), (2, 1, 3));
        assert_eq!((weeks[11].covered, weeks[11].open), (0, 4));
        assert_eq!(weeks[11].starts, today + TimeDelta::days(77));
        assert_eq!(weeks.iter().map(Week::total).sum::<i64>(), 7);
    }

    proptest! {
        #[test]
        fn nothing_within_the_weeks_is_lost(
            counts in prop::collection::vec((-3..20_i64, any::<bool>(), 1..50_i64), 0..40),
        ) {
            let sum = |covered: bool| -> i64 {
                let within = counts.iter().filter(|it| it.1 == covered && (0..12).contains(&it.0));
                within.map(|it| it.2).sum()
            };
            let weeks = weeks(DateTime::UNIX_EPOCH, counts.clone());
            prop_assert_eq!(weeks.iter().map(|it| it.covered).sum::<i64>(), sum(true));
            prop_assert_eq!(weeks.iter().map(|it| it.open).sum::<i64>(), sum(false));
        }

        #[test]
        fn higher_numbers_are_never_lower_columns(a in 0..5_000_i64, b in 0..5_000_i64) {
            let most = a.max(b);
            let (low, high) = (height(a.min(b), most, 52), height(most, most, 52));
            prop_assert!(low <= high && high <= 52);
            prop_assert_eq!(height(a, most, 52) == 0, a == 0);
        }
    }
}
