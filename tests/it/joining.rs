//! Accepting an invitation: who lets in whom, and where it leads.
use keyward::{
    domain::Role,
    members,
    subscriptions::{self, Act},
};

use crate::support::{PASSWORD, Person, TestApp, on_both};

on_both! {
    an_owner_lets_in_no_second_admin_as_a_member_either,
    whoever_joins_sees_a_page_that_is_for_them,
    whoever_is_signed_in_as_somebody_else_can_change_that,
}

/// The path of an invitation to ACME.
async fn invite(app: &TestApp, email: &str, role: Role) -> String {
    let desk = app.desk("acme").await;
    let token = members::invite_member(&desk.act(), email, role).await.unwrap();
    format!("/invitations/{token}")
}

async fn join(app: &TestApp, path: &str) -> (u16, String) {
    let fields = [("name", "Noor Haddad"), ("password", PASSWORD)];
    let answer = app.anonymous().post(path, &fields).await;
    (answer.status, answer.header("location").unwrap_or_default().to_owned())
}

/// Links for two admins, of which one was accepted; the first admin then made the owner a member.
async fn an_owner_lets_in_no_second_admin_as_a_member_either(app: &TestApp) {
    let acme = app.subscription("acme").await;
    let (owner, now) = (app.owner_user().await, app.clock.now());
    let actor = app.own(&owner).actor;
    let invite = async |email| {
        let token = members::invite(app, &acme, (email, Role::Admin), &actor, now).await;
        format!("/invitations/{}", token.unwrap())
    };
    let (alice, bob) = (invite("alice@acme.example").await, invite("bob@acme.example").await);
    assert_eq!(join(app, &alice).await.0, 303);
    let alice = keyward::users::by_email(&app.db, "alice@acme.example").await.unwrap().unwrap();
    let (scope, _) = subscriptions::enter(&app.db, alice.id, &[], "acme").await.unwrap();
    let act = Act { app, scope: &scope, actor: app.own(&alice).actor, now };
    let token = members::invite_member(&act, &owner.email, Role::Auditor).await.unwrap();
    members::accept_as(app, &token, &owner, &actor, now).await.unwrap();
    assert_eq!(join(app, &bob).await.0, 409);
    let admins = members::list(&act).await.unwrap().into_iter();
    assert_eq!(admins.filter(|it| it.role == Role::Admin).count(), 1);
}

async fn whoever_joins_sees_a_page_that_is_for_them(app: &TestApp) {
    let known = app.admin("globex").await;
    let desk = app.desk("acme").await;
    let (one, two) = ("one@acme.example", "two@acme.example");
    let open = invite(app, one, Role::Member).await;
    assert_eq!(join(app, &open).await, (303, "/s/acme".to_owned()));
    desk.change_settings(|it| it.members_see_keys = false).await;
    let closed = invite(app, two, Role::Member).await;
    assert_eq!(join(app, &closed).await, (303, "/subscriptions".to_owned()));
    let closed = invite(app, "admin@globex.example", Role::Member).await;
    let joined = known.post(&format!("{closed}/acceptance"), &[]).await.expect(303);
    let page = known.follow(&joined).await.expect(200);
    assert_eq!(page.flash(), "You have joined ACME.");
    let auditor = invite(app, "three@acme.example", Role::Auditor).await;
    assert_eq!(join(app, &auditor).await.1, "/s/acme");
}

async fn whoever_is_signed_in_as_somebody_else_can_change_that(app: &TestApp) {
    let other: Person<'_> = app.admin("globex").await;
    app.member("globex").await;
    let path = invite(app, "member@globex.example", Role::Member).await;
    let page = other.get(&path).await.expect(200);
    let told = "for member@globex.example , and you are signed in as admin@globex.example .";
    assert!(page.plain().contains(told), "{}", page.plain());
    let next = page.field("next");
    let out = other.post("/sign-out", &[("next", &next)]).await.expect(303);
    let encoded = path.replace('/', "%2F");
    assert_eq!(out.location(), format!("/sign-in?next={encoded}"));
    // Elsewhere it leads nowhere.
    let other = app.signed_in("admin@globex.example").await;
    let out = other.post("/sign-out", &[("next", "//evil.example/")]).await.expect(303);
    assert_eq!(out.location(), "/sign-in");
}
