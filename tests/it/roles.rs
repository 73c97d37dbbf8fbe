//! What each role reads, and that nobody is offered what they may not do.
use keyward::domain::Role;

use crate::support::{TestApp, on_both, path_of};

on_both! {
    a_member_who_sees_no_keys_is_offered_no_page_of_them,
    whoever_reads_only_is_offered_no_act,
    an_auditor_reads_the_log_and_a_member_does_not,
    an_owner_who_is_no_member_sees_names_and_counts_only,
    an_owner_names_the_first_admin_and_no_further_one,
    a_lost_role_is_lost_at_the_next_request,
    settings_that_do_not_do_are_refused_beside_the_field,
}

/// Point 47.
async fn a_member_who_sees_no_keys_is_offered_no_page_of_them(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let (admin, member) = (app.signed_in("admin@acme.example").await, app.member("acme").await);
    let page = member.get("/s/acme/groups").await.expect(200);
    assert!(page.text().contains("href=\"/s/acme/groups\""));
    let settings = [("default_lifetime_days", "90"), ("never_expires_allowed", "on")];
    admin.post("/s/acme/settings", &settings).await.expect(303);
    let told = "Members of this subscription do not see its keys. Ask an admin.";
    for path in ["/s/acme", "/s/acme/groups", "/s/acme/keys.csv", &path_of("acme", &key.instance)] {
        let page = member.get(path).await.expect(403);
        assert!(page.plain().contains(told) && !page.text().contains("quote-engine"), "{path}");
    }
    let search = [("query", key.secret.expose())];
    member.post("/s/acme/search", &search).await.expect(403);
    for path in ["/subscriptions", "/profile"] {
        let page = member.get(path).await.expect(200);
        assert!(!page.text().contains("href=\"/s/acme/groups\""), "{path} leads to the keys");
    }
    let home = member.get("/").await;
    assert!(home.status == 303 && member.follow(&home).await.status == 200, "{home:?}");
    app.auditor("acme").await.get("/s/acme/groups").await.expect(200);
    let on = [("default_lifetime_days", "90"), ("members_see_keys", "on")];
    admin.post("/s/acme/settings", &on).await.expect(303);
    member.get("/s/acme/groups").await.expect(200);
}

/// Point 7.
async fn whoever_reads_only_is_offered_no_act(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(2)).await;
    let off = desk.key(key.instance.key_group_id, desk.days(9)).await;
    let act = desk.act();
    keyward::key_instances::deactivate(&act, crate::support::ids(&off)).await.unwrap();
    app.clock.advance(chrono::TimeDelta::hours(30));
    let admin = app.signed_in("admin@acme.example").await;
    let path = path_of("acme", &key.instance);
    let group = path.split("/keys/").next().unwrap();
    let acts = [
        "/new",
        "/edit",
        "/deletion",
        "/rotation",
        "/replacement",
        "/period",
        "/note",
        "/reactivation",
        "/deactivation",
        "/revocation",
    ];
    let offered = |text: &str| {
        let links = text.split(['"', '\'']).filter(|it| it.starts_with("/s/acme/"));
        links.filter(|it| acts.iter().any(|act| it.ends_with(act))).count()
    };
    for person in [app.member("acme").await, app.auditor("acme").await] {
        for page in ["/s/acme", "/s/acme/groups", "/s/acme/keys", group, &path] {
            let shown = person.get(page).await.expect(200);
            assert_eq!(offered(shown.text()), 0, "{page} offers an act\n{}", shown.text());
            assert!(offered(admin.get(page).await.expect(200).text()) > 0, "{page} as an admin");
        }
        let before = app.count("audit_events").await;
        for act in acts.iter().skip(3) {
            person.get(&format!("{path}{act}")).await.expect(403);
            person.post(&format!("{path}{act}"), &[]).await.expect(403);
        }
        assert_eq!(app.count("audit_events").await, before + 14, "each refusal is told");
    }
    app.service().bearer(key.secret.expose()).await.expect(204);
}

async fn an_auditor_reads_the_log_and_a_member_does_not(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let (member, auditor) = (app.member("acme").await, app.auditor("acme").await);
    let path = path_of("acme", &key.instance);
    assert!(auditor.get(&path).await.expect(200).plain().contains("Key created"));
    assert!(!member.get(&path).await.expect(200).plain().contains("Key created"));
    auditor.get("/s/acme/audit.csv").await.expect(200);
    member.get("/s/acme/audit.csv").await.expect(403);
    assert!(!member.get("/s/acme").await.text().contains("/s/acme/audit"));
    assert!(auditor.get("/s/acme").await.text().contains("/s/acme/audit"));
    auditor.get("/s/acme/settings").await.expect(403);
}

async fn an_owner_who_is_no_member_sees_names_and_counts_only(app: &TestApp) {
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(2)).await;
    desk.key(key.instance.key_group_id, desk.days(90)).await;
    let owner = app.owner().await;
    let list = owner.get("/subscriptions").await.expect(200);
    assert!(list.plain().contains("ACME"), "{}", list.plain());
    for path in ["/subscriptions", "/audit", "/subscriptions/acme/name"] {
        let page = owner.get(path).await.expect(200);
        assert!(!page.text().contains("quote-engine") && !page.text().contains(&key.instance.mask));
    }
    for path in ["/s/acme", "/s/acme/groups", "/s/acme/keys", &path_of("acme", &key.instance)] {
        owner.get(path).await.expect(404);
    }
}

async fn an_owner_names_the_first_admin_and_no_further_one(app: &TestApp) {
    app.subscription("acme").await;
    let owner = app.owner().await;
    let invite = [("email", "somebody@acme.example")];
    let first = owner.post("/subscriptions/acme/invitation", &invite).await.expect(303);
    assert_eq!(first.location(), "/subscriptions/acme/invitation/link");
    app.user("acme", Role::Admin).await;
    let refused = owner.post("/subscriptions/acme/invitation", &invite).await.expect(409);
    assert!(refused.plain().contains("This subscription has an admin"), "{}", refused.plain());
}

async fn a_lost_role_is_lost_at_the_next_request(app: &TestApp) {
    use sea_orm::ConnectionTrait;

    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await;
    let user = app.user("acme", Role::Admin).await;
    let admin = app.signed_in(&user.email).await;
    let revocation = format!("{}/revocation", path_of("acme", &key.instance));
    admin.get(&revocation).await.expect(200);
    let db = app.home.connect().await;
    db.execute_unprepared("UPDATE members SET role = 'member' WHERE role = 'admin'").await.unwrap();
    admin.post(&revocation, &[]).await.expect(403);
    app.service().bearer(key.secret.expose()).await.expect(204);
    db.execute_unprepared("DELETE FROM members").await.unwrap();
    admin.get("/s/acme/groups").await.expect(404);
    db.close().await.unwrap();
}

async fn settings_that_do_not_do_are_refused_beside_the_field(app: &TestApp) {
    let admin = app.admin("acme").await;
    let before = app.snapshot().await;
    let (number, range) = ("Enter a number of days.", "Use 1 to 3650 days");
    let order = "The default lifetime must not be longer than the longest allowed one.";
    for (default, longest, field, told) in [
        ("", "", "default_lifetime_days", number),
        ("ninety", "", "default_lifetime_days", number),
        ("0", "", "default_lifetime_days", range),
        ("-1", "", "default_lifetime_days", range),
        ("3651", "", "default_lifetime_days", range),
        ("99999999999", "", "default_lifetime_days", number),
        ("90", "0", "max_lifetime_days", range),
        ("90", "x", "max_lifetime_days", number),
        ("90", "89", "default_lifetime_days", order),
    ] {
        let fields = [("default_lifetime_days", default), ("max_lifetime_days", longest)];
        let page = admin.post("/s/acme/settings", &fields).await.expect(422);
        assert!(page.error_at(field).starts_with(told), "{fields:?}: {}", page.error_at(field));
        assert_eq!(page.field("default_lifetime_days"), default);
        assert_eq!(page.field("max_lifetime_days"), longest);
    }
    assert_eq!(app.snapshot().await, before);
    let fields = [("default_lifetime_days", " 3650 "), ("members_see_keys", "on")];
    let saved = admin.post("/s/acme/settings", &fields).await.expect(303);
    let page = admin.follow(&saved).await.expect(200);
    assert_eq!(page.flash(), "The settings are saved. Keys that exist keep their periods.");
    assert_eq!(page.field("default_lifetime_days"), "3650");
}
