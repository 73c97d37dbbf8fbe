//! An automation token, as an admin makes and revokes it.
use chrono::TimeDelta;
use keyward::domain::Role;
use serde_json::Value;

use crate::support::{
    Program, TestApp,
    browser::{Look, browse},
    on_sqlite,
};

on_sqlite!(
    a_token_is_made_copied_used_and_revoked,
    a_token_that_ends_soon_is_replaced_until_an_own_date
);

const PAGE: &str = "/s/acme/settings/tokens";

async fn a_token_is_made_copied_used_and_revoked(app: &TestApp) {
    let admin = app.user("acme", Role::Admin).await.email;
    browse(app, Look::DESKTOP, |it| async move {
        it.sign_in(&admin).await?;
        it.open("/s/acme/settings").await?;
        it.click("main a[href='/s/acme/settings/tokens']").await?;
        it.click(".empty a.primary").await?;
        it.focused("dialog:modal #name").await?;
        it.fill("name", "build-pipeline").await?;
        it.turn("dialog:modal button.primary").await?;
        it.says("Choose at least one scope.").await?;
        assert_eq!(it.value("#name").await?, "build-pipeline", "what was typed is gone");
        it.choose("scopes", "keys:write").await?;
        it.click("dialog:modal button.primary").await?;
        let token = it.value("dialog[data-secret]:modal [data-key]").await?;
        it.click("[data-copy]").await?;
        it.click("[data-done]:enabled").await?;
        it.arrive(PAGE).await?;
        it.says("The token build-pipeline is ready to use.").await?;
        let program = Program::with(app, &token);
        program.get("/instances").await.expect(200);
        it.open(PAGE).await?;
        it.says("127.0.0.1").await?;
        it.click("a[aria-label='Revoke build-pipeline']").await?;
        it.focused("dialog:modal a.btn[autofocus]").await?;
        it.says("It was last used").await?;
        it.click("dialog:modal button.solid-danger").await?;
        it.arrive(PAGE).await?;
        it.says("The token build-pipeline is revoked.").await?;
        program.send((reqwest::Method::GET, "/instances"), &[], Value::Null).await.expect(401);
        assert!(!it.has("a[aria-label='Revoke build-pipeline']").await?);
        Ok(())
    })
    .await;
}

async fn a_token_that_ends_soon_is_replaced_until_an_own_date(app: &TestApp) {
    let admin = app.user("acme", Role::Admin).await.email;
    app.desk("acme").await.token_for(&["keys:read"], TimeDelta::days(3)).await;
    app.clock.advance(TimeDelta::days(2));
    browse(app, Look::DESKTOP, |it| async move {
        it.sign_in(&admin).await?;
        it.open("/s/acme").await?;
        it.says("Token for keys:read ends in 24 hours").await?;
        it.click("ul.todo a.btn").await?;
        it.focused("dialog:modal #name").await?;
        assert_eq!(it.value("#name").await?, "for keys:read");
        // A lifetime fills the date in; another date is an own one.
        let suggested = it.value("#until").await?;
        it.choose("preset", "30").await?;
        assert_ne!(it.value("#until").await?, suggested);
        it.choose("preset", "90").await?;
        assert_eq!(it.value("#until").await?, suggested);
        it.set("#until", "2027-03-01T12:00").await?;
        assert!(it.has("[name=preset][value=dates]:checked").await?);
        it.click("dialog:modal button.primary").await?;
        it.says("Mon 1 Mar 2027 12:00 UTC").await?;
        it.click("[data-copy]").await?;
        it.click("[data-done]:enabled").await?;
        it.arrive(PAGE).await?;
        assert!(!it.has(".st.soon").await?, "it is replaced");
        it.open("/s/acme").await?;
        it.says("No keys yet.").await
    })
    .await;
}
