//! Client credentials as an admin uses them (document 000): an id, two secrets, a rotation; and how
//! their pages look to everybody.
use keyward::{domain::Role, key_groups::KeyGroup};
use thirtyfour::prelude::*;

use super::{
    access::{DESKTOP, none},
    scene::{Stop, stop},
};
use crate::support::{
    TestApp,
    browser::{Browser, browse},
    on_both, on_sqlite,
};

on_both!(a_client_is_made_gets_two_secrets_and_gives_one_up);

on_sqlite! {
    a_chosen_secret_is_refused_beside_its_field_and_then_taken,
    the_pages_of_a_client_are_accessible,
}

async fn signed_in(it: &Browser, app: &TestApp) -> WebDriverResult<()> {
    it.sign_in(&app.user("acme", Role::Admin).await.email).await
}

/// On the page of a client: a further secret, copied and closed.
async fn create_secret(it: &Browser) -> WebDriverResult<String> {
    it.click(".pagehead a.primary").await?;
    it.wait("dialog[open] #note").await?;
    it.click("dialog button[value=create]").await?;
    let secret = it.value("dialog[data-secret] [data-key]").await?;
    it.click("[data-copy]").await?;
    it.click("[data-done]").await?;
    it.says("is ready to use.").await?;
    Ok(secret)
}

async fn a_client_is_made_gets_two_secrets_and_gives_one_up(app: &TestApp) {
    app.desk("acme").await;
    browse(app, DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        it.open("/s/acme/groups/new").await?;
        it.fill("name", "partner-portal").await?;
        assert!(it.wait("#note").await?.is_displayed().await?);
        it.choose("kind", "client_credentials").await?;
        // Its first secret is made on its page.
        assert!(!it.wait("#note").await?.is_displayed().await?);
        it.says("cannot authenticate until you create one").await?;
        it.click("dialog button[value=create]").await?;
        it.says("partner-portal is created. It has no secret yet.").await?;
        it.says("No secret yet, so this client cannot authenticate.").await?;
        let id = it.words(".dl code").await?;
        assert!(id.starts_with("partner-portal_"), "{id}");
        let first = create_secret(&it).await?;
        app.service().basic(&id, &first).await.expect(204);
        let second = create_secret(&it).await?;
        app.service().basic(&id, &second).await.expect(204);
        it.says("2 of 2 secrets active").await?;
        assert!(!it.has(".pagehead a.primary").await?, "there is no room for a third");
        it.open_menu("k-1").await?;
        it.pick("Revoke…").await?;
        it.says("It expires now and this cannot be undone.").await?;
        if it.has("dialog [name=confirm]").await? {
            it.fill("confirm", "k-1").await?;
        }
        it.click("dialog [data-danger]").await?;
        it.says("k-1 is revoked.").await?;
        app.service().basic(&id, &first).await.expect(401);
        app.service().basic(&id, &second).await.expect(204);
        it.wait(".pagehead a.primary").await?;
        it.open_menu("k-1").await?;
        let menu = it.words(".menu:popover-open").await?;
        assert!(!menu.contains("Reactivate") && !menu.contains("expiry"), "it is final: {menu}");
        Ok(())
    })
    .await;
}

async fn a_chosen_secret_is_refused_beside_its_field_and_then_taken(app: &TestApp) {
    let group = app.desk("acme").await.client("partner-portal").await;
    browse(app, DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        it.open(&format!("/s/acme/groups/{}/keys/new", group.id)).await?;
        it.choose("make", "own").await?;
        it.fill("key", "only-lower").await?;
        it.click("dialog button[value=create]").await?;
        it.until("document.querySelector('#key-error')?.innerText.includes('at least three')")
            .await?;
        assert_eq!(it.value("#key").await?, "", "it is not sent back");
        it.fill("key", "9011@83sd!f1042ds+f19fg86M").await?;
        it.click("dialog button[value=create]").await?;
        let shown = it.value("dialog[data-secret] [data-key]").await?;
        assert_eq!(shown, "9011@83sd!f1042ds+f19fg86M");
        app.service().basic(&group.client_id, &shown).await.expect(204);
        Ok(())
    })
    .await;
}

fn pages(full: &KeyGroup, empty: &KeyGroup, secret: &str) -> Vec<Stop> {
    let (full, empty) =
        (format!("/s/acme/groups/{}", full.id), format!("/s/acme/groups/{}", empty.id));
    let of_secret = |rest: &str| format!("{full}/keys/{secret}{rest}");
    vec![
        stop("client-empty", &empty),
        stop("client-secret-new", format!("{empty}/keys/new")),
        stop("client", &full),
        stop("client-secret", of_secret("")),
        stop("client-secret-expiry", of_secret("/period")),
        stop("client-secret-rotation", of_secret("/rotation")),
        stop("client-secret-revocation", of_secret("/revocation")),
        stop("groups-with-clients", "/s/acme/groups"),
    ]
}

async fn the_pages_of_a_client_are_accessible(app: &TestApp) {
    let desk = app.desk("acme").await;
    let (empty, full) = (desk.client("erp-connector").await, desk.client("partner-portal").await);
    let secret = desk.key(full.id, desk.days(10)).await;
    desk.key(full.id, desk.days(90)).await;
    app.service().basic(&full.client_id, secret.secret.expose()).await.expect(204);
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    let way = pages(&full, &empty, &secret.instance.id.to_string());
    browse(app, DESKTOP, |it| async move {
        signed_in(&it, app).await?;
        let mut faults = it.faults_along(&way).await?;
        it.look(DESKTOP).await?;
        it.open("/s/acme/groups/new").await?;
        it.choose("kind", "client_credentials").await?;
        faults.extend(it.faults("client-new").await?);
        it.look(DESKTOP).await?;
        it.open(&format!("/s/acme/groups/{}/keys/new", empty.id)).await?;
        it.click("dialog button[value=create]").await?;
        it.wait("dialog[data-secret]:modal").await?;
        faults.extend(it.faults("client-secret-shown").await?);
        it.look(DESKTOP).await?;
        // Copying the ID does not count as having the secret.
        it.click("dialog [data-copy-text]").await?;
        assert!(it.has("[data-done]:disabled").await?);
        it.click("[data-copy]").await?;
        it.wait("[data-done]:enabled").await?;
        let told = it.words(".foot [role=status]").await?;
        assert_eq!(told, "Copied. Paste it into your secret store before you close.");
        it.click("[data-done]").await?;
        it.says("is ready to use.").await?;
        none(&faults);
        Ok(())
    })
    .await;
}
