//! Asks before something is deleted that key groups hold: they merely lose what they had through it,
//! and the page says which of them lose what.
use askama::Template;
use serde::Deserialize;

use crate::{
    access::{Catalogue, impact, pages::in_words},
    domain::{Permissions, access::Source},
    error::Result,
    http::{Errors, InPlace, Page, page::Section, words},
};

/// A key group, and what it loses.
pub struct Loser {
    pub name: String,
    pub path: String,
    pub lost: Vec<String>,
}

/// Asks before something is deleted that key groups hold.
#[derive(Template)]
#[template(path = "access/delete.html")]
pub struct DeletePage {
    pub page: Page,
    pub title: String,
    pub text: String,
    pub losers: Vec<Loser>,
    pub more: i64,
    pub version: i32,
    pub button: String,
    pub path: String,
    pub back: String,
    pub errors: Errors,
}

impl DeletePage {
    /// Without any of `sources`, which disappear together.
    pub async fn of(it: &InPlace, section: Section, sources: &[Source]) -> Result<Self> {
        let act = it.act();
        let all = Catalogue::load(&act).await?;
        let without = sources.iter().fold(all.clone(), |all, source| all.without(*source));
        let none = Permissions::default();
        let impact = impact::shared(&act, (&all, &without), sources, (&none, &none)).await?;
        let loser = |group: &impact::GroupImpact| Loser {
            name: group.group.name.clone(),
            path: it.path(&format!("/groups/{}/access", group.group.id)),
            lost: in_words(&all, &group.lost),
        };
        let text = match impact.key_groups {
            0 => "No key group has anything through it. This cannot be undone.".to_owned(),
            n => {
                let keys = words::plural(impact.keys, "key");
                let groups = words::plural(n, "key group");
                format!(
                    "{groups} with {keys} lose what they have through it alone, at once. No key is deleted. This cannot be undone."
                )
            }
        };
        Ok(Self {
            page: Page::within(it, section),
            title: String::new(),
            text,
            losers: impact.groups.iter().map(loser).collect(),
            more: impact.more,
            version: 0,
            button: String::new(),
            path: String::new(),
            back: String::new(),
            errors: Errors::none(),
        })
    }
}

#[derive(Deserialize)]
pub struct DeleteForm {
    #[serde(default)]
    pub version: i32,
}
