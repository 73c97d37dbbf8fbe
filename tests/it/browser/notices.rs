//! Notices, as people meet them: a badge, the list, and a webhook that is set up and tried.
use chrono::TimeDelta;
use keyward::{domain::Role, notices};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::support::{
    Database, TestApp,
    browser::{Look, browse},
    on_sqlite,
};

on_sqlite! {
    a_notice_is_seen_from_the_badge_on,
    a_webhook_is_set_up_and_tried,
}

async fn a_notice_is_seen_from_the_badge_on(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.group("quote-engine", desk.days(90)).await;
    app.clock.advance(TimeDelta::days(83));
    notices::round(app).await.unwrap();
    let admin = app.user("acme", Role::Admin).await.email;
    for look in [Look::DESKTOP, Look::PHONE] {
        let admin = admin.clone();
        browse(app, look, |it| async move {
            it.sign_in(&admin).await?;
            it.open("/s/acme/notices").await?;
            it.says("quote-engine k-1").await?;
            it.says("7 days before").await?;
            it.says("No other key of the group takes over. Never used.").await?;
            let [wide, width]: [f64; 2] =
                it.ask("[document.documentElement.scrollWidth, innerWidth]").await?;
            assert!(wide <= width, "{wide} in {width}");
            Ok(())
        })
        .await;
    }
    browse(app, Look::DESKTOP, |it| async move {
        it.sign_in(&admin).await?;
        it.click("nav a[href='/s/acme/notices'] .n").await?;
        it.click(".pagehead button.primary").await?;
        it.says("All notices are marked as seen.").await?;
        assert!(!it.has("nav a[href='/s/acme/notices'] .n").await?);
        it.click(".todo a").await?;
        it.says("k-1").await
    })
    .await;
}

async fn a_webhook_is_set_up_and_tried(database: &Database) {
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(204)).mount(&receiver).await;
    let open = |it: &mut keyward::config::Config| {
        it.webhook_networks = vec!["127.0.0.0/8".parse().unwrap()];
    };
    let app = TestApp::start_with(*database, open).await;
    app.desk("acme").await;
    let admin = app.user("acme", Role::Admin).await.email;
    let url = format!("{}/hooks/keyward", receiver.uri());
    browse(&app, Look::DESKTOP, |it| async move {
        it.sign_in(&admin).await?;
        it.open("/s/acme/settings").await?;
        it.click("a[href='/s/acme/settings/notices']").await?;
        it.click("a[href='/s/acme/settings/webhooks/new']").await?;
        it.focused("#url").await?;
        it.fill("url", &url).await?;
        it.click("dialog button.primary").await?;
        it.says("The webhook is set up.").await?;
        let secret = it.value("[data-key]").await?;
        assert!(secret.starts_with("whsec_"), "{secret}");
        it.click(".pagehead button.primary").await?;
        it.says("The test was delivered.").await?;
        it.says("Answered 204").await?;
        it.click(".pagehead a[href$='/removal']").await?;
        it.click("dialog button.solid-danger").await?;
        it.says("The webhook is removed.").await
    })
    .await;
    assert_eq!(receiver.received_requests().await.unwrap().len(), 1);
    app.stop().await;
}
