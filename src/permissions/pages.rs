//! What services declare: the list, and the form of one service.
use std::collections::BTreeMap;

use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;

use super::{Changes, Declaration, Permission};
use crate::{
    error::{Error, Result},
    http::{
        Admin, Errors, Flash, Form, Page, PageError, Viewer,
        form::Draft,
        html,
        page::{Section, refused},
        words,
    },
    permissions, policies,
};

/// The permissions of one service, each with a tick: whether a policy has it.
pub struct ServiceView {
    pub service: String,
    /// Ours: nobody declares it.
    pub is_own: bool,
    pub permissions: Vec<PermissionView>,
}

pub struct PermissionView {
    pub name: String,
    pub description: String,
    pub is_declared: bool,
    pub chosen: bool,
}

/// By service, in order.
pub fn by_service(all: &[Permission], chosen: impl Fn(&str) -> bool) -> Vec<ServiceView> {
    let services = all.chunk_by(|a, b| a.service == b.service);
    let one = |it: &Permission| PermissionView {
        name: it.name.clone(),
        description: it.description.clone(),
        is_declared: it.is_declared(),
        chosen: chosen(&it.name),
    };
    services
        .map(|rows| ServiceView {
            service: rows[0].service.clone(),
            is_own: rows[0].is_own(),
            permissions: rows.iter().map(one).collect(),
        })
        .collect()
}

#[derive(Template)]
#[template(path = "permissions/list.html")]
struct ListPage {
    page: Page,
    services: Vec<ServiceView>,
    /// By permission: how many policies hold it.
    held: BTreeMap<String, i64>,
    path: String,
    slug: String,
    acts: bool,
}

impl ListPage {
    fn held(&self, name: &str) -> String {
        match self.held.get(name) {
            None => "no policy".to_owned(),
            Some(1) => "1 policy".to_owned(),
            Some(n) => format!("{} policies", words::count(*n)),
        }
    }
}

/// Whether no service has declared anything.
pub fn is_bare(services: &[ServiceView]) -> bool {
    services.iter().all(|it| it.is_own)
}

/// `GET /s/{slug}/permissions`
pub async fn list(viewer: Viewer) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let mut held: BTreeMap<String, i64> = BTreeMap::new();
    for policy in policies::all(&act).await? {
        for name in policy.set().iter() {
            *held.entry(name.to_owned()).or_default() += 1;
        }
    }
    html(&ListPage {
        page: Page::within(&viewer, Section::Permissions),
        services: by_service(&permissions::list(&act).await?, |_| true),
        held,
        path: viewer.path("/permissions"),
        slug: viewer.scope.subscription().slug.clone(),
        acts: viewer.role.changes_keys(),
    })
}

#[derive(Clone, Default, Deserialize)]
pub struct DeclareForm {
    #[serde(default)]
    service: String,
    /// One action a line, and behind a space its description.
    #[serde(default)]
    actions: String,
    /// What was declared when the form was shown.
    #[serde(default)]
    seen: String,
}

impl DeclareForm {
    /// What is known already is called as it is.
    fn declaration(&self, known: &[Permission]) -> Result<Declaration> {
        let mut actions = BTreeMap::new();
        for line in self.actions.lines().map(str::trim).filter(|it| !it.is_empty()) {
            let (action, description) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            // Whoever pastes whole permissions means these.
            let whole = format!("{}:", self.service.trim());
            let is_known = known.iter().any(|it| it.action() == action);
            let action = action.strip_prefix(&whole).filter(|_| !is_known).unwrap_or(action);
            if actions.insert(action.to_owned(), description.trim().to_owned()).is_some() {
                return Err(Error::field("actions", format!("{action} is there twice.")));
            }
        }
        Ok(Declaration { service: self.service.clone(), actions })
    }

    fn of(service: &str, rows: &[Permission]) -> Self {
        let line =
            |it: &Permission| format!("{} {}", it.action(), it.description).trim().to_owned();
        let lines: Vec<_> = rows.iter().map(line).collect();
        let seen = permissions::picture(rows);
        Self { service: service.to_owned(), actions: lines.join("\n"), seen }
    }
}

#[derive(Template)]
#[template(path = "permissions/form.html")]
struct FormPage {
    page: Page,
    is_new: bool,
    form: DeclareForm,
    path: String,
    back: String,
    errors: Errors,
}

fn show(
    admin: &Admin,
    service: Option<&str>,
    form: DeclareForm,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let back = admin.path("/permissions");
    let page = FormPage {
        page: Page::within(admin, Section::Permissions),
        is_new: service.is_none(),
        form,
        path: service.map_or(format!("{back}/new"), |it| format!("{back}/{it}/edit")),
        back,
        errors,
    };
    refused(&page, &page.errors)
}

/// `GET /s/{slug}/permissions/new`
pub async fn new_form(admin: Admin, draft: Draft<DeclareForm>) -> Result<HttpResponse, PageError> {
    show(&admin, None, draft.0.unwrap_or_default(), Errors::none())
}

/// `POST /s/{slug}/permissions/new`
pub async fn create(admin: Admin, form: Form<DeclareForm>) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let known = permissions::of_service(&act, form.service.trim()).await;
    let known = match known {
        Err(Error::NotFound) => Ok(Vec::new()),
        other => other,
    }?;
    let declared = match form.declaration(&[]) {
        _ if !known.is_empty() => {
            let told = "This service has declared permissions already. Edit them in the list.";
            Err(Error::field("service", told))
        }
        Ok(it) if it.actions.is_empty() => {
            Err(Error::field("actions", "Enter at least one action."))
        }
        Ok(it) => permissions::declare(&act, &it, Some(&permissions::picture(&[]))).await,
        Err(error) => Err(error),
    };
    done(&admin, None, form.0, declared)
}

/// `GET /s/{slug}/permissions/{service}/edit`
pub async fn edit_form(
    admin: Admin,
    path: Path<(String, String)>,
    draft: Draft<DeclareForm>,
) -> Result<HttpResponse, PageError> {
    let rows = permissions::of_service(&admin.act(), &path.1).await?;
    let form = draft.0.unwrap_or_else(|| DeclareForm::of(&path.1, &rows));
    show(&admin, Some(&path.1), form, Errors::none())
}

/// `POST /s/{slug}/permissions/{service}/edit`
pub async fn edit(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<DeclareForm>,
) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let now = permissions::of_service(&act, &path.1).await?;
    let mut form = DeclareForm { service: path.1.clone(), ..form.0 };
    let declared = match form.declaration(&now) {
        Ok(it) => permissions::declare(&act, &it, Some(&form.seen)).await,
        Err(error) => Err(error),
    };
    // What somebody else saved meanwhile is what the next try is compared with.
    form.seen = permissions::picture(&now);
    done(&admin, Some(&path.1), form, declared)
}

fn done(
    admin: &Admin,
    service: Option<&str>,
    form: DeclareForm,
    declared: Result<Changes>,
) -> Result<HttpResponse, PageError> {
    match declared {
        Ok(changes) => {
            let flash = Flash::new(told(form.service.trim(), changes));
            Ok(flash.then(&admin.me.app, &admin.path("/permissions")))
        }
        Err(error) => show(admin, service, form, Errors::of(error)?),
    }
}

/// What a declaration has changed, in words.
pub fn told(service: &str, it: Changes) -> String {
    if it == Changes::default() {
        return format!("{service} declared nothing new.");
    }
    let parts =
        [(it.added, "added"), (it.described, "described anew"), (it.withdrawn, "withdrawn")];
    let parts = parts.into_iter().filter(|it| it.0 > 0).map(|(n, what)| format!("{n} {what}"));
    format!("The permissions of {service}: {}.", words::list(&parts.collect::<Vec<_>>()))
}
