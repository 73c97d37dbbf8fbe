//! The audit log: who did what to which object, before and after, from where. A change and its row
//! are one transaction; the rows of a scope form a chain of hashes that shows tampering.
pub(crate) mod entity;
pub mod pages;
mod store;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use uuid::Uuid;

pub use self::{
    entity::Model as Record,
    store::{Filter, Listing, list},
};
use crate::{
    clock,
    db::{Db, Tx},
    error::Result,
    http::App,
    pepper::{self, Digest32},
    throttle,
};

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Client {
    pub address: IpAddr,
    pub agent: String,
    /// Also in the log, in the `x-request-id` header and on error pages.
    pub request_id: String,
}

/// Who acts: a user, or a name for somebody who is none (`sign-in`, `command line`).
#[derive(Clone, Debug)]
pub struct Actor {
    pub user_id: Option<Uuid>,
    pub name: String,
    pub client: Client,
}

impl Actor {
    /// The operator at the command line of this machine.
    pub fn command_line() -> Self {
        let client = Client {
            address: IpAddr::from([127, 0, 0, 1]),
            agent: concat!("keyward/", env!("CARGO_PKG_VERSION")).to_owned(),
            request_id: String::new(),
        };
        Self { user_id: None, name: "command line".to_owned(), client }
    }
}

/// What happened to what. Secrets never get here.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: DateTime<Utc>,
    /// `key_instance.revoked`, `authn.login_fail`, ...
    pub action: &'static str,
    pub outcome: Outcome,
    pub object: Object,
    pub before: Value,
    pub after: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Refused,
}

#[derive(Clone, Debug, Default)]
pub struct Object {
    pub kind: &'static str,
    pub id: Option<Uuid>,
    pub name: String,
}

impl Event {
    pub fn new(action: &'static str, at: DateTime<Utc>) -> Self {
        debug_assert!(pages::ACTIONS.iter().any(|it| it.0 == action), "{action} has no words");
        Self {
            at,
            action,
            outcome: Outcome::Done,
            object: Object::default(),
            before: Value::Null,
            after: Value::Null,
        }
    }

    pub fn on(mut self, kind: &'static str, id: Uuid, name: impl Into<String>) -> Self {
        self.object = Object { kind, id: Some(id), name: name.into() };
        self
    }

    pub fn refused(mut self) -> Self {
        self.outcome = Outcome::Refused;
        self
    }

    pub fn change(mut self, before: Value, after: Value) -> Self {
        (self.before, self.after) = (before, after);
        self
    }
}

/// The scope of what belongs to no subscription: sign-ins, set-up, subscriptions themselves.
pub const INSTALLATION: Uuid = Uuid::nil();

/// Appends a row to the chain of `scope`, within the transaction of the change it tells about.
/// It locks the head of the chain, unless the transaction keeps it already: do it last.
pub async fn record(app: &App, tx: &Tx, scope: Uuid, actor: &Actor, event: Event) -> Result<()> {
    record_all(app, tx, scope, actor, vec![event]).await
}

/// The same for a change of many things, in few statements.
pub async fn record_all(
    app: &App,
    tx: &Tx,
    scope: Uuid,
    actor: &Actor,
    events: Vec<Event>,
) -> Result<()> {
    let kept = tx.kept::<Head>().filter(|it| it.0.scope == scope);
    let mut head = match kept {
        Some(Head(it)) => it,
        None => store::lock_head(&tx.apart(), scope).await?,
    };
    let key = app.peppers.derive("audit");
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        let mut row = row(scope, actor, event);
        (row.seq, row.prev_hash) = (head.seq + 1, head.hash);
        row.hash = chain_hash(&key, &row).to_vec();
        (head.seq, head.hash) = (row.seq, row.hash.clone());
        rows.push(row);
    }
    store::append(tx, &head, &rows);
    tx.keep(Head(head));
    Ok(())
}

/// The end of a chain, which the transaction has locked that keeps it: so it is not asked for again.
#[derive(Clone)]
pub(crate) struct Head(entity::chain::Model);

impl Head {
    pub(crate) async fn lock(db: &impl ConnectionTrait, scope: Uuid) -> Result<Self> {
        Ok(Self(store::lock_head(db, scope).await?))
    }
}

/// Without its place in the chain.
fn row(scope: Uuid, actor: &Actor, event: Event) -> Record {
    let text = |it: &Value| if it.is_null() { String::new() } else { it.to_string() };
    Record {
        scope,
        seq: 0,
        at: clock::millis(event.at),
        actor_id: actor.user_id,
        actor: actor.name.clone(),
        action: event.action.to_owned(),
        outcome: match event.outcome {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
        }
        .to_owned(),
        object_kind: event.object.kind.to_owned(),
        object_id: event.object.id,
        object: event.object.name,
        from_address: actor.client.address.to_string(),
        user_agent: actor.client.agent.clone(),
        request_id: actor.client.request_id.clone(),
        before: text(&event.before),
        after: text(&event.after),
        prev_hash: Vec::new(),
        hash: Vec::new(),
    }
}

/// A refusal that changed nothing is told too, in a transaction of its own.
pub async fn refusal(
    app: &App,
    scope: Option<Uuid>,
    actor: &Actor,
    why: &'static str,
) -> Result<()> {
    let now = app.clock.now();
    let event = Event::new("authz.fail", now)
        .refused()
        .change(Value::Null, serde_json::json!({ "why": why }));
    let tx = app.db.write().await?;
    // Whoever tries again and again fills no log with it.
    let (scope, name) = (scope.unwrap_or(INSTALLATION), &actor.name);
    let who = format!("refused:{scope}:{}:{name}:{why}", actor.user_id.unwrap_or_default());
    if !throttle::may_tell(app, &tx, &who, now).await? {
        return Ok(());
    }
    record(app, &tx, scope, actor, event).await?;
    Ok(tx.commit().await?)
}

/// Somebody takes a list with so many rows away as a file.
pub async fn exported(
    app: &App,
    scope: Uuid,
    actor: &Actor,
    (what, rows): (&'static str, usize),
) -> Result<()> {
    let event = Event::new("list.exported", app.clock.now())
        .change(Value::Null, serde_json::json!({ "list": what, "rows": rows }));
    let tx = app.db.write().await?;
    record(app, &tx, scope, actor, event).await?;
    Ok(tx.commit().await?)
}

/// Where a chain does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    pub scope: Uuid,
    /// The first row that is missing or changed.
    pub seq: i64,
}

/// Recomputes every chain. Gives the number of rows, or the first break.
pub async fn verify(db: &Db, key: &Digest32) -> Result<std::result::Result<u64, Break>> {
    let mut rows = 0;
    // First, because each begins with its head.
    let scopes = store::scopes(db).await?;
    let heads = store::heads(db).await?;
    if let Some(scope) = scopes.into_iter().find(|it| heads.iter().all(|head| head.scope != *it)) {
        return Ok(Err(Break { scope, seq: 1 }));
    }
    for head in heads {
        let (mut seq, mut hash) = (0, vec![0; 32]);
        // Rows that were appended since are behind the head.
        let mut meets_head = (seq, &hash) == (head.seq, &head.hash);
        loop {
            let batch = store::after(db, head.scope, seq, 1_000).await?;
            if batch.is_empty() {
                break;
            }
            for row in batch {
                let fits = row.seq == seq + 1
                    && row.prev_hash == hash
                    && chain_hash(key, &row).as_slice() == row.hash;
                if !fits {
                    return Ok(Err(Break { scope: head.scope, seq: seq + 1 }));
                }
                (seq, hash) = (row.seq, row.hash);
                meets_head |= (seq, &hash) == (head.seq, &head.hash);
                rows += 1;
            }
        }
        if !meets_head {
            return Ok(Err(Break { scope: head.scope, seq: head.seq.min(seq + 1) }));
        }
    }
    Ok(Ok(rows))
}

/// HMAC over every column but the hash itself, the previous row's hash included.
fn chain_hash(key: &Digest32, row: &Record) -> Digest32 {
    let columns = serde_json::json!([
        row.scope,
        row.seq,
        row.at,
        row.actor_id,
        row.actor,
        row.action,
        row.outcome,
        row.object_kind,
        row.object_id,
        row.object,
        row.from_address,
        row.user_agent,
        row.request_id,
        row.before,
        row.after,
        row.prev_hash,
    ]);
    pepper::mac(&pepper::mac_key(key), &[columns.to_string().as_bytes()])
}
