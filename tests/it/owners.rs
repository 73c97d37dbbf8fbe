//! Who runs the installation.
use keyward::{domain::Role, users};

use crate::support::{TestApp, on_both};

on_both! {
    an_owner_makes_another_user_an_owner_and_takes_it_away,
    who_cannot_become_an_owner_is_refused_beside_the_field,
    the_last_owner_stays_one,
    two_owners_who_take_each_others_place_away_at_once_leave_one,
}

async fn an_owner_makes_another_user_an_owner_and_takes_it_away(app: &TestApp) {
    let owner = app.owner().await;
    let user = app.user("acme", Role::Member).await;
    let other = app.signed_in(&user.email).await;
    other.get("/owners").await.expect(403);
    assert!(!other.get("/profile").await.text().contains("href=\"/owners\""));
    owner.get("/owners/new").await.expect(200);
    // Whoever invites somebody can make an account for any address: it is looked at first.
    let email = ("email", " Member@ACME.example ");
    for account in ["", "00000000-0000-0000-0000-000000000000"] {
        let asked = owner.post("/owners/new", &[email, ("account", account)]).await.expect(200);
        let told = "The account is called Member of acme, was made";
        assert!(asked.plain().contains(told), "{}", asked.plain());
        assert!(asked.plain().contains("Member of ACME"), "{}", asked.plain());
        assert_eq!(asked.field("account"), user.id.to_string());
    }
    let account = user.id.to_string();
    let done = owner.post("/owners/new", &[email, ("account", &account)]).await.expect(303);
    let list = owner.follow(&done).await.expect(200);
    assert_eq!(list.flash(), "Member of acme is an owner now.");
    let list = other.get("/owners").await.expect(200);
    assert!(list.plain().contains("Olga Owner owner@example.com"), "{}", list.plain());
    assert!(list.plain().contains("Member of acme you member@acme.example"), "{}", list.plain());
    // The role in a subscription is another matter.
    other.get("/s/acme/settings").await.expect(403);
    other.get("/s/hq").await.expect(404);

    let removal = format!("/owners/{}/removal", user.id);
    let asked = owner.get(&removal).await.expect(200);
    assert!(asked.plain().contains("Take ownership from Member of acme?"), "{}", asked.plain());
    let done = owner.post(&removal, &[]).await.expect(303);
    assert_eq!(owner.follow(&done).await.flash(), "Member of acme is no owner any more.");
    other.get("/owners").await.expect(403);
    owner.post(&removal, &[]).await.expect(404);
    owner.get(&removal).await.expect(404);
    let log = owner.get("/audit").await.expect(200);
    assert!(log.plain().contains("Owner added") && log.plain().contains("Ownership ended"));
}

async fn who_cannot_become_an_owner_is_refused_beside_the_field(app: &TestApp) {
    let owner = app.owner().await;
    let before = app.snapshot().await;
    for (email, told) in [
        ("olga", "Enter an e-mail address, like ida@example.com."),
        ("nobody@example.com", "Nobody with this e-mail address has an account here."),
        ("owner@example.com", "This person is an owner already."),
    ] {
        let page = owner.post("/owners/new", &[("email", email)]).await.expect(422);
        assert_eq!((page.error_at("email").as_str(), page.field("email").as_str()), (told, email));
    }
    assert_eq!(app.snapshot().await, before);
}

async fn the_last_owner_stays_one(app: &TestApp) {
    let owner = app.owner().await;
    let own = app.owner_user().await.id;
    let before = app.snapshot().await;
    let refused = owner.post(&format!("/owners/{own}/removal"), &[]).await.expect(409);
    let told = "This is the last owner of the installation. Make somebody else an owner first.";
    assert_eq!(refused.refusal(), told);
    assert_eq!(app.snapshot().await, before);
    // With a second one the first may go.
    app.desk("acme").await.another_owner("second@example.com").await;
    let gone = owner.post(&format!("/owners/{own}/removal"), &[]).await.expect(303);
    assert_eq!(gone.location(), "/");
    owner.get("/owners").await.expect(403);
}

async fn two_owners_who_take_each_others_place_away_at_once_leave_one(app: &TestApp) {
    let desk = app.desk("acme").await;
    let mut first = app.owner_user().await;
    for round in 0..6 {
        let email = format!("rival{round}@example.com");
        let second = desk.newcomer(&email, Role::Member).await;
        let by = app.signed_in(&first.email).await;
        let account = second.id.to_string();
        by.post("/owners/new", &[("email", &email), ("account", &account)]).await.expect(303);
        let rival = app.signed_in(&email).await;
        let [at_first, at_second] = [first.id, second.id].map(|it| format!("/owners/{it}/removal"));
        let (one, two) = tokio::join!(by.post(&at_second, &[]), rival.post(&at_first, &[]));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 403], "round {round}");
        let left = users::owners(&app.db).await.unwrap();
        assert_eq!(left.len(), 1, "round {round}");
        first = left.into_iter().next().unwrap();
    }
}
