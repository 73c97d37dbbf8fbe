//! The queries of deliveries: what is due, who makes which attempt, and how it went.
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ExprTrait, PaginatorTrait, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    entity::{
        self,
        deliveries::{COLUMN, Column, Entity, Model as Delivery},
        webhooks::{self, Model as Webhook},
    },
    mail::Failure,
    tokens,
    told::Notice,
};
use crate::{clock::millis, db::Db, error::Result, subscriptions::entity as subscriptions};

/// Notices of one message.
const LONGEST_LETTER: u64 = 1_000;

/// An attempt that this node makes, and no other.
pub(super) struct Claimed {
    pub(super) ids: Vec<Uuid>,
    /// From 1 on; of several, the highest.
    pub(super) attempt: i32,
    until: i64,
}

/// How an attempt went.
pub(super) struct Outcome {
    pub(super) done: bool,
    /// Another try would end the same.
    pub(super) permanent: bool,
    pub(super) status: Option<i32>,
    error: Option<String>,
    took: Duration,
}

impl Outcome {
    pub(super) fn failed(told: String, permanent: bool) -> Self {
        let (status, took) = (None, Duration::ZERO);
        Self { done: false, permanent, status, error: Some(told), took }
    }

    /// 2xx is taken, all else is not.
    pub(super) fn of_post(answer: std::result::Result<u16, String>, took: Duration) -> Self {
        match answer {
            Ok(status) => {
                let done = (200..300).contains(&status);
                let status = Some(i32::from(status));
                Self { done, permanent: status == Some(410), status, error: None, took }
            }
            Err(told) => Self { took, ..Self::failed(told, false) },
        }
    }

    pub(super) fn of_mail(sent: std::result::Result<(), Failure>, took: Duration) -> Self {
        match sent {
            Ok(()) => Self { done: true, permanent: false, status: None, error: None, took },
            Err(it) => Self { took, ..Self::failed(it.told, it.permanent) },
        }
    }
}

pub(super) async fn due(db: &Db, now: DateTime<Utc>, limit: u64) -> Result<Vec<Delivery>> {
    let due = Entity::find().filter(COLUMN.next_at.lte(millis(now)));
    Ok(due.order_by_asc(Column::NextAt).limit(limit).all(db.read()).await?)
}

pub(super) async fn count_waiting(db: &Db, limit: u64) -> Result<u64> {
    let waiting = Entity::find().select_only().column(Column::Id);
    let waiting = waiting.filter(COLUMN.next_at.is_not_null()).limit(limit);
    Ok(waiting.count(db.read()).await?)
}

/// All that is due for the same address of the same subscription: it goes into one message.
pub(super) async fn letter(db: &Db, it: &Delivery, now: DateTime<Utc>) -> Result<Vec<Uuid>> {
    let rows = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(COLUMN.next_at.lte(millis(now)))
        .filter(COLUMN.subscription_id.eq(it.subscription_id))
        .filter(COLUMN.webhook_id.is_null())
        .filter(COLUMN.target.eq(&*it.target))
        .order_by_asc(Column::NextAt)
        .limit(LONGEST_LETTER)
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(rows)
}

pub(super) async fn by_id(db: &Db, id: Uuid) -> Result<Option<Delivery>> {
    Ok(Entity::find_by_id(id).one(db.read()).await?)
}

/// Takes the attempts of these that are still due. `None`: others have them all.
pub(super) async fn claim(
    db: &Db,
    ids: &[Uuid],
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<Claimed>> {
    let tx = db.write().await?;
    let rows = Entity::update_many()
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(Column::NextAt, Expr::value(millis(until)))
        .filter(COLUMN.id.is_in(ids.to_vec()))
        .filter(COLUMN.next_at.lte(millis(now)))
        .exec_with_returning(&tx)
        .await?;
    tx.commit().await?;
    let attempt = rows.iter().map(|it| it.attempts).max();
    let ids = rows.into_iter().map(|it| it.id).collect();
    Ok(attempt.map(|attempt| Claimed { ids, attempt, until: millis(until) }))
}

/// Writes down how a claimed attempt went, unless somebody else has claimed the next one since.
pub(super) async fn record(
    db: &Db,
    claimed: &Claimed,
    outcome: &Outcome,
    again: Option<i64>,
    now: i64,
) -> Result<()> {
    let state = match (outcome.done, again) {
        (true, _) => "delivered",
        (false, Some(_)) => "pending",
        (false, None) => "failed",
    };
    let took = i32::try_from(outcome.took.as_millis()).unwrap_or(i32::MAX);
    let tx = db.write().await?;
    Entity::update_many()
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::NextAt, Expr::value(again))
        .col_expr(Column::TriedAt, Expr::value(now))
        .col_expr(Column::TookMs, Expr::value(took))
        .col_expr(Column::Status, Expr::value(outcome.status))
        .col_expr(Column::Error, Expr::value(outcome.error.clone()))
        .filter(COLUMN.id.is_in(claimed.ids.clone()))
        .filter(COLUMN.next_at.eq(claimed.until))
        .exec(&tx)
        .await?;
    Ok(tx.commit().await?)
}

/// The webhook of a delivery, the slug of its subscription, and what it is about: none for a test.
pub(super) async fn parcel(
    db: &Db,
    it: &Delivery,
) -> Result<Option<(Webhook, String, Option<Notice>)>> {
    let Some(id) = it.webhook_id else { return Ok(None) };
    let webhook = webhooks::Entity::find_by_id(id).one(db.read()).await?;
    let subscription = subscription(db, it.subscription_id).await?;
    let notice = about(db, vec![(it.notice_id, it.token_notice_id)]).await?.pop();
    // With its notice or its webhook, a delivery is deleted as well.
    let lost = it.notice_id.or(it.token_notice_id).is_some() && notice.is_none();
    Ok(webhook
        .zip(subscription)
        .filter(|_| !lost)
        .map(|(webhook, (_, slug))| (webhook, slug, notice)))
}

/// What these deliveries are about.
pub(super) async fn notices(db: &Db, deliveries: &[Uuid]) -> Result<Vec<Notice>> {
    let ids: Vec<(Option<Uuid>, Option<Uuid>)> = Entity::find()
        .select_only()
        .columns([Column::NoticeId, Column::TokenNoticeId])
        .filter(COLUMN.id.is_in(deliveries.to_vec()))
        .into_tuple()
        .all(db.read())
        .await?;
    about(db, ids).await
}

/// The notices of these ids: of keys, and of tokens.
async fn about(db: &Db, ids: Vec<(Option<Uuid>, Option<Uuid>)>) -> Result<Vec<Notice>> {
    let keys: Vec<Uuid> = ids.iter().filter_map(|it| it.0).collect();
    let of_tokens: Vec<Uuid> = ids.iter().filter_map(|it| it.1).collect();
    let mut all = Vec::new();
    if !keys.is_empty() {
        let keys = entity::Entity::find().filter(entity::COLUMN.id.is_in(keys));
        all.extend(keys.all(db.read()).await?.into_iter().map(Notice::Key));
    }
    if !of_tokens.is_empty() {
        all.extend(tokens::by_id(db, of_tokens).await?.into_iter().map(Notice::Token));
    }
    Ok(all)
}

/// Name and slug.
pub(super) async fn subscription(db: &Db, id: Uuid) -> Result<Option<(String, String)>> {
    let row = subscriptions::Entity::find_by_id(id).one(db.read()).await?;
    Ok(row.map(|it| (it.name, it.slug)))
}

/// Nothing more is sent to it, until an admin says so.
pub(super) async fn pause(db: &Db, webhook: Uuid, at: i64) -> Result<()> {
    let tx = db.write().await?;
    webhooks::Entity::update_many()
        .col_expr(webhooks::Column::PausedAt, Expr::value(at))
        .filter(webhooks::COLUMN.id.eq(webhook))
        .filter(webhooks::COLUMN.paused_at.is_null())
        .exec(&tx)
        .await?;
    Ok(tx.commit().await?)
}
