//! The profile: how a person wants to see the pages, the password, and where they are signed in.
use actix_session::Session;
use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use crate::{
    clock::instant,
    error::Result,
    http::{
        Errors, Flash, Form, Page, PageError, SignedIn,
        form::Draft,
        page::{Section, refused},
        words::Moment,
    },
    sessions::{self, SessionRow},
    users::{self, Preferences},
};

#[derive(Template)]
#[template(path = "users/profile.html")]
struct ProfilePage {
    page: Page,
    profile: Profile,
}

/// Everything that the template of the profile shows; dialogs draw it behind themselves.
pub struct Profile {
    pub email: String,
    pub form: ProfileForm,
    pub zones: Vec<&'static str>,
    pub errors: Errors,
    pub sessions: Vec<SessionView>,
    /// Programs that are signed in to a REST interface with the person's password.
    pub programs: usize,
}

/// One's own live session.
pub struct SessionView {
    /// For the form that ends it; empty for one that cannot be named.
    pub id: String,
    /// `Firefox on Linux`
    pub browser: String,
    pub agent: String,
    pub address: String,
    pub is_this: bool,
    pub started: Moment,
    pub last_seen: Moment,
}

#[derive(Clone, Default, Deserialize)]
pub struct ProfileForm {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub theme: String,
    #[serde(default)]
    pub time_zone: String,
    /// `off`, or on.
    #[serde(default)]
    pub shortcuts: String,
}

/// `GET /profile`
pub async fn form(
    me: SignedIn,
    session: Session,
    draft: Draft<ProfileForm>,
) -> Result<HttpResponse, PageError> {
    show(&me, &session, draft.0, Errors::none()).await
}

async fn show(
    me: &SignedIn,
    session: &Session,
    form: Option<ProfileForm>,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let profile = view(me, session, form, errors).await?;
    let page = ProfilePage { page: Page::of(me, Section::Profile), profile };
    refused(&page, &page.profile.errors)
}

/// The profile with what was typed, or as it is.
pub async fn view(
    me: &SignedIn,
    session: &Session,
    form: Option<ProfileForm>,
    errors: Errors,
) -> Result<Profile> {
    let user = &me.user;
    let form = form.unwrap_or_else(|| ProfileForm {
        name: user.name.clone(),
        theme: user.theme.clone(),
        time_zone: user.time_zone.clone(),
        shortcuts: if user.shortcuts { "on" } else { "off" }.to_owned(),
    });
    let this = sessions::current(session);
    let rows = sessions::of_user(&me.app.db, user.id, me.here.now).await?;
    let mut sessions: Vec<_> = rows.iter().map(|it| session_view(me, &this, it)).collect();
    sessions.sort_by_key(|it| !it.is_this);
    Ok(Profile {
        email: user.email.clone(),
        form,
        zones: chrono_tz::TZ_VARIANTS.iter().map(|it| it.name()).collect(),
        errors,
        sessions,
        programs: sessions::rest::count_of(&me.app, user.id, me.here.now).await?,
    })
}

fn session_view(me: &SignedIn, this: &str, row: &SessionRow) -> SessionView {
    let started = row.started().unwrap_or_default();
    SessionView {
        browser: sessions::in_words(&started.agent),
        is_this: started.id == this,
        id: started.id,
        agent: started.agent,
        address: started.address,
        started: me.here.relative(instant(row.created_at)),
        last_seen: me.here.relative(instant(row.last_seen_at)),
    }
}

/// `POST /profile`
pub async fn save(
    me: SignedIn,
    session: Session,
    form: Form<ProfileForm>,
) -> Result<HttpResponse, PageError> {
    let form = form.0;
    let wanted = Preferences {
        name: form.name.clone(),
        theme: form.theme.clone(),
        time_zone: form.time_zone.clone(),
        shortcuts: form.shortcuts != "off",
    };
    let actor = me.actor();
    match users::set_preferences(&me.app, &me.user, wanted, &actor, me.here.now).await {
        Ok(()) => Ok(Flash::new("Your profile is saved.").then(&me.app, "/profile")),
        Err(error) => show(&me, &session, Some(form), Errors::of(error)?).await,
    }
}
