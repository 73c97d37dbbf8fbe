//! The settings of a subscription: what its admins decide for its keys.
use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use super::Settings;
use crate::{
    error::{Error, FieldError, Result},
    http::{
        Admin, Errors, Flash, Form, Page, PageError,
        form::Draft,
        page::{Section, refused},
    },
};

#[derive(Template)]
#[template(path = "subscriptions/settings.html")]
struct SettingsPage {
    page: Page,
    name: String,
    slug: String,
    form: SettingsForm,
    path: String,
    notices_path: String,
    permissions_path: String,
    workspaces_path: String,
    has_workspaces: bool,
    errors: Errors,
}

#[derive(Clone, Default, Deserialize)]
pub struct SettingsForm {
    #[serde(default)]
    members_see_keys: String,
    #[serde(default)]
    default_lifetime_days: String,
    #[serde(default)]
    max_lifetime_days: String,
    #[serde(default)]
    never_expires_allowed: String,
    #[serde(default)]
    policy_required: String,
    #[serde(default)]
    rest_keys_only: String,
}

impl SettingsForm {
    fn settings(&self) -> Result<Settings> {
        let mut errors = Vec::new();
        let mut days = |field, text: &str| {
            text.trim().parse::<i32>().unwrap_or_else(|_| {
                errors.push(FieldError::new(field, "Enter a number of days."));
                0
            })
        };
        let default_lifetime_days = days("default_lifetime_days", &self.default_lifetime_days);
        let max_lifetime_days = match self.max_lifetime_days.trim() {
            "" => None,
            text => Some(days("max_lifetime_days", text)),
        };
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        Ok(Settings {
            members_see_keys: !self.members_see_keys.is_empty(),
            default_lifetime_days,
            max_lifetime_days,
            never_expires_allowed: !self.never_expires_allowed.is_empty(),
            policy_required: !self.policy_required.is_empty(),
            rest_keys_only: !self.rest_keys_only.is_empty(),
        })
    }
}

/// `GET /s/{slug}/settings`
pub async fn form(admin: Admin, draft: Draft<SettingsForm>) -> Result<HttpResponse, PageError> {
    let it = admin.scope.subscription();
    let ticked = |is: bool| if is { "on" } else { "" }.to_owned();
    let now = SettingsForm {
        members_see_keys: ticked(it.members_see_keys),
        default_lifetime_days: it.default_lifetime_days.to_string(),
        max_lifetime_days: it.max_lifetime_days.map(|it| it.to_string()).unwrap_or_default(),
        never_expires_allowed: ticked(it.never_expires_allowed),
        policy_required: ticked(it.policy_required),
        rest_keys_only: ticked(it.rest_keys_only),
    };
    show(&admin, draft.0.unwrap_or(now), Errors::none())
}

fn show(admin: &Admin, form: SettingsForm, errors: Errors) -> Result<HttpResponse, PageError> {
    let it = admin.scope.subscription();
    let page = SettingsPage {
        page: Page::within(admin, Section::Settings),
        name: it.name.clone(),
        slug: it.slug.clone(),
        path: admin.path("/settings"),
        notices_path: admin.path("/settings/notices"),
        permissions_path: admin.path("/permissions"),
        workspaces_path: admin.path("/workspaces"),
        has_workspaces: it.workspace_count > 0,
        form,
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST /s/{slug}/settings`
pub async fn save(admin: Admin, form: Form<SettingsForm>) -> Result<HttpResponse, PageError> {
    let saved = match form.settings() {
        Ok(wanted) => super::change_settings(&admin.act(), wanted).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) => {
            let flash = Flash::new("The settings are saved. Keys that exist keep their periods.");
            Ok(flash.then(&admin.me.app, &admin.path("/settings")))
        }
        Err(error) => show(&admin, form.0, Errors::of(error)?),
    }
}
