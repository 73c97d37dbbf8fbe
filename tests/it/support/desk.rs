//! Fixtures below a subscription, through the verbs that pages call.
use chrono::TimeDelta;
use keyward::{
    access::Held,
    audit,
    automation_tokens::{self, NewToken},
    domain::{ActivePeriod, ApiScopes, Role, SecretText},
    error::Result,
    key_groups::{self, Description, KeyGroup},
    key_instances::{self, Issued, KeyInstance, NewKey, Source},
    members,
    pepper::random_token,
    subscriptions::{self, Act, Scope, Settings},
    users::{self, User},
};
use uuid::Uuid;

use super::{
    TestApp,
    app::{acting, new_user},
};

pub(crate) struct Desk<'a> {
    app: &'a TestApp,
    scope: Scope,
    actor: audit::Actor,
}

impl<'a> Desk<'a> {
    pub(super) async fn of(app: &'a TestApp, user: &User, slug: &str) -> Self {
        let (scope, _) = subscriptions::enter(&app.db, user.id, &[], slug).await.unwrap();
        Self { app, scope, actor: acting(user) }
    }

    /// What any verb takes.
    pub(crate) fn act(&self) -> Act<'_> {
        let (app, now) = (&self.app.app, self.app.clock.now());
        Act { app, scope: &self.scope, actor: self.actor.clone(), now }
    }

    /// Other rules for the keys of the subscription. A new one allows keys without an end.
    pub(crate) async fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        let slug = &self.scope.subscription().slug;
        let it = subscriptions::by_slug(&self.app.db, slug).await.unwrap();
        let mut settings = Settings {
            members_see_keys: it.members_see_keys,
            default_lifetime_days: it.default_lifetime_days,
            max_lifetime_days: it.max_lifetime_days,
            never_expires_allowed: it.never_expires_allowed,
            policy_required: it.policy_required,
            rest_keys_only: it.rest_keys_only,
        };
        change(&mut settings);
        subscriptions::change_settings(&self.act(), settings).await.unwrap();
    }

    /// A new user, called like the address, who has accepted an invitation by the admin.
    pub(crate) async fn newcomer(&self, email: &str, role: Role) -> User {
        self.newcomer_called(email, email, role).await
    }

    pub(crate) async fn newcomer_called(&self, name: &str, email: &str, role: Role) -> User {
        let act = self.act();
        let token = members::invite_member(&act, email, role).await.unwrap();
        let (new, client) = (new_user(email, name), act.actor.client.clone());
        members::accept_as_new(self.app, &token, new, client, act.now).await.unwrap().0
    }

    /// A new user who owns the installation as well.
    pub(crate) async fn another_owner(&self, email: &str) -> User {
        let user = self.newcomer(email, Role::Member).await;
        let (first, now) = (self.app.owner_user().await, self.app.clock.now());
        users::make_owner(self.app, email, &acting(&first), now).await.unwrap();
        let gone = members::remove(&self.act(), user.id).await.unwrap();
        assert_eq!(gone.1, 0);
        user
    }

    /// From now on, for so many days.
    pub(crate) fn days(&self, days: i64) -> ActivePeriod {
        let now = self.app.clock.now();
        ActivePeriod::new(now, Some(now + TimeDelta::days(days))).unwrap()
    }

    /// A group and its first key.
    pub(crate) async fn group(&self, name: &str, period: ActivePeriod) -> Issued {
        let new = Description { name: name.to_owned(), ..Default::default() };
        let new = (&new, &Held::default());
        key_groups::create(&self.act(), new, generated(period), &random_token()).await.unwrap()
    }

    /// A client without a secret.
    pub(crate) async fn client(&self, name: &str) -> KeyGroup {
        let new = Description { name: name.to_owned(), ..Default::default() };
        let new = (&new, &Held::default());
        key_groups::create_client(&self.act(), new, &random_token()).await.unwrap()
    }

    /// A further key of a group, with a text of one's own.
    pub(crate) async fn own_key(&self, group: Uuid, text: &str, period: ActivePeriod) -> Issued {
        self.try_own_key(group, text, period).await.unwrap()
    }

    pub(crate) async fn try_own_key(
        &self,
        group: Uuid,
        text: &str,
        period: ActivePeriod,
    ) -> Result<Issued> {
        let source = Source::Own(SecretText::from_text(text.to_owned()));
        let new = NewKey { source, period, note: String::new() };
        key_instances::create(&self.act(), group, new, &random_token()).await
    }

    /// An automation token for thirty days: its id and its text.
    pub(crate) async fn token(&self, scopes: &[&str]) -> (Uuid, String) {
        self.token_for(scopes, TimeDelta::days(30)).await
    }

    pub(crate) async fn token_for(&self, scopes: &[&str], life: TimeDelta) -> (Uuid, String) {
        let new = NewToken {
            name: format!("for {}", scopes.join(" ")),
            scopes: ApiScopes::parse(scopes.iter().copied()),
            ends_at: Some(self.app.clock.now() + life),
        };
        let made = automation_tokens::create(&self.act(), &new, &random_token()).await.unwrap();
        (made.token.id, made.secret.expose().to_owned())
    }

    /// A further key of a group.
    pub(crate) async fn key(&self, group: Uuid, period: ActivePeriod) -> Issued {
        let made =
            key_instances::create(&self.act(), group, generated(period), &random_token()).await;
        made.unwrap()
    }
}

pub(crate) fn generated(period: ActivePeriod) -> NewKey {
    NewKey { source: Source::Generate, period, note: String::new() }
}

/// With another last letter, whatever it was.
pub(crate) fn garbled(text: &str) -> String {
    let last = if text.ends_with('x') { 'y' } else { 'x' };
    format!("{}{last}", &text[..text.len() - 1])
}

/// The ids that verbs on a key take.
pub(crate) fn ids(key: &Issued) -> (Uuid, Uuid) {
    (key.instance.key_group_id, key.instance.id)
}

/// A key of one's own that passes the quality gate; another one for each `n`.
pub(crate) fn own_text(n: usize) -> String {
    format!("Zr7-qPw2Lk9xBn4Td6Vy-{n}")
}

/// The page of a key, such as `/s/acme/groups/<id>/keys/<id>`.
pub(crate) fn path_of(slug: &str, key: &KeyInstance) -> String {
    format!("/s/{slug}/groups/{}/keys/{}", key.key_group_id, key.id)
}
