//! A new policy, and the form of one: what an edit changes is shown before it is saved.
use actix_web::{HttpResponse, web::Path};
use askama::Template;

use crate::{
    access::{
        Catalogue, impact,
        pages::{impact::ImpactView, undo},
    },
    domain::Permissions,
    error::Result,
    http::{
        Admin, Errors, Form, Page, PageError,
        form::{Draft, Fields},
        page::{Section, refused},
    },
    key_instances::pages::id,
    pepper::random_token,
    permissions::{
        self,
        pages::{ServiceView, by_service},
    },
    policies::{self, Policy, Wanted},
};

#[derive(Template)]
#[template(path = "policies/form.html")]
struct FormPage {
    page: Page,
    title: String,
    name: String,
    description: String,
    services: Vec<ServiceView>,
    permissions_path: String,
    submission: String,
    version: i32,
    /// Of an edit.
    impact: Option<ImpactView>,
    path: String,
    back: String,
    errors: Errors,
}

fn wanted(fields: &Fields) -> Wanted {
    Wanted {
        name: fields.one("name").to_owned(),
        description: fields.one("description").to_owned(),
        permissions: fields.all("permissions").collect(),
    }
}

/// `GET /s/{slug}/policies/new`
pub async fn new_form(admin: Admin, draft: Draft<Fields>) -> Result<HttpResponse, PageError> {
    let typed = draft.0.as_ref().map(wanted).unwrap_or_default();
    show_new(&admin, &typed, Errors::none()).await
}

async fn show_new(
    admin: &Admin,
    typed: &Wanted,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let all = permissions::list(&admin.act()).await?;
    let offered: Vec<_> = all.into_iter().filter(permissions::Permission::is_declared).collect();
    let page = FormPage {
        page: Page::within(admin, Section::Policies),
        title: "New policy".to_owned(),
        name: typed.name.clone(),
        description: typed.description.clone(),
        services: by_service(&offered, |name| typed.permissions.contains(name)),
        permissions_path: admin.path("/permissions"),
        submission: random_token(),
        version: 0,
        impact: None,
        path: admin.path("/policies/new"),
        back: admin.path("/policies"),
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST /s/{slug}/policies/new`
pub async fn create(admin: Admin, form: Form<Fields>) -> Result<HttpResponse, PageError> {
    let wanted = wanted(&form);
    match policies::create(&admin.act(), &wanted, form.one("submission")).await {
        Ok(it) => {
            let text = format!("{} is made. Give it to key groups on their pages.", it.name);
            let path = admin.path(&format!("/policies/{}", it.id));
            Ok(undo::flash(&admin, text, None, "").then(&admin.me.app, &path))
        }
        Err(error) => show_new(&admin, &wanted, Errors::of(error)?).await,
    }
}

/// `GET /s/{slug}/policies/{policy}/edit`
pub async fn edit_form(
    admin: Admin,
    path: Path<(String, String)>,
    draft: Draft<Fields>,
) -> Result<HttpResponse, PageError> {
    let it = policies::find(&admin.act(), id(&path.1)).await?;
    let typed = draft.0.as_ref().map_or_else(|| Wanted::of(&it), wanted);
    let impact = look_ahead(&admin, &it, &typed.permissions).await?;
    let page = edit_page(&admin, &it, &typed, impact, Errors::none()).await?;
    refused(&page, &page.errors)
}

/// What somebody else saved meanwhile is what the next try is compared with: the version is that of
/// `it`.
async fn edit_page(
    admin: &Admin,
    it: &Policy,
    typed: &Wanted,
    impact: ImpactView,
    errors: Errors,
) -> Result<FormPage> {
    let act = admin.act();
    let (before, after) = (it.set(), &typed.permissions);
    let offered: Vec<_> = permissions::list(&act)
        .await?
        .into_iter()
        .filter(|row| row.is_declared() || before.contains(&row.name))
        .collect();
    Ok(FormPage {
        page: Page::within(admin, Section::Policies),
        title: format!("Edit {}", it.name),
        name: typed.name.clone(),
        description: typed.description.clone(),
        services: by_service(&offered, |name| after.contains(name)),
        permissions_path: admin.path("/permissions"),
        submission: String::new(),
        version: it.version,
        impact: Some(impact),
        path: admin.path(&format!("/policies/{}/edit", it.id)),
        back: admin.path(&format!("/policies/{}", it.id)),
        errors,
    })
}

async fn look_ahead(admin: &Admin, it: &Policy, after: &Permissions) -> Result<ImpactView> {
    let act = admin.act();
    let all = Catalogue::load(&act).await?;
    let changed = all.clone().with_policy(it.id, after);
    let sets = (&it.set(), after);
    let impact = impact::shared(&act, (&all, &changed), &all.ways_to(it.id), sets).await?;
    let picture = format!("{} {} {}", it.id, it.version, after.as_str());
    Ok(ImpactView::of(admin, &all, &impact, &picture))
}

/// `POST /s/{slug}/policies/{policy}/edit`
pub async fn edit(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<Fields>,
) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let it = policies::find(&act, id(&path.1)).await?;
    let wanted = wanted(&form);
    let version = form.one("version").parse().unwrap_or_default();
    let mut impact = look_ahead(&admin, &it, &wanted.permissions).await?;
    if impact.comes_first(&form, version == it.version) {
        let page = edit_page(&admin, &it, &wanted, impact, Errors::none()).await?;
        return refused(&page, &page.errors);
    }
    match policies::edit(&act, it.id, version, &wanted).await {
        Ok((it, edit)) => {
            let path = admin.path(&format!("/policies/{}", it.id));
            Ok(undo::saved(&admin, &it.name, edit, &path).then(&admin.me.app, &path))
        }
        Err(error) => {
            let page = edit_page(&admin, &it, &wanted, impact, Errors::of(error)?).await?;
            refused(&page, &page.errors)
        }
    }
}
