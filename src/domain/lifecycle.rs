//! What may happen to a key instance of either kind, and what it is afterwards (DOMAIN.md, "Key
//! groups").
use chrono::{DateTime, TimeDelta, Utc};

use super::{ActivePeriod, Facts, GroupKind, PeriodRules, Refusal, Status, days_after};

/// A new period for an instance that has not ended. An expiry that has passed can no longer be
/// changed (document 000).
pub fn change_period(
    kind: GroupKind,
    facts: &Facts,
    period: ActivePeriod,
    now: DateTime<Utc>,
) -> Result<Facts, Refusal> {
    period.check_years()?;
    match facts.status(now) {
        _ if facts.revoked_at.is_some() => Err(Refusal::Revoked),
        Status::Expired if kind.is_client() => Err(Refusal::SecretEnded),
        Status::Expired => Err(Refusal::Ended),
        Status::Deactivated => Err(Refusal::Deactivated),
        _ if period.has_ended(now) => Err(Refusal::EndInThePast),
        Status::Active | Status::ActiveInTheFuture => Ok(Facts { period, ..*facts }),
    }
}

/// By how much an active period gets longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Behind its own end.
    Days(i64),
    /// To the same end for all.
    Until(DateTime<Utc>),
}

/// A later end for an instance that has not ended, within what the subscription allows. It shortens
/// nothing.
pub fn extend(
    kind: GroupKind,
    facts: &Facts,
    by: Extension,
    rules: &PeriodRules,
    now: DateTime<Utc>,
) -> Result<Facts, Refusal> {
    // What cannot be changed at all says so first.
    change_period(kind, facts, facts.period, now)?;
    let until = facts.period.until().ok_or(Refusal::NeverEnds)?;
    let later = match by {
        Extension::Days(days) => days_after(until, days)?,
        Extension::Until(at) => at,
    };
    if later <= until {
        return Err(Refusal::EndsLater);
    }
    let period = ActivePeriod::new(facts.period.from(), Some(later))?;
    rules.check(&period)?;
    change_period(kind, facts, period, now)
}

/// Out of use, and back by [`reactivate`]. Client secrets are revoked instead.
pub fn deactivate(kind: GroupKind, facts: &Facts, now: DateTime<Utc>) -> Result<Facts, Refusal> {
    match facts.status(now) {
        _ if facts.revoked_at.is_some() => Err(Refusal::Revoked),
        _ if kind.is_client() => Err(Refusal::SecretsAreRevoked),
        Status::Expired => Err(Refusal::Ended),
        Status::Deactivated => Err(Refusal::AlreadyDeactivated),
        Status::Active | Status::ActiveInTheFuture => {
            Ok(Facts { deactivated_at: Some(now), ..*facts })
        }
    }
}

/// A deactivated or expired instance comes back with a new period (document 004). The end of a client
/// secret is final (document 000).
pub fn reactivate(
    kind: GroupKind,
    facts: &Facts,
    period: ActivePeriod,
    now: DateTime<Utc>,
) -> Result<Facts, Refusal> {
    period.check_years()?;
    match facts.status(now) {
        _ if facts.revoked_at.is_some() => Err(Refusal::Revoked),
        Status::Expired | Status::Deactivated if kind.is_client() => Err(Refusal::SecretEnded),
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

    /// Whether a key with this end has ended by itself until then, so that this is [`Overlap::Own`]. `start`:
    /// when both begin to work side by side.
    pub fn is_beyond(self, end: Option<DateTime<Utc>>, start: DateTime<Utc>) -> bool {
        match self {
            Self::Hours(hours) => end.is_some_and(|it| it <= start + TimeDelta::hours(hours)),
            Self::None | Self::Own => false,
        }
    }
}

/// Whether a group of this kind may have one more instance beside these.
pub fn admit<'a>(
    kind: GroupKind,
    others: impl IntoIterator<Item = &'a Facts>,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let counts = |it: &&Facts| it.is_live() && !it.period.has_ended(now);
    let active = others.into_iter().filter(counts).count();
    match kind.most_active() {
        Some(most) if active >= most => Err(Refusal::TwoActiveSecrets),
        _ => Ok(()),
    }
}

/// What a rotation makes of the old instance: it ends with the overlap, never later than it would
/// have. Ending now is a deactivation, so that it can be undone; of a client secret a revocation. The overlap
/// begins with the new instance, whose start is `start`: until then it cannot take over.
pub fn rotate_out(
    kind: GroupKind,
    facts: &Facts,
    (overlap, start): (Overlap, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<Facts, Refusal> {
    let start = start.max(now);
    if facts.status(now) != Status::Active {
        return Err(Refusal::NothingToRotate);
    }
    let hours = match overlap {
        Overlap::Own => return Ok(*facts),
        beyond if beyond.is_beyond(facts.period.until(), start) => return Ok(*facts),
        Overlap::None if kind.is_client() => return revoke(facts, now),
        Overlap::None => return deactivate(kind, facts, now),
        Overlap::Hours(hours) => hours,
    };
    let end = start + TimeDelta::hours(hours);
    change_period(kind, facts, ActivePeriod::new(facts.period.from(), Some(end))?, now)
}

#[cfg(test)]
mod tests {
    use super::{
        GroupKind::{ClientCredentials, Token},
        *,
    };

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
        let changed = change_period(Token, &active(), period(10, 16), at(15)).unwrap();
        assert_eq!(changed.period, period(10, 16));
        let refused = change_period(Token, &active(), period(10, 15), at(15));
        assert_eq!(refused, Err(Refusal::EndInThePast));
    }

    #[test]
    fn the_period_of_an_ended_deactivated_or_revoked_key_does_not_change() {
        let later = period(10, 60);
        assert_eq!(change_period(Token, &active(), later, at(20)), Err(Refusal::Ended));
        let off = deactivate(Token, &active(), at(11)).unwrap();
        assert_eq!(change_period(Token, &off, later, at(12)), Err(Refusal::Deactivated));
        let dead = revoke(&active(), at(11)).unwrap();
        assert_eq!(change_period(Token, &dead, later, at(12)), Err(Refusal::Revoked));
    }

    #[test]
    fn no_period_ends_in_a_year_that_cannot_be_told_also_where_it_gets_shorter() {
        let endless = Facts::new(ActivePeriod::new(at(10), None).unwrap());
        let period = ActivePeriod::new(at(10), Some(at(4_000_000))).unwrap();
        let refused = Err(Refusal::YearOutOfRange);
        assert_eq!(change_period(Token, &endless, period, at(15)), refused);
        let off = deactivate(Token, &endless, at(11)).unwrap();
        assert_eq!(reactivate(Token, &off, period, at(15)), refused);
    }

    const FREE: PeriodRules = PeriodRules { max_lifetime_days: None, never_expires_allowed: true };

    #[test]
    fn an_extension_moves_the_end_and_shortens_nothing() {
        let extend = |by| extend(Token, &active(), by, &FREE, at(15));
        assert_eq!(extend(Extension::Days(30)).unwrap().period, period(10, 50));
        assert_eq!(extend(Extension::Until(at(21))).unwrap().period, period(10, 21));
        for no_later in [20, 16, 12] {
            assert_eq!(extend(Extension::Until(at(no_later))), Err(Refusal::EndsLater));
        }
        assert_eq!(extend(Extension::Days(0)), Err(Refusal::EndsLater));
    }

    #[test]
    fn an_extension_keeps_within_the_longest_lifetime() {
        let rules = PeriodRules { max_lifetime_days: Some(40), never_expires_allowed: false };
        let extend = |days| extend(Token, &active(), Extension::Days(days), &rules, at(15));
        assert_eq!(extend(30).unwrap().period, period(10, 50));
        assert_eq!(extend(31), Err(Refusal::LifetimeTooLong { days: 40 }));
        assert_eq!(extend(i64::MAX), Err(Refusal::YearOutOfRange));
    }

    #[test]
    fn what_has_ended_or_never_ends_is_not_extended() {
        let extend = |kind, it: &Facts, now| extend(kind, it, Extension::Days(30), &FREE, now);
        let endless = Facts::new(ActivePeriod::new(at(10), None).unwrap());
        assert_eq!(extend(Token, &endless, at(15)), Err(Refusal::NeverEnds));
        assert_eq!(extend(Token, &active(), at(20)), Err(Refusal::Ended));
        assert_eq!(extend(ClientCredentials, &active(), at(20)), Err(Refusal::SecretEnded));
        assert!(extend(ClientCredentials, &active(), at(19)).is_ok());
        let off = deactivate(Token, &active(), at(11)).unwrap();
        assert_eq!(extend(Token, &off, at(12)), Err(Refusal::Deactivated));
        let dead = revoke(&active(), at(11)).unwrap();
        assert_eq!(extend(Token, &dead, at(12)), Err(Refusal::Revoked));
        // One that waits may be extended.
        assert_eq!(extend(Token, &active(), at(5)).unwrap().period, period(10, 50));
    }

    #[test]
    fn deactivating_can_be_undone_with_a_new_period() {
        let off = deactivate(Token, &active(), at(11)).unwrap();
        assert_eq!(deactivate(Token, &off, at(12)), Err(Refusal::AlreadyDeactivated));
        assert_eq!(off.status(at(12)), Status::Deactivated);
        let on = reactivate(Token, &off, period(12, 30), at(12)).unwrap();
        assert_eq!(on.status(at(12)), Status::Active);
        assert_eq!(
            reactivate(Token, &on, period(12, 30), at(12)),
            Err(Refusal::NothingToReactivate)
        );
    }

    #[test]
    fn an_expired_key_is_reactivated_only_with_an_end_ahead() {
        assert_eq!(
            reactivate(Token, &active(), period(10, 24), at(24)),
            Err(Refusal::EndInThePast)
        );
        let on = reactivate(Token, &active(), period(24, 30), at(24)).unwrap();
        assert_eq!(on.status(at(24)), Status::Active);
    }

    #[test]
    fn revoking_moves_the_end_to_now_and_is_final() {
        let dead = revoke(&active(), at(12)).unwrap();
        assert_eq!(dead.period, period(10, 12));
        assert_eq!(revoke(&dead, at(13)), Err(Refusal::Revoked));
        assert_eq!(reactivate(Token, &dead, period(13, 20), at(13)), Err(Refusal::Revoked));
        assert_eq!(deactivate(Token, &dead, at(13)), Err(Refusal::Revoked));
    }

    #[test]
    fn revoking_before_the_start_or_after_the_end_keeps_the_dates() {
        assert_eq!(revoke(&active(), at(5)).unwrap().period, period(10, 20));
        assert_eq!(revoke(&active(), at(25)).unwrap().period, period(10, 20));
    }

    #[test]
    fn a_rotated_key_ends_with_the_overlap_but_never_later_than_before() {
        let out = |overlap| rotate_out(Token, &active(), (overlap, at(15)), at(15)).unwrap();
        assert_eq!(out(Overlap::Own), active());
        assert_eq!(out(Overlap::Hours(24)).period, period(10, 16));
        assert_eq!(out(Overlap::Hours(24 * 7)).period, period(10, 20));
        assert_eq!(out(Overlap::None).status(at(15)), Status::Deactivated);
    }

    #[test]
    fn an_overlap_begins_when_the_new_key_does() {
        let out = |from| {
            let overlap = (Overlap::Hours(24), at(from));
            rotate_out(Token, &active(), overlap, at(15)).unwrap().period
        };
        assert_eq!(out(17), period(10, 18));
        assert_eq!(out(12), period(10, 16), "a start in the past is now");
        assert_eq!(out(19), period(10, 20));
        assert_eq!(out(40), period(10, 20), "it ends by itself long before");
    }

    #[test]
    fn only_an_active_key_is_rotated() {
        let refused = Err(Refusal::NothingToRotate);
        assert_eq!(rotate_out(Token, &active(), (Overlap::Own, at(9)), at(9)), refused);
        assert_eq!(rotate_out(Token, &active(), (Overlap::Own, at(20)), at(20)), refused);
    }

    #[test]
    fn a_client_secret_is_neither_deactivated_nor_brought_back() {
        let secret = active();
        let refused = deactivate(ClientCredentials, &secret, at(15));
        assert_eq!(refused, Err(Refusal::SecretsAreRevoked));
        let later = period(10, 60);
        let back = |facts: &Facts| reactivate(ClientCredentials, facts, later, at(25));
        assert_eq!(back(&secret), Err(Refusal::SecretEnded));
        assert_eq!(back(&revoke(&secret, at(15)).unwrap()), Err(Refusal::Revoked));
    }

    #[test]
    fn the_passed_expiry_of_a_client_secret_is_final_and_a_future_one_is_not() {
        let change = |now| change_period(ClientCredentials, &active(), period(10, 60), now);
        assert_eq!(change(at(19)).unwrap().period, period(10, 60));
        assert_eq!(change(at(20)), Err(Refusal::SecretEnded));
    }

    #[test]
    fn at_most_two_client_secrets_are_active_and_only_those_ahead_count() {
        let future = Facts::new(period(30, 40));
        let dead = revoke(&active(), at(12)).unwrap();
        let admitted = |others: &[Facts], now| admit(ClientCredentials, others, now);
        assert_eq!(admitted(&[active(), dead, dead], at(15)), Ok(()));
        assert_eq!(admitted(&[active(), active()], at(15)), Err(Refusal::TwoActiveSecrets));
        assert_eq!(admitted(&[active(), future], at(15)), Err(Refusal::TwoActiveSecrets));
        // Expired ones do not count.
        assert_eq!(admitted(&[active(), active(), future], at(20)), Ok(()));
        assert_eq!(admit(Token, &[active(); 50], at(15)), Ok(()));
    }

    #[test]
    fn a_client_secret_that_is_rotated_without_overlap_is_revoked() {
        let out =
            rotate_out(ClientCredentials, &active(), (Overlap::None, at(15)), at(15)).unwrap();
        assert_eq!(out.revoked_at, Some(at(15)));
        let out =
            rotate_out(ClientCredentials, &active(), (Overlap::Hours(24), at(15)), at(15)).unwrap();
        assert_eq!(out.period, period(10, 16));
    }
}
