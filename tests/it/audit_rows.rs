//! That each act leaves its row, and who tries again and again does not fill the log.
use keyward::{
    audit, domain::Role, members, notices, pepper::random_token, user_groups, workspaces,
};
use reqwest::Method;

use crate::support::{TestApp, on_both};

on_both! {
    each_act_on_people_places_and_targets_leaves_its_row,
    who_takes_a_list_away_or_is_called_otherwise_is_told_of,
    whoever_is_refused_again_and_again_fills_no_log,
}

async fn actions(app: &TestApp, scope: uuid::Uuid) -> Vec<String> {
    let mut rows =
        audit::list(&app.db, scope, &audit::Filter::default(), 1_000).await.unwrap().rows;
    rows.sort_by_key(|it| it.seq);
    rows.into_iter().map(|it| it.action).collect()
}

async fn each_act_on_people_places_and_targets_leaves_its_row(app: &TestApp) {
    let desk = app.desk("acme").await;
    let act = desk.act();
    let user = desk.newcomer("noor@acme.example", Role::Member).await;
    desk.declare("orders", &["read"]).await;
    let policy = desk.policy("P", &["orders:read"]).await.id;
    let before = actions(app, act.scope.id()).await.len();
    members::invite_member(&act, "x@acme.example", Role::Member).await.unwrap();
    let open = members::open_invitations(&act).await.unwrap().remove(0);
    members::withdraw(&act, open.id).await.unwrap();
    members::change_role(&act, user.id, Role::Auditor).await.unwrap();
    members::remove(&act, user.id).await.unwrap();
    let group = desk.user_group("G", &[]).await;
    user_groups::delete(&act, group.id, group.version).await.unwrap();
    let place = desk.workspace("Europe").await;
    let role = desk.role(policy, Some(place.id)).await;
    workspaces::delete_role(&act, role.id).await.unwrap();
    let version = workspaces::find(&act, place.id).await.unwrap().version;
    workspaces::delete(&act, place.id, version).await.unwrap();
    let hook = notices::add(&act, "https://hooks.invalid/", &random_token()).await.unwrap();
    for paused in [true, false] {
        notices::set_paused(&act, hook.id, paused).await.unwrap();
    }
    notices::change_secret(&act, hook.id).await.unwrap();
    notices::test(&act, hook.id).await.unwrap();
    notices::remove(&act, hook.id).await.unwrap();
    for suspended in [true, false] {
        app.suspend("acme", suspended).await;
    }
    assert_eq!(
        actions(app, act.scope.id()).await[before..],
        [
            "member.invited",
            "member.invitation_withdrawn",
            "member.role_changed",
            "member.removed",
            "user_group.created",
            "user_group.deleted",
            "workspace.created",
            "workspace_role.created",
            "workspace_role.deleted",
            "workspace.deleted",
            "webhook.created",
            "webhook.paused",
            "webhook.resumed",
            "webhook.secret_changed",
            "webhook.tested",
            "webhook.deleted",
            "subscription.suspended",
            "subscription.resumed",
        ]
    );
    let whole = actions(app, audit::INSTALLATION).await;
    assert!(whole.ends_with(&["subscription.suspended".into(), "subscription.resumed".into()]));
}

async fn who_takes_a_list_away_or_is_called_otherwise_is_told_of(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.group("quote-engine", desk.days(90)).await;
    let (scope, admin) = (desk.act().scope.id(), app.admin("acme").await);
    let before = actions(app, scope).await.len();
    for list in ["groups.csv", "keys.csv", "audit.csv"] {
        admin.get(&format!("/s/acme/{list}")).await.expect(200);
    }
    assert_eq!(actions(app, scope).await[before..], ["list.exported"; 3]);
    let before = actions(app, audit::INSTALLATION).await.len();
    for name in ["Admin of acme", "Ida Marsh"] {
        let fields = [("name", name), ("theme", "dark"), ("time_zone", "UTC")];
        admin.post("/profile", &fields).await.expect(303);
    }
    assert_eq!(actions(app, audit::INSTALLATION).await[before..], ["user.renamed"]);
}

async fn whoever_is_refused_again_and_again_fills_no_log(app: &TestApp) {
    let (scope, auditor) = (app.desk("acme").await.act().scope.id(), app.auditor("acme").await);
    let program = app.program(&["keys:read"]).await;
    let before = actions(app, scope).await.len();
    for _ in 0..40 {
        auditor.get("/s/acme/settings").await.expect(403);
        program.send((Method::POST, "/key-groups"), &[], serde_json::json!({})).await.expect(403);
    }
    let told = actions(app, scope).await;
    assert_eq!(told[before..].iter().filter(|it| *it == "authz.fail").count(), 60);
    app.clock.advance(chrono::TimeDelta::minutes(1));
    auditor.get("/s/acme/settings").await.expect(403);
    assert_eq!(actions(app, scope).await.len(), told.len() + 1);
}
