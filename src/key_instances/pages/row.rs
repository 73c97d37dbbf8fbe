//! One instance as lists show it.
use crate::{
    clock::instant,
    domain::{GroupKind, Status, Warning},
    http::words::{Here, Moment},
    key_instances::KeyInstance,
};

/// Colour, icon and word of a status: never colour alone.
pub struct Badge {
    pub class: &'static str,
    pub icon: &'static str,
    pub text: &'static str,
    /// Why it warns, in a sentence; empty if it does not.
    pub why: String,
}

impl Badge {
    pub fn of(it: &KeyInstance, here: &Here) -> Self {
        let warning = it.warning(here.now);
        let (class, icon, text) = match it.status(here.now) {
            _ if it.is_revoked() => ("expired", "calendar-x-2", "Revoked"),
            Status::Active if warning.is_some() => ("soon", "hourglass", "Expires soon"),
            Status::Active => ("active", "circle-check", "Active"),
            Status::ActiveInTheFuture => ("future", "calendar-clock", "Active in the future"),
            Status::Expired => ("expired", "calendar-x-2", "Expired"),
            Status::Deactivated => ("off", "ban", "Deactivated"),
        };
        let why = |it: Warning| it.rule.sentence();
        Self { class, icon, text, why: warning.map(why).unwrap_or_default() }
    }
}

/// One line of a key's menu.
pub struct MenuItem {
    pub label: &'static str,
    pub icon: &'static str,
    pub path: String,
    pub danger: bool,
    /// A button that acts at once instead of a link to a dialog.
    pub acts: bool,
}

pub struct KeyRow {
    pub name: String,
    pub note: String,
    pub path: String,
    /// Name of the group, on lists that span groups.
    pub group: Option<String>,
    pub badge: Badge,
    pub mask: String,
    pub from: Moment,
    pub until: Option<Moment>,
    /// `5 days left`
    pub standing: String,
    /// How much of the period has passed: `62.5%`.
    pub passed: String,
    pub last_used: Option<Moment>,
    pub last_used_from: String,
    pub created: Moment,
    pub created_by: String,
    /// Its id, where it can be chosen for an act on many.
    pub pick: Option<String>,
    /// Shown, but nobody confirmed to have it: the path of its replacement.
    pub unsaved: Option<String>,
    pub menu: Vec<MenuItem>,
}

impl KeyRow {
    /// `path`: of the key. `acts`: whether the viewer may change it.
    pub fn of(it: &KeyInstance, kind: GroupKind, path: String, here: &Here, acts: bool) -> Self {
        let period = it.facts().period;
        Self {
            name: it.name(),
            note: it.note.clone(),
            group: None,
            badge: Badge::of(it, here),
            mask: it.mask.clone(),
            from: here.day(period.from()),
            until: period.until().map(|it| here.day(it)),
            standing: super::standing(it, here),
            passed: passed(it, here),
            last_used: it.last_used().map(|it| here.relative(it)),
            last_used_from: it.last_used_from.clone().unwrap_or_default(),
            created: here.relative(instant(it.created_at)),
            created_by: String::new(),
            pick: (acts && is_live(it, here)).then(|| it.id.simple().to_string()),
            unsaved: (it.is_replaceable(here.now) && acts).then(|| format!("{path}/replacement")),
            menu: if acts { menu(it, kind, &path, here) } else { Vec::new() },
            path,
        }
    }
}

/// What can be done with a key now.
pub fn menu(it: &KeyInstance, kind: GroupKind, path: &str, here: &Here) -> Vec<MenuItem> {
    let item = |label, icon, rest: &str, danger| MenuItem {
        label,
        icon,
        path: format!("{path}{rest}"),
        danger,
        acts: false,
    };
    let activity = item("Details and activity", "activity", "", false);
    let may = item("May it do that?", "shield-check", "/access", false);
    let note = item("Edit note…", "pencil", "/note", false);
    let revoke = item("Revoke…", "shield-alert", "/revocation", true);
    let is_active = it.status(here.now) == Status::Active;
    let mut items = match it.status(here.now) {
        _ if it.is_revoked() => return vec![activity, may, note],
        Status::Active | Status::ActiveInTheFuture => {
            let rotate = is_active.then(|| item("Rotate…", "rotate-cw", "/rotation", false));
            let replace = it.is_replaceable(here.now);
            let replace = replace.then(|| item("Replace…", "rotate-ccw", "/replacement", false));
            let edit = match kind {
                GroupKind::Token => item("Edit active period…", "pencil", "/period", false),
                GroupKind::ClientCredentials => {
                    let edit = item("Set expiry…", "pencil", "/period", false);
                    let all = [rotate, Some(edit), replace, Some(activity), Some(may), Some(note)];
                    return all.into_iter().flatten().chain([revoke]).collect();
                }
            };
            let start = (!is_active).then(|| {
                let query = form_urlencoded::Serializer::new(String::new())
                    .append_pair("from", &here.input(here.this_minute()))
                    .finish();
                item("Activate now…", "power", &format!("/period?{query}"), false)
            });
            let mut off = item("Deactivate…", "power-off", "/deactivation", true);
            // Unused and reversible: one click, then a flash with Undo.
            off.acts = !is_in_use(it, here);
            if off.acts {
                off.label = "Deactivate";
            }
            let all = [rotate, start, Some(edit), replace, Some(activity), Some(may), Some(note)];
            all.into_iter().flatten().chain([off]).collect()
        }
        // The end of a client secret is final.
        Status::Expired | Status::Deactivated if kind.is_client() => {
            return vec![activity, may, note];
        }
        Status::Expired | Status::Deactivated => {
            vec![item("Reactivate…", "power", "/reactivation", false), activity, may, note]
        }
    };
    items.push(revoke);
    items
}

/// There is something that an act on many can do to it.
fn is_live(it: &KeyInstance, here: &Here) -> bool {
    matches!(it.status(here.now), Status::Active | Status::ActiveInTheFuture)
}

/// A call was accepted within the last day: acts that stop it ask twice.
pub fn is_in_use(it: &KeyInstance, here: &Here) -> bool {
    it.last_used().is_some_and(|at| here.now - at < chrono::TimeDelta::hours(24))
}

fn passed(it: &KeyInstance, here: &Here) -> String {
    let period = it.facts().period;
    let stopped = it.revoked_at.or(it.deactivated_at).map_or(here.now, instant);
    let share = match period.duration() {
        _ if stopped <= period.from() => 0.0,
        None => 0.0,
        Some(all) => {
            let part = (stopped - period.from()).num_milliseconds() as f64;
            (part / all.num_milliseconds().max(1) as f64).clamp(0.0, 1.0)
        }
    };
    format!("{:.2}%", share * 100.0)
}
