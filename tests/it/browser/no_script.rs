//! Everything works without JavaScript.
use chrono::TimeDelta;
use keyward::domain::Role;
use thirtyfour::prelude::*;

use crate::support::{
    TestApp,
    browser::{Browser, Look, browse},
    on_both, on_sqlite,
};

on_both! {
    without_scripts_a_group_is_made_its_key_kept_and_rotated,
}

on_sqlite! {
    without_scripts_a_refused_form_keeps_its_values_and_dates_are_checked_by_a_button,
    without_scripts_a_key_is_deactivated_and_comes_back,
    without_scripts_search_and_filters_narrow_a_list,
    without_scripts_a_double_click_makes_one_key_and_leaves_nobody_without_advice,
}

const NO_SCRIPTS: Look = Look { scripts: false, ..Look::DESKTOP };

async fn signed_in(it: &Browser, app: &TestApp) -> WebDriverResult<()> {
    it.sign_in(&app.user("acme", Role::Admin).await.email).await?;
    assert!(!it.has("html.js").await?, "scripts do run");
    Ok(())
}

async fn keep(it: &Browser) -> WebDriverResult<String> {
    let key = it.value("dialog[open][data-secret] [data-key]").await?;
    assert!(!it.wait("[data-copy]").await?.is_displayed().await?, "a button that does nothing");
    it.click("[data-done]").await?;
    assert!(it.has("dialog[open] [name=confirmed]:invalid").await?, "nothing was confirmed");
    it.press(Key::Escape).await?;
    assert!(it.wait("dialog[data-secret]").await?.is_displayed().await?);
    it.click("[name=confirmed]").await?;
    it.click("[data-done]").await?;
    it.says("is ready to use.").await?;
    Ok(key)
}

async fn without_scripts_a_group_is_made_its_key_kept_and_rotated(app: &TestApp) {
    browse(app, NO_SCRIPTS, |it| async move {
        signed_in(&it, app).await?;
        it.click(".empty a.primary").await?;
        it.fill("name", "quote-engine").await?;
        it.choose("preset", "30").await?;
        it.click("dialog button[value=create]").await?;
        let old = keep(&it).await?;
        app.service().bearer(&old).await.expect(204);
        it.open_menu("k-1").await?;
        it.pick("Rotate…").await?;
        it.choose("overlap", "now").await?;
        it.click("dialog button[value=create]").await?;
        let new = keep(&it).await?;
        app.service().bearer(&old).await.expect(401);
        app.service().bearer(&new).await.expect(204);
        it.back().await?;
        it.says("This key is no longer shown.").await?;
        assert!(!it.source().await?.contains(&new));
        Ok(())
    })
    .await;
}

async fn without_scripts_a_refused_form_keeps_its_values_and_dates_are_checked_by_a_button(
    app: &TestApp,
) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(30)).await.instance.key_group_id;
    browse(app, NO_SCRIPTS, |it| async move {
        signed_in(&it, app).await?;
        it.open(&format!("/s/acme/groups/{group}/keys/new")).await?;
        it.fill("note", "Prague cluster").await?;
        it.choose("preset", "dates").await?;
        it.set("#from", "2026-12-25T10:30").await?;
        it.set("#until", "2026-12-24T10:30").await?;
        it.click("dialog button[value=create]").await?;
        it.wait("#until[aria-invalid=true]").await?;
        assert_eq!(it.value("#note").await?, "Prague cluster");
        it.set("#until", "2027-01-24T10:30").await?;
        it.click("dialog button[value=check]").await?;
        it.says("Leaves a gap of 5 days after k-1 ends.").await?;
        assert_eq!(it.value("#until").await?, "2027-01-24T10:30");
        // The block for an own key follows its radio button by style alone.
        assert!(!it.wait("#key").await?.is_displayed().await?);
        it.choose("make", "own").await?;
        assert!(it.wait("#key").await?.is_displayed().await?);
        Ok(())
    })
    .await;
    assert_eq!(app.count("key_instances").await, 1);
}

async fn without_scripts_a_key_is_deactivated_and_comes_back(app: &TestApp) {
    let desk = app.desk("acme").await;
    let issued = desk.group("quote-engine", desk.days(30)).await;
    app.service().bearer(issued.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    browse(app, NO_SCRIPTS, |it| async move {
        signed_in(&it, app).await?;
        it.open(&format!("/s/acme/groups/{}", issued.instance.key_group_id)).await?;
        it.open_menu("k-1").await?;
        it.pick("Deactivate…").await?;
        it.fill("confirm", "k-9").await?;
        it.click("dialog [data-danger]").await?;
        it.says("Type k-1 to confirm.").await?;
        it.fill("confirm", "k-1").await?;
        it.click("dialog [data-danger]").await?;
        it.says("k-1 is deactivated.").await?;
        app.service().bearer(issued.secret.expose()).await.expect(401);
        it.click(".flash form button").await?;
        it.says("k-1 is reactivated from").await?;
        app.service().bearer(issued.secret.expose()).await.expect(204);
        Ok(())
    })
    .await;
}

async fn without_scripts_search_and_filters_narrow_a_list(app: &TestApp) {
    let desk = app.desk("acme").await;
    let issued = desk.group("quote-engine", desk.days(90)).await;
    desk.group("claims", desk.days(1)).await;
    app.clock.advance(TimeDelta::days(2));
    browse(app, NO_SCRIPTS, |it| async move {
        signed_in(&it, app).await?;
        it.open("/s/acme/keys").await?;
        assert_eq!(it.how_many("tbody tr").await?, 2);
        it.click("nav.seg a[href$='status=expired']").await?;
        it.wait("nav.seg a[aria-current][href$='status=expired']").await?;
        assert_eq!(it.how_many("tbody tr").await?, 1);
        it.click("details.panel summary").await?;
        it.choose_option("used", "never").await?;
        it.click("details.panel button.primary").await?;
        it.says("Never used").await?;
        let address = it.current_url().await?;
        assert_eq!(address.query(), Some("status=expired&used=never&sort=&from=&until="));
        it.click(".chip").await?;
        it.until("location.search === '?status=expired'").await?;
        it.click("th[aria-sort=descending] a").await?;
        it.wait("th[aria-sort=ascending] a[href$='?status=expired&sort=-until']").await?;
        let key = issued.secret.expose();
        it.wait("input[type=search]").await?.send_keys(key.to_owned() + Key::Enter).await?;
        it.says("The key you searched for is k-1.").await?;
        assert!(!it.current_url().await?.as_str().contains(key));
        it.open("/s/acme/groups").await?;
        it.wait("input[type=search]").await?.send_keys("claim".to_owned() + Key::Enter).await?;
        it.wait(".chip").await?;
        assert_eq!(it.how_many("tbody tr").await?, 1);
        Ok(())
    })
    .await;
}

async fn without_scripts_a_double_click_makes_one_key_and_leaves_nobody_without_advice(
    app: &TestApp,
) {
    browse(app, NO_SCRIPTS, |it| async move {
        signed_in(&it, app).await?;
        it.open("/s/acme/groups/new").await?;
        it.fill("name", "quote-engine").await?;
        let create = it.wait("dialog button[value=create]").await?;
        it.action_chain().double_click_element(&create).perform().await?;
        // The browser may drop the first answer, and with it the only copy of the key.
        let shown = "document.querySelector('dialog[open][data-secret] [data-key]')";
        let advice = "If nobody has it, open its group and replace it.";
        it.until(format!("{shown} || document.body.innerText.includes('{advice}')")).await?;
        it.open("/s/acme/keys").await?;
        it.says("Not confirmed as saved.").await?;
        it.click("td a[href$='/replacement']").await?;
        it.click("dialog button.primary").await?;
        let key = keep(&it).await?;
        app.service().bearer(&key).await.expect(204);
        Ok(())
    })
    .await;
    assert_eq!(app.count("key_instances").await, 2, "one, and the one that replaced it");
}
