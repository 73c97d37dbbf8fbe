//! Reads personal keys and people: these, or all.
use sea_orm::{QuerySelect, QueryTrait, entity::prelude::*};

use super::people::{KeyRow, PeopleBatch, PersonRow};
use crate::{
    db::changes::Snapshot,
    error::Result,
    members::entity as members,
    personal_keys::{
        entity::{self as keys, user_groups as named},
        token::public_key,
    },
    user_groups::entity::members as in_user_groups,
    users::entity as users,
};

impl PeopleBatch {
    pub async fn all(db: &Snapshot) -> Result<Self> {
        let mut it = Self::default();
        it.read_keys(db, None).await?;
        it.read_people(db, None).await?;
        Ok(it)
    }

    /// These personal keys, and these people. What is not found is gone.
    pub async fn read(&mut self, db: &Snapshot, keys: Vec<Uuid>, people: Vec<Uuid>) -> Result<()> {
        self.keys.extend(keys.iter().map(|it| (*it, None)));
        self.people.extend(people.iter().map(|it| (*it, None)));
        if !keys.is_empty() {
            self.read_keys(db, Some(&keys)).await?;
        }
        if !people.is_empty() {
            self.read_people(db, Some(&people)).await?;
        }
        Ok(())
    }

    async fn read_keys(&mut self, db: &Snapshot, ids: Option<&[Uuid]>) -> Result<()> {
        use keys::Column as K;
        use named::Column as N;
        let rows: Vec<(Uuid, Uuid, Vec<u8>, Option<i64>)> = keys::Entity::find()
            .select_only()
            .columns([K::Id, K::UserId, K::PublicKey, K::ActiveUntil])
            .apply_if(ids, |it, ids| it.filter(keys::COLUMN.id.is_in(ids.iter().copied())))
            .into_tuple()
            .all(&**db)
            .await?;
        for (id, user, bytes, until) in rows {
            let row = KeyRow { user, public_key: public_key(&bytes), until, named: Vec::new() };
            self.keys.insert(id, Some(row));
        }
        let of = named::COLUMN.personal_key_id;
        let rows: Vec<(Uuid, Uuid, Uuid)> = named::Entity::find()
            .select_only()
            .columns([N::PersonalKeyId, N::SubscriptionId, N::UserGroupId])
            .apply_if(ids, |it, ids| it.filter(of.is_in(ids.iter().copied())))
            .into_tuple()
            .all(&**db)
            .await?;
        for (id, subscription, user_group) in rows {
            if let Some(Some(key)) = self.keys.get_mut(&id) {
                key.named.push((subscription, user_group));
            }
        }
        Ok(())
    }

    async fn read_people(&mut self, db: &Snapshot, ids: Option<&[Uuid]>) -> Result<()> {
        use in_user_groups::Column as G;
        use members::Column as M;
        use users::Column as U;
        let rows: Vec<(Uuid, String)> = users::Entity::find()
            .select_only()
            .columns([U::Id, U::Email])
            .apply_if(ids, |it, ids| it.filter(users::COLUMN.id.is_in(ids.iter().copied())))
            .into_tuple()
            .all(&**db)
            .await?;
        for (id, email) in rows {
            let (subscriptions, user_groups) = Default::default();
            let row = PersonRow { email: email.into(), subscriptions, user_groups };
            self.people.insert(id, Some(row));
        }
        let of = members::COLUMN.user_id;
        let rows: Vec<(Uuid, Uuid)> = members::Entity::find()
            .select_only()
            .columns([M::UserId, M::SubscriptionId])
            .apply_if(ids, |it, ids| it.filter(of.is_in(ids.iter().copied())))
            .into_tuple()
            .all(&**db)
            .await?;
        for (id, subscription) in rows {
            if let Some(Some(person)) = self.people.get_mut(&id) {
                person.subscriptions.insert(subscription);
            }
        }
        let of = in_user_groups::COLUMN.user_id;
        let rows: Vec<(Uuid, Uuid)> = in_user_groups::Entity::find()
            .select_only()
            .columns([G::UserId, G::UserGroupId])
            .apply_if(ids, |it, ids| it.filter(of.is_in(ids.iter().copied())))
            .into_tuple()
            .all(&**db)
            .await?;
        for (id, user_group) in rows {
            if let Some(Some(person)) = self.people.get_mut(&id) {
                person.user_groups.insert(user_group);
            }
        }
        Ok(())
    }
}
