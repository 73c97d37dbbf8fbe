//! Who may try to sign in, to search by a whole key or to use a link, and how soon again (SECURITY.md
//! 3.6). Buckets are rows, so that a restart or a second node forgets nothing.
pub(crate) mod entity;

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveValue::Set, ExprTrait, entity::prelude::*, sea_query::OnConflict};

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
/// Tries a minute from one address, or key searches of one person that find nothing.
const PER_MINUTE: i32 = 30;

/// A try that was let through. It counts as a failure until [`Ticket::succeeded`] takes it back,
/// so that parallel tries cannot share one admission.
pub struct Ticket {
    account: String,
    /// Of the address, where it was counted.
    address: Option<String>,
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
    let from = format!("address:{}", network(address));
    if known_browser.is_none() {
        count_up_to(app, &tx, &from, PER_MINUTE, now).await?;
    }
    let address = known_browser.is_none().then(|| bucket(app, &from));
    let by_account = load(&tx, &account, WINDOW, now).await?;
    let wait = wait(&by_account, now);
    if wait > TimeDelta::zero() {
        return Err(Error::TooMany((wait.num_milliseconds() + 999) / 1000));
    }
    count(&tx, by_account, now).await?;
    tx.commit().await?;
    Ok(Ticket { account, address })
}

/// A try that counts until it is taken back.
#[must_use = "a try that found what it looked for is taken back"]
pub struct Attempt<'a> {
    app: &'a App,
    bucket: String,
}

/// A search of this person by a whole key: 30 a minute may find nothing. Counted before it is made,
/// so that beyond the limit, and in parallel, nothing is found either.
pub async fn search(app: &App, person: Uuid, now: DateTime<Utc>) -> Result<Attempt<'_>> {
    attempt(app, &format!("search:{person}"), now).await
}

/// A try from this address to use a link that makes an account: 30 a minute may be none.
pub async fn link(app: &App, from: IpAddr, now: DateTime<Utc>) -> Result<Attempt<'_>> {
    attempt(app, &format!("link:{}", network(from)), now).await
}

async fn attempt<'a>(app: &'a App, who: &str, now: DateTime<Utc>) -> Result<Attempt<'a>> {
    let tx = app.db.write().await?;
    count_up_to(app, &tx, who, PER_MINUTE, now).await?;
    tx.commit().await?;
    Ok(Attempt { app, bucket: bucket(app, who) })
}

impl Attempt<'_> {
    pub async fn take_back(self) -> Result<()> {
        let tx = self.app.db.write().await?;
        take_back(&tx, self.bucket).await?;
        Ok(tx.commit().await?)
    }
}

async fn take_back(tx: &Tx, bucket: String) -> Result<()> {
    let own = entity::COLUMN.bucket.eq(bucket);
    entity::Entity::update_many()
        .col_expr(entity::Column::Failures, Expr::col(entity::Column::Failures).sub(1))
        .filter(own.clone())
        .exec(tx)
        .await?;
    let empty = entity::Entity::delete_many().filter(own);
    empty.filter(entity::COLUMN.failures.lte(0)).exec(tx).await?;
    Ok(())
}

/// Whether one more refusal of this address is worth a row of the audit log: one a minute is, so
/// that nobody can fill the log without an account.
pub async fn is_news(app: &App, tx: &Tx, from: IpAddr, now: DateTime<Utc>) -> Result<bool> {
    may_be(count_up_to(app, tx, &format!("told:{}", network(from)), 1, now).await)
}

/// Whether one more of what `who` names is worth a row of the audit log: 30 a minute are.
pub async fn may_tell(app: &App, tx: &Tx, who: &str, now: DateTime<Utc>) -> Result<bool> {
    may_be(count_up_to(app, tx, who, PER_MINUTE, now).await)
}

fn may_be(counted: Result<()>) -> Result<bool> {
    match counted {
        Err(Error::TooMany(_)) => Ok(false),
        counted => counted.map(|()| true),
    }
}

async fn count_up_to(app: &App, tx: &Tx, who: &str, most: i32, now: DateTime<Utc>) -> Result<()> {
    let window = TimeDelta::minutes(1);
    let row = load(tx, &bucket(app, who), window, now).await?;
    if row.failures >= most {
        let wait = clock::instant(row.first_at) + window - now;
        return Err(Error::TooMany(Ord::max(wait.num_seconds(), 1)));
    }
    count(tx, row, now).await
}

impl Ticket {
    /// The password was right: the account's failures are forgotten, and the address has made none.
    pub async fn succeeded(self, tx: &Tx) -> Result<()> {
        entity::Entity::delete_by_id(self.account).exec(tx).await?;
        match self.address {
            Some(address) => take_back(tx, address).await,
            None => Ok(()),
        }
    }
}

/// How long after the last failure the next try must wait (kanidm's curve).
fn wait(row: &entity::Model, now: DateTime<Utc>) -> TimeDelta {
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
) -> Result<entity::Model> {
    let at = clock::millis(now);
    let fresh = entity::Model { bucket: bucket.to_owned(), failures: 0, first_at: at, last_at: at };
    let same = Expr::col((entity::Entity, entity::Column::Failures)).add(0);
    let lock =
        OnConflict::column(entity::Column::Bucket).value(entity::Column::Failures, same).to_owned();
    entity::Entity::insert(entity::ActiveModel::from(fresh.clone()))
        .on_conflict(lock)
        .exec_without_returning(tx)
        .await?;
    let row = entity::Entity::find_by_id(bucket).one(tx).await?;
    Ok(row.filter(|it| now < clock::instant(it.first_at) + window).unwrap_or(fresh))
}

async fn count(tx: &Tx, row: entity::Model, now: DateTime<Utc>) -> Result<()> {
    let counted = entity::ActiveModel {
        bucket: Set(row.bucket),
        failures: Set(row.failures + 1),
        first_at: Set(row.first_at),
        last_at: Set(clock::millis(now)),
    };
    counted.update(tx).await?;
    Ok(())
}

/// Buckets are named by an HMAC, so that unknown accounts leave the same trace as known ones.
fn bucket(app: &App, name: &str) -> String {
    hex(&mac(&mac_key(&app.peppers.derive("throttle")), &[name.as_bytes()]))
}

/// An IPv6 caller owns at least a /64.
pub(crate) fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(it) => it.to_string(),
        IpAddr::V6(it) => format!("{:x?}", &it.segments()[..4]),
    }
}

pub(crate) async fn prune(db: &Db, now: DateTime<Utc>) -> Result<()> {
    entity::Entity::delete_many()
        .filter(entity::COLUMN.first_at.lt(clock::millis(now - WINDOW)))
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
            let row = entity::Model { bucket: String::new(), failures, first_at: at, last_at: at };
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
