//! What a key group or a key may do, through what, what it loses without it; and the answer to
//! "may it do that?" and "why was it refused?".
use actix_web::{
    HttpResponse,
    web::{Path, Query},
};
use askama::Template;
use serde::Deserialize;

use super::{
    Link,
    edit::{Choice, effective, place_in_words, workspaces},
    in_words, permission,
    undo::UndoView,
};
use crate::{
    access::{
        self, Catalogue, Held,
        explain::{self, Answer, Subject},
    },
    clock::instant,
    domain::{
        Access, Denial,
        access::{Place, Source},
        permission::is_name,
    },
    error::Result,
    http::{
        InPlace, Page, PageError, Viewer, html,
        page::Section,
        words::{self, Moment},
    },
    key_groups,
    key_instances::{self, KeyInstance, pages::id},
    permissions,
};

#[derive(Default, Deserialize)]
pub struct Question {
    #[serde(default)]
    permission: String,
    #[serde(default)]
    workspace: String,
}

/// A permission, and through what it is held.
struct MayDo {
    name: String,
    description: String,
    through: Vec<String>,
}

/// Something that the group holds.
struct Holding {
    link: Link,
    grants: String,
    /// What goes with it and with nothing else.
    lost: Vec<String>,
}

/// The answer, with its icon and colour.
struct AnswerView {
    class: &'static str,
    icon: &'static str,
    strong: String,
    reasons: Vec<String>,
}

/// The last call that was refused.
struct Refusal {
    key: String,
    at: Moment,
    from: String,
    reason: String,
    text: String,
}

#[derive(Template)]
#[template(path = "access/explain.html")]
struct ExplainPage {
    page: Page,
    /// The group's name, or the key's.
    name: String,
    group_name: String,
    groups_path: String,
    group_path: String,
    /// Of a key; empty for a group.
    key_path: String,
    path: String,
    may_do: Vec<MayDo>,
    holdings: Vec<Holding>,
    question: Question,
    /// Offered while typing.
    known: Vec<String>,
    workspaces: Vec<Choice>,
    answer: Option<AnswerView>,
    refusal: Option<Refusal>,
    undo: Option<UndoView>,
    acts: bool,
}

/// `GET /s/{slug}/groups/{group}/access`
pub async fn of_group(
    viewer: Viewer,
    path: Path<(String, String)>,
    question: Query<Question>,
) -> Result<HttpResponse, PageError> {
    show(&viewer, id(&path.1), None, question.into_inner()).await
}

/// `GET /s/{slug}/groups/{group}/keys/{key}/access`
pub async fn of_key(
    viewer: Viewer,
    path: Path<key_instances::pages::KeyPath>,
    question: Query<Question>,
) -> Result<HttpResponse, PageError> {
    let key = key_instances::find(&viewer.act(), path.ids()).await?;
    show(&viewer, key.key_group_id, Some(key), question.into_inner()).await
}

async fn show(
    it: &InPlace,
    group: uuid::Uuid,
    key: Option<KeyInstance>,
    question: Question,
) -> Result<HttpResponse, PageError> {
    let act = it.act();
    let group = key_groups::find(&act, group).await?;
    let held = access::of_group(&act, group.id).await?;
    let all = Catalogue::load(&act).await?;
    let permissions = permissions::list(&act).await?;
    let group_path = it.path(&format!("/groups/{}", group.id));
    let key_path = key.as_ref().map(|it| format!("{group_path}/keys/{}", it.id));
    let path = format!("{}/access", key_path.as_ref().unwrap_or(&group_path));
    let answer = answer(it, &all, (&held, key.as_ref()), &question);
    let refused = match key.clone() {
        Some(key) => Some(key),
        None => key_instances::refused_last(&act, group.id).await?,
    };
    let refusal = refused.as_ref().and_then(|key| refusal(it, key));
    let edited = (group.id, group.access_version);
    let undo = if key.is_none() { UndoView::of(it, edited, &path).await? } else { None };
    html(&ExplainPage {
        page: Page::within(it, Section::Keys),
        undo,
        name: key.as_ref().map_or_else(|| group.name.clone(), KeyInstance::name),
        groups_path: it.path("/groups"),
        key_path: key_path.unwrap_or_default(),
        may_do: may_do(&all, &held, &permissions),
        holdings: held.sources().map(|source| holding(it, &all, &held, source)).collect(),
        known: permissions.into_iter().map(|it| it.name).collect(),
        workspaces: workspaces(&all, &question.workspace),
        acts: it.role.changes_keys() && key.is_none(),
        group_name: group.name,
        group_path,
        path,
        question,
        answer,
        refusal,
    })
}

fn may_do(all: &Catalogue, held: &Held, known: &[permissions::Permission]) -> Vec<MayDo> {
    let access = all.access(held);
    let mut rows = Vec::new();
    for (place, set) in access.beyond(&Access::default()) {
        for name in set.iter() {
            let description = known.iter().find(|it| it.name == name);
            rows.push(MayDo {
                name: permission(all, place, name),
                description: description.map(|it| it.description.clone()).unwrap_or_default(),
                through: access
                    .why(name, place)
                    .map(|it| through(all, (it.source, it.policy)))
                    .collect(),
            });
        }
    }
    rows
}

/// `policy Read prices`, `user group pricing by policy Read prices`.
fn through(all: &Catalogue, (source, policy): (Source, uuid::Uuid)) -> String {
    let policy = all.name(Source::Policy(policy));
    match source {
        Source::Policy(_) => format!("policy {policy}"),
        Source::UserGroup(_) => format!("user group {} by policy {policy}", all.name(source)),
        Source::Role(_) => format!("workspace role {}", all.name(source)),
    }
}

fn holding(it: &InPlace, all: &Catalogue, held: &Held, source: Source) -> Holding {
    let mut only = Held::default();
    only.add(source);
    Holding {
        link: Link::to(it, all, source),
        grants: words::plural(effective(all, &only).len(), "permission"),
        lost: in_words(all, &explain::lost_without(all, held, source)),
    }
}

fn answer(
    it: &InPlace,
    all: &Catalogue,
    (held, key): (&Held, Option<&KeyInstance>),
    question: &Question,
) -> Option<AnswerView> {
    let asked = question.permission.trim();
    if asked.is_empty() {
        return None;
    }
    if !is_name(asked) {
        return Some(AnswerView {
            class: "bad",
            icon: "triangle-alert",
            strong: format!("{asked} is no permission."),
            reasons: vec!["A permission is written service:action, such as orders:read.".into()],
        });
    }
    let facts = key.map(KeyInstance::facts);
    let suspended = it.scope.subscription().is_suspended();
    let subject = Subject { held, suspended, facts: facts.as_ref() };
    let place = all.asked(&question.workspace);
    let answer = explain::ask(all, &subject, (Some(asked), place), it.me.here.now);
    Some(in_view(all, asked, (place, &question.workspace), &answer))
}

fn in_view(
    all: &Catalogue,
    asked: &str,
    (place, workspace): (Place, &str),
    answer: &Answer,
) -> AnswerView {
    let here = place_in_words(all, place, workspace);
    let mut reasons: Vec<String> =
        answer.why.iter().map(|it| format!("Granted through {}.", through(all, *it))).collect();
    let (class, icon, strong) = match answer.verdict {
        Ok(()) => ("ok", "circle-check", format!("Yes, it may do {asked} {here}.")),
        Err(Denial::InsufficientPermissions) => {
            reasons.push("Nothing that its group holds grants it there.".to_owned());
            for other in &answer.elsewhere {
                let there = place_in_words(all, *other, "");
                let how = match other {
                    Place::Workspace(_) => "the call must name that workspace",
                    _ => "the call must name no workspace, or one that exists",
                };
                reasons.push(format!("It may do it {there}: {how}."));
            }
            let names: Vec<String> =
                answer.would.iter().map(|id| all.name(Source::Policy(*id))).collect();
            if answer.elsewhere.is_empty() {
                reasons.push(match names.is_empty() {
                    true => "No policy grants it at all.".to_owned(),
                    false => format!("It is granted by {}.", words::list(&names)),
                });
            }
            ("bad", "ban", format!("No, it may not do {asked} {here}."))
        }
        Err(denial) => {
            reasons.insert(0, because(denial).to_owned());
            ("bad", "ban", format!("No, every call with it is refused: {}.", denial.code()))
        }
    };
    AnswerView { class, icon, strong, reasons }
}

/// A reason as verification tells it, in words.
fn because(denial: Denial) -> &'static str {
    match denial {
        Denial::Expired => "Its active period has ended.",
        Denial::Revoked => "It was revoked, which is final.",
        Denial::Deactivated => "It is deactivated until somebody reactivates it.",
        Denial::NotYetActive => "Its active period has not begun.",
        Denial::Suspended => "The subscription is suspended, and all its keys with it.",
        Denial::WrongSubscription => "The call named another subscription than the key's own.",
        Denial::InsufficientPermissions => "Its group did not hold the permission asked for.",
        Denial::Unknown => "The key was not known.",
    }
}

fn refusal(it: &InPlace, key: &KeyInstance) -> Option<Refusal> {
    let at = instant(key.last_refused_at?);
    let code = key.last_refused_reason.clone().unwrap_or_default();
    let denial = Denial::ALL.into_iter().find(|it| it.code() == code);
    let mut text = denial.map_or("", because).to_owned();
    if let Some(asked) = &key.last_refused_asked {
        text = format!("{text} It asked for {asked}.");
    }
    Some(Refusal {
        key: key.name(),
        at: it.me.here.relative(at),
        from: key.last_refused_from.clone().unwrap_or_default(),
        reason: code,
        text,
    })
}
