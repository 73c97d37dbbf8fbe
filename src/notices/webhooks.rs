//! Webhooks of a subscription: where notices are posted to.
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, ExprTrait, PaginatorTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
};
use serde_json::{Value, json};
use url::Url;

use super::{
    delivering,
    entity::{
        deliveries::{self, Model as Delivery},
        webhooks::{ActiveModel, COLUMN, Column, Entity, Model as Webhook},
    },
    sending, store,
    told::Notice,
};
use crate::{
    clock::{millis, new_id},
    domain::Refusal,
    error::{Error, Result},
    submissions::{self, Submission},
    subscriptions::{Act, Scope},
};

/// In one subscription.
pub const MOST_WEBHOOKS: usize = 10;
/// Characters of an address.
const LONGEST: usize = 500;

fn of(scope: &Scope) -> Select<Entity> {
    Entity::find().filter(COLUMN.subscription_id.eq(scope.id()))
}

async fn by_id(db: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<Webhook> {
    of(scope).filter(COLUMN.id.eq(id)).one(db).await?.ok_or(Error::NotFound)
}

/// For the audit log: the path of an address is often its secret.
pub fn host(it: &Webhook) -> String {
    let url = Url::parse(&it.url).ok();
    url.and_then(|it| it.host_str().map(str::to_owned)).unwrap_or_default()
}

/// All of the subscription, the oldest first.
pub async fn list_all(act: &Act<'_>) -> Result<Vec<Webhook>> {
    Ok(of(act.scope).order_by_asc(Column::Id).all(act.app.db.read()).await?)
}

pub async fn find(act: &Act<'_>, id: Uuid) -> Result<Webhook> {
    by_id(act.app.db.read(), act.scope, id).await
}

/// Notices are posted to `url` from now on.
pub async fn add(act: &Act<'_>, url: &str, submission: impl Into<Submission>) -> Result<Webhook> {
    let at_url = |message: &str| Error::field("url", message);
    let url = url.trim();
    if url.len() > LONGEST {
        return Err(at_url("Use an address of at most 500 characters."));
    }
    let parsed = Url::parse(url)
        .map_err(|_| at_url("Enter an address such as https://example.com/hooks/keyward."))?;
    act.app.senders.outbound.fence.check(&parsed).map_err(|it| at_url(&it))?;
    let id = new_id(act.now);
    let location = act.scope.path(&format!("/settings/webhooks/{id}"));
    let tx = submissions::claim(act, act.begin().await?, submission, location).await?;
    if of(act.scope).count(&tx).await? >= MOST_WEBHOOKS as u64 {
        return Err(Refusal::TooMany { most: MOST_WEBHOOKS, what: "webhooks" }.into());
    }
    let row = ActiveModel {
        id: Set(id),
        subscription_id: Set(act.scope.id()),
        url: Set(parsed.to_string()),
        secret_version: Set(1),
        secret_changed_at: Set(None),
        created_at: Set(millis(act.now)),
        created_by: Set(act.actor.user_id.ok_or(Error::Unauthenticated)?),
        paused_at: Set(None),
    };
    let made = Entity::insert(row).exec_with_returning(&tx).await?;
    let event = act
        .event("webhook.created")
        .on("webhook", made.id, host(&made))
        .change(Value::Null, json!({ "host": host(&made) }));
    act.finish(tx, event).await?;
    Ok(made)
}

/// Nothing is posted to it any more; what was still to be sent is forgotten.
pub async fn remove(act: &Act<'_>, id: Uuid) -> Result<Webhook> {
    let tx = act.begin().await?;
    let gone = by_id(&tx, act.scope, id).await?;
    Entity::delete_by_id(gone.id).exec(&tx).await?;
    let event = act
        .event("webhook.deleted")
        .on("webhook", gone.id, host(&gone))
        .change(json!({ "host": host(&gone) }), Value::Null);
    act.finish(tx, event).await?;
    Ok(gone)
}

/// Pauses it, or goes on. What came in between is not sent afterwards.
pub async fn set_paused(act: &Act<'_>, id: Uuid, paused: bool) -> Result<Webhook> {
    let tx = act.begin().await?;
    let before = by_id(&tx, act.scope, id).await?;
    let row = ActiveModel {
        id: Set(id),
        paused_at: Set(paused.then(|| millis(act.now))),
        ..Default::default()
    };
    let after = Entity::update(row).exec(&tx).await?;
    let action = if paused { "webhook.paused" } else { "webhook.resumed" };
    let event = act.event(action).on("webhook", id, host(&before));
    act.finish(tx, event).await?;
    Ok(after)
}

/// A new signing secret. For a day the old one signs as well, so that no message is refused
/// meanwhile.
pub async fn change_secret(act: &Act<'_>, id: Uuid) -> Result<Webhook> {
    let tx = act.begin().await?;
    let before = by_id(&tx, act.scope, id).await?;
    let row = ActiveModel {
        id: Set(id),
        secret_version: Set(before.secret_version + 1),
        secret_changed_at: Set(Some(millis(act.now))),
        ..Default::default()
    };
    let after = Entity::update(row).exec(&tx).await?;
    let event = act.event("webhook.secret_changed").on("webhook", id, host(&before));
    act.finish(tx, event).await?;
    Ok(after)
}

/// Posts a test and waits for the answer. Gives how it went.
pub async fn test(act: &Act<'_>, id: Uuid) -> Result<Delivery> {
    let webhook = find(act, id).await?;
    let tx = act.begin().await?;
    let to = store::ToSend::test(act.scope.id(), webhook.id);
    let made = store::insert_test(&tx, to, act.now).await?;
    let event = act.event("webhook.tested").on("webhook", webhook.id, host(&webhook));
    act.finish(tx, event).await?;
    send_now(act, made).await
}

/// Tries a delivery that has failed once more, now. Gives how it went.
pub async fn send_again(act: &Act<'_>, webhook: Uuid, id: Uuid) -> Result<Delivery> {
    use deliveries::{COLUMN, Column, Entity};
    let webhook = find(act, webhook).await?;
    let own = || COLUMN.webhook_id.eq(webhook.id).and(COLUMN.id.eq(id));
    let tx = act.begin().await?;
    let found = Entity::find().filter(own()).one(&tx).await?.ok_or(Error::NotFound)?;
    if found.state != "failed" {
        return Err(Refusal::NotFailed.into());
    }
    Entity::update_many()
        .col_expr(Column::State, Expr::value("pending"))
        .col_expr(Column::NextAt, Expr::value(millis(act.now)))
        .filter(own())
        .exec(&tx)
        .await?;
    let event = act.event("webhook.sent_again").on("webhook", webhook.id, host(&webhook));
    act.finish(tx, event).await?;
    send_now(act, found.id).await
}

async fn send_now(act: &Act<'_>, id: Uuid) -> Result<Delivery> {
    let app = act.app;
    let due = sending::by_id(&app.db, id).await?.ok_or(Error::NotFound)?;
    delivering::post(app, &due, app.clock.now()).await?;
    sending::by_id(&app.db, id).await?.ok_or(Error::NotFound)
}

/// What was sent lately, the newest first, with what each was about.
pub async fn deliveries(
    act: &Act<'_>,
    webhook: Option<Uuid>,
    limit: u64,
) -> Result<Vec<(Delivery, Option<Notice>)>> {
    use deliveries::{COLUMN, Column, Entity};
    let query = match webhook {
        Some(id) => {
            find(act, id).await?;
            Entity::find().filter(COLUMN.webhook_id.eq(id))
        }
        None => Entity::find()
            .filter(COLUMN.subscription_id.eq(act.scope.id()))
            .filter(COLUMN.webhook_id.is_null()),
    };
    let query = query.order_by_desc(Column::Id).limit(limit);
    let rows = query.all(act.app.db.read()).await?;
    let ids: Vec<Uuid> = rows.iter().map(|it| it.id).collect();
    let notices = sending::notices(&act.app.db, &ids).await?;
    let about = |it: Delivery| {
        let id = it.notice_id.or(it.token_notice_id);
        let notice = notices.iter().find(|notice| Some(notice.id()) == id).cloned();
        (it, notice)
    };
    Ok(rows.into_iter().map(about).collect())
}
