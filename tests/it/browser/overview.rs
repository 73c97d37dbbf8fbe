//! The overview as an admin uses it on a Monday: what it says, where its buttons lead, how it is read.
use chrono::TimeDelta;
use keyward::{
    domain::{ActivePeriod, Role},
    key_instances::{self, Issued},
};
use thirtyfour::prelude::*;

use super::access::{DESKTOP, none};
use crate::support::{
    Desk, TestApp,
    browser::{Browser, Look, browse},
    ids, on_sqlite, path_of,
};

on_sqlite! {
    a_gap_is_closed_in_two_clicks,
    each_button_leads_where_it_says,
    every_drawing_has_a_sentence_and_a_column_that_says_the_same,
    the_charts_are_accessible_and_fit_a_phone,
    advice_is_folded_and_leads_to_the_keys,
}

fn days(app: &TestApp, from: i64, until: i64) -> ActivePeriod {
    let at = |days| app.clock.now() + TimeDelta::days(days);
    ActivePeriod::new(at(from), Some(at(until))).unwrap()
}

async fn group(desk: &Desk<'_>, name: &str, period: ActivePeriod) -> Issued {
    let key = desk.group(name, period).await;
    key_instances::acknowledge(&desk.act(), ids(&key), "clipboard").await.unwrap();
    key
}

async fn key(desk: &Desk<'_>, of: &Issued, period: ActivePeriod) -> Issued {
    let key = desk.key(of.instance.key_group_id, period).await;
    key_instances::acknowledge(&desk.act(), ids(&key), "clipboard").await.unwrap();
    key
}

/// A gap, a rotation, one that runs out, one that waits, one that is idle.
async fn scene(app: &TestApp) -> (Issued, Issued, Issued) {
    let desk = app.desk("acme").await;
    group(&desk, "idle", desk.days(500)).await;
    app.clock.advance(TimeDelta::days(100));
    let gap = group(&desk, "gap", desk.days(9)).await;
    let after = key(&desk, &gap, days(app, 12, 60)).await;
    let rotated = group(&desk, "rotated", desk.days(30)).await;
    key(&desk, &rotated, days(app, 27, 120)).await;
    let waiting = group(&desk, "waiting", desk.days(1)).await;
    let waits = key(&desk, &waiting, days(app, 5, 60)).await;
    let runs_out = group(&desk, "runs-out", desk.days(4)).await;
    app.clock.advance(TimeDelta::days(2));
    (after, waits, runs_out)
}

async fn open(it: &Browser, app: &TestApp) -> WebDriverResult<()> {
    it.sign_in(&app.user("acme", Role::Admin).await.email).await?;
    it.open("/s/acme").await?;
    it.wait(".todo").await.map(|_| ())
}

/// The button of a group's line.
async fn act(it: &Browser, group: &str) -> WebDriverResult<()> {
    let button = format!("//ul[@class='todo']/li[p or .//a[text()='{group}']]/a");
    it.query(By::XPath(button)).first().await?.click().await
}

async fn a_gap_is_closed_in_two_clicks(app: &TestApp) {
    scene(app).await;
    browse(app, DESKTOP, |it| async move {
        open(&it, app).await?;
        it.says("gap has a gap of 3 days ahead").await?;
        assert!(it.has(".lanes rect.lane-gap").await?);
        act(&it, "gap").await?;
        it.says("Edit active period of k-2").await?;
        it.says("Starts exactly when k-1 ends: no gap and no overlap.").await?;
        it.click("dialog button.primary").await?;
        it.says("k-2 is active from").await?;
        it.open("/s/acme").await?;
        it.wait(".todo").await?;
        act(&it, "waiting").await?;
        it.click("dialog button.primary").await?;
        it.says("k-2 is active from").await?;
        it.open("/s/acme").await?;
        it.says("1 key group needs attention.").await?;
        assert!(!it.has(".lanes rect.lane-gap").await?);
        Ok(())
    })
    .await;
}

async fn each_button_leads_where_it_says(app: &TestApp) {
    let (after, waits, runs_out) = scene(app).await;
    browse(app, DESKTOP, |it| async move {
        open(&it, app).await?;
        for (group, path, says) in [
            ("gap", format!("{}/period", path_of("acme", &after.instance)), "Edit active period"),
            ("waiting", format!("{}/period", path_of("acme", &waits.instance)), "Edit active"),
        ] {
            it.open("/s/acme").await?;
            it.wait(".todo").await?;
            act(&it, group).await?;
            it.arrive(&path).await?;
            it.says(says).await?;
        }
        it.open("/s/acme").await?;
        it.wait(".todo").await?;
        act(&it, "runs-out").await?;
        // The password may be asked for first.
        it.until("location.pathname.endsWith('/rotation') || location.search.includes('rotation')")
            .await?;
        it.open("/s/acme").await?;
        it.click(".next a").await?;
        it.arrive(&path_of("acme", &runs_out.instance)).await?;
        it.open("/s/acme").await?;
        it.click(".lanes tbody a").await?;
        it.says("Keys over time").await?;
        Ok(())
    })
    .await;
}

async fn every_drawing_has_a_sentence_and_a_column_that_says_the_same(app: &TestApp) {
    scene(app).await;
    browse(app, DESKTOP, |it| async move {
        open(&it, app).await?;
        const ROWS: &str = "[...document.querySelectorAll('.lanes tbody tr')].map(row => [
            row.querySelector('a').textContent,
            row.querySelector('svg[role=img]').getAttribute('aria-label'),
            row.querySelector('.cov .c span:last-child').textContent,
            row.querySelector('.cov small').textContent])";
        let rows: Vec<[String; 4]> = it.ask(ROWS).await?;
        assert_eq!(rows.len(), 5);
        for [name, label, covered, detail] in rows {
            let start = format!("{name}: {covered}, {detail}.");
            assert!(label.starts_with(&start), "{label} should start with {start}");
        }
        let told: String =
            it.ask("document.querySelector('.heat svg').getAttribute('aria-label')").await?;
        assert!(told.starts_with("Expiries in each of the next 12 weeks: 1, 1, 0, 0, 1"), "{told}");
        assert!(told.contains("Without a successor: 1 in the week from 2 Mar"), "{told}");
        // Drawn as it was meant: nothing of it is hidden behind or reaches out.
        const OUT: &str = "[...document.querySelectorAll('.lanes svg text, .heat svg text')]
            .filter(it => it.textContent && it.getClientRects().length).filter(it => {
                const box = it.closest('svg').getBoundingClientRect(), own = it.getBoundingClientRect();
                return own.left < box.left - 1 || own.right > box.right + 1 || own.bottom > box.bottom + 1;
            }).map(it => it.textContent)";
        assert_eq!(it.ask::<Vec<String>>(OUT).await?, Vec::<String>::new());
        it.look(Look::PHONE).await?;
        assert_eq!(it.ask::<Vec<String>>(OUT).await?, Vec::<String>::new());
        Ok(())
    })
    .await;
}

async fn the_charts_are_accessible_and_fit_a_phone(app: &TestApp) {
    let (after, ..) = scene(app).await;
    browse(app, DESKTOP, |it| async move {
        open(&it, app).await?;
        let mut faults = it.faults("overview-charts").await?;
        it.open(&format!("/s/acme/groups/{}", after.instance.key_group_id)).await?;
        it.wait(".lanes.alone").await?;
        faults.extend(it.faults("group-lanes").await?);
        it.open("/subscriptions").await?;
        it.wait("main table").await?;
        faults.extend(it.faults("subscriptions-counts").await?);
        none(&faults);
        Ok(())
    })
    .await;
}

async fn advice_is_folded_and_leads_to_the_keys(app: &TestApp) {
    scene(app).await;
    browse(app, DESKTOP, |it| async move {
        open(&it, app).await?;
        assert!(!it.has(".advice[open]").await?);
        it.click(".advice summary").await?;
        it.wait(".advice[open]").await?;
        it.click(".advice a").await?;
        it.arrive("/s/acme/keys").await?;
        assert_eq!(it.how_many("tbody tr").await?, 1);
        it.says("in idle").await?;
        Ok(())
    })
    .await;
}
