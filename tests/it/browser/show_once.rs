//! The only time a key is shown: every way out of the dialog, and every trap that loses a key.
use std::{fs, path::Path, time::Duration};

use chrono::TimeDelta;
use keyward::{config::Config, domain::Role};
use serde_json::json;
use thirtyfour::prelude::*;

use crate::support::{
    Database, TestApp,
    browser::{Browser, Build, Look, browse, browse_with},
    eventually, on_both, on_sqlite,
};

on_both! {
    after_done_neither_back_nor_forward_brings_the_key_back,
}

on_sqlite! {
    the_copy_button_puts_the_key_into_the_clipboard_and_opens_the_way_out,
    a_refused_clipboard_falls_back_to_copying_the_selection,
    plain_http_elsewhere_has_no_clipboard_and_copies_the_selection,
    when_every_way_to_copy_is_refused_a_ticked_box_is_the_way_out,
    copying_by_hand_counts_for_the_whole_key_only,
    a_download_counts_and_holds_the_key,
    escape_and_a_click_outside_do_not_close_the_dialog,
    leaving_unsaved_is_asked_about_and_saved_it_is_not,
    what_the_browser_keeps_of_the_page_holds_no_key,
    back_and_forward_while_unsaved_show_the_same_key,
    a_reload_and_a_new_tab_show_the_same_key_for_ten_minutes,
}

/// Signed in, a fresh key in sight.
async fn fresh(it: &Browser, app: &TestApp) -> WebDriverResult<String> {
    it.sign_in(&app.user("acme", Role::Admin).await.email).await?;
    let key = it.make_group("acme", "quote-engine").await?;
    it.focused("dialog:modal [data-copy]").await?;
    assert!(it.has("[data-done]:disabled").await?, "the way out is open before anything is saved");
    it.says("Copy or download the key to close this window").await?;
    Ok(key)
}

async fn done(it: &Browser, app: &TestApp, saved_by: &str) -> WebDriverResult<()> {
    it.click("[data-done]:enabled").await?;
    it.says("k-1 is ready to use.").await?;
    let rows = app.query("SELECT saved_by FROM key_instances").await;
    assert_eq!(rows, [json!({ "saved_by": saved_by })]);
    Ok(())
}

async fn permit(it: &Browser, permission: &str, setting: &str) -> WebDriverResult<()> {
    let origin: String = it.ask("location.origin").await?;
    let permission = json!({ "name": permission });
    let wanted = json!({ "permission": permission, "setting": setting, "origin": origin });
    it.cdp().send_raw("Browser.setPermission", wanted).await.map(drop)
}

async fn clipboard(it: &Browser) -> WebDriverResult<String> {
    const READ: &str = "
        const done = arguments[0];
        navigator.clipboard.readText().then(done, (error) => done(String(error)));";
    permit(it, "clipboard-read", "granted").await?;
    it.execute_async(READ, Vec::new()).await?.convert()
}

/// What is in the clipboard, where no script may read it: pasted into the search of the next page.
async fn pasted(it: &Browser) -> WebDriverResult<String> {
    it.click("input[type=search]").await?;
    it.hold(Key::Control, "v").await?;
    it.value("input[type=search]").await
}

async fn the_copy_button_puts_the_key_into_the_clipboard_and_opens_the_way_out(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let key = fresh(&it, app).await?;
        permit(&it, "clipboard-write", "granted").await?;
        it.click("[data-copy]").await?;
        it.says("Copied. Paste it into your secret store before you close.").await?;
        it.focused("[data-copy]").await?;
        assert_eq!(it.words("[data-copy]").await?, "Copied");
        assert_eq!(clipboard(&it).await?, key);
        done(&it, app, "clipboard").await
    })
    .await;
}

async fn a_refused_clipboard_falls_back_to_copying_the_selection(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let key = fresh(&it, app).await?;
        permit(&it, "clipboard-write", "denied").await?;
        it.click("[data-copy]").await?;
        it.says("Copied. Paste it into your secret store before you close.").await?;
        assert_eq!(clipboard(&it).await?, key);
        done(&it, app, "selection").await
    })
    .await;
}

async fn plain_http_elsewhere_has_no_clipboard_and_copies_the_selection(database: &Database) {
    let in_the_lan = |it: &mut Config| {
        let url = format!("http://keyward.test:{}", it.bind.port());
        it.public_url = Some(url.parse().unwrap());
        it.insecure_cookies = true;
    };
    let app = TestApp::start_with(*database, in_the_lan).await;
    let there = &app;
    browse(&app, Look::DESKTOP, |it| async move {
        let key = fresh(&it, there).await?;
        assert!(it.ask::<bool>("!isSecureContext && !navigator.clipboard").await?);
        it.click("[data-copy]").await?;
        it.says("Copied. Paste it into your secret store before you close.").await?;
        done(&it, there, "selection").await?;
        assert_eq!(pasted(&it).await?, key);
        Ok(())
    })
    .await;
    app.stop().await;
}

async fn when_every_way_to_copy_is_refused_a_ticked_box_is_the_way_out(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        it.on_every_page("Document.prototype.execCommand = () => false;").await?;
        fresh(&it, app).await?;
        assert!(!it.wait("[name=confirmed]").await?.is_displayed().await?);
        permit(&it, "clipboard-write", "denied").await?;
        it.click("[data-copy]").await?;
        it.says("This browser refused to copy. Press Ctrl+C or ⌘C, then tick the box.").await?;
        it.focused("[data-key]").await?;
        let selected = "getSelection().toString() === document.querySelector('[data-key]').value";
        it.until(selected).await?;
        it.click("[data-done]").await?;
        assert!(it.has("dialog:modal [name=confirmed]:invalid").await?, "the box is not required");
        it.click("[name=confirmed]").await?;
        done(&it, app, "box").await
    })
    .await;
}

async fn copying_by_hand_counts_for_the_whole_key_only(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let key = fresh(&it, app).await?;
        it.execute("document.querySelector('[data-key]').focus()", Vec::new()).await?;
        let select = "document.querySelector('[data-key]').setSelectionRange(0, 12)";
        it.execute(select, Vec::new()).await?;
        it.hold(Key::Control, "c").await?;
        assert_eq!(clipboard(&it).await?, key[..12]);
        assert!(it.has("[data-done]:disabled").await?, "a part of the key counted as saved");
        it.hold(Key::Control, "a").await?;
        it.hold(Key::Control, "c").await?;
        it.says("Copied. Paste it into your secret store before you close.").await?;
        assert_eq!(clipboard(&it).await?, key);
        done(&it, app, "manual").await
    })
    .await;
}

async fn a_download_counts_and_holds_the_key(app: &TestApp) {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path();
    browse(app, Look::DESKTOP, |it| async move {
        let key = fresh(&it, app).await?;
        let wanted = json!({ "behavior": "allow", "downloadPath": there });
        it.cdp().send_raw("Browser.setDownloadBehavior", wanted).await?;
        it.click("a[href$='download.json']").await?;
        it.says("Downloaded. Move the file into your secret store before you close.").await?;
        it.click("a[href$='download.env']").await?;
        let json: serde_json::Value = serde_json::from_str(&arrived(there, "json").await).unwrap();
        assert_eq!(json["api_key"], key.as_str());
        assert_eq!((&json["tenant"], &json["key_id"]), (&json!("acme"), &json!("k-1")));
        let env = arrived(there, "env").await;
        assert!(env.contains(&format!("\nAPI_KEY={key}\n")), "{env}");
        assert_eq!(it.value("dialog:modal [data-key]").await?, key, "the dialog is gone");
        done(&it, app, "download").await
    })
    .await;
}

/// The text of the downloaded `quote-engine-k-1.<ending>`, as soon as it is complete.
async fn arrived(folder: &Path, ending: &str) -> String {
    let file = folder.join(format!("quote-engine-k-1.{ending}"));
    let text = || fs::read_to_string(&file).unwrap_or_default();
    let is_there = async || !text().is_empty();
    let names = || fs::read_dir(folder).unwrap().collect::<Vec<_>>();
    let limit = Duration::from_secs(10);
    assert!(eventually(limit, is_there).await, "{ending} does not come: {:?}", names());
    text()
}

async fn escape_and_a_click_outside_do_not_close_the_dialog(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let key = fresh(&it, app).await?;
        for _ in 0..4 {
            it.press(Key::Escape).await?;
        }
        it.action_chain().move_to(20, 20).click().perform().await?;
        it.action_chain().move_to(1270, 890).double_click().perform().await?;
        // Also where a browser forces a close, as Safari does on a repeated Esc.
        it.execute("document.querySelector('dialog').close()", Vec::new()).await?;
        it.until("document.querySelector('dialog[data-secret]:modal')").await?;
        assert_eq!(it.value("dialog:modal [data-key]").await?, key);
        assert!(it.has("[data-done]:disabled").await?);
        // What lies behind it cannot be reached.
        let menu = it.wait("button[aria-label='Actions for k-1']").await?;
        assert!(menu.click().await.is_err(), "the page behind the dialog takes clicks");
        assert!(it.path().await?.ends_with("/secret"));
        Ok(())
    })
    .await;
}

/// Whether the browser would ask before this page is left.
const ASKS: &str = "!dispatchEvent(new Event('beforeunload', { cancelable: true }))";

async fn leaving_unsaved_is_asked_about_and_saved_it_is_not(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        fresh(&it, app).await?;
        assert!(it.ask::<bool>(ASKS).await?, "an unsaved key can be lost by closing the tab");
        it.click("[data-copy]").await?;
        it.says("Copied. Paste it").await?;
        assert!(!it.ask::<bool>(ASKS).await?, "a saved key is asked about");
        Ok(())
    })
    .await;
}

/// What a page that comes out of the back-forward cache still holds when it is shown.
const WATCH: &str = "
    addEventListener('pageshow', (e) => {
      const shown = document.documentElement.outerHTML
        + [...document.querySelectorAll('input')].map((it) => it.value);
      if (e.persisted) sessionStorage.restored = shown;
    });";

/// What was on the page when it last came out of that cache.
async fn restored(it: &Browser) -> WebDriverResult<String> {
    it.ask("sessionStorage.restored ?? 'nothing came out of it'").await
}

async fn what_the_browser_keeps_of_the_page_holds_no_key(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let key = fresh(&it, app).await?;
        let all = "document.documentElement.outerHTML
            + [...document.querySelectorAll('input')].map((it) => it.value)";
        assert!(it.ask::<String>(all).await?.contains(&key));
        let hide = "dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))";
        it.execute(hide, Vec::new()).await?;
        assert!(!it.ask::<String>(all).await?.contains(&key), "the cached page has the key");
        Ok(())
    })
    .await;
}

async fn back_and_forward_while_unsaved_show_the_same_key(app: &TestApp) {
    browse_with(Build::Whole, app, Look::DESKTOP, |it| async move {
        it.on_every_page(WATCH).await?;
        let key = fresh(&it, app).await?;
        let path = it.path().await?;
        it.back().await?;
        it.arrive("/s/acme/groups/new").await?;
        it.forward().await?;
        it.arrive(&path).await?;
        let shown = format!("document.querySelector('dialog:modal [data-key]')?.value === '{key}'");
        it.until(shown).await?;
        let shown = restored(&it).await?;
        assert!(shown.starts_with("<html"), "{shown}");
        assert!(!shown.contains(&key), "the key was in the cache");
        Ok(())
    })
    .await;
    assert_eq!(app.count("key_instances").await, 1);
}

async fn a_reload_and_a_new_tab_show_the_same_key_for_ten_minutes(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let key = fresh(&it, app).await?;
        let path = it.path().await?;
        it.refresh().await?;
        assert_eq!(it.value("dialog:modal [data-key]").await?, key);
        app.clock.advance(TimeDelta::minutes(9));
        let new = it.new_tab().await?;
        it.close_window().await?;
        it.switch_to_window(new).await?;
        it.open(&path).await?;
        it.confirm_password().await?;
        assert_eq!(it.value("dialog:modal [data-key]").await?, key);
        app.clock.advance(TimeDelta::minutes(1));
        it.refresh().await?;
        it.says("This key is no longer shown.").await?;
        assert!(!it.source().await?.contains(&key));
        // The list says what to do about it.
        it.open(path.split("/keys/").next().unwrap()).await?;
        it.says("Not confirmed as saved.").await?;
        it.click("td a[href$='/replacement']").await?;
        it.click("dialog:modal button.primary").await?;
        let other = it.value("dialog[data-secret]:modal [data-key]").await?;
        assert_ne!(other, key);
        app.service().bearer(&key).await.expect(401);
        app.service().bearer(&other).await.expect(204);
        Ok(())
    })
    .await;
}

async fn after_done_neither_back_nor_forward_brings_the_key_back(app: &TestApp) {
    browse_with(Build::Whole, app, Look::DESKTOP, |it| async move {
        it.on_every_page(WATCH).await?;
        let key = fresh(&it, app).await?;
        let (path, group) = (it.path().await?, it.path().await?);
        let group = group.split("/keys/").next().unwrap();
        it.click("[data-copy]").await?;
        done(&it, app, "clipboard").await?;
        let gone = async || {
            it.arrive(&path).await?;
            it.says("This key is no longer shown.").await?;
            assert!(!it.source().await?.contains(&key), "the key is back");
            assert!(!restored(&it).await?.contains(&key), "the key was back until the reload");
            WebDriverResult::Ok(())
        };
        it.back().await?;
        gone().await?;
        it.back().await?;
        it.arrive("/s/acme/groups/new").await?;
        it.forward().await?;
        gone().await?;
        it.forward().await?;
        it.arrive(group).await?;
        assert!(!it.source().await?.contains(&key));
        Ok(())
    })
    .await;
}
