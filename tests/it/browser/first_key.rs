//! The first key group with its first key, and what the dialog does while it is filled in.
use keyward::domain::Role;
use thirtyfour::prelude::*;

use crate::support::{
    TestApp,
    browser::{Browser, Look, browse},
    on_both, on_sqlite,
};

on_both! {
    the_first_group_and_key_are_made_from_the_empty_overview,
}

on_sqlite! {
    a_preset_fills_the_dates_and_typed_dates_choose_their_own_preset,
    the_preview_follows_the_dates_and_says_gap_and_overlap,
    the_block_for_an_own_key_shows_and_sends_only_what_is_chosen,
    escape_and_a_click_outside_lead_back_to_the_list,
    a_text_selection_that_ends_outside_does_not_close_the_dialog,
    a_refused_form_keeps_its_values_and_names_each_fault_beside_its_field,
    a_double_click_on_create_makes_one_key_and_shows_it,
}

/// Signed in as admin of `acme`, at a path.
async fn at(it: &Browser, app: &TestApp, path: &str) -> WebDriverResult<()> {
    it.sign_in(&app.user("acme", Role::Admin).await.email).await?;
    it.open(path).await
}

async fn the_first_group_and_key_are_made_from_the_empty_overview(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        at(&it, app, "/s/acme").await?;
        it.click(".empty a.primary").await?;
        it.arrive("/s/acme/groups/new").await?;
        it.focused("dialog:modal #name").await?;
        it.fill("name", "quote-engine").await?;
        it.fill("description", "Quotes for brokers").await?;
        it.fill("note", "Prague cluster").await?;
        it.click("dialog button[value=create]").await?;
        let key = it.value("dialog[data-secret]:modal [data-key]").await?;
        app.service().bearer(&key).await.expect(204);
        it.click("[data-copy]").await?;
        it.click("[data-done]:enabled").await?;
        it.says("k-1 is ready to use.").await?;
        it.says("quote-engine").await?;
        it.says("Prague cluster").await?;
        assert_eq!(it.words("td .st").await?, "Active");
        assert!(!it.source().await?.contains(&key), "the key is on the list");
        Ok(())
    })
    .await;
}

async fn a_preset_fills_the_dates_and_typed_dates_choose_their_own_preset(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        at(&it, app, "/s/acme/groups/new").await?;
        let dates =
            async || WebDriverResult::Ok((it.value("#from").await?, it.value("#until").await?));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(dates().await?, pair("2026-11-20T10:30", "2027-02-18T10:30"));
        it.choose("preset", "7").await?;
        assert_eq!(dates().await?, pair("2026-11-20T10:30", "2026-11-27T10:30"));
        it.set("#from", "2026-12-01T08:00").await?;
        assert_eq!(dates().await?, pair("2026-12-01T08:00", "2026-12-08T08:00"));
        it.choose("preset", "never").await?;
        assert_eq!(it.value("#until").await?, "");
        assert!(it.has("#until:disabled").await?, "there is no end to enter");
        it.choose("preset", "365").await?;
        assert_eq!(dates().await?, pair("2026-12-01T08:00", "2027-12-01T08:00"));
        it.set("#until", "2027-01-05T12:00").await?;
        assert!(it.has("[name=preset][value=dates]:checked").await?);
        assert_eq!(dates().await?, pair("2026-12-01T08:00", "2027-01-05T12:00"));
        Ok(())
    })
    .await;
}

async fn the_preview_follows_the_dates_and_says_gap_and_overlap(app: &TestApp) {
    let desk = app.desk("acme").await;
    let first = desk.group("quote-engine", desk.days(30)).await.instance;
    let path = format!("/s/acme/groups/{}/keys/new", first.key_group_id);
    browse(app, Look::DESKTOP, |it| async move {
        at(&it, app, &path).await?;
        it.says("Overlaps k-1 by 30 days.").await?;
        it.set("#from", "2026-12-25T10:30").await?;
        it.says("Leaves a gap of 5 days after k-1 ends. Calls fail in between.").await?;
        it.set("#from", "2026-12-20T10:30").await?;
        it.says("Starts exactly when k-1 ends: no gap and no overlap.").await?;
        let drawn: String = it.ask("document.querySelector('#preview svg').ariaLabel").await?;
        assert!(drawn.starts_with("Starts exactly when k-1 ends"), "{drawn}");
        assert_eq!(it.how_many("#preview").await?, 1);
        assert_eq!(it.how_many("#preview .lane-new").await?, 1);
        Ok(())
    })
    .await;
    assert_eq!(app.count("key_instances").await, 1, "a preview makes nothing");
}

async fn the_block_for_an_own_key_shows_and_sends_only_what_is_chosen(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        at(&it, app, "/s/acme/groups/new").await?;
        it.fill("name", "quote-engine").await?;
        let is_shown = async || it.find(By::Id("key")).await?.is_displayed().await;
        assert!(!is_shown().await?);
        it.choose("make", "own").await?;
        assert!(is_shown().await?);
        it.fill("key", "too-short").await?;
        it.choose("make", "generate").await?;
        assert!(!is_shown().await? && it.has("#key:disabled").await?);
        it.choose("make", "own").await?;
        it.click("dialog button[value=create]").await?;
        it.until("document.querySelector('#key[aria-invalid=true]')").await?;
        assert!(is_shown().await?, "what must be changed is out of sight");
        assert_eq!(it.value("#key").await?, "", "a key must not come back");
        let own = "Plum-7-quartz-Vow-19-hinge-42";
        it.fill("key", own).await?;
        it.click("dialog button[value=create]").await?;
        assert_eq!(it.value("dialog[data-secret] [data-key]").await?, own);
        it.click("details.try summary").await?;
        it.says("x-tenant-name: acme").await
    })
    .await;
}

async fn escape_and_a_click_outside_lead_back_to_the_list(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        at(&it, app, "/s/acme/groups/new").await?;
        it.focused("dialog:modal #name").await?;
        it.press(Key::Escape).await?;
        it.arrive("/s/acme/groups").await?;
        assert!(!it.has("dialog").await?);
        it.open("/s/acme/groups/new").await?;
        it.focused("dialog:modal #name").await?;
        it.action_chain().move_to(20, 20).click().perform().await?;
        it.arrive("/s/acme/groups").await?;
        // By the cross, with the keyboard alone: the focus never leaves the dialog.
        it.open("/s/acme/groups/new").await?;
        it.focused("dialog:modal #name").await?;
        it.hold(Key::Shift, Key::Tab).await?;
        it.focused("dialog a[aria-label=Close]").await?;
        it.press(Key::Enter).await?;
        it.arrive("/s/acme/groups").await?;
        // The first Tab on the list is where a page starts.
        it.press(Key::Tab).await?;
        it.focused("a.skip").await
    })
    .await;
}

async fn a_text_selection_that_ends_outside_does_not_close_the_dialog(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        at(&it, app, "/s/acme/groups/new").await?;
        it.focused("dialog:modal #name").await?;
        it.fill("name", "quote-engine").await?;
        let name = it.find(By::Id("name")).await?;
        let drag = it.action_chain().click_and_hold_element(&name).move_to(20, 300).release();
        drag.perform().await?;
        it.focused("dialog:modal #name").await?;
        it.press("x").await?;
        it.arrive("/s/acme/groups/new").await?;
        assert!(it.value("#name").await?.contains('x'), "the dialog is not in use any more");
        Ok(())
    })
    .await;
}

async fn a_refused_form_keeps_its_values_and_names_each_fault_beside_its_field(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        at(&it, app, "/s/acme/groups/new").await?;
        it.fill("name", "   ").await?;
        it.fill("note", "Prague cluster").await?;
        it.set("#until", "2026-11-01T00:00").await?;
        it.click("dialog button[value=create]").await?;
        it.until("document.querySelectorAll('dialog:modal [aria-invalid=true]').length === 2")
            .await?;
        for field in ["name", "until"] {
            let told = format!("#{field}[aria-invalid=true][aria-describedby={field}-error]");
            assert!(it.has(&told).await?, "{field} is not marked");
            let error = it.words(&format!("#{field}-error")).await?;
            assert!(it.words(".error-summary").await?.contains(&error), "{error}");
        }
        it.focused("dialog .error-summary[role=alert]").await?;
        assert_eq!(it.value("#note").await?, "Prague cluster");
        assert_eq!(it.value("#until").await?, "2026-11-01T00:00");
        it.click(".error-summary a[href='#until']").await?;
        it.focused("#until").await
    })
    .await;
    assert_eq!(app.count("key_groups").await, 0);
}

async fn a_double_click_on_create_makes_one_key_and_shows_it(app: &TestApp) {
    let desk = app.desk("acme").await;
    let group = desk.group("quote-engine", desk.days(7)).await.instance.key_group_id;
    browse(app, Look::DESKTOP, |it| async move {
        at(&it, app, &format!("/s/acme/groups/{group}/keys/new")).await?;
        let create = it.wait("dialog button[value=create]").await?;
        it.action_chain().double_click_element(&create).perform().await?;
        let key = it.value("dialog[data-secret] [data-key]").await?;
        app.service().bearer(&key).await.expect(204);
        Ok(())
    })
    .await;
    assert_eq!(app.count("key_instances").await, 2);
}
