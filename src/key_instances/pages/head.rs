//! The head of a group's page: its facts, and what needs attention in it.
use tokio::try_join;

use super::lanes::{self, Axis, LaneView};
use crate::{
    access,
    clock::instant,
    domain::{GroupKind, access::integration_type, coverage::Run},
    error::Result,
    http::{
        InPlace,
        words::{self, Here, Moment},
    },
    key_groups::{
        KeyGroup,
        pages::{CoverageView, list::AccessTags},
    },
    key_instances::{self, KeyInstance},
    subscriptions::Act,
    verify::usage,
};

/// The head of a group's page.
pub struct GroupHead {
    pub name: String,
    pub kind: GroupKind,
    pub client_id: String,
    /// Of a client, from its roles (document 001).
    pub integration: &'static str,
    /// Two secrets are active, so there is no room for a third.
    pub is_full: bool,
    pub description: String,
    pub contact: String,
    pub path: String,
    pub coverage: CoverageView,
    pub calls: String,
    pub refused: String,
    pub last_used: Option<Moment>,
    pub access: AccessTags,
    /// The subscription demands a policy, and the group has none: it gets no further key.
    pub lacks_policy: bool,
    /// What needs attention: a sentence in bold, one in plain, one button.
    pub notices: Vec<Notice>,
    /// Its keys along time, if one is or will be active.
    pub lanes: Option<GroupLanes>,
}

pub struct GroupLanes {
    pub axis: Axis,
    pub lane: LaneView,
    /// What the drawing means.
    pub text: String,
}

pub struct Notice {
    pub class: &'static str,
    pub icon: &'static str,
    pub strong: String,
    pub text: String,
    pub action: Option<(String, String)>,
}

/// What the page of `group` shows above its list.
pub async fn head(it: &InPlace, act: &Act<'_>, group: &KeyGroup) -> Result<GroupHead> {
    let path = it.path(&format!("/groups/{}", group.id));
    let ids = [group.id];
    let (calls, ahead, mut held) = try_join!(
        usage::of_groups(&act.app.db, ids.to_vec(), act.now),
        key_instances::ahead(act, group.id),
        access::names(act, &ids),
    )?;
    let calls = calls.get(&group.id).copied().unwrap_or_default();
    let all = calls.accepted + calls.refused;
    let share = calls.refused as f64 * 100.0 / all.max(1) as f64;
    let kind = group.kind();
    let notices = notices(it, group, &ahead, &path);
    let held = held.remove(&group.id).unwrap_or_default();
    let integration = integration_type(held.role_policies.iter().map(String::as_str));
    let access = AccessTags::of(held, 3);
    let coverage = CoverageView::of(group, &it.me.here);
    Ok(GroupHead {
        lanes: lanes(group, &ahead, &coverage, &it.me.here),
        lacks_policy: it.scope.subscription().policy_required && access.policy.is_empty(),
        name: group.name.clone(),
        client_id: group.client_id.clone(),
        integration,
        is_full: kind.most_active().is_some_and(|most| ahead.len() >= most),
        kind,
        description: group.description.clone(),
        contact: group.contact.clone(),
        coverage,
        calls: words::count(calls.accepted),
        refused: match calls.refused {
            0 => String::new(),
            refused => format!("{} refused ({share:.2}%)", words::count(refused)),
        },
        last_used: group.last_used().map(|at| it.me.here.relative(at)),
        access,
        notices,
        path,
    })
}

fn lanes(
    group: &KeyGroup,
    ahead: &[KeyInstance],
    coverage: &CoverageView,
    here: &Here,
) -> Option<GroupLanes> {
    if ahead.is_empty() {
        return None;
    }
    let text = match (group.run(), lanes::overlap(group, ahead, here)) {
        (Run::Gap { until, next }, _) => format!(
            "Nothing is active from {} to {}: calls fail.",
            here.minute(until).text,
            here.minute(next).text
        ),
        (Run::Nothing { .. }, _) => format!("{}, {}.", coverage.text, coverage.detail),
        (_, Some(overlap)) => format!("{}, with an overlap of {overlap}.", coverage.text),
        (Run::Covered { .. } | Run::RunsOut { .. }, None) => {
            format!("{}. No key takes over with an overlap yet.", coverage.text)
        }
        (Run::Forever, None) => "One of the keys has no end.".to_owned(),
    };
    let lane = LaneView::alone(group, ahead, coverage, here);
    Some(GroupLanes { axis: Axis::of(&lanes::window(here), here), lane, text })
}

/// One notice for each instance that warns, with the rule that fired and what follows; or that
/// nothing is active.
fn notices(it: &InPlace, group: &KeyGroup, ahead: &[KeyInstance], path: &str) -> Vec<Notice> {
    let (here, acts) = (&it.me.here, it.role.changes_keys());
    let mut notices = Vec::new();
    let (noun, make) = match group.kind() {
        GroupKind::Token => ("key", "New API key"),
        GroupKind::ClientCredentials => ("secret", "Create secret"),
    };
    if group.nothing_active {
        let next = group.next_start.map(|at| here.minute(instant(at)).text);
        let is_new = group.last_label == 0;
        notices.push(Notice {
            class: if is_new { "soon" } else { "bad" },
            icon: if is_new { "key-round" } else { "triangle-alert" },
            strong: match is_new {
                true => format!("It has no {noun} yet."),
                false => format!("No {noun} is active."),
            },
            text: next.map_or_else(
                || "Every call of this group is refused.".to_owned(),
                |at| format!("The next one starts {at}."),
            ),
            action: acts.then(|| (make.to_owned(), format!("{path}/keys/new"))),
        });
    }
    let warning = |it| -> Option<_> {
        let it: &KeyInstance = it;
        Some((it, it.warning(here.now)?, it.facts().period.until()?))
    };
    for (key, warning, until) in ahead.iter().filter_map(warning).take(3) {
        let (name, time) = (key.name(), here.relative(until).text);
        let rotate = (format!("Rotate {name}"), format!("{path}/keys/{}/rotation", key.id));
        // Where a successor is there already, a third key would help nobody.
        let (text, action) = match key_instances::successor(key, ahead) {
            Some(next) if next.facts().period.from() <= here.now => {
                (format!("Its successor {} is active already.", next.name()), None)
            }
            Some(next) => {
                let start = here.minute(next.facts().period.from()).text;
                let earlier = format!("{path}/keys/{}/period", next.id);
                let label = format!("Start {} earlier", next.name());
                (format!("Its successor {} starts {start}.", next.name()), Some((label, earlier)))
            }
            None => ("It has no successor.".to_owned(), Some(rotate)),
        };
        // Behind a successor, "it" would be that one.
        let rule = warning.rule.sentence().replacen("It ", &format!("{name} "), 1);
        notices.push(Notice {
            class: "soon",
            icon: "hourglass",
            strong: format!("{name} expires {time}."),
            text: format!("{text} {rule}"),
            action: action.filter(|_| acts),
        });
    }
    notices
}
