//! One's own password and sessions, and the password that is asked for in the middle of something.
use chrono::TimeDelta;
use keyward::domain::Role;
use thirtyfour::prelude::*;

use crate::support::{
    PASSWORD, TestApp,
    browser::{Browser, Look, browse},
    on_both, on_sqlite,
};

on_both! {
    a_person_changes_the_password,
    a_session_elsewhere_is_ended_from_the_profile,
    the_password_asked_for_in_the_middle_of_making_a_key_keeps_what_was_typed,
}

on_sqlite! {
    the_password_is_asked_for_without_scripts_too,
    a_download_of_a_shown_key_asks_for_the_password_and_loses_nothing,
    the_export_of_the_audit_log_asks_for_the_password,
}

async fn a_person_changes_the_password(app: &TestApp) {
    const NEW: &str = "an entirely different sentence";
    let email = app.user("acme", Role::Member).await.email;
    let elsewhere = app.signed_in(&email).await;
    browse(app, Look::DESKTOP, |it| async move {
        it.sign_in(&email).await?;
        it.open("/profile").await?;
        it.click("a[href='/profile/password']").await?;
        it.focused("dialog:modal #password").await?;
        it.fill("password", "not the password at all").await?;
        it.fill("new_password", NEW).await?;
        it.turn("dialog button.primary").await?;
        it.says("This is not your password.").await?;
        assert_eq!(it.value("#new_password").await?, "", "a password must not come back");
        app.clock.advance(TimeDelta::seconds(2)); // what a wrong one costs
        it.fill("password", PASSWORD).await?;
        it.fill("new_password", NEW).await?;
        it.turn("dialog button.primary").await?;
        it.arrive("/profile").await?;
        it.says("Your password is changed. Your other sessions have ended.").await
    })
    .await;
    assert!(!elsewhere.is_signed_in().await);
}

async fn a_session_elsewhere_is_ended_from_the_profile(app: &TestApp) {
    let email = app.user("acme", Role::Member).await.email;
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    let elsewhere = app.anonymous().with(&[("user-agent", agent)]);
    elsewhere.sign_in(&email, PASSWORD).await.expect(303);
    browse(app, Look::DESKTOP, |it| async move {
        it.sign_in(&email).await?;
        it.open("/profile").await?;
        it.says("this one").await?;
        it.turn("button[aria-label='End the session of Firefox on Linux']").await?;
        it.says("The session is ended.").await?;
        assert!(!it.has("button[aria-label^='End the session']").await?);
        Ok(())
    })
    .await;
    assert!(!elsewhere.is_signed_in().await);
}

/// Types half of a key, thinks about it for six minutes, and sends it.
async fn half_a_key(it: &Browser, app: &TestApp) -> WebDriverResult<()> {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(90)).await.instance.key_group_id;
    let form = format!("/s/acme/groups/{group}/keys/new");
    it.sign_in(&app.user("acme", Role::Admin).await.email).await?;
    it.open(&form).await?;
    it.fill("note", "Prague cluster, blue").await?;
    app.clock.advance(TimeDelta::minutes(6));
    it.click("dialog button[value=create]").await?;
    it.arrive("/confirm-password").await?;
    it.says("Type your password once more").await?;
    it.fill("password", "not the password at all").await?;
    it.turn("form[action='/confirm-password'] button").await?;
    it.says("This is not your password.").await?;
    app.clock.advance(TimeDelta::seconds(2)); // what a wrong one costs
    it.confirm_password().await?;
    it.arrive(&form).await?;
    assert_eq!(it.value("dialog [name=note]").await?, "Prague cluster, blue");
    it.click("dialog button[value=create]").await?;
    it.wait("dialog[data-secret]").await?;
    it.open(&format!("/s/acme/groups/{group}")).await?;
    it.says("Prague cluster, blue").await
}

async fn the_password_asked_for_in_the_middle_of_making_a_key_keeps_what_was_typed(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move { half_a_key(&it, app).await }).await;
}

async fn the_password_is_asked_for_without_scripts_too(app: &TestApp) {
    let look = Look { scripts: false, ..Look::PHONE };
    browse(app, look, |it| async move { half_a_key(&it, app).await }).await;
}

async fn a_download_of_a_shown_key_asks_for_the_password_and_loses_nothing(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        it.sign_in(&app.user("acme", Role::Admin).await.email).await?;
        let key = it.make_group("acme", "quote-engine").await?;
        let page = it.path().await?;
        app.clock.advance(TimeDelta::minutes(6));
        it.click("a[href$='download.json']").await?;
        it.confirm_password().await?;
        it.arrive(&page).await?;
        assert_eq!(it.value("dialog[data-secret]:modal [data-key]").await?, key);
        it.wait("[data-done]:disabled").await?;
        it.click("[data-copy]").await?;
        it.click("[data-done]:enabled").await?;
        it.says("k-1 is ready to use.").await
    })
    .await;
}

async fn the_export_of_the_audit_log_asks_for_the_password(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        it.sign_in(&app.user("acme", Role::Auditor).await.email).await?;
        app.clock.advance(TimeDelta::minutes(6));
        it.open("/s/acme/audit?action=member.joined").await?;
        it.click("a[href*='audit.csv']").await?;
        it.confirm_password().await?;
        it.arrive("/s/acme/audit").await?;
        assert_eq!(it.ask::<String>("location.search").await?, "?action=member.joined");
        it.says("Your password is confirmed for 5 minutes.").await
    })
    .await;
}
