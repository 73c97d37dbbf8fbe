//! Who belongs to a subscription: inviting, other roles, removal, and what stays of it.
use chrono::TimeDelta;
use futures_util::future::join_all;
use keyward::{
    domain::{Refusal, Role},
    error::Error,
    members, subscriptions, user_groups,
};

use crate::support::{PASSWORD, Person, TestApp, on_both, refusal};

on_both! {
    an_invitation_is_shown_once_and_makes_a_member,
    a_user_of_another_subscription_accepts_with_the_account_there_is,
    inviting_an_address_again_ends_the_older_link,
    a_withdrawn_invitation_is_dead,
    an_invitation_ends_after_seven_days,
    what_cannot_be_invited_is_refused_beside_the_field,
    whoever_reads_only_sees_the_members_and_no_act,
    a_changed_role_counts_at_the_next_request_of_an_open_session,
    a_removed_member_is_out_at_the_next_request_of_an_open_session,
    a_removed_member_leaves_the_user_groups,
    the_last_admin_can_neither_be_removed_nor_demoted,
    two_admins_who_remove_each_other_at_once_leave_one,
    two_admins_who_demote_each_other_at_once_leave_one,
    links_of_an_admin_die_with_the_role,
    a_suspended_subscription_changes_no_members_and_nobody_joins_it,
}

async fn invite(admin: &Person<'_>, email: &str, role: &str) -> String {
    let form = admin.open("/s/acme/invitations/new").await.expect(200);
    assert!(form.text().contains("<h1 id=\"dialog-title\">Invite a member</h1>"));
    let fields = [("email", email), ("role", role)];
    let made = admin.post("/s/acme/invitations/new", &fields).await.expect(303);
    assert_eq!(made.location(), "/s/acme/invitations/link");
    admin.follow(&made).await.expect(200).secret()
}

fn path(app: &TestApp, link: &str) -> String {
    link.strip_prefix(&app.site.origin).unwrap().to_owned()
}

async fn join(app: &TestApp, link: &str, name: &str) -> u16 {
    let fields = [("name", name), ("password", PASSWORD)];
    app.anonymous().post(&path(app, link), &fields).await.status
}

async fn an_invitation_is_shown_once_and_makes_a_member(app: &TestApp) {
    let admin = app.admin("acme").await;
    let link = invite(&admin, " Noor@Acme.example ", "auditor").await;
    // Once more in the same browser, until the admin has it.
    let shown = admin.get("/s/acme/invitations/link").await.expect(200);
    assert_eq!(shown.secret(), link);
    let other = app.signed_in("admin@acme.example").await;
    other.get("/s/acme/invitations/link").await.expect(410);
    admin.post("/s/acme/invitations/link", &[]).await.expect(303);
    admin.get("/s/acme/invitations/link").await.expect(410);
    let list = admin.get("/s/acme/members").await.expect(200);
    let told = "noor@acme.example Auditor Admin of acme in 7 days";
    assert!(list.plain().contains(told), "{}", list.plain());
    let token = link.rsplit('/').next().unwrap();
    assert!(!list.text().contains(token), "a link is shown once");

    assert_eq!(join(app, &link, "Noor Haddad").await, 303);
    let list = admin.get("/s/acme/members").await.expect(200);
    let told = "Noor Haddad noor@acme.example Auditor 20 Nov now";
    assert!(list.plain().contains(told), "{}", list.plain());
    assert!(!list.plain().contains("Open invitations"));
    let noor = app.signed_in("noor@acme.example").await;
    noor.get("/s/acme/audit").await.expect(200);
    let list = admin.get("/s/acme/members").await.expect(200);
    assert!(list.plain().contains("Noor Haddad noor@acme.example Auditor 20 Nov now"));
    // It works once.
    assert_eq!(join(app, &link, "Somebody else").await, 404);
}

async fn a_user_of_another_subscription_accepts_with_the_account_there_is(app: &TestApp) {
    let admin = app.admin("acme").await;
    let known = app.admin("globex").await;
    let link = path(app, &invite(&admin, "admin@globex.example", "member").await);
    let form = known.get(&link).await.expect(200);
    assert!(form.plain().contains("Join as admin@globex.example"), "{}", form.plain());
    let other = app.member("globex").await;
    other.post(&format!("{link}/acceptance"), &[]).await.expect(403);
    let joined = known.post(&format!("{link}/acceptance"), &[]).await.expect(303);
    assert_eq!(joined.location(), "/s/acme");
    known.get("/s/acme").await.expect(200);
    known.get("/s/acme/settings").await.expect(403);
}

async fn inviting_an_address_again_ends_the_older_link(app: &TestApp) {
    let admin = app.admin("acme").await;
    let first = invite(&admin, "noor@acme.example", "member").await;
    let second = invite(&admin, "NOOR@acme.example", "auditor").await;
    app.anonymous().get(&path(app, &first)).await.expect(404);
    let list = admin.get("/s/acme/members").await.expect(200);
    assert_eq!(list.plain().matches("noor@acme.example").count(), 1);
    assert_eq!(join(app, &first, "Noor").await, 404);
    assert_eq!(join(app, &second, "Noor").await, 303);
    // Eight at once leave one.
    let desk = app.desk("acme").await;
    let act = desk.act();
    let all = (0..8).map(|_| members::invite_member(&act, "lena@acme.example", Role::Member));
    join_all(all).await.into_iter().for_each(|it| drop(it.unwrap()));
    assert_eq!(members::open_invitations(&act).await.unwrap().len(), 1);
}

async fn a_withdrawn_invitation_is_dead(app: &TestApp) {
    let admin = app.admin("acme").await;
    let link = invite(&admin, "noor@acme.example", "member").await;
    let list = admin.get("/s/acme/members").await.expect(200);
    let (before, _) = list.text().split_once("/withdrawal\"").unwrap();
    let withdrawal = format!("{}/withdrawal", before.rsplit('"').next().unwrap());
    app.member("acme").await.post(&withdrawal, &[]).await.expect(403);
    let elsewhere = withdrawal.replace("/s/acme", "/s/globex");
    app.admin("globex").await.post(&elsewhere, &[]).await.expect(404);
    let done = admin.post(&withdrawal, &[]).await.expect(303);
    let list = admin.follow(&done).await.expect(200);
    assert_eq!(list.flash(), "The invitation of noor@acme.example is withdrawn. Its link is dead.");
    assert_eq!(join(app, &link, "Noor").await, 404);
    admin.post(&withdrawal, &[]).await.expect(404);
    // One that was accepted is no invitation any more.
    let desk = app.desk("acme").await;
    desk.newcomer("lena@acme.example", Role::Member).await;
    let accepted = app.query("SELECT id FROM invitations WHERE accepted_at IS NOT NULL").await;
    assert!(!accepted.is_empty());
    let ids = accepted.iter().filter_map(|it| uuid::Uuid::try_parse(it["id"].as_str()?).ok());
    for id in ids {
        let kept = members::withdraw(&desk.act(), id).await;
        assert!(matches!(kept, Err(Error::NotFound)));
    }
}

async fn an_invitation_ends_after_seven_days(app: &TestApp) {
    let desk = app.desk("acme").await;
    let invite =
        async |email: &str| members::invite_member(&desk.act(), email, Role::Member).await.unwrap();
    let token = invite("noor@acme.example").await;
    let link = format!("/invitations/{token}");
    app.clock.advance(TimeDelta::days(7) - TimeDelta::milliseconds(1));
    app.anonymous().get(&link).await.expect(200);
    app.clock.advance(TimeDelta::milliseconds(1));
    app.anonymous().get(&link).await.expect(404);
    let fields = [("name", "Noor"), ("password", PASSWORD)];
    app.anonymous().post(&link, &fields).await.expect(404);
    let admin = app.signed_in("admin@acme.example").await;
    let list = admin.get("/s/acme/members").await.expect(200);
    assert!(!list.plain().contains("noor@acme.example"));
    // The next one takes it away.
    invite("lena@acme.example").await;
    let open = app.query("SELECT email FROM invitations WHERE accepted_at IS NULL").await;
    assert_eq!(open.len(), 1);
}

async fn what_cannot_be_invited_is_refused_beside_the_field(app: &TestApp) {
    let admin = app.admin("acme").await;
    app.member("acme").await;
    let before = app.snapshot().await;
    for (email, role, status, told) in [
        ("noor", "member", 422, "Enter an e-mail address, like ida@example.com."),
        ("", "member", 422, "Enter an e-mail address, like ida@example.com."),
        ("noor@acme.example", "owner", 422, "Choose one of the roles."),
        ("noor@acme.example", "", 422, "Choose one of the roles."),
        ("member@acme.example", "admin", 409, "This person is already a member"),
    ] {
        let fields = [("email", email), ("role", role)];
        let page = admin.post("/s/acme/invitations/new", &fields).await.expect(status);
        assert!(page.plain().contains(told), "{email} {role}: {}", page.plain());
        assert_eq!(page.field("email"), email);
    }
    assert_eq!(app.snapshot().await, before);
    // There is an end to what can be open.
    let desk = app.desk("acme").await;
    let mut made = 0;
    let refused = loop {
        let email = format!("somebody{made}@acme.example");
        match members::invite_member(&desk.act(), &email, Role::Member).await {
            Ok(_) => made += 1,
            refused => break refusal(refused),
        }
    };
    assert_eq!((made, refused), (100, Refusal::TooMany { most: 100, what: "open invitations" }));
}

async fn whoever_reads_only_sees_the_members_and_no_act(app: &TestApp) {
    let admin = app.admin("acme").await;
    invite(&admin, "noor@acme.example", "member").await;
    for person in [app.member("acme").await, app.auditor("acme").await] {
        let list = person.get("/s/acme/members").await.expect(200);
        assert!(list.plain().contains("Only admins can change members."));
        assert!(list.plain().contains("noor@acme.example"));
        for act in ["/role", "/removal", "/withdrawal", "/invitations/new"] {
            assert!(!list.text().contains(&format!("{act}\"")), "{act} is offered");
        }
    }
    let list = admin.get("/s/acme/members").await.expect(200);
    assert!(!list.plain().contains("Only admins can change members."));
}

async fn a_changed_role_counts_at_the_next_request_of_an_open_session(app: &TestApp) {
    let admin = app.admin("acme").await;
    let user = app.user("acme", Role::Member).await;
    let member = app.signed_in(&user.email).await;
    let role = format!("/s/acme/members/{}/role", user.id);
    assert_eq!(admin.get(&role).await.expect(200).field("role"), "member");
    for (to, settings, log) in [("admin", 200, 200), ("auditor", 403, 200), ("member", 403, 403)] {
        let done = admin.post(&role, &[("role", to)]).await.expect(303);
        let told = admin.follow(&done).await.expect(200).flash();
        assert_eq!(told, format!("Member of acme is {to} now."));
        member.get("/s/acme/settings").await.expect(settings);
        member.get("/s/acme/audit").await.expect(log);
    }
    let before = app.count("audit_events").await;
    admin.post(&role, &[("role", "member")]).await.expect(303);
    assert_eq!(app.count("audit_events").await, before, "nothing was changed");
    let wrong = admin.post(&role, &[("role", "owner")]).await.expect(422);
    assert_eq!(wrong.error_at("role"), "Choose one of the roles.");
}

async fn a_removed_member_is_out_at_the_next_request_of_an_open_session(app: &TestApp) {
    let admin = app.admin("acme").await;
    let user = app.user("acme", Role::Auditor).await;
    let auditor = app.signed_in(&user.email).await;
    let removal = format!("/s/acme/members/{}/removal", user.id);
    let asked = admin.get(&removal).await.expect(200);
    assert!(asked.plain().contains("Remove Auditor of acme?"), "{}", asked.plain());
    let done = admin.post(&removal, &[]).await.expect(303);
    let list = admin.follow(&done).await.expect(200);
    assert_eq!(list.flash(), "Auditor of acme is removed.");
    assert!(!list.text().contains(&user.email));
    for path in ["/s/acme", "/s/acme/audit", "/s/acme/members"] {
        auditor.get(path).await.expect(404);
    }
    assert!(auditor.is_signed_in().await, "the account stays");
    admin.post(&removal, &[]).await.expect(404);
    // And comes back by another invitation only.
    let link = path(app, &invite(&admin, &user.email, "member").await);
    auditor.post(&format!("{link}/acceptance"), &[]).await.expect(303);
    auditor.get("/s/acme").await.expect(200);
}

async fn a_removed_member_leaves_the_user_groups(app: &TestApp) {
    let desk = app.desk("acme").await;
    let user = app.user("acme", Role::Member).await;
    let group = desk.user_group("Readers", &[]).await.id;
    let other = desk.user_group("Writers", &[]).await;
    let edit = desk.edit_user_group(group, |it| it.members = [user.id].into()).await;
    assert!(edit.is_some());
    let version = user_groups::find(&desk.act(), group).await.unwrap().version;
    members::remove(&desk.act(), user.id).await.unwrap();
    let now = user_groups::find(&desk.act(), group).await.unwrap();
    let wanted = user_groups::wanted(&desk.act(), &now).await.unwrap();
    assert!(wanted.members.is_empty());
    assert_eq!(now.version, version + 1, "an edit from before is out of date");
    let untouched = user_groups::find(&desk.act(), other.id).await.unwrap();
    assert_eq!(untouched.version, other.version);
    let log = app.signed_in("admin@acme.example").await.get("/s/acme/audit").await.expect(200);
    assert!(log.plain().contains("Member removed"), "{}", log.plain());
}

async fn the_last_admin_can_neither_be_removed_nor_demoted(app: &TestApp) {
    let admin = app.admin("acme").await;
    let own = app.user("acme", Role::Admin).await.id;
    app.member("acme").await;
    let before = app.snapshot().await;
    let told = "This is the last admin of the subscription. Make somebody else an admin first.";
    let removal = format!("/s/acme/members/{own}/removal");
    let refused = admin.post(&removal, &[]).await.expect(409);
    assert_eq!(refused.refusal(), told);
    for to in ["member", "auditor"] {
        let role = format!("/s/acme/members/{own}/role");
        let refused = admin.post(&role, &[("role", to)]).await.expect(409);
        assert_eq!(refused.refusal(), told);
    }
    assert_eq!(app.snapshot().await, before);
    // With a second one the first may go, and is led to where there is something to see.
    let desk = app.desk("acme").await;
    desk.newcomer("second@acme.example", Role::Admin).await;
    let gone = admin.post(&removal, &[]).await.expect(303);
    assert_eq!(gone.location(), "/");
    admin.get("/s/acme").await.expect(404);
}

/// In each round two admins act on each other at the same instant.
async fn against_each_other(app: &TestApp, act: &str, fields: &[(&str, &str)]) {
    let desk = app.desk("acme").await;
    let first = app.user("acme", Role::Admin).await;
    for round in 0..6 {
        let email = format!("rival{round}@acme.example");
        let second = desk.newcomer(&email, Role::Admin).await;
        let people = [app.signed_in(&first.email).await, app.signed_in(&email).await];
        let [at_first, at_second] =
            [first.id, second.id].map(|it| format!("/s/acme/members/{it}{act}"));
        let (one, two) =
            tokio::join!(people[0].post(&at_second, fields), people[1].post(&at_first, fields));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        // The one who came second is an admin no more, or was none already when asked.
        assert_eq!(statuses[0], 303, "round {round}: {statuses:?}");
        assert!([403, 404].contains(&statuses[1]), "round {round}: {statuses:?}");
        let admins = app.query("SELECT user_id FROM members WHERE role = 'admin'").await;
        assert_eq!(admins.len(), 2, "one of hq, one of acme, in round {round}");
        // Whoever stayed makes room for the next round.
        if one.status != 303 {
            let to = subscriptions::by_slug(&app.db, "acme").await.unwrap();
            restore(app, to.id, (first.id, second.id)).await;
        }
    }
}

/// The first admin is the only one again.
async fn restore(app: &TestApp, acme: uuid::Uuid, (first, second): (uuid::Uuid, uuid::Uuid)) {
    use keyward::subscriptions::Act;

    let (scope, _) = subscriptions::enter(&app.db, second, &[], "acme").await.unwrap();
    assert_eq!(scope.id(), acme);
    let actor =
        keyward::audit::Actor { user_id: Some(second), ..keyward::audit::Actor::command_line() };
    let act = Act { app, scope: &scope, actor, now: app.clock.now() };
    if members::find(&act, first).await.is_ok() {
        members::change_role(&act, first, Role::Admin).await.unwrap();
    } else {
        let token = members::invite_member(&act, "admin@acme.example", Role::Admin).await.unwrap();
        let user = app.user("acme", Role::Admin).await;
        let actor = keyward::audit::Actor { user_id: Some(first), ..act.actor.clone() };
        members::accept_as(app, &token, &user, &actor, app.clock.now()).await.unwrap();
    }
    members::change_role(&act, second, Role::Member).await.unwrap();
}

async fn two_admins_who_remove_each_other_at_once_leave_one(app: &TestApp) {
    against_each_other(app, "/removal", &[]).await;
}

async fn two_admins_who_demote_each_other_at_once_leave_one(app: &TestApp) {
    against_each_other(app, "/role", &[("role", "member")]).await;
}

/// Else somebody who is removed could come back by a link of their own.
async fn links_of_an_admin_die_with_the_role(app: &TestApp) {
    let desk = app.desk("acme").await;
    for (email, ends) in [("second@acme.example", false), ("third@acme.example", true)] {
        let user = desk.newcomer(email, Role::Admin).await;
        let link = invite(&app.signed_in(email).await, "noor@acme.example", "admin").await;
        let other =
            invite(&app.signed_in("admin@acme.example").await, "a@b.example", "member").await;
        if ends {
            members::remove(&desk.act(), user.id).await.unwrap();
        } else {
            members::change_role(&desk.act(), user.id, Role::Auditor).await.unwrap();
        }
        app.anonymous().get(&path(app, &link)).await.expect(404);
        app.anonymous().get(&path(app, &other)).await.expect(200);
    }
}

async fn a_suspended_subscription_changes_no_members_and_nobody_joins_it(app: &TestApp) {
    let admin = app.admin("acme").await;
    let user = app.user("acme", Role::Member).await;
    let link = invite(&admin, "noor@acme.example", "member").await;
    app.owner()
        .await
        .post("/subscriptions/acme/suspension", &[("confirm", "acme")])
        .await
        .expect(303);
    let before = app.snapshot().await;
    let at = |act: &str| format!("/s/acme/members/{}{act}", user.id);
    let told = "This subscription is suspended. Nothing can be changed in it.";
    for (path, fields) in [
        (at("/removal"), [("", ""), ("", "")]),
        (at("/role"), [("role", "auditor"), ("", "")]),
        ("/s/acme/invitations/new".to_owned(), [("role", "admin"), ("email", "a@b.example")]),
    ] {
        assert_eq!(admin.post(&path, &fields).await.expect(409).refusal(), told, "{path}");
    }
    assert_eq!(join(app, &link, "Noor").await, 409);
    assert_eq!(app.snapshot().await, before);
}
