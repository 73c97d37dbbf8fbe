//! `/api/v1/audit`
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    caller::{AuditRead, Token},
    paging,
    voice::Problem,
};
use crate::{
    audit::{self, Filter, Record},
    clock::{instant, iso},
};

const PARAMETERS: &str = "limit, cursor, actor, action, object, since, until";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    limit: Option<u64>,
    cursor: Option<String>,
    /// A user.
    actor: Option<Uuid>,
    /// `key_instance.revoked`, ...
    action: Option<String>,
    /// Whatever it was done to.
    object: Option<Uuid>,
    /// From this instant on, and before that one.
    since: Option<DateTime<Utc>>,
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

#[derive(Serialize)]
struct Actor {
    /// Of a token its maker, who answers for it.
    id: Option<Uuid>,
    name: String,
}

#[derive(Serialize)]
struct Object {
    kind: String,
    id: Option<Uuid>,
    name: String,
}

#[derive(Serialize)]
struct EventBody {
    /// Counted within the subscription, without a gap.
    number: i64,
    at: String,
    actor: Actor,
    action: String,
    /// done, refused
    outcome: String,
    object: Option<Object>,
    from: String,
    user_agent: String,
    request_id: String,
    before: Value,
    after: Value,
}

impl From<&Record> for EventBody {
    fn from(it: &Record) -> Self {
        let json = |text: &str| serde_json::from_str(text).unwrap_or_default();
        let object =
            || Object { kind: it.object_kind.clone(), id: it.object_id, name: it.object.clone() };
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
