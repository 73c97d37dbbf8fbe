//! One key: its facts with exact times, its use, and what happened to it.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use tokio::try_join;
use uuid::Uuid;

use super::{
    KeyPath,
    ending::Fact,
    rotation::{self, RotationView},
    row::KeyRow,
};
use crate::{
    audit,
    clock::instant,
    error::Result,
    http::{
        Page, PageError, Viewer, html,
        page::Section,
        words::{self, Moment},
    },
    key_groups,
    key_instances::{self, Exposure, How},
    users,
    verify::usage,
};

#[derive(Template)]
#[template(path = "key_instances/detail.html")]
struct DetailPage {
    page: Page,
    row: KeyRow,
    group_name: String,
    group_path: String,
    groups_path: String,
    is_custom: bool,
    noun: &'static str,
    from: Moment,
    until: Option<Moment>,
    created: Moment,
    deactivated: Option<Moment>,
    revoked: Option<Moment>,
    saved: Option<Moment>,
    saved_by: String,
    last_used: Option<Moment>,
    last_used_agent: String,
    last_refused: Option<Moment>,
    last_refused_from: String,
    last_refused_reason: String,
    calls_day: String,
    refused_day: String,
    /// Of a key with a successor: how far its rotation has come, and whether it may go.
    rotation: Option<(RotationView, Fact)>,
    /// Who knows the secret, how, and since when.
    known: Vec<(String, &'static str, Moment)>,
    /// What was done, by whom, when; for those who may read the audit log.
    history: Vec<(String, String, Moment)>,
}

/// `GET /s/{slug}/groups/{group}/keys/{key}`
pub async fn show(viewer: Viewer, path: Path<KeyPath>) -> Result<HttpResponse, PageError> {
    let (act, here) = (viewer.act(), &viewer.me.here);
    let key = key_instances::find(&act, path.ids()).await?;
    let group = key_groups::find(&act, key.key_group_id).await?;
    let group_path = viewer.path(&format!("/groups/{}", group.id));
    let key_path = format!("{group_path}/keys/{}", key.id);
    let mut row = KeyRow::of(&key, group.kind(), key_path, here, viewer.role.changes_keys());
    let (exposures, calls, ahead, history) = try_join!(
        key_instances::exposures_of(&act, key.id),
        usage::last_day(&act.app.db, vec![key.id], act.now),
        key_instances::ahead(&act, group.id),
        history(&viewer, key.id),
    )?;
    let people = exposures.iter().map(|it| it.user_id).chain([key.created_by]);
    let names = users::names(&act.app.db, people.collect()).await?;
    row.created_by = names.get(&key.created_by).cloned().unwrap_or_default();
    row.menu.retain(|it| it.path != row.path);
    let calls = calls.get(&key.id).copied().unwrap_or_default();
    let known = |it: &Exposure| {
        let name = names.get(&it.user_id).cloned().unwrap_or_default();
        let how = How::parse(&it.how).map_or("", How::in_words);
        (name, how, here.minute(instant(it.at)))
    };
    let known = exposures.iter().map(known).collect();
    let rotation = rotation::of(&viewer, &act, &key, &ahead).await?;
    let rotation = rotation.map(|it| {
        let verdict = it.verdict("revoke", here);
        (it, verdict)
    });
    let exact = |at: Option<i64>| at.map(|it| here.minute(instant(it)));
    let relative = |at: Option<i64>| at.map(|it| here.relative(instant(it)));
    let period = key.facts().period;
    html(&DetailPage {
        page: Page::within(&viewer, Section::Keys),
        noun: super::noun(group.kind()),
        group_name: group.name,
        group_path,
        groups_path: viewer.path("/groups"),
        is_custom: key.custom,
        from: here.minute(period.from()),
        until: period.until().map(|it| here.minute(it)),
        created: here.minute(instant(key.created_at)),
        deactivated: exact(key.deactivated_at),
        revoked: exact(key.revoked_at),
        saved: exact(key.saved_at),
        saved_by: key.saved_by.clone().unwrap_or_default(),
        last_used: relative(key.last_used_at),
        last_used_agent: key.last_used_agent.clone().unwrap_or_default(),
        last_refused: relative(key.last_refused_at),
        last_refused_from: key.last_refused_from.clone().unwrap_or_default(),
        last_refused_reason: key.last_refused_reason.clone().unwrap_or_default(),
        calls_day: words::count(calls.accepted),
        refused_day: words::count(calls.refused),
        rotation,
        known,
        history,
        row,
    })
}

/// The last that was done to a key, for those who may know.
async fn history(viewer: &Viewer, key: Uuid) -> Result<Vec<(String, String, Moment)>> {
    if !viewer.role.reads_audit() {
        return Ok(Vec::new());
    }
    let (act, here) = (viewer.act(), &viewer.me.here);
    let filter = audit::Filter { object: Some(key), ..Default::default() };
    let listing = audit::list(&act.app.db, act.scope.id(), &filter, 20).await?;
    let line = |it: audit::Record| {
        (audit::pages::in_words(&it.action), it.actor, here.minute(instant(it.at)))
    };
    Ok(listing.rows.into_iter().map(line).collect())
}
