//! The members of a subscription, and who is invited. Dialogs are drawn over it.
use actix_web::HttpResponse;
use askama::Template;

use crate::{
    clock::instant,
    domain::Role,
    error::Result,
    http::{
        InPlace, Page, PageError, Viewer, html,
        page::Section,
        words::{self, Moment},
    },
    members::{self, Invitation, Member},
    users,
};

pub struct MemberRow {
    pub name: String,
    pub email: String,
    pub role: &'static str,
    pub is_you: bool,
    pub joined: Moment,
    pub last_sign_in: Option<Moment>,
    /// Of the member; its acts are below it.
    pub path: String,
    /// The keys that the member knows.
    pub keys: String,
}

pub struct InvitationRow {
    pub email: String,
    pub role: &'static str,
    pub by: String,
    pub until: Moment,
    pub path: String,
}

/// Somebody who was removed and knows keys that still work.
pub struct FormerRow {
    pub name: String,
    pub email: String,
    pub keys: String,
    pub path: String,
}

/// Everything that the template of the list shows.
pub struct MemberList {
    pub rows: Vec<MemberRow>,
    pub invitations: Vec<InvitationRow>,
    pub former: Vec<FormerRow>,
    pub acts: bool,
    pub invite: String,
}

#[derive(Template)]
#[template(path = "members/list.html")]
struct ListPage {
    page: Page,
    list: MemberList,
}

/// `GET /s/{slug}/members`
pub async fn list(viewer: Viewer) -> Result<HttpResponse, PageError> {
    let list = view(&viewer).await?;
    html(&ListPage { page: Page::within(&viewer, Section::Members), list })
}

/// The list, as dialogs show it behind themselves.
pub async fn view(it: &InPlace) -> Result<MemberList> {
    let act = it.act();
    let acts = it.role.changes_keys();
    let rows = members::list(&act).await?;
    let open = members::open_invitations(&act).await?;
    let inviters = open.iter().map(|it| it.invited_by).collect();
    let names = users::names(&act.app.db, inviters).await?;
    let invitation = |row: &Invitation| InvitationRow {
        email: row.email.clone(),
        role: Role::parse(&row.role).map_or("", Role::title),
        by: names.get(&row.invited_by).cloned().unwrap_or_default(),
        until: it.me.here.relative(instant(row.expires_at)),
        path: it.path(&format!("/invitations/{}", row.id)),
    };
    let former = if acts { members::former(&act).await? } else { Vec::new() };
    let former = former.into_iter().map(|row| FormerRow {
        keys: words::plural(row.keys, "key"),
        path: keys_path(it, row.user.id),
        name: row.user.name,
        email: row.user.email,
    });
    Ok(MemberList {
        rows: rows.iter().map(|row| member(it, row)).collect(),
        invitations: open.iter().map(invitation).collect(),
        former: former.collect(),
        acts,
        invite: it.path("/invitations/new"),
    })
}

fn member(it: &InPlace, row: &Member) -> MemberRow {
    let (here, user) = (&it.me.here, &row.user);
    MemberRow {
        name: user.name.clone(),
        email: user.email.clone(),
        role: row.role.title(),
        is_you: user.id == it.me.user.id,
        joined: here.day(row.since),
        last_sign_in: user.last_sign_in_at.map(|at| here.relative(instant(at))),
        path: it.path(&format!("/members/{}", user.id)),
        keys: keys_path(it, user.id),
    }
}

/// The keys that a person knows.
pub fn keys_path(it: &InPlace, user: uuid::Uuid) -> String {
    it.path(&format!("/keys?known_to={user}"))
}
