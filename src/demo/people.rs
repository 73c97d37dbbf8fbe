//! The people of the demonstration: every role, one who never signed in, an open invitation, and an
//! admin besides the owner, who knows keys.
use std::collections::HashMap;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{at_office, from_office, person};
use crate::{
    audit::Actor,
    domain::{ActivePeriod, Role},
    http::App,
    key_instances::{self, How, NewKey, Source},
    members,
    pepper::random_token,
    subscriptions::{Act, Subscription},
    users,
};

const JONAS: &str = "jonas@northwind.example";

/// Addresses, names, roles; the days since they joined, and the hours since they last signed in.
const PEOPLE: [(&str, &str, Role, i64, Option<i64>); 4] = [
    (JONAS, "Jonas Weber", Role::Admin, 380, Some(26)),
    ("tomas@northwind.example", "Tomas Reyes", Role::Auditor, 400, Some(70)),
    ("noor@northwind.example", "Noor Haddad", Role::Member, 212, Some(3)),
    ("lena@northwind.example", "Lena Brandt", Role::Member, 9, None),
];

/// They join the subscription, and one more is invited.
pub(super) async fn join(
    app: &App,
    to: &Subscription,
    by: &Actor,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for (email, name, role, days, _) in PEOPLE {
        let at = now - TimeDelta::days(days);
        let token = members::invite(app, to, (email, role), by, at).await?;
        members::accept_as_new(app, &token, person(email, name), from_office(), at).await?;
    }
    let invited = ("priya@northwind.example", Role::Auditor);
    members::invite(app, to, invited, by, now - TimeDelta::days(2)).await?;
    Ok(())
}

/// The admins make and see keys, and everybody signs in who ever did.
pub(super) async fn work(
    act: &Act<'_>,
    groups: &HashMap<&'static str, Uuid>,
    owner: Uuid,
) -> anyhow::Result<()> {
    let app = act.app;
    let jonas = users::by_email(&app.db, JONAS).await?.context("Jonas has joined")?;
    let own = Act { actor: at_office(&jonas), ..*act };
    for (group, days, how) in
        [("mobile-bff", 120, How::Clipboard), ("fraud-scoring", 200, How::Env)]
    {
        let group = *groups.get(group).with_context(|| format!("{group} is in the story"))?;
        let period = ActivePeriod::new(act.now, Some(act.now + TimeDelta::days(days)))?;
        let note = "Second region".to_owned();
        let new = NewKey { source: Source::Generate, period, note };
        let made = key_instances::create(&own, group, new, &random_token()).await?;
        key_instances::expose(&own, made.instance.id, How::Shown).await?;
        let by = if how == How::Env { "download" } else { how.as_str() };
        key_instances::expose(&own, made.instance.id, how).await?;
        key_instances::acknowledge(&own, (group, made.instance.id), by).await?;
    }
    let tx = app.db.write().await?;
    let now = act.now + TimeDelta::hours(30);
    users::signed_in(&tx, owner, now - TimeDelta::minutes(12)).await?;
    for (email, .., hours) in PEOPLE {
        let Some(hours) = hours else { continue };
        let user = users::by_email(&app.db, email).await?.context("everybody has joined")?;
        users::signed_in(&tx, user.id, now - TimeDelta::hours(hours)).await?;
    }
    Ok(tx.commit().await?)
}
