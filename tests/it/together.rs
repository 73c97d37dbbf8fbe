//! Questions that are asked at once: each has its own answer, as if it had been asked alone.
use futures_util::try_join;
use keyward::db::Together;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use crate::support::{TestApp, on_both};

on_both! {
    each_of_them_has_its_own_rows,
    each_sees_what_those_before_it_did,
    one_that_fails_is_the_failure_of_all,
}

/// The numbers that it gives.
async fn ask(db: &Together, sql: &str) -> Result<Vec<i32>, DbErr> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|it| it.try_get("", "n")).collect()
}

const TWO: &str = "SELECT 1 AS n UNION ALL SELECT 2 AS n";
const NONE: &str = "SELECT 1 AS n WHERE 1 = 0";
const ONE: &str = "SELECT 3 AS n";

async fn each_of_them_has_its_own_rows(app: &TestApp) {
    let tx = app.db.write().await.unwrap();
    let all =
        tx.together(async |db| try_join!(ask(db, NONE), ask(db, TWO), ask(db, NONE), ask(db, ONE)));
    assert_eq!(all.await.unwrap(), (vec![], vec![1, 2], vec![], vec![3]));
    // And one after the other, as a question may need the answer of another.
    let all = tx.together(async |db| {
        let chain = async {
            let one = ask(db, ONE).await?;
            Ok::<_, DbErr>((one, ask(db, TWO).await?))
        };
        try_join!(ask(db, TWO), chain, ask(db, NONE))
    });
    assert_eq!(all.await.unwrap(), (vec![1, 2], (vec![3], vec![1, 2]), vec![]));
    assert!(tx.together(async |db| ask(db, NONE).await).await.unwrap().is_empty());
    assert_eq!(tx.together(async |_| 4).await, 4);
}

async fn each_sees_what_those_before_it_did(app: &TestApp) {
    app.db.read().execute_unprepared("CREATE TABLE scratch (n INT NOT NULL)").await.unwrap();
    let tx = app.db.write().await.unwrap();
    let backend = tx.get_database_backend();
    tx.later(Statement::from_string(backend, "INSERT INTO scratch VALUES (1)"));
    let all = "SELECT n FROM scratch ORDER BY n";
    let more = "UPDATE scratch SET n = n + 1 RETURNING n";
    let all =
        tx.together(async |db| try_join!(ask(db, all), ask(db, more), ask(db, all), ask(db, more)));
    assert_eq!(all.await.unwrap(), (vec![1], vec![2], vec![2], vec![3]));
}

async fn one_that_fails_is_the_failure_of_all(app: &TestApp) {
    let tx = app.db.write().await.unwrap();
    let wrong = "SELECT n FROM no_such_table";
    let failed =
        tx.together(async |db| try_join!(ask(db, ONE), ask(db, wrong), ask(db, TWO))).await;
    let failed = failed.unwrap_err();
    assert!(failed.to_string().contains("no_such_table"), "{failed}");
    drop(tx);
    // What comes next is not concerned.
    let tx = app.db.write().await.unwrap();
    assert_eq!(tx.together(async |db| ask(db, ONE).await).await.unwrap(), [3]);
}
