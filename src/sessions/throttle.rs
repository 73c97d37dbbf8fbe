//! Who may try to sign in, and how soon again (SECURITY.md 3.6). Buckets are rows, so that a
//! restart or a second node forgets nothing.
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveValue::Set, ExprTrait, entity::prelude::*, sea_query::OnConflict};

use super::entity::failures;
use crate::{
    clock,
    db::{Db, Tx},
    error::{Error, Result},
    http::App,
    pepper::{hex, mac, mac_key},
};

/// Failures of one account that count together.
const WINDOW: TimeDelta = TimeDelta::hours(24);
/// Failures in the window after which an account waits for its end (NIST SP 800-63B: 100).
const LIMIT: i32 = 100;
/// Tries a minute from one address, or key searches of one person that found nothing.
const PER_MINUTE: i32 = 30;

/// A try that was let through. It counts as a failure until [`Ticket::succeeded`] takes it back,
/// so that parallel tries cannot share one admission.
pub struct Ticket {
    account: String,
}

/// Lets a try through, or tells how many seconds to wait. A browser that this account has used
/// before counts in a bucket of its own and nowhere else: nobody can lock its owner out.
pub async fn admit(
    app: &App,
    email: &str,
    known_browser: Option<&str>,
    address: IpAddr,
    now: DateTime<Utc>,
) -> Result<Ticket> {
    let account = match known_browser {
        Some(browser) => bucket(app, &format!("browser:{browser}:{email}")),
        None => bucket(app, &format!("account:{email}")),
    };
    let tx = app.db.write().await?;
    if known_browser.is_none() {
        let from = format!("address:{}", network(address));
        count_up_to(app, &tx, &from, now).await?;
    }
    let by_account = load(&tx, &account, WINDOW, now).await?;
    let wait = wait(&by_account, now);
    if wait > TimeDelta::zero() {
        return Err(Error::TooMany((wait.num_milliseconds() + 999) / 1000));
    }
    count(&tx, by_account, now).await?;
    tx.commit().await?;
    Ok(Ticket { account })
}

/// Counts a search by whole key that found nothing: 30 a minute, then `TooMany`.
pub async fn miss(app: &App, who: &str, now: DateTime<Utc>) -> Result<()> {
    let tx = app.db.write().await?;
    count_up_to(app, &tx, who, now).await?;
    Ok(tx.commit().await?)
}

async fn count_up_to(app: &App, tx: &Tx, who: &str, now: DateTime<Utc>) -> Result<()> {
    let window = TimeDelta::minutes(1);
    let row = load(tx, &bucket(app, who), window, now).await?;
    if row.failures >= PER_MINUTE {
        let wait = clock::instant(row.first_at) + window - now;
        return Err(Error::TooMany(Ord::max(wait.num_seconds(), 1)));
    }
    count(tx, row, now).await
}

impl Ticket {
    /// The password was right: the account's failures are forgotten.
    pub async fn succeeded(self, tx: &Tx) -> Result<()> {
        failures::Entity::delete_by_id(self.account).exec(&**tx).await?;
        Ok(())
    }
}

/// How long after the last failure the next try must wait (kanidm's curve).
fn wait(row: &failures::Model, now: DateTime<Utc>) -> TimeDelta {
    let since_last = now - clock::instant(row.last_at);
    let pause = match row.failures {
        0 => return TimeDelta::zero(),
        1..3 => 1,
        3..9 => 3,
        9..25 => 5,
        25..LIMIT => 10,
        _ => return clock::instant(row.first_at) + WINDOW - now,
    };
    TimeDelta::seconds(pause) - since_last
}

/// The bucket's row, locked until the transaction ends; counted afresh once its window is over.
async fn load(
    tx: &Tx,
    bucket: &str,
    window: TimeDelta,
    now: DateTime<Utc>,
) -> Result<failures::Model> {
    let at = clock::millis(now);
    let fresh =
        failures::Model { bucket: bucket.to_owned(), failures: 0, first_at: at, last_at: at };
    let same = Expr::col((failures::Entity, failures::Column::Failures)).add(0);
    let lock = OnConflict::column(failures::Column::Bucket)
        .value(failures::Column::Failures, same)
        .to_owned();
    failures::Entity::insert(failures::ActiveModel::from(fresh.clone()))
        .on_conflict(lock)
        .exec_without_returning(&**tx)
        .await?;
    let row = failures::Entity::find_by_id(bucket).one(&**tx).await?;
    Ok(row.filter(|it| now < clock::instant(it.first_at) + window).unwrap_or(fresh))
}

async fn count(tx: &Tx, row: failures::Model, now: DateTime<Utc>) -> Result<()> {
    let counted = failures::ActiveModel {
        bucket: Set(row.bucket),
        failures: Set(row.failures + 1),
        first_at: Set(row.first_at),
        last_at: Set(clock::millis(now)),
    };
    counted.update(&**tx).await?;
    Ok(())
}

/// Buckets are named by an HMAC, so that unknown accounts leave the same trace as known ones.
fn bucket(app: &App, name: &str) -> String {
    hex(&mac(&mac_key(&app.peppers.derive("throttle")), &[name.as_bytes()]))
}

/// An IPv6 caller owns at least a /64.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(it) => it.to_string(),
        IpAddr::V6(it) => format!("{:x?}", &it.segments()[..4]),
    }
}

pub(crate) async fn prune(db: &Db, now: DateTime<Utc>) -> Result<()> {
    failures::Entity::delete_many()
        .filter(failures::COLUMN.first_at.lt(clock::millis(now - WINDOW)))
        .exec(db.read())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_with_the_failures_up_to_the_end_of_the_window() {
        let now = clock::instant(1_000_000_000);
        let after = |failures| {
            let at = clock::millis(now);
            let row =
                failures::Model { bucket: String::new(), failures, first_at: at, last_at: at };
            wait(&row, now).num_seconds()
        };
        let curve = [0, 1, 2, 3, 8, 9, 24, 25, 99, 100].map(after);
        assert_eq!(curve, [0, 1, 1, 3, 3, 5, 5, 10, 10, 86_400]);
    }

    #[test]
    fn neighbours_in_one_ipv6_network_share_a_bucket() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
