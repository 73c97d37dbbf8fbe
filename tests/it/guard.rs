//! Every row of the route table, walked by everybody who could call it.
use keyward::{
    pepper::random_token,
    server::{Access, MACHINE_ROUTES, ROUTES, Route},
};
use reqwest::Method;

use crate::support::{Answer, PASSWORD, Person, TestApp, Things, on_both, path_to};

on_both! {
    every_route_keeps_out_who_it_says_and_lets_in_the_others,
    a_subscription_of_others_is_the_same_as_one_that_never_was,
    a_thing_of_another_subscription_is_the_same_as_one_that_never_was,
    a_key_is_reached_through_its_own_group_alone,
    members_see_no_keys_where_the_subscription_says_so,
    machines_need_no_session_and_get_none,
    a_wrong_method_is_told_which_ones_fit,
    what_no_route_answers_is_a_page_that_says_so,
}

/// Seen from the subscription `acme`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Anonymous,
    Member,
    Auditor,
    Admin,
    /// Of the installation, and no member of `acme`.
    Owner,
    /// An admin elsewhere.
    Stranger,
}

const CALLERS: [Caller; 6] = [
    Caller::Anonymous,
    Caller::Member,
    Caller::Auditor,
    Caller::Admin,
    Caller::Owner,
    Caller::Stranger,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Allowed,
    ToSignIn,
    Forbidden,
    NotFound,
}

fn expected(access: Access, caller: Caller) -> Outcome {
    use Caller::*;
    match (access, caller) {
        (Access::Anyone, _) => Outcome::Allowed,
        (_, Anonymous) => Outcome::ToSignIn,
        (Access::SignedIn, _) => Outcome::Allowed,
        (Access::Owner, Owner) => Outcome::Allowed,
        (Access::Owner, _) => Outcome::Forbidden,
        (_, Owner | Stranger) => Outcome::NotFound,
        (Access::Viewer, _) | (_, Admin) => Outcome::Allowed,
        (Access::AuditReader, Auditor) => Outcome::Allowed,
        (Access::Admin | Access::AuditReader, Member | Auditor) => Outcome::Forbidden,
        (
            Access::PersonalApi | Access::SpaceAdmin | Access::Token(_) | Access::TokenOrKey(_),
            _,
        ) => {
            panic!("no page is for programs")
        }
    }
}

#[track_caller]
fn check(answer: &Answer, expected: Outcome, what: &str) {
    let status = answer.status;
    let fits = match expected {
        Outcome::ToSignIn => answer.is_sign_in_redirect(),
        Outcome::Forbidden => status == 403,
        Outcome::NotFound => status == 404,
        Outcome::Allowed => {
            // Signing out leads there too, and says that it was done.
            let signed_out = answer.header("clear-site-data").is_some();
            let sent_away = answer.is_sign_in_redirect() && !signed_out;
            !sent_away && status < 500 && ![401, 403].contains(&status)
        }
    };
    assert!(fits, "{what}: expected {expected:?}, got {status}\n{}", answer.text());
}

/// Complete for every form, so that a refusal has no other reason than who sent it.
const FORM: [(&str, &str); 5] = [
    ("make", "generate"),
    ("preset", "30"),
    ("name", "Somebody"),
    ("overlap", "24h"),
    ("saved_by", "manual"),
];

/// A person for each caller, and one of everything in `acme`.
struct Walk<'a> {
    app: &'a TestApp,
    things: Things,
    /// Somebody who can sign in.
    email: String,
}

impl<'a> Walk<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let things = app.desk("acme").await.things().await;
        let email = app.owner_user().await.email;
        Self { app, things, email }
    }

    async fn person(&self, caller: Caller) -> Person<'a> {
        match caller {
            Caller::Anonymous => self.app.anonymous(),
            Caller::Member => self.app.member("acme").await,
            Caller::Auditor => self.app.auditor("acme").await,
            Caller::Admin => self.app.admin("acme").await,
            Caller::Owner => self.app.owner().await,
            Caller::Stranger => self.app.admin("globex").await,
        }
    }

    fn path(&self, route: &Route) -> String {
        path_to(route, &self.things)
    }

    async fn call(&self, person: &Person<'_>, method: &Method, path: &str) -> Answer {
        match (method.as_str(), path) {
            // The one form that answers 401 to nothing at all, and that changes who one is.
            ("POST", "/sign-in") => self.app.anonymous().sign_in(&self.email, PASSWORD).await,
            // The other one: a wrong password is no question of who may call.
            ("POST", "/confirm-password") => person.confirm(PASSWORD, "/").await,
            ("POST", _) => {
                let token = random_token();
                let fields = [("submission", token.as_str())].into_iter().chain(FORM);
                person.post(path, &fields.collect::<Vec<_>>()).await
            }
            _ => person.send(method.clone(), path).await,
        }
    }
}

/// Signing out ends the walk of a person, so it comes last.
fn in_walking_order() -> Vec<&'static Route> {
    let mut routes: Vec<_> = ROUTES.iter().collect();
    routes.sort_by_key(|it| it.path == "/sign-out");
    routes
}

async fn every_route_keeps_out_who_it_says_and_lets_in_the_others(app: &TestApp) {
    let walk = Walk::new(app).await;
    let mut walked = 0;
    for caller in CALLERS {
        let person = walk.person(caller).await;
        for route in in_walking_order() {
            let path = walk.path(route);
            let outcome = expected(route.access, caller);
            // A Method of actix-web is another type than one of reqwest.
            let method: Method = route.method.as_str().parse().unwrap();
            let what = format!("{method} {path} as {caller:?}");
            if route.method == "GET" {
                let head = walk.call(&person, &Method::HEAD, &path).await;
                check(&head, outcome, &format!("HEAD {path} as {caller:?}"));
                assert_eq!(head.text(), "", "{what}");
            }
            let told = app.count("audit_events").await;
            let answer = walk.call(&person, &method, &path).await;
            check(&answer, outcome, &what);
            if outcome == Outcome::Forbidden {
                assert_eq!(app.count("audit_events").await, told + 1, "{what} is not told");
                // Else the log would not tell of so many within a minute.
                app.execute("DELETE FROM sign_in_failures").await;
            }
            walked += 1;
        }
    }
    assert_eq!(walked, ROUTES.len() * CALLERS.len());
}

/// Status, body, and every header that is not the request's own.
fn face(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let own = ["date", "x-request-id"];
    let headers = answer.headers.iter().filter(|it| !own.contains(&it.0.as_str()));
    let mut headers: Vec<_> =
        headers.map(|it| (it.0.to_string(), it.1.to_str().unwrap().to_owned())).collect();
    headers.sort();
    (answer.status, answer.text().to_owned(), headers)
}

async fn a_subscription_of_others_is_the_same_as_one_that_never_was(app: &TestApp) {
    let walk = Walk::new(app).await;
    let within = |it: &&Route| it.path.starts_with("/s/{slug}");
    for caller in [Caller::Anonymous, Caller::Owner, Caller::Stranger] {
        let person = walk.person(caller).await;
        for route in ROUTES.iter().filter(within) {
            let path = walk.path(route);
            let never = path.replacen("/s/acme", "/s/acne", 1);
            let method: Method = route.method.as_str().parse().unwrap();
            let theirs = walk.call(&person, &method, &path).await;
            let nothing = walk.call(&person, &method, &never).await;
            if caller == Caller::Anonymous {
                assert!(theirs.is_sign_in_redirect() && nothing.is_sign_in_redirect(), "{path}");
            } else {
                assert_eq!(face(&theirs), face(&nothing), "{method} {path} as {caller:?}");
            }
        }
    }
}

/// With the ids of `acme` below the subscription of which one is an admin.
async fn a_thing_of_another_subscription_is_the_same_as_one_that_never_was(app: &TestApp) {
    let walk = Walk::new(app).await;
    let stranger = walk.person(Caller::Stranger).await;
    let (before, mut walked) = (app.snapshot().await, 0);
    let ids = walk.things.ids();
    let is_about_one = |it: &&Route| ids.iter().any(|(name, _)| it.path.contains(name));
    for route in ROUTES.iter().filter(is_about_one) {
        let path = walk.path(route).replacen("/s/acme", "/s/globex", 1);
        let never = ids.iter().fold(path.clone(), |path, (_, id)| {
            let id = id.to_string();
            path.replace(&id, &id.replace('0', "1"))
        });
        assert_ne!(path, never);
        let method: Method = route.method.as_str().parse().unwrap();
        let theirs = walk.call(&stranger, &method, &path).await;
        let nothing = walk.call(&stranger, &method, &never).await;
        assert_eq!(theirs.status, 404, "{method} {path}\n{}", theirs.text());
        assert_eq!(face(&theirs), face(&nothing), "{method} {path}");
        walked += 1;
    }
    assert!(walked > 35, "{walked} routes to one thing were walked");
    assert_eq!(app.snapshot().await, before);
}

async fn a_key_is_reached_through_its_own_group_alone(app: &TestApp) {
    let walk = Walk::new(app).await;
    let desk = app.desk("acme").await;
    let other = desk.group("another-group", desk.days(90)).await.instance.key_group_id;
    let admin = walk.person(Caller::Admin).await;
    let before = app.snapshot().await;
    let mut walked = 0;
    for route in ROUTES.iter().filter(|it| it.path.contains("{group}/keys/{key}")) {
        let path =
            walk.path(route).replace(&walk.things.key.key_group_id.to_string(), &other.to_string());
        let method: Method = route.method.as_str().parse().unwrap();
        let answer = walk.call(&admin, &method, &path).await;
        assert_eq!(answer.status, 404, "{method} {path}");
        walked += 1;
    }
    assert!(walked > 10, "{walked}");
    assert_eq!(app.snapshot().await, before);
}

async fn members_see_no_keys_where_the_subscription_says_so(app: &TestApp) {
    let walk = Walk::new(app).await;
    app.desk("acme").await.change_settings(|it| it.members_see_keys = false).await;
    let member = walk.person(Caller::Member).await;
    let auditor = walk.person(Caller::Auditor).await;
    for route in ROUTES.iter().filter(|it| it.access == Access::Viewer) {
        let path = walk.path(route);
        let method: Method = route.method.as_str().parse().unwrap();
        let what = format!("{method} {path}");
        check(&walk.call(&member, &method, &path).await, Outcome::Forbidden, &what);
        check(&walk.call(&auditor, &method, &path).await, Outcome::Allowed, &what);
    }
}

async fn machines_need_no_session_and_get_none(app: &TestApp) {
    let walk = Walk::new(app).await;
    for route in MACHINE_ROUTES {
        assert_eq!(route.access, Access::Anyone, "{}", route.path);
        let path = walk.path(route);
        let method: Method = route.method.as_str().parse().unwrap();
        // From another site, as every machine is.
        let machine = app.anonymous().with(&[("sec-fetch-site", ""), ("origin", "")]);
        let answer = machine.send(method, &path).await;
        let expected = match path.as_str() {
            "/verify" => 401,
            "/calendar/never-made.ics" => 404,
            _ => 200,
        };
        let answer = answer.expect(expected);
        assert!(answer.cookies().is_empty(), "{path} sets a cookie");
        assert_eq!(answer.header("www-authenticate").is_some(), path == "/verify", "{path}");
    }
}

async fn a_wrong_method_is_told_which_ones_fit(app: &TestApp) {
    let walk = Walk::new(app).await;
    let admin = walk.person(Caller::Admin).await;
    let table = || ROUTES.iter().chain(MACHINE_ROUTES);
    for route in table() {
        let rows = table().filter(|it| it.path == route.path);
        let fitting: Vec<&str> = rows.map(|it| it.method.as_str()).collect();
        let path = walk.path(route);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            if fitting.contains(&method) {
                continue;
            }
            let answer = admin.send(method.parse().unwrap(), &path).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(fitting.join(", ").as_str()), "{path}");
        }
    }
}

async fn what_no_route_answers_is_a_page_that_says_so(app: &TestApp) {
    let walk = Walk::new(app).await;
    let admin = walk.person(Caller::Admin).await;
    let plain = face(&admin.get("/no-such-thing/at/all").await.expect(404));
    for route in ROUTES {
        let path = format!("{}/no-such-thing/at/all", walk.path(route).trim_end_matches('/'));
        for below in [path.clone(), path.replacen("/s/acme", "/s/nobodys", 1)] {
            assert_eq!(face(&admin.get(&below).await.expect(404)), plain, "{below}");
        }
    }
}
