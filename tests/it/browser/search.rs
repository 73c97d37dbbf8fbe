//! The search by a whole key: it is typed into a page and must stay in no place that others see.
use keyward::{domain::Role, key_instances::Issued};
use thirtyfour::prelude::*;

use crate::support::{
    TestApp,
    browser::{Browser, Look, browse},
    on_sqlite, path_of,
};

on_sqlite! {
    a_whole_key_is_found_from_the_list_of_groups_and_stays_out_of_the_history,
    a_whole_key_is_found_from_the_lists_of_keys_whatever_its_status,
    a_key_that_is_not_there_is_said_so_without_repeating_it,
    words_search_names_and_stay_in_the_address_to_be_shared,
}

async fn keys(it: &Browser, app: &TestApp) -> WebDriverResult<[Issued; 2]> {
    let desk = app.desk("acme").await;
    let one = desk.group("quote-engine", desk.days(90)).await;
    let other = desk.group("claims", desk.days(1)).await;
    app.clock.advance(chrono::TimeDelta::days(2));
    it.sign_in(&app.user("acme", Role::Admin).await.email).await?;
    Ok([one, other])
}

async fn search(it: &Browser, list: &str, text: &str) -> WebDriverResult<()> {
    it.open(list).await?;
    it.wait("input[type=search]").await?.send_keys(text.to_owned() + Key::Enter).await
}

/// Neither the address nor the history nor the page has it; also not after going back.
async fn is_nowhere(it: &Browser, key: &str) -> WebDriverResult<()> {
    for url in it.history().await? {
        assert!(!url.contains(key), "the key is in the history: {url}");
    }
    assert!(!it.source().await?.contains(key), "the key is on the page");
    it.back().await?;
    assert!(!it.current_url().await?.as_str().contains(key), "the key is in an address");
    assert!(!it.source().await?.contains(key));
    Ok(())
}

async fn a_whole_key_is_found_from_the_list_of_groups_and_stays_out_of_the_history(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let [one, _] = keys(&it, app).await?;
        let key = one.secret.expose();
        search(&it, "/s/acme/groups", &format!("  {key} ")).await?;
        it.arrive(&path_of("acme", &one.instance)).await?;
        it.says("The key you searched for is k-1.").await?;
        is_nowhere(&it, key).await
    })
    .await;
}

async fn a_whole_key_is_found_from_the_lists_of_keys_whatever_its_status(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        let [one, expired] = keys(&it, app).await?;
        let of_group = format!("/s/acme/groups/{}", one.instance.key_group_id);
        for list in ["/s/acme/keys?status=active", &of_group] {
            search(&it, list, expired.secret.expose()).await?;
            it.arrive(&path_of("acme", &expired.instance)).await?;
            it.says("Expired").await?;
            is_nowhere(&it, expired.secret.expose()).await?;
        }
        Ok(())
    })
    .await;
}

async fn a_key_that_is_not_there_is_said_so_without_repeating_it(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        keys(&it, app).await?;
        let foreign = app.desk("other").await;
        let foreign = foreign.group("theirs", foreign.days(90)).await;
        let custom = "Plum-7-quartz-Vow-19-hinge-42";
        for key in [foreign.secret.expose(), custom] {
            search(&it, "/s/acme/groups", key).await?;
            it.says("No key with this value in").await?;
            it.arrive("/s/acme/groups").await?;
            assert_eq!(it.ask::<String>("location.search").await?, "");
            is_nowhere(&it, key).await?;
        }
        Ok(())
    })
    .await;
}

async fn words_search_names_and_stay_in_the_address_to_be_shared(app: &TestApp) {
    browse(app, Look::DESKTOP, |it| async move {
        keys(&it, app).await?;
        search(&it, "/s/acme/groups", "quote").await?;
        it.until("location.search === '?q=quote'").await?;
        it.says("quote-engine").await?;
        assert_eq!(it.how_many("tbody tr").await?, 1);
        it.click(".chip").await?;
        it.until("location.search === ''").await?;
        assert_eq!(it.how_many("tbody tr").await?, 2);
        search(&it, "/s/acme/keys", "nothing-like-this").await?;
        it.says("No keys match.").await
    })
    .await;
}
