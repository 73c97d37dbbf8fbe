//! An automation token, as an admin makes and revokes it.
use keyward::domain::Role;
use serde_json::Value;

use crate::support::{
    Program, TestApp,
    browser::{Look, browse},
    on_sqlite,
};

on_sqlite!(a_token_is_made_copied_used_and_revoked);

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
