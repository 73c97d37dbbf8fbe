//! What happened: every status, every warning band, a gap, an overlap, a group that ended while its
//! callers went on. Times are hours from now.

#[derive(Debug)]
pub(super) enum Step {
    /// A key that starts at the step's own instant. The first of a group makes the group.
    Key {
        group: &'static str,
        label: i32,
        until: Option<i64>,
        note: &'static str,
        own: Option<&'static str>,
    },
    /// A key that starts later than it is made.
    Later {
        group: &'static str,
        label: i32,
        from: i64,
        until: i64,
        note: &'static str,
    },
    Saved {
        group: &'static str,
        label: i32,
    },
    Deactivate {
        group: &'static str,
        label: i32,
    },
    Revoke {
        group: &'static str,
        label: i32,
    },
    /// The new key gets the next label and lives so many days.
    Rotate {
        group: &'static str,
        label: i32,
        days: i64,
    },
}
use Step::*;

const DAY: i64 = 24;

const fn key(group: &'static str, label: i32, until: i64, note: &'static str) -> Step {
    Key { group, label, until: Some(until), note, own: None }
}

const fn later(
    group: &'static str,
    label: i32,
    (from, until): (i64, i64),
    note: &'static str,
) -> Step {
    Later { group, label, from, until, note }
}

const fn saved(group: &'static str, label: i32) -> Step {
    Saved { group, label }
}

/// Names and descriptions.
pub(super) const GROUPS: &[(&str, &str)] = &[
    ("payments-gateway", "Card and direct-debit callbacks"),
    ("claims-intake", "Portal uploads and FNOL"),
    ("quote-engine", "Rating calls from web and broker desk"),
    ("ci-regression", "Nightly model regression, 7-day keys"),
    ("broker-api", "External brokers"),
    ("policy-portal", "Customer self-service"),
    ("data-warehouse-sync", "Hourly extract"),
    ("mobile-bff", "iOS and Android back end"),
    ("reporting-nightly", "Finance reports"),
    ("storm-import", "One-off load of a weather feed, keys of a day"),
    ("load-test", "Keys of three days"),
    ("partner-trial", "Trial access of a partner, two weeks"),
    ("actuary-notebooks", "Monthly keys of the actuaries"),
    ("archive-reader", "Yearly key of the archive"),
    ("fraud-scoring", "Scores claims as they come in"),
    ("legacy-export", "Switched off, kept for the record"),
    ("webhook-relay", "Its callers have not moved to the new key"),
    ("tax-forms", "Between two keys"),
];

pub(super) const STEPS: &[(i64, Step)] = &[
    (-88 * DAY, key("payments-gateway", 1, 2 * DAY, "Callback workers")),
    (-88 * DAY, saved("payments-gateway", 1)),
    (-83 * DAY, key("claims-intake", 1, 7 * DAY, "Portal")),
    (-83 * DAY, saved("claims-intake", 1)),
    (-2 * DAY, later("claims-intake", 2, (10 * DAY, 100 * DAY), "Portal, next")),
    (-2 * DAY, saved("claims-intake", 2)),
    (-265 * DAY, key("quote-engine", 1, -175 * DAY, "January rotation")),
    (-265 * DAY, saved("quote-engine", 1)),
    (-232 * DAY, key("quote-engine", 2, -142 * DAY, "Pasted in a ticket")),
    (-232 * DAY, saved("quote-engine", 2)),
    (-159 * DAY, Deactivate { group: "quote-engine", label: 2 }),
    (-175 * DAY, key("quote-engine", 3, -85 * DAY, "April rotation")),
    (-175 * DAY, saved("quote-engine", 3)),
    (
        -172 * DAY,
        Key {
            group: "quote-engine",
            label: 4,
            until: Some(193 * DAY),
            note: "Broker desk, own key",
            own: Some("brk-7Qm2xVt9-Lw4pRz8n-Hc6s"),
        },
    ),
    (-172 * DAY, saved("quote-engine", 4)),
    (-85 * DAY, key("quote-engine", 5, 5 * DAY, "July rotation")),
    (-85 * DAY, saved("quote-engine", 5)),
    (-50 * DAY, key("quote-engine", 6, 40 * DAY, "Load test")),
    (-50 * DAY, saved("quote-engine", 6)),
    (-2 * DAY, later("quote-engine", 7, (3 * DAY, 93 * DAY), "October rotation")),
    (-2 * DAY, saved("quote-engine", 7)),
    (-11 * DAY, key("ci-regression", 1, -4 * DAY, "")),
    (-11 * DAY, saved("ci-regression", 1)),
    (-4 * DAY - 2, key("ci-regression", 2, 3 * DAY - 2, "")),
    (-4 * DAY - 2, saved("ci-regression", 2)),
    (-62 * DAY, key("broker-api", 1, 28 * DAY, "")),
    (-62 * DAY, saved("broker-api", 1)),
    (-DAY, later("broker-api", 2, (21 * DAY, 111 * DAY), "")),
    (-DAY, saved("broker-api", 2)),
    (-160 * DAY, key("policy-portal", 1, -70 * DAY, "")),
    (-160 * DAY, saved("policy-portal", 1)),
    (-100 * DAY, Deactivate { group: "policy-portal", label: 1 }),
    (-100 * DAY, key("policy-portal", 2, 55 * DAY, "")),
    (-100 * DAY, saved("policy-portal", 2)),
    (-170 * DAY, key("data-warehouse-sync", 1, 195 * DAY, "")),
    (-170 * DAY, saved("data-warehouse-sync", 1)),
    (
        -300 * DAY,
        Key { group: "mobile-bff", label: 1, until: None, note: "Both stores", own: None },
    ),
    (-300 * DAY, saved("mobile-bff", 1)),
    (-130 * DAY, key("mobile-bff", 2, 235 * DAY, "Tablet app, given up")),
    (-130 * DAY, saved("mobile-bff", 2)),
    (-98 * DAY, key("reporting-nightly", 1, -8 * DAY, "")),
    (-98 * DAY, saved("reporting-nightly", 1)),
    (-3, key("storm-import", 1, 21, "")),
    (-3, saved("storm-import", 1)),
    (-30, key("load-test", 1, 42, "")),
    (-30, saved("load-test", 1)),
    (-10 * DAY, key("partner-trial", 1, 4 * DAY, "Trial of Contoso")),
    (-10 * DAY, saved("partner-trial", 1)),
    (-24 * DAY, key("actuary-notebooks", 1, 6 * DAY, "November")),
    (-24 * DAY, saved("actuary-notebooks", 1)),
    (-5 * DAY, Rotate { group: "actuary-notebooks", label: 1, days: 30 }),
    (-5 * DAY, saved("actuary-notebooks", 2)),
    (-340 * DAY, key("archive-reader", 1, 25 * DAY, "")),
    (-340 * DAY, saved("archive-reader", 1)),
    (-40 * DAY, key("fraud-scoring", 1, 50 * DAY, "")),
    (-40 * DAY, saved("fraud-scoring", 1)),
    (-12 * DAY, key("fraud-scoring", 2, 78 * DAY, "Leaked in a log")),
    (-12 * DAY, saved("fraud-scoring", 2)),
    (-11 * DAY, Revoke { group: "fraud-scoring", label: 2 }),
    (-2, key("fraud-scoring", 3, 88 * DAY, "Shown to nobody yet")),
    (-380 * DAY, key("legacy-export", 1, -15 * DAY, "")),
    (-380 * DAY, saved("legacy-export", 1)),
    (-60 * DAY, key("webhook-relay", 1, 30, "Old host")),
    (-60 * DAY, saved("webhook-relay", 1)),
    (-6 * DAY, key("webhook-relay", 2, 74 * DAY, "New host")),
    (-6 * DAY, saved("webhook-relay", 2)),
    (-91 * DAY, key("tax-forms", 1, -DAY, "")),
    (-91 * DAY, saved("tax-forms", 1)),
    (-3 * DAY, later("tax-forms", 2, (2 * DAY, 62 * DAY), "")),
    (-3 * DAY, saved("tax-forms", 2)),
];

pub(super) const LAB_GROUPS: &[(&str, &str)] =
    &[("experiments", "Throw-away experiments"), ("bench-rig", "The measuring rig")];

pub(super) const LAB_STEPS: &[(i64, Step)] = &[
    (-20 * DAY, key("experiments", 1, 70 * DAY, "")),
    (-20 * DAY, saved("experiments", 1)),
    (-3 * DAY, key("bench-rig", 1, 362 * DAY, "")),
    (-3 * DAY, saved("bench-rig", 1)),
];

/// Calls of a key on each of the last days, the last one so many seconds ago.
pub(super) struct Calls {
    pub(super) group: &'static str,
    pub(super) label: i32,
    pub(super) per_day: i64,
    pub(super) days: i64,
    pub(super) last_seconds: i64,
    pub(super) from: [u8; 4],
    pub(super) refused: bool,
    /// The permission that they ask for.
    pub(super) asked: Option<&'static str>,
}

const fn asking(calls: Calls, permission: &'static str) -> Calls {
    Calls { asked: Some(permission), ..calls }
}

const fn calls(
    group: &'static str,
    label: i32,
    (per_day, days, last_seconds): (i64, i64, i64),
    from: [u8; 4],
) -> Calls {
    Calls { group, label, per_day, days, last_seconds, from, refused: false, asked: None }
}

const HOUR: i64 = 3_600;

pub(super) const CALLS: &[Calls] = &[
    asking(calls("payments-gateway", 1, (613, 30, 40), [10, 4, 1, 20]), "claims:settle"),
    calls("claims-intake", 1, (1_367, 30, 120), [10, 4, 1, 31]),
    asking(calls("quote-engine", 5, (42_810, 30, 12), [10, 4, 1, 8]), "pricing:quote"),
    calls("quote-engine", 6, (310, 30, 3 * HOUR), [10, 4, 9, 2]),
    calls("quote-engine", 4, (12, 1, 27 * 24 * HOUR), [192, 0, 2, 44]),
    calls("ci-regression", 2, (1_530, 4, 9 * HOUR), [10, 4, 7, 5]),
    asking(calls("broker-api", 1, (3_248, 30, 60), [203, 0, 113, 70]), "claims:submit"),
    asking(calls("policy-portal", 2, (5_133, 30, 5), [10, 4, 1, 12]), "pricing:quote"),
    asking(
        calls("data-warehouse-sync", 1, (24, 30, 31 * 60), [10, 4, 6, 3]),
        "pricing:tables:read",
    ),
    calls("mobile-bff", 1, (2_954, 30, 3), [10, 4, 1, 40]),
    calls("reporting-nightly", 1, (48, 1, 8 * 24 * HOUR + HOUR), [10, 4, 2, 17]),
    Calls {
        group: "reporting-nightly",
        label: 1,
        per_day: 27,
        days: 8,
        last_seconds: 360,
        from: [10, 4, 2, 17],
        refused: true,
        asked: None,
    },
    calls("storm-import", 1, (960, 1, 90), [10, 4, 3, 9]),
    calls("load-test", 1, (70_400, 1, 20 * 60), [10, 4, 9, 2]),
    calls("partner-trial", 1, (85, 9, 2 * HOUR), [198, 51, 100, 23]),
    calls("actuary-notebooks", 1, (40, 20, 26 * HOUR), [10, 4, 8, 11]),
    calls("actuary-notebooks", 2, (220, 4, HOUR), [10, 4, 8, 11]),
    calls("archive-reader", 1, (3, 1, 45 * 24 * HOUR), [10, 4, 5, 2]),
    calls("fraud-scoring", 1, (8_800, 30, 2), [10, 4, 1, 77]),
    calls("webhook-relay", 1, (860, 30, 20), [198, 51, 100, 7]),
    calls("webhook-relay", 2, (410, 6, 35), [198, 51, 100, 8]),
    calls("tax-forms", 1, (2, 1, 40 * 24 * HOUR), [10, 4, 5, 9]),
    calls("experiments", 1, (14, 12, 5 * HOUR), [10, 9, 0, 4]),
];
