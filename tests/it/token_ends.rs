//! Automation tokens that end soon are told of as keys are: in the app, to webhooks, on the overview; to
//! admins only, who alone see tokens.
use chrono::TimeDelta;
use keyward::{
    automation_tokens::{self, NewToken},
    config::Config,
    domain::{ApiScopes, Role},
    notices::{self, Noticer},
    pepper::random_token,
};
use serde_json::Value;
use uuid::Uuid;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::support::{Database, Desk, TestApp, on_both};

on_both! {
    a_token_is_told_of_14_7_and_1_days_before_and_at_its_end_once_each,
    a_token_that_was_revoked_or_replaced_ends_in_silence,
    a_token_whose_replacement_is_revoked_is_told_of_again,
    a_suspended_subscription_is_told_of_its_tokens_when_it_is_open_again,
    only_admins_are_told_of_tokens,
    a_webhook_is_told_of_a_token,
    the_overview_and_the_list_lead_to_the_token_that_takes_its_place,
}

const PAGE: &str = "/s/acme/settings/tokens";

fn days(n: i64) -> TimeDelta {
    TimeDelta::days(n)
}

async fn token(desk: &Desk<'_>, name: &str, life: i64) -> Uuid {
    let act = desk.act();
    let new = NewToken {
        name: name.to_owned(),
        scopes: ApiScopes::parse(["keys:read", "audit:read"]),
        ends_at: Some(act.now + days(life)),
    };
    automation_tokens::create(&act, &new, &random_token()).await.unwrap().token.id
}

/// Moves the clock, lets one round pass, and gives all that was said so far, the oldest first.
async fn after(app: &TestApp, desk: &Desk<'_>, by: TimeDelta) -> Vec<String> {
    app.clock.advance(by);
    notices::round(app).await.unwrap();
    let (mut rows, _) = notices::list(&desk.act(), Role::Admin, None, 100).await.unwrap();
    rows.reverse();
    rows.iter().map(|it| format!("{} {}", it.name(), it.threshold().as_str())).collect()
}

async fn a_token_is_told_of_14_7_and_1_days_before_and_at_its_end_once_each(app: &TestApp) {
    let desk = app.desk("acme").await;
    token(&desk, "pipeline", 90).await;
    let second = TimeDelta::seconds(1);
    assert!(after(app, &desk, days(76) - second).await.is_empty());
    assert_eq!(after(app, &desk, second).await, ["Token pipeline 14d"]);
    assert_eq!(after(app, &desk, second).await.len(), 1);
    assert_eq!(after(app, &desk, days(7)).await.len(), 2);
    assert_eq!(after(app, &desk, days(6)).await.len(), 3);
    let all = ["14d", "7d", "1d", "end"].map(|it| format!("Token pipeline {it}"));
    assert_eq!(after(app, &desk, days(1)).await, all);
    assert_eq!(after(app, &desk, days(400)).await, all);
    // A short one by the table of short keys, and what ended long ago is no news.
    token(&desk, "short", 3).await;
    token(&desk, "long", 90).await;
    assert_eq!(after(app, &desk, days(1)).await[4..], ["Token short warning"]);
    assert_eq!(after(app, &desk, days(130)).await[5..], [] as [&str; 0]);
}

async fn a_token_that_was_revoked_or_replaced_ends_in_silence(app: &TestApp) {
    let desk = app.desk("acme").await;
    let revoked = token(&desk, "revoked", 90).await;
    token(&desk, "pipeline", 90).await;
    assert_eq!(after(app, &desk, days(77)).await.len(), 2);
    automation_tokens::revoke(&desk.act(), revoked).await.unwrap();
    token(&desk, "pipeline", 90).await;
    assert_eq!(after(app, &desk, days(8)).await.len(), 2);
    assert_eq!(after(app, &desk, days(8)).await.len(), 2);
}

async fn a_token_whose_replacement_is_revoked_is_told_of_again(app: &TestApp) {
    let desk = app.desk("acme").await;
    token(&desk, "pipeline", 90).await;
    app.clock.advance(days(50));
    let next = token(&desk, "pipeline", 90).await;
    assert!(after(app, &desk, days(34)).await.is_empty());
    automation_tokens::revoke(&desk.act(), next).await.unwrap();
    assert_eq!(after(app, &desk, days(0)).await, ["Token pipeline 7d"]);
    assert_eq!(after(app, &desk, days(0)).await.len(), 1);
}

async fn a_suspended_subscription_is_told_of_its_tokens_when_it_is_open_again(app: &TestApp) {
    let desk = app.desk("acme").await;
    token(&desk, "pipeline", 90).await;
    app.suspend("acme", true).await;
    assert!(after(app, &desk, days(77)).await.is_empty());
    app.suspend("acme", false).await;
    assert_eq!(after(app, &desk, TimeDelta::hours(1)).await, ["Token pipeline 14d"]);
}

async fn only_admins_are_told_of_tokens(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.instance;
    token(&desk, "pipeline", 90).await;
    assert_eq!(after(app, &desk, days(77)).await.len(), 2);
    let (rows, _) = notices::list(&desk.act(), Role::Member, None, 100).await.unwrap();
    assert_eq!(rows.len(), 1);
    for (person, sees) in [
        (app.admin("acme").await, true),
        (app.member("acme").await, false),
        (app.auditor("acme").await, false),
    ] {
        let page = person.get("/s/acme/notices").await.expect(200);
        assert!(page.text().contains(&key.id.to_string()));
        assert_eq!(page.plain().contains("Token pipeline ends"), sees, "{}", page.plain());
        let overview = person.get("/s/acme").await.expect(200).plain();
        assert_eq!(overview.contains("Token pipeline"), sees, "{overview}");
        // The token, and a key that nobody confirmed to have.
        assert_eq!(overview.contains("and 2 other things to look at."), sees, "{overview}");
    }
    // The list goes on where it stopped, whatever each row is about.
    let list = async |before| notices::list(&desk.act(), Role::Admin, before, 1).await.unwrap();
    let (first, next) = list(None).await;
    let (second, end) = list(next).await;
    assert_ne!(first[0].is_of_token(), second[0].is_of_token());
    assert_eq!((first.len(), second.len(), end), (1, 1, None));
    let admin = app.admin("acme").await;
    admin.post("/s/acme/notices", &[]).await.expect(303);
    assert!(!admin.get("/s/acme/notices").await.expect(200).text().contains("class=\"unseen\""));
}

async fn a_webhook_is_told_of_a_token(database: &Database) {
    let open = |it: &mut Config| it.webhook_networks = vec!["127.0.0.0/8".parse().unwrap()];
    let app = TestApp::start_with(*database, open).await;
    let desk = app.desk("acme").await;
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(204)).mount(&receiver).await;
    let webhook = notices::add(&desk.act(), &receiver.uri(), &random_token()).await.unwrap();
    let id = token(&desk, "pipeline", 90).await;
    let mut noticer = Noticer::default();
    for by in [83, 0, 7] {
        app.clock.advance(days(by));
        noticer.round(&app.app).await.unwrap();
    }
    let received = receiver.received_requests().await.unwrap();
    let bodies: Vec<Value> =
        received.iter().map(|it| serde_json::from_slice(&it.body).unwrap()).collect();
    let kinds: Vec<_> = bodies.iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["automation_token.expiring", "automation_token.expired"]);
    let data = &bodies[0]["data"];
    assert_eq!(data["automation_token"]["id"], id.to_string());
    assert_eq!(data["automation_token"]["name"], "pipeline");
    assert_eq!((&data["threshold"], &data["subscription"]), (&"7d".into(), &"acme".into()));
    assert_eq!(data["url"], format!("{}{PAGE}", app.site.origin));
    assert!(data.get("key_group").is_none() && !bodies[0].to_string().contains("kwa_"));
    let log = notices::deliveries(&desk.act(), Some(webhook.id), 10).await.unwrap();
    assert!(log.iter().all(|it| it.0.state == "delivered" && it.1.is_some()));
    let admin = app.signed_in("admin@acme.example").await;
    let page = admin.get(&format!("/s/acme/settings/webhooks/{}", webhook.id)).await.expect(200);
    assert!(page.plain().contains("Token pipeline, 7 days before"), "{}", page.plain());
    app.stop().await;
}

async fn the_overview_and_the_list_lead_to_the_token_that_takes_its_place(app: &TestApp) {
    let desk = app.desk("acme").await;
    let id = token(&desk, "pipeline", 90).await;
    app.clock.advance(days(76) - TimeDelta::milliseconds(1));
    let admin = app.signed_in("admin@acme.example").await;
    let overview = async || admin.get("/s/acme").await.expect(200).plain();
    assert!(overview().await.contains("Nothing needs attention."));
    assert!(!admin.get(PAGE).await.expect(200).plain().contains("Expires soon"));
    app.clock.advance(TimeDelta::milliseconds(1));
    let told = overview().await;
    assert!(told.contains("1 automation token ends soon."), "{told}");
    assert!(told.contains("Token pipeline ends in 14 days"), "{told}");
    assert!(admin.get(PAGE).await.expect(200).plain().contains("Expires soon"));
    // The form knows what the one before was called and could do.
    let form = admin.open(&format!("{PAGE}/new?like={id}")).await.expect(200);
    assert_eq!(form.field("name"), "pipeline");
    let is_chosen = |scope: &str| form.text().contains(&format!("value=\"{scope}\" checked"));
    assert!(is_chosen("keys:read") && is_chosen("audit:read") && !is_chosen("keys:write"));
    let globex = token(&app.desk("globex").await, "theirs", 90).await;
    for unknown in [globex.to_string(), Uuid::nil().to_string(), "x".to_owned()] {
        admin.get(&format!("{PAGE}/new?like={unknown}")).await.expect(404);
    }
    token(&desk, "pipeline", 90).await;
    assert!(overview().await.contains("Nothing needs attention."));
    assert!(!admin.get(PAGE).await.expect(200).plain().contains("Expires soon"));
}
