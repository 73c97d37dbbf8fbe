//! Automation tokens: of a pipeline at work, of a monitoring that only looks, and one that was revoked.
use std::net::IpAddr;

use chrono::TimeDelta;

use crate::{
    automation_tokens::{self, NewToken},
    domain::ApiScopes,
    pepper::random_token,
    subscriptions::Act,
};

/// `act` is of now.
pub(super) async fn fill(act: &Act<'_>) -> anyhow::Result<()> {
    let old = act.now - TimeDelta::days(30);
    let earlier = Act { app: act.app, scope: act.scope, actor: act.actor.clone(), now: old };
    let pipeline = ["keys:write", "access:read"];
    for (name, scopes, days) in [
        ("build-pipeline", &pipeline[..], 90),
        ("monitoring", &["keys:read"], 40),
        ("trial of a script", &["keys:verify"], 90),
    ] {
        let scopes = ApiScopes::parse(scopes.iter().copied());
        let ends_at = Some(old + TimeDelta::days(days));
        let new = NewToken { name: name.to_owned(), scopes, ends_at };
        let made = automation_tokens::create(&earlier, &new, &random_token()).await?;
        if name.starts_with("trial") {
            automation_tokens::revoke(act, made.token.id).await?;
            continue;
        }
        let (from, at) = (IpAddr::from([192, 0, 2, 44]), act.now - TimeDelta::minutes(10));
        automation_tokens::recognize(act.app, made.secret.expose(), from, at).await?;
    }
    Ok(())
}
