//! C1: writers of SQLite share a commit. None is told before it is on the disk, none loses by what
//! another one did, and what ends the whole transaction is told to everybody in it.
use std::{
    pin::pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::Poll,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::BoxFuture, poll};
use keyward::db::{Db, Tx};
use sea_orm::{ConnectionTrait, DbErr, Statement};
use tokio::{task::JoinSet, time::timeout};

use crate::support::{Database, Home, TestApp, on_both};

on_both! { a_transaction_that_is_dropped_anywhere_leaves_no_half }

async fn scratch(app: &TestApp) -> Db {
    let db = app.db.clone();
    db.read().execute_unprepared("CREATE TABLE scratch (n BIGINT NOT NULL)").await.unwrap();
    db
}

async fn write(tx: &Tx, n: i64) {
    tx.execute_unprepared(&format!("INSERT INTO scratch VALUES ({n})")).await.unwrap();
}

async fn seen(db: &impl ConnectionTrait) -> Vec<i64> {
    let sql = "SELECT n FROM scratch ORDER BY n";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql));
    rows.await.unwrap().iter().map(|it| it.try_get("", "n").unwrap()).collect()
}

/// One that has written 1 and waits for its commit, and the next one in the same outer transaction.
async fn two_in_one(db: &Db) -> (BoxFuture<'static, Result<(), DbErr>>, Tx) {
    let before = db.write().await.unwrap();
    let (mut first, mut second) = (pin!(db.write()), pin!(db.write()));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    drop(before);
    let first = first.await.unwrap();
    write(&first, 1).await;
    let mut first = first.commit().boxed();
    assert!(poll!(&mut first).is_pending());
    let second = tokio::select! {
        _ = &mut first => panic!("committed while the next one writes"),
        it = &mut second => it.unwrap(),
    };
    (first, second)
}

#[tokio::test]
async fn the_next_one_sees_what_is_released_and_nobody_is_told_before_it_is_committed() {
    let app = TestApp::start(Database::Sqlite).await;
    let db = scratch(&app).await;
    let (mut first, second) = two_in_one(&db).await;
    assert_eq!((seen(&second).await, seen(db.read()).await), (vec![1], vec![]));
    write(&second, 2).await;
    assert!(poll!(&mut first).is_pending());
    // It takes back its own part only.
    drop(second);
    first.await.unwrap();
    assert_eq!(seen(db.read()).await, [1]);
    app.stop().await;
}

#[tokio::test]
async fn when_the_whole_transaction_is_lost_everybody_in_it_is_told_and_writing_goes_on() {
    let app = TestApp::start(Database::Sqlite).await;
    let db = scratch(&app).await;
    let (first, second) = two_in_one(&db).await;
    // What SQLite does by itself when the disk is full.
    second.execute_unprepared("ROLLBACK").await.unwrap();
    let mut third = pin!(db.write());
    assert!(poll!(&mut third).is_pending());
    assert!(second.commit().await.is_err());
    let third = third.await.unwrap();
    write(&third, 3).await;
    let error = keyward::error::Error::from(first.await.unwrap_err());
    assert!(matches!(error, keyward::error::Error::Unavailable(_)), "{error:?}");
    third.commit().await.unwrap();
    for n in 4..20 {
        let tx = db.write().await.unwrap();
        write(&tx, n).await;
        tx.commit().await.unwrap();
    }
    assert_eq!(seen(db.read()).await, Vec::from_iter(3..20));
    app.stop().await;
}

/// Drops a future after it was polled this often.
async fn cut<T>(after: usize, it: impl Future<Output = T>) -> Option<T> {
    let (mut it, mut left) = (pin!(it), after);
    std::future::poll_fn(|context| match it.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

async fn a_transaction_that_is_dropped_anywhere_leaves_no_half(app: &TestApp) {
    let db = scratch(app).await;
    let mut writers = JoinSet::new();
    for writer in 0..8_i64 {
        let db = db.clone();
        writers.spawn(async move {
            let mut told = Vec::new();
            for n in 0..40 {
                let at = 2 * (writer * 100 + n);
                let both = async {
                    let tx = db.write().await.unwrap();
                    write(&tx, at).await;
                    write(&tx, at + 1).await;
                    tx.commit().await.unwrap();
                };
                // Often in time, otherwise each time at another place.
                let after = if n % 2 == 0 { usize::MAX } else { (n as usize) / 2 };
                told.extend(cut(after, both).await.map(|()| at));
            }
            told
        });
    }
    let mut told = Vec::new();
    while let Some(it) = writers.join_next().await {
        told.extend(it.unwrap());
    }
    db.settled().await;
    let seen = seen(db.read()).await;
    assert!(told.len() >= 8 * 20, "{} were told", told.len());
    for at in told {
        assert!(seen.contains(&at), "{at} was acknowledged and is gone");
    }
    for n in &seen {
        assert!(seen.contains(&(n ^ 1)), "one half of {n}");
    }
}

#[tokio::test]
async fn after_a_shared_commit_there_is_a_rest_while_verifications_are_many() {
    let home = Home::migrated(Database::Sqlite).await;
    let (db, calls) = (Db::open(&home.database_url).await.unwrap(), AtomicU64::new(0));
    // A million between any two looks.
    db.give_way_to(move || calls.fetch_add(1_000_000, Relaxed));
    db.read().execute_unprepared("CREATE TABLE scratch (n BIGINT NOT NULL)").await.unwrap();
    let resting = loop {
        let (first, second) = two_in_one(&db).await;
        let before = Instant::now();
        let (first, second) = tokio::join!(first, second.commit());
        first.and(second).unwrap();
        let mut next = db.write().boxed();
        assert!(poll!(&mut next).is_pending());
        // On a slow machine the rest can be over already.
        if before.elapsed() < Duration::from_millis(30) {
            break next;
        }
    };
    // It holds no turn: whoever must not come late passes by.
    let in_time = timeout(Duration::from_secs(10), db.write_in_time()).await;
    write(&in_time.unwrap().unwrap(), 2).await;
    write(&resting.await.unwrap(), 3).await;
    db.close().await.unwrap();
}
