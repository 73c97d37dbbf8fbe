//! The queries of notices, and of what is sent.
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    Condition, QueryOrder, QuerySelect, QueryTrait,
    entity::prelude::*,
    sea_query::{Query, SelectStatement, SubQueryStatement},
};

pub(super) use super::entity::Model as Notice;
use super::{
    entity::{ActiveModel, COLUMN, Column, Entity, deliveries, webhooks},
    noticing::Word,
    tokens,
    told::Notice as Told,
};
use crate::{
    clock::{millis, new_id},
    db::{self, Db, Tx},
    domain::Role,
    error::Result,
    key_groups::entity as groups,
    key_instances::{KeyInstance, entity as instances},
    members::entity as members,
    subscriptions::{Scope, entity as subscriptions},
    users::entity as users,
};

/// Rows of one statement: far below what either database binds.
pub(super) const CHUNK: usize = 200;

/// Subscriptions and ids of the instances that are to be looked at, the longest due first.
pub(super) async fn due(db: &Db, now: DateTime<Utc>, limit: u64) -> Result<Vec<(Uuid, Uuid)>> {
    let rows = instances::Entity::find()
        .select_only()
        .column(instances::Column::SubscriptionId)
        .column(instances::Column::Id)
        .filter(instances::COLUMN.notice_at.lte(millis(now)))
        .order_by_asc(instances::Column::NoticeAt)
        .limit(limit)
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(rows)
}

/// Of these, those that are due as of the transaction.
pub(super) async fn still_due(
    tx: &Tx,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<KeyInstance>> {
    let due = instances::Entity::find()
        .filter(instances::COLUMN.id.is_in(ids.to_vec()))
        .filter(instances::COLUMN.notice_at.lte(millis(now)));
    // They are written below, and batches of usage write them in this order.
    db::lock_in_order(tx, due.clone(), instances::Column::Id).await?;
    Ok(due.all(tx).await?)
}

/// Instances of the same groups that end later than the first of these does, by group: whoever
/// takes over from one of them is among them.
pub(super) async fn others(
    tx: &Tx,
    due: &[KeyInstance],
) -> Result<HashMap<Uuid, Vec<KeyInstance>>> {
    let mut by_group: HashMap<Uuid, Vec<KeyInstance>> = HashMap::new();
    let Some(first) = due.iter().map(|it| it.ends_at).min() else { return Ok(by_group) };
    let groups: HashSet<Uuid> = due.iter().map(|it| it.key_group_id).collect();
    let rows = instances::Entity::find()
        .filter(instances::COLUMN.key_group_id.is_in(groups))
        .filter(instances::COLUMN.ends_at.gt(first))
        .all(tx)
        .await?;
    for row in rows {
        by_group.entry(row.key_group_id).or_default().push(row);
    }
    Ok(by_group)
}

/// When these are looked at next; `None`: not again.
pub(super) async fn look_again(tx: &Tx, ids: &[Uuid], at: Option<i64>) -> Result<()> {
    instances::Entity::update_many()
        .col_expr(instances::Column::NoticeAt, Expr::value(at))
        .filter(instances::COLUMN.id.is_in(ids.to_vec()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Subscriptions and ids of groups in which something has changed.
pub(super) async fn woken(db: &Db, limit: u64) -> Result<Vec<(Uuid, Uuid)>> {
    let rows = groups::Entity::find()
        .select_only()
        .column(groups::Column::SubscriptionId)
        .column(groups::Column::Id)
        .filter(groups::COLUMN.woken_at.is_not_null())
        .order_by_asc(groups::Column::WokenAt)
        .limit(limit)
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(rows)
}

/// What was left unsaid in these groups because of a successor may have to be said now. Instances are
/// locked in order, as batches of usage do.
pub(super) async fn wake(tx: &Tx, ids: &[Uuid], now: DateTime<Utc>) -> Result<()> {
    let now = millis(now);
    let silent = Condition::all()
        .add(instances::COLUMN.key_group_id.is_in(ids.to_vec()))
        .add(instances::COLUMN.is_off.eq(false))
        .add(instances::COLUMN.ends_at.gt(now))
        .add(instances::COLUMN.warns_at.lte(now))
        .add(instances::COLUMN.notice_at.gt(now));
    let rows = instances::Entity::find().filter(silent.clone());
    db::lock_in_order(tx, rows, instances::Column::Id).await?;
    instances::Entity::update_many()
        .col_expr(instances::Column::NoticeAt, Expr::value(now))
        .filter(silent)
        .exec(tx)
        .await?;
    let rows = groups::Entity::find().filter(groups::COLUMN.id.is_in(ids.to_vec()));
    db::lock_in_order(tx, rows, groups::Column::Id).await?;
    groups::Entity::update_many()
        .col_expr(groups::Column::WokenAt, Expr::value(None::<i64>))
        .filter(groups::COLUMN.id.is_in(ids.to_vec()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Those that nobody has said before. The caller holds the subscription's lock, so nobody says one
/// between the question and the answer.
pub(super) async fn insert_new(tx: &Tx, said: Vec<Word>) -> Result<Vec<Notice>> {
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let of: HashSet<Uuid> = said.iter().map(|it| it.instance.id).collect();
    let known: Vec<(Uuid, i64, String)> = Entity::find()
        .select_only()
        .columns([Column::KeyInstanceId, Column::EndsAt, Column::Threshold])
        .filter(COLUMN.key_instance_id.is_in(of))
        .into_tuple()
        .all(tx)
        .await?;
    let known: HashSet<(Uuid, i64, String)> = known.into_iter().collect();
    let groups: HashSet<Uuid> = said.iter().map(|it| it.instance.key_group_id).collect();
    let names: HashMap<Uuid, String> = groups::Entity::find()
        .select_only()
        .columns([groups::Column::Id, groups::Column::Name])
        .filter(groups::COLUMN.id.is_in(groups))
        .into_tuple::<(Uuid, String)>()
        .all(tx)
        .await?
        .into_iter()
        .collect();
    let said = said.into_iter().filter(|it| {
        let key = (it.instance.id, it.instance.ends_at, it.threshold.as_str().to_owned());
        !known.contains(&key)
    });
    let said: Vec<Notice> = said
        .map(|it| Notice {
            id: it.id,
            subscription_id: it.instance.subscription_id,
            key_group_id: it.instance.key_group_id,
            key_instance_id: it.instance.id,
            threshold: it.threshold.as_str().to_owned(),
            ends_at: it.instance.ends_at,
            at: it.at,
            group_name: names.get(&it.instance.key_group_id).cloned().unwrap_or_default(),
            label: it.instance.label,
            last_used_at: it.instance.last_used_at,
            successor_label: it.successor.map(|it| it.0),
            successor_from: it.successor.map(|it| it.1),
        })
        .collect();
    for chunk in said.chunks(CHUNK) {
        let rows = chunk.iter().map(|it| ActiveModel::from(it.clone()).reset_all());
        Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(said)
}

pub(super) async fn note_last(tx: &Tx, subscription: Uuid, now: DateTime<Utc>) -> Result<()> {
    subscriptions::Entity::update_many()
        .col_expr(subscriptions::Column::LastNoticeAt, Expr::value(millis(now)))
        .filter(subscriptions::COLUMN.id.eq(subscription))
        .exec(tx)
        .await?;
    Ok(())
}

// ---- Who is told

pub(super) async fn open_webhooks(tx: &Tx, subscription: Uuid) -> Result<Vec<Uuid>> {
    let rows = webhooks::Entity::find()
        .select_only()
        .column(webhooks::Column::Id)
        .filter(webhooks::COLUMN.subscription_id.eq(subscription))
        .filter(webhooks::COLUMN.paused_at.is_null())
        .order_by_asc(webhooks::Column::Id)
        .into_tuple()
        .all(tx)
        .await?;
    Ok(rows)
}

pub(super) async fn admin_addresses(tx: &Tx, subscription: Uuid) -> Result<Vec<String>> {
    let admins = members::Entity::find()
        .select_only()
        .column(members::Column::UserId)
        .filter(members::COLUMN.subscription_id.eq(subscription))
        .filter(members::COLUMN.role.eq(Role::Admin.as_str()))
        .into_query();
    let rows = users::Entity::find()
        .select_only()
        .column(users::Column::Email)
        .filter(users::Column::Id.in_subquery(admins))
        .into_tuple()
        .all(tx)
        .await?;
    Ok(rows)
}

pub(super) async fn contacts(tx: &Tx, ids: &HashSet<Uuid>) -> Result<HashMap<Uuid, String>> {
    let rows = groups::Entity::find()
        .select_only()
        .columns([groups::Column::Id, groups::Column::Contact])
        .filter(groups::COLUMN.id.is_in(ids.iter().copied()))
        .into_tuple::<(Uuid, String)>()
        .all(tx)
        .await?;
    Ok(rows.into_iter().collect())
}

/// A notice on its way to one receiver.
pub(super) struct ToSend {
    subscription: Uuid,
    notice: Option<Uuid>,
    token_notice: Option<Uuid>,
    webhook: Option<Uuid>,
    target: String,
}

impl ToSend {
    pub(super) fn webhook(notice: &Told, webhook: Uuid) -> Self {
        Self { webhook: Some(webhook), ..Self::to(notice, webhook.to_string()) }
    }

    pub(super) fn test(subscription: Uuid, webhook: Uuid) -> Self {
        let (target, webhook) = (webhook.to_string(), Some(webhook));
        Self { subscription, notice: None, token_notice: None, webhook, target }
    }

    pub(super) fn mail(notice: &Told, address: String) -> Self {
        Self::to(notice, address)
    }

    fn to(about: &Told, target: String) -> Self {
        let (notice, token_notice) = match about {
            Told::Key(it) => (Some(it.id), None),
            Told::Token(it) => (None, Some(it.id)),
        };
        let subscription = about.subscription();
        Self { subscription, notice, token_notice, webhook: None, target }
    }
}

/// To each receiver once, which an index sees to.
pub(super) async fn insert_deliveries(tx: &Tx, all: Vec<ToSend>, now: DateTime<Utc>) -> Result<()> {
    let rows = all.into_iter().map(|it| to_send(it, now)).collect::<Vec<_>>();
    for chunk in rows.chunks(CHUNK) {
        let rows = deliveries::Entity::insert_many(chunk.to_vec());
        rows.exec_without_returning(tx).await?;
    }
    Ok(())
}

/// A test of a webhook, due at once.
pub(super) async fn insert_test(tx: &Tx, test: ToSend, now: DateTime<Utc>) -> Result<Uuid> {
    let row = to_send(test, now);
    let id = row.id.clone().take().unwrap_or_default();
    deliveries::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(id)
}

fn to_send(it: ToSend, now: DateTime<Utc>) -> deliveries::ActiveModel {
    deliveries::ActiveModel {
        id: Set(new_id(now)),
        subscription_id: Set(it.subscription),
        notice_id: Set(it.notice),
        token_notice_id: Set(it.token_notice),
        webhook_id: Set(it.webhook),
        target: Set(it.target),
        state: Set("pending".to_owned()),
        attempts: Set(0),
        created_at: Set(millis(now)),
        next_at: Set(Some(millis(now))),
        tried_at: Set(None),
        took_ms: Set(None),
        status: Set(None),
        error: Set(None),
    }
}

// ---- For people

/// Notices of a subscription, the newest first, from behind `before` on.
pub(super) async fn list(
    db: &Db,
    scope: &Scope,
    before: Option<(i64, Uuid)>,
    limit: u64,
) -> Result<Vec<Notice>> {
    let mut query = Entity::find().filter(COLUMN.subscription_id.eq(scope.id()));
    if let Some((at, id)) = before {
        let same = Condition::all().add(COLUMN.at.eq(at)).add(COLUMN.id.lt(id));
        query = query.filter(COLUMN.at.lte(at));
        query = query.filter(Condition::any().add(COLUMN.at.lt(at)).add(same));
    }
    let query = query.order_by_desc(Column::At).order_by_desc(Column::Id).limit(limit);
    Ok(query.all(db.read()).await?)
}

/// Those since an instant, up to `limit`.
pub(super) fn newer(scope: &Scope, since: i64, limit: u64) -> SelectStatement {
    Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(COLUMN.subscription_id.eq(scope.id()))
        .filter(COLUMN.at.gt(since))
        .limit(limit)
        .into_query()
}

/// How many rows these have together: one question, because each page asks it.
pub(super) async fn count(db: &Db, of: Vec<SelectStatement>) -> Result<u64> {
    let mut query = Query::select();
    for (n, rows) in of.into_iter().enumerate() {
        let count =
            Query::select().expr(Expr::cust("count(*)")).from_subquery(rows, "counted").take();
        query.expr_as(Expr::from(SubQueryStatement::from(count)), format!("n{n}"));
    }
    let row = db.read().query_one(&query).await?;
    let counts: Vec<i64> = match row {
        Some(row) => row
            .column_names()
            .iter()
            .map(|it| row.try_get("", it))
            .collect::<std::result::Result<_, DbErr>>()?,
        None => Vec::new(),
    };
    Ok(counts.into_iter().sum::<i64>().unsigned_abs())
}

pub(super) async fn seen_at(db: &Db, scope: &Scope, user: Uuid) -> Result<i64> {
    let seen: Option<i64> = members::Entity::find_by_id((scope.id(), user))
        .select_only()
        .column(members::Column::NoticesSeenAt)
        .into_tuple()
        .one(db.read())
        .await?;
    Ok(seen.unwrap_or(i64::MAX))
}

pub(super) async fn set_seen(tx: &Tx, scope: &Scope, user: Uuid, at: i64) -> Result<()> {
    members::Entity::update_many()
        .col_expr(members::Column::NoticesSeenAt, Expr::value(at))
        .filter(members::COLUMN.subscription_id.eq(scope.id()))
        .filter(members::COLUMN.user_id.eq(user))
        .filter(members::COLUMN.notices_seen_at.lt(at))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn set_mail(tx: &Tx, scope: &Scope, wanted: bool) -> Result<()> {
    subscriptions::Entity::update_many()
        .col_expr(subscriptions::Column::MailNotices, Expr::value(wanted))
        .filter(subscriptions::COLUMN.id.eq(scope.id()))
        .exec(tx)
        .await?;
    Ok(())
}

/// By id, which begins with the time: a range of the primary key.
pub(super) async fn prune(db: &Db, now: DateTime<Utc>) -> Result<()> {
    let made_before = |days| earliest_id(now - TimeDelta::days(days));
    let tx = db.write().await?;
    deliveries::Entity::delete_many()
        .filter(deliveries::COLUMN.id.lt(made_before(90)))
        .filter(deliveries::COLUMN.next_at.is_null())
        .exec(&tx)
        .await?;
    Entity::delete_many().filter(COLUMN.id.lt(made_before(365))).exec(&tx).await?;
    tokens::prune(&tx, made_before(365)).await?;
    Ok(tx.commit().await?)
}

/// No id that was made at `at` or later is smaller.
fn earliest_id(at: DateTime<Utc>) -> Uuid {
    let millis = u128::try_from(millis(at)).unwrap_or_default();
    Uuid::from_u128((millis << 80) | (0x7 << 76))
}
