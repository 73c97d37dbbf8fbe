//! Clients with an id and secrets: one in the middle of a rotation, one made as by Octane, one that has
//! no secret yet.
use std::net::IpAddr;

use chrono::TimeDelta;

use crate::{
    access::Held,
    domain::{ActivePeriod, SecretText},
    key_groups::{self, Description, KeyGroup, NewClient},
    key_instances::{self, NewKey, Source},
    pepper::random_token,
    policies,
    submissions::Submission,
    subscriptions::Act,
    verify::usage::Call,
    workspaces,
};

const DAY: TimeDelta = TimeDelta::days(1);

/// `act` is of now.
pub(super) async fn fill(act: &Act<'_>) -> anyhow::Result<()> {
    let partner = client(act, "partner-portal", "Partners download their settlements").await?;
    secret(act, &partner, (-80, 10), "alice@partner.example").await?;
    secret(act, &partner, (-2, 88), "").await?;
    client(act, "erp-connector", "Waits for its first secret").await?;

    let pipeline = policies::Wanted {
        name: "CI/CD Integration".to_owned(),
        description: "What the build pipeline needs".to_owned(),
        permissions: ["pricing:tables:read"].into_iter().collect(),
    };
    let pipeline = policies::create(act, &pipeline, &random_token()).await?.id;
    let role = workspaces::create_role(act, pipeline, None, &random_token()).await?.id;
    let earlier = at(act, -20);
    let chosen = SecretText::from_text("9011@83sd!f1042ds+f19fg86M".to_owned());
    let period = ActivePeriod::new(earlier.now, Some(act.now + DAY * 100))?;
    let made = NewClient {
        described: described("build-pipeline", "Made through the REST interface"),
        held: Held { roles: [role].into(), ..Default::default() },
        first: NewKey { source: Source::Own(chosen), period, note: "Pipeline".to_owned() },
    };
    key_groups::create_clients(&earlier, vec![made], Submission::unique()).await?;
    Ok(())
}

fn at<'a>(act: &Act<'a>, days: i32) -> Act<'a> {
    let now = act.now + DAY * days;
    Act { app: act.app, scope: act.scope, actor: act.actor.clone(), now }
}

fn described(name: &str, description: &str) -> Description {
    Description {
        name: name.to_owned(),
        description: description.to_owned(),
        contact: "platform@northwind.example".to_owned(),
    }
}

async fn client(act: &Act<'_>, name: &str, description: &str) -> anyhow::Result<KeyGroup> {
    let act = at(act, -80);
    let new = described(name, description);
    Ok(key_groups::create_client(&act, (&new, &Held::default()), &random_token()).await?)
}

/// Active from one day until another, saved; used if somebody has called with it.
async fn secret(
    act: &Act<'_>,
    client: &KeyGroup,
    (from, until): (i32, i32),
    contact: &str,
) -> anyhow::Result<()> {
    let then = at(act, from);
    let period = ActivePeriod::new(then.now, Some(act.now + DAY * until))?;
    let new = NewKey { source: Source::Generate, period, note: String::new() };
    let made = key_instances::create(&then, client.id, new, &random_token()).await?;
    let ids = (client.id, made.instance.id);
    key_instances::acknowledge(&then, ids, "download").await?;
    if !contact.is_empty() {
        let call = Call {
            denial: None,
            from: IpAddr::from([203, 0, 113, 20]),
            agent: contact,
            asked: None,
            workspace: None,
        };
        act.app.recorder.note_many((ids.1, ids.0), call, 412, act.now - TimeDelta::minutes(3));
    }
    Ok(())
}
