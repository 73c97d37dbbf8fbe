//! What a key group holds, as a form: with the list of what it may do as it would be.
use actix_web::{HttpResponse, web::Path};
use askama::Template;
use uuid::Uuid;

use crate::{
    access::{
        self, Catalogue, Held, impact,
        pages::{impact::ImpactView, in_words, undo},
    },
    domain::{
        Access,
        access::{Place, Source},
    },
    error::Result,
    http::{
        Admin, Errors, Form, InPlace, Page, PageError,
        form::{Draft, Fields},
        page::{Section, refused},
    },
    key_groups,
    key_instances::pages::id,
    policies::Policy,
    user_groups::UserGroup,
    workspaces::{Role, Workspace},
};

/// One thing that a group can hold.
pub struct Choice {
    pub id: String,
    pub name: String,
    pub help: String,
    pub chosen: bool,
}

/// Fields that say what a group holds, and what follows: for the form of a new group too.
pub struct HeldFields {
    pub policies: Vec<Choice>,
    pub user_groups: Vec<Choice>,
    pub roles: Vec<Choice>,
    /// What it would be allowed to do.
    pub effective: Vec<String>,
    pub policy_required: bool,
    pub policies_path: String,
    pub user_groups_path: String,
}

impl HeldFields {
    pub fn of(it: &InPlace, all: &Catalogue, held: &Held) -> Self {
        let policy = |it: &Policy| Choice {
            id: it.id.to_string(),
            name: it.name.clone(),
            help: String::new(),
            chosen: held.policy == Some(it.id),
        };
        let user_group = |it: &(UserGroup, Vec<Uuid>)| Choice {
            id: it.0.id.to_string(),
            name: it.0.name.clone(),
            help: match all.of_user_group(&it.1).iter().collect::<Vec<_>>().join(", ") {
                none if none.is_empty() => "Grants nothing yet.".to_owned(),
                some => some,
            },
            chosen: held.user_groups.contains(&it.0.id),
        };
        let role = |it: &Role| Choice {
            id: it.id.to_string(),
            name: all.name(Source::Role(it.id)),
            help: String::new(),
            chosen: held.roles.contains(&it.id),
        };
        let mut roles: Vec<_> = all.roles.iter().map(role).collect();
        roles.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            policies: all.policies.iter().map(policy).collect(),
            user_groups: all.user_groups.iter().map(user_group).collect(),
            roles,
            effective: effective(all, held),
            policy_required: it.scope.subscription().policy_required,
            policies_path: it.path("/policies"),
            user_groups_path: it.path("/user-groups"),
        }
    }
}

/// All that a group with these may do, in words.
pub fn effective(all: &Catalogue, held: &Held) -> Vec<String> {
    in_words(all, &all.access(held).beyond(&Access::default()))
}

/// What the fields of a form say.
pub fn held(fields: &Fields) -> Held {
    Held {
        policy: fields.ids::<Vec<_>>("policy").first().copied(),
        user_groups: fields.ids("user_groups"),
        roles: fields.ids("roles"),
    }
}

#[derive(Template)]
#[template(path = "access/edit.html")]
struct EditPage {
    page: Page,
    name: String,
    held: HeldFields,
    version: i32,
    impact: ImpactView,
    path: String,
    groups_path: String,
    group_path: String,
    errors: Errors,
}

/// `GET /s/{slug}/groups/{group}/access/edit`
pub async fn form(
    admin: Admin,
    path: Path<(String, String)>,
    draft: Draft<Fields>,
) -> Result<HttpResponse, PageError> {
    let look = Look::at(&admin, id(&path.1)).await?;
    let typed = draft.0.as_ref().map_or_else(|| look.held.clone(), held);
    let impact = look.ahead(&admin, &typed).await?;
    look.show(&admin, &typed, impact, Errors::none())
}

/// A group, what it holds, and what there is to hold.
struct Look {
    group: key_groups::KeyGroup,
    held: Held,
    all: Catalogue,
}

impl Look {
    async fn at(admin: &Admin, group: Uuid) -> Result<Self> {
        let act = admin.act();
        let group = key_groups::find(&act, group).await?;
        let held = access::of_group(&act, group.id).await?;
        Ok(Self { group, held, all: Catalogue::load(&act).await? })
    }

    async fn ahead(&self, admin: &Admin, wanted: &Held) -> Result<ImpactView> {
        let held = (&self.held, wanted);
        let impact = impact::of_group(&admin.act(), &self.all, &self.group, held).await?;
        let picture = format!("{} {} {wanted:?}", self.group.id, self.group.access_version);
        Ok(ImpactView::of(admin, &self.all, &impact, &picture))
    }

    fn show(
        &self,
        admin: &Admin,
        typed: &Held,
        impact: ImpactView,
        errors: Errors,
    ) -> Result<HttpResponse, PageError> {
        let group_path = admin.path(&format!("/groups/{}", self.group.id));
        let page = EditPage {
            page: Page::within(admin, Section::Keys),
            name: self.group.name.clone(),
            held: HeldFields::of(admin, &self.all, typed),
            version: self.group.access_version,
            impact,
            path: format!("{group_path}/access/edit"),
            groups_path: admin.path("/groups"),
            group_path,
            errors,
        };
        refused(&page, &page.errors)
    }
}

/// `POST /s/{slug}/groups/{group}/access/edit`
pub async fn edit(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<Fields>,
) -> Result<HttpResponse, PageError> {
    let look = Look::at(&admin, id(&path.1)).await?;
    let wanted = held(&form);
    let version = form.one("version").parse().unwrap_or_default();
    let mut impact = look.ahead(&admin, &wanted).await?;
    if impact.comes_first(&form, version == look.group.access_version) {
        return look.show(&admin, &wanted, impact, Errors::none());
    }
    match access::set(&admin.act(), look.group.id, version, &wanted).await {
        Ok((it, edit)) => {
            let back = admin.path(&format!("/groups/{}/access", it.id));
            let what = format!("The access of {}", it.name);
            Ok(undo::saved(&admin, &what, edit, &back).then(&admin.me.app, &back))
        }
        Err(error) => look.show(&admin, &wanted, impact, Errors::of(error)?),
    }
}

/// The workspaces of a select, and what `workspace=` calls them.
pub fn workspaces(all: &Catalogue, asked: &str) -> Vec<Choice> {
    let one = |it: &Workspace| Choice {
        id: it.slug.clone(),
        name: it.name.clone(),
        help: String::new(),
        chosen: it.slug == asked,
    };
    all.workspaces.iter().map(one).collect()
}

/// Where a permission is asked for, in words.
pub fn place_in_words(all: &Catalogue, place: Place, asked: &str) -> String {
    match place {
        Place::Subscription => "in the whole subscription".to_owned(),
        Place::Workspace(id) => format!("in {}", all.place(Some(id))),
        Place::Nowhere => format!("in {asked}, which is no workspace"),
    }
}
