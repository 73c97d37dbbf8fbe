//! O11: what was acknowledged holds for every call that is sent afterwards, on every node.
use keyward::{key_groups, key_instances::KeyInstance};

use crate::support::{Load, TestApp, on_both, path_of};

on_both! {
    no_call_sent_after_a_revocation_is_accepted,
    no_call_sent_after_a_deactivation_is_accepted,
    no_call_sent_after_a_deletion_is_accepted,
    no_call_sent_after_a_suspension_is_accepted,
}

const ROUNDS: usize = 5;

/// `end` takes the key out of use, and returns when that was acknowledged; `tidy` follows.
async fn rounds(app: &TestApp, end: impl AsyncFn(usize, &KeyInstance), tidy: impl AsyncFn()) {
    let other = app.second_node().await;
    let desk = app.desk("acme").await;
    for round in 0..ROUNDS {
        let key = desk.group(&format!("group {round}"), desk.days(90)).await;
        let load = Load::start([app, &other], 1, key.secret.expose(), "");
        load.pass(20).await;
        load.change(end(round, &key.instance)).await;
        load.pass(20).await;
        load.end(&[204, 401]).await;
        tidy().await;
    }
    other.stop().await;
}

async fn no_call_sent_after_a_revocation_is_accepted(app: &TestApp) {
    let admin = app.admin("acme").await;
    let revoke = async |_, key: &KeyInstance| {
        admin.post(&format!("{}/revocation", path_of("acme", key)), &[]).await.expect(303);
    };
    rounds(app, revoke, async || {}).await;
}

async fn no_call_sent_after_a_deactivation_is_accepted(app: &TestApp) {
    let admin = app.admin("acme").await;
    let deactivate = async |_, key: &KeyInstance| {
        admin.post(&format!("{}/deactivation", path_of("acme", key)), &[]).await.expect(303);
    };
    rounds(app, deactivate, async || {}).await;
}

async fn no_call_sent_after_a_deletion_is_accepted(app: &TestApp) {
    let admin = app.admin("acme").await;
    let desk = app.desk("acme").await;
    let delete = async |round, key: &KeyInstance| {
        let version = key_groups::find(&desk.act(), key.key_group_id).await.unwrap().version;
        let path = format!("/s/acme/groups/{}/deletion", key.key_group_id);
        let (name, version) = (format!("group {round}"), version.to_string());
        admin.post(&path, &[("confirm", &name), ("version", &version)]).await.expect(303);
    };
    rounds(app, delete, async || {}).await;
}

async fn no_call_sent_after_a_suspension_is_accepted(app: &TestApp) {
    app.admin("acme").await;
    let owner = app.owner().await;
    let suspend = async |_, _: &KeyInstance| {
        owner.post("/subscriptions/acme/suspension", &[("confirm", "acme")]).await.expect(303);
    };
    let resume = async || {
        owner.post("/subscriptions/acme/resumption", &[]).await.expect(303);
    };
    rounds(app, suspend, resume).await;
}
