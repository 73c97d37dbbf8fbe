//! Another policy for all key groups of one, so that it can be deleted without them.
use keyward::{
    access::{self, Held, undo},
    demo::bulk,
    domain::Refusal,
    error::Error,
    policies::{self, deletion},
};
use uuid::Uuid;

use crate::support::{TestApp, blamed, held, on_both, refusal};

on_both! {
    all_groups_of_a_policy_get_another_one_and_can_have_it_back,
    a_replacement_moves_only_what_was_shown_and_only_to_another_policy,
    hundreds_of_groups_get_another_policy_and_have_it_back,
}

async fn all_groups_of_a_policy_get_another_one_and_can_have_it_back(app: &TestApp) {
    let desk = app.desk("acme").await;
    desk.declare("orders", &["read", "write"]).await;
    let old = desk.policy("Old", &["orders:read"]).await.id;
    let new = desk.policy("New", &["orders:write"]).await.id;
    let group = desk.user_group("Group", &[]).await.id;
    let role = desk.role(new, None).await.id;
    let more = Held { roles: [role].into(), ..held(Some(old), &[group]) };
    let all = [held(Some(old), &[]), more.clone(), held(Some(new), &[]), held(None, &[group])];
    let mut keys = Vec::new();
    for (n, held) in all.iter().enumerate() {
        keys.push(desk.group_with(&format!("group {n}"), held).await);
    }
    let act = desk.act();
    let holds = async || {
        let ids: Vec<_> = keys.iter().map(|it| it.instance.key_group_id).collect();
        let mut of = access::of_groups(&act, &ids).await.unwrap();
        ids.iter().map(|id| of.remove(id).unwrap_or_default()).collect::<Vec<_>>()
    };
    let fence = deletion::preview(&act, old).await.unwrap().fence;
    let (n, edit) = deletion::replace(&act, (old, new), &fence).await.unwrap();
    assert_eq!(n, 2);
    let moved = |it: &Held| Held { policy: it.policy.map(|_| new), ..it.clone() };
    assert_eq!(holds().await, all.iter().map(moved).collect::<Vec<_>>());
    let may = app.service().asks(keys[0].secret.expose(), "permission=orders:write").await;
    may.expect(204);
    assert_eq!(deletion::preview(&act, old).await.unwrap().groups.len(), 0);
    undo::undo(&act, edit.unwrap()).await.unwrap();
    assert_eq!(holds().await, all);
    app.service().asks(keys[0].secret.expose(), "permission=orders:write").await.expect(403);
}

async fn a_replacement_moves_only_what_was_shown_and_only_to_another_policy(app: &TestApp) {
    let (desk, rival) = (app.desk("acme").await, app.desk("rival").await);
    let old = desk.policy("Old", &[]).await.id;
    let new = desk.policy("New", &[]).await.id;
    let theirs = rival.policy("Theirs", &[]).await.id;
    let key = desk.group_with("quote-engine", &held(Some(old), &[])).await;
    let act = desk.act();
    let stale = deletion::preview(&act, old).await.unwrap().fence;
    desk.key(key.instance.key_group_id, desk.days(9)).await;
    let fence = deletion::preview(&act, old).await.unwrap().fence;
    let before = app.snapshot().await;
    for to in [old, theirs, Uuid::nil()] {
        assert_eq!(blamed(deletion::replace(&act, (old, to), &fence).await), "to");
    }
    let refused = deletion::replace(&act, (old, new), &stale).await;
    assert_eq!(refusal(refused), Refusal::ChangedMeanwhile);
    let gone = deletion::replace(&act, (theirs, new), &fence).await;
    assert!(matches!(gone, Err(Error::NotFound)));
    let empty = deletion::preview(&act, new).await.unwrap().fence;
    assert_eq!(deletion::replace(&act, (new, old), &empty).await.unwrap(), (0, None));
    assert_eq!(app.snapshot().await, before);
    deletion::replace(&act, (old, new), &fence).await.unwrap().1.unwrap();
}

/// More than one statement can take at once.
async fn hundreds_of_groups_get_another_policy_and_have_it_back(app: &TestApp) {
    let desk = app.desk("acme").await;
    bulk::fill(&desk.act(), 10_000).await.unwrap();
    let act = desk.act();
    let all = policies::all(&act).await.unwrap();
    let move_all = async |from: Uuid, to: Uuid| {
        let fence = deletion::preview(&act, from).await.unwrap().fence;
        deletion::replace(&act, (from, to), &fence).await.unwrap()
    };
    let (first, last) = (all[0].id, all[all.len() - 1].id);
    for it in &all[1..] {
        move_all(it.id, first).await;
    }
    let (n, edit) = move_all(first, last).await;
    assert_eq!(n, 500);
    let groups = deletion::preview(&act, last).await.unwrap().groups;
    let ids: Vec<Uuid> = groups.iter().map(|it| it.id).collect();
    let mut before = access::of_groups(&act, &ids).await.unwrap();
    assert_eq!(undo::undo(&act, edit.unwrap()).await.unwrap().len(), 500);
    assert_eq!(deletion::preview(&act, last).await.unwrap().groups.len(), 0);
    before.values_mut().for_each(|it| it.policy = Some(first));
    assert_eq!(access::of_groups(&act, &ids).await.unwrap(), before);
    let key = app.peppers.derive("audit");
    assert!(keyward::audit::verify(&app.db, &key).await.unwrap().is_ok(), "the chain is whole");
}
