//! The owners of the installation, for owners.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    clock::instant,
    domain::Role,
    error::Result,
    http::{
        Errors, Flash, Form, Owner, Page, PageError,
        form::Draft,
        html,
        page::{Section, refused},
        words::Moment,
    },
    key_instances::pages::id,
    subscriptions::{self, Subscription},
    users::{self, User},
};

pub struct OwnerRow {
    pub name: String,
    pub email: String,
    pub is_you: bool,
    pub since: Moment,
    pub last_sign_in: Option<Moment>,
    pub path: String,
}

const LIST: &str = "/owners";

#[derive(Template)]
#[template(path = "users/owners.html")]
struct ListPage {
    page: Page,
    rows: Vec<OwnerRow>,
}

async fn rows(me: &Owner) -> Result<Vec<OwnerRow>> {
    let row = |it: User| OwnerRow {
        is_you: it.id == me.user.id,
        since: me.here.day(instant(it.created_at)),
        last_sign_in: it.last_sign_in_at.map(|at| me.here.relative(instant(at))),
        path: format!("{LIST}/{}/removal", it.id),
        name: it.name,
        email: it.email,
    };
    Ok(users::owners(&me.app.db).await?.into_iter().map(row).collect())
}

/// `GET /owners`
pub async fn list(me: Owner) -> Result<HttpResponse, PageError> {
    html(&ListPage { page: Page::of(&me, Section::Owners), rows: rows(&me).await? })
}

#[derive(Clone, Default, Deserialize)]
pub struct OwnerForm {
    #[serde(default)]
    email: String,
    /// Whose account was shown: an address alone can be somebody else's by now.
    #[serde(default)]
    account: String,
}

/// An account, as it is shown before it gets power.
struct Account {
    id: String,
    name: String,
    made: Moment,
    /// Subscriptions with the roles in them.
    places: Vec<String>,
}

impl Account {
    async fn of(me: &Owner, user: &User) -> Result<Self> {
        let places = subscriptions::of_user(&me.app.db, user.id).await?;
        let place = |(it, role): &(Subscription, Role)| format!("{} of {}", role.title(), it.name);
        Ok(Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            made: me.here.relative(instant(user.created_at)),
            places: places.iter().map(place).collect(),
        })
    }
}

#[derive(Template)]
#[template(path = "users/new_owner.html")]
struct NewPage {
    page: Page,
    rows: Vec<OwnerRow>,
    email: String,
    account: Option<Account>,
    errors: Errors,
}

async fn show_new(
    me: &Owner,
    (email, account): (String, Option<Account>),
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let page = Page::of(me, Section::Owners);
    let page = NewPage { page, rows: rows(me).await?, email, account, errors };
    refused(&page, &page.errors)
}

/// `GET /owners/new`
pub async fn new_form(me: Owner, draft: Draft<OwnerForm>) -> Result<HttpResponse, PageError> {
    show_new(&me, (draft.0.unwrap_or_default().email, None), Errors::none()).await
}

/// `POST /owners/new`: shows the account first. Whoever is admin of a subscription can make one for any address.
pub async fn add(me: Owner, form: Form<OwnerForm>) -> Result<HttpResponse, PageError> {
    let form = form.0;
    match users::candidate(me.app.db.read(), &form.email).await {
        Ok(it) if it.id.to_string() != form.account => {
            let account = Account::of(&me, &it).await?;
            return show_new(&me, (form.email, Some(account)), Errors::none()).await;
        }
        Ok(_) => {}
        Err(error) => return show_new(&me, (form.email, None), Errors::of(error)?).await,
    }
    match users::make_owner(&me.app, &form.email, &me.actor(), me.here.now).await {
        Ok(it) => {
            let told = format!("{} is an owner now.", it.name);
            Ok(Flash::new(told).then(&me.app, LIST))
        }
        Err(error) => show_new(&me, (form.email, None), Errors::of(error)?).await,
    }
}

#[derive(Template)]
#[template(path = "users/owner_removal.html")]
struct RemovalPage {
    page: Page,
    rows: Vec<OwnerRow>,
    name: String,
    path: String,
    errors: Errors,
}

async fn show_removal(me: &Owner, id: Uuid, errors: Errors) -> Result<HttpResponse, PageError> {
    let it = users::owner(&me.app.db, id).await?;
    let page = RemovalPage {
        page: Page::of(me, Section::Owners),
        rows: rows(me).await?,
        name: it.name,
        path: format!("{LIST}/{id}/removal"),
        errors,
    };
    refused(&page, &page.errors)
}

/// `GET /owners/{owner}/removal`
pub async fn removal_form(me: Owner, path: Path<String>) -> Result<HttpResponse, PageError> {
    show_removal(&me, id(&path), Errors::none()).await
}

/// `POST /owners/{owner}/removal`
pub async fn remove(me: Owner, path: Path<String>) -> Result<HttpResponse, PageError> {
    let id = id(&path);
    match users::end_ownership(&me.app, id, &me.actor(), me.here.now).await {
        Ok(it) => {
            let told = format!("{} is no owner any more.", it.name);
            let next = if id == me.user.id { "/" } else { LIST };
            Ok(Flash::new(told).then(&me.app, next))
        }
        Err(error) => show_removal(&me, id, Errors::of(error)?).await,
    }
}
