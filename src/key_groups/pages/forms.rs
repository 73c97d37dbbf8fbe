//! The dialogs for a new group, with its first key in the same form, and for editing one.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use uuid::Uuid;

use super::list::{GroupList, GroupQuery, view};
use crate::{
    access::{
        Catalogue, Held,
        pages::edit::{self, HeldFields},
    },
    domain::GroupKind,
    error::{Error, Result},
    http::{
        Admin, Errors, Flash, Form, Page, PageError,
        form::{Draft, Fields},
        page::{Section, refused},
    },
    key_groups::{self, Description},
    key_instances::pages::{
        id,
        issue::{KeyFieldsView, NewKeyForm, show_once},
        list::{self as key_list, KeyList},
    },
};

fn description(form: &Fields) -> Description {
    Description {
        name: form.one("name").to_owned(),
        description: form.one("description").to_owned(),
        contact: form.one("contact").to_owned(),
    }
}

/// The first key's part. The text of an own key moves along.
fn key(form: &mut Fields) -> NewKeyForm {
    NewKeyForm {
        key: form.take("key"),
        submission: form.one("submission").to_owned(),
        make: form.one("make").to_owned(),
        preset: form.one("preset").to_owned(),
        from: form.one("from").to_owned(),
        until: form.one("until").to_owned(),
        offered: form.one("offered").to_owned(),
        note: form.one("note").to_owned(),
        ..Default::default()
    }
}

/// A new group as it was typed.
struct Typed {
    kind: GroupKind,
    group: Description,
    held: Held,
    key: NewKeyForm,
}

impl Typed {
    fn of(mut form: Fields) -> Self {
        Self {
            kind: GroupKind::parse(form.one("kind")).unwrap_or(GroupKind::Token),
            group: description(&form),
            held: edit::held(&form),
            key: key(&mut form),
        }
    }
}

#[derive(Template)]
#[template(path = "key_groups/new.html")]
struct NewGroupPage {
    page: Page,
    list: GroupList,
    group: Description,
    held: HeldFields,
    is_client: bool,
    fields: KeyFieldsView,
    path: String,
    back: String,
    errors: Errors,
}

/// `GET /s/{slug}/groups/new`
pub async fn new_form(admin: Admin, draft: Draft<Fields>) -> Result<HttpResponse, PageError> {
    show_new(&admin, draft.0.map(Typed::of), Errors::none()).await
}

async fn show_new(
    admin: &Admin,
    typed: Option<Typed>,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let list = view(admin, GroupQuery::default()).await?;
    let all = Catalogue::load(&admin.act()).await?;
    let token = GroupKind::Token;
    let is_client = typed.as_ref().is_some_and(|it| it.kind.is_client());
    let (group, held, fields) = match typed {
        Some(it) => (it.group, it.held, KeyFieldsView::of(admin, token, it.key, &[])),
        None => (Description::default(), Held::default(), KeyFieldsView::fresh(admin, token, &[])),
    };
    let page = NewGroupPage {
        page: Page::within(admin, Section::Keys),
        path: format!("{}/new", list.path),
        back: list.path.clone(),
        list,
        group,
        held: HeldFields::of(admin, &all, &held),
        is_client,
        fields,
        errors,
    };
    refused(&page, &page.errors)
}

/// `POST /s/{slug}/groups/new`
pub async fn create(admin: Admin, form: Form<Fields>) -> Result<HttpResponse, PageError> {
    let is_check = form.one("act") == "check";
    let mut it = Typed::of(form.0);
    if is_check {
        it.key.key.clear();
        return show_new(&admin, Some(it), Errors::none()).await;
    }
    if it.kind.is_client() {
        return create_client(&admin, it).await;
    }
    let made = match it.key.take(&admin) {
        Ok(first) => {
            let new = (&it.group, &it.held);
            key_groups::create(&admin.act(), new, first, &it.key.submission).await
        }
        // One try shows every error: those of the group too.
        Err(Error::Invalid(mut fields)) => {
            if let Err(Error::Invalid(more)) = it.group.checked() {
                fields.splice(0..0, more);
            }
            Err(Error::Invalid(fields))
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(issued) => show_once(&admin, issued),
        Err(error) => show_new(&admin, Some(it), Errors::of(error)?).await,
    }
}

/// Its page offers to create the first secret.
async fn create_client(admin: &Admin, it: Typed) -> Result<HttpResponse, PageError> {
    let new = (&it.group, &it.held);
    match key_groups::create_client(&admin.act(), new, &it.key.submission).await {
        Ok(group) => {
            let flash = Flash::new(format!("{} is created. It has no secret yet.", group.name));
            Ok(flash.then(&admin.me.app, &admin.path(&format!("/groups/{}", group.id))))
        }
        Err(error) => show_new(admin, Some(it), Errors::of(error)?).await,
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
    draft: Draft<Fields>,
) -> Result<HttpResponse, PageError> {
    let typed = draft.0.as_ref().map(description);
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
pub async fn save(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<Fields>,
) -> Result<HttpResponse, PageError> {
    let group = id(&path.1);
    match key_groups::edit(&admin.act(), group, &description(&form), None).await {
        Ok(it) => {
            let flash = Flash::new(format!("{} is saved. Its keys follow at once.", it.name));
            Ok(flash.then(&admin.me.app, &admin.path(&format!("/groups/{group}"))))
        }
        Err(error) => show_edit(&admin, group, Some(description(&form)), Errors::of(error)?).await,
    }
}
