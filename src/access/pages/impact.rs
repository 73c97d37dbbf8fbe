//! What an edit changes, as its form shows it before it is saved.
use crate::{
    access::{
        Catalogue,
        impact::{GroupImpact, Impact, Removed},
        pages::{in_words, permission},
    },
    http::{InPlace, form::Fields, words},
    pepper::token_digest,
};

/// Removed first: what hurts.
pub struct ImpactView {
    /// `Applies at once to 7 keys in 3 groups.`
    pub touched: String,
    /// A permission, and how much it was used.
    pub removed: Vec<(String, String)>,
    pub added: Vec<String>,
    pub groups: Vec<GroupLine>,
    pub more: i64,
    /// Sent along with the form: only what was looked at is saved.
    pub seen: String,
    /// Somebody saved without having looked.
    pub look: bool,
}

/// What one key group loses and gains.
pub struct GroupLine {
    pub name: String,
    pub path: String,
    pub lost: Vec<String>,
    pub gained: Vec<String>,
}

impl ImpactView {
    /// `picture`: all that the edit would save.
    pub fn of(it: &InPlace, all: &Catalogue, impact: &Impact, picture: &str) -> Self {
        let keys = words::plural(impact.keys, "key");
        let key_groups = words::plural(impact.key_groups, "key group");
        let calls = |n: i64| match n {
            0 => "no call asked for it by name in 30 days".to_owned(),
            n => format!("{} asked for it in 30 days", words::plural(n, "call")),
        };
        let removed = |it: &Removed| (permission(all, it.place, &it.name), calls(it.calls));
        let line = |group: &GroupImpact| GroupLine {
            name: group.group.name.clone(),
            path: it.path(&format!("/groups/{}/access", group.group.id)),
            lost: in_words(all, &group.lost),
            gained: in_words(all, &group.gained),
        };
        let mut view = Self {
            touched: match impact.key_groups {
                0 => "No key group holds it.".to_owned(),
                _ => format!("Applies at once to {keys} in {key_groups}."),
            },
            removed: impact.removed.iter().map(removed).collect(),
            added: in_words(all, &impact.added),
            groups: impact.groups.iter().map(line).collect(),
            more: impact.more,
            seen: String::new(),
            look: false,
        };
        view.seal(picture);
        view
    }

    /// Whoever sends `seen` has looked at exactly this: what is edited, and what that changes.
    fn seal(&mut self, picture: &str) {
        let removed: Vec<_> = self.removed.iter().map(|it| &it.0).collect();
        let lines: Vec<_> = self.groups.iter().map(|it| (&it.path, &it.lost, &it.gained)).collect();
        let all = (picture, &self.touched, removed, &self.added, lines, self.more);
        self.seen = token_digest(&format!("{all:?}"));
    }

    /// Whether permissions go or come, here or in a workspace.
    pub fn is_change(&self) -> bool {
        let is_change = |it: &GroupLine| !it.lost.is_empty() || !it.gained.is_empty();
        !self.removed.is_empty() || !self.added.is_empty() || self.groups.iter().any(is_change)
    }

    /// Whether the form is to be shown once more instead of saved: because that was asked for, or
    /// because its author has not looked at this. `is_current`: else the save says what is wrong.
    pub fn comes_first(&mut self, form: &Fields, is_current: bool) -> bool {
        let is_check = form.one("act") == "check";
        let was_seen = !self.is_change() || self.seen == form.one("seen");
        self.look = !is_check && !was_seen;
        is_check || (is_current && !was_seen)
    }
}
