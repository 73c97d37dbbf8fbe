//! Another policy for all key groups of one: what that changes is shown before it is saved.
use actix_web::{HttpResponse, web::Path};
use askama::Template;

use crate::{
    access::{
        Catalogue, impact,
        pages::{edit::Choice, impact::ImpactView, undo},
    },
    error::Result,
    http::{
        Admin, Errors, Form, Page, PageError,
        form::{Draft, Fields},
        page::{Section, refused},
        words,
    },
    key_instances::pages::id,
    policies::{self, Policy, deletion},
};

#[derive(Template)]
#[template(path = "policies/replace.html")]
struct ReplacePage {
    page: Page,
    name: String,
    others: Vec<Choice>,
    fence: String,
    /// Once another policy is chosen.
    impact: Option<ImpactView>,
    path: String,
    back: String,
    errors: Errors,
}

/// What a replacement is about: `to` is none until one is chosen.
struct Look {
    from: Policy,
    to: Option<Policy>,
    all: Catalogue,
    fence: String,
}

impl Look {
    async fn at(admin: &Admin, from: &str, to: &str) -> Result<Self> {
        let act = admin.act();
        let from = policies::find(&act, id(from)).await?;
        let all = Catalogue::load(&act).await?;
        let to = all.policy(id(to)).filter(|it| it.id != from.id).cloned();
        let fence = deletion::preview(&act, from.id).await?.fence;
        Ok(Self { from, to, all, fence })
    }

    async fn ahead(&self, admin: &Admin) -> Result<Option<ImpactView>> {
        let Some(to) = &self.to else { return Ok(None) };
        let impact = impact::replacement(&admin.act(), &self.all, (&self.from, to)).await?;
        let picture = format!("{} {} {}", self.from.id, to.id, self.fence);
        Ok(Some(ImpactView::of(admin, &self.all, &impact, &picture)))
    }

    fn show(
        &self,
        admin: &Admin,
        impact: Option<ImpactView>,
        errors: Errors,
    ) -> Result<HttpResponse, PageError> {
        let back = admin.path(&format!("/policies/{}", self.from.id));
        let other = |it: &Policy| Choice {
            id: it.id.to_string(),
            name: it.name.clone(),
            help: String::new(),
            chosen: self.to.as_ref().is_some_and(|to| to.id == it.id),
        };
        let others = self.all.policies.iter().filter(|it| it.id != self.from.id);
        let page = ReplacePage {
            page: Page::within(admin, Section::Policies),
            name: self.from.name.clone(),
            others: others.map(other).collect(),
            fence: self.fence.clone(),
            impact,
            path: format!("{back}/replacement"),
            back,
            errors,
        };
        refused(&page, &page.errors)
    }
}

/// `GET /s/{slug}/policies/{policy}/replacement`
pub async fn form(
    admin: Admin,
    path: Path<(String, String)>,
    draft: Draft<Fields>,
) -> Result<HttpResponse, PageError> {
    let to = draft.0.unwrap_or_default().take("to");
    Look::at(&admin, &path.1, &to).await?.show(&admin, None, Errors::none())
}

/// `POST /s/{slug}/policies/{policy}/replacement`
pub async fn replace(
    admin: Admin,
    path: Path<(String, String)>,
    form: Form<Fields>,
) -> Result<HttpResponse, PageError> {
    let look = Look::at(&admin, &path.1, form.one("to")).await?;
    let mut impact = look.ahead(&admin).await?;
    let fence = form.one("fence");
    if impact.as_mut().is_some_and(|it| it.comes_first(&form, look.fence == fence)) {
        return look.show(&admin, impact, Errors::none());
    }
    let ids = (look.from.id, id(form.one("to")));
    match deletion::replace(&admin.act(), ids, fence).await {
        Ok((n, edit)) => {
            let verb = if n == 1 { "has" } else { "have" };
            let text = format!("{} now {verb} another policy.", words::plural(n, "key group"));
            let back = admin.path(&format!("/policies/{}", look.from.id));
            Ok(undo::flash(&admin, text, edit, &back).then(&admin.me.app, &back))
        }
        Err(error) => look.show(&admin, impact, Errors::of(error)?),
    }
}
