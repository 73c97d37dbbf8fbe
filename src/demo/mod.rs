//! A filled installation to look at, in a folder of its own: for developers, screenshots and
//! newcomers. It is made by the same verbs as any other, at instants of the past.
mod access;
pub mod bulk;
mod clients;
mod people;
mod story;
mod tokens;

use std::{
    collections::HashMap,
    fs::{self, File, TryLockError},
    net::IpAddr,
    path::Path,
};

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use self::story::{CALLS, GROUPS, STEPS, Step};
use crate::{
    access::Held,
    audit::{Actor, Client},
    config::Config,
    db::{self, Db},
    domain::{ActivePeriod, Denial, Role, SecretText, lifecycle::Overlap},
    http::App,
    installation::{self, SetUp},
    key_groups::{self, Description},
    key_instances::{self, NewKey, Source},
    members, notices,
    pepper::random_token,
    subscriptions::{self, Act, NewSubscription, Scope},
    users::{self, NewUser, User},
    verify::usage::Call,
};

/// Marks a folder as one whose contents may be thrown away.
const MARKER: &str = "this-is-a-keyward-demo";

/// Some keys of `--instances`, for a load generator.
const KEYS: &str = "keys.txt";
/// As many as no cache of the processor holds at once.
const KEYS_WRITTEN: usize = 20_000;

const IDA: &str = "ida@northwind.example";
/// The slug of the second subscription.
const LAB: &str = "lab";

/// Known to everybody: the reason why the demonstration listens on this machine only.
const PASSWORD: &str = "a password for the demo";

pub const SIGN_IN_HELP: &str = "    ida@northwind.example     owner of the installation and admin
    tomas@northwind.example   auditor
    jonas@northwind.example   admin
    noor@northwind.example    member
    password of all four:     a password for the demo";

/// The configuration with a database in `folder`, which must be empty or a demonstration that does not run. The
/// file is to be kept open for as long as this one does.
pub fn config(config: Config, folder: &Path) -> anyhow::Result<(Config, File)> {
    ensure!(
        config.bind.ip().is_loopback(),
        "the demonstration has a known password, so it listens on this machine only: leave --bind out"
    );
    let shown = folder.display();
    fs::create_dir_all(folder).with_context(|| format!("cannot create {shown}"))?;
    let is_empty = fs::read_dir(folder)?.next().is_none();
    if !is_empty && !folder.join(MARKER).exists() {
        bail!("{shown} holds something else than a demonstration; name another --folder");
    }
    // What is emptied under a running one is lost to it.
    let marker = File::options().create(true).append(true).open(folder.join(MARKER))?;
    if let Err(TryLockError::WouldBlock) = marker.try_lock() {
        bail!("a demonstration runs in {shown}; stop it, or name another --folder");
    }
    // Another database than a file stays as it is, and so does its pepper.
    let own: &[&str] = match db::is_sqlite(&config.database_url) {
        true => &[
            "keyward.db",
            "keyward.db-wal",
            "keyward.db-shm",
            "keyward.db-journal",
            "keyward.pepper",
        ],
        false => &[],
    };
    for file in own.iter().chain(&[KEYS]) {
        let file = folder.join(file);
        if file.exists() {
            fs::remove_file(file)?;
        }
    }
    fs::write(folder.join(MARKER), "Everything in this folder is made anew by `keyward demo`.\n")?;
    // Another database than a file is used as it is, if nobody is in it: its owner is made there.
    let database_url = match config.database_url {
        url if !db::is_sqlite(&url) => url,
        _ => format!("sqlite://{}/keyward.db", folder.display()),
    };
    let pepper_file = Some(folder.join("keyward.pepper"));
    Ok((Config { database_url, database_url_file: None, pepper_file, ..config }, marker))
}

/// Makes the people, two subscriptions, and the story of the first. The second is for [`fill_lab`].
pub async fn fill(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let began = now - TimeDelta::days(400);
    let owner = SetUp {
        owner: person(IDA, "Ida Marsh"),
        subscription: NewSubscription { name: "Northwind Re".into(), slug: "northwind".into() },
    };
    let line = Actor::command_line();
    let (ida, northwind) = installation::create_owner(app, owner, None, &line, began).await?;
    let actor = at_office(&ida);
    people::join(app, &northwind, &actor, now).await?;
    let lab = NewSubscription { name: "Northwind Lab".into(), slug: LAB.into() };
    let lab = subscriptions::create(app, lab, &actor, began).await?;
    let token = members::invite(app, &lab, (&ida.email, Role::Admin), &actor, began).await?;
    members::accept_as(app, &token, &ida, &actor, began).await?;

    let (scope, _) = subscriptions::enter(&app.db, ida.id, &[], &northwind.slug).await?;
    let teller = Teller { app, scope: &scope, actor: &actor, now };
    let groups = tell(&teller, STEPS, GROUPS).await?;
    access::fill(&teller.act(now - TimeDelta::hours(20)), &groups).await?;
    people::work(&teller.act(now - TimeDelta::hours(30)), &groups, ida.id).await?;
    clients::fill(&teller.act(now)).await?;
    tokens::fill(&teller.act(now)).await?;
    let (scope, _) = subscriptions::enter(&app.db, ida.id, &[], &lab.slug).await?;
    tell(&Teller { app, scope: &scope, actor: &actor, now }, story::LAB_STEPS, story::LAB_GROUPS)
        .await?;
    app.recorder.flush(&app.db, now).await?;
    for days in [6, 2, 0] {
        notices::notice(app, now - TimeDelta::days(days)).await?;
    }
    Ok(())
}

/// Makes many instances in the second subscription, in bulk.
pub async fn fill_lab(app: &mut App, instances: usize) -> anyhow::Result<()> {
    let url = app.config.database_url()?;
    app.db.clone().close().await?;
    let alone = Db::open_for_bulk(&url).await;
    app.db = alone.context("cannot have the demonstration's database alone: is it in use?")?;
    let ida = users::by_email(&app.db, IDA).await?.context("the demonstration has its owner")?;
    let actor = at_office(&ida);
    let (scope, _) = subscriptions::enter(&app.db, ida.id, &[], LAB).await?;
    let act = Act { app, scope: &scope, actor, now: app.clock.now() };
    let keys = bulk::fill(&act, instances).await?;
    app.db.clone().close().await?;
    app.db = Db::open(&url).await.context("cannot open the database again")?;
    let keys = keys.iter().take(KEYS_WRITTEN);
    let text = keys.fold(String::new(), |all, it| all + it.expose() + "\n");
    fs::write(app.config.pepper_file()?.with_file_name(KEYS), text)?;
    Ok(())
}

fn person(email: &str, name: &str) -> NewUser {
    NewUser {
        email: email.to_owned(),
        name: name.to_owned(),
        password: Zeroizing::new(PASSWORD.to_owned()),
    }
}

fn at_office(user: &User) -> Actor {
    Actor { user_id: Some(user.id), name: user.email.clone(), client: from_office() }
}

fn from_office() -> Client {
    Client {
        address: IpAddr::from([10, 4, 0, 17]),
        agent: "Mozilla/5.0 (demonstration)".to_owned(),
        request_id: String::new(),
    }
}

struct Teller<'a> {
    app: &'a App,
    scope: &'a Scope,
    actor: &'a Actor,
    now: DateTime<Utc>,
}

impl Teller<'_> {
    fn act(&self, now: DateTime<Utc>) -> Act<'_> {
        Act { app: self.app, scope: self.scope, actor: self.actor.clone(), now }
    }

    fn at(&self, hours: i64) -> DateTime<Utc> {
        self.now + TimeDelta::hours(hours)
    }
}

/// The keys made so far: by the name of their group and their label.
type Made = HashMap<(&'static str, i32), (Uuid, Uuid)>;

/// Takes the steps in the order of their instants, then notes the calls. Gives the groups' ids.
async fn tell(
    it: &Teller<'_>,
    steps: &[(i64, Step)],
    groups: &[(&'static str, &str)],
) -> anyhow::Result<HashMap<&'static str, Uuid>> {
    let mut steps: Vec<_> = steps.iter().collect();
    steps.sort_by_key(|it| it.0);
    let mut made = Made::new();
    for (hours, step) in steps {
        take(it, it.at(*hours), step, groups, &mut made)
            .await
            .with_context(|| format!("the demonstration fails at {step:?}"))?;
    }
    for calls in CALLS {
        let Some(ids) = made.get(&(calls.group, calls.label)) else { continue };
        let (group, instance) = *ids;
        let from = IpAddr::from(calls.from);
        for day in (0..calls.days).rev() {
            let call = Call {
                denial: calls.refused.then_some(Denial::Expired),
                from,
                agent: "okhttp/5.1",
                asked: calls.asked,
                workspace: None,
            };
            let at = it.now - TimeDelta::seconds(calls.last_seconds) - TimeDelta::days(day);
            it.app.recorder.note_many((instance, group), call, calls.per_day, at);
        }
    }
    Ok(made.into_iter().map(|(key, ids)| (key.0, ids.0)).collect())
}

async fn take(
    it: &Teller<'_>,
    at: DateTime<Utc>,
    step: &Step,
    groups: &[(&'static str, &str)],
    made: &mut Made,
) -> anyhow::Result<()> {
    let act = it.act(at);
    match *step {
        Step::Key { group, label, until, note, own } => {
            let until = until.map(|hours| it.at(hours));
            let source = own
                .map_or(Source::Generate, |own| Source::Own(SecretText::from_text(own.to_owned())));
            let period = ActivePeriod::new(at, until)?;
            let new = NewKey { source, period, note: note.to_owned() };
            issue(&act, (group, label), new, groups, made).await
        }
        Step::Later { group, label, from, until, note } => {
            let period = ActivePeriod::new(it.at(from), Some(it.at(until)))?;
            let new = NewKey { source: Source::Generate, period, note: note.to_owned() };
            issue(&act, (group, label), new, groups, made).await
        }
        Step::Saved { group, label } => {
            key_instances::acknowledge(&act, made[&(group, label)], "clipboard").await?;
            Ok(())
        }
        Step::Deactivate { group, label } => {
            key_instances::deactivate(&act, made[&(group, label)]).await?;
            Ok(())
        }
        Step::Revoke { group, label } => {
            key_instances::revoke(&act, made[&(group, label)]).await?;
            Ok(())
        }
        Step::Rotate { group, label, days } => {
            let until = Some(at + TimeDelta::days(days));
            let period = ActivePeriod::new(at, until)?;
            let new = NewKey { source: Source::Generate, period, note: String::new() };
            let old = made[&(group, label)];
            let issued =
                key_instances::rotate(&act, old, new, Overlap::Own, &random_token()).await?;
            made.insert((group, label + 1), (old.0, issued.instance.id));
            Ok(())
        }
    }
}

/// The first key of a group makes the group.
async fn issue(
    act: &Act<'_>,
    (group, label): (&'static str, i32),
    new: NewKey,
    groups: &[(&'static str, &str)],
    made: &mut Made,
) -> anyhow::Result<()> {
    let token = random_token();
    let known = made.iter().find(|(key, _)| key.0 == group).map(|(_, ids)| ids.0);
    let issued = match known {
        Some(id) => key_instances::create(act, id, new, &token).await?,
        None => {
            let description = groups.iter().find(|it| it.0 == group).map(|it| it.1);
            let new_group = Description {
                name: group.to_owned(),
                description: description.unwrap_or_default().to_owned(),
                contact: "platform@northwind.example".to_owned(),
            };
            key_groups::create(act, (&new_group, &Held::default()), new, &token).await?
        }
    };
    made.insert((group, label), (issued.instance.key_group_id, issued.instance.id));
    Ok(())
}
