//! `keyward keys`: a client of the native interface for scripts. Standard output has what was asked for
//! and nothing else (of a new key its secret); everything for people is on standard error; the exit
//! code says what went wrong. It opens no database and no pepper, and writes no log.
mod args;
mod client;
mod failure;
mod table;
mod when;

use std::{
    borrow::Cow,
    io::{self, ErrorKind, IsTerminal, Write},
    process::ExitCode,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use self::args::Keys;
use self::{
    args::{Create, Key, List, New, Overlap, Revoke, Rotate, Verb},
    client::{Body, Client},
    failure::Failure,
    table::{Instance, Reference, plain},
    when::End,
};
use crate::{
    clock::{Clock, iso},
    config,
    pepper::random_token,
};

type Result<T> = std::result::Result<T, Failure>;

/// Runs `keyward keys`.
pub fn keys(keys: &Keys) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(keys)),
        Err(error) => Err(Failure::failed(error.to_string())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let mut lines = failure.lines.iter();
            tell(&format!("keyward: {}", lines.next().map_or("it failed", String::as_str)));
            lines.for_each(|it| tell(it));
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Prints the script for a shell.
pub fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut config::Cli::completed(), "keyward", &mut script);
    match print(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("keyward: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// For people. That nobody reads it is no failure.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()
}

async fn run(keys: &Keys) -> Result<()> {
    let client = Client::new(&keys.server)?;
    let it = Run { client, json: keys.server.json, now: Clock::System.now() };
    match &keys.verb {
        Verb::List(list) => it.list(list).await,
        Verb::Create(create) => it.create(create).await,
        Verb::Rotate(rotate) => it.rotate(rotate).await,
        Verb::Revoke(revoke) => it.revoke(revoke).await,
    }
}

/// A key to be made, as the API reads it.
#[derive(Serialize)]
struct NewInstance<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// Not there: the default of the subscription. `null`: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Option<String>>,
    note: &'a str,
}

#[derive(Serialize)]
struct NewGroup<'a> {
    name: &'a str,
    description: &'a str,
    instance: NewInstance<'a>,
}

#[derive(Serialize)]
struct Rotation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<Uuid>,
    overlap: Overlap,
    new: NewInstance<'a>,
}

/// The answer to a creating call. The secret is borrowed from the body, which is wiped; no generated
/// one needs escapes in JSON.
#[derive(Deserialize)]
struct Made<'a> {
    instance: Instance,
    #[serde(borrow)]
    secret: Cow<'a, str>,
}

/// One run of the program.
struct Run {
    client: Client,
    json: bool,
    now: DateTime<Utc>,
}

impl Run {
    async fn list(&self, list: &List) -> Result<()> {
        let path = match &list.group {
            Some(group) => format!("/key-groups/{}/instances", self.group(group).await?.id),
            None => "/instances".to_owned(),
        };
        let before = list.expiring_before.map(|it| iso(it.instant(self.now)));
        let filters =
            [("status", list.status.map(|it| it.as_str().to_owned())), ("expiring_before", before)];
        let filters: Vec<(&str, &str)> =
            filters.iter().filter_map(|(name, it)| Some((*name, it.as_deref()?))).collect();
        let found = self.client.list(&path, &filters, list.limit).await?;
        let text = if self.json {
            let text = serde_json::to_string_pretty(&found);
            text.map_err(|it| Failure::failed(it.to_string()))? + "\n"
        } else if found.is_empty() {
            tell("There are no such keys.");
            return Ok(());
        } else {
            table::of(&read(found)?, self.now)
        };
        match print(text.as_bytes()) {
            // Whoever reads has seen enough: keys list | head
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|it| Failure::failed(it.to_string())),
        }
    }

    async fn create(&self, create: &Create) -> Result<()> {
        let (new, key) = (self.new_instance(&create.new), idempotency_key(&create.new));
        let body = match (&create.new_group, &create.group) {
            (Some(name), _) => {
                let new = NewGroup { name, description: &create.description, instance: new };
                self.client.create("/key-groups", &new, &key).await?
            }
            (None, group) => {
                let group = self.group(group.as_deref().unwrap_or_default()).await?;
                let path = format!("/key-groups/{}/instances", group.id);
                self.client.create(&path, &new, &key).await?
            }
        };
        self.give(&body, None)
    }

    async fn rotate(&self, rotate: &Rotate) -> Result<()> {
        let (group, old) = match (&rotate.group, &rotate.key) {
            (Some(group), key) => {
                let group = self.group(group).await?;
                let old = match key {
                    Some(key) => Some(self.key(&group, key).await?),
                    None => None,
                };
                (group.id, old)
            }
            (None, Some(Key::Id(id))) => (self.instance(*id).await?.key_group.id, Some(*id)),
            (None, _) => return Err(Failure::usage("Of which key group? Give --group.")),
        };
        let new = self.new_instance(&rotate.new);
        let rotation = Rotation { instance: old, overlap: rotate.overlap, new };
        let path = format!("/key-groups/{group}/rotation");
        let body = self.client.create(&path, &rotation, &idempotency_key(&rotate.new)).await?;
        self.give(&body, Some(rotate.overlap))
    }

    async fn revoke(&self, revoke: &Revoke) -> Result<()> {
        let id = match (&revoke.id, &revoke.group, &revoke.key) {
            (Some(id), ..) => *id,
            (None, Some(group), Some(key)) => self.key(&self.group(group).await?, key).await?,
            _ => return Err(Failure::usage("Which key? Give its id, or --group and --key.")),
        };
        let seen = self.instance(id).await?;
        if !revoke.yes {
            ask(&seen).await?;
        }
        let body = self.client.post(&format!("/instances/{id}/revocation")).await?;
        let after: Instance = body.read()?;
        tell(&format!("Revoked {} ({}). It is refused from now on.", after.name(), after.id));
        if self.json { self.answer(&body) } else { Ok(()) }
    }

    /// The secret for the script, the rest for whoever looks on.
    fn give(&self, body: &Body, overlap: Option<Overlap>) -> Result<()> {
        // Also where only the answer is printed: it must be one.
        let Made { instance: it, secret } = body.read()?;
        let printed = match self.json {
            true => print(body.bytes()).and_then(|()| print(b"\n")),
            false => print(secret.as_bytes()).and_then(|()| print(b"\n")),
        };
        tell(&format!("Made {} ({}), {}.", it.name(), plain(&it.id), it.end(self.now)));
        let waits = it.from > self.now && it.status == "active_in_the_future";
        if waits {
            tell("It does not work before its start.");
        }
        if let Some(overlap) = overlap {
            tell(overlap.told());
        }
        if waits && overlap.is_some_and(Overlap::is_span) {
            tell("That counts from the start of the new one.");
        }
        printed.map_err(|error| {
            let told = format!("The secret could not be written: {error}");
            let rotate = format!("keyward keys rotate --key {} --overlap now", plain(&it.id));
            Failure::failed(told).line(format!("It is not given again. Make another: {rotate}"))
        })
    }

    fn answer(&self, body: &Body) -> Result<()> {
        let printed = print(body.bytes()).and_then(|()| print(b"\n"));
        printed.map_err(|it| Failure::failed(it.to_string()))
    }

    fn new_instance<'a>(&self, new: &'a New) -> NewInstance<'a> {
        let until = new.until.map(|it| match it {
            End::Never => None,
            End::When(when) => Some(iso(when.instant(self.now))),
        });
        NewInstance { from: new.from.map(|it| iso(it.instant(self.now))), until, note: &new.note }
    }

    /// The one key group with this name or id.
    async fn group(&self, wanted: &str) -> Result<Reference> {
        if let Ok(id) = Uuid::try_parse(wanted) {
            let found = self.client.get(&format!("/key-groups/{id}")).await;
            return found.map_err(|it| it.or_missing(|| format!("There is no key group {id}.")));
        }
        let found = self.client.list("/key-groups", &[("q", wanted)], None).await?;
        let mut found: Vec<Reference> = read(found)?;
        found.retain(|it| it.name.to_lowercase() == wanted.to_lowercase());
        match (found.pop(), found.is_empty()) {
            (Some(it), true) => Ok(it),
            (None, _) => {
                Err(Failure::not_found(format!("There is no key group “{}”.", plain(wanted))))
            }
            (Some(_), false) => Err(Failure::failed(format!(
                "There are several key groups “{}”. Give the id of one.",
                plain(wanted)
            ))),
        }
    }

    /// The id of a key of this group.
    async fn key(&self, group: &Reference, wanted: &Key) -> Result<Uuid> {
        let missing = |key: &dyn std::fmt::Display| {
            Failure::not_found(format!("{} has no key {key}.", plain(&group.name)))
        };
        match wanted {
            Key::Id(id) => {
                let found = self.instance(*id).await?;
                if found.key_group.id == group.id { Ok(*id) } else { Err(missing(id)) }
            }
            Key::Label(label) => {
                let path = format!("/key-groups/{}/instances", group.id);
                let all: Vec<Instance> = read(self.client.list(&path, &[], None).await?)?;
                let found = all.iter().find(|it| it.label == *label);
                found.and_then(|it| it.id.parse().ok()).ok_or_else(|| missing(label))
            }
        }
    }

    async fn instance(&self, id: Uuid) -> Result<Instance> {
        let found = self.client.get(&format!("/instances/{id}")).await;
        found.map_err(|it| it.or_missing(|| format!("There is no key {id}.")))
    }
}

fn idempotency_key(new: &New) -> String {
    new.idempotency_key.clone().unwrap_or_else(random_token)
}

/// The objects of a list, as far as they are needed.
fn read<T: serde::de::DeserializeOwned>(found: Vec<Value>) -> Result<Vec<T>> {
    let all = found.into_iter().map(serde_json::from_value).collect::<std::result::Result<_, _>>();
    all.map_err(|_| Failure::failed("The answer is none that Keyward gives. Is --url right?"))
}

/// Whether it is to be done after all: on a terminal only.
async fn ask(key: &Instance) -> Result<()> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        let told =
            "There is nobody to ask, so nothing was done. Give --yes to revoke it all the same.";
        return Err(Failure::usage(told));
    }
    tell(&format!("{}, {}, last used: {}", key.name(), plain(&key.mask), key.last_used()));
    let _ = write!(io::stderr(), "Revoke it? It is refused at once and for good. [y/N] ");
    // On a thread of its own, so that the connection is not forgotten meanwhile.
    let typed = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let typed = typed.await.map_err(io::Error::from).and_then(|it| it);
    let typed = typed.map_err(|it| Failure::failed(it.to_string()))?;
    match typed.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::failed("Nothing was done.")),
    }
}
