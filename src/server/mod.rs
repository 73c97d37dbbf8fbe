//! Mounts the site map behind what guards it.
mod direct;
mod health;
mod routes;

use std::{net::TcpListener, rc::Rc, time::Duration};

use actix_http::{HttpService, Request};
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_factory, fn_service, map_config,
};
use actix_session::{
    SessionMiddleware,
    config::{BrowserSession, CookieContentSecurity},
};
use actix_web::{
    App as Actix, HttpRequest, HttpResponse, HttpServer, Resource, ResponseError,
    cookie::SameSite,
    dev::{AppConfig, Server, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{ALLOW, HeaderValue},
    },
    middleware::from_fn,
    web::{self, Data, QueryConfig, ServiceConfig},
};
use futures_util::{TryFutureExt, future::ready};

use self::routes::VERIFY;
pub use self::routes::{
    API_ROUTES, Access, FACES, Face, MACHINE_ROUTES, METRICS_ROUTES, ROUTES, Route,
};
use crate::{
    config::Cookies,
    error::Error,
    http::{
        App, PageError,
        caller::{Fresh, HasPage},
        guard,
        headers::Headers,
        status_code,
    },
    sessions,
    verify::gateway,
};

/// Starts serving. Ending it gracefully lets running requests finish.
pub fn start(listener: TcpListener, app: Data<App>) -> std::io::Result<Server> {
    let address = listener.local_addr()?;
    let server = Server::build().shutdown_timeout(25).disable_signals();
    let stop = server.graceful_shutdown_signal();
    let server = server.listen("keyward", listener, move || {
        let stopping = stop.clone();
        // Bodies and answers have deadlines of their own (guard, form).
        let http = HttpService::build()
            .keep_alive(direct::IDLE_LATEST)
            .client_request_timeout(direct::HEAD_LATEST)
            .client_disconnect_timeout(Duration::from_secs(5))
            .local_addr(address)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .h1(map_config(routed(&app), |()| AppConfig::default()));
        let (app, stop) = (app.clone(), stop.clone());
        fn_factory(move || {
            let worker = Rc::new(direct::Worker::new(app.clone(), stop.clone()));
            http.new_service(()).map_ok(|http| {
                let http = Rc::new(http);
                fn_service(move |io| worker.clone().serve(io, http.clone()))
            })
        })
    })?;
    Ok(server.run())
}

/// All that is served, behind what guards it.
fn routed(
    app: &Data<App>,
) -> impl ServiceFactory<
    Request,
    Config = AppConfig,
    Response = ServiceResponse,
    Error = HttpResponse,
    InitError = (),
> + use<> {
    let answered = || MACHINE_ROUTES.iter().filter(|it| it.handler.is_some());
    let machines = |config: &mut ServiceConfig| mount(config, answered(), 0, None);
    let faces = |config: &mut ServiceConfig| FACES.iter().for_each(|it| mount_face(config, it));
    let pages = |config: &mut ServiceConfig| mount(config, ROUTES, 0, None);
    let people = web::scope("")
        .configure(pages)
        .default_service(no_such_path(None))
        .wrap(from_fn(guard::courtesy))
        .wrap(session(app))
        .wrap(from_fn(guard::session_errors))
        .wrap(from_fn(|req, next| guard::whole_body(|it| PageError::from(it).into(), req, next)))
        .wrap(from_fn(guard::same_origin))
        .wrap(from_fn(guard::known_host))
        .wrap(from_fn(guard::deadline))
        .wrap(from_fn(guard::log));
    let layered = web::scope("")
        .configure(machines)
        .configure(faces)
        .service(people)
        .wrap(from_fn(guard::headers));
    // Of what has no path, as in `OPTIONS *`.
    let nothing = web::to(not_found).wrap(from_fn(guard::headers));
    // Of pages; the interfaces read their queries themselves.
    let queries = QueryConfig::default().error_handler(|_, _| {
        let told = "This address is not understood. Go back to the page that it is of.";
        PageError::from(Error::Malformed(told)).into()
    });
    let routed = Actix::new().app_data(app.clone()).app_data(queries);
    let routed = routed.service(web::resource(VERIFY).to(verifications)).service(layered);
    let routed = routed.default_service(nothing).into_factory();
    routed.map_err(|error| error.error_response())
}

/// The same for monitoring systems, on a listener of their own: outside of sessions and the log.
pub fn start_metrics(listener: TcpListener, app: Data<App>) -> std::io::Result<Server> {
    let server = HttpServer::new(move || {
        Actix::new()
            .app_data(app.clone())
            .configure(|config| mount(config, METRICS_ROUTES, 0, None))
            .wrap(from_fn(guard::headers))
    });
    let server = server
        .workers(1)
        .client_request_timeout(Duration::from_secs(5))
        .client_disconnect_timeout(Duration::from_secs(5))
        .shutdown_timeout(10)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// Verifications that are not plain (see `direct`): outside of all layers, as those that are.
async fn verifications(req: HttpRequest, app: Data<App>) -> HttpResponse {
    let rows = MACHINE_ROUTES.iter().filter(|it| it.path == VERIFY);
    let method = if req.method() == Method::HEAD { &Method::GET } else { req.method() };
    if !rows.clone().any(|it| it.method == *method) {
        let mut answer = wrong_method(&allowed(rows));
        guard::add_headers(answer.headers_mut());
        guard::demand_https(&app, answer.headers_mut());
        return answer;
    }
    let asked = gateway::Request {
        query: req.query_string(),
        headers: Headers::Map(req.headers()),
        peer: req.peer_addr(),
        now: app.clock.now(),
    };
    gateway::check(&app, asked).await.into_response()
}

/// All rows of one path become one resource, so that a wrong method is 405 and not 404. Paths that have their
/// first variable in common become a scope: a request is compared with one after the other, by a regular
/// expression where a path has variables, and behind those in common few have any. There is no way back out of
/// a scope: where a literal stands beside a variable, its rows come first.
fn mount(
    config: &mut ServiceConfig,
    rows: impl IntoIterator<Item = &'static Route>,
    taken: usize,
    face: Option<&'static Face>,
) {
    let mut steps: Vec<(&str, Vec<&'static Route>)> = Vec::new();
    for row in rows {
        let step = first_step(row.path.split_at(taken).1);
        match steps.iter_mut().find(|it| it.0 == step) {
            Some((_, rows)) => rows.push(row),
            None => steps.push((step, vec![row])),
        }
    }
    for (step, rows) in steps {
        let path = rows[0].path;
        if rows.iter().all(|it| it.path == path) {
            config.service(resource(&rows, path.split_at(taken).1, face));
        } else {
            let taken = taken + step.len();
            let below = move |config: &mut ServiceConfig| mount(config, rows, taken, face);
            config.service(web::scope(step).configure(below).default_service(no_such_path(face)));
        }
    }
}

/// A path up to the end of the segment that has its first variable.
fn first_step(path: &str) -> &str {
    let end = |variable| Some(variable + path.split_at(variable).1.find('/')?);
    path.find('{').and_then(end).map_or(path, |it| path.split_at(it).0)
}

fn mount_face(config: &mut ServiceConfig, face: &'static Face) {
    let own = |it: &&Route| Face::of(it.path).is_some_and(|it| it.below == face.below);
    let rows = API_ROUTES.iter().filter(own);
    let refuse = move |error: Error| {
        let answer = (face.refuse)(status_code(&error));
        InternalError::from_response(error, answer).into()
    };
    let whole_body = move |req, next| guard::whole_body(refuse, req, next);
    let deadline = move |req, next| guard::deadline_of(face.refuse, req, next);
    config.service(
        web::scope(face.below)
            .configure(|config| mount(config, rows, face.below.len(), Some(face)))
            .default_service(no_such_path(Some(face)))
            .wrap(from_fn(whole_body))
            .wrap(from_fn(guard::known_host))
            .wrap(from_fn(deadline))
            .wrap(from_fn(guard::log)),
    );
}

/// Answers the methods of its rows, and refuses all others in the words of the face, or of a page.
fn resource(rows: &[&Route], path: &str, face: Option<&'static Face>) -> Resource {
    let with_handler = rows.iter().filter_map(|it| Some((it.handler?, &it.method)));
    let mut resource = with_handler.fold(web::resource(path), |it, (handler, method)| {
        let it = it.route(handler().method(method.clone()));
        // What answers GET answers HEAD.
        let head = method == Method::GET;
        if head { it.route(handler().method(Method::HEAD)) } else { it }
    });
    let allowed = allowed(rows.iter().copied());
    if let Some(face) = face {
        let refuse = move || {
            let mut answer = (face.refuse)(StatusCode::METHOD_NOT_ALLOWED);
            if let Ok(allowed) = HeaderValue::from_str(&allowed) {
                answer.headers_mut().insert(ALLOW, allowed);
            }
            ready(answer)
        };
        return resource.default_service(web::to(refuse));
    }
    if rows.iter().any(|it| it.method == Method::GET) {
        resource = resource.app_data(HasPage);
    }
    let fresh: Vec<Method> =
        rows.iter().filter(|it| it.fresh).map(|it| it.method.clone()).collect();
    resource = if fresh.is_empty() { resource } else { resource.app_data(Fresh(fresh)) };
    resource.default_service(web::to(move || ready(wrong_method(&allowed))))
}

fn no_such_path(face: Option<&'static Face>) -> actix_web::Route {
    match face {
        Some(face) => web::to(move || ready((face.refuse)(StatusCode::NOT_FOUND))),
        None => web::to(not_found),
    }
}

fn allowed<'a>(rows: impl IntoIterator<Item = &'a Route>) -> String {
    let methods: Vec<&str> = rows.into_iter().map(|it| it.method.as_str()).collect();
    methods.join(", ")
}

fn wrong_method(allowed: &str) -> HttpResponse {
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
