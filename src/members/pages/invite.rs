//! Inviting a member: a dialog, and a page that shows the link once.
use actix_web::{HttpRequest, HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;

use super::{
    link,
    list::{self, MemberList},
};
use crate::{
    domain::Role,
    error::{Error, Result},
    http::{
        Admin, Errors, Flash, Form, Page, PageError,
        form::Draft,
        html,
        page::{Section, refused},
    },
    key_instances::pages::id,
    members,
};

#[derive(Clone, Default, Deserialize)]
pub struct InviteForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    role: String,
}

#[derive(Template)]
#[template(path = "members/invite.html")]
struct InvitePage {
    page: Page,
    list: MemberList,
    email: String,
    roles: Vec<RoleChoice>,
    path: String,
    back: String,
    errors: Errors,
}

/// A role that can be given, and what it allows.
pub struct RoleChoice {
    pub value: &'static str,
    pub label: &'static str,
    pub help: &'static str,
    pub chosen: bool,
}

/// All roles, the one marked that is written like `chosen`.
pub fn choices(chosen: &str) -> Vec<RoleChoice> {
    let choice = |(role, help): (Role, &'static str)| RoleChoice {
        value: role.as_str(),
        label: role.title(),
        help,
        chosen: role.as_str() == chosen,
    };
    let all = [
        (Role::Admin, "Changes keys, access, members and settings."),
        (Role::Member, "Sees the keys, masked, if the settings say so."),
        (Role::Auditor, "Sees the keys, masked, and reads the audit log."),
    ];
    all.into_iter().map(choice).collect()
}

/// The role that was chosen, or what to say beside the field.
pub fn read_role(text: &str) -> Result<Role> {
    Role::parse(text).ok_or_else(|| Error::field("role", "Choose one of the roles."))
}

async fn show(admin: &Admin, form: InviteForm, errors: Errors) -> Result<HttpResponse, PageError> {
    let chosen = if form.role.is_empty() { Role::Member.as_str() } else { &form.role };
    let page = InvitePage {
        page: Page::within(admin, Section::Members),
        list: list::view(admin).await?,
        roles: choices(chosen),
        email: form.email,
        path: admin.path("/invitations/new"),
        back: admin.path("/members"),
        errors,
    };
    refused(&page, &page.errors)
}

/// `GET /s/{slug}/invitations/new`
pub async fn form(admin: Admin, draft: Draft<InviteForm>) -> Result<HttpResponse, PageError> {
    show(&admin, draft.0.unwrap_or_default(), Errors::none()).await
}

/// `POST /s/{slug}/invitations/new`
pub async fn invite(admin: Admin, form: Form<InviteForm>) -> Result<HttpResponse, PageError> {
    let made = match read_role(&form.role) {
        Ok(role) => members::invite_member(&admin.act(), &form.email, role).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(token) => Ok(link::hand_over(&admin.me, admin.scope.id(), &link_path(&admin), &token)?),
        Err(error) => show(&admin, form.0, Errors::of(error)?).await,
    }
}

fn link_path(admin: &Admin) -> String {
    admin.path("/invitations/link")
}

#[derive(Template)]
#[template(path = "members/link.html")]
struct LinkPage {
    page: Page,
    list: MemberList,
    told: String,
    link: String,
    path: String,
}

/// `GET /s/{slug}/invitations/link`: shown once, like a secret.
pub async fn show_link(admin: Admin, req: HttpRequest) -> Result<HttpResponse, PageError> {
    let link = link::shown(&admin.me, admin.scope.id(), &req)?;
    html(&LinkPage {
        page: Page::within(&admin, Section::Members),
        list: list::view(&admin).await?,
        told: format!("It makes its holder a member of {}.", admin.scope.subscription().name),
        path: link_path(&admin),
        link,
    })
}

/// `POST /s/{slug}/invitations/link`: the admin has it.
pub async fn keep_link(admin: Admin) -> Result<HttpResponse, PageError> {
    let told = Flash::new("The invitation is ready. Its link works for 7 days.");
    Ok(link::kept(&admin.me, &link_path(&admin), &told, &admin.path("/members"))?)
}

/// `POST /s/{slug}/invitations/{invitation}/withdrawal`
pub async fn withdraw(
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let gone = members::withdraw(&admin.act(), id(&path.1)).await?;
    let told = format!("The invitation of {} is withdrawn. Its link is dead.", gone.email);
    Ok(Flash::new(told).then(&admin.me.app, &admin.path("/members")))
}
