//! What `keyward keys` takes. The doc comments are what `--help` prints.
use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde::Serialize;
use url::Url;
use uuid::Uuid;

use super::when::{self, End, When};

const HELP: &str = "\
The token is an automation token of the subscription (kwa_...). It comes from KEYWARD_TOKEN or from the
file that --token-file names, and is never an argument: arguments can be seen by others.

Times are 2027-02-18 (its start, in UTC), 2027-02-18T10:30 (UTC), any RFC 3339 instant, or a span from
now on such as 90d, 12h, 2w.

Exit codes:
  0  done
  1  refused by a rule, or failed
  2  wrong usage
  3  not authenticated, or the token lacks a scope
  4  the server cannot be reached or cannot answer now
  5  there is no such key or key group";

/// Above the options of [`Server`].
const SERVER: &str = "Server and output";

/// List, create, rotate and revoke keys of a running Keyward, with an automation token.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Keys {
    #[command(flatten)]
    pub server: Server,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Which Keyward, and as whom.
#[derive(Args)]
pub struct Server {
    /// Where Keyward is, such as https://keys.example.com.
    #[arg(long, global = true, help_heading = SERVER, env = "KEYWARD_URL")]
    pub url: Option<Url>,
    /// A file that holds the token, in place of KEYWARD_TOKEN.
    #[arg(long, global = true, help_heading = SERVER, env = "KEYWARD_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Send the token over plain http to another machine. It can then be read on the network.
    #[arg(long, global = true, help_heading = SERVER)]
    pub insecure: bool,
    /// Print what the API has answered, as JSON.
    #[arg(long, global = true, help_heading = SERVER)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Verb {
    /// List keys, without their secrets.
    #[command(after_help = HELP)]
    List(List),
    /// Make a key. Its secret is all that stands on standard output, and is given this one time.
    #[command(after_help = HELP)]
    Create(Create),
    /// Make a key that takes over from another one. Its secret is all that stands on standard
    /// output, and is given this one time.
    #[command(after_help = HELP)]
    Rotate(Rotate),
    /// Revoke a key: refused at once and for good.
    #[command(after_help = HELP)]
    Revoke(Revoke),
}

#[derive(Args)]
pub struct List {
    /// Only keys of this key group: its name or its id.
    #[arg(long, value_parser = named)]
    pub group: Option<String>,
    /// Only keys with this status.
    #[arg(long)]
    pub status: Option<Status>,
    /// Only live keys that end before this time.
    #[arg(long, value_name = "TIME", value_parser = when::time)]
    pub expiring_before: Option<When>,
    /// At most so many.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Status {
    Active,
    #[value(alias = "expiring_soon")]
    ExpiringSoon,
    #[value(alias = "active_in_the_future")]
    ActiveInTheFuture,
    Expired,
    Deactivated,
    Live,
}

impl Status {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ExpiringSoon => "expiring_soon",
            Self::ActiveInTheFuture => "active_in_the_future",
            Self::Expired => "expired",
            Self::Deactivated => "deactivated",
            Self::Live => "live",
        }
    }
}

#[derive(Args)]
#[command(group = ArgGroup::new("where").args(["group", "new_group"]).required(true))]
pub struct Create {
    /// A further key of this key group: its name or its id.
    #[arg(long, value_parser = named)]
    pub group: Option<String>,
    /// The first key of a new key group with this name.
    #[arg(long, value_name = "NAME", value_parser = named)]
    pub new_group: Option<String>,
    /// What the new key group is for.
    #[arg(long, requires = "new_group", default_value = "")]
    pub description: String,
    #[command(flatten)]
    pub new: New,
}

/// What a new key is to be.
#[derive(Args)]
pub struct New {
    /// When it ends: a time, or never. Without it, after the default lifetime of the subscription.
    #[arg(long, value_name = "TIME|never", value_parser = when::end)]
    pub until: Option<End>,
    /// When it starts. Without it, at once.
    #[arg(long, value_name = "TIME", value_parser = when::time)]
    pub from: Option<When>,
    /// A note for people.
    #[arg(long, default_value = "")]
    pub note: String,
    /// By which this request is known if it is sent again: nothing is made twice. Random without
    /// it. Use it with dates: a span such as 90d is another end each time.
    #[arg(long, value_name = "TEXT", value_parser = idempotency_key)]
    pub idempotency_key: Option<String>,
}

#[derive(Args)]
#[command(
    group = ArgGroup::new("which").args(["group", "key"]).required(true).multiple(true)
)]
pub struct Rotate {
    /// The key group: its name or its id. An id of a key needs none.
    #[arg(long, value_parser = named)]
    pub group: Option<String>,
    /// The key that gives way: k-3 or its id. Without it, the newest active one.
    #[arg(long, value_parser = key)]
    pub key: Option<Key>,
    /// How long the old key still works from the start of the new one on: own is until its own end.
    #[arg(long, default_value = "24h")]
    pub overlap: Overlap,
    #[command(flatten)]
    pub new: New,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    Now,
    #[value(name = "1h")]
    #[serde(rename = "1h")]
    Hour,
    #[value(name = "24h")]
    #[serde(rename = "24h")]
    Day,
    #[value(name = "7d")]
    #[serde(rename = "7d")]
    Week,
    Own,
}

impl Overlap {
    pub fn is_span(self) -> bool {
        matches!(self, Self::Hour | Self::Day | Self::Week)
    }

    /// What happens to the old key.
    pub fn told(self) -> &'static str {
        match self {
            Self::Now => "The old key is refused from now on.",
            Self::Hour => "The old key works for 1 hour at most.",
            Self::Day => "The old key works for 24 hours at most.",
            Self::Week => "The old key works for 7 days at most.",
            Self::Own => "The old key keeps its own end.",
        }
    }
}

#[derive(Args)]
#[command(group = ArgGroup::new("which").args(["id", "group"]).required(true))]
pub struct Revoke {
    /// The id of the key.
    pub id: Option<Uuid>,
    /// The key group: its name or its id.
    #[arg(long, value_parser = named, requires = "key")]
    pub group: Option<String>,
    /// Which key of the group: k-3 or its id.
    #[arg(long, value_parser = key, requires = "group")]
    pub key: Option<Key>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// Which key is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Id(Uuid),
    /// `k-3`
    Label(String),
}

fn key(text: &str) -> Result<Key, String> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(Key::Id(id));
    }
    let label = text.trim().to_lowercase();
    let number = label.strip_prefix("k-").filter(|it| !it.is_empty());
    match number.is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit())) {
        true => Ok(Key::Label(label)),
        false => Err("say k-3, or the id of the key".to_owned()),
    }
}

fn named(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("say a name or an id".to_owned()) } else { Ok(text.to_owned()) }
}

fn idempotency_key(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic());
    let told = "use 1 to 255 letters, digits and signs, without spaces";
    if fits { Ok(text.to_owned()) } else { Err(told.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_label_or_its_id() {
        assert_eq!(key("K-12"), Ok(Key::Label("k-12".to_owned())));
        let id = "8bb11574-0385-43dd-92a4-ad285d9f3d30";
        assert_eq!(key(id), Ok(Key::Id(id.parse().unwrap())));
        // A secret in the wrong place, too.
        for wrong in ["k-", "k-x", "12", "", "kw_0123"] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }
}
