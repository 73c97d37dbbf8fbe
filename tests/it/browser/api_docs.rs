//! The page about the interface for programs: it is read, and tried with a token.
use keyward::domain::Role;

use crate::support::{
    TestApp,
    browser::{Look, browse},
    on_sqlite,
};

on_sqlite!(
    a_call_is_read_and_tried_with_a_token_beside_a_session,
    the_page_fits_a_phone_and_has_no_fault_of_ours,
);

const LIST: &str = "#operations-Key_groups-listKeyGroups";

/// Ends at the console, which must be clean: our content security policy holds here as everywhere.
async fn a_call_is_read_and_tried_with_a_token_beside_a_session(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.group("quote-engine", desk.days(90)).await;
    let token = desk.token(&["keys:read"]).await.1;
    let admin = app.user("acme", Role::Admin).await.email;
    browse(app, Look { height: 1400, ..Look::DESKTOP }, |it| async move {
        it.sign_in(&admin).await?;
        it.open("/s/acme/settings/tokens").await?;
        it.click("main a[href='/api/docs']").await?;
        it.click(&format!("{LIST} .opblock-summary-control")).await?;
        it.says("Scope: keys:read.").await?;
        it.click(&format!("{LIST} button.execute")).await?;
        let status = format!("{LIST} .live-responses-table tbody .response-col_status");
        it.until(format!("document.querySelector('{status}')?.innerText.startsWith('401')"))
            .await?;
        it.click(".auth-wrapper > button.authorize").await?;
        it.wait("#auth-bearer-value").await?.send_keys(&token).await?;
        it.click(".auth-container button[type=submit]").await?;
        it.click(".dialog-ux .close-modal").await?;
        it.click(&format!("{LIST} button.execute")).await?;
        // The cookie of the session is not sent: beside the token it would be refused.
        it.until(format!("document.querySelector('{status}')?.innerText.startsWith('200')"))
            .await?;
        it.says("quote-engine").await?;
        Ok(())
    })
    .await;
}

async fn the_page_fits_a_phone_and_has_no_fault_of_ours(app: &TestApp) {
    app.owner_user().await;
    for dark in [false, true] {
        browse(app, Look { dark, ..Look::PHONE }, |it| async move {
            it.open("/api/docs/").await?;
            it.click(&format!("{LIST} .opblock-summary-control")).await?;
            it.wait(&format!("{LIST} button.execute")).await?;
            let (wide, window) = ("document.documentElement.scrollWidth", "innerWidth");
            it.until(format!("{wide} <= {window}")).await?;
            let is_dark = "document.documentElement.classList.contains('dark-mode')";
            assert_eq!(it.ask::<bool>(is_dark).await?, dark);
            let mut faults = it.accessibility_faults().await?;
            faults.retain(|fault| !OF_THE_VIEWER.iter().any(|it| fault.starts_with(it)));
            assert!(faults.is_empty(), "{faults:#?}");
            Ok(())
        })
        .await;
    }
}

/// Rules that the vendored viewer breaks with what it draws; ours on this page are a link and a frame.
/// Its palest words lack contrast, chapters stand a level too low, an example scrolls and takes no
/// focus, its selects have no name of their own, and two of its parts stand outside of its main one.
const OF_THE_VIEWER: [&str; 6] = [
    "color-contrast:",
    "heading-order:",
    "scrollable-region-focusable:",
    "select-name:",
    "region: .information-container",
    "region: .schemes-server-container",
];
