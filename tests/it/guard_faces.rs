//! The faces that programs speak, walked by everything a program could show.
use keyward::{
    automation_tokens,
    domain::{ApiScope, ApiScopes, Role},
    server::{API_ROUTES, Access, FACES, Face},
};
use reqwest::Method;

use crate::support::{Answer, Space, TestApp, Things, basic, on_both, path_to};

on_both! {
    every_route_of_a_face_lets_in_who_it_says_and_nobody_with_a_key,
    what_no_route_of_a_face_answers_is_refused_in_its_own_form,
    a_face_knows_its_host_and_needs_no_origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Nobody,
    /// By HTTP Basic with e-mail address and password.
    Person,
    WrongPassword,
    /// With the secret of a key instance as Bearer.
    KeyInstance,
    PersonalKey,
    /// With the cookie of a browser's session, and nothing else.
    Session,
    /// With the cookie that `sign_in` gave an admin, a member, and an admin elsewhere.
    SpaceAdmin,
    SpaceMember,
    SpaceStranger,
    /// The same of a client that showed its secret.
    Client,
    /// With an automation token that has this scope alone.
    Token(ApiScope),
    /// With one of another subscription that has all scopes.
    ForeignToken,
    RevokedToken,
    EndedToken,
}

const CALLERS: [Caller; 19] = [
    Caller::Nobody,
    Caller::Person,
    Caller::WrongPassword,
    Caller::KeyInstance,
    Caller::PersonalKey,
    Caller::Session,
    Caller::SpaceAdmin,
    Caller::SpaceMember,
    Caller::SpaceStranger,
    Caller::Client,
    Caller::Token(ApiScope::KeysRead),
    Caller::Token(ApiScope::KeysWrite),
    Caller::Token(ApiScope::AccessRead),
    Caller::Token(ApiScope::AccessWrite),
    Caller::Token(ApiScope::KeysVerify),
    Caller::Token(ApiScope::AuditRead),
    Caller::ForeignToken,
    Caller::RevokedToken,
    Caller::EndedToken,
];

/// `None`: whatever the handler says to somebody it lets in.
fn expected(access: Access, caller: Caller, names_a_thing: bool) -> Option<u16> {
    use Caller::{EndedToken, ForeignToken, RevokedToken, Token};
    let (access, is_for_keys) = match access {
        Access::TokenOrKey(scope) => (Access::Token(scope), true),
        other => (other, false),
    };
    let is_token = matches!(caller, Token(_) | ForeignToken | RevokedToken | EndedToken);
    match (access, caller) {
        (Access::Token(wanted), Token(scope)) => {
            let scopes = ApiScopes::parse([scope.as_str()]);
            if scopes.allow(wanted) { None } else { Some(403) }
        }
        (Access::Token(_), ForeignToken) => names_a_thing.then_some(404),
        (Access::Token(_), Caller::KeyInstance | Caller::PersonalKey) => Some(403),
        // No client is called by an e-mail address.
        (Access::Token(_), Caller::Person | Caller::WrongPassword) if is_for_keys => Some(401),
        // By HTTP Basic, as clients and people show theirs.
        (Access::Token(_), Caller::Person | Caller::WrongPassword) => Some(403),
        (Access::Token(_), _) => Some(401),
        // Wherever else, it is a key.
        (Access::PersonalApi | Access::SpaceAdmin, _) if is_token => Some(403),
        (Access::Anyone, _) | (Access::PersonalApi, Caller::Person) => None,
        (Access::PersonalApi, Caller::KeyInstance | Caller::PersonalKey) => Some(403),
        (Access::PersonalApi, _) => Some(401),
        (Access::SpaceAdmin, Caller::SpaceAdmin) => None,
        (Access::SpaceAdmin, Caller::SpaceStranger) => Some(404),
        (Access::SpaceAdmin, Caller::Nobody | Caller::Session) => Some(401),
        (Access::SpaceAdmin, _) => Some(403),
        (other, _) => panic!("{other:?} is for pages"),
    }
}

/// In the form of its face: a code and a sentence.
fn is_a_fault(answer: &Answer) -> bool {
    let body = answer.json();
    let of_face = |code: &str, text: &str| body[code].is_string() && body[text].is_string();
    let is_problem = answer.header("content-type") == Some("application/problem+json")
        && body["status"] == answer.status
        && of_face("type", "detail")
        && of_face("title", "instance");
    is_problem || of_face("error", "message") || of_face("error_code", "description")
}

struct Walk<'a> {
    app: &'a TestApp,
    things: Things,
    key_instance: String,
    personal_key: String,
    session: String,
    /// By caller: `LWSSO_COOKIE_KEY=...`
    cookies: Vec<(Caller, String)>,
    tokens: Vec<(Caller, String)>,
}

impl<'a> Walk<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let desk = app.desk("acme").await;
        let things = desk.things().await;
        let key = desk.group("batch", desk.days(90)).await.secret;
        let user = app.user("acme", Role::Member).await;
        let personal_key = app.personal_key(&user).await.token();
        let mut cookies = Vec::new();
        app.user("globex", Role::Admin).await;
        for (caller, email) in [
            (Caller::SpaceAdmin, "admin@acme.example"),
            (Caller::SpaceMember, "member@acme.example"),
            (Caller::SpaceStranger, "admin@globex.example"),
        ] {
            cookies.push((caller, Space::sign_in(app, email).await.cookie));
        }
        let client = desk.client("pipeline").await;
        let secret = desk.key(client.id, desk.days(90)).await.secret;
        let client = Space::sign_in_client(app, &client.client_id, secret.expose()).await;
        cookies.push((Caller::Client, client.cookie));
        let mut tokens = Vec::new();
        for scope in ApiScope::ALL {
            tokens.push((Caller::Token(scope), desk.token(&[scope.as_str()]).await.1));
        }
        let all = ApiScope::ALL.map(ApiScope::as_str);
        tokens.push((Caller::ForeignToken, app.desk("globex").await.token(&all).await.1));
        let (revoked, text) = desk.token(&all).await;
        automation_tokens::revoke(&desk.act(), revoked).await.unwrap();
        tokens.push((Caller::RevokedToken, text));
        let (_, text) = desk.token_for(&all, chrono::TimeDelta::seconds(1)).await;
        tokens.push((Caller::EndedToken, text));
        Self {
            tokens,
            cookies,
            app,
            things,
            key_instance: key.expose().to_owned(),
            personal_key: personal_key.expose().to_owned(),
            session: app.member("acme").await.session(),
        }
    }

    async fn call(&self, caller: Caller, method: &Method, path: &str) -> Answer {
        if matches!(caller, Caller::Person | Caller::WrongPassword) {
            // Each try of a password counts for its address.
            self.app.clock.advance(chrono::TimeDelta::minutes(1));
        }
        let header = match caller {
            Caller::Nobody => None,
            Caller::Person => {
                Some(("authorization", basic("member@acme.example", crate::support::PASSWORD)))
            }
            Caller::WrongPassword => Some(("authorization", basic("admin@acme.example", "wrong"))),
            Caller::KeyInstance => Some(("authorization", format!("Bearer {}", self.key_instance))),
            Caller::PersonalKey => Some(("authorization", format!("Bearer {}", self.personal_key))),
            Caller::Token(_) | Caller::ForeignToken | Caller::RevokedToken | Caller::EndedToken => {
                let own = self.tokens.iter().find(|it| it.0 == caller).unwrap();
                Some(("authorization", format!("Bearer {}", own.1)))
            }
            Caller::Session => Some(("cookie", format!("__Host-sid={}", self.session))),
            _ => {
                let own = self.cookies.iter().find(|it| it.0 == caller).unwrap();
                Some(("cookie", own.1.clone()))
            }
        };
        let headers: Vec<_> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // What is not there is told only to who sends what could be read.
        let is_ours = path.starts_with("/api/v1") || path.starts_with("/rpc");
        let takes_json = is_ours && !method.is_safe();
        let body = if path.ends_with("/reactivation") { r#"{"until":null}"# } else { "{}" };
        let to = (method.clone(), path);
        self.app.service().send(to, &headers, takes_json.then_some(body)).await
    }
}

async fn every_route_of_a_face_lets_in_who_it_says_and_nobody_with_a_key(app: &TestApp) {
    let walk = Walk::new(app).await;
    let mut walked = 0;
    // Signing out ends a session, so it comes last; and what deletes things comes behind the others.
    let mut routes: Vec<_> = API_ROUTES.iter().collect();
    routes.sort_by_key(|it| (it.path == "/authentication/sign_out", it.method == "DELETE"));
    for route in routes {
        assert!(Face::of(route.path).is_some(), "{}", route.path);
        let path = path_to(route, &walk.things);
        // A service has a name that every subscription may use.
        let names_a_thing = route.path.replace("{service}", "").contains('{');
        for caller in CALLERS {
            let methods = if route.method == "GET" {
                vec!["GET", "HEAD"]
            } else {
                vec![route.method.as_str()]
            };
            for method in methods {
                let method: Method = method.parse().unwrap();
                let what = format!("{method} {path} as {caller:?}");
                let answer = walk.call(caller, &method, &path).await;
                match expected(route.access, caller, names_a_thing) {
                    Some(status) => {
                        assert_eq!(answer.status, status, "{what}\n{}", answer.text());
                        let asked = answer.header("www-authenticate").is_some();
                        let by_header = route.access != Access::SpaceAdmin;
                        assert_eq!(asked, status == 401 && by_header, "{what}");
                    }
                    None => assert!(
                        answer.status < 500 && ![401, 403].contains(&answer.status),
                        "{what}: {}\n{}",
                        answer.status,
                        answer.text()
                    ),
                }
                let signs = path.starts_with("/authentication/");
                assert!(signs || answer.cookies().is_empty(), "{what} sets a cookie");
                assert!(answer.header("x-request-id").is_some(), "{what} is not in the log");
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
                if method == Method::HEAD {
                    assert_eq!(answer.text(), "", "{what}");
                } else if answer.status >= 400 {
                    assert!(is_a_fault(&answer), "{what}: {}", answer.text());
                }
            }
            walked += 1;
        }
    }
    assert_eq!(walked, API_ROUTES.len() * CALLERS.len());
}

async fn what_no_route_of_a_face_answers_is_refused_in_its_own_form(app: &TestApp) {
    let walk = Walk::new(app).await;
    for route in API_ROUTES {
        let rows = API_ROUTES.iter().filter(|it| it.path == route.path);
        let fitting: Vec<&str> = rows.map(|it| it.method.as_str()).collect();
        let path = path_to(route, &walk.things);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            if fitting.contains(&method) {
                continue;
            }
            let method: Method = method.parse().unwrap();
            let answer = walk.call(Caller::Person, &method, &path).await.expect(405);
            assert_eq!(answer.header("allow"), Some(fitting.join(", ").as_str()), "{path}");
            assert!(is_a_fault(&answer) && answer.text().contains("method_not_allowed"));
        }
    }
    let below = API_ROUTES.iter().map(|it| path_to(it, &walk.things));
    for path in below.chain(FACES.iter().map(|it| it.below.to_owned())) {
        let path = format!("{path}/no-such-thing/at/all");
        for caller in CALLERS {
            let answer = walk.call(caller, &Method::GET, &path).await.expect(404);
            assert!(is_a_fault(&answer) && answer.text().contains("not_found"), "{path}");
        }
    }
}

async fn a_face_knows_its_host_and_needs_no_origin(app: &TestApp) {
    let walk = Walk::new(app).await;
    let path = "/.well-known/jwks.json";
    let elsewhere = [("host", "keys.example.com")];
    app.service().ask(Method::GET, path, &elsewhere).await.expect(421);
    // No browser sends it, and what a browser would send from another site counts for nothing.
    let authorization = basic("member@acme.example", crate::support::PASSWORD);
    let foreign = [
        ("authorization", authorization.as_str()),
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    app.service().ask(Method::POST, "/auth/api-keys/keys", &foreign).await.expect(201);
    // Of a body that never ends nothing is waited for without a caller.
    let answer = walk.call(Caller::Nobody, &Method::POST, "/auth/api-keys/keys").await;
    assert_eq!(answer.status, 401);
}
