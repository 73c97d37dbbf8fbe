//! A new user group, and the form of one: what an edit changes is shown before it is saved.
use actix_web::{HttpResponse, web::Path};
use askama::Template;

use crate::{
    access::{
        Catalogue, impact,
        pages::{edit::Choice, impact::ImpactView, undo},
    },
    domain::access::Source,
    error::Result,
    http::{
        Admin, Errors, Form, Page, PageError,
        form::{Draft, Fields},
        page::{Section, refused},
    },
    key_instances::pages::id,
    members,
    pepper::random_token,
    user_groups::{self, UserGroup, Wanted},
};

#[derive(Template)]
#[template(path = "user_groups/form.html")]
struct FormPage {
    page: Page,
    title: String,
    name: String,
    description: String,
    policies: Vec<Choice>,
    people: Vec<Choice>,
    policies_path: String,
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
        policies: fields.ids("policies"),
        members: fields.ids("members"),
    }
}

/// What a form is about: none for a new user group.
struct Look<'a> {
    admin: &'a Admin,
    all: Catalogue,
    it: Option<UserGroup>,
}

impl<'a> Look<'a> {
    async fn at(admin: &'a Admin, it: Option<UserGroup>) -> Result<Self> {
        Ok(Self { admin, all: Catalogue::load(&admin.act()).await?, it })
    }

    async fn ahead(&self, typed: &Wanted) -> Result<Option<ImpactView>> {
        let Some(it) = &self.it else { return Ok(None) };
        let policies: Vec<_> = typed.policies.iter().copied().collect();
        let changed = self.all.clone().with_user_group(it.id, &policies);
        let before = self.all.user_group(it.id).map(|it| self.all.of_user_group(&it.1));
        let sets = (&before.unwrap_or_default(), &changed.of_user_group(&policies));
        let own = [Source::UserGroup(it.id)];
        let impact = impact::shared(&self.admin.act(), (&self.all, &changed), &own, sets).await?;
        let picture = format!("{} {} {policies:?}", it.id, it.version);
        Ok(Some(ImpactView::of(self.admin, &self.all, &impact, &picture)))
    }

    async fn show(
        self,
        typed: &Wanted,
        impact: Option<ImpactView>,
        errors: Errors,
    ) -> Result<HttpResponse, PageError> {
        let admin = self.admin;
        let list = admin.path("/user-groups");
        let path = self.it.as_ref().map(|it| format!("{list}/{}", it.id));
        let policy = |it: &crate::policies::Policy| Choice {
            id: it.id.to_string(),
            name: it.name.clone(),
            help: it.set().iter().collect::<Vec<_>>().join(", "),
            chosen: typed.policies.contains(&it.id),
        };
        let person = |(id, name, email): (uuid::Uuid, String, String)| Choice {
            chosen: typed.members.contains(&id),
            id: id.to_string(),
            name,
            help: email,
        };
        let page = FormPage {
            page: Page::within(admin, Section::UserGroups),
            title: match &self.it {
                Some(it) => format!("Edit {}", it.name),
                None => "New user group".to_owned(),
            },
            name: typed.name.clone(),
            description: typed.description.clone(),
            policies: self.all.policies.iter().map(policy).collect(),
            people: members::people(&admin.act()).await?.into_iter().map(person).collect(),
            policies_path: admin.path("/policies"),
            submission: random_token(),
            version: self.it.as_ref().map_or(0, |it| it.version),
            impact,
            path: path.as_ref().map_or(format!("{list}/new"), |it| format!("{it}/edit")),
            back: path.unwrap_or(list),
            errors,
        };
        refused(&page, &page.errors)
    }
}

/// `GET /s/{slug}/user-groups/new`
pub async fn new_form(admin: Admin, draft: Draft<Fields>) -> Result<HttpResponse, PageError> {
    let typed = draft.0.as_ref().map(wanted).unwrap_or_default();
    Look::at(&admin, None).await?.show(&typed, None, Errors::none()).await
}

/// `POST /s/{slug}/user-groups/new`
pub async fn create(admin: Admin, form: Form<Fields>) -> Result<HttpResponse, PageError> {
    let wanted = wanted(&form);
    match user_groups::create(&admin.act(), &wanted, form.one("submission")).await {
        Ok(it) => {
            let text = format!("{} is made. Give it to key groups on their pages.", it.name);
            let path = admin.path(&format!("/user-groups/{}", it.id));
            Ok(undo::flash(&admin, text, None, "").then(&admin.me.app, &path))
        }
        Err(error) => {
            let errors = Errors::of(error)?;
            Look::at(&admin, None).await?.show(&wanted, None, errors).await
        }
    }
}

/// `GET /s/{slug}/user-groups/{user_group}/edit`
pub async fn edit_form(
    admin: Admin,
    path: Path<(String, String)>,
    draft: Draft<Fields>,
) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let it = user_groups::find(&act, id(&path.1)).await?;
    let typed = match draft.0 {
        Some(fields) => wanted(&fields),
        None => user_groups::wanted(&act, &it).await?,
    };
    let look = Look::at(&admin, Some(it)).await?;
    let impact = look.ahead(&typed).await?;
    look.show(&typed, impact, Errors::none()).await
}

/// `POST /s/{slug}/user-groups/{user_group}/edit`
pub async fn edit(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<Fields>,
) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let it = user_groups::find(&act, id(&path.1)).await?;
    let wanted = wanted(&form);
    let version = form.one("version").parse().unwrap_or_default();
    let (group, is_current) = (it.id, version == it.version);
    let look = Look::at(&admin, Some(it)).await?;
    let mut impact = look.ahead(&wanted).await?;
    if impact.as_mut().is_some_and(|it| it.comes_first(&form, is_current)) {
        return look.show(&wanted, impact, Errors::none()).await;
    }
    match user_groups::edit(&act, group, version, &wanted).await {
        Ok((it, edit)) => {
            let path = admin.path(&format!("/user-groups/{}", it.id));
            Ok(undo::saved(&admin, &it.name, edit, &path).then(&admin.me.app, &path))
        }
        Err(error) => look.show(&wanted, impact, Errors::of(error)?).await,
    }
}
