//! What keys may do, as an admin says it: from nothing to a verdict, an edit that is looked at first
//! and taken back, a deletion that must be meant, and the answer to "may it do that?".
use chrono::TimeDelta;
use keyward::{access::Held, domain::Role, key_instances::Issued};
use thirtyfour::prelude::*;

use crate::support::{
    Answer, Desk, TestApp,
    browser::{Browser, Look, browse},
    held, on_both, on_sqlite,
};

on_both! {
    a_first_policy_is_made_from_nothing_and_lets_a_key_in,
    an_edit_is_looked_at_before_it_is_saved_and_taken_back_in_one_click,
    a_deletion_takes_its_keys_when_their_number_is_typed,
}

on_sqlite! {
    without_scripts_nothing_is_saved_before_its_change_was_seen,
    a_new_group_shows_what_its_keys_may_do_and_user_groups_filter_the_list,
    workspaces_appear_with_the_first_and_explain_where_a_role_counts,
    a_taken_name_is_said_beside_its_field,
    an_edit_that_came_too_late_shows_what_is_there_now,
    another_policy_for_all_key_groups_is_looked_at_first_and_taken_back,
    a_group_without_a_demanded_policy_says_so_and_leads_there,
}

async fn signed_in(it: &Browser, app: &TestApp) -> WebDriverResult<()> {
    it.sign_in(&app.user("acme", Role::Admin).await.email).await
}

/// What a gateway is told about a key and a permission.
async fn ask(app: &TestApp, key: &str, query: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    let path = format!("/verify?{query}");
    app.service().ask(reqwest::Method::GET, &path, &[("authorization", &bearer)]).await
}

async fn tick(it: &Browser, permission: &str) -> WebDriverResult<()> {
    it.click(&format!("input[name=permissions][value='{permission}']")).await
}

/// A group that may read by its policy, and its key.
async fn reader(desk: &Desk<'_>) -> (Issued, uuid::Uuid) {
    desk.declare("orders", &["read", "write"]).await;
    let policy = desk.policy("Read orders", &["orders:read"]).await.id;
    (desk.group_with("shop", &held(Some(policy), &[])).await, policy)
}

async fn a_first_policy_is_made_from_nothing_and_lets_a_key_in(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("shop", desk.days(90)).await;
    let group = format!("/s/acme/groups/{}", key.instance.key_group_id);
    let secret = key.secret.expose();
    ask(app, secret, "permission=orders:read").await.expect(403);
    browse(app, Look::DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        it.open("/s/acme/policies").await?;
        it.says("No policies yet.").await?;
        it.click(".empty .btn").await?;
        it.fill("service", "orders").await?;
        it.fill("actions", "read Read orders\norders:write Change orders").await?;
        it.click("main button.primary").await?;
        it.says("The permissions of orders: 2 added.").await?;
        it.open("/s/acme/policies/new").await?;
        it.fill("name", "Read orders").await?;
        tick(&it, "orders:read").await?;
        it.click("main button.primary").await?;
        it.says("Read orders is made.").await?;
        it.says("Nothing holds this policy yet.").await?;

        it.open(&format!("{group}/access")).await?;
        it.says("No policy, no user group.").await?;
        it.click(".pagehead a.primary").await?;
        it.click("select[name=policy] option:nth-child(2)").await?;
        it.until("document.querySelector('#preview')?.innerText.includes('orders:read')").await?;
        it.until("document.querySelector('#effective')?.innerText.includes('orders:read')").await?;
        ask(app, secret, "permission=orders:read").await.expect(403);
        it.click("button[value=save]").await?;
        it.says("The access of shop is saved, effective at once.").await?;
        ask(app, secret, "permission=orders:read").await.expect(204);
        ask(app, secret, "permission=orders:write").await.expect(403);

        it.fill("permission", "orders:write").await?;
        it.click("main form[method=get] button").await?;
        it.says("No, it may not do orders:write in the whole subscription.").await?;
        it.says("No policy grants it at all.").await?;
        it.fill("permission", "orders:read").await?;
        it.click("main form[method=get] button").await?;
        it.says("Yes, it may do orders:read").await?;
        it.says("Granted through policy Read orders.").await?;
        Ok(())
    })
    .await;
}

async fn an_edit_is_looked_at_before_it_is_saved_and_taken_back_in_one_click(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (key, policy) = reader(&desk).await;
    let secret = key.secret.expose();
    ask(app, secret, "permission=orders:read").await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let page = format!("/s/acme/policies/{policy}");
    browse(app, Look::DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        it.open(&format!("{page}/edit")).await?;
        it.says("No key may do more or less by this.").await?;
        tick(&it, "orders:read").await?;
        it.says("1 call asked for it in 30 days").await?;
        tick(&it, "orders:write").await?;
        it.until("document.querySelector('#preview .c-ok')").await?;
        let preview = it.words("#preview").await?;
        let places =
            ["Applies at once to 1 key in 1 key group.", "Removed", "orders:read", "Added"];
        let places = places.map(|part| preview.find(part).unwrap_or_else(|| panic!("{preview}")));
        assert!(places.is_sorted(), "removed first: {preview}");
        assert!(preview.contains("loses orders:read; gains orders:write"), "{preview}");
        it.click("button[value=save]").await?;
        it.arrive(&page).await?;
        it.says("Read orders is saved, effective at once.").await?;
        ask(app, secret, "permission=orders:read").await.expect(403);
        it.click(".flash form button").await?;
        it.says("Read orders is as before.").await?;
        ask(app, secret, "permission=orders:read").await.expect(204);
        ask(app, secret, "permission=orders:write").await.expect(403);
        // Later the page still offers it, for ten minutes.
        it.open(&format!("{page}/edit")).await?;
        tick(&it, "orders:write").await?;
        it.until("document.querySelector('#preview .c-ok')").await?;
        it.click("button[value=save]").await?;
        it.says("Read orders is saved").await?;
        app.clock.advance(TimeDelta::minutes(9));
        it.open(&page).await?;
        it.says("Changed 9 minutes ago.").await?;
        app.clock.advance(TimeDelta::minutes(1));
        it.click(".notice form button").await?;
        it.says("An edit can be undone for 10 minutes, and these are over.").await?;
        ask(app, secret, "permission=orders:write").await.expect(204);
        it.click(".notice a").await?;
        it.arrive(&page).await?;
        assert!(!it.has(".notice form").await?, "it is offered no more");
        Ok(())
    })
    .await;
}

async fn a_deletion_takes_its_keys_when_their_number_is_typed(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (key, policy) = reader(&desk).await;
    desk.key(key.instance.key_group_id, desk.days(30)).await;
    let secret = key.secret.expose();
    ask(app, secret, "").await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    app.clock.advance(TimeDelta::minutes(5));
    browse(app, Look::DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        it.open(&format!("/s/acme/policies/{policy}")).await?;
        it.click(".pagehead a.danger").await?;
        it.says("Delete Read orders and 2 keys?").await?;
        let dying = it.words("section.card").await?;
        for part in ["shop", "2 keys, last used 5 minutes ago", "k-2, never used"] {
            assert!(dying.contains(part), "{part} is missing: {dying}");
        }
        let button = "[data-danger]";
        assert!(!it.wait(button).await?.is_enabled().await?);
        it.fill("confirm", "1").await?;
        assert!(!it.wait(button).await?.is_enabled().await?);
        // Meanwhile there is a third.
        desk.key(key.instance.key_group_id, desk.days(30)).await;
        it.fill("confirm", "2").await?;
        it.click(button).await?;
        it.says("What would be deleted has changed meanwhile, so nothing was deleted.").await?;
        it.says("Delete Read orders and 3 keys?").await?;
        ask(app, secret, "").await.expect(204);
        it.fill("confirm", "3").await?;
        it.click(button).await?;
        it.says("Read orders is deleted, with 1 key group and 3 keys.").await?;
        ask(app, secret, "").await.expect(401);
        it.open("/s/acme/groups").await?;
        it.says("No keys yet.").await
    })
    .await;
}

async fn without_scripts_nothing_is_saved_before_its_change_was_seen(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (key, policy) = reader(&desk).await;
    let secret = key.secret.expose();
    let page = format!("/s/acme/policies/{policy}");
    browse(app, Look { scripts: false, ..Look::DESKTOP }, |it| async move {
        signed_in(&it, app).await?;
        it.open(&format!("{page}/edit")).await?;
        it.fill("name", "Write orders").await?;
        tick(&it, "orders:read").await?;
        tick(&it, "orders:write").await?;
        it.click("button[value=save]").await?;
        it.says("Look at what changes, then save once more.").await?;
        it.says("loses orders:read; gains orders:write").await?;
        assert_eq!(it.value("[name=name]").await?, "Write orders");
        ask(app, secret, "permission=orders:read").await.expect(204);
        // Another change than the one that was looked at is looked at first as well.
        tick(&it, "orders:read").await?;
        it.turn("button[value=save]").await?;
        it.says("Look at what changes, then save once more.").await?;
        it.turn("button[value=save]").await?;
        it.says("Write orders is saved, effective at once.").await?;
        ask(app, secret, "permission=orders:read").await.expect(204);
        ask(app, secret, "permission=orders:write").await.expect(204);
        Ok(())
    })
    .await;
}

async fn a_new_group_shows_what_its_keys_may_do_and_user_groups_filter_the_list(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "write"]).await;
    let write = desk.policy("Write orders", &["orders:write"]).await.id;
    desk.policy("Read orders", &["orders:read"]).await;
    let writers = desk.user_group("writers", &[write]).await.id;
    desk.group("other", desk.days(30)).await;
    browse(app, Look::DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        it.open("/s/acme/groups/new").await?;
        it.fill("name", "shop").await?;
        it.click("select[name=policy] option:nth-child(2)").await?;
        it.choose("user_groups", &writers.to_string()).await?;
        it.until("document.querySelectorAll('#effective li').length === 2").await?;
        assert!(it.has("#preview svg").await?, "the period is previewed too");
        it.click("dialog button[value=create]").await?;
        let key = it.value("dialog[data-secret] [data-key]").await?;
        let answer = ask(app, &key, "").await.expect(204);
        assert_eq!(answer.header("keyward-permissions"), Some("orders:read orders:write"));
        it.click("[data-copy]").await?;
        it.click("[data-done]").await?;
        it.says("is ready to use.").await?;
        it.open("/s/acme/groups").await?;
        assert_eq!(it.how_many("tbody tr").await?, 2);
        it.click("details.panel summary").await?;
        it.choose_option("user_group", &writers.to_string()).await?;
        it.click("details.panel button").await?;
        it.says("User group: writers").await?;
        assert_eq!(it.how_many("tbody tr").await?, 1);
        it.click(".chip").await?;
        it.until("document.querySelectorAll('tbody tr').length === 2").await
    })
    .await;
}

async fn workspaces_appear_with_the_first_and_explain_where_a_role_counts(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (_, policy) = reader(&desk).await;
    let key = desk.group_with("regional", &Held::default()).await;
    let group = format!("/s/acme/groups/{}", key.instance.key_group_id);
    let secret = key.secret.expose();
    browse(app, Look::DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        assert!(!it.has(".nav a[href$='/workspaces']").await?, "nobody uses them yet");
        it.open("/s/acme/settings").await?;
        it.click("main a[href$='/workspaces']").await?;
        it.click(".empty .btn").await?;
        it.fill("name", "Europe").await?;
        it.click("main button.primary").await?;
        it.says("workspace=europe").await?;
        it.wait(".nav a[href$='/workspaces'][aria-current]").await?;
        it.click(".pagehead a[href$='/workspace-roles/new']").await?;
        it.choose_option("policy", &policy.to_string()).await?;
        it.click("main button.primary").await?;
        it.says("The role is made.").await?;
        it.open(&format!("{group}/access/edit")).await?;
        it.click("[name=roles]").await?;
        it.until("document.querySelector('#preview')?.innerText.includes('in Europe')").await?;
        it.click("button[value=save]").await?;
        it.says("effective at once").await?;
        ask(app, secret, "permission=orders:read").await.expect(403);
        ask(app, secret, "permission=orders:read&workspace=europe").await.expect(204);
        app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
        it.fill("permission", "orders:read").await?;
        it.click("main form[method=get] button").await?;
        it.says("It may do it in Europe: the call must name that workspace.").await?;
        it.choose_option("workspace", "europe").await?;
        it.click("main form[method=get] button").await?;
        it.says("Yes, it may do orders:read in Europe.").await?;
        it.open(&format!("{group}/keys/{}/access", key.instance.id)).await?;
        it.says("insufficient_permissions.").await?;
        it.says("It asked for orders:read.").await?;
        it.open("/s/acme/workspaces").await?;
        it.open_menu("Europe").await?;
        it.pick("Delete workspace…").await?;
        it.says("Delete Europe and its 1 role?").await?;
        it.says("regional loses orders:read in Europe").await?;
        it.click("main button.solid-danger").await?;
        it.says("Europe is deleted.").await?;
        ask(app, secret, "permission=orders:read&workspace=europe").await.expect(403);
        Ok(())
    })
    .await;
}

async fn a_taken_name_is_said_beside_its_field(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read"]).await;
    desk.policy("Read orders", &["orders:read"]).await;
    desk.user_group("readers", &[]).await;
    browse(app, Look::DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        for (path, name, what) in [
            ("/s/acme/policies/new", "READ orders", "policy"),
            ("/s/acme/user-groups/new", "Readers", "user group"),
        ] {
            it.open(path).await?;
            it.fill("name", name).await?;
            it.click("main button.primary").await?;
            let told = format!("A {what} with this name already exists.");
            it.until(format!("document.querySelector('#name-error')?.innerText === '{told}'"))
                .await?;
            assert_eq!(it.value("[name=name]").await?, name);
        }
        Ok(())
    })
    .await;
}

async fn an_edit_that_came_too_late_shows_what_is_there_now(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (key, policy) = reader(&desk).await;
    let secret = key.secret.expose();
    browse(app, Look::DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        it.open(&format!("/s/acme/policies/{policy}/edit")).await?;
        tick(&it, "orders:read").await?;
        it.until("document.querySelector('#preview .c-bad')").await?;
        desk.edit_policy(policy, &["orders:read", "orders:write"]).await;
        it.click("button[value=save]").await?;
        it.says("Somebody changed this meanwhile. Look at it once more.").await?;
        // Compared with what is there now: what the other added would go too.
        it.says("loses orders:read, orders:write").await?;
        ask(app, secret, "permission=orders:write").await.expect(204);
        Ok(())
    })
    .await;
}

async fn another_policy_for_all_key_groups_is_looked_at_first_and_taken_back(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (key, policy) = reader(&desk).await;
    let other = desk.policy("Write orders", &["orders:write"]).await.id;
    let secret = key.secret.expose();
    browse(app, Look::DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        it.open(&format!("/s/acme/policies/{policy}/deletion")).await?;
        it.click(".notice a").await?;
        it.says("Choose a policy to see what changes.").await?;
        it.choose_option("to", &other.to_string()).await?;
        it.says("loses orders:read; gains orders:write").await?;
        ask(app, secret, "permission=orders:read").await.expect(204);
        it.click("button[value=save]").await?;
        it.says("1 key group now has another policy.").await?;
        ask(app, secret, "permission=orders:read").await.expect(403);
        it.click(".flash form button").await?;
        it.says("shop is as before.").await?;
        ask(app, secret, "permission=orders:read").await.expect(204);
        Ok(())
    })
    .await;
}

async fn a_group_without_a_demanded_policy_says_so_and_leads_there(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (_, policy) = reader(&desk).await;
    let key = desk.group("bare", desk.days(30)).await;
    desk.change_settings(|it| it.policy_required = true).await;
    let group = format!("/s/acme/groups/{}", key.instance.key_group_id);
    browse(app, Look::DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        it.open(&format!("{group}/keys/new")).await?;
        it.click("dialog button[value=create]").await?;
        it.says("Keys of this subscription need a policy.").await?;
        it.click("dialog .notice a").await?;
        it.choose_option("policy", &policy.to_string()).await?;
        it.until("document.querySelector('#preview .c-ok')").await?;
        it.click("button[value=save]").await?;
        it.says("effective at once").await?;
        it.open(&format!("{group}/keys/new")).await?;
        assert!(!it.has("dialog .notice").await?);
        it.click("dialog button[value=create]").await?;
        it.wait("dialog[data-secret]").await.map(drop)
    })
    .await;
}
