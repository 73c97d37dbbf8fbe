//! A secret address: made or reset in a dialog, then shown once.
use actix_web::{HttpRequest, HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::list::{self, FeedList};
use crate::{
    calendar,
    domain::SecretText,
    error::{Error, Result},
    http::{
        Admin, Errors, Flash, Form, Page, PageError, html,
        once::{self, AcknowledgeForm},
        page::{Section, refused},
    },
    key_groups,
    key_instances::pages::id,
};

#[derive(Clone, Default, Deserialize)]
pub struct AddressForm {
    /// The feed that gives way; empty if there was none.
    #[serde(default)]
    replaces: String,
}

#[derive(Template)]
#[template(path = "calendar/address.html")]
struct AddressPage {
    page: Page,
    list: FeedList,
    /// Whose ends it shows.
    of: String,
    replaces: String,
    path: String,
    back: String,
    errors: Errors,
}

/// What the dialog is about: a group, or the whole subscription.
struct About {
    group: Option<Uuid>,
    name: String,
    path: String,
}

impl About {
    fn whole(admin: &Admin) -> Self {
        Self {
            group: None,
            name: admin.scope.subscription().name.clone(),
            path: admin.path("/settings/calendar/address"),
        }
    }

    async fn group(admin: &Admin, path: &Path<(String, String)>) -> Result<Self> {
        let group = key_groups::find(&admin.act(), id(&path.1)).await?;
        let path = admin.path(&format!("/groups/{}/calendar", group.id));
        Ok(Self { group: Some(group.id), name: group.name, path })
    }
}

async fn show(admin: &Admin, it: About, errors: Errors) -> Result<HttpResponse, PageError> {
    let old = calendar::find_of(&admin.act(), it.group).await?;
    let page = AddressPage {
        page: Page::within(admin, Section::Settings),
        list: list::view(admin).await?,
        of: it.name,
        replaces: old.map(|it| it.id.to_string()).unwrap_or_default(),
        path: it.path,
        back: admin.path("/settings/calendar"),
        errors,
    };
    refused(&page, &page.errors)
}

async fn make(admin: &Admin, it: About, form: &AddressForm) -> Result<HttpResponse, PageError> {
    let replaces = Some(&form.replaces).filter(|it| !it.is_empty()).map(|it| id(it));
    match calendar::make(&admin.act(), it.group, replaces).await {
        Ok(made) => {
            let path = link_path(admin, made.feed.id);
            let url = SecretText::from_text(made.url);
            Ok(once::hand_over(&admin.me, made.feed.id, &url, &path)?)
        }
        Err(error) => show(admin, it, Errors::of(error)?).await,
    }
}

/// `GET /s/{slug}/settings/calendar/address`
pub async fn form(admin: Admin) -> Result<HttpResponse, PageError> {
    show(&admin, About::whole(&admin), Errors::none()).await
}

/// `POST /s/{slug}/settings/calendar/address`
pub async fn create(admin: Admin, form: Form<AddressForm>) -> Result<HttpResponse, PageError> {
    make(&admin, About::whole(&admin), &form).await
}

/// `GET /s/{slug}/groups/{group}/calendar`
pub async fn form_of_group(
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    show(&admin, About::group(&admin, &path).await?, Errors::none()).await
}

/// `POST /s/{slug}/groups/{group}/calendar`
pub async fn create_of_group(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<AddressForm>,
) -> Result<HttpResponse, PageError> {
    make(&admin, About::group(&admin, &path).await?, &form).await
}

fn link_path(admin: &Admin, feed: Uuid) -> String {
    admin.path(&format!("/settings/calendar/{feed}/link"))
}

#[derive(Template)]
#[template(path = "calendar/link.html")]
struct LinkPage {
    page: Page,
    list: FeedList,
    link: String,
    path: String,
}

/// `GET /s/{slug}/settings/calendar/{feed}/link`: shown once, like a secret.
pub async fn link(
    admin: Admin,
    req: HttpRequest,
    path: Path<(String, String)>,
) -> Result<HttpResponse, PageError> {
    let feed = calendar::find(&admin.act(), id(&path.1)).await?;
    let told = "This address is no longer shown. Reset the feed if it is lost.";
    let link = once::unsealed(&req, &admin.me, feed.id).ok_or(Error::Gone(told))?;
    html(&LinkPage {
        page: Page::within(&admin, Section::Settings),
        list: list::view(&admin).await?,
        link: link.expose().to_owned(),
        path: link_path(&admin, feed.id),
    })
}

/// `POST /s/{slug}/settings/calendar/{feed}/link`: the admin has it.
pub async fn kept(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<AcknowledgeForm>,
) -> Result<HttpResponse, PageError> {
    form.saved_by()?;
    let feed = calendar::find(&admin.act(), id(&path.1)).await?;
    let told = Flash::new("The calendar feed is ready. Calendars ask for it about once an hour.");
    let mut response = told.then(&admin.me.app, &admin.path("/settings/calendar"));
    once::forget(&admin.me, &mut response, &link_path(&admin, feed.id))?;
    Ok(response)
}
