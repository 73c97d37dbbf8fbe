//! What only a browser can tell. One file per part of the product.
mod access;
mod api_docs;
mod automation;
mod bulk;
mod calendar;
mod clients;
mod first_key;
mod hands;
mod keys;
mod members;
mod no_script;
mod notices;
mod overview;
mod personal;
mod policies;
mod profile;
mod scene;
mod search;
mod show_once;
mod sign_in;
mod stored_xss;

use crate::support::{
    TestApp,
    browser::{Look, browse},
    on_both,
};

on_both! {
    a_browser_of_these_tests_looks_as_it_was_asked_to,
}

async fn a_browser_of_these_tests_looks_as_it_was_asked_to(app: &TestApp) {
    for (dark, scripts) in [(true, false), (false, true)] {
        browse(app, Look { dark, scripts, ..Look::PHONE }, |it| async move {
            it.open("/sign-in").await?;
            let script = "return [matchMedia('(prefers-color-scheme: dark)').matches,
                document.documentElement.classList.contains('js')]";
            let seen: [bool; 2] = it.execute(script, Vec::new()).await?.convert()?;
            assert_eq!(seen, [dark, scripts]);
            Ok(())
        })
        .await;
    }
}
