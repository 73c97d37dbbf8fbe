//! Personal keys, through the verb that pages and dialects call.
use chrono::{DateTime, Utc};
use keyward::{
    error::Result,
    personal_keys::{self, Issued, NewKey, Own, SignedInBy},
    submissions::Submission,
    users::User,
};

use super::{Answer, TestApp, app::acting};

impl TestApp {
    /// What any verb on this person's keys takes.
    pub(crate) fn own<'a>(&'a self, user: &'a User) -> Own<'a> {
        let (by, actor, now) = (SignedInBy::Password, acting(user), self.clock.now());
        Own { app: &self.app, user, by, actor, now }
    }

    pub(crate) async fn try_personal_key(
        &self,
        user: &User,
        until: Option<DateTime<Utc>>,
    ) -> Result<Issued> {
        let new = NewKey { note: "laptop".to_owned(), until };
        personal_keys::issue(&self.own(user), new, Submission::unique()).await
    }

    /// Without an end.
    pub(crate) async fn personal_key(&self, user: &User) -> Issued {
        self.try_personal_key(user, None).await.unwrap()
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.text()).unwrap_or_else(|it| panic!("{it}\n{}", self.text()))
    }
}
