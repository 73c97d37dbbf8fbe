//! The site map: every route, who may call it, and its handler. Nothing is mounted elsewhere.
use std::{net::TcpListener, time::Duration};

use actix_session::{
    SessionMiddleware,
    config::{BrowserSession, CookieContentSecurity},
};
use actix_web::{
    App as Actix, HttpRequest, HttpResponse, HttpServer, Resource, ResponseError,
    cookie::SameSite,
    dev::Server,
    http::{
        Method, StatusCode,
        header::{ALLOW, HeaderValue},
    },
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};

use crate::{
    access, audit,
    config::Cookies,
    dialects::webtsm,
    error::Error,
    http::{
        self, App, PageError, assets,
        caller::{Fresh, HasPage},
        guard,
    },
    installation, key_groups, key_instances, members, overview, permissions, personal_keys,
    policies, sessions, subscriptions, user_groups, users, verify, workspaces,
};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Anyone,
    SignedIn,
    Owner,
    /// Members who may see keys.
    Viewer,
    Admin,
    /// Admins and auditors.
    AuditReader,
    /// A user by HTTP Basic with e-mail address and password; never with a key.
    PersonalApi,
}
use Access::*;

/// One method of one path.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    /// Only for whoever has shown the password a short while ago (SECURITY.md 3.4).
    pub fresh: bool,
    handler: fn() -> actix_web::Route,
}

impl Route {
    const fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }
}

const fn get(path: &'static str, access: Access, handler: fn() -> actix_web::Route) -> Route {
    Route { method: Method::GET, path, access, fresh: false, handler }
}

const fn post(path: &'static str, access: Access, handler: fn() -> actix_web::Route) -> Route {
    Route { method: Method::POST, path, access, fresh: false, handler }
}

const fn delete(path: &'static str, access: Access, handler: fn() -> actix_web::Route) -> Route {
    Route { method: Method::DELETE, path, access, fresh: false, handler }
}

/// An interface that programs speak, and all that lies below its path.
pub struct Face {
    pub below: &'static str,
    /// How it words what none of its routes answers: no such path, a wrong method, too slow.
    pub refuse: fn(StatusCode) -> HttpResponse,
}

pub static FACES: &[Face] = &[
    Face { below: "/auth/api-keys", refuse: webtsm::refuse },
    Face { below: "/.well-known/jwks.json", refuse: webtsm::refuse },
];

/// Of the faces: behind the request log, the deadline and the known host, but outside of browser
/// sessions and the cross-site check. The cookies of the pages mean nothing here.
#[rustfmt::skip]
pub static API_ROUTES: &[Route] = &[
    get   ("/auth/api-keys/keys",           PersonalApi, || web::to(webtsm::list)),
    post  ("/auth/api-keys/keys",           PersonalApi, || web::to(webtsm::create)),
    get   ("/auth/api-keys/keys/{key_id}",  PersonalApi, || web::to(webtsm::show)),
    delete("/auth/api-keys/keys/{key_id}",  PersonalApi, || web::to(webtsm::delete)),
    get   ("/.well-known/jwks.json",        Anyone,      || web::to(webtsm::jwks)),
];

/// Outside of sessions, CSRF and the request log: machines call these.
#[rustfmt::skip]
pub static MACHINE_ROUTES: &[Route] = &[
    get ("/verify",                 Anyone, || web::to(verify::gateway::check)),
    post("/verify",                 Anyone, || web::to(verify::gateway::check)),
    get ("/healthz",                Anyone, || web::to(healthz)),
    get ("/readyz",                 Anyone, || web::to(readyz)),
    get ("/static/{hash}/{name}",   Anyone, || web::to(assets::serve)),
    get ("/favicon.ico",            Anyone, || web::to(assets::well_known)),
    get ("/robots.txt",             Anyone, || web::to(assets::well_known)),
];

/// Pages for people. A form is posted to the path that shows it.
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
    get ("/",                                                   SignedIn,    || web::to(sessions::pages::home)),
    get ("/sign-in",                                            Anyone,      || web::to(sessions::pages::form)),
    post("/sign-in",                                            Anyone,      || web::to(sessions::pages::sign_in)),
    get ("/confirm-password",                                   SignedIn,    || web::to(sessions::pages::confirm_form)),
    post("/confirm-password",                                   SignedIn,    || web::to(sessions::pages::confirm)),
    post("/sign-out",                                           SignedIn,    || web::to(sessions::pages::sign_out)),
    get ("/setup/{token}",                                      Anyone,      || web::to(installation::pages::form)),
    post("/setup/{token}",                                      Anyone,      || web::to(installation::pages::set_up)),
    get ("/invitations/{token}",                                Anyone,      || web::to(members::pages::accept::form)),
    post("/invitations/{token}",                                Anyone,      || web::to(members::pages::accept::accept)),
    post("/invitations/{token}/acceptance",                     SignedIn,    || web::to(members::pages::accept::accept_signed_in)),
    get ("/profile",                                            SignedIn,    || web::to(users::pages::profile::form)),
    post("/profile",                                            SignedIn,    || web::to(users::pages::profile::save)),
    get ("/profile/password",                                   SignedIn,    || web::to(users::pages::password::form)),
    post("/profile/password",                                   SignedIn,    || web::to(users::pages::password::change)),
    post("/profile/sessions/ending",                            SignedIn,    || web::to(users::pages::sessions::end)),
    post("/profile/sessions/others/ending",                     SignedIn,    || web::to(users::pages::sessions::end_others)),
    get ("/profile/keys",                                       SignedIn,    || web::to(personal_keys::pages::list::list)),
    get ("/profile/keys/new",                                   SignedIn,    || web::to(personal_keys::pages::issue::form)).fresh(),
    post("/profile/keys/new",                                   SignedIn,    || web::to(personal_keys::pages::issue::create)).fresh(),
    get ("/profile/keys/{personal_key}/secret",                 SignedIn,    || web::to(personal_keys::pages::secret::show)).fresh(),
    get ("/profile/keys/{personal_key}/secret/download.json",   SignedIn,    || web::to(personal_keys::pages::secret::json)).fresh(),
    post("/profile/keys/{personal_key}/secret/acknowledgement", SignedIn,    || web::to(personal_keys::pages::secret::acknowledge)),
    get ("/profile/keys/{personal_key}/deletion",               SignedIn,    || web::to(personal_keys::pages::deletion::form)),
    post("/profile/keys/{personal_key}/deletion",               SignedIn,    || web::to(personal_keys::pages::deletion::delete)),
    get ("/subscriptions",                                      SignedIn,    || web::to(subscriptions::pages::list)),
    get ("/subscriptions/new",                                  Owner,       || web::to(subscriptions::pages::new_form)),
    post("/subscriptions/new",                                  Owner,       || web::to(subscriptions::pages::create)),
    get ("/subscriptions/{slug}/name",                          Owner,       || web::to(subscriptions::pages::name_form)),
    post("/subscriptions/{slug}/name",                          Owner,       || web::to(subscriptions::pages::rename)),
    get ("/subscriptions/{slug}/suspension",                    Owner,       || web::to(subscriptions::pages::suspension_form)).fresh(),
    post("/subscriptions/{slug}/suspension",                    Owner,       || web::to(subscriptions::pages::suspend)).fresh(),
    post("/subscriptions/{slug}/resumption",                    Owner,       || web::to(subscriptions::pages::resume)),
    get ("/subscriptions/{slug}/invitation",                    Owner,       || web::to(subscriptions::pages::invitation_form)).fresh(),
    post("/subscriptions/{slug}/invitation",                    Owner,       || web::to(subscriptions::pages::invite)).fresh(),
    get ("/subscriptions/{slug}/invitation/link",               Owner,       || web::to(subscriptions::pages::invitation_link)).fresh(),
    post("/subscriptions/{slug}/invitation/link",               Owner,       || web::to(subscriptions::pages::invitation_kept)),
    get ("/owners",                                             Owner,       || web::to(users::pages::owners::list)),
    get ("/owners/new",                                         Owner,       || web::to(users::pages::owners::new_form)).fresh(),
    post("/owners/new",                                         Owner,       || web::to(users::pages::owners::add)).fresh(),
    get ("/owners/{owner}/removal",                             Owner,       || web::to(users::pages::owners::removal_form)).fresh(),
    post("/owners/{owner}/removal",                             Owner,       || web::to(users::pages::owners::remove)).fresh(),
    get ("/audit",                                              Owner,       || web::to(audit::pages::of_installation)),
    get ("/audit.csv",                                          Owner,       || web::to(audit::pages::csv_of_installation)).fresh(),
    get ("/s/{slug}",                                           Viewer,      || web::to(overview::pages::overview)),
    get ("/s/{slug}/settings",                                  Admin,       || web::to(subscriptions::settings::form)),
    post("/s/{slug}/settings",                                  Admin,       || web::to(subscriptions::settings::save)),
    get ("/s/{slug}/members",                                   Viewer,      || web::to(members::pages::list::list)),
    get ("/s/{slug}/members/{member}/role",                     Admin,       || web::to(members::pages::forms::role_form)).fresh(),
    post("/s/{slug}/members/{member}/role",                     Admin,       || web::to(members::pages::forms::change_role)).fresh(),
    get ("/s/{slug}/members/{member}/removal",                  Admin,       || web::to(members::pages::forms::removal_form)).fresh(),
    post("/s/{slug}/members/{member}/removal",                  Admin,       || web::to(members::pages::forms::remove)).fresh(),
    get ("/s/{slug}/invitations/new",                           Admin,       || web::to(members::pages::invite::form)).fresh(),
    post("/s/{slug}/invitations/new",                           Admin,       || web::to(members::pages::invite::invite)).fresh(),
    get ("/s/{slug}/invitations/link",                          Admin,       || web::to(members::pages::invite::show_link)).fresh(),
    post("/s/{slug}/invitations/link",                          Admin,       || web::to(members::pages::invite::keep_link)),
    post("/s/{slug}/invitations/{invitation}/withdrawal",       Admin,       || web::to(members::pages::invite::withdraw)),
    get ("/s/{slug}/audit",                                     AuditReader, || web::to(audit::pages::of_subscription)),
    get ("/s/{slug}/audit.csv",                                 AuditReader, || web::to(audit::pages::csv_of_subscription)).fresh(),
    post("/s/{slug}/search",                                    Viewer,      || web::to(key_instances::pages::search::search)),
    get ("/s/{slug}/groups",                                    Viewer,      || web::to(key_groups::pages::list::list)),
    get ("/s/{slug}/groups.csv",                                Viewer,      || web::to(key_groups::pages::list::csv)),
    get ("/s/{slug}/groups/new",                                Admin,       || web::to(key_groups::pages::forms::new_form)).fresh(),
    post("/s/{slug}/groups/new",                                Admin,       || web::to(key_groups::pages::forms::create)).fresh(),
    get ("/s/{slug}/groups/{group}",                            Viewer,      || web::to(key_instances::pages::list::of_group)),
    get ("/s/{slug}/groups/{group}/keys.csv",                   Viewer,      || web::to(key_instances::pages::list::csv_of_group)),
    get ("/s/{slug}/groups/{group}/edit",                       Admin,       || web::to(key_groups::pages::forms::edit_form)),
    post("/s/{slug}/groups/{group}/edit",                       Admin,       || web::to(key_groups::pages::forms::save)),
    get ("/s/{slug}/groups/{group}/deletion",                   Admin,       || web::to(key_groups::pages::deletion::form)),
    post("/s/{slug}/groups/{group}/deletion",                   Admin,       || web::to(key_groups::pages::deletion::delete)),
    get ("/s/{slug}/groups/{group}/access",                     Viewer,      || web::to(access::pages::explain::of_group)),
    get ("/s/{slug}/groups/{group}/access/edit",                Admin,       || web::to(access::pages::edit::form)),
    post("/s/{slug}/groups/{group}/access/edit",                Admin,       || web::to(access::pages::edit::edit)),
    get ("/s/{slug}/keys",                                      Viewer,      || web::to(key_instances::pages::list::of_subscription)),
    get ("/s/{slug}/keys.csv",                                  Viewer,      || web::to(key_instances::pages::list::csv_of_subscription)),
    get ("/s/{slug}/groups/{group}/keys/new",                   Admin,       || web::to(key_instances::pages::issue::new_form)).fresh(),
    post("/s/{slug}/groups/{group}/keys/new",                   Admin,       || web::to(key_instances::pages::issue::create)).fresh(),
    get ("/s/{slug}/groups/{group}/keys/{key}",                 Viewer,      || web::to(key_instances::pages::detail::show)),
    get ("/s/{slug}/groups/{group}/keys/{key}/access",          Viewer,      || web::to(access::pages::explain::of_key)),
    get ("/s/{slug}/groups/{group}/keys/{key}/rotation",        Admin,       || web::to(key_instances::pages::issue::rotation_form)).fresh(),
    post("/s/{slug}/groups/{group}/keys/{key}/rotation",        Admin,       || web::to(key_instances::pages::issue::rotate)).fresh(),
    get ("/s/{slug}/groups/{group}/keys/{key}/replacement",     Admin,       || web::to(key_instances::pages::issue::replacement_form)).fresh(),
    post("/s/{slug}/groups/{group}/keys/{key}/replacement",     Admin,       || web::to(key_instances::pages::issue::replace)).fresh(),
    get ("/s/{slug}/groups/{group}/keys/{key}/period",          Admin,       || web::to(key_instances::pages::period::edit_form)),
    post("/s/{slug}/groups/{group}/keys/{key}/period",          Admin,       || web::to(key_instances::pages::period::edit)),
    get ("/s/{slug}/groups/{group}/keys/{key}/reactivation",    Admin,       || web::to(key_instances::pages::period::reactivation_form)),
    post("/s/{slug}/groups/{group}/keys/{key}/reactivation",    Admin,       || web::to(key_instances::pages::period::reactivate)),
    get ("/s/{slug}/groups/{group}/keys/{key}/deactivation",    Admin,       || web::to(key_instances::pages::ending::deactivation_form)),
    post("/s/{slug}/groups/{group}/keys/{key}/deactivation",    Admin,       || web::to(key_instances::pages::ending::deactivate)),
    get ("/s/{slug}/groups/{group}/keys/{key}/revocation",      Admin,       || web::to(key_instances::pages::ending::revocation_form)),
    post("/s/{slug}/groups/{group}/keys/{key}/revocation",      Admin,       || web::to(key_instances::pages::ending::revoke)),
    get ("/s/{slug}/groups/{group}/keys/{key}/secret",          Admin,       || web::to(key_instances::pages::secret::show)).fresh(),
    get ("/s/{slug}/groups/{group}/keys/{key}/secret/download.json", Admin,  || web::to(key_instances::pages::secret::json)).fresh(),
    get ("/s/{slug}/groups/{group}/keys/{key}/secret/download.env", Admin,   || web::to(key_instances::pages::secret::env)).fresh(),
    post("/s/{slug}/groups/{group}/keys/{key}/secret/acknowledgement", Admin, || web::to(key_instances::pages::secret::acknowledge)),
    post("/s/{slug}/access-edits/{edit}/undo",                  Admin,       || web::to(access::pages::undo::undo)),
    get ("/s/{slug}/policies",                                  Viewer,      || web::to(policies::pages::list::list)),
    get ("/s/{slug}/policies/new",                              Admin,       || web::to(policies::pages::forms::new_form)),
    post("/s/{slug}/policies/new",                              Admin,       || web::to(policies::pages::forms::create)),
    get ("/s/{slug}/policies/{policy}",                         Viewer,      || web::to(policies::pages::list::detail)),
    get ("/s/{slug}/policies/{policy}/edit",                    Admin,       || web::to(policies::pages::forms::edit_form)),
    post("/s/{slug}/policies/{policy}/edit",                    Admin,       || web::to(policies::pages::forms::edit)),
    get ("/s/{slug}/policies/{policy}/deletion",                Admin,       || web::to(policies::pages::deletion::form)).fresh(),
    post("/s/{slug}/policies/{policy}/deletion",                Admin,       || web::to(policies::pages::deletion::delete)).fresh(),
    get ("/s/{slug}/policies/{policy}/deletion.csv",            Admin,       || web::to(policies::pages::deletion::csv)),
    get ("/s/{slug}/policies/{policy}/replacement",             Admin,       || web::to(policies::pages::replacement::form)),
    post("/s/{slug}/policies/{policy}/replacement",             Admin,       || web::to(policies::pages::replacement::replace)),
    get ("/s/{slug}/user-groups",                               Viewer,      || web::to(user_groups::pages::list::list)),
    get ("/s/{slug}/user-groups/new",                           Admin,       || web::to(user_groups::pages::forms::new_form)),
    post("/s/{slug}/user-groups/new",                           Admin,       || web::to(user_groups::pages::forms::create)),
    get ("/s/{slug}/user-groups/{user_group}",                  Viewer,      || web::to(user_groups::pages::list::detail)),
    get ("/s/{slug}/user-groups/{user_group}/edit",             Admin,       || web::to(user_groups::pages::forms::edit_form)),
    post("/s/{slug}/user-groups/{user_group}/edit",             Admin,       || web::to(user_groups::pages::forms::edit)),
    get ("/s/{slug}/user-groups/{user_group}/deletion",         Admin,       || web::to(user_groups::pages::deletion::form)),
    post("/s/{slug}/user-groups/{user_group}/deletion",         Admin,       || web::to(user_groups::pages::deletion::delete)),
    get ("/s/{slug}/workspaces",                                Viewer,      || web::to(workspaces::pages::list)),
    get ("/s/{slug}/workspaces/new",                            Admin,       || web::to(workspaces::pages::new_form)),
    post("/s/{slug}/workspaces/new",                            Admin,       || web::to(workspaces::pages::create)),
    get ("/s/{slug}/workspaces/{workspace}/edit",               Admin,       || web::to(workspaces::pages::edit_form)),
    post("/s/{slug}/workspaces/{workspace}/edit",               Admin,       || web::to(workspaces::pages::edit)),
    get ("/s/{slug}/workspaces/{workspace}/deletion",           Admin,       || web::to(workspaces::pages::deletion_form)),
    post("/s/{slug}/workspaces/{workspace}/deletion",           Admin,       || web::to(workspaces::pages::delete)),
    get ("/s/{slug}/workspace-roles/new",                       Admin,       || web::to(workspaces::pages::new_role_form)),
    post("/s/{slug}/workspace-roles/new",                       Admin,       || web::to(workspaces::pages::create_role)),
    get ("/s/{slug}/workspace-roles/{role}/deletion",           Admin,       || web::to(workspaces::pages::role_deletion_form)),
    post("/s/{slug}/workspace-roles/{role}/deletion",           Admin,       || web::to(workspaces::pages::delete_role)),
    get ("/s/{slug}/permissions",                               Viewer,      || web::to(permissions::pages::list)),
    get ("/s/{slug}/permissions/new",                           Admin,       || web::to(permissions::pages::new_form)),
    post("/s/{slug}/permissions/new",                           Admin,       || web::to(permissions::pages::create)),
    get ("/s/{slug}/permissions/{service}/edit",                Admin,       || web::to(permissions::pages::edit_form)),
    post("/s/{slug}/permissions/{service}/edit",                Admin,       || web::to(permissions::pages::edit)),
];

/// Starts serving. Ending it gracefully lets running requests finish.
pub fn start(listener: TcpListener, app: Data<App>) -> std::io::Result<Server> {
    let server = HttpServer::new(move || {
        let machines = |config: &mut ServiceConfig| mount(config, MACHINE_ROUTES);
        let faces = |config: &mut ServiceConfig| FACES.iter().for_each(|it| mount_face(config, it));
        let pages = |config: &mut ServiceConfig| mount(config, ROUTES);
        Actix::new()
            .app_data(app.clone())
            .configure(machines)
            .configure(faces)
            .service(
                web::scope("")
                    .configure(pages)
                    .default_service(web::to(not_found))
                    .wrap(from_fn(guard::courtesy))
                    .wrap(session(&app))
                    .wrap(from_fn(guard::session_errors))
                    .wrap(from_fn(guard::same_origin))
                    .wrap(from_fn(guard::known_host))
                    .wrap(from_fn(guard::deadline))
                    .wrap(from_fn(guard::log)),
            )
            .wrap(from_fn(guard::headers))
    });
    // The request head: 5 seconds; bodies and answers have deadlines of their own (guard, form).
    let server = server
        .keep_alive(Duration::from_secs(75))
        .client_request_timeout(Duration::from_secs(5))
        .client_disconnect_timeout(Duration::from_secs(5))
        .shutdown_timeout(25)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// All rows of one path become one resource, so that a wrong method is 405 and not 404.
fn mount(config: &mut ServiceConfig, routes: &'static [Route]) {
    for rows in routes.chunk_by(|a, b| a.path == b.path) {
        let mut resource = resource(rows, rows[0].path);
        if rows.iter().any(|it| it.method == Method::GET) {
            resource = resource.app_data(HasPage);
        }
        let fresh: Vec<Method> =
            rows.iter().filter(|it| it.fresh).map(|it| it.method.clone()).collect();
        resource = if fresh.is_empty() { resource } else { resource.app_data(Fresh(fresh)) };
        let allowed = allowed(rows);
        config.service(resource.default_service(web::to(move || wrong_method(allowed.clone()))));
    }
}

/// The same for a face, in its own words.
fn mount_face(config: &mut ServiceConfig, face: &'static Face) {
    let refuse = face.refuse;
    let below = |it: &&Route| it.path.starts_with(face.below);
    let rows: Vec<&Route> = API_ROUTES.iter().filter(below).collect();
    let mut scope = web::scope(face.below);
    for rows in rows.chunk_by(|a, b| a.path == b.path) {
        let path = rows[0].path.strip_prefix(face.below).unwrap_or_default();
        let allowed = allowed(rows.iter().copied());
        let wrong_method = move || {
            let mut answer = refuse(StatusCode::METHOD_NOT_ALLOWED);
            if let Ok(allowed) = HeaderValue::from_str(&allowed) {
                answer.headers_mut().insert(ALLOW, allowed);
            }
            std::future::ready(answer)
        };
        let resource = resource(rows.iter().copied(), path);
        scope = scope.service(resource.default_service(web::to(wrong_method)));
    }
    let not_found = move || std::future::ready(refuse(StatusCode::NOT_FOUND));
    let deadline = move |req, next| guard::deadline_of(refuse, req, next);
    config.service(
        scope
            .default_service(web::to(not_found))
            .wrap(from_fn(guard::known_host))
            .wrap(from_fn(deadline))
            .wrap(from_fn(guard::log)),
    );
}

fn resource<'a>(rows: impl IntoIterator<Item = &'a Route>, path: &str) -> Resource {
    rows.into_iter().fold(web::resource(path), |it, row| {
        let it = it.route((row.handler)().method(row.method.clone()));
        // What answers GET answers HEAD.
        let head = row.method == Method::GET;
        if head { it.route((row.handler)().method(Method::HEAD)) } else { it }
    })
}

fn allowed<'a>(rows: impl IntoIterator<Item = &'a Route>) -> String {
    let methods: Vec<&str> = rows.into_iter().map(|it| it.method.as_str()).collect();
    methods.join(", ")
}

async fn wrong_method(allowed: String) -> HttpResponse {
    let text = format!("This address answers {allowed} only.\n");
    HttpResponse::build(StatusCode::METHOD_NOT_ALLOWED)
        .insert_header((ALLOW, allowed))
        .content_type("text/plain; charset=utf-8")
        .body(text)
}

async fn not_found(_: HttpRequest) -> HttpResponse {
    PageError::from(Error::NotFound).error_response()
}

fn session(app: &Data<App>) -> SessionMiddleware<sessions::DbSessionStore> {
    let store = sessions::DbSessionStore(app.clone());
    let key = app.peppers.cookie_key("session");
    SessionMiddleware::builder(store, key)
        .cookie_name(sessions::pages::cookie_name(app.site.cookies).to_owned())
        .cookie_secure(app.site.cookies != Cookies::Insecure)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .cookie_path("/".to_owned())
        .cookie_content_security(CookieContentSecurity::Signed)
        .session_lifecycle(BrowserSession::default())
        .build()
}

/// Alive: this process answers.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// Ready: the database answers too.
async fn readyz(app: Data<App>) -> HttpResponse {
    match app.db.ping().await {
        Ok(()) => HttpResponse::Ok().content_type("text/plain").body("ready\n"),
        Err(_) => {
            let status = http::status_code(&Error::Unavailable(anyhow::anyhow!("no database")));
            HttpResponse::build(status).content_type("text/plain").body("the database is away\n")
        }
    }
}
