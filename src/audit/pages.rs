//! The audit log as people read it: filters in the URL, before and after, the same as CSV.
use actix_web::{HttpResponse, web::Query};
use askama::Template;
use chrono::DateTime;
use serde::Deserialize;
use uuid::Uuid;

use super::{Filter, INSTALLATION, Record};
use crate::{
    clock::{instant, iso},
    error::{Error, Result},
    http::{
        AuditReader, Owner, Page, PageError, SignedIn, download, html, listing,
        page::Section,
        words::{Here, Moment},
    },
};

const PAGE: u64 = 50;

#[derive(Clone, Debug, Default, Deserialize)]
pub struct AuditQuery {
    #[serde(default)]
    actor: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    object: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    before: String,
}

impl AuditQuery {
    fn filter(&self, me: &SignedIn) -> Result<Filter> {
        let wrong = || Error::Malformed("The log cannot be filtered like that. Clear the filters.");
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let id = |text: &str| {
            given(text).map(|it| Uuid::try_parse(&it).map_err(|_| wrong())).transpose()
        };
        let day = |text: &str| {
            given(text).map(|it| me.here.day_bounds(&it).ok_or_else(wrong)).transpose()
        };
        let before = given(&self.before).map(|it| it.parse().map_err(|_| wrong())).transpose()?;
        Ok(Filter {
            actor: id(&self.actor)?,
            action: given(&self.action),
            object: id(&self.object)?,
            since: day(&self.since)?.map(|it| it.0),
            until: day(&self.until)?.map(|it| it.1),
            before,
        })
    }

    /// The log at `path` with one field changed, from its newest row on unless that is the field.
    fn address(&self, path: &str, change: (&str, &str)) -> String {
        let fields = [
            ("actor", self.actor.as_str()),
            ("action", &self.action),
            ("object", &self.object),
            ("since", &self.since),
            ("until", &self.until),
            ("before", ""),
        ];
        listing::address(path, &fields, change)
    }
}

/// Every action that is recorded, and how it reads.
pub const ACTIONS: [(&str, &str); 65] = [
    ("key_group.created", "Key group created"),
    ("key_group.edited", "Key group edited"),
    ("key_group.deleted", "Key group deleted"),
    ("personal_key.issued", "Personal key issued"),
    ("personal_key.saved", "Personal key confirmed as saved"),
    ("personal_key.deleted", "Personal key deleted"),
    ("key_instance.created", "Key created"),
    ("key_instance.saved", "Key confirmed as saved"),
    ("key_instance.rotated", "Key rotated out"),
    ("key_instance.replaced", "Key replaced"),
    ("key_instance.period_changed", "Active period changed"),
    ("key_instance.note_changed", "Note of a key changed"),
    ("key_instance.deactivated", "Key deactivated"),
    ("key_instance.reactivated", "Key reactivated"),
    ("key_instance.revoked", "Key revoked"),
    ("key_instance.searched_by_key", "Searched by whole key"),
    ("key_group.access_changed", "Access changed"),
    ("policy.created", "Policy created"),
    ("policy.edited", "Policy edited"),
    ("policy.deleted", "Policy deleted"),
    ("user_group.created", "User group created"),
    ("user_group.edited", "User group edited"),
    ("user_group.deleted", "User group deleted"),
    ("workspace.created", "Workspace created"),
    ("workspace.edited", "Workspace edited"),
    ("workspace.deleted", "Workspace deleted"),
    ("workspace_role.created", "Workspace role created"),
    ("workspace_role.deleted", "Workspace role deleted"),
    ("permissions.declared", "Permissions declared"),
    ("access.edit_undone", "Edit of access undone"),
    ("member.invited", "Member invited"),
    ("member.invitation_withdrawn", "Invitation withdrawn"),
    ("member.joined", "Member joined"),
    ("member.role_changed", "Role changed"),
    ("member.removed", "Member removed"),
    ("subscription.created", "Subscription created"),
    ("subscription.renamed", "Subscription renamed"),
    ("subscription.suspended", "Subscription suspended"),
    ("subscription.resumed", "Suspension lifted"),
    ("subscription.settings_changed", "Settings changed"),
    ("automation_token.created", "Automation token created"),
    ("automation_token.revoked", "Automation token revoked"),
    ("calendar_feed.made", "Calendar feed made"),
    ("calendar_feed.reset", "Calendar feed reset"),
    ("calendar_feed.removed", "Calendar feed removed"),
    ("webhook.created", "Webhook created"),
    ("webhook.deleted", "Webhook deleted"),
    ("webhook.paused", "Webhook paused"),
    ("webhook.resumed", "Webhook resumed"),
    ("webhook.secret_changed", "Webhook secret changed"),
    ("webhook.tested", "Webhook tested"),
    ("webhook.sent_again", "Webhook delivery sent again"),
    ("authn.login_success", "Signed in"),
    ("authn.login_fail", "Sign-in failed"),
    ("authn.login_throttled", "Sign-in turned away"),
    ("authn.password_confirmed", "Password confirmed"),
    ("authn.logout", "Signed out"),
    ("session.ended", "Session ended elsewhere"),
    ("authz.fail", "Refused"),
    ("list.exported", "List exported"),
    ("user.created", "User created"),
    ("user.renamed", "User renamed"),
    ("user.password_changed", "Password changed"),
    ("owner.added", "Owner added"),
    ("owner.removed", "Ownership ended"),
];

/// An action as people read it.
pub fn in_words(action: &str) -> String {
    ACTIONS.iter().find(|it| it.0 == action).map_or(action, |it| it.1).to_owned()
}

pub struct AuditRow {
    pub at: Moment,
    pub actor: String,
    /// Narrows to this actor, object; empty for none.
    pub by_actor: String,
    pub by_object: String,
    pub action: String,
    pub refused: bool,
    pub object: String,
    pub from: String,
    pub agent: String,
    pub request_id: String,
    /// Field, before, after.
    pub changes: Vec<(String, String, String)>,
    pub id: i64,
}

struct Choice {
    value: &'static str,
    label: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "audit/list.html")]
struct AuditPage {
    page: Page,
    title: &'static str,
    path: String,
    rows: Vec<AuditRow>,
    query: AuditQuery,
    actions: Vec<Choice>,
    chips: Vec<(String, String)>,
    csv: String,
    next: Option<String>,
    zone: String,
}

/// `GET /s/{slug}/audit`
pub async fn of_subscription(
    reader: AuditReader,
    query: Query<AuditQuery>,
) -> Result<HttpResponse, PageError> {
    let page = Page::within(&reader, Section::Audit);
    let path = reader.path("/audit");
    show(&reader.me, page, reader.scope.id(), path, query.into_inner()).await
}

/// `GET /audit`
pub async fn of_installation(
    owner: Owner,
    query: Query<AuditQuery>,
) -> Result<HttpResponse, PageError> {
    let page = Page::of(&owner, Section::Audit);
    show(&owner, page, INSTALLATION, "/audit".to_owned(), query.into_inner()).await
}

async fn show(
    me: &SignedIn,
    page: Page,
    scope: Uuid,
    path: String,
    query: AuditQuery,
) -> Result<HttpResponse, PageError> {
    let filter = query.filter(me)?;
    let listing = super::list(&me.app.db, scope, &filter, PAGE).await?;
    let rows = listing.rows.iter().map(|it| row(it, me, &path, &query)).collect();
    let next = listing.next.map(|it| query.address(&path, ("before", &it.to_string())));
    let choice = |it: &(&'static str, &'static str)| Choice {
        value: it.0,
        label: it.1,
        chosen: it.0 == query.action,
    };
    html(&AuditPage {
        page,
        title: if scope == INSTALLATION { "Audit log of the installation" } else { "Audit log" },
        rows,
        actions: ACTIONS.iter().map(choice).collect(),
        chips: chips(&query, &path, &listing.rows),
        csv: query.address(&format!("{path}.csv"), ("", "")),
        next,
        zone: me.here.zone.to_string(),
        query,
        path,
    })
}

fn chips(query: &AuditQuery, path: &str, rows: &[Record]) -> Vec<(String, String)> {
    let first = |text: fn(&Record) -> &String| rows.first().map(text).cloned().unwrap_or_default();
    let labels = [
        ("actor", &query.actor, format!("By {}", first(|it| &it.actor))),
        ("action", &query.action, in_words(&query.action)),
        ("object", &query.object, format!("On {}", first(|it| &it.object))),
        ("since", &query.since, format!("Since {}", query.since)),
        ("until", &query.until, format!("Until {}", query.until)),
    ];
    let set = labels.into_iter().filter(|it| !it.1.is_empty());
    set.map(|(field, _, label)| (label, query.address(path, (field, "")))).collect()
}

fn row(it: &Record, me: &SignedIn, path: &str, query: &AuditQuery) -> AuditRow {
    let narrowed = |field, id: Option<Uuid>| {
        id.map(|it| query.address(path, (field, &it.to_string()))).unwrap_or_default()
    };
    AuditRow {
        at: me.here.minute(instant(it.at)),
        actor: it.actor.clone(),
        by_actor: narrowed("actor", it.actor_id),
        by_object: narrowed("object", it.object_id),
        action: in_words(&it.action),
        refused: it.outcome == "refused",
        object: it.object.clone(),
        from: it.from_address.clone(),
        agent: it.user_agent.clone(),
        request_id: it.request_id.clone(),
        changes: changes((&it.before, &it.after), &me.here),
        id: it.seq,
    }
}

/// The fields that differ, in the order of the JSON; instants as on other pages.
fn changes((before, after): (&str, &str), here: &Here) -> Vec<(String, String, String)> {
    let map = |text: &str| -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_str(text).unwrap_or_default()
    };
    let (before, after) = (map(before), map(after));
    let raw = |it: Option<&serde_json::Value>| match it {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let shown = |it: &str| match DateTime::parse_from_rfc3339(it) {
        Ok(at) => here.second(at.to_utc()),
        Err(_) => it.to_owned(),
    };
    let mut names: Vec<&String> = before.keys().collect();
    names.extend(after.keys().filter(|it| !before.contains_key(*it)));
    let differs = |it: &&&String| before.get(**it) != after.get(**it);
    let change = |it: &String| {
        let (before, after) = (raw(before.get(it)), raw(after.get(it)));
        let name = it.replace('_', " ");
        match (shown(&before), shown(&after)) {
            // Within one second.
            (one, other) if one == other => (name, before, after),
            (one, other) => (name, one, other),
        }
    };
    let is_said = |it: &(String, String, String)| !it.1.is_empty() || !it.2.is_empty();
    names.iter().filter(differs).map(|it| change(it)).filter(is_said).collect()
}

/// `GET /s/{slug}/audit.csv`
pub async fn csv_of_subscription(
    reader: AuditReader,
    query: Query<AuditQuery>,
) -> Result<HttpResponse, PageError> {
    let name = format!("{}-audit.csv", reader.scope.subscription().slug);
    csv(&reader.me, reader.scope.id(), &query, &name).await
}

/// `GET /audit.csv`
pub async fn csv_of_installation(
    owner: Owner,
    query: Query<AuditQuery>,
) -> Result<HttpResponse, PageError> {
    csv(&owner, INSTALLATION, &query, "installation-audit.csv").await
}

async fn csv(
    me: &SignedIn,
    scope: Uuid,
    query: &AuditQuery,
    name: &str,
) -> Result<HttpResponse, PageError> {
    let filter = Filter { before: None, ..query.filter(me)? };
    let listing = super::list(&me.app.db, scope, &filter, download::MOST_ROWS).await?;
    download::must_end(listing.next.as_ref())?;
    super::exported(&me.app, scope, &me.actor(), ("audit log", listing.rows.len())).await?;
    let row = |it: &Record| {
        vec![
            it.seq.to_string(),
            iso(instant(it.at)),
            it.actor.clone(),
            it.action.clone(),
            it.outcome.clone(),
            it.object_kind.clone(),
            it.object.clone(),
            it.object_id.map(|it| it.to_string()).unwrap_or_default(),
            it.from_address.clone(),
            it.user_agent.clone(),
            it.request_id.clone(),
            it.before.clone(),
            it.after.clone(),
        ]
    };
    let rows: Vec<_> = listing.rows.iter().map(row).collect();
    let header = [
        "number",
        "at",
        "actor",
        "action",
        "outcome",
        "object_kind",
        "object",
        "object_id",
        "from",
        "user_agent",
        "request_id",
        "before",
        "after",
    ];
    Ok(download::csv(name, &header, &rows)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        let here = Here { now: DateTime::UNIX_EPOCH, zone: chrono_tz::Tz::Europe__Berlin };
        let before = r#"{"name":"a","note":null,"x":1,"from":"2026-12-03T10:30:27.123Z"}"#;
        let after = r#"{"name":"b","note":null,"y":[2],"from":null,"until":null,"reason":""}"#;
        let told = changes((before, after), &here);
        let from = "3 Dec 2026 11:30:27 CET";
        let expected = [("name", "a", "b"), ("x", "1", ""), ("from", from, ""), ("y", "", "[2]")];
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(told, expected);
    }
}
