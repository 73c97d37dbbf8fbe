//! Workspaces and workspace roles, on one page; hidden from the navigation until there is one.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use uuid::Uuid;

use crate::{
    access::{
        self, Catalogue,
        pages::{
            deletion::{DeleteForm, DeletePage},
            edit::Choice,
        },
    },
    domain::access::Source,
    error::Result,
    http::{
        Admin, Errors, Flash, Form, Page, PageError, Viewer,
        form::{Draft, Fields},
        html,
        page::{Section, refused},
        words,
    },
    key_instances::pages::id,
    pepper::random_token,
    workspaces::{self, Role, Wanted, Workspace},
};

struct WorkspaceRow {
    name: String,
    slug: String,
    description: String,
    path: String,
    roles: usize,
}

struct RoleRow {
    policy: String,
    policy_path: String,
    place: String,
    key_groups: String,
    keys: String,
    path: String,
}

#[derive(Template)]
#[template(path = "workspaces/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<WorkspaceRow>,
    roles: Vec<RoleRow>,
    path: String,
    roles_path: String,
    acts: bool,
}

/// `GET /s/{slug}/workspaces`
pub async fn list(viewer: Viewer) -> Result<HttpResponse, PageError> {
    let act = viewer.act();
    let all = Catalogue::load(&act).await?;
    let counts = access::count_by_role(&act, all.roles.iter().map(|it| it.id).collect()).await?;
    let (path, roles_path) = (viewer.path("/workspaces"), viewer.path("/workspace-roles"));
    let row = |it: &Workspace| WorkspaceRow {
        name: it.name.clone(),
        slug: it.slug.clone(),
        description: it.description.clone(),
        path: format!("{path}/{}", it.id),
        roles: workspaces::roles_of(&all, it.id).len(),
    };
    let role = |it: &Role| {
        let (key_groups, keys) = counts.get(&it.id).copied().unwrap_or_default();
        RoleRow {
            policy: all.name(Source::Policy(it.policy_id)),
            policy_path: viewer.path(&format!("/policies/{}", it.policy_id)),
            place: all.place(it.workspace_id),
            key_groups: words::count(key_groups),
            keys: words::count(keys),
            path: format!("{roles_path}/{}", it.id),
        }
    };
    let mut roles: Vec<_> = all.roles.iter().map(role).collect();
    roles.sort_by(|a, b| (&a.place, &a.policy).cmp(&(&b.place, &b.policy)));
    html(&ListPage {
        page: Page::within(&viewer, Section::Workspaces),
        rows: all.workspaces.iter().map(row).collect(),
        roles,
        acts: viewer.role.changes_keys(),
        path,
        roles_path,
    })
}

#[derive(Template)]
#[template(path = "workspaces/form.html")]
struct FormPage {
    page: Page,
    title: String,
    is_new: bool,
    name: String,
    slug: String,
    description: String,
    submission: String,
    version: i32,
    path: String,
    back: String,
    errors: Errors,
}

fn wanted(fields: &Fields) -> Wanted {
    Wanted {
        name: fields.one("name").to_owned(),
        slug: fields.one("slug").to_owned(),
        description: fields.one("description").to_owned(),
    }
}

fn show(
    admin: &Admin,
    it: Option<&Workspace>,
    wanted: Wanted,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let back = admin.path("/workspaces");
    let page = FormPage {
        page: Page::within(admin, Section::Workspaces),
        title: it.map_or("New workspace".to_owned(), |it| format!("Edit {}", it.name)),
        is_new: it.is_none(),
        name: wanted.name,
        slug: wanted.slug,
        description: wanted.description,
        submission: random_token(),
        version: it.map_or(0, |it| it.version),
        path: it.map_or(format!("{back}/new"), |it| format!("{back}/{}/edit", it.id)),
        back,
        errors,
    };
    refused(&page, &page.errors)
}

/// `GET /s/{slug}/workspaces/new`
pub async fn new_form(admin: Admin, draft: Draft<Fields>) -> Result<HttpResponse, PageError> {
    show(&admin, None, draft.0.as_ref().map(wanted).unwrap_or_default(), Errors::none())
}

/// `POST /s/{slug}/workspaces/new`
pub async fn create(admin: Admin, form: Form<Fields>) -> Result<HttpResponse, PageError> {
    let wanted = wanted(&form);
    match workspaces::create(&admin.act(), &wanted, form.one("submission")).await {
        Ok(it) => {
            let flash = Flash::new(format!("{} is made. Make policies roles in it.", it.name));
            Ok(flash.then(&admin.me.app, &admin.path("/workspaces")))
        }
        Err(error) => show(&admin, None, wanted, Errors::of(error)?),
    }
}

/// `GET /s/{slug}/workspaces/{workspace}/edit`
pub async fn edit_form(
    admin: Admin,
    path: Path<(String, String)>,
    draft: Draft<Fields>,
) -> Result<HttpResponse, PageError> {
    let it = workspaces::find(&admin.act(), id(&path.1)).await?;
    let now = Wanted {
        name: it.name.clone(),
        slug: it.slug.clone(),
        description: it.description.clone(),
    };
    show(&admin, Some(&it), draft.0.as_ref().map_or(now, wanted), Errors::none())
}

/// `POST /s/{slug}/workspaces/{workspace}/edit`
pub async fn edit(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<Fields>,
) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let it = workspaces::find(&act, id(&path.1)).await?;
    let version = form.one("version").parse().unwrap_or_default();
    let wanted = Wanted { slug: it.slug.clone(), ..wanted(&form) };
    match workspaces::edit(&act, it.id, version, &wanted).await {
        Ok(it) => {
            let flash = Flash::new(format!("{} is saved.", it.name));
            Ok(flash.then(&admin.me.app, &admin.path("/workspaces")))
        }
        Err(error) => show(&admin, Some(&it), wanted, Errors::of(error)?),
    }
}

/// `GET /s/{slug}/workspaces/{workspace}/deletion`
pub async fn deletion_form(
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    show_deletion(&admin, id(&path.1), Errors::none()).await
}

async fn show_deletion(
    admin: &Admin,
    workspace: Uuid,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let it = workspaces::find(&act, workspace).await?;
    let roles = workspaces::roles_of(&Catalogue::load(&act).await?, workspace);
    let page = DeletePage::of(admin, Section::Workspaces, &roles).await?;
    let back = admin.path("/workspaces");
    let refused_then = format!(
        "A call that names workspace={} is then refused every permission, also one that its key \
         holds in the whole subscription.",
        it.slug
    );
    let page = DeletePage {
        text: format!("{} {refused_then}", page.text),
        title: format!("Delete {} and its {}?", it.name, words::plural(roles.len(), "role")),
        button: format!("Delete {}", it.name),
        version: it.version,
        path: format!("{back}/{workspace}/deletion"),
        back,
        errors,
        ..page
    };
    refused(&page, &page.errors)
}

/// `POST /s/{slug}/workspaces/{workspace}/deletion`
pub async fn delete(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<DeleteForm>,
) -> Result<HttpResponse, PageError> {
    let workspace = id(&path.1);
    match workspaces::delete(&admin.act(), workspace, form.version).await {
        Ok(it) => {
            let flash = Flash::new(format!("{} is deleted.", it.name));
            Ok(flash.then(&admin.me.app, &admin.path("/workspaces")))
        }
        Err(error) => show_deletion(&admin, workspace, Errors::of(error)?).await,
    }
}

#[derive(Template)]
#[template(path = "workspaces/role.html")]
struct RolePage {
    page: Page,
    policies: Vec<Choice>,
    workspaces: Vec<Choice>,
    path: String,
    back: String,
    policies_path: String,
    errors: Errors,
}

/// `GET /s/{slug}/workspace-roles/new`
pub async fn new_role_form(admin: Admin, draft: Draft<Fields>) -> Result<HttpResponse, PageError> {
    show_role(&admin, &draft.0.unwrap_or_default(), Errors::none()).await
}

async fn show_role(
    admin: &Admin,
    typed: &Fields,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let all = Catalogue::load(&admin.act()).await?;
    let choice = |id: Uuid, name: &str, field| Choice {
        chosen: typed.one(field) == id.to_string(),
        id: id.to_string(),
        name: name.to_owned(),
        help: String::new(),
    };
    let policies = all.policies.iter().map(|it| choice(it.id, &it.name, "policy")).collect();
    let places = all.workspaces.iter().map(|it| choice(it.id, &it.name, "workspace")).collect();
    let page = RolePage {
        page: Page::within(admin, Section::Workspaces),
        policies,
        workspaces: places,
        path: admin.path("/workspace-roles/new"),
        back: admin.path("/workspaces"),
        policies_path: admin.path("/policies"),
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST /s/{slug}/workspace-roles/new`
pub async fn create_role(admin: Admin, form: Form<Fields>) -> Result<HttpResponse, PageError> {
    let workspace = match form.one("workspace") {
        "" => None,
        text => Some(id(text)),
    };
    let policy = id(form.one("policy"));
    // A second one of the same would be refused anyway.
    match workspaces::create_role(&admin.act(), policy, workspace, &random_token()).await {
        Ok(_) => {
            let flash = Flash::new("The role is made. Give it to key groups on their pages.");
            Ok(flash.then(&admin.me.app, &admin.path("/workspaces")))
        }
        Err(error) => show_role(&admin, &form, Errors::of(error)?).await,
    }
}

/// `GET /s/{slug}/workspace-roles/{role}/deletion`
pub async fn role_deletion_form(
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let role = id(&path.1);
    let all = Catalogue::load(&admin.act()).await?;
    all.role(role).ok_or(crate::error::Error::NotFound)?;
    let name = all.name(Source::Role(role));
    let page = DeletePage::of(&admin, Section::Workspaces, &[Source::Role(role)]).await?;
    html(&DeletePage {
        title: format!("Delete the role {name}?"),
        button: "Delete the role".to_owned(),
        path: admin.path(&format!("/workspace-roles/{role}/deletion")),
        back: admin.path("/workspaces"),
        ..page
    })
}

/// `POST /s/{slug}/workspace-roles/{role}/deletion`
pub async fn delete_role(
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let name = workspaces::delete_role(&admin.act(), id(&path.1)).await?;
    let flash = Flash::new(format!("The role {name} is deleted."));
    Ok(flash.then(&admin.me.app, &admin.path("/workspaces")))
}
