//! The tokens of a subscription. Dialogs are drawn over it.
use actix_web::HttpResponse;
use askama::Template;
use chrono::{DateTime, Utc};

use crate::{
    automation_tokens::{self, AutomationToken},
    clock::instant,
    error::Result,
    http::{Admin, Page, PageError, html, page::Section, words::Moment},
    users,
};

pub struct TokenRow {
    pub name: String,
    pub mask: String,
    pub scopes: Vec<&'static str>,
    pub made: Moment,
    pub by: String,
    pub last_used: Option<Moment>,
    pub last_used_from: String,
    pub ends: Moment,
    pub state: State,
    pub revocation: String,
    /// For one that ends soon: the form for the token that takes its place.
    pub replacement: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Live,
    EndsSoon,
    Ended,
    Revoked,
}

impl State {
    fn of(it: &AutomationToken, others: &[AutomationToken], now: DateTime<Utc>) -> Self {
        match () {
            () if it.revoked_at.is_some() => Self::Revoked,
            () if !it.is_live(now) => Self::Ended,
            () if automation_tokens::ends_soon(it, others, now) => Self::EndsSoon,
            () => Self::Live,
        }
    }

    pub fn class(self) -> &'static str {
        match self {
            Self::Live => "active",
            Self::EndsSoon => "soon",
            Self::Ended | Self::Revoked => "expired",
        }
    }

    pub fn icon(self) -> &'static str {
        match self {
            Self::Live => "circle-check",
            Self::EndsSoon => "hourglass",
            Self::Ended | Self::Revoked => "calendar-x-2",
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Live => "Active",
            Self::EndsSoon => "Expires soon",
            Self::Ended => "Expired",
            Self::Revoked => "Revoked",
        }
    }

    pub fn is_live(self) -> bool {
        matches!(self, Self::Live | Self::EndsSoon)
    }
}

/// Everything that the template of the list shows.
pub struct TokenList {
    pub rows: Vec<TokenRow>,
    pub new: String,
    pub settings_path: String,
    pub curl: String,
}

#[derive(Template)]
#[template(path = "automation_tokens/list.html")]
struct ListPage {
    page: Page,
    list: TokenList,
}

/// `GET /s/{slug}/settings/tokens`
pub async fn list(admin: Admin) -> Result<HttpResponse, PageError> {
    let list = view(&admin).await?;
    html(&ListPage { page: Page::within(&admin, Section::Settings), list })
}

/// The list, as dialogs show it behind themselves: what opens something before what has ended.
pub async fn view(admin: &Admin) -> Result<TokenList> {
    let act = admin.act();
    let mut tokens = automation_tokens::list(&act).await?;
    tokens.sort_by_key(|it| !it.is_live(act.now));
    let names = users::names(&act.app.db, tokens.iter().map(|it| it.created_by).collect()).await?;
    let here = &admin.me.here;
    let state = |it: &AutomationToken| State::of(it, &tokens, here.now);
    let row = |it: &AutomationToken| TokenRow {
        scopes: it.scopes().iter().map(|it| it.as_str()).collect(),
        made: here.relative(instant(it.created_at)),
        by: names.get(&it.created_by).cloned().unwrap_or_default(),
        last_used: it.last_used_at.map(|at| here.relative(instant(at))),
        // Its end, which a revocation has brought forward.
        ends: here.day(it.revoked_at.map_or(it.ends(), instant)),
        state: state(it),
        replacement: (state(it) == State::EndsSoon)
            .then(|| admin.path(&format!("/settings/tokens/new?like={}", it.id))),
        revocation: admin.path(&format!("/settings/tokens/{}/revocation", it.id)),
        last_used_from: it.last_used_from.clone().unwrap_or_default(),
        name: it.name.clone(),
        mask: it.mask.clone(),
    };
    Ok(TokenList {
        rows: tokens.iter().map(row).collect(),
        new: admin.path("/settings/tokens/new"),
        settings_path: admin.path("/settings"),
        curl: format!(
            "curl -H \"Authorization: Bearer $KEYWARD_TOKEN\" {}",
            act.app.site.url("/api/v1/instances")
        ),
    })
}
