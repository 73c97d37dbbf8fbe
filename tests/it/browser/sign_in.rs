//! Signing in, as people meet it: any window, either theme, no scripts, plain http.
use thirtyfour::error::WebDriverResult;

use crate::support::{
    Database, TestApp,
    browser::{Browser, Look, browse},
    on_both,
};

on_both! {
    a_person_signs_in_and_out_by_the_form,
    signing_in_works_without_scripts,
    the_sign_in_page_has_no_accessibility_faults_in_any_theme_and_width,
    the_sign_in_page_fits_a_phone,
    plain_http_on_another_host_is_explained_instead_of_looping,
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
    assert_eq!(it.path().await?, "/s/hq");
    it.click("button[popovertarget=me]").await?;
    it.click("form[action='/sign-out'] button").await?;
    it.wait("input[name=password]").await?;
    it.open("/profile").await?;
    assert_eq!(it.path().await?, "/sign-in");
    Ok(())
}

async fn the_sign_in_page_has_no_accessibility_faults_in_any_theme_and_width(app: &TestApp) {
    for look in [Look::DESKTOP, Look::PHONE] {
        for dark in [false, true] {
            browse(app, Look { dark, ..look }, |it| async move {
                it.open("/sign-in").await?;
                let faults = it.accessibility_faults().await?;
                assert!(faults.is_empty(), "{look:?}, dark {dark}: {faults:#?}");
                Ok(())
            })
            .await;
        }
    }
}

async fn the_sign_in_page_fits_a_phone(app: &TestApp) {
    browse(app, Look::PHONE, |it| async move {
        it.open("/sign-in").await?;
        let script = "return [document.documentElement.scrollWidth, innerWidth]";
        let [needed, there]: [u32; 2] = it.execute(script, Vec::new()).await?.convert()?;
        assert_eq!(there, Look::PHONE.width);
        assert!(needed <= there, "the page is {needed} wide");
        Ok(())
    })
    .await;
}

async fn plain_http_on_another_host_is_explained_instead_of_looping(database: &Database) {
    let in_the_lan = |it: &mut keyward::config::Config| {
        let url = format!("http://keys.lan:{}", it.bind.port());
        it.public_url = Some(url.parse().unwrap());
    };
    let app = TestApp::start_with(*database, in_the_lan).await;
    let email = app.owner_user().await.email;
    browse(&app, Look::DESKTOP, |it| async move {
        it.open("/sign-in").await?;
        let text = it.wait("body").await?.text().await?;
        assert!(text.contains("https"), "{email} is not told what to do: {text}");
        Ok(())
    })
    .await;
    app.stop().await;
    let insecure = |it: &mut keyward::config::Config| {
        in_the_lan(it);
        it.insecure_cookies = true;
    };
    let app = TestApp::start_with(*database, insecure).await;
    let email = app.owner_user().await.email;
    browse(&app, Look::DESKTOP, |it| async move { it.sign_in(&email).await }).await;
    app.stop().await;
}
