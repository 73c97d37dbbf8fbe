//! The dialogs for a new group, with its first key in the same form, and for editing one.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::list::{GroupList, GroupQuery, view};
use crate::{
    error::{Error, Result},
    http::{
        Admin, Errors, Flash, Form, Page, PageError,
        form::Draft,
        page::{Section, refused},
    },
    key_groups::{self, Description},
    key_instances::pages::{
        id,
        issue::{KeyFieldsView, NewKeyForm, show_once},
        list::{self as key_list, KeyList},
    },
};

#[derive(Clone, Default, Deserialize)]
pub struct GroupForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    contact: String,
    #[serde(default)]
    submission: String,
    #[serde(default)]
    make: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    preset: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    act: String,
}

impl GroupForm {
    fn description(&self) -> Description {
        Description {
            name: self.name.clone(),
            description: self.description.clone(),
            contact: self.contact.clone(),
        }
    }

    /// The first key's part. The text of an own key moves along.
    fn key(&mut self) -> NewKeyForm {
        NewKeyForm {
            submission: self.submission.clone(),
            make: self.make.clone(),
            key: std::mem::take(&mut self.key),
            preset: self.preset.clone(),
            from: self.from.clone(),
            until: self.until.clone(),
            note: self.note.clone(),
            ..Default::default()
        }
    }
}

#[derive(Template)]
#[template(path = "key_groups/new.html")]
struct NewGroupPage {
    page: Page,
    list: GroupList,
    group: Description,
    fields: KeyFieldsView,
    path: String,
    back: String,
    errors: Errors,
}

/// `GET /s/{slug}/groups/new`
pub async fn new_form(admin: Admin, draft: Draft<GroupForm>) -> Result<HttpResponse, PageError> {
    let draft = draft.0.map(|mut it| (it.description(), it.key()));
    show_new(&admin, draft, Errors::none()).await
}

async fn show_new(
    admin: &Admin,
    typed: Option<(Description, NewKeyForm)>,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let list = view(admin, GroupQuery::default()).await?;
    let (group, fields) = match typed {
        Some((group, key)) => (group, KeyFieldsView::of(admin, key, &[])),
        None => (Description::default(), KeyFieldsView::fresh(admin, &[])),
    };
    let page = NewGroupPage {
        page: Page::within(admin, Section::Keys),
        path: format!("{}/new", list.path),
        back: list.path.clone(),
        list,
        group,
        fields,
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST /s/{slug}/groups/new`
pub async fn create(admin: Admin, form: Form<GroupForm>) -> Result<HttpResponse, PageError> {
    let mut form = form.0;
    let (group, mut key) = (form.description(), form.key());
    if form.act == "check" {
        key.key.clear();
        return show_new(&admin, Some((group, key)), Errors::none()).await;
    }
    let made = match key.take(&admin) {
        Ok(first) => key_groups::create(&admin.act(), (&group, &crate::access::Held::default()), first, &key.submission).await,
        // One try shows every error: those of the group too.
        Err(Error::Invalid(mut fields)) => {
            if let Err(Error::Invalid(more)) = group.checked() {
                fields.splice(0..0, more);
            }
            Err(Error::Invalid(fields))
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(issued) => show_once(&admin, issued),
        Err(error) => show_new(&admin, Some((group, key)), Errors::of(error)?).await,
    }
}

#[derive(Template)]
#[template(path = "key_groups/edit.html")]
struct EditPage {
    page: Page,
    list: KeyList,
    group: Description,
    client_id: String,
    path: String,
    back: String,
    errors: Errors,
}

/// `GET /s/{slug}/groups/{group}/edit`
pub async fn edit_form(
    admin: Admin,
    path: Path<(String, String)>,
    draft: Draft<GroupForm>,
) -> Result<HttpResponse, PageError> {
    let typed = draft.0.map(|it| it.description());
    show_edit(&admin, id(&path.1), typed, Errors::none()).await
}

async fn show_edit(
    admin: &Admin,
    group: Uuid,
    typed: Option<Description>,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let it = key_groups::find(&admin.act(), group).await?;
    let list = key_list::behind_dialog(admin, group).await?;
    let now = Description { name: it.name, description: it.description, contact: it.contact };
    let page = EditPage {
        page: Page::within(admin, Section::Keys),
        group: typed.unwrap_or(now),
        client_id: it.client_id,
        path: format!("{}/edit", list.path),
        back: list.path.clone(),
        list,
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST /s/{slug}/groups/{group}/edit`
pub async fn edit(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<GroupForm>,
) -> Result<HttpResponse, PageError> {
    let group = id(&path.1);
    match key_groups::edit(&admin.act(), group, &form.description()).await {
        Ok(it) => {
            let flash = Flash::new(format!("{} is saved. Its keys follow at once.", it.name));
            Ok(flash.then(&admin.me.app, &admin.path(&format!("/groups/{group}"))))
        }
        Err(error) => show_edit(&admin, group, Some(form.description()), Errors::of(error)?).await,
    }
}
