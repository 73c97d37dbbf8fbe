//! Personal keys with a mouse, a keyboard, and without scripts; and whether everybody can use them.
use chrono::TimeDelta;
use keyward::{
    domain::Role,
    pepper::random_token,
    personal_keys::{self, NewKey},
};
use thirtyfour::prelude::*;

use super::{
    access::{DESKTOP, none},
    scene::{stop, then},
};
use crate::support::{
    TestApp,
    browser::{Browser, Look, browse},
    on_both, on_sqlite,
};

on_both! {
    a_personal_key_is_made_copied_used_and_deleted,
}

on_sqlite! {
    without_scripts_a_personal_key_is_made_and_kept,
    pages_of_personal_keys_are_accessible,
    a_note_of_two_hundred_letters_makes_no_page_wider_than_a_small_phone,
}

async fn ida(it: &Browser, app: &TestApp) -> WebDriverResult<()> {
    it.sign_in(&app.user("acme", Role::Member).await.email).await
}

async fn a_personal_key_is_made_copied_used_and_deleted(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        ida(&it, app).await?;
        it.open("/profile").await?;
        it.click("main a[href='/profile/keys']").await?;
        it.says("No personal keys yet.").await?;
        it.click(".pagehead a.primary").await?;
        it.fill("note", "laptop").await?;
        it.choose("lifetime", "30").await?;
        it.click("dialog:modal button.primary").await?;
        it.focused("dialog[data-secret]:modal [data-copy]").await?;
        let key = it.value("dialog:modal [data-key]").await?;
        assert!(it.has("[data-done]:disabled").await?);
        // A reload shows the same, and Esc closes nothing.
        it.refresh().await?;
        it.focused("dialog[data-secret]:modal [data-copy]").await?;
        it.press(Key::Escape).await?;
        assert_eq!(it.value("dialog:modal [data-key]").await?, key);
        it.click("[data-copy]").await?;
        it.says("Copied. Paste it into your secret store before you close.").await?;
        let path = it.path().await?;
        it.click("[data-done]:enabled").await?;
        it.says("Your personal key is ready to use.").await?;
        assert!(!it.source().await?.contains(&key));
        app.service().bearer(&key).await.expect(204);
        it.open(&path).await?;
        it.says("This key is no longer shown.").await?;
        it.open("/profile/keys").await?;
        it.click("td a[href$='/deletion']").await?;
        it.focused("dialog:modal a.btn").await?;
        it.says("Delete this personal key?").await?;
        it.click("dialog:modal button.solid-danger").await?;
        it.says("The personal key is deleted.").await?;
        app.service().bearer(&key).await.expect(401);
        Ok(())
    })
    .await;
}

async fn without_scripts_a_personal_key_is_made_and_kept(app: &TestApp) {
    browse(app, Look { scripts: false, ..Look::DESKTOP }, |it| async move {
        ida(&it, app).await?;
        it.open("/profile/keys/new").await?;
        it.click("dialog[open] button.primary").await?;
        let key = it.value("dialog[open][data-secret] [data-key]").await?;
        it.click("[data-done]").await?;
        assert!(it.has("dialog[open] [name=confirmed]:invalid").await?, "nothing was confirmed");
        it.click("[name=confirmed]").await?;
        it.click("[data-done]").await?;
        it.says("is ready to use.").await?;
        app.service().bearer(&key).await.expect(204);
        Ok(())
    })
    .await;
}

/// One that is used, one that has ended, one of which nobody confirmed to have it.
async fn scene(app: &TestApp) -> uuid::Uuid {
    let user = app.user("acme", Role::Member).await;
    let day = |days| Some(app.clock.now() + TimeDelta::days(days));
    app.try_personal_key(&user, day(1)).await.unwrap();
    app.clock.advance(TimeDelta::days(40));
    let used = app.try_personal_key(&user, day(90)).await.unwrap();
    app.service().bearer(used.token().expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    app.clock.advance(TimeDelta::minutes(3));
    let (new, form) = (NewKey::default(), random_token());
    personal_keys::issue(&app.own(&user), new, &form).await.unwrap();
    used.key.id
}

async fn pages_of_personal_keys_are_accessible(app: &TestApp) {
    browse(app, DESKTOP, |it| async move {
        ida(&it, app).await?;
        let empty = stop("personal-keys-empty", "/profile/keys");
        let mut faults = it.faults_along(&[empty]).await?;
        let used = scene(app).await;
        it.look(DESKTOP).await?;
        it.delete_all_cookies().await?;
        ida(&it, app).await?;
        let way = [
            stop("profile-with-keys", "/profile"),
            stop("personal-keys", "/profile/keys"),
            stop("personal-key-new", "/profile/keys/new"),
            stop("personal-key-deletion", format!("/profile/keys/{used}/deletion")),
            then(
                "personal-key-secret",
                "/profile/keys/new",
                &["dialog button.primary", "details.try summary"],
            ),
        ];
        faults.extend(it.faults_along(&way).await?);
        none(&faults);
        Ok(())
    })
    .await;
}

async fn a_note_of_two_hundred_letters_makes_no_page_wider_than_a_small_phone(app: &TestApp) {
    browse(app, DESKTOP, |it| async move {
        ida(&it, app).await?;
        it.open("/profile/keys/new").await?;
        it.fill("note", &"W".repeat(200)).await?;
        it.click("dialog:modal button.primary").await?;
        it.wait("dialog[data-secret]:modal").await?;
        let mut faults: Vec<String> = it.too_wide("secret").await?.into_iter().collect();
        it.look(DESKTOP).await?;
        it.click("[data-copy]").await?;
        it.click("[data-done]:enabled").await?;
        it.says("is ready to use.").await?;
        faults.extend(it.too_wide("list").await?);
        it.look(DESKTOP).await?;
        it.click("td a[href$='/deletion']").await?;
        it.says("Delete this personal key?").await?;
        faults.extend(it.too_wide("deletion").await?);
        none(&faults);
        Ok(())
    })
    .await;
}
