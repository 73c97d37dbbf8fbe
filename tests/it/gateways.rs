//! The gateways of `deploy/` in front of a service: who is let through, what the service is told, and
//! what a refused caller sees. Each is the real program, with the files as they stand there.
use chrono::TimeDelta;
use keyward::{domain::Role, key_instances, key_instances::Issued};
use reqwest::Method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

use crate::support::{
    Answer, Database, TestApp, basic,
    gateway::{Gateway, Got, Program, service},
    held, ids, on_both, on_sqlite, own_text,
};

on_both! { nginx_lets_good_keys_through_and_says_whose_they_are }

on_sqlite! {
    caddy_lets_good_keys_through_and_says_whose_they_are,
    nginx_tells_a_refused_caller_why,
    caddy_tells_a_refused_caller_why,
    nginx_lets_nobody_through_while_keyward_is_away,
    caddy_lets_nobody_through_while_keyward_is_away,
    nginx_lets_nobody_of_another_subscription_through,
    caddy_lets_nobody_of_another_subscription_through,
    nginx_passes_what_each_kind_of_credential_proves,
    caddy_passes_what_each_kind_of_credential_proves,
    nginx_has_open_locations_that_still_take_no_identity_from_callers,
    nginx_serves_the_pages_of_keyward_behind_tls,
}

async fn nginx_lets_good_keys_through_and_says_whose_they_are(database: &Database) {
    lets_good_keys_through(Program::Nginx, *database).await;
}

async fn caddy_lets_good_keys_through_and_says_whose_they_are(database: &Database) {
    lets_good_keys_through(Program::Caddy, *database).await;
}

async fn nginx_tells_a_refused_caller_why(database: &Database) {
    tells_why(Program::Nginx, *database).await;
}

async fn caddy_tells_a_refused_caller_why(database: &Database) {
    tells_why(Program::Caddy, *database).await;
}

async fn nginx_lets_nobody_through_while_keyward_is_away(database: &Database) {
    keyward_is_away(Program::Nginx, *database).await;
}

async fn caddy_lets_nobody_through_while_keyward_is_away(database: &Database) {
    keyward_is_away(Program::Caddy, *database).await;
}

async fn nginx_lets_nobody_of_another_subscription_through(database: &Database) {
    of_another_subscription(Program::Nginx, *database).await;
}

async fn caddy_lets_nobody_of_another_subscription_through(database: &Database) {
    of_another_subscription(Program::Caddy, *database).await;
}

async fn nginx_passes_what_each_kind_of_credential_proves(database: &Database) {
    each_kind_of_credential(Program::Nginx, *database).await;
}

async fn caddy_passes_what_each_kind_of_credential_proves(database: &Database) {
    each_kind_of_credential(Program::Caddy, *database).await;
}

/// A service behind a gateway, and a key of `acme` that may read orders.
struct World {
    app: TestApp,
    gateway: Gateway,
    service: MockServer,
    key: Issued,
}

impl World {
    async fn new(program: Program, database: Database) -> Self {
        let local = vec!["127.0.0.0/8".parse().unwrap()];
        let app = TestApp::start_with(database, |it| it.trusted_proxies = local).await;
        let service = service().await;
        let gateway = Gateway::start(program, app.address, *service.address()).await;
        let desk = app.desk("acme").await;
        desk.declare("orders", &["read"]).await;
        let policy = desk.policy("Read orders", &["orders:read"]).await.id;
        let key = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
        Self { app, gateway, service, key }
    }

    fn key(&self) -> &str {
        self.key.secret.expose()
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.key())
    }

    /// How many calls the service got.
    async fn calls(&self) -> usize {
        self.service.received_requests().await.unwrap().len()
    }
}

const IDENTITY: [&str; 5] = [
    "keyward-expires",
    "keyward-key-group",
    "keyward-key-instance",
    "keyward-permissions",
    "keyward-subscription",
];

async fn lets_good_keys_through(program: Program, database: Database) {
    let it = World::new(program, database).await;
    // With everything that a caller could forge, twice, and a body that only the service may read.
    let bearer = it.bearer();
    let claimed = ["keyward-subscription", "keyward-user", "keyward-warning", "keyward-reason"];
    let mut headers = vec![("authorization", bearer.as_str()), ("x-tenant-name", "acme")];
    headers.extend(claimed.iter().flat_map(|name| [(*name, "forged"), (*name, "forged")]));
    headers.extend([("keyward_user", "forged"), ("keyward-key-instance", "k-9")]);
    headers.extend([("x-forwarded-for", "192.0.2.66"), ("cookie", "theme=dark")]);
    headers.push(("connection", "keyward-subscription, keyward-key-group"));
    let path = "/orders?api_key=in-the-url";
    let answer = it.gateway.send(Method::PUT, path, &headers, "a body").await;
    assert_eq!((answer.header("keyward-warning"), answer.header("sunset")), (None, None));
    let got = Got::of(answer);
    assert_eq!((got.part("method"), got.part("url"), got.part("body")), ("PUT", path, "a body"));
    assert_eq!(got.names("keyward"), IDENTITY);
    for (name, value) in [
        ("keyward-subscription", "acme"),
        ("keyward-key-group", "quote-engine"),
        ("keyward-key-instance", "k-1"),
        ("keyward-permissions", "orders:read"),
        ("keyward-expires", "2027-02-18T10:30:00.000Z"),
        ("x-forwarded-for", "127.0.0.1"),
        ("cookie", "theme=dark"),
    ] {
        assert_eq!(got.all(name), [value], "{name}");
    }
    for name in ["authorization", "x-synthetic-key", "x-tenant-name"] {
        assert!(got.all(name).is_empty(), "{name} reaches the service");
    }
    // Keyward was told the caller's address by the gateway alone.
    it.app.recorder.flush(&it.app.db, it.app.clock.now()).await.unwrap();
    let used = it.app.query("SELECT last_used_from AS place FROM key_instances").await;
    assert_eq!(used[0]["place"], "127.0.0.1");

    it.app.clock.advance(TimeDelta::days(80));
    let answer = it.gateway.bearer("/orders", it.key()).await;
    assert_eq!(answer.header("keyward-warning"), Some("expires_soon"));
    assert_eq!(answer.header("sunset"), Some("Thu, 18 Feb 2027 10:30:00 GMT"));
    assert_eq!(Got::of(answer).names("keyward"), IDENTITY);

    // What the service itself answers is its own.
    for status in [401, 403, 500, 502, 503] {
        let answer = it.gateway.bearer(&format!("/teapot/{status}"), it.key()).await;
        let answer = answer.expect(status);
        assert_eq!(answer.json()["method"], "GET", "{status}");
        assert_eq!(answer.header("keyward-reason"), None);
    }

    let before = it.calls().await;
    key_instances::revoke(&it.app.desk("acme").await.act(), ids(&it.key)).await.unwrap();
    let answer = it.gateway.bearer("/orders", it.key()).await.expect(401);
    assert_eq!(answer.header("keyward-reason"), Some("revoked"));
    assert_eq!(it.calls().await, before, "a refused call reached the service");
    it.app.stop().await;
}

async fn tells_why(program: Program, database: Database) {
    let it = World::new(program, database).await;
    let bearer = it.bearer();
    let shown = ("authorization", bearer.as_str());
    let synthetic = [("x-synthetic-key", it.key()), ("x-tenant-name", "acme")];

    let answer = it.gateway.get("/orders", &[]).await;
    is_refused(&answer, 401, "unknown");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer realm=\"keyward\""), "{challenge}");
    is_refused(&it.gateway.bearer("/orders", &own_text(1)).await, 401, "unknown");
    let both = [shown, synthetic[0], synthetic[1]];
    is_refused(&it.gateway.get("/orders", &both).await, 400, "ambiguous_credentials");
    it.gateway.get("/orders", &[shown, shown]).await.expect(400);
    let twice = [synthetic[0], synthetic[0], synthetic[1]];
    is_refused(&it.gateway.get("/orders", &twice).await, 400, "ambiguous_credentials");
    // A key in the URL is none, and is not sent on to Keyward's.
    let path = format!("/orders?api_key={}", it.key());
    is_refused(&it.gateway.get(&path, &[]).await, 401, "unknown");

    // The locations of the example: a permission, and one in a workspace.
    for path in ["/quotes/1", "/europe/quotes/1"] {
        let answer = it.gateway.bearer(path, it.key()).await;
        is_refused(&answer, 403, "insufficient_permissions");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("insufficient_scope"), "{challenge}");
        is_refused(&it.gateway.get(path, &[]).await, 401, "unknown");
    }
    assert_eq!(it.calls().await, 0, "a refused call reached the service");

    let desk = it.app.desk("acme").await;
    desk.declare("pricing", &["quote"]).await;
    let policy = desk.policy("Quote", &["pricing:quote"]).await.id;
    let europe = desk.workspace("Europe").await.id;
    let role = desk.role(policy, Some(europe)).await.id;
    let everywhere = desk.group_with("everywhere", &held(Some(policy), &[])).await;
    let mut held = held(None, &[]);
    held.roles = [role].into();
    let there = desk.group_with("europe-only", &held).await;
    it.gateway.bearer("/quotes/1", everywhere.secret.expose()).await.expect(200);
    it.gateway.bearer("/europe/quotes/1", there.secret.expose()).await.expect(200);
    let answer = it.gateway.bearer("/quotes/1", there.secret.expose()).await;
    is_refused(&answer, 403, "insufficient_permissions");
    it.gateway.bearer("/orders", there.secret.expose()).await.expect(200);
    it.app.stop().await;
}

/// In the words of Keyward, and not to be stored.
#[track_caller]
fn is_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.header("keyward-reason")),
        (status, Some(code)),
        "{answer:?}"
    );
    assert_eq!(answer.json(), serde_json::json!({ "valid": false, "code": code }));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

async fn keyward_is_away(program: Program, database: Database) {
    let it = World::new(program, database).await;
    it.gateway.bearer("/orders", it.key()).await.expect(200);
    // A service that is away is another matter: nothing listens on port 1.
    let nowhere = ([127, 0, 0, 1], 1).into();
    let alone = Gateway::start(program, it.app.address, nowhere).await;
    alone.bearer("/orders", it.key()).await.expect(502);
    alone.get("/orders", &[]).await.expect(401);

    let before = it.calls().await;
    it.app.db.clone().close().await.unwrap();
    it.app.relies_on_nothing().await;
    for path in ["/orders", "/quotes/1"] {
        let answer = it.gateway.bearer(path, it.key()).await;
        is_refused(&answer, 503, "unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let (gateway, key) = (it.gateway, it.key.secret);
    it.app.stop().await;
    for path in ["/orders", "/quotes/1"] {
        // It must not look as if Keyward had been asked.
        let bearer = format!("Bearer {}", key.expose());
        let claimed = [("authorization", bearer.as_str()), ("keyward-expires", "never")];
        let answer = gateway.get(path, &claimed).await.expect(503);
        assert_eq!(answer.json()["code"], "unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
        gateway.get(path, &[]).await.expect(503);
    }
    assert_eq!(it.service.received_requests().await.unwrap().len(), before);
}

/// Whose admin has declared a permission of the same name.
async fn of_another_subscription(program: Program, database: Database) {
    let it = World::new(program, database).await;
    let desk = it.app.desk("rival").await;
    desk.declare("pricing", &["quote"]).await;
    let policy = desk.policy("Quote", &["pricing:quote"]).await.id;
    let foreign = desk.group_with("quote-engine", &held(Some(policy), &[])).await;
    let key = foreign.secret.expose();
    it.app.service().asks(key, "permission=pricing:quote").await.expect(204);
    let bearer = format!("Bearer {key}");
    for path in ["/orders", "/quotes/1", "/europe/quotes/1"] {
        for claimed in [None, Some("rival"), Some("acme")] {
            let mut headers = vec![("authorization", bearer.as_str())];
            headers.extend(claimed.map(|it| ("x-tenant-name", it)));
            is_refused(&it.gateway.get(path, &headers).await, 401, "wrong_subscription");
        }
    }
    // A caller of one's own who names another one is refused as without a gateway.
    let bearer = it.bearer();
    let headers = [("authorization", bearer.as_str()), ("x-tenant-name", "rival")];
    is_refused(&it.gateway.get("/orders", &headers).await, 401, "wrong_subscription");
    assert_eq!(it.calls().await, 0, "a refused call reached the service");
    it.app.stop().await;
}

async fn each_kind_of_credential(program: Program, database: Database) {
    let it = World::new(program, database).await;
    let desk = it.app.desk("acme").await;
    let own = own_text(1);
    desk.own_key(it.key.instance.key_group_id, &own, desk.days(90)).await;
    let client = desk.client("billing").await;
    let secret = desk.key(client.id, desk.days(90)).await;
    let basic = basic(&client.client_id, secret.secret.expose());
    for (headers, group, instance) in [
        (
            &[("x-synthetic-key", own.as_str()), ("x-tenant-name", "acme")][..],
            "quote-engine",
            "k-2",
        ),
        (&[("x-synthetic-key", it.key()), ("x-tenant-name", "acme")], "quote-engine", "k-1"),
        (&[("authorization", basic.as_str())], "billing", "k-1"),
    ] {
        let got = Got::of(it.gateway.get("/orders", headers).await);
        assert_eq!(got.all("keyward-key-group"), [group]);
        assert_eq!(got.all("keyward-key-instance"), [instance]);
        for name in ["authorization", "x-synthetic-key", "x-tenant-name"] {
            assert!(got.all(name).is_empty(), "{name} reaches the service");
        }
    }
    // A personal key has a person and no key group; the group that the caller claims is none either.
    let user = it.app.user("acme", Role::Member).await;
    let key = it.app.personal_key(&user).await;
    let bearer = format!("Bearer {}", key.token().expose());
    let headers = [("authorization", bearer.as_str()), ("keyward-key-group", "forged")];
    let got = Got::of(it.gateway.get("/orders", &headers).await);
    assert_eq!(got.all("keyward-user"), [user.email.as_str()]);
    assert_eq!(got.all("keyward-key-group"), [""; 0]);
    assert_eq!(got.all("keyward-expires"), ["never"]);
    it.app.stop().await;
}

async fn nginx_has_open_locations_that_still_take_no_identity_from_callers(database: &Database) {
    let it = World::new(Program::Nginx, *database).await;
    let bearer = it.bearer();
    let headers = [("authorization", bearer.as_str()), ("keyward-user", "forged")];
    let got = Got::of(it.gateway.get("/health", &headers).await);
    assert_eq!((got.names("keyward"), got.all("authorization")), (vec![], vec![]));
    // A location with a header of its own keeps the guard, by the include.
    let got = Got::of(it.gateway.get("/slow-reports/1", &headers).await);
    assert_eq!(
        (got.names("keyward"), got.all("x-report-source")),
        (IDENTITY.into(), vec!["gateway"])
    );
    is_refused(&it.gateway.get("/slow-reports/1", &[]).await, 401, "unknown");
    // Nobody asks Keyward through the locations that are for auth_request.
    for path in ["/-/keyward", "/-/keyward/pricing:quote", "/-/keyward-", "/-/"] {
        it.gateway.get(path, &headers).await.expect(404);
    }
    assert!(!it.gateway.log().contains(it.key()), "a key is in the log of nginx");
    it.app.stop().await;
}

async fn nginx_serves_the_pages_of_keyward_behind_tls(database: &Database) {
    let public = "https://keys.example.com";
    let app = TestApp::start_with(*database, |it| {
        it.public_url = Some(public.parse().unwrap());
        it.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let service = service().await;
    let gateway = Gateway::start(Program::Nginx, app.address, *service.address()).await;
    let page = gateway.page("keys.example.com", "/sign-in", &[]).await.expect(200);
    assert!(page.text().contains("action=\"/sign-in\""), "{}", page.text());
    for (name, value) in [
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
    let home = gateway.page("keys.example.com", "/", &[]).await;
    assert!(home.is_sign_in_redirect(), "{home:?}");
    // Another name is refused by Keyward itself.
    gateway.page("evil.example.com", "/sign-in", &[]).await.expect(421);
    app.stop().await;
}

/// Something else may stand in Keyward's place: a proxy, an old version.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_but_a_yes_lets_a_call_through() {
    let told = |request: &Request| {
        let said = request.headers["authorization"].to_str().unwrap().replace("Bearer ", "");
        ResponseTemplate::new(said.parse::<u16>().unwrap()).insert_header("retry-after", "7")
    };
    let keyward = MockServer::start().await;
    Mock::given(any()).respond_with(told).mount(&keyward).await;
    let service = service().await;
    for program in [Program::Nginx, Program::Caddy] {
        let gateway = Gateway::start(program, *keyward.address(), *service.address()).await;
        for said in [302, 400, 404, 429, 500, 502, 504] {
            for path in ["/orders", "/quotes/1"] {
                let answer = gateway.bearer(path, &said.to_string()).await;
                let expected = match (program, said) {
                    (Program::Caddy, _) | (_, 400 | 429) => said,
                    _ => 503,
                };
                assert_eq!(answer.status, expected, "{program:?} {said}");
                let again = answer.header("retry-after");
                assert_eq!(again, (said != 400 || program == Program::Caddy).then_some("7"));
            }
        }
    }
    assert!(service.received_requests().await.unwrap().is_empty());
}
