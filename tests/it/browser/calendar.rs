//! A calendar feed as an admin makes it, and how its address looks to everybody.
use keyward::domain::Role;

use super::access::{DESKTOP, none};
use crate::support::{TestApp, browser::browse, on_both, on_sqlite};

on_both!(a_feed_is_made_copied_reset_and_removed);
on_sqlite!(the_address_of_a_feed_is_accessible);

const PAGE: &str = "/s/acme/settings/calendar";

async fn a_feed_is_made_copied_reset_and_removed(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.group("quote-engine", desk.days(90)).await;
    let admin = app.user("acme", Role::Admin).await.email;
    browse(app, DESKTOP, |it| async move {
        it.sign_in(&admin).await?;
        it.open("/s/acme/settings").await?;
        it.click("main a[href='/s/acme/settings/calendar']").await?;
        it.click(".empty a.primary").await?;
        it.says("You get a secret address, shown once").await?;
        it.click("dialog:modal button.primary").await?;
        let address = it.value("dialog[data-secret]:modal [data-key]").await?;
        it.click("[data-copy]").await?;
        it.click("[data-done]:enabled").await?;
        it.arrive(PAGE).await?;
        it.says("The calendar feed is ready.").await?;
        let path = address.strip_prefix(&app.site.origin).unwrap().to_owned();
        assert_eq!(app.events(&path).await.summaries(), ["quote-engine k-1 ends"]);

        it.open_menu("the feed of ACME").await?;
        it.pick("Reset address…").await?;
        it.focused("dialog:modal a.btn[autofocus]").await?;
        it.click("dialog:modal button.solid-danger").await?;
        assert_ne!(it.value("dialog[data-secret]:modal [data-key]").await?, address);
        app.calendar(&path, &[]).await.expect(404);
        it.click("[data-copy]").await?;
        it.click("[data-done]:enabled").await?;
        it.arrive(PAGE).await?;

        it.open("/s/acme/groups").await?;
        it.click("td a.name, th a.name").await?;
        it.click(".pagehead a[href$='/calendar']").await?;
        it.says("Calendar feed of quote-engine").await?;
        it.click("dialog:modal button.primary").await?;
        it.click("[data-copy]").await?;
        it.click("[data-done]:enabled").await?;
        it.says("one key group").await?;
        it.open_menu("the feed of ACME").await?;
        it.pick("Remove feed…").await?;
        it.click("dialog:modal button.solid-danger").await?;
        it.says("The calendar feed is removed. Its address is dead.").await
    })
    .await;
}

async fn the_address_of_a_feed_is_accessible(app: &TestApp) {
    app.desk("acme").await;
    let admin = app.user("acme", Role::Admin).await.email;
    browse(app, DESKTOP, |it| async move {
        it.sign_in(&admin).await?;
        it.open("/s/acme/settings/calendar/address").await?;
        it.click("dialog:modal button.primary").await?;
        it.wait("dialog[data-secret]:modal").await?;
        none(&it.faults("calendar-link").await?);
        Ok(())
    })
    .await;
}
