//! Notices that are posted to a real receiver, whose signature checks are not our code.
use std::net::TcpListener;

use chrono::{TimeDelta, Utc};
use keyward::{
    config::Config,
    notices::{self, BACKOFF, Delivery, Noticer, Webhook},
    pepper::random_token,
};
use serde_json::Value;
use standardwebhooks::Webhook as Receiver;
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path},
};

use crate::support::{Database, Desk, TestApp, on_both};

on_both! {
    a_notice_is_posted_once_and_its_signature_fits,
    what_is_not_taken_is_tried_again_with_the_same_id_until_it_fails,
    a_receiver_that_is_gone_is_paused,
    a_new_secret_signs_beside_the_old_one_for_a_day,
    the_page_sends_a_test_and_tells_how_it_went,
    private_networks_are_closed_unless_the_operator_opens_them,
    redirects_lead_nowhere,
    webhooks_of_others_do_not_exist,
}

/// Loopback is a private network: closed unless a test opens it.
fn open(config: &mut Config) {
    config.webhook_networks = vec!["127.0.0.0/8".parse().unwrap()];
}

struct Posted<'a> {
    app: &'a TestApp,
    desk: Desk<'a>,
    receiver: MockServer,
    webhook: Webhook,
    noticer: Noticer,
}

impl<'a> Posted<'a> {
    async fn new(app: &'a TestApp, answer: ResponseTemplate) -> Self {
        let receiver = receiver(answer).await;
        let desk = app.desk("acme").await;
        let url = format!("{}/hook", receiver.uri());
        let webhook = notices::add(&desk.act(), &url, &random_token()).await.unwrap();
        Self { app, desk, receiver, webhook, noticer: Noticer::default() }
    }

    async fn round(&mut self) {
        assert!(self.noticer.round(&self.app.app).await.unwrap());
    }

    async fn received(&self) -> Vec<Request> {
        self.receiver.received_requests().await.unwrap()
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        let id = Some(self.webhook.id);
        let rows = notices::deliveries(&self.desk.act(), id, 100).await.unwrap();
        rows.into_iter().map(|it| it.0).collect()
    }

    fn secret(&self) -> String {
        notices::shown_secret(&self.app.app, &self.webhook)
    }
}

async fn receiver(answer: ResponseTemplate) -> MockServer {
    let receiver = MockServer::start().await;
    let hook = Mock::given(method("POST")).and(path("/hook"));
    hook.respond_with(answer).mount(&receiver).await;
    receiver
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).unwrap().to_str().unwrap()
}

/// Whether another implementation signs the same with this secret. (It would check the time of a
/// signature against the clock of this machine, which is not that of the test.)
fn verified(request: &Request, secret: &str) -> bool {
    let at = header(request, "webhook-timestamp").parse().unwrap();
    let receiver = Receiver::new(secret).unwrap();
    let signature = receiver.sign(header(request, "webhook-id"), at, &request.body).unwrap();
    header(request, "webhook-signature").split(' ').any(|it| it == signature)
}

async fn a_notice_is_posted_once_and_its_signature_fits(database: &Database) {
    let app = TestApp::start_with(*database, open).await;
    let mut it = Posted::new(&app, ResponseTemplate::new(204)).await;
    let key = it.desk.group("quote-engine", it.desk.days(90)).await.instance;
    it.round().await;
    assert!(it.received().await.is_empty());
    app.clock.advance(TimeDelta::days(83));
    it.round().await;
    it.round().await;
    let received = it.received().await;
    assert_eq!(received.len(), 1);
    assert!(verified(&received[0], &it.secret()));
    assert_eq!(header(&received[0], "content-type"), "application/json");
    let body: Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(body["type"], "key_instance.expiring");
    let data = &body["data"];
    assert_eq!(data["subscription"], "acme");
    assert_eq!(data["key_group"]["name"], "quote-engine");
    assert_eq!(data["key_instance"]["name"], "k-1");
    assert_eq!(data["key_instance"]["id"], key.id.to_string());
    assert_eq!((&data["threshold"], &data["successor"]), (&"7d".into(), &Value::Null));
    let until = key.facts().period.until().unwrap();
    let told: chrono::DateTime<Utc> = data["active_until"].as_str().unwrap().parse().unwrap();
    assert_eq!(told, until);
    let text = String::from_utf8(received[0].body.clone()).unwrap();
    assert!(!text.contains("kw_"), "{text}");
    app.clock.advance(TimeDelta::days(8));
    it.round().await;
    let received = it.received().await;
    assert_eq!(received.len(), 2);
    let body: Value = serde_json::from_slice(&received[1].body).unwrap();
    assert_eq!(body["type"], "key_instance.expired");
    assert_ne!(header(&received[0], "webhook-id"), header(&received[1], "webhook-id"));
    app.stop().await;
}

async fn what_is_not_taken_is_tried_again_with_the_same_id_until_it_fails(database: &Database) {
    let app = TestApp::start_with(*database, open).await;
    let mut it = Posted::new(&app, ResponseTemplate::new(500)).await;
    it.desk.group("quote-engine", it.desk.days(90)).await;
    app.clock.advance(TimeDelta::days(76));
    it.round().await;
    for (n, wait) in BACKOFF.iter().enumerate() {
        assert_eq!(it.received().await.len(), n + 1);
        let delivery = &it.deliveries().await[0];
        assert_eq!((delivery.state.as_str(), delivery.status), ("pending", Some(500)));
        app.clock.advance(*wait - TimeDelta::milliseconds(1));
        it.round().await;
        assert_eq!(it.received().await.len(), n + 1, "too early");
        app.clock.advance(TimeDelta::milliseconds(1));
        it.round().await;
    }
    let received = it.received().await;
    assert_eq!(received.len(), BACKOFF.len() + 1);
    let ids: std::collections::HashSet<&str> =
        received.iter().map(|it| header(it, "webhook-id")).collect();
    assert_eq!(ids.len(), 1);
    assert!(received.iter().all(|one| verified(one, &it.secret())));
    let bodies: std::collections::HashSet<&[u8]> =
        received.iter().map(|it| it.body.as_slice()).collect();
    assert_eq!(bodies.len(), 1);
    let delivery = it.deliveries().await.remove(0);
    assert_eq!((delivery.state.as_str(), delivery.next_at), ("failed", None));
    // An admin sends it once more, when the receiver is well again.
    it.receiver.reset().await;
    let hook = Mock::given(method("POST")).and(path("/hook"));
    hook.respond_with(ResponseTemplate::new(200)).mount(&it.receiver).await;
    let admin = app.signed_in("admin@acme.example").await;
    let page = format!("/s/acme/settings/webhooks/{}", it.webhook.id);
    let again = format!("{page}/deliveries/{}", delivery.id);
    assert!(admin.get(&page).await.expect(200).text().contains(&again));
    let done = admin.post(&again, &[]).await.expect(303);
    assert_eq!(admin.follow(&done).await.expect(200).flash(), "It was delivered.");
    assert_eq!(it.deliveries().await[0].state, "delivered");
    let twice = admin.post(&again, &[]).await.expect(409);
    assert!(twice.text().contains("Only what could not be delivered"), "{}", twice.text());
    app.stop().await;
}

async fn a_receiver_that_is_gone_is_paused(database: &Database) {
    let app = TestApp::start_with(*database, open).await;
    let mut it = Posted::new(&app, ResponseTemplate::new(410)).await;
    it.desk.group("quote-engine", it.desk.days(90)).await;
    app.clock.advance(TimeDelta::days(76));
    it.round().await;
    assert_eq!(it.deliveries().await[0].state, "failed");
    app.clock.advance(TimeDelta::days(7));
    it.round().await;
    assert_eq!(it.received().await.len(), 1);
    let webhook = notices::find(&it.desk.act(), it.webhook.id).await.unwrap();
    assert!(webhook.paused_at.is_some());
    // Going on, the next one is sent; what came in between is not.
    notices::set_paused(&it.desk.act(), it.webhook.id, false).await.unwrap();
    it.round().await;
    assert_eq!(it.received().await.len(), 1);
    app.clock.advance(TimeDelta::days(6));
    it.round().await;
    assert_eq!(it.received().await.len(), 2);
    app.stop().await;
}

async fn a_new_secret_signs_beside_the_old_one_for_a_day(database: &Database) {
    let app = TestApp::start_with(*database, open).await;
    let it = Posted::new(&app, ResponseTemplate::new(204)).await;
    let old = it.secret();
    let changed = notices::change_secret(&it.desk.act(), it.webhook.id).await.unwrap();
    let new = notices::shown_secret(&app.app, &changed);
    assert_ne!(old, new);
    notices::test(&it.desk.act(), it.webhook.id).await.unwrap();
    app.clock.advance(notices::OVERLAP);
    notices::test(&it.desk.act(), it.webhook.id).await.unwrap();
    let received = it.received().await;
    let fits = |n: usize, secret: &str| verified(&received[n], secret);
    assert_eq!([fits(0, &old), fits(0, &new)], [true, true]);
    assert_eq!([fits(1, &old), fits(1, &new)], [false, true]);
    app.stop().await;
}

async fn the_page_sends_a_test_and_tells_how_it_went(database: &Database) {
    let app = TestApp::start_with(*database, open).await;
    app.desk("acme").await;
    let receiver = receiver(ResponseTemplate::new(202)).await;
    let admin = app.signed_in("admin@acme.example").await;
    let url = format!("{}/hook", receiver.uri());
    let new = "/s/acme/settings/webhooks/new";
    let form = [("url", url.as_str()), ("submission", &random_token())];
    let made = admin.post(new, &form).await.expect(303);
    let page = made.location().to_owned();
    let again = admin.post(new, &form).await.expect(303);
    assert_eq!(again.location(), page, "a form that is sent twice makes one");
    let shown = admin.follow(&made).await.expect(200);
    assert!(shown.text().contains("whsec_"), "{}", shown.text());
    let test = format!("{page}/test");
    let done = admin.post(&test, &[]).await.expect(303);
    assert_eq!(admin.follow(&done).await.expect(200).flash(), "The test was delivered.");
    let received = receiver.received_requests().await.unwrap();
    let body: Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(body["type"], "keyward.test");
    receiver.reset().await; // 404 to all
    let done = admin.post(&test, &[]).await.expect(303);
    let told = admin.follow(&done).await.expect(200).flash();
    assert_eq!(told, "The test was not taken: the receiver answered 404.");
    // Nobody listens on a port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{free}/");
    let form = [("url", nobody.as_str()), ("submission", &random_token())];
    let made = admin.post(new, &form).await.expect(303);
    let done = admin.post(&format!("{}/test", made.location()), &[]).await.expect(303);
    let told = admin.follow(&done).await.expect(200).flash();
    assert!(told.starts_with("The test was not delivered. "), "{told}");
    let log = admin.get(&page).await.expect(200);
    assert!(log.text().contains("Answered 202") && log.text().contains("Answered 404"));
    let removed = admin.post(&format!("{page}/removal"), &[]).await.expect(303);
    assert!(!admin.follow(&removed).await.expect(200).text().contains(&url));
    admin.get(&page).await.expect(404);
    app.stop().await;
}

async fn private_networks_are_closed_unless_the_operator_opens_them(database: &Database) {
    let app = TestApp::start(*database).await;
    let desk = app.desk("acme").await;
    let admin = app.signed_in("admin@acme.example").await;
    let new = "/s/acme/settings/webhooks/new";
    for (url, told) in [
        ("https://127.0.0.1/hook", "private network"),
        ("https://[::ffff:169.254.169.254]/latest", "private network"),
        ("http://hooks.example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https://user:pw@hooks.example.com/", "user name"),
        ("nothing", "Enter an address"),
    ] {
        let refused = admin.post(new, &[("url", url)]).await.expect(422);
        let text = refused.text();
        assert!(text.contains("id=\"url-error\"") && text.contains(told), "{url}: {text}");
    }
    // A name is resolved when it is asked, and its private address refused then.
    let receiver = MockServer::start().await;
    let url = format!("https://localhost:{}/hook", receiver.address().port());
    let webhook = notices::add(&desk.act(), &url, &random_token()).await.unwrap();
    let sent = notices::test(&desk.act(), webhook.id).await.unwrap();
    assert!(sent.error.unwrap().contains("private network"));
    assert!(receiver.received_requests().await.unwrap().is_empty());
    // As many as there can be.
    for n in 1..notices::MOST_WEBHOOKS {
        notices::add(&desk.act(), &format!("https://hooks.invalid/{n}"), &random_token())
            .await
            .unwrap();
    }
    let form = [("url", "https://hooks.invalid/more"), ("submission", &random_token())];
    let more = admin.post(new, &form).await.expect(409);
    assert!(more.text().contains("10 webhooks"), "{}", more.text());
    app.stop().await;
}

async fn redirects_lead_nowhere(database: &Database) {
    let app = TestApp::start_with(*database, open).await;
    let inside = receiver(ResponseTemplate::new(200)).await;
    let to = format!("{}/hook", inside.uri());
    let redirect = ResponseTemplate::new(307).insert_header("location", to.as_str());
    let it = Posted::new(&app, redirect).await;
    let sent = notices::test(&it.desk.act(), it.webhook.id).await.unwrap();
    assert_eq!((sent.status, sent.state.as_str()), (Some(307), "pending"));
    assert!(inside.received_requests().await.unwrap().is_empty());
    app.stop().await;
}

async fn webhooks_of_others_do_not_exist(database: &Database) {
    let app = TestApp::start_with(*database, open).await;
    let it = Posted::new(&app, ResponseTemplate::new(200)).await;
    let sent = notices::test(&it.desk.act(), it.webhook.id).await.unwrap();
    let stranger = app.admin("globex").await;
    let own =
        notices::add(&app.desk("globex").await.act(), "https://hooks.invalid/", &random_token())
            .await
            .unwrap();
    let theirs = format!("/s/globex/settings/webhooks/{}", it.webhook.id);
    stranger.get(&theirs).await.expect(404);
    for act in ["/test", "/state", "/secret", "/removal"] {
        stranger.post(&format!("{theirs}{act}"), &[]).await.expect(404);
    }
    let crossed = format!("/s/globex/settings/webhooks/{}/deliveries/{}", own.id, sent.id);
    stranger.post(&crossed, &[]).await.expect(404);
    assert_eq!(it.received().await.len(), 1);
    let webhook = notices::find(&it.desk.act(), it.webhook.id).await.unwrap();
    assert_eq!((webhook.secret_version, webhook.paused_at), (1, None));
    app.stop().await;
}
