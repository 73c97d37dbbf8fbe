//! The database is restored on another server, which counts its transactions from the beginning, while a node
//! waits for it.
use std::time::Duration;

use keyward::key_instances;
use sea_orm::ConnectionTrait;

use crate::support::{TestApp, eventually, ids};

/// For a node to find its database again.
const LIMIT: Duration = Duration::from_secs(60);
/// Many transactions, each with a number.
const BUSY: &str =
    "DO $$ BEGIN FOR i IN 1..5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_on_another_server_is_refused_by_a_node_that_finds_it_there() {
    let (app, server) = TestApp::on_own_postgres().await;
    app.db.read().execute_unprepared(BUSY).await.unwrap();
    let desk = app.desk("acme").await;
    let keys = [desk.group("one", desk.days(90)).await, desk.group("two", desk.days(90)).await];
    let gone = app.second_node().await;
    assert!(eventually(LIMIT, async || gone.live.is_trusted()).await);
    let dump = server.dump();
    gone.stop().await;
    // Its row is in the dump, and its process is no more.
    let revoked = format!(
        "UPDATE key_instances SET revoked_at = 1, is_off = TRUE WHERE id = '{}'",
        keys[0].instance.id
    );
    server.restore_elsewhere(&dump, &revoked).await;
    let status = async |n: usize| app.service().bearer(keys[n].secret.expose()).await.status;
    assert!(eventually(LIMIT, async || app.live.is_trusted()).await, "it has no lease");
    assert_eq!((status(0).await, status(1).await), (401, 204));
    let differ = app.live.differences(&app.db).await.unwrap();
    assert!(differ.is_empty(), "{differ:?}");
    // Nobody waits for what the other server knew.
    let admin = app.signed_in("admin@acme.example").await;
    admin.post("/s/acme/groups/new", &[("name", "one")]).await.expect(422);
    assert_eq!(app.count("nodes").await, 1);
    let ahead = "SELECT seq FROM changes WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())";
    assert!(app.query(ahead).await.is_empty());
    key_instances::revoke(&desk.act(), ids(&keys[1])).await.unwrap();
    assert_eq!(status(1).await, 401);
    app.stop().await;
}
