//! Many keys at once: with a script the bar counts and stays in sight, without one it works the same.
use std::time::Duration;

use keyward::{domain::Role, key_instances, key_instances::Issued};
use thirtyfour::prelude::*;

use super::access::none;
use crate::support::{
    TestApp,
    browser::{Browser, Look, browse},
    ids, on_both, on_sqlite,
};

on_both! {
    two_of_three_are_ticked_and_deactivated,
}

on_sqlite! {
    without_a_script_the_same_form_deactivates,
    all_are_ticked_at_once_and_extended_with_a_preview,
    the_bar_covers_nothing_that_has_the_focus,
    every_step_is_accessible_and_fits_a_phone,
}

/// A group with so many keys, and an admin signed in at its page.
async fn at_group(it: &Browser, app: &TestApp, keys: usize) -> WebDriverResult<Vec<Issued>> {
    let desk = app.desk("acme").await;
    let mut all = vec![desk.group("quote-engine", desk.days(90)).await];
    while all.len() < keys {
        all.push(desk.key(all[0].instance.key_group_id, desk.days(90)).await);
    }
    it.sign_in(&app.user("acme", Role::Admin).await.email).await?;
    it.open(&group_path(&all)).await?;
    Ok(all)
}

fn group_path(keys: &[Issued]) -> String {
    format!("/s/acme/groups/{}", keys[0].instance.key_group_id)
}

fn pick(name: &str) -> String {
    format!("input[aria-label='Select {name}']")
}

async fn is_off(app: &TestApp, key: &Issued) -> bool {
    let act = app.desk("acme").await;
    key_instances::find(&act.act(), ids(key)).await.unwrap().deactivated_at.is_some()
}

const OFF: &str = ".bulk button[formaction$='/deactivation']";
const LONGER: &str = ".bulk button[formaction$='/extension']";

async fn two_of_three_are_ticked_and_deactivated(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let keys = at_group(&it, app, 3).await?;
        it.until("document.querySelector('.bulk').hidden").await?;
        it.click(&pick("k-1")).await?;
        assert_eq!(it.words(OFF).await?, "Deactivate 1");
        it.click(&pick("k-3")).await?;
        assert_eq!(it.words(OFF).await?, "Deactivate 2");
        assert_eq!(it.words(".bulk [data-count]").await?, "2 selected");
        let some = "document.querySelector('[data-pick-all]').indeterminate";
        assert!(it.ask::<bool>(some).await?);
        it.turn(OFF).await?;
        it.says("Deactivate 2 keys?").await?;
        it.turn("button[value=do]").await?;
        it.says("2 keys are deactivated").await?;
        it.turn(".pagehead a.primary").await?;
        it.arrive(&group_path(&keys)).await?;
        let mut off = Vec::new();
        for key in &keys {
            off.push(is_off(app, key).await);
        }
        assert_eq!(off, [true, false, true]);
        assert_eq!(it.how_many("input[name=pick]").await?, 1, "what is off cannot be chosen");
        Ok(())
    })
    .await;
}

async fn without_a_script_the_same_form_deactivates(app: &TestApp) {
    browse(app, Look { scripts: false, ..Look::DESKTOP }, |it| async move {
        let keys = at_group(&it, app, 2).await?;
        assert_eq!(it.words(OFF).await?, "Deactivate selected");
        assert_eq!(it.words(LONGER).await?, "Extend selected");
        let wait = |selector: &'static str| it.wait(selector);
        wait("td.pick input").await?.click().await?;
        wait(OFF).await?.click().await?;
        wait("button[value=do]").await?.click().await?;
        // At once with its text: the heading of the page before may still be there.
        let told = By::XPath("//h1[normalize-space()='1 key is deactivated']");
        it.query(told).wait(Duration::from_secs(30), Duration::from_millis(20)).first().await?;
        assert!(is_off(app, &keys[1]).await && !is_off(app, &keys[0]).await);
        Ok(())
    })
    .await;
}

async fn all_are_ticked_at_once_and_extended_with_a_preview(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let keys = at_group(&it, app, 2).await?;
        it.click("[data-pick-all]").await?;
        assert_eq!(it.words(LONGER).await?, "Extend 2");
        it.click("[data-pick-none]").await?;
        it.until("document.querySelector('.bulk').hidden").await?;
        it.focused(&pick("k-2")).await?;
        it.click("[data-pick-all]").await?;
        it.turn(LONGER).await?;
        it.says("Ends Sat 20 Mar 2027 10:30 UTC instead of Thu 18 Feb 2027 10:30 UTC").await?;
        it.choose("preset", "365").await?;
        it.says("Ends Fri 18 Feb 2028 10:30 UTC").await?;
        // A date chooses itself.
        it.set("#until", "2027-06-01T00:00").await?;
        it.says("Ends Tue 1 Jun 2027 00:00 UTC").await?;
        it.turn("button[value=do]").await?;
        it.says("2 keys are extended").await?;
        it.open(&group_path(&keys)).await?;
        it.says("to 1 Jun 2027").await
    })
    .await;
}

async fn the_bar_covers_nothing_that_has_the_focus(app: &TestApp) {
    browse(app, Look { height: 500, ..Look::DESKTOP }, |it| async move {
        at_group(&it, app, 14).await?;
        for look in [Look { height: 500, ..Look::DESKTOP }, Look { height: 600, ..Look::PHONE }] {
            it.look(look).await?;
            it.execute("scrollTo(0, 0)", Vec::new()).await?;
            if !it.ask::<bool>("document.querySelector('td.pick input').checked").await? {
                it.click("td.pick input").await?;
            }
            it.until("!document.querySelector('.bulk').hidden").await?;
            it.execute("document.querySelector('td.pick input').focus()", Vec::new()).await?;
            let mut seen = 0;
            for _ in 0..45 {
                it.press(Key::Tab).await?;
                let covered = "(() => {
                    const it = document.activeElement;
                    if (!it.closest('tbody')) return null;
                    const box = it.getBoundingClientRect();
                    const bar = document.querySelector('.bulk').getBoundingClientRect();
                    return box.bottom > bar.top + 1 && box.top < bar.bottom - 1;
                })()";
                match it.ask::<Option<bool>>(covered).await? {
                    Some(covered) => {
                        assert!(!covered, "after {seen} steps at {look:?}");
                        seen += 1;
                    }
                    None => break,
                }
            }
            assert!(seen > 25, "{seen} steps were taken");
        }
        Ok(())
    })
    .await;
}

async fn every_step_is_accessible_and_fits_a_phone(app: &TestApp) {
    browse(app, super::access::DESKTOP, |it| async move {
        let keys = at_group(&it, app, 3).await?;
        app.service().bearer(keys[0].secret.expose()).await.expect(204);
        app.service().bearer(keys[1].secret.expose()).await.expect(204);
        app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
        let mut faults = Vec::new();
        it.click("[data-pick-all]").await?;
        it.look(Look::PHONE).await?;
        faults.extend(it.faults("bulk-list").await?);
        it.look(super::access::DESKTOP).await?;
        it.turn(LONGER).await?;
        faults.extend(it.faults("bulk-extension").await?);
        it.open(&group_path(&keys)).await?;
        it.look(super::access::DESKTOP).await?;
        it.click("[data-pick-all]").await?;
        it.turn(OFF).await?;
        faults.extend(it.faults("bulk-deactivation").await?);
        it.look(super::access::DESKTOP).await?;
        it.fill("confirm", "3").await?;
        it.turn("button[value=do]").await?;
        faults.extend(it.faults("bulk-result").await?);
        none(&faults);
        Ok(())
    })
    .await;
}
