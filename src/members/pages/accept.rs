//! Accepting an invitation, with a new account or with one that there is.
use actix_session::Session;
use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use askama::Template;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    domain::Role,
    http::{App, Client, Errors, Flash, Form, Page, PageError, SignedIn, page::refused},
    members, sessions,
    subscriptions::Subscription,
    users::{self, NewUser},
};

#[derive(Template)]
#[template(path = "members/invitation.html")]
struct InvitationPage {
    page: Page,
    subscription: String,
    email: String,
    role: &'static str,
    /// The address belongs to a user: who must be the one that is signed in.
    has_account: bool,
    /// Who is.
    signed_in: Option<String>,
    path: String,
    name: String,
    errors: Errors,
}

#[derive(Deserialize, Default)]
pub struct AcceptForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

async fn show(
    app: &App,
    session: &Session,
    token: &str,
    name: String,
    errors: Errors,
) -> Result<HttpResponse, PageError> {
    let (invitation, subscription) = members::open_invitation(app, token, app.clock.now()).await?;
    let me = sessions::user_of(app, session).await?;
    let it = InvitationPage {
        page: Page::plain(),
        subscription: subscription.name,
        role: Role::parse(&invitation.role).unwrap_or(Role::Member).title(),
        has_account: users::by_email(&app.db, &invitation.email).await?.is_some(),
        signed_in: me.map(|it| it.email),
        email: invitation.email,
        path: format!("/invitations/{token}"),
        name,
        errors,
    };
    refused(&it, &it.errors)
}

/// `GET /invitations/{token}`
pub async fn form(
    app: Data<App>,
    session: Session,
    token: Path<String>,
) -> Result<HttpResponse, PageError> {
    show(&app, &session, &token, String::new(), Errors::none()).await
}

/// `POST /invitations/{token}`
pub async fn accept(
    app: Data<App>,
    session: Session,
    client: Client,
    token: Path<String>,
    form: Form<AcceptForm>,
) -> Result<HttpResponse, PageError> {
    let (form, now) = (form.0, app.clock.now());
    let new = NewUser {
        email: String::new(),
        name: form.name.clone(),
        password: Zeroizing::new(form.password),
    };
    match members::accept_as_new(&app, &token, new, client.clone(), now).await {
        Ok((user, joined)) => {
            sessions::begin(&session, &user, &client, now)?;
            let mut response = welcome(&app, &joined);
            sessions::pages::remember(&app, &user, &mut response)?;
            Ok(response)
        }
        Err(error) => show(&app, &session, &token, form.name, Errors::of(error)?).await,
    }
}

/// `POST /invitations/{token}/acceptance`: by the signed-in user whom it is for.
pub async fn accept_signed_in(
    me: SignedIn,
    token: Path<String>,
) -> Result<HttpResponse, PageError> {
    let joined = members::accept_as(&me.app, &token, &me.user, &me.actor(), me.here.now).await?;
    Ok(welcome(&me.app, &joined))
}

/// To the subscription, unless its keys are not for everybody.
fn welcome(app: &App, (joined, role): &(Subscription, Role)) -> HttpResponse {
    let sees_keys = role.sees_keys(joined.members_see_keys);
    let to = if sees_keys { format!("/s/{}", joined.slug) } else { "/subscriptions".to_owned() };
    Flash::new(format!("You have joined {}.", joined.name)).then(app, &to)
}
