//! Who was let into a subscription, and what changes in it begin and end with.
use chrono::{DateTime, Utc};
use futures_util::future::try_join4;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::{Subscription, store};
use crate::{
    audit::{self, Actor, Event},
    automation_tokens,
    db::{Together, Tx},
    domain::{Refusal, Role},
    error::{Error, Result},
    http::App,
    members,
};

/// A subscription that somebody was let into. It cannot be made without that check, and every
/// query below a subscription starts from it.
#[derive(Clone, Debug)]
pub struct Scope {
    subscription: Subscription,
    door: Door,
}

/// By what somebody was let in. It may have been taken away since: a change asks once more, under the lock of the
/// subscription, which whoever takes it away needs too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door {
    Member {
        user: Uuid,
        role: Role,
    },
    Token(Uuid),
    /// It opens what is read.
    Key,
    /// At the command line, where nothing can be taken away.
    Operator,
}

impl Scope {
    pub(super) fn through(door: Door, subscription: Subscription) -> Self {
        Self { subscription, door }
    }

    pub fn id(&self) -> Uuid {
        self.subscription.id
    }

    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// `rest` below the subscription's address.
    pub fn path(&self, rest: &str) -> String {
        format!("/s/{}{rest}", self.subscription.slug)
    }
}

/// What a verb below a subscription needs: where, who, when.
pub struct Act<'a> {
    pub app: &'a App,
    pub scope: &'a Scope,
    pub actor: Actor,
    pub now: DateTime<Utc>,
}

impl Act<'_> {
    /// Begins the transaction of a change: locks the subscription, so that changes below it come
    /// one after the other and no two can wait for each other. A suspended one refuses all, and who may do nothing
    /// here any more is refused.
    pub async fn begin(&self) -> Result<Tx> {
        Ok(self.begin_knowing().await?.0)
    }

    /// The same, with the subscription as it is then: what it allows is what counts.
    pub async fn begin_knowing(&self) -> Result<(Tx, Subscription)> {
        let (tx, current, ()) = self.begin_asking(async |_| Ok(())).await?;
        Ok((tx, current))
    }

    /// The same, with the answers to what the change asks first whatever else is so. Where that costs
    /// nothing, the head of the subscription's chain is asked for at once: elsewhere whoever is refused, and
    /// told of in it, need not wait for a long change.
    pub async fn begin_asking<T>(
        &self,
        first: impl AsyncFnOnce(&Together) -> Result<T>,
    ) -> Result<(Tx, Subscription, T)> {
        let (tx, id) = (self.app.db.write().await?, self.scope.id());
        let asked = tx.together(async |db| {
            let head = async {
                let is_free = db.is_one_trip();
                if is_free { audit::Head::lock(db, id).await.map(Some) } else { Ok(None) }
            };
            // The lock comes first.
            try_join4(lock_open(db, id), self.demand_door(db), head, first(db)).await
        });
        let (current, (), head, answers) = asked.await?;
        if let Some(head) = head {
            tx.keep(head);
        }
        Ok((tx, current, answers))
    }

    /// Whoever was let in may be so still.
    async fn demand_door(&self, db: &impl ConnectionTrait) -> Result<()> {
        match self.scope.door {
            Door::Member { user, role } if role.changes_keys() => {
                let now = members::role_of(db, self.scope.id(), user).await?;
                let told = "You are no longer an admin of this subscription.";
                now.filter(|it| it.changes_keys()).map(drop).ok_or(Error::Forbidden(told))
            }
            Door::Token(id) => {
                let is_live = automation_tokens::is_live_in(db, self.scope, id, self.now).await?;
                is_live.then_some(()).ok_or(Error::Unauthenticated)
            }
            Door::Member { .. } | Door::Key | Door::Operator => Ok(()),
        }
    }

    /// Writes the audit row at the end of the subscription's chain, and commits.
    pub async fn finish(&self, tx: Tx, event: Event) -> Result<()> {
        self.finish_all(tx, vec![event]).await
    }

    /// The same of a change of many things.
    pub async fn finish_all(&self, tx: Tx, events: Vec<Event>) -> Result<()> {
        self.record_all(&tx, events).await?;
        Ok(tx.commit().await?)
    }

    pub async fn record(&self, tx: &Tx, event: Event) -> Result<()> {
        audit::record(self.app, tx, self.scope.id(), &self.actor, event).await
    }

    pub async fn record_all(&self, tx: &Tx, events: Vec<Event>) -> Result<()> {
        audit::record_all(self.app, tx, self.scope.id(), &self.actor, events).await
    }

    pub fn event(&self, action: &'static str) -> Event {
        Event::new(action, self.now)
    }
}

/// Locks a subscription for a change in it. A suspended one refuses all.
pub(crate) async fn lock_open(db: &impl ConnectionTrait, id: Uuid) -> Result<Subscription> {
    let it = store::lock(db, id).await?.filter(|it| !it.is_suspended());
    it.ok_or(Refusal::SubscriptionSuspended.into())
}
