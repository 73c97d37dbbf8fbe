//! Pages: what each of them carries besides its own content, and how errors look.
use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{LOCATION, RETRY_AFTER},
    },
};
use askama::Template;

use super::{Flash, InPlace, SignedIn, guard, status_code};
use crate::{config::Cookies, domain::Role, error::Error, subscriptions::Subscription};

/// `Error` with an HTML face.
#[derive(Debug)]
pub struct PageError {
    error: Error,
    /// Where to go on after signing in, or after the password was shown once more.
    next: Option<String>,
}

impl PageError {
    pub fn coming_back_to(error: Error, next: String) -> Self {
        Self { error, next: Some(next) }
    }
}

impl<E: Into<Error>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self { error: error.into(), next: None }
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    status: u16,
    title: &'static str,
    message: String,
    request_id: String,
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        status_code(&self.error)
    }

    fn error_response(&self) -> HttpResponse {
        let asks = match self.error {
            Error::Unauthenticated => Some("/sign-in"),
            Error::Unproved => Some("/confirm-password"),
            _ => None,
        };
        if let Some(page) = asks {
            let next = self.next.as_deref().filter(|it| *it != "/");
            let query = next.map(|it| {
                let pair = form_urlencoded::Serializer::new(String::new())
                    .append_pair("next", it)
                    .finish();
                format!("?{pair}")
            });
            let to = format!("{page}{}", query.unwrap_or_default());
            return HttpResponse::SeeOther().insert_header((LOCATION, to)).finish();
        }
        if let Error::AlreadyDone { location } = &self.error {
            return super::see_other(location);
        }
        if let Error::Internal(cause) | Error::Unavailable(cause) = &self.error {
            tracing::error!(error = ?cause, "a page failed");
        }
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        if let Error::TooMany(seconds) = self.error {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if let Error::Unavailable(_) = self.error {
            response.insert_header((RETRY_AFTER, "2"));
        }
        let message = match self.error {
            Error::Invalid(ref fields) => {
                fields.iter().map(|it| it.message.clone()).collect::<Vec<_>>().join(" ")
            }
            _ => self.error.to_string(),
        };
        let page = Page::plain();
        let body = ErrorPage {
            page,
            status: status.as_u16(),
            title: title(status),
            message,
            // Only for faults of ours: all pages for "not found" are the same, byte by byte.
            request_id: if status.is_server_error() {
                guard::current_request_id()
            } else {
                String::new()
            },
        };
        let body = body.render().unwrap_or_else(|it| it.to_string());
        response.content_type("text/html; charset=utf-8").body(body)
    }
}

fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        403 => "Not allowed",
        404 => "Not found",
        405 => "This cannot be done here",
        409 => "Not possible now",
        410 => "No longer here",
        429 => "Too many tries",
        503 => "Not reachable for a moment",
        500..=599 => "Something went wrong",
        _ => "This request does not work",
    }
}

/// 200 with a template.
pub fn html(template: &impl Template) -> Result<HttpResponse, PageError> {
    html_with(StatusCode::OK, template)
}

/// A template with the status that fits what happened.
pub fn html_with(status: StatusCode, template: &impl Template) -> Result<HttpResponse, PageError> {
    let body = template.render().map_err(anyhow::Error::from)?;
    Ok(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(body))
}

/// A refused form, shown again: 409 where a rule refused, 422 where a field needs a change.
pub fn refused(
    template: &impl Template,
    errors: &super::Errors,
) -> Result<HttpResponse, PageError> {
    let status = match (errors.is_empty(), &errors.general) {
        (true, _) => StatusCode::OK,
        (_, Some(_)) => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    html_with(status, template)
}

/// The part of the frame that is marked as current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    None,
    Overview,
    Notices,
    Keys,
    Policies,
    UserGroups,
    Workspaces,
    Members,
    Permissions,
    Subscriptions,
    Owners,
    Audit,
    Settings,
    Profile,
}

/// What every page carries: theme, who is signed in, where, and what just happened.
pub struct Page {
    pub theme: String,
    /// Whether single letters do something.
    pub shortcuts: bool,
    pub section: Section,
    pub user: Option<Person>,
    pub place: Option<Place>,
    pub flash: Option<Flash>,
    /// Sessions over plain http were allowed by the operator.
    pub insecure: bool,
}

pub struct Person {
    pub name: String,
    pub initials: String,
    /// `Admin`, `Owner`, ...
    pub title: &'static str,
    pub is_owner: bool,
}

/// The subscription that the page is about.
pub struct Place {
    pub subscription: Subscription,
    pub role: Role,
    pub sees_keys: bool,
    /// Notices that the person has not seen, such as `3` or `99+`.
    pub unseen: Option<String>,
    /// Name and slug of the person's other subscriptions.
    pub others: Vec<(String, String)>,
}

impl Page {
    /// Its message does.
    pub fn offers_undo(&self) -> bool {
        self.flash.as_ref().is_some_and(|it| it.undo.is_some())
    }

    /// Without a frame: sign-in, set-up, errors.
    pub fn plain() -> Self {
        Self {
            theme: String::new(),
            shortcuts: true,
            section: Section::None,
            user: None,
            place: None,
            flash: None,
            insecure: false,
        }
    }

    /// For a signed-in person outside of any subscription.
    pub fn of(me: &SignedIn, section: Section) -> Self {
        let user = &me.user;
        let initials = user.name.split_whitespace().filter_map(|it| it.chars().next());
        let person = Person {
            name: user.name.clone(),
            initials: initials.take(2).collect::<String>().to_uppercase(),
            title: if user.is_owner { "Owner" } else { "User" },
            is_owner: user.is_owner,
        };
        Self {
            theme: if user.theme == "system" { String::new() } else { user.theme.clone() },
            shortcuts: user.shortcuts,
            section,
            user: Some(person),
            place: None,
            flash: me.flash.clone(),
            insecure: me.app.site.cookies == Cookies::Insecure,
        }
    }

    /// For a page of a subscription.
    pub fn within(it: &InPlace, section: Section) -> Self {
        let mut page = Self::of(&it.me, section);
        let subscription = it.scope.subscription().clone();
        let others = it.me.places.iter().map(|it| &it.subscription);
        let others = others.filter(|it| it.id != subscription.id);
        if let Some(person) = &mut page.user {
            person.title = it.role.title();
        }
        page.place = Some(Place {
            sees_keys: it.role.sees_keys(subscription.members_see_keys),
            others: others.map(|it| (it.name.clone(), it.slug.clone())).collect(),
            unseen: match it.unseen {
                0 => None,
                n @ 1..=99 => Some(n.to_string()),
                _ => Some("99+".to_owned()),
            },
            role: it.role,
            subscription,
        });
        page
    }
}
