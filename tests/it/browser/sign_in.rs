//! Signing in, as people meet it: for the first time, by mistake, without scripts, over plain http.
use chrono::TimeDelta;
use keyward::{config::Config, domain::Role, installation};
use thirtyfour::error::WebDriverResult;

use crate::support::{
    Database, PASSWORD, TestApp,
    browser::{Browser, Look, browse},
    on_both, on_sqlite,
};

on_both! {
    a_person_signs_in_and_out_by_the_form,
    the_set_up_link_leads_to_the_overview_of_the_first_subscription,
}

on_sqlite! {
    signing_in_works_without_scripts,
    a_wrong_password_keeps_the_email_and_the_right_one_leads_to_the_page_asked_for,
    plain_http_on_another_host_is_explained_instead_of_looping,
    plain_http_on_another_host_works_with_insecure_cookies_under_a_banner,
}

async fn a_person_signs_in_and_out_by_the_form(app: &TestApp) {
    let email = app.owner_user().await.email;
    browse(app, Look::DESKTOP, |it| async move { in_and_out(&it, &email).await }).await;
}

async fn signing_in_works_without_scripts(app: &TestApp) {
    let email = app.owner_user().await.email;
    let look = Look { scripts: false, ..Look::DESKTOP };
    browse(app, look, |it| async move { in_and_out(&it, &email).await }).await;
}

async fn in_and_out(it: &Browser, email: &str) -> WebDriverResult<()> {
    it.sign_in(email).await?;
    it.arrive("/s/hq").await?;
    it.click("button[popovertarget=me]").await?;
    it.click("form[action='/sign-out'] button").await?;
    it.wait("input[name=password]").await?;
    it.open("/profile").await?;
    assert_eq!(it.path().await?, "/sign-in");
    Ok(())
}

async fn a_wrong_password_keeps_the_email_and_the_right_one_leads_to_the_page_asked_for(
    app: &TestApp,
) {
    let email = app.user("acme", Role::Admin).await.email;
    browse(app, Look::DESKTOP, |it| async move {
        it.open("/s/acme/keys?status=soon").await?;
        it.fill("email", &email).await?;
        it.fill("password", "not the password at all").await?;
        it.click("form[action='/sign-in'] button").await?;
        it.says("Email or password is wrong.").await?;
        it.focused("#password[aria-invalid=true][aria-describedby=password-error]").await?;
        assert_eq!(it.value("#email").await?, email);
        assert_eq!(it.value("#password").await?, "", "a password must not come back");
        app.clock.advance(TimeDelta::seconds(2)); // what a wrong one costs
        it.press(format!("{PASSWORD}\u{e007}")).await?;
        it.arrive("/s/acme/keys").await?;
        assert_eq!(it.ask::<String>("location.search").await?, "?status=soon");
        Ok(())
    })
    .await;
}

async fn the_set_up_link_leads_to_the_overview_of_the_first_subscription(app: &TestApp) {
    let link = installation::setup_link(app).await.unwrap().unwrap();
    browse(app, Look::DESKTOP, |it| async move {
        it.goto(&link).await?;
        it.focused("#name").await?;
        it.fill("name", "Olga Owner").await?;
        it.fill("email", "olga@example.com").await?;
        it.fill("password", PASSWORD).await?;
        it.fill("subscription", "Northwind Re").await?;
        it.click("form button").await?;
        it.arrive("/s/northwind-re").await?;
        it.says("No keys yet. A group holds the keys of one application.").await?;
        it.goto(&link).await?;
        it.says("Not found").await
    })
    .await;
}

/// As a browser elsewhere in the network meets it.
fn in_the_lan(it: &mut Config) {
    let url = format!("http://keyward.test:{}", it.bind.port());
    it.public_url = Some(url.parse().unwrap());
}

async fn plain_http_on_another_host_is_explained_instead_of_looping(database: &Database) {
    let app = TestApp::start_with(*database, in_the_lan).await;
    app.owner_user().await;
    browse(&app, Look::DESKTOP, |it| async move {
        it.open("/profile").await?;
        it.arrive("/sign-in").await?;
        it.says("Signing in does not work at http://keyward.test:").await?;
        it.says("Serve Keyward over https").await?;
        it.says("--insecure-cookies").await?;
        assert!(!it.has("input[name=password]").await?, "a password must not be typed here");
        Ok(())
    })
    .await;
    app.stop().await;
}

async fn plain_http_on_another_host_works_with_insecure_cookies_under_a_banner(
    database: &Database,
) {
    let insecure = |it: &mut Config| {
        in_the_lan(it);
        it.insecure_cookies = true;
    };
    let app = TestApp::start_with(*database, insecure).await;
    let email = app.owner_user().await.email;
    browse(&app, Look::DESKTOP, |it| async move {
        it.open("/sign-in").await?;
        it.says("This connection is not encrypted").await?;
        it.sign_in(&email).await?;
        it.arrive("/s/hq").await?;
        it.says("This connection is not encrypted").await?;
        assert_eq!(it.words(".banner[role=status]").await?.lines().count(), 1);
        Ok(())
    })
    .await;
    app.stop().await;
}
