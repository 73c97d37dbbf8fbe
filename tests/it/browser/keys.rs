//! What is done with a key from its list: by mouse and by keyboard, with scripts.
use chrono::TimeDelta;
use keyward::{
    domain::{ActivePeriod, Role},
    key_instances::Issued,
};
use serde_json::json;
use thirtyfour::prelude::*;

use crate::support::{
    TestApp,
    browser::{Browser, Look, browse},
    on_both, on_sqlite,
};

on_both! {
    a_key_in_use_is_rotated_and_both_keys_work_for_the_overlap,
}

on_sqlite! {
    a_menu_opens_by_mouse_and_by_keyboard_and_gives_the_focus_back,
    what_was_typed_into_a_dialog_is_lost_by_who_wants_it_alone,
    an_enter_from_the_page_before_or_held_sends_no_form,
    the_active_period_is_edited_with_a_preview,
    a_shorter_period_warns_of_the_gap_that_it_opens,
    an_unused_key_is_deactivated_by_one_click_and_undo_brings_it_back,
    a_key_in_use_is_deactivated_only_after_typing_its_name,
    a_deactivated_key_is_reactivated_with_a_new_period,
    a_key_is_revoked_for_good,
    the_exact_time_of_the_last_use_shows_under_the_mouse_and_by_keyboard,
    the_slash_key_leads_to_the_search_field_and_not_out_of_a_text,
}

/// A group with one key, and an admin signed in at its page.
async fn at_group(it: &Browser, app: &TestApp, used: bool) -> WebDriverResult<Issued> {
    let desk = app.desk("acme").await;
    let issued = desk.group("quote-engine", desk.days(90)).await;
    if used {
        use_key(app, &issued).await;
    }
    it.sign_in(&app.user("acme", Role::Admin).await.email).await?;
    it.open(&group_path(&issued)).await?;
    Ok(issued)
}

async fn use_key(app: &TestApp, issued: &Issued) {
    app.service().bearer(issued.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    app.clock.advance(TimeDelta::seconds(12));
}

fn group_path(issued: &Issued) -> String {
    format!("/s/acme/groups/{}", issued.instance.key_group_id)
}

async fn a_menu_opens_by_mouse_and_by_keyboard_and_gives_the_focus_back(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let issued = at_group(&it, app, false).await?;
        let button = "button[aria-label='Actions for k-1']";
        it.open_menu("k-1").await?;
        it.action_chain().move_to(600, 100).click().perform().await?;
        it.until("!document.querySelector('.menu:popover-open')").await?;
        it.wait(button).await?.focus().await?;
        it.press(Key::Enter).await?;
        it.until("document.querySelector('.menu:popover-open')").await?;
        it.press(Key::Escape).await?;
        it.until("!document.querySelector('.menu:popover-open')").await?;
        it.focused(button).await?;
        it.press(Key::Enter).await?;
        it.press(Key::Tab).await?;
        it.focused(".menu:popover-open a[href$='/rotation']").await?;
        // Only that it is chosen: chromedriver does once more what it did when the page went. Its Enter then goes down
        // on the next page too, and on the one behind that, before it comes up once, which no hand can do.
        let note = "addEventListener('click', (e) => {
            e.preventDefault();
            document.body.dataset.chosen = e.target.closest('a').pathname;
        })";
        it.execute(note, Vec::new()).await?;
        it.press(Key::Enter).await?;
        let path = format!("{}/keys/{}/rotation", group_path(&issued), issued.instance.id);
        it.until(&format!("document.body.dataset.chosen === '{path}'")).await?;
        it.open(&path).await?;
        it.until("document.querySelector('dialog:modal')").await?;
        it.press(Key::Escape).await?;
        it.arrive(&group_path(&issued)).await?;
        it.focused(button).await?;
        // And from a link of the page, by Cancel.
        let opener = ".pagehead a[href$='/keys/new']";
        it.click(opener).await?;
        it.click("dialog:modal .foot a.btn").await?;
        it.arrive(&group_path(&issued)).await?;
        it.focused(opener).await?;
        it.click("thead th a[href$='sort=until']").await?;
        it.focused("th[aria-sort=ascending] a").await
    })
    .await;
}

async fn what_was_typed_into_a_dialog_is_lost_by_who_wants_it_alone(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let issued = at_group(&it, app, false).await?;
        let path = format!("{}/edit", group_path(&issued));
        it.open(&path).await?;
        it.until("document.querySelector('dialog:modal')").await?;
        it.wait("#description").await?.send_keys("all of it").await?;
        it.action_chain().move_to(20, 20).click().perform().await?;
        for meant in [false, true] {
            let answer =
                format!("confirm = (it) => {{ document.body.dataset.asked = it; return {meant} }}");
            it.execute(answer, Vec::new()).await?;
            it.press(Key::Escape).await?;
            if !meant {
                it.until("document.body.dataset.asked === 'Discard what you typed?'").await?;
                assert!(it.value("dialog:modal #description").await?.ends_with("all of it"));
            }
        }
        it.arrive(&group_path(&issued)).await?;
        it.open(&path).await?;
        it.until("document.querySelector('dialog:modal')").await?;
        // The page goes while the driver still looks at it.
        let _ = it.action_chain().move_to(20, 20).click().perform().await;
        it.arrive(&group_path(&issued)).await
    })
    .await;
}

/// Whoever holds Enter on "Rotate…" a moment too long must not have rotated; nor before the scripts are there,
/// which a field with the focus does not wait for.
async fn an_enter_from_the_page_before_or_held_sends_no_form(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let issued = at_group(&it, app, false).await?;
        let key = format!("{}/keys/{}", group_path(&issued), issued.instance.id);
        for late in [true, false] {
            let blocked = if late { json!(["*/app.js"]) } else { json!([]) };
            it.cdp().send_raw("Network.enable", json!({})).await?;
            it.cdp().send_raw("Network.setBlockedURLs", json!({ "urls": blocked })).await?;
            it.open(&format!("{key}/rotation")).await?;
            let field = if late { "dialog form" } else { "dialog:modal form" };
            it.until(&format!("document.activeElement?.closest('{field}')")).await?;
            let note = "addEventListener('submit', (e) => {
                e.preventDefault();
                document.body.dataset.sent = '';
            })";
            it.execute(note, Vec::new()).await?;
            let enter = |kind: &str, repeat: bool| {
                json!({ "type": kind, "key": "Enter", "code": "Enter", "text": "\r",
                        "windowsVirtualKeyCode": 13, "autoRepeat": repeat })
            };
            // The rest of a press, and one that goes on.
            for rest in [enter("char", false), enter("keyDown", true), enter("keyUp", false)] {
                it.cdp().send_raw("Input.dispatchKeyEvent", rest).await?;
                assert!(!it.has("body[data-sent]").await?);
            }
            it.press(Key::Enter).await?;
            it.until("document.body.dataset.sent === ''").await?;
        }
        // The script that did not come.
        it.browser_log().await.map(drop)
    })
    .await;
}

async fn the_active_period_is_edited_with_a_preview(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let issued = at_group(&it, app, false).await?;
        it.open_menu("k-1").await?;
        it.pick("Edit active period…").await?;
        it.says("Edit active period of k-1").await?;
        it.says("No other key of this group is active or waiting.").await?;
        it.choose("preset", "7").await?;
        // So much more than it has.
        assert_eq!(it.value("#until").await?, "2027-02-25T10:30");
        it.set("#until", "2026-11-19T10:30").await?;
        it.click("dialog button[value=save]").await?;
        it.focused("dialog:modal .error-summary").await?;
        assert!(it.has("#until[aria-invalid=true]").await?);
        it.set("#until", "2026-11-21T10:30").await?;
        it.click("dialog button[value=save]").await?;
        it.arrive(&group_path(&issued)).await?;
        let told = "k-1 is active from Fri 20 Nov 2026 10:30 UTC to Sat 21 Nov 2026 10:30 UTC.";
        assert_eq!(it.words(".flash [role=status]").await?, told);
        assert_eq!(it.words("td .st").await?, "Expires soon");
        Ok(())
    })
    .await;
}

async fn a_shorter_period_warns_of_the_gap_that_it_opens(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let issued = at_group(&it, app, false).await?;
        let desk = app.desk("acme").await;
        let day = |n| app.clock.now() + TimeDelta::days(n);
        let next = ActivePeriod::new(day(80), Some(day(170))).unwrap();
        desk.key(issued.instance.key_group_id, next).await;
        it.open(&format!("{}/keys/{}/period", group_path(&issued), issued.instance.id)).await?;
        assert_eq!(it.words("#preview .lane-new + text").await?, "k-1");
        it.set("#until", "2027-01-29T10:30").await?;
        it.says("Leaves a gap of 10 days before k-2 starts. Calls fail in between.").await?;
        it.set("#until", "2027-02-18T10:30").await?;
        it.says("Overlaps k-2 by 10 days.").await
    })
    .await;
}

async fn an_unused_key_is_deactivated_by_one_click_and_undo_brings_it_back(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let issued = at_group(&it, app, false).await?;
        it.open_menu("k-1").await?;
        it.pick("Deactivate").await?;
        it.says("k-1 is deactivated.").await?;
        assert_eq!(it.words("td .st").await?, "Deactivated");
        app.service().bearer(issued.secret.expose()).await.expect(401);
        it.click(".flash form button").await?;
        it.says("k-1 is reactivated from").await?;
        assert_eq!(it.words("td .st").await?, "Active");
        app.service().bearer(issued.secret.expose()).await.expect(204);
        it.says("90 days left").await
    })
    .await;
}

async fn a_key_in_use_is_deactivated_only_after_typing_its_name(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let issued = at_group(&it, app, true).await?;
        it.open_menu("k-1").await?;
        it.pick("Deactivate…").await?;
        it.says("Deactivate k-1?").await?;
        it.says("1 call in the last 24 hours, the last one 12 seconds ago from 127.0.0.1").await?;
        it.says("This is the last active one of its group. The group stops working.").await?;
        it.focused("dialog:modal a[autofocus]").await?;
        let (off, on) = ("[data-danger]:disabled", "[data-danger]:enabled");
        it.fill("reason", "Pasted into a ticket").await?;
        assert!(it.has(off).await?, "the button works before the name is typed");
        it.fill("confirm", "k-2").await?;
        assert!(it.has(off).await?);
        it.fill("confirm", "k-1").await?;
        assert!(it.has(on).await?);
        it.press(Key::Backspace).await?;
        assert!(it.has(off).await?);
        it.press("1").await?;
        it.press(Key::Enter).await?;
        it.arrive(&group_path(&issued)).await?;
        it.says("k-1 is deactivated.").await?;
        app.service().bearer(issued.secret.expose()).await.expect(401);
        Ok(())
    })
    .await;
}

async fn a_deactivated_key_is_reactivated_with_a_new_period(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let issued = at_group(&it, app, false).await?;
        it.open_menu("k-1").await?;
        it.pick("Deactivate").await?;
        it.says("k-1 is deactivated.").await?;
        it.open_menu("k-1").await?;
        it.pick("Reactivate…").await?;
        it.says("Whoever still has this key can call again from the start date.").await?;
        it.choose("preset", "30").await?;
        it.click("dialog button[value=save]").await?;
        it.says("k-1 is reactivated from").await?;
        it.says("30 days left").await?;
        app.service().bearer(issued.secret.expose()).await.expect(204);
        Ok(())
    })
    .await;
}

async fn a_key_is_revoked_for_good(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let issued = at_group(&it, app, false).await?;
        it.open_menu("k-1").await?;
        it.pick("Revoke…").await?;
        it.says("It ends now and this cannot be undone.").await?;
        it.focused("dialog:modal a[autofocus]").await?;
        it.press(Key::Escape).await?;
        it.arrive(&group_path(&issued)).await?;
        app.service().bearer(issued.secret.expose()).await.expect(204);
        it.open_menu("k-1").await?;
        it.pick("Revoke…").await?;
        it.click("dialog [data-danger]").await?;
        it.says("k-1 is revoked. It can never be used again.").await?;
        app.service().bearer(issued.secret.expose()).await.expect(401);
        it.open_menu("k-1").await?;
        let menu = it.words(".menu:popover-open").await?;
        assert_eq!(menu, "Details and activity\nMay it do that?\nEdit note…");
        Ok(())
    })
    .await;
}

async fn a_key_in_use_is_rotated_and_both_keys_work_for_the_overlap(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let issued = at_group(&it, app, true).await?;
        it.open_menu("k-1").await?;
        it.pick("Rotate…").await?;
        it.says("k-1 took 1 call in the last 24 hours.").await?;
        it.choose("overlap", "1h").await?;
        it.click("dialog button[value=create]").await?;
        let new = it.value("dialog[data-secret]:modal [data-key]").await?;
        it.click("[data-copy]").await?;
        it.click("[data-done]:enabled").await?;
        it.says("k-2 is ready to use.").await?;
        it.says("k-1 expires in 1 hour.").await?;
        it.says("Its successor k-2 is active already.").await?;
        app.service().bearer(issued.secret.expose()).await.expect(204);
        app.service().bearer(&new).await.expect(204);
        app.clock.advance(TimeDelta::hours(1));
        app.service().bearer(issued.secret.expose()).await.expect(401);
        app.service().bearer(&new).await.expect(204);
        Ok(())
    })
    .await;
}

async fn the_exact_time_of_the_last_use_shows_under_the_mouse_and_by_keyboard(app: &TestApp) {
    const BUBBLE: &str = "getComputedStyle(document.querySelector('td .tip'), '::after').content";
    const EXACT: &str = "Fri 20 Nov 2026 10:30:00 UTC";
    browse(app, Look::DESKTOP, |it| async move {
        at_group(&it, app, true).await?;
        let tip = it.wait("td time.tip").await?;
        assert_eq!(tip.text().await?, "12 seconds ago");
        assert!(tip.attr("title").await?.unwrap().starts_with(EXACT));
        assert_eq!(it.ask::<String>(BUBBLE).await?, "none");
        let shown = format!("{BUBBLE}.includes({})", super::hands::literal(EXACT));
        it.action_chain().move_to_element_center(&tip).perform().await?;
        it.until(&shown).await?;
        it.action_chain().move_to(600, 20).perform().await?;
        it.until(format!("{BUBBLE} === 'none'")).await?;
        // From the field of the search on, with Tab alone.
        it.wait("input[type=search]").await?.focus().await?;
        for _ in 0..30 {
            it.press(Key::Tab).await?;
            if it.ask("document.activeElement.matches('td time.tip')").await? {
                break;
            }
        }
        it.focused("td time.tip").await?;
        it.until(&shown).await?;
        // WCAG 1.4.13: it goes away without moving the focus.
        it.press(Key::Escape).await?;
        it.until(format!("['none', 'normal'].includes({BUBBLE}) || {HIDDEN}")).await
    })
    .await;
}

const HIDDEN: &str =
    "getComputedStyle(document.querySelector('td .tip'), '::after').display === 'none'";

async fn the_slash_key_leads_to_the_search_field_and_not_out_of_a_text(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        at_group(&it, app, false).await?;
        it.press("/").await?;
        it.focused("input[type=search]").await?;
        it.press("a/b?").await?;
        assert_eq!(it.value("input[type=search]").await?, "a/b?");
        it.press(Key::Tab).await?;
        it.press("?").await?;
        it.until("document.querySelector('#shortcuts:popover-open')").await
    })
    .await;
}
