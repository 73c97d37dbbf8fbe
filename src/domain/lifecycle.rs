//! What may happen to a `token` key instance, and what it is afterwards (DOMAIN.md, "Key groups").
use chrono::{DateTime, TimeDelta, Utc};

use super::{ActivePeriod, Facts, Refusal, Status};

/// A new period for an instance that has not ended.
pub fn change_period(
    facts: &Facts,
    period: ActivePeriod,
    now: DateTime<Utc>,
) -> Result<Facts, Refusal> {
    match facts.status(now) {
        _ if facts.revoked_at.is_some() => Err(Refusal::Revoked),
        Status::Expired => Err(Refusal::Ended),
        Status::Deactivated => Err(Refusal::Deactivated),
        _ if period.has_ended(now) => Err(Refusal::EndInThePast),
        Status::Active | Status::ActiveInTheFuture => Ok(Facts { period, ..*facts }),
    }
}

/// Out of use, and back by [`reactivate`].
pub fn deactivate(facts: &Facts, now: DateTime<Utc>) -> Result<Facts, Refusal> {
    match facts.status(now) {
        _ if facts.revoked_at.is_some() => Err(Refusal::Revoked),
        Status::Expired => Err(Refusal::Ended),
        Status::Deactivated => Err(Refusal::AlreadyDeactivated),
        Status::Active | Status::ActiveInTheFuture => {
            Ok(Facts { deactivated_at: Some(now), ..*facts })
        }
    }
}

/// A deactivated or expired instance comes back with a new period (document 004).
pub fn reactivate(
    facts: &Facts,
    period: ActivePeriod,
    now: DateTime<Utc>,
) -> Result<Facts, Refusal> {
    match facts.status(now) {
        _ if facts.revoked_at.is_some() => Err(Refusal::Revoked),
        Status::Active | Status::ActiveInTheFuture => Err(Refusal::NothingToReactivate),
        _ if period.has_ended(now) => Err(Refusal::EndInThePast),
        Status::Expired | Status::Deactivated => Ok(Facts::new(period)),
    }
}

/// Final: `revoked_at` denies by itself, and the end moves to now (document 000).
/// A period that has not begun, or that ended before, keeps its dates.
pub fn revoke(facts: &Facts, now: DateTime<Utc>) -> Result<Facts, Refusal> {
    if facts.revoked_at.is_some() {
        return Err(Refusal::Revoked);
    }
    let ends_later = !facts.period.has_ended(now);
    let period = match ActivePeriod::new(facts.period.from(), Some(now)) {
        Ok(shortened) if ends_later => shortened,
        _ => facts.period,
    };
    Ok(Facts { period, revoked_at: Some(now), ..*facts })
}

/// How long the old key of a rotation keeps working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    None,
    Hours(i64),
    /// The old key keeps its own end.
    Own,
}

impl Overlap {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "now" => Some(Self::None),
            "1h" => Some(Self::Hours(1)),
            "24h" => Some(Self::Hours(24)),
            "7d" => Some(Self::Hours(7 * 24)),
            "own" => Some(Self::Own),
            _ => None,
        }
    }
}

/// What a rotation makes of the old instance: it ends with the overlap, never later than it would
/// have. Ending now is a deactivation, so that it can be undone.
pub fn rotate_out(facts: &Facts, overlap: Overlap, now: DateTime<Utc>) -> Result<Facts, Refusal> {
    if facts.status(now) != Status::Active {
        return Err(Refusal::NothingToRotate);
    }
    let Overlap::Hours(hours) = overlap else {
        return if overlap == Overlap::None { deactivate(facts, now) } else { Ok(*facts) };
    };
    let end = now + TimeDelta::hours(hours);
    if facts.period.until().is_some_and(|until| until <= end) {
        return Ok(*facts);
    }
    change_period(facts, ActivePeriod::new(facts.period.from(), Some(end))?, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn period(from: i64, until: i64) -> ActivePeriod {
        ActivePeriod::new(at(from), Some(at(until))).unwrap()
    }

    fn active() -> Facts {
        Facts::new(period(10, 20))
    }

    #[test]
    fn the_period_of_a_running_key_may_change_also_to_an_earlier_end() {
        let changed = change_period(&active(), period(10, 16), at(15)).unwrap();
        assert_eq!(changed.period, period(10, 16));
        let refused = change_period(&active(), period(10, 15), at(15));
        assert_eq!(refused, Err(Refusal::EndInThePast));
    }

    #[test]
    fn the_period_of_an_ended_deactivated_or_revoked_key_does_not_change() {
        let later = period(10, 60);
        assert_eq!(change_period(&active(), later, at(20)), Err(Refusal::Ended));
        let off = deactivate(&active(), at(11)).unwrap();
        assert_eq!(change_period(&off, later, at(12)), Err(Refusal::Deactivated));
        let dead = revoke(&active(), at(11)).unwrap();
        assert_eq!(change_period(&dead, later, at(12)), Err(Refusal::Revoked));
    }

    #[test]
    fn deactivating_can_be_undone_with_a_new_period() {
        let off = deactivate(&active(), at(11)).unwrap();
        assert_eq!(deactivate(&off, at(12)), Err(Refusal::AlreadyDeactivated));
        assert_eq!(off.status(at(12)), Status::Deactivated);
        let on = reactivate(&off, period(12, 30), at(12)).unwrap();
        assert_eq!(on.status(at(12)), Status::Active);
        assert_eq!(reactivate(&on, period(12, 30), at(12)), Err(Refusal::NothingToReactivate));
    }

    #[test]
    fn an_expired_key_is_reactivated_only_with_an_end_ahead() {
        assert_eq!(reactivate(&active(), period(10, 24), at(24)), Err(Refusal::EndInThePast));
        let on = reactivate(&active(), period(24, 30), at(24)).unwrap();
        assert_eq!(on.status(at(24)), Status::Active);
    }

    #[test]
    fn revoking_moves_the_end_to_now_and_is_final() {
        let dead = revoke(&active(), at(12)).unwrap();
        assert_eq!(dead.period, period(10, 12));
        assert_eq!(revoke(&dead, at(13)), Err(Refusal::Revoked));
        assert_eq!(reactivate(&dead, period(13, 20), at(13)), Err(Refusal::Revoked));
        assert_eq!(deactivate(&dead, at(13)), Err(Refusal::Revoked));
    }

    #[test]
    fn revoking_before_the_start_or_after_the_end_keeps_the_dates() {
        assert_eq!(revoke(&active(), at(5)).unwrap().period, period(10, 20));
        assert_eq!(revoke(&active(), at(25)).unwrap().period, period(10, 20));
    }

    #[test]
    fn a_rotated_key_ends_with_the_overlap_but_never_later_than_before() {
        let out = |overlap| rotate_out(&active(), overlap, at(15)).unwrap();
        assert_eq!(out(Overlap::Own), active());
        assert_eq!(out(Overlap::Hours(24)).period, period(10, 16));
        assert_eq!(out(Overlap::Hours(24 * 7)).period, period(10, 20));
        assert_eq!(out(Overlap::None).status(at(15)), Status::Deactivated);
    }

    #[test]
    fn only_an_active_key_is_rotated() {
        let refused = Err(Refusal::NothingToRotate);
        assert_eq!(rotate_out(&active(), Overlap::Own, at(9)), refused);
        assert_eq!(rotate_out(&active(), Overlap::Own, at(20)), refused);
    }
}
