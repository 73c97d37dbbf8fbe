//! Ends of automation tokens are told of as ends of keys are, and at the same times. Silent are tokens
//! that were revoked, and those that another of their name has replaced.
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    Condition, QueryOrder, QuerySelect, QueryTrait, entity::prelude::*, sea_query::SelectStatement,
};

use super::{
    entity::tokens::{ActiveModel, COLUMN, Column, Entity, Model as TokenNotice},
    noticing::{BATCH, BATCHES, LATEST, SUSPENDED, address, by_subscription},
    store,
    told::Notice,
};
use crate::{
    automation_tokens::{AutomationToken, entity as tokens},
    clock::{millis, new_id},
    db::{Db, Tx},
    domain::notice::{self, Threshold},
    error::Result,
    http::App,
    subscriptions::{self, Scope},
};

/// Notices what is due, of a great deal a part. Gives how much was said.
pub(super) async fn run(app: &App, now: DateTime<Utc>) -> Result<usize> {
    let mut said = 0;
    for _ in 0..BATCHES {
        let due = due(&app.db, now).await?;
        if due.is_empty() {
            break;
        }
        for (subscription, ids) in by_subscription(due) {
            said += of_subscription(app, subscription, &ids, now).await?;
        }
    }
    Ok(said)
}

async fn of_subscription(app: &App, id: Uuid, due: &[Uuid], now: DateTime<Utc>) -> Result<usize> {
    let tx = app.db.write().await?;
    let Some(subscription) = subscriptions::lock_row(&tx, id).await? else { return Ok(0) };
    // As they are under the lock; another node may have been faster.
    let due = still_due(&tx, due, now).await?;
    if subscription.is_suspended() {
        let later: Vec<Uuid> = due.iter().map(|it| it.id).collect();
        look_again(&tx, &later, Some(millis(now + SUSPENDED))).await?;
        tx.commit().await?;
        return Ok(0);
    }
    let others = later_ones(&tx, id, &due).await?;
    let mut again: HashMap<Option<i64>, Vec<Uuid>> = HashMap::new();
    for it in &due {
        let next = notice::next(&it.facts().period, now);
        again.entry(next.map(millis)).or_default().push(it.id);
    }
    for (at, ids) in again {
        look_again(&tx, &ids, at).await?;
    }
    let said = due.iter().filter_map(|it| word(it, &others, now)).collect();
    let said: Vec<Notice> = insert_new(&tx, said).await?.into_iter().map(Notice::Token).collect();
    if !said.is_empty() {
        store::note_last(&tx, id, now).await?;
        address(app, &tx, &subscription, &said, now).await?;
    }
    tx.commit().await?;
    for it in &said {
        app.metrics.noticed(it.threshold());
    }
    Ok(said.len())
}

fn word(
    it: &AutomationToken,
    others: &[AutomationToken],
    now: DateTime<Utc>,
) -> Option<TokenNotice> {
    let threshold = notice::of(&it.facts(), &[], now)?;
    let is_old = threshold == Threshold::End && it.ends() < now - LATEST;
    if is_old || others.iter().any(|other| it.is_replaced_by(other)) {
        return None;
    }
    Some(TokenNotice {
        id: new_id(now),
        subscription_id: it.subscription_id,
        automation_token_id: it.id,
        threshold: threshold.as_str().to_owned(),
        ends_at: it.ends_at,
        at: millis(now),
        name: it.name.clone(),
        last_used_at: it.last_used_at,
    })
}

/// Subscriptions and ids of the tokens that are to be looked at, the longest due first.
async fn due(db: &Db, now: DateTime<Utc>) -> Result<Vec<(Uuid, Uuid)>> {
    let rows = tokens::Entity::find()
        .select_only()
        .columns([tokens::Column::SubscriptionId, tokens::Column::Id])
        .filter(tokens::COLUMN.notice_at.lte(millis(now)))
        .order_by_asc(tokens::Column::NoticeAt)
        .limit(BATCH)
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(rows)
}

/// Of these, those that are due as of the transaction.
async fn still_due(tx: &Tx, ids: &[Uuid], now: DateTime<Utc>) -> Result<Vec<AutomationToken>> {
    let due = tokens::Entity::find()
        .filter(tokens::COLUMN.id.is_in(ids.to_vec()))
        .filter(tokens::COLUMN.notice_at.lte(millis(now)));
    Ok(due.all(tx).await?)
}

/// Tokens that end later than the first of these does: whoever replaces one is among them.
async fn later_ones(
    tx: &Tx,
    subscription: Uuid,
    due: &[AutomationToken],
) -> Result<Vec<AutomationToken>> {
    let Some(first) = due.iter().map(|it| it.ends_at).min() else { return Ok(Vec::new()) };
    let later = tokens::Entity::find()
        .filter(tokens::COLUMN.subscription_id.eq(subscription))
        .filter(tokens::COLUMN.ends_at.gt(first))
        .filter(tokens::COLUMN.revoked_at.is_null());
    Ok(later.all(tx).await?)
}

/// When these are looked at next; `None`: not again.
async fn look_again(tx: &Tx, ids: &[Uuid], at: Option<i64>) -> Result<()> {
    tokens::Entity::update_many()
        .col_expr(tokens::Column::NoticeAt, Expr::value(at))
        .filter(tokens::COLUMN.id.is_in(ids.to_vec()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Those that nobody has said before: the subscription is locked.
async fn insert_new(tx: &Tx, mut said: Vec<TokenNotice>) -> Result<Vec<TokenNotice>> {
    let of: Vec<Uuid> = said.iter().map(|it| it.automation_token_id).collect();
    let known: Vec<(Uuid, String)> = Entity::find()
        .select_only()
        .columns([Column::AutomationTokenId, Column::Threshold])
        .filter(COLUMN.automation_token_id.is_in(of))
        .into_tuple()
        .all(tx)
        .await?;
    let known: HashSet<(Uuid, String)> = known.into_iter().collect();
    said.retain(|it| !known.contains(&(it.automation_token_id, it.threshold.clone())));
    for chunk in said.chunks(store::CHUNK) {
        let rows = chunk.iter().map(|it| ActiveModel::from(it.clone()).reset_all());
        Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(said)
}

/// Those of these ids.
pub(super) async fn by_id(db: &Db, ids: Vec<Uuid>) -> Result<Vec<TokenNotice>> {
    Ok(Entity::find().filter(COLUMN.id.is_in(ids)).all(db.read()).await?)
}

/// Of a subscription, the newest first, from behind `before` on.
pub(super) async fn list(
    db: &Db,
    scope: &Scope,
    before: Option<(i64, Uuid)>,
    limit: u64,
) -> Result<Vec<TokenNotice>> {
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

/// Those whose ids are smaller are forgotten.
pub(super) async fn prune(tx: &Tx, before: Uuid) -> Result<()> {
    Entity::delete_many().filter(COLUMN.id.lt(before)).exec(tx).await?;
    Ok(())
}
