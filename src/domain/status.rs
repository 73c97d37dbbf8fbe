//! What a key instance is at an instant, computed from stored facts.
use chrono::{DateTime, Utc};

use super::{ActivePeriod, Denial, Warning, warning};

/// The only things about a key instance's life that are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    pub period: ActivePeriod,
    pub deactivated_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Document 004, "API key status".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    ActiveInTheFuture,
    Expired,
    Deactivated,
}

impl Facts {
    pub fn new(period: ActivePeriod) -> Self {
        Self { period, deactivated_at: None, revoked_at: None }
    }

    /// DOMAIN.md "Active period and status", in the table's order.
    pub fn status(&self, now: DateTime<Utc>) -> Status {
        if self.revoked_at.is_some() {
            Status::Expired
        } else if self.deactivated_at.is_some() {
            Status::Deactivated
        } else if self.period.has_ended(now) {
            Status::Expired
        } else if now < self.period.from() {
            Status::ActiveInTheFuture
        } else {
            Status::Active
        }
    }

    /// Neither revoked nor deactivated: the period alone decides.
    pub fn is_live(&self) -> bool {
        self.revoked_at.is_none() && self.deactivated_at.is_none()
    }

    /// Whether a presented key is good by its own facts. A revocation denies by itself,
    /// whatever a skewed clock says.
    pub fn accept(&self, now: DateTime<Utc>) -> Result<(), Denial> {
        if self.revoked_at.is_some() {
            Err(Denial::Revoked)
        } else if self.deactivated_at.is_some() {
            Err(Denial::Deactivated)
        } else if self.period.has_ended(now) {
            Err(Denial::Expired)
        } else if now < self.period.from() {
            Err(Denial::NotYetActive)
        } else {
            Ok(())
        }
    }

    /// The yellow warning, if it shows at `now`.
    pub fn warning(&self, now: DateTime<Utc>) -> Option<Warning> {
        // Of most keys nothing needs to be computed.
        self.period.until().filter(|it| *it - now <= warning::EARLIEST)?;
        warning::of(&self.period)
            .filter(|it| self.status(now) == Status::Active && it.starts <= now)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn facts() -> Facts {
        Facts::new(ActivePeriod::new(at(10), Some(at(20))).unwrap())
    }

    #[test]
    fn the_status_follows_the_period_with_both_edges() {
        let ms = TimeDelta::milliseconds(1);
        let statuses = [at(10) - ms, at(10), at(20) - ms, at(20)].map(|now| facts().status(now));
        use Status::*;
        assert_eq!(statuses, [ActiveInTheFuture, Active, Active, Expired]);
    }

    #[test]
    fn deactivated_stays_deactivated_after_the_end() {
        let off = Facts { deactivated_at: Some(at(12)), ..facts() };
        assert_eq!(off.status(at(11)), Status::Deactivated);
        assert_eq!(off.status(at(30)), Status::Deactivated);
        assert_eq!(off.accept(at(15)), Err(Denial::Deactivated));
    }

    #[test]
    fn a_revocation_denies_by_itself_even_if_the_clock_says_it_lies_ahead() {
        let revoked = Facts { revoked_at: Some(at(15)), ..facts() };
        assert_eq!(revoked.status(at(11)), Status::Expired);
        assert_eq!(revoked.accept(at(11)), Err(Denial::Revoked));
    }

    #[test]
    fn accepted_exactly_while_active() {
        for day in 0..40 {
            for (off, revoked) in [(false, false), (true, false), (false, true), (true, true)] {
                let facts = Facts {
                    deactivated_at: off.then(|| at(12)),
                    revoked_at: revoked.then(|| at(12)),
                    ..facts()
                };
                let accepted = facts.accept(at(day)).is_ok();
                assert_eq!(accepted, facts.status(at(day)) == Status::Active);
            }
        }
    }
}
