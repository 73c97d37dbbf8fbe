//! Members, as people meet them: inviting and joining, and a removal that leads to the keys to rotate.
use std::sync::{Arc, Mutex};

use keyward::{audit, domain::Role, key_instances, subscriptions};

use crate::support::{
    PASSWORD, TestApp,
    browser::{Look, browse},
    on_both, on_sqlite,
};

on_both! {
    somebody_is_invited_in_one_browser_and_joins_in_another,
    a_removal_leads_to_the_keys_that_the_person_knows,
}

on_sqlite! {
    an_owner_shares_the_installation_and_takes_it_back,
}

async fn somebody_is_invited_in_one_browser_and_joins_in_another(app: &TestApp) {
    let admin = app.user("acme", Role::Admin).await.email;
    let link = Arc::new(Mutex::new(String::new()));
    let passed_on = link.clone();
    browse(app, Look::DESKTOP, |it| async move {
        it.sign_in(&admin).await?;
        it.click("nav a[href='/s/acme/members']").await?;
        it.click(".pagehead a.primary").await?;
        it.focused("#email").await?;
        it.fill("email", "noor@acme.example").await?;
        it.choose("role", "auditor").await?;
        it.click("dialog button.primary").await?;
        it.arrive("/s/acme/invitations/link").await?;
        *passed_on.lock().unwrap() = it.value("dialog[data-secret]:modal [data-key]").await?;
        it.click("[data-copy]").await?;
        it.click("[data-done]:enabled").await?;
        it.arrive("/s/acme/members").await?;
        it.says("The invitation is ready. Its link works for 7 days.").await?;
        it.says("noor@acme.example").await?;
        // The link is not shown again.
        it.open("/s/acme/invitations/link").await?;
        it.says("This link is no longer shown.").await
    })
    .await;
    let link = link.lock().unwrap().clone();
    browse(app, Look::PHONE, |it| async move {
        it.goto(&link).await?;
        it.says("You are invited as Auditor.").await?;
        it.fill("name", "Noor Haddad").await?;
        it.fill("password", PASSWORD).await?;
        it.click("form button.primary").await?;
        it.arrive("/s/acme").await?;
        it.says("You have joined ACME.").await?;
        it.open("/s/acme/members").await?;
        it.says("Only admins can change members.").await?;
        it.says("Noor Haddad").await?;
        it.goto(&link).await?;
        it.says("Not found").await
    })
    .await;
}

async fn a_removal_leads_to_the_keys_that_the_person_knows(app: &TestApp) {
    let desk = app.desk("acme").await;
    let first = desk.group("quote-engine", desk.days(90)).await;
    let group = first.instance.key_group_id;
    let jonas = desk.newcomer("jonas@acme.example", Role::Admin).await;
    let (scope, _) = subscriptions::enter(&app.db, jonas.id, &[], "acme").await.unwrap();
    let actor = audit::Actor { user_id: Some(jonas.id), ..desk.act().actor };
    let act = subscriptions::Act { app, scope: &scope, actor, now: app.clock.now() };
    let new = key_instances::NewKey {
        source: key_instances::Source::Generate,
        period: desk.days(60),
        note: String::new(),
    };
    let token = keyward::pepper::random_token();
    key_instances::create(&act, group, new, &token).await.unwrap();
    let admin = app.user("acme", Role::Admin).await.email;
    browse(app, Look::DESKTOP, |it| async move {
        it.sign_in(&admin).await?;
        it.open("/s/acme/members").await?;
        it.open_menu("jonas@acme.example").await?;
        it.pick("Remove…").await?;
        it.wait("dialog:modal").await?;
        it.focused("dialog a[href='/s/acme/members']").await?;
        it.says("The key that they know keeps working: rotate it afterwards.").await?;
        it.says("k-2 in quote-engine").await?;
        it.says("made it; never used").await?;
        it.turn("dialog button.solid-danger").await?;
        it.says("jonas@acme.example is removed, and knows 1 key that works.").await?;
        it.says("Removed, and still know keys that work").await?;
        it.click(".flash a.btn").await?;
        it.arrive("/s/acme/keys").await?;
        it.says("Known to jonas@acme.example").await?;
        it.open_menu("k-2").await?;
        it.pick("Rotate…").await?;
        it.click("dialog:modal button[value=create], dialog:modal button.primary").await?;
        it.wait("dialog[data-secret]:modal").await?;
        Ok(())
    })
    .await;
}

async fn an_owner_shares_the_installation_and_takes_it_back(app: &TestApp) {
    let owner = app.owner_user().await.email;
    app.user("acme", Role::Member).await;
    browse(app, Look::DESKTOP, |it| async move {
        it.sign_in(&owner).await?;
        it.open("/subscriptions").await?;
        it.click("nav a[href='/owners']").await?;
        it.click(".pagehead a.primary").await?;
        it.fill("email", "member@acme.example").await?;
        it.click("dialog:modal button.primary").await?;
        it.says("Is this the person you mean?").await?;
        it.click("dialog:modal button.primary").await?;
        it.says("Member of acme is an owner now.").await?;
        it.open_menu("Member of acme").await?;
        it.pick("Take ownership away…").await?;
        it.click("dialog:modal button.solid-danger").await?;
        it.says("Member of acme is no owner any more.").await
    })
    .await;
}
