//! The fields for an active period: a preset, or dates in the viewer's zone.
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    domain::{ActivePeriod, PeriodRules, Refusal},
    error::{Error, FieldError, Result},
    http::words::{self, Here},
    subscriptions::Subscription,
};

/// As posted: every form with a period has these three fields.
#[derive(Clone, Debug, Default)]
pub struct PeriodFields {
    /// A number of days, `never` or `dates`.
    pub preset: String,
    pub from: String,
    pub until: String,
    /// From when a number of days counts, if not from the start: of a key that is there already it is that much more.
    pub base: Option<DateTime<Utc>>,
    /// The period that a form shows to the minute: what is left as it was stays exactly that.
    pub kept: Option<ActivePeriod>,
}

impl PeriodFields {
    /// As they were filled in. Whoever types another end than was offered beside a preset wants that one: a
    /// script chooses `dates` then, and not every browser runs it.
    pub fn typed(preset: &str, from: &str, until: &str, offered: &str) -> Self {
        let [preset, from, until] = [preset, from, until].map(str::to_owned);
        Self { preset: chosen_preset(preset, &until, offered), from, until, base: None, kept: None }
    }

    /// From now on, for the subscription's default lifetime.
    pub fn suggested(here: &Here, subscription: &Subscription) -> Self {
        let from = here.this_minute();
        let days = subscription.default_lifetime_days;
        Self {
            preset: days.to_string(),
            from: here.input(from),
            until: here.input(from + TimeDelta::days(days.into())),
            base: None,
            kept: None,
        }
    }

    /// A period that is there already, as a form shows it.
    pub fn of(period: ActivePeriod, here: &Here) -> Self {
        Self { kept: Some(period), ..Self::written(&period, |at| here.input(at)) }
    }

    /// The same for fields that nobody sees.
    pub fn exactly(period: &ActivePeriod, here: &Here) -> Self {
        Self::written(period, |at| here.exact_input(at))
    }

    fn written(period: &ActivePeriod, text: impl Fn(DateTime<Utc>) -> String) -> Self {
        Self {
            preset: if period.until().is_none() { "never" } else { "dates" }.to_owned(),
            from: text(period.from()),
            until: period.until().map(text).unwrap_or_default(),
            base: None,
            kept: None,
        }
    }

    pub fn read(&self, here: &Here) -> Result<ActivePeriod> {
        let mut errors = Vec::new();
        let mut date = |field, text: &str, kept: Option<DateTime<Utc>>| {
            let kept = kept.filter(|it| here.input(*it) == text.trim());
            let read = kept.map_or_else(|| here.parse_input(text), Ok);
            read.map_err(|message| errors.push(FieldError::new(field, message))).ok()
        };
        let from = match self.from.trim() {
            "" if self.preset != "dates" => Some(here.now),
            text => date("from", text, self.kept.map(|it| it.from())),
        };
        let until = match (self.preset.as_str(), self.preset.parse::<i64>()) {
            ("never", _) => None,
            (_, Ok(days @ 1..=3_650)) => self.base.or(from).map(|it| it + TimeDelta::days(days)),
            ("dates" | "", _) => date("until", &self.until, self.kept.and_then(|it| it.until())),
            _ => {
                errors.push(FieldError::new("until", "Choose for how long the key is active."));
                None
            }
        };
        let Some(from) = from.filter(|_| errors.is_empty()) else {
            return Err(Error::Invalid(errors));
        };
        let ends_before = |it: Refusal| {
            Error::field("until", format!("{it} It starts {}.", here.minute(from).text))
        };
        ActivePeriod::new(from, until).map_err(ends_before)
    }
}

/// The preset, unless another end than was `offered` is typed beside it.
pub fn chosen_preset(preset: String, until: &str, offered: &str) -> String {
    let is_days = preset.parse::<i64>().is_ok();
    let is_another = !until.is_empty() && !offered.is_empty() && until != offered;
    if is_days && is_another { "dates".to_owned() } else { preset }
}

/// One choice of "Active for".
pub struct Preset {
    pub value: String,
    pub label: String,
    pub checked: bool,
}

/// The same where days are added to a period that lasts `so_far`: those that may be.
pub fn extensions(chosen: &str, subscription: &Subscription, so_far: TimeDelta) -> Vec<Preset> {
    let most = subscription.period_rules().max_lifetime_days.map(|it| TimeDelta::days(it.into()));
    let more = |it: Preset| match it.value.parse() {
        Ok(days) if most.is_some_and(|most| so_far + TimeDelta::days(days) > most) => None,
        Ok(_) => Some(Preset { label: format!("+{}", it.label), ..it }),
        Err(_) => Some(it),
    };
    presets(chosen, subscription).into_iter().filter_map(more).collect()
}

/// What the subscription allows, the chosen one marked.
pub fn presets(chosen: &str, subscription: &Subscription) -> Vec<Preset> {
    let rules: PeriodRules = subscription.period_rules();
    let mut days = vec![7, 30, 90, 365];
    days.push(subscription.default_lifetime_days);
    days.sort_unstable();
    days.dedup();
    days.retain(|it| rules.max_lifetime_days.is_none_or(|max| *it <= max));
    let label = |days: i32| match days {
        365 => "1 year".to_owned(),
        _ => words::plural(days, "day"),
    };
    let mut presets: Vec<_> = days.iter().map(|it| (it.to_string(), label(*it))).collect();
    if rules.never_expires_allowed && rules.max_lifetime_days.is_none() {
        presets.push(("never".to_owned(), "No end".to_owned()));
    }
    presets.push(("dates".to_owned(), "Choose dates".to_owned()));
    let view = |(value, label): (String, String)| Preset { checked: value == chosen, value, label };
    presets.into_iter().map(view).collect()
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    fn here() -> Here {
        Here { now: "2026-11-20T10:30:40Z".parse().unwrap(), zone: Tz::Europe__Berlin }
    }

    fn read(preset: &str, from: &str, until: &str) -> Result<ActivePeriod> {
        let [preset, from, until] = [preset, from, until].map(str::to_owned);
        PeriodFields { preset, from, until, ..Default::default() }.read(&here())
    }

    #[test]
    fn a_preset_counts_from_the_start() {
        let period = read("30", "2026-12-01T00:00", "ignored").unwrap();
        assert_eq!(
            period.from(),
            "2026-11-30T23:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap()
        );
        assert_eq!(period.duration(), Some(TimeDelta::days(30)));
        assert_eq!(read("never", "2026-12-01T00:00", "").unwrap().until(), None);
    }

    #[test]
    fn what_is_left_as_it_was_keeps_its_seconds_and_what_is_typed_has_none() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        // In the hour that comes twice: the second of the two.
        let (from, until) = (at("2026-10-25T01:30:27.123Z"), at("2026-12-24T10:00:05.004Z"));
        let period = ActivePeriod::new(from, Some(until)).unwrap();
        let shown = PeriodFields::of(period, &here());
        assert_eq!((&*shown.from, &*shown.until), ("2026-10-25T02:30", "2026-12-24T11:00"));
        assert_eq!(shown.read(&here()).unwrap(), period);
        let later = PeriodFields { until: "2026-12-24T11:01".to_owned(), ..shown.clone() };
        let later = later.read(&here()).unwrap();
        assert_eq!((later.from(), later.until()), (from, Some(at("2026-12-24T10:01:00Z"))));
        let hidden = PeriodFields::exactly(&period, &here());
        assert_eq!(hidden.read(&here()).unwrap().until(), Some(until));
    }

    #[test]
    fn an_end_that_is_typed_beside_a_preset_counts() {
        let chosen = |preset, until, offered| {
            PeriodFields::typed(preset, "2026-12-01T00:00", until, offered).preset
        };
        let offered = "2026-12-31T00:00";
        assert_eq!(chosen("30", offered, offered), "30");
        assert_eq!(chosen("30", "2026-12-02T00:00", offered), "dates");
        assert_eq!(chosen("30", "", offered), "30");
        assert_eq!(chosen("never", "2026-12-02T00:00", offered), "never");
        // What programs post offers nothing.
        assert_eq!(chosen("30", "2026-12-02T00:00", ""), "30");
    }

    #[test]
    fn dates_need_both_ends_in_the_right_order() {
        assert!(read("dates", "2026-12-01T00:00", "2026-12-02T00:00").is_ok());
        for (from, until, field) in [
            ("", "2026-12-02T00:00", "from"),
            ("2026-12-01T00:00", "", "until"),
            ("2026-12-01T00:00", "2026-12-01T00:00", "until"),
            ("2026-12-01T00:00", "1826-12-01T00:00", "until"),
        ] {
            let Err(Error::Invalid(fields)) = read("dates", from, until) else { panic!("{from}") };
            assert_eq!(fields[0].field, field, "{from} {until}");
        }
    }

    #[test]
    fn a_preset_of_nobody_is_refused() {
        for preset in ["0", "-5", "99999999999", "soon"] {
            assert!(read(preset, "2026-12-01T00:00", "").is_err(), "{preset}");
        }
    }
}
