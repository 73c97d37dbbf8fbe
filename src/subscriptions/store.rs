//! The queries of subscriptions.
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ExprTrait, FromQueryResult, Iterable, Order, QueryOrder, QueryResult, QuerySelect,
    entity::prelude::*,
    sea_query::{Query, SelectStatement, SimpleExpr, SubQueryStatement},
};

use super::{Name, NewSubscription, Place, Settings, entity};
use crate::{
    automation_tokens::{AutomationToken, entity as tokens},
    clock,
    db::{Db, Tx},
    domain::{Refusal, Role},
    error::{Error, Result, is_duplicate},
    installation,
    key_groups::entity as groups,
    members::entity as members,
    users::{User, entity as users},
};

/// As in document 001.
const FIRST_NUMBER: i32 = 1001;

/// A user's subscriptions by name, at most 50; or the one that is called so.
pub(super) async fn of_user(
    db: &Db,
    user: Uuid,
    called: Option<Name<'_>>,
) -> Result<Vec<(entity::Model, Role)>> {
    let mut query = members::Entity::find()
        .filter(members::COLUMN.user_id.eq(user))
        .find_also_related(entity::Entity);
    query = match called {
        Some(Name::Slug(slug)) => query.filter(entity::COLUMN.slug.eq(slug)),
        Some(Name::Number(number)) => query.filter(entity::COLUMN.number.eq(number)),
        None => query,
    };
    let rows = query.order_by_asc(entity::Column::Name).limit(50).all(db.read()).await?;
    let known = |(member, subscription): (members::Model, Option<entity::Model>)| {
        Some((subscription?, Role::parse(&member.role)?))
    };
    Ok(rows.into_iter().filter_map(known).collect())
}

/// A user with their subscriptions by name, at most 50.
pub(super) async fn person(db: &Db, user: Uuid) -> Result<Option<(User, Vec<Place>)>> {
    let mut query = Query::select();
    select_all::<users::Column>(&mut query, "u_");
    select_all::<entity::Column>(&mut query, "s_");
    query
        .column((members::Entity, members::Column::Role))
        .column((members::Entity, members::Column::NoticesSeenAt))
        .expr_as(first_change(), "first_change")
        .from(users::Entity)
        .left_join(
            members::Entity,
            Expr::col((members::Entity, members::Column::UserId))
                .equals((users::Entity, users::Column::Id)),
        )
        .left_join(
            entity::Entity,
            Expr::col((members::Entity, members::Column::SubscriptionId)).equals(ID),
        )
        .and_where(users::COLUMN.id.eq(user))
        .order_by((entity::Entity, entity::Column::Name), Order::Asc)
        .limit(50);
    let rows = db.read().query_all(&query).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let user = User::from_query_result(first, "u_")?;
    let places: Result<Vec<Option<Place>>> = rows.iter().map(place).collect();
    Ok(Some((user, places?.into_iter().flatten().collect())))
}

/// When time changes the summary of a key group of the subscription that is selected.
fn first_change() -> SimpleExpr {
    let first = Query::select()
        .expr(groups::Column::ChangesAt.min())
        .from(groups::Entity)
        .and_where(Expr::col((groups::Entity, groups::Column::SubscriptionId)).equals(ID))
        .take();
    Expr::from(SubQueryStatement::from(first))
}

const ID: (entity::Entity, entity::Column) = (entity::Entity, entity::Column::Id);

/// `None`: a member of nothing.
fn place(row: &QueryResult) -> Result<Option<Place>> {
    let Some(subscription) = entity::Model::from_query_result_optional(row, "s_")? else {
        return Ok(None);
    };
    let role: String = row.try_get("", "role")?;
    let Some(role) = Role::parse(&role) else { return Ok(None) };
    let notices_seen_at = row.try_get("", "notices_seen_at")?;
    let changes_at = row.try_get("", "first_change")?;
    Ok(Some(Place { subscription, role, notices_seen_at, changes_at }))
}

/// All subscriptions by slug, from behind `after` on.
pub(super) async fn all(db: &Db, after: Option<&str>, limit: u64) -> Result<Vec<entity::Model>> {
    let mut query = entity::Entity::find();
    if let Some(after) = after {
        query = query.filter(entity::COLUMN.slug.gt(after));
    }
    Ok(query.order_by_asc(entity::Column::Slug).limit(limit).all(db.read()).await?)
}

pub(super) async fn by_slug(db: &Db, slug: &str) -> Result<entity::Model> {
    let found = entity::Entity::find().filter(entity::COLUMN.slug.eq(slug)).one(db.read()).await?;
    found.ok_or(Error::NotFound)
}

pub(super) async fn by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<entity::Model> {
    entity::Entity::find_by_id(id).one(db).await?.ok_or(Error::NotFound)
}

/// A presented token with its subscription, and when time changes the summary of one of its key groups.
pub(super) async fn of_token(
    db: &Db,
    digests: Vec<Vec<u8>>,
) -> Result<Option<(AutomationToken, entity::Model, Option<i64>)>> {
    let mut query = Query::select();
    select_all::<tokens::Column>(&mut query, "t_");
    select_all::<entity::Column>(&mut query, "s_");
    query
        .expr_as(first_change(), "first_change")
        .from(tokens::Entity)
        .inner_join(
            entity::Entity,
            Expr::col((tokens::Entity, tokens::Column::SubscriptionId)).equals(ID),
        )
        .and_where(tokens::Column::Digest.is_in(digests))
        .limit(1);
    let Some(row) = db.read().query_one(&query).await? else { return Ok(None) };
    let token = AutomationToken::from_query_result(&row, "t_")?;
    let it = entity::Model::from_query_result(&row, "s_")?;
    Ok(Some((token, it, row.try_get("", "first_change")?)))
}

/// Each column of a table, with a name that begins so.
fn select_all<C: ColumnTrait + Iterable>(query: &mut SelectStatement, prefix: &str) {
    for it in C::iter() {
        query.expr_as(it.into_expr(), format!("{prefix}{}", it.as_str()));
    }
}

pub(super) async fn insert(
    tx: &Tx,
    new: &NewSubscription,
    now: DateTime<Utc>,
) -> Result<entity::Model> {
    // One after the other, so that no two take the same number.
    installation::lock(tx).await?;
    let last: Option<Option<i32>> = entity::Entity::find()
        .select_only()
        .column_as(entity::Column::Number.max(), "last")
        .into_tuple()
        .one(tx)
        .await?;
    let number = last.flatten().map_or(FIRST_NUMBER, |it| it + 1);
    let row = entity::ActiveModel {
        id: Set(clock::new_id(now)),
        name: Set(new.name.clone()),
        slug: Set(new.slug.clone()),
        suspended_at: Set(None),
        members_see_keys: Set(true),
        default_lifetime_days: Set(90),
        max_lifetime_days: Set(None),
        never_expires_allowed: Set(true),
        policy_required: Set(false),
        rest_keys_only: Set(false),
        mail_notices: Set(true),
        last_notice_at: Set(None),
        number: Set(number),
        next_number: Set(FIRST_NUMBER),
        created_at: Set(clock::millis(now)),
        group_count: Set(0),
        warning_groups: Set(0),
        no_successor_groups: Set(0),
        nothing_active_groups: Set(0),
        attention_groups: Set(0),
        active_count: Set(0),
        soon_count: Set(0),
        future_count: Set(0),
        expired_count: Set(0),
        deactivated_count: Set(0),
        workspace_count: Set(0),
    };
    row.insert(tx).await.map_err(|error| {
        if is_duplicate(&error) {
            Error::field("slug", Refusal::SlugTaken.to_string())
        } else {
            error.into()
        }
    })
}

/// Writes the row without changing it, which locks it on either database.
pub(super) async fn lock(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<entity::Model>> {
    let rows = entity::Entity::update_many()
        .col_expr(entity::Column::GroupCount, Expr::col(entity::Column::GroupCount))
        .filter(entity::COLUMN.id.eq(id))
        .exec_with_returning(db)
        .await?;
    Ok(rows.into_iter().next())
}

pub(super) async fn set_name(tx: &Tx, id: Uuid, name: &str) -> Result<()> {
    let row = entity::ActiveModel { id: Set(id), name: Set(name.to_owned()), ..Default::default() };
    row.update(tx).await?;
    Ok(())
}

/// Suspends, or lifts the suspension, if that changes anything.
pub(super) async fn set_suspended(tx: &Tx, id: Uuid, at: Option<i64>) -> Result<bool> {
    let update = entity::Entity::update_many().filter(entity::COLUMN.id.eq(id));
    let update = match at {
        Some(_) => update.filter(entity::COLUMN.suspended_at.is_null()),
        None => update.filter(entity::COLUMN.suspended_at.is_not_null()),
    };
    let changed = update.col_expr(entity::Column::SuspendedAt, Expr::value(at)).exec(tx).await?;
    Ok(changed.rows_affected == 1)
}

pub(super) async fn set_settings(tx: &Tx, id: Uuid, it: &Settings) -> Result<()> {
    let row = entity::ActiveModel {
        id: Set(id),
        members_see_keys: Set(it.members_see_keys),
        default_lifetime_days: Set(it.default_lifetime_days),
        max_lifetime_days: Set(it.max_lifetime_days),
        never_expires_allowed: Set(it.never_expires_allowed),
        policy_required: Set(it.policy_required),
        rest_keys_only: Set(it.rest_keys_only),
        ..Default::default()
    };
    row.update(tx).await?;
    Ok(())
}

/// Takes the next `n` numbers, and gives the first of them.
pub(super) async fn take_numbers(tx: &Tx, id: Uuid, n: i32) -> Result<i32> {
    let rows = entity::Entity::update_many()
        .col_expr(entity::Column::NextNumber, Expr::col(entity::Column::NextNumber).add(n))
        .filter(entity::COLUMN.id.eq(id))
        .exec_with_returning(tx)
        .await?;
    Ok(rows.first().ok_or(Error::NotFound)?.next_number - n)
}

pub(super) async fn count_workspaces(tx: &Tx, id: Uuid, by: i32) -> Result<()> {
    entity::Entity::update_many()
        .col_expr(entity::Column::WorkspaceCount, Expr::col(entity::Column::WorkspaceCount).add(by))
        .filter(entity::COLUMN.id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}
