//! The list of subscriptions, and what the owner of the installation does with them.
use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Path, Query},
};
use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{NewSubscription, Subscription};
use crate::{
    domain::Role,
    error::{Error, Result},
    http::{
        Errors, Flash, Form, Owner, Page, PageError, SignedIn,
        form::Draft,
        html,
        page::{Section, refused},
        words::{self, Moment},
    },
    key_groups,
    members::pages::link,
};

/// Rows of one page of the owner's list.
const PAGE: u64 = 50;

pub struct SubscriptionRow {
    pub name: String,
    pub slug: String,
    /// Where it opens; empty for an owner who is no member.
    pub path: String,
    pub role: &'static str,
    pub groups: String,
    pub active: String,
    pub soon: i32,
    pub attention: i32,
    pub suspended: bool,
    /// Groups without a successor, and with nothing active: empty for none.
    pub no_successor: String,
    pub nothing_active: String,
    /// When a group stops being covered next.
    pub next_end: Option<Moment>,
}

/// Everything that the template of the list shows; dialogs draw it behind themselves.
pub struct SubscriptionList {
    pub rows: Vec<SubscriptionRow>,
    pub is_owner: bool,
    pub next: Option<String>,
}

#[derive(Template)]
#[template(path = "subscriptions/list.html")]
struct ListPage {
    page: Page,
    list: SubscriptionList,
}

#[derive(Deserialize)]
pub struct After {
    #[serde(default)]
    after: String,
}

/// `GET /subscriptions`
pub async fn list(me: SignedIn, query: Query<After>) -> Result<HttpResponse, PageError> {
    let list = view(&me, &query.after).await?;
    html(&ListPage { page: Page::of(&me, Section::Subscriptions), list })
}

/// One's own subscriptions; for an owner all of them, by name and counts only.
async fn view(me: &SignedIn, after: &str) -> Result<SubscriptionList> {
    key_groups::bring_all_up_to_date(&me.app.db, me.here.now).await?;
    if !me.user.is_owner {
        let places = super::of_user(&me.app.db, me.user.id).await?;
        let ends = ends(me, places.iter().map(|it| it.0.id)).await?;
        let rows = places.iter().map(|(it, role)| row(me, it, Some(*role), &ends)).collect();
        return Ok(SubscriptionList { rows, is_owner: false, next: None });
    }
    let after = Some(after).filter(|it| !it.is_empty());
    let mut all = super::all(&me.app.db, after, PAGE + 1).await?;
    let more = all.len() as u64 > PAGE;
    all.truncate(PAGE as usize);
    let next = all.last().filter(|_| more).map(|it| format!("/subscriptions?after={}", it.slug));
    let role_in = |it: &Subscription| me.places.iter().find(|place| place.subscription.id == it.id);
    let ends = ends(me, all.iter().map(|it| it.id)).await?;
    let rows = all.iter().map(|it| row(me, it, role_in(it).map(|it| it.role), &ends)).collect();
    Ok(SubscriptionList { rows, is_owner: true, next })
}

/// When a group of each of these stops being covered next.
type NextEnds = HashMap<Uuid, DateTime<Utc>>;

async fn ends(me: &SignedIn, ids: impl Iterator<Item = Uuid>) -> Result<NextEnds> {
    key_groups::next_ends(&me.app.db, ids.collect()).await
}

/// Led to are those whose pages the person may see.
fn row(me: &SignedIn, it: &Subscription, role: Option<Role>, ends: &NextEnds) -> SubscriptionRow {
    let some = |n: i32, what: &str| match n {
        0 => String::new(),
        n => format!("{} {what}", words::count(n)),
    };
    let sees = role.is_some_and(|role| role.sees_keys(it.members_see_keys));
    SubscriptionRow {
        name: it.name.clone(),
        slug: it.slug.clone(),
        path: if sees { format!("/s/{}", it.slug) } else { String::new() },
        role: role.map_or("none", Role::title),
        groups: words::count(it.group_count),
        active: words::count(it.active_count),
        soon: it.soon_count,
        attention: it.attention_groups,
        suspended: it.is_suspended(),
        no_successor: some(it.no_successor_groups, "without successor"),
        nothing_active: some(it.nothing_active_groups, "with nothing active"),
        next_end: ends.get(&it.id).map(|at| me.here.day(*at)),
    }
}

/// A dialog with at most one or two text fields: new, rename, invite, suspend.
#[derive(Template)]
#[template(path = "subscriptions/dialog.html")]
struct DialogPage {
    page: Page,
    list: SubscriptionList,
    title: String,
    text: String,
    fields: Vec<Field>,
    button: &'static str,
    danger: bool,
    path: String,
    errors: Errors,
}

struct Field {
    name: &'static str,
    label: String,
    help: &'static str,
    value: String,
    optional: bool,
}

impl Field {
    fn new(name: &'static str, label: impl Into<String>, value: &str) -> Self {
        Self { name, label: label.into(), help: "", value: value.to_owned(), optional: false }
    }
}

struct Dialog {
    title: String,
    text: String,
    fields: Vec<Field>,
    button: &'static str,
    danger: bool,
    path: String,
}

impl Dialog {
    async fn show(self, owner: &Owner, errors: Errors) -> Result<HttpResponse, PageError> {
        let page = DialogPage {
            page: Page::of(owner, Section::Subscriptions),
            list: view(owner, "").await?,
            title: self.title,
            text: self.text,
            fields: self.fields,
            button: self.button,
            danger: self.danger,
            path: self.path,
            errors,
        };
        refused(&page, &page.errors)
    }
}

#[derive(Clone, Default, Deserialize)]
pub struct SubscriptionForm {
    #[serde(default)]
    subscription: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    email: String,
}

fn new_dialog(form: &SubscriptionForm) -> Dialog {
    let slug = Field {
        help: "For URLs and the x-tenant-name header. It never changes. Made from the name if \
               left empty.",
        optional: true,
        ..Field::new("slug", "Short name", &form.slug)
    };
    Dialog {
        title: "New subscription".to_owned(),
        text: "A subscription is a tenant: its key groups, keys and members are seen by nobody \
               else."
            .to_owned(),
        fields: vec![Field::new("subscription", "Name", &form.subscription), slug],
        button: "Create subscription",
        danger: false,
        path: "/subscriptions/new".to_owned(),
    }
}

/// `GET /subscriptions/new`
pub async fn new_form(
    owner: Owner,
    draft: Draft<SubscriptionForm>,
) -> Result<HttpResponse, PageError> {
    new_dialog(&draft.0.unwrap_or_default()).show(&owner, Errors::none()).await
}

/// `POST /subscriptions/new`
pub async fn create(owner: Owner, form: Form<SubscriptionForm>) -> Result<HttpResponse, PageError> {
    let new = NewSubscription { name: form.subscription.clone(), slug: form.slug.clone() };
    match super::create(&owner.app, new, &owner.actor(), owner.here.now).await {
        Ok(made) => {
            let path = format!("/subscriptions/{}/invitation", made.slug);
            Ok(Flash::new(format!("{} is created. Invite its first admin.", made.name))
                .then(&owner.app, &path))
        }
        Err(error) => new_dialog(&form).show(&owner, Errors::of(error)?).await,
    }
}

fn name_dialog(it: &Subscription, name: &str) -> Dialog {
    Dialog {
        title: format!("Rename {}", it.name),
        text: format!("Its short name {} stays: URLs and callers depend on it.", it.slug),
        fields: vec![Field::new("name", "Name", name)],
        button: "Rename",
        danger: false,
        path: format!("/subscriptions/{}/name", it.slug),
    }
}

/// `GET /subscriptions/{slug}/name`
pub async fn name_form(
    owner: Owner,
    slug: Path<String>,
    draft: Draft<NameForm>,
) -> Result<HttpResponse, PageError> {
    let it = super::by_slug(&owner.app.db, &slug).await?;
    let name = draft.0.map_or_else(|| it.name.clone(), |it| it.name);
    name_dialog(&it, &name).show(&owner, Errors::none()).await
}

#[derive(Deserialize)]
pub struct NameForm {
    #[serde(default)]
    name: String,
}

/// `POST /subscriptions/{slug}/name`
pub async fn rename(
    owner: Owner,
    slug: Path<String>,
    form: Form<NameForm>,
) -> Result<HttpResponse, PageError> {
    let it = super::by_slug(&owner.app.db, &slug).await?;
    match super::rename(&owner.app, &it, &form.name, &owner.actor(), owner.here.now).await {
        Ok(()) => Ok(Flash::new("The subscription is renamed.").then(&owner.app, "/subscriptions")),
        Err(error) => name_dialog(&it, &form.name).show(&owner, Errors::of(error)?).await,
    }
}

/// Where keys are active, calls may come with them, so the short name is typed.
fn suspension_dialog(it: &Subscription) -> Dialog {
    let (active, verb) = (
        words::plural(it.active_count, "active key"),
        if it.active_count == 1 { "is" } else { "are" },
    );
    let confirm = Field {
        help: "Because its keys are active.",
        ..Field::new("confirm", format!("Type {} to confirm", it.slug), "")
    };
    Dialog {
        title: format!("Suspend {}?", it.name),
        text: format!(
            "Its {active} {verb} refused from this moment, and nothing in it can be changed. You can \
             lift this later."
        ),
        fields: (it.active_count > 0).then_some(confirm).into_iter().collect(),
        button: "Suspend",
        danger: true,
        path: format!("/subscriptions/{}/suspension", it.slug),
    }
}

/// `GET /subscriptions/{slug}/suspension`
pub async fn suspension_form(owner: Owner, slug: Path<String>) -> Result<HttpResponse, PageError> {
    let it = super::by_slug(&owner.app.db, &slug).await?;
    suspension_dialog(&it).show(&owner, Errors::none()).await
}

#[derive(Deserialize)]
pub struct Confirmation {
    #[serde(default)]
    confirm: String,
}

/// `POST /subscriptions/{slug}/suspension`
pub async fn suspend(
    owner: Owner,
    slug: Path<String>,
    form: Form<Confirmation>,
) -> Result<HttpResponse, PageError> {
    let it = super::by_slug(&owner.app.db, &slug).await?;
    if it.active_count > 0 && form.confirm.trim() != it.slug {
        let wrong = Error::field("confirm", format!("Type {} to confirm.", it.slug));
        return suspension_dialog(&it).show(&owner, Errors::of(wrong)?).await;
    }
    set_suspended(&owner, &slug, true).await
}

/// `POST /subscriptions/{slug}/resumption`
pub async fn resume(owner: Owner, slug: Path<String>) -> Result<HttpResponse, PageError> {
    set_suspended(&owner, &slug, false).await
}

async fn set_suspended(owner: &Owner, slug: &str, yes: bool) -> Result<HttpResponse, PageError> {
    let it = super::by_slug(&owner.app.db, slug).await?;
    super::set_suspended(&owner.app, &it, yes, &owner.actor(), owner.here.now).await?;
    let text = if yes {
        format!("{} is suspended. All its keys are refused.", it.name)
    } else {
        format!("{} works again.", it.name)
    };
    Ok(Flash::new(text).then(&owner.app, "/subscriptions"))
}

fn invitation_dialog(it: &Subscription, email: &str) -> Dialog {
    Dialog {
        title: format!("Invite an admin to {}", it.name),
        text: "You get a link to pass on. It is shown once, works once, and for 7 days.".to_owned(),
        fields: vec![Field::new("email", "E-mail of the admin", email)],
        button: "Make the link",
        danger: false,
        path: format!("/subscriptions/{}/invitation", it.slug),
    }
}

/// `GET /subscriptions/{slug}/invitation`
pub async fn invitation_form(
    owner: Owner,
    slug: Path<String>,
    draft: Draft<SubscriptionForm>,
) -> Result<HttpResponse, PageError> {
    let it = super::by_slug(&owner.app.db, &slug).await?;
    let email = draft.0.map(|it| it.email).unwrap_or_default();
    invitation_dialog(&it, &email).show(&owner, Errors::none()).await
}

fn link_path(it: &Subscription) -> String {
    format!("/subscriptions/{}/invitation/link", it.slug)
}

/// `POST /subscriptions/{slug}/invitation`
pub async fn invite(
    owner: Owner,
    slug: Path<String>,
    form: Form<SubscriptionForm>,
) -> Result<HttpResponse, PageError> {
    let it = super::by_slug(&owner.app.db, &slug).await?;
    let invited =
        super::invite_admin(&owner.app, &it, &form.email, &owner.actor(), owner.here.now).await;
    let token = match invited {
        Ok(token) => token,
        Err(error) => {
            return invitation_dialog(&it, &form.email).show(&owner, Errors::of(error)?).await;
        }
    };
    Ok(link::hand_over(&owner, it.id, &link_path(&it), &token)?)
}

#[derive(Template)]
#[template(path = "subscriptions/link.html")]
struct LinkPage {
    page: Page,
    list: SubscriptionList,
    told: String,
    link: String,
    path: String,
}

/// `GET /subscriptions/{slug}/invitation/link`: shown once, like a secret.
pub async fn invitation_link(
    owner: Owner,
    req: HttpRequest,
    slug: Path<String>,
) -> Result<HttpResponse, PageError> {
    let it = super::by_slug(&owner.app.db, &slug).await?;
    let link = link::shown(&owner, it.id, &req)?;
    html(&LinkPage {
        page: Page::of(&owner, Section::Subscriptions),
        list: view(&owner, "").await?,
        path: link_path(&it),
        told: format!("It makes its holder an admin of {}.", it.name),
        link,
    })
}

/// `POST /subscriptions/{slug}/invitation/link`: the owner has it.
pub async fn invitation_kept(owner: Owner, slug: Path<String>) -> Result<HttpResponse, PageError> {
    let it = super::by_slug(&owner.app.db, &slug).await?;
    let flash = Flash::new(format!("The invitation to {} is ready.", it.name));
    Ok(link::kept(&owner, &link_path(&it), &flash, "/subscriptions")?)
}
