//! Deleting a user group.
use actix_web::{HttpResponse, web::Path};
use uuid::Uuid;

use crate::{
    access::pages::deletion::{DeleteForm, DeletePage},
    domain::access::Source,
    http::{
        Admin, Errors, Flash, Form, PageError,
        page::{Section, refused},
    },
    key_instances::pages::id,
    user_groups,
};

/// `GET /s/{slug}/user-groups/{user_group}/deletion`
pub async fn form(admin: Admin, path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    show(&admin, id(&path.1), Errors::none()).await
}

async fn show(admin: &Admin, group: Uuid, errors: Errors) -> Result<HttpResponse, PageError> {
    let it = user_groups::find(&admin.act(), group).await?;
    let page = DeletePage::of(admin, Section::UserGroups, &[Source::UserGroup(group)]).await?;
    let back = admin.path(&format!("/user-groups/{group}"));
    let page = DeletePage {
        title: format!("Delete {}?", it.name),
        button: format!("Delete {}", it.name),
        version: it.version,
        path: format!("{back}/deletion"),
        back,
        errors,
        ..page
    };
    refused(&page, &page.errors)
}

/// `POST /s/{slug}/user-groups/{user_group}/deletion`
pub async fn delete(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<DeleteForm>,
) -> Result<HttpResponse, PageError> {
    let group = id(&path.1);
    match user_groups::delete(&admin.act(), group, form.version).await {
        Ok(it) => {
            let flash = Flash::new(format!("{} is deleted.", it.name));
            Ok(flash.then(&admin.me.app, &admin.path("/user-groups")))
        }
        Err(error) => show(&admin, group, Errors::of(error)?).await,
    }
}
