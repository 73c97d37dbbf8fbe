//! `/api/v1/audit`
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    caller::{AuditRead, Token},
    openapi::texts::{Cursor, OutcomeWord, QueryText},
    paging,
    voice::Problem,
};
use crate::{
    audit::{self, Filter, Record},
    clock::{instant, iso},
};

const PARAMETERS: &str = "limit, cursor, actor, action, object, since, until";

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuditQuery)]
pub(super) struct Asked {
    /// Rows of a page: 50, if it is not there.
    #[schema(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
    #[schema(value_type = Option<Cursor>)]
    cursor: Option<String>,
    /// Who did it: the id of a user.
    actor: Option<Uuid>,
    /// What was done, such as `key_instance.revoked`.
    #[schema(value_type = Option<QueryText>)]
    action: Option<String>,
    /// To what it was done: its id.
    object: Option<Uuid>,
    /// From this instant on.
    since: Option<DateTime<Utc>>,
    /// Before this instant.
    until: Option<DateTime<Utc>>,
}

/// `GET /api/v1/audit`: the newest first.
pub async fn list(caller: Token<AuditRead>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked: Asked = paging::query(&req, PARAMETERS)?;
    let filter = Filter {
        actor: asked.actor,
        action: asked.action,
        object: asked.object,
        since: asked.since,
        until: asked.until,
        before: paging::cursor(asked.cursor.as_deref())?.map(|it| it.0),
    };
    let (act, limit) = (caller.act(), paging::limit(asked.limit)?);
    let found = audit::list(&act.app.db, act.scope.id(), &filter, limit).await?;
    let next = found.next.map(|it| (it, Uuid::nil()));
    Ok(paging::page(&req, found.rows.iter().map(EventBody::from).collect(), next))
}

/// Who did it.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditActor)]
struct Actor {
    /// Of a token its maker, who answers for it.
    #[schema(required)]
    id: Option<Uuid>,
    name: String,
}

/// To what it was done.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditObject)]
struct ObjectBody {
    kind: String,
    #[schema(required)]
    id: Option<Uuid>,
    name: String,
}

/// One line of the audit log. `before` and `after` are what it changed.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEvent)]
pub(super) struct EventBody {
    /// Counted within the subscription, without a gap.
    number: i64,
    #[schema(format = DateTime)]
    at: String,
    actor: Actor,
    action: String,
    #[schema(value_type = OutcomeWord)]
    outcome: String,
    #[schema(required)]
    object: Option<ObjectBody>,
    from: String,
    user_agent: String,
    request_id: String,
    #[schema(value_type = Value)]
    before: Value,
    #[schema(value_type = Value)]
    after: Value,
}

impl From<&Record> for EventBody {
    fn from(it: &Record) -> Self {
        let json = |text: &str| serde_json::from_str(text).unwrap_or_default();
        let object = || ObjectBody {
            kind: it.object_kind.clone(),
            id: it.object_id,
            name: it.object.clone(),
        };
        Self {
            number: it.seq,
            at: iso(instant(it.at)),
            actor: Actor { id: it.actor_id, name: it.actor.clone() },
            action: it.action.clone(),
            outcome: it.outcome.clone(),
            object: (!it.object_kind.is_empty()).then(object),
            from: it.from_address.clone(),
            user_agent: it.user_agent.clone(),
            request_id: it.request_id.clone(),
            before: json(&it.before),
            after: json(&it.after),
        }
    }
}
