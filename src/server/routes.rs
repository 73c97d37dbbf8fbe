//! The site map: every route, who may call it, and its handler. Nothing is mounted elsewhere.
use actix_web::{
    HttpResponse,
    http::{Method, StatusCode},
    web,
};

use super::health::{healthz, readyz};
use crate::{
    access, api, audit, automation_tokens, calendar,
    dialects::{catena, octane, webtsm},
    domain::ApiScope::{self, AccessRead, AccessWrite, AuditRead, KeysRead, KeysVerify, KeysWrite},
    http::{assets, fault},
    installation, key_groups, key_instances, members, metrics, notices, overview, permissions,
    personal_keys, policies, sessions, subscriptions, user_groups, users, workspaces,
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
    /// A program with an automation token that has this scope.
    Token(ApiScope),
    /// The same, or a service with a key that holds the permission `keyward:instances.read`.
    TokenOrKey(ApiScope),
    /// An admin of the shared space with a session of the Octane dialect, begun with a password.
    SpaceAdmin,
}
use Access::*;

/// One method of one path.
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    /// Only for whoever has shown the password a short while ago (SECURITY.md 3.4).
    pub fresh: bool,
    /// `None`: `/verify`, which is answered outside of all layers.
    pub(super) handler: Option<fn() -> actix_web::Route>,
}

impl Route {
    const fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }
}

const fn get(path: &'static str, access: Access, handler: fn() -> actix_web::Route) -> Route {
    Route { method: Method::GET, path, access, fresh: false, handler: Some(handler) }
}

const fn post(path: &'static str, access: Access, handler: fn() -> actix_web::Route) -> Route {
    Route { method: Method::POST, path, access, fresh: false, handler: Some(handler) }
}

const fn put(path: &'static str, access: Access, handler: fn() -> actix_web::Route) -> Route {
    Route { method: Method::PUT, path, access, fresh: false, handler: Some(handler) }
}

const fn patch(path: &'static str, access: Access, handler: fn() -> actix_web::Route) -> Route {
    Route { method: Method::PATCH, path, access, fresh: false, handler: Some(handler) }
}

const fn delete(path: &'static str, access: Access, handler: fn() -> actix_web::Route) -> Route {
    Route { method: Method::DELETE, path, access, fresh: false, handler: Some(handler) }
}

const fn verify(method: Method) -> Route {
    Route { method, path: VERIFY, access: Anyone, fresh: false, handler: None }
}

/// The path of verifications.
pub(super) const VERIFY: &str = "/verify";

/// An interface that programs speak, and all that lies below its path.
pub struct Face {
    pub below: &'static str,
    /// How it words what none of its routes answers: no such path, a wrong method, too slow.
    pub refuse: fn(StatusCode) -> HttpResponse,
}

/// One below another stands before it.
pub static FACES: &[Face] = &[
    Face { below: "/authentication", refuse: fault::refuse::<octane::Octane> },
    Face { below: "/api/shared_spaces", refuse: fault::refuse::<octane::Octane> },
    Face { below: "/auth/api-keys", refuse: fault::refuse::<webtsm::Webtsm> },
    Face { below: "/.well-known/jwks.json", refuse: fault::refuse::<webtsm::Webtsm> },
    Face { below: "/api/v1/api_keys", refuse: fault::refuse::<catena::Catena> },
    Face { below: "/rpc", refuse: fault::refuse::<catena::Catena> },
    Face { below: "/api/v1", refuse: fault::refuse::<api::Native> },
];

impl Face {
    /// The first that a path lies below.
    pub fn of(path: &str) -> Option<&'static Self> {
        FACES.iter().find(|it| path.starts_with(it.below))
    }
}

/// Of the faces: behind the request log, the deadline and the known host, but outside of browser
/// sessions and the cross-site check. The cookies of the pages mean nothing here.
#[rustfmt::skip]
pub static API_ROUTES: &[Route] = &[
    post  ("/authentication/sign_in",                           Anyone,      || web::to(octane::sign_in)),
    post  ("/authentication/sign_out",                          Anyone,      || web::to(octane::sign_out)),
    get   ("/api/shared_spaces/{space}/api_accesses",           SpaceAdmin,  || web::to(octane::accesses::list)),
    post  ("/api/shared_spaces/{space}/api_accesses",           SpaceAdmin,  || web::to(octane::accesses::create)),
    get   ("/api/shared_spaces/{space}/api_accesses/{access}",  SpaceAdmin,  || web::to(octane::accesses::show)),
    put   ("/api/shared_spaces/{space}/api_accesses/{access}",  SpaceAdmin,  || web::to(octane::accesses::change)),
    get   ("/api/shared_spaces/{space}/roles",                  SpaceAdmin,  || web::to(octane::roles::roles)),
    get   ("/api/shared_spaces/{space}/workspace_roles",        SpaceAdmin,  || web::to(octane::roles::workspace_roles)),
    get   ("/auth/api-keys/keys",                               PersonalApi, || web::to(webtsm::list)),
    post  ("/auth/api-keys/keys",                               PersonalApi, || web::to(webtsm::create)),
    get   ("/auth/api-keys/keys/{key_id}",                      PersonalApi, || web::to(webtsm::show)),
    delete("/auth/api-keys/keys/{key_id}",                      PersonalApi, || web::to(webtsm::delete)),
    get   ("/.well-known/jwks.json",                            Anyone,      || web::to(webtsm::jwks)),
    get   ("/api/v1/api_keys",                                  Token(KeysRead),    || web::to(catena::keys::list)),
    post  ("/api/v1/api_keys",                                  Token(KeysWrite),   || web::to(catena::keys::create)),
    get   ("/api/v1/api_keys/policies",                         Token(AccessRead),  || web::to(catena::policies::list)),
    post  ("/api/v1/api_keys/policies",                         Token(AccessWrite), || web::to(catena::policies::create)),
    put   ("/api/v1/api_keys/policies/{policy}",                Token(AccessWrite), || web::to(catena::policies::update)),
    delete("/api/v1/api_keys/policies/{policy}",                Token(AccessWrite), || web::to(catena::policies::delete)),
    get   ("/api/v1/api_keys/permissions",                      Token(AccessRead),  || web::to(catena::policies::permissions)),
    get   ("/api/v1/api_keys/{group}",                          Token(KeysRead),    || web::to(catena::keys::show)),
    put   ("/api/v1/api_keys/{group}",                          Token(KeysWrite),   || web::to(catena::keys::update)),
    delete("/api/v1/api_keys/{group}",                          Token(KeysWrite),   || web::to(catena::keys::delete)),
    post  ("/rpc/AdminCreateApiKey",                            Token(KeysWrite),   || web::to(catena::rpc::create_key)),
    post  ("/rpc/AdminUpdateApiKey",                            Token(KeysWrite),   || web::to(catena::rpc::update_key)),
    post  ("/rpc/AdminDeleteApiKey",                            Token(KeysWrite),   || web::to(catena::rpc::delete_key)),
    post  ("/rpc/AdminGetApiKeyPolicies",                       Token(AccessRead),  || web::to(catena::rpc::get_policies)),
    post  ("/rpc/AdminGetApiKeyPermissions",                    Token(AccessRead),  || web::to(catena::rpc::get_permissions)),
    post  ("/rpc/AdminCreateApiKeyPolicy",                      Token(AccessWrite), || web::to(catena::rpc::create_policy)),
    post  ("/rpc/AdminUpdateApiKeyPolicy",                      Token(AccessWrite), || web::to(catena::rpc::update_policy)),
    post  ("/rpc/AdminDeleteApiKeyPolicy",                      Token(AccessWrite), || web::to(catena::rpc::delete_policy)),
    get   ("/api/v1/key-groups",                                Token(KeysRead),    || web::to(api::key_groups::list)),
    post  ("/api/v1/key-groups",                                Token(KeysWrite),   || web::to(api::key_groups::create)),
    get   ("/api/v1/key-groups/{group}",                        Token(KeysRead),    || web::to(api::key_groups::show)),
    patch ("/api/v1/key-groups/{group}",                        Token(KeysWrite),   || web::to(api::key_groups::change)),
    delete("/api/v1/key-groups/{group}",                        Token(KeysWrite),   || web::to(api::key_groups::delete)),
    get   ("/api/v1/key-groups/{group}/access",                 Token(AccessRead),  || web::to(api::key_groups::access)),
    put   ("/api/v1/key-groups/{group}/access",                 Token(AccessWrite), || web::to(api::key_groups::set_access)),
    get   ("/api/v1/key-groups/{group}/instances",              Token(KeysRead),    || web::to(api::key_groups::instances)),
    post  ("/api/v1/key-groups/{group}/instances",              Token(KeysWrite),   || web::to(api::key_groups::create_instance)),
    post  ("/api/v1/key-groups/{group}/rotation",               Token(KeysWrite),   || web::to(api::key_groups::rotate)),
    get   ("/api/v1/instances",                                 TokenOrKey(KeysRead), || web::to(api::instances::list)),
    get   ("/api/v1/instances/{key}",                           Token(KeysRead),    || web::to(api::instances::show)),
    patch ("/api/v1/instances/{key}",                           Token(KeysWrite),   || web::to(api::instances::change)),
    post  ("/api/v1/instances/{key}/deactivation",              Token(KeysWrite),   || web::to(api::instances::deactivate)),
    post  ("/api/v1/instances/{key}/reactivation",              Token(KeysWrite),   || web::to(api::instances::reactivate)),
    post  ("/api/v1/instances/{key}/revocation",                Token(KeysWrite),   || web::to(api::instances::revoke)),
    get   ("/api/v1/policies",                                  Token(AccessRead),  || web::to(api::policies::list)),
    post  ("/api/v1/policies",                                  Token(AccessWrite), || web::to(api::policies::create)),
    get   ("/api/v1/policies/{policy}",                         Token(AccessRead),  || web::to(api::policies::show)),
    patch ("/api/v1/policies/{policy}",                         Token(AccessWrite), || web::to(api::policies::change)),
    delete("/api/v1/policies/{policy}",                         Token(AccessWrite), || web::to(api::policies::delete)),
    get   ("/api/v1/policies/{policy}/deletion-preview",        Token(AccessWrite), || web::to(api::policies::preview)),
    get   ("/api/v1/user-groups",                               Token(AccessRead),  || web::to(api::user_groups::list)),
    post  ("/api/v1/user-groups",                               Token(AccessWrite), || web::to(api::user_groups::create)),
    get   ("/api/v1/user-groups/{user_group}",                  Token(AccessRead),  || web::to(api::user_groups::show)),
    patch ("/api/v1/user-groups/{user_group}",                  Token(AccessWrite), || web::to(api::user_groups::change)),
    delete("/api/v1/user-groups/{user_group}",                  Token(AccessWrite), || web::to(api::user_groups::delete)),
    get   ("/api/v1/workspaces",                                Token(AccessRead),  || web::to(api::workspaces::list)),
    post  ("/api/v1/workspaces",                                Token(AccessWrite), || web::to(api::workspaces::create)),
    get   ("/api/v1/workspaces/{workspace}",                    Token(AccessRead),  || web::to(api::workspaces::show)),
    patch ("/api/v1/workspaces/{workspace}",                    Token(AccessWrite), || web::to(api::workspaces::change)),
    delete("/api/v1/workspaces/{workspace}",                    Token(AccessWrite), || web::to(api::workspaces::delete)),
    get   ("/api/v1/workspace-roles",                           Token(AccessRead),  || web::to(api::workspaces::roles)),
    post  ("/api/v1/workspace-roles",                           Token(AccessWrite), || web::to(api::workspaces::create_role)),
    get   ("/api/v1/workspace-roles/{role}",                    Token(AccessRead),  || web::to(api::workspaces::show_role)),
    delete("/api/v1/workspace-roles/{role}",                    Token(AccessWrite), || web::to(api::workspaces::delete_role)),
    get   ("/api/v1/permissions",                               Token(AccessRead),  || web::to(api::permissions::list)),
    put   ("/api/v1/services/{service}/permissions",            Token(AccessWrite), || web::to(api::permissions::declare)),
    get   ("/api/v1/openapi.json",                              Anyone,             || web::to(api::openapi::serve)),
    get   ("/api/v1/audit",                                     Token(AuditRead),   || web::to(api::audit::list)),
    post  ("/api/v1/verify",                                    Token(KeysVerify),  || web::to(api::verify::verify)),
];

/// Outside of sessions, CSRF and the request log: machines call these.
#[rustfmt::skip]
pub static MACHINE_ROUTES: &[Route] = &[
    verify(Method::GET),
    verify(Method::POST),
    get ("/calendar/{token}.ics",   Anyone, || web::to(calendar::serve::feed)),
    get ("/healthz",                Anyone, || web::to(healthz)),
    get ("/readyz",                 Anyone, || web::to(readyz)),
    get ("/static/{hash}/{name}",   Anyone, || web::to(assets::serve)),
    get ("/favicon.ico",            Anyone, || web::to(assets::well_known)),
    get ("/robots.txt",             Anyone, || web::to(assets::well_known)),
];

/// Of the listener for monitoring systems, which has nothing else.
#[rustfmt::skip]
pub static METRICS_ROUTES: &[Route] = &[
    get ("/metrics",                Anyone, || web::to(metrics::serve::metrics)),
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
    get ("/api/docs",                                           Anyone,      || web::to(api::openapi::page::docs)),
    get ("/api/docs/",                                          Anyone,      || web::to(api::openapi::page::docs)),
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
    get ("/s/{slug}/settings/calendar",                         Admin,       || web::to(calendar::pages::list::list)),
    get ("/s/{slug}/settings/calendar/address",                 Admin,       || web::to(calendar::pages::address::form)).fresh(),
    post("/s/{slug}/settings/calendar/address",                 Admin,       || web::to(calendar::pages::address::create)).fresh(),
    get ("/s/{slug}/settings/calendar/{feed}/link",             Admin,       || web::to(calendar::pages::address::link)).fresh(),
    post("/s/{slug}/settings/calendar/{feed}/link",             Admin,       || web::to(calendar::pages::address::kept)),
    get ("/s/{slug}/settings/calendar/{feed}/removal",          Admin,       || web::to(calendar::pages::removal::form)),
    post("/s/{slug}/settings/calendar/{feed}/removal",          Admin,       || web::to(calendar::pages::removal::remove)),
    get ("/s/{slug}/settings/tokens",                           Admin,       || web::to(automation_tokens::pages::list::list)),
    get ("/s/{slug}/settings/tokens/new",                       Admin,       || web::to(automation_tokens::pages::issue::form)).fresh(),
    post("/s/{slug}/settings/tokens/new",                       Admin,       || web::to(automation_tokens::pages::issue::create)).fresh(),
    get ("/s/{slug}/settings/tokens/{automation_token}/secret", Admin,       || web::to(automation_tokens::pages::secret::show)).fresh(),
    post("/s/{slug}/settings/tokens/{automation_token}/secret", Admin,       || web::to(automation_tokens::pages::secret::kept)),
    get ("/s/{slug}/settings/tokens/{automation_token}/revocation", Admin,   || web::to(automation_tokens::pages::revocation::form)),
    post("/s/{slug}/settings/tokens/{automation_token}/revocation", Admin,   || web::to(automation_tokens::pages::revocation::revoke)),
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
    get ("/s/{slug}/notices",                                   Viewer,      || web::to(notices::pages::list::list)),
    post("/s/{slug}/notices",                                   Viewer,      || web::to(notices::pages::list::mark_seen)),
    get ("/s/{slug}/settings/notices",                          Admin,       || web::to(notices::pages::settings::form)),
    post("/s/{slug}/settings/notices",                          Admin,       || web::to(notices::pages::settings::save)),
    get ("/s/{slug}/settings/webhooks/new",                     Admin,       || web::to(notices::pages::webhooks::new_form)),
    post("/s/{slug}/settings/webhooks/new",                     Admin,       || web::to(notices::pages::webhooks::create)),
    get ("/s/{slug}/settings/webhooks/{webhook}",               Admin,       || web::to(notices::pages::webhooks::detail)).fresh(),
    get ("/s/{slug}/settings/webhooks/{webhook}/secret",        Admin,       || web::to(notices::pages::webhooks::secret_form)).fresh(),
    post("/s/{slug}/settings/webhooks/{webhook}/secret",        Admin,       || web::to(notices::pages::webhooks::change_secret)).fresh(),
    post("/s/{slug}/settings/webhooks/{webhook}/state",         Admin,       || web::to(notices::pages::webhooks::set_state)),
    post("/s/{slug}/settings/webhooks/{webhook}/test",          Admin,       || web::to(notices::pages::webhooks::test)),
    get ("/s/{slug}/settings/webhooks/{webhook}/removal",       Admin,       || web::to(notices::pages::webhooks::removal_form)).fresh(),
    post("/s/{slug}/settings/webhooks/{webhook}/removal",       Admin,       || web::to(notices::pages::webhooks::remove)),
    post("/s/{slug}/settings/webhooks/{webhook}/deliveries/{delivery}", Admin, || web::to(notices::pages::webhooks::send_again)),
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
    get ("/s/{slug}/groups/{group}/calendar",                   Admin,       || web::to(calendar::pages::address::form_of_group)).fresh(),
    post("/s/{slug}/groups/{group}/calendar",                   Admin,       || web::to(calendar::pages::address::create_of_group)).fresh(),
    get ("/s/{slug}/groups/{group}/access",                     Viewer,      || web::to(access::pages::explain::of_group)),
    get ("/s/{slug}/groups/{group}/access/edit",                Admin,       || web::to(access::pages::edit::form)),
    post("/s/{slug}/groups/{group}/access/edit",                Admin,       || web::to(access::pages::edit::edit)),
    get ("/s/{slug}/keys",                                      Viewer,      || web::to(key_instances::pages::list::of_subscription)),
    get ("/s/{slug}/keys.csv",                                  Viewer,      || web::to(key_instances::pages::list::csv_of_subscription)),
    get ("/s/{slug}/keys/unused",                               Viewer,      || web::to(key_instances::pages::list::unused)),
    get ("/s/{slug}/keys/bulk/deactivation",                    Admin,       || web::to(key_instances::pages::bulk::deactivation_form)),
    post("/s/{slug}/keys/bulk/deactivation",                    Admin,       || web::to(key_instances::pages::bulk::deactivate)),
    get ("/s/{slug}/keys/bulk/extension",                       Admin,       || web::to(key_instances::pages::bulk::extension_form)),
    post("/s/{slug}/keys/bulk/extension",                       Admin,       || web::to(key_instances::pages::bulk::extend)),
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
    get ("/s/{slug}/groups/{group}/keys/{key}/note",            Admin,       || web::to(key_instances::pages::note::form)),
    post("/s/{slug}/groups/{group}/keys/{key}/note",            Admin,       || web::to(key_instances::pages::note::save)),
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
