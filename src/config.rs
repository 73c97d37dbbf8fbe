//! The command line and the environment. The doc comments are what `--help` prints.
use std::{
    ffi::OsString,
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use anyhow::{Context, bail, ensure};
use clap::{
    Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, error::ErrorKind,
    parser::ValueSource,
};
use ipnet::IpNet;
use url::Url;

use crate::{cli::Keys, db};

/// Self-hosted administration and verification of API keys.
#[derive(Parser)]
#[command(name = "keyward", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub config: Config,
}

#[derive(Subcommand)]
pub enum Command {
    /// Serve the pages and the verification (the default).
    Serve,
    /// Bring the database to this version's schema and end.
    Migrate,
    /// Serve a filled installation to look at, in a folder of its own.
    Demo {
        /// The folder for the demo's database. It is emptied at each start.
        #[arg(long, default_value = "./demo-data")]
        folder: PathBuf,
        /// Add about so many key instances to the second subscription, for load tests. Some of
        /// their keys are written to keys.txt in the folder.
        #[arg(long, default_value_t = 0)]
        instances: usize,
    },
    /// Manage the installation without a browser.
    #[command(subcommand)]
    Admin(Admin),
    /// Check the audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Manage what services let their callers do.
    #[command(subcommand)]
    Permissions(Permissions),
    Keys(Keys),
    /// Print a script that completes the words of this command line.
    Completions {
        /// The shell that reads it.
        shell: clap_complete::Shell,
    },
}

/// The subcommands that open no installation.
const CLIENTS: [&str; 2] = ["keys", "completions"];

impl Cli {
    /// What this process was started with; what cannot be read ends it with 2.
    pub fn read() -> Self {
        Self::try_read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    fn try_read(
        words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> clap::error::Result<Self> {
        let matches = Self::whole().try_get_matches_from(words)?;
        let mut it = Self::from_arg_matches(&matches)?;
        let is_typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        let config = &mut it.config;
        for (url, file, of) in [
            ("database_url", "database_url_file", &mut config.database_url_file),
            ("smtp_url", "smtp_url_file", &mut config.smtp_url_file),
        ] {
            // A file that the environment names holds where nothing is typed.
            match (is_typed(url), is_typed(file)) {
                (true, true) => {
                    let told = format!("give --{url} or --{file}, not both").replace('_', "-");
                    return Err(Self::command().error(ErrorKind::ArgumentConflict, told));
                }
                (true, false) => *of = None,
                _ => {}
            }
        }
        Ok(it)
    }

    /// All that can be typed. The options of the server mean nothing to its clients, whose help
    /// does not show them.
    pub fn whole() -> clap::Command {
        let hidden: Vec<Arg> = server_options().into_iter().map(|it| it.hide(true)).collect();
        CLIENTS
            .into_iter()
            .fold(Self::command(), |whole, name| whole.mut_subcommand(name, |it| it.args(&hidden)))
    }

    /// The same for shells, which are shown hidden options as well: here the clients have none of
    /// the server's.
    pub fn completed() -> clap::Command {
        let options = server_options();
        let of_server = |it: &Arg| options.iter().any(|own| own.get_id() == it.get_id());
        let whole = Self::command().mut_args(|it| {
            let global = it.is_global_set() && !of_server(&it);
            it.global(global)
        });
        whole.mut_subcommands(
            |it| {
                if CLIENTS.contains(&it.get_name()) { it } else { it.args(&options) }
            },
        )
    }
}

fn server_options() -> Vec<Arg> {
    let all = Config::augment_args(clap::Command::new("options"));
    all.get_arguments().cloned().collect()
}

#[derive(Subcommand)]
pub enum Permissions {
    /// Declare all permissions of a service, as a file names them. What it no longer names is
    /// withdrawn; policies that hold it keep it, marked.
    Declare {
        /// Short name of the subscription.
        #[arg(long)]
        subscription: String,
        /// A .toml or .json file: service = "pricing", and a table [permissions] of actions with
        /// their descriptions.
        file: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum Admin {
    /// Create the owner of an empty installation and the first subscription.
    CreateOwner(CreateOwner),
}

#[derive(Subcommand)]
pub enum Audit {
    /// Recompute every hash chain; ends with 1 and names the first row that does not fit.
    Verify,
}

#[derive(Args)]
pub struct CreateOwner {
    /// The owner's e-mail address.
    #[arg(long)]
    pub email: String,
    /// The owner's name.
    #[arg(long)]
    pub name: String,
    /// Name of the first subscription, of which the owner becomes admin.
    #[arg(long)]
    pub subscription: String,
    /// Short name of the first subscription, for URLs and x-tenant-name; made from its name if
    /// left out.
    #[arg(long)]
    pub slug: Option<String>,
    /// A file whose first line is the password; without it you are asked.
    #[arg(long)]
    pub password_file: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub struct Config {
    /// SQLite or Postgres: sqlite://path/to/file.db or postgres://user:password@host/name.
    #[arg(
        long,
        global = true,
        env = "KEYWARD_DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite://./data/keyward.db"
    )]
    pub database_url: String,
    /// A file that holds the database URL, so that its password is in no environment.
    #[arg(long, global = true, env = "KEYWARD_DATABASE_URL_FILE")]
    pub database_url_file: Option<PathBuf>,
    /// Address and port to listen on.
    #[arg(long, global = true, env = "KEYWARD_BIND", default_value = "127.0.0.1:8080")]
    pub bind: SocketAddr,
    /// Address and port on which a monitoring system reads /metrics, such as 127.0.0.1:9090. Nobody
    /// is asked who they are there: names of key groups can be read. Without it none are served.
    #[arg(long, global = true, env = "KEYWARD_METRICS_BIND")]
    pub metrics_bind: Option<SocketAddr>,
    /// The address people type, such as https://keys.example.com. Needed unless --bind is a
    /// loopback address.
    #[arg(long, global = true, env = "KEYWARD_PUBLIC_URL")]
    pub public_url: Option<Url>,
    /// The file with the pepper. Made on the very first start: beside the database on SQLite,
    /// in ./data on Postgres.
    #[arg(long, global = true, env = "KEYWARD_PEPPER_FILE")]
    pub pepper_file: Option<PathBuf>,
    /// The SMTP server that sends notices by e-mail: smtp://host:port, smtps://user:password@host or
    /// smtp://host:587?tls=required. Without it none are sent.
    #[arg(long, global = true, env = "KEYWARD_SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    /// A file that holds the URL of the SMTP server, so that its password is in no environment.
    #[arg(long, global = true, env = "KEYWARD_SMTP_URL_FILE")]
    pub smtp_url_file: Option<PathBuf>,
    /// The address that e-mail comes from, such as "Keyward <keys@example.com>".
    #[arg(long, global = true, env = "KEYWARD_MAIL_FROM")]
    pub mail_from: Option<String>,
    /// Private networks that webhooks may post to, such as 10.0.0.0/8; to those also by plain http.
    /// Without it webhooks reach the public internet only.
    #[arg(
        long,
        global = true,
        env = "KEYWARD_WEBHOOK_NETWORKS",
        value_delimiter = ',',
        value_parser = network
    )]
    pub webhook_networks: Vec<IpNet>,
    /// Addresses and networks of reverse proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8.
    #[arg(
        long,
        global = true,
        env = "KEYWARD_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_parser = network
    )]
    pub trusted_proxies: Vec<IpNet>,
    /// Allow signing in over plain http on an address that is not this machine. The session can
    /// then be read on the network.
    #[arg(
        long,
        global = true,
        env = "KEYWARD_INSECURE_COOKIES",
        value_parser = clap::builder::BoolishValueParser::new()
    )]
    pub insecure_cookies: bool,
    /// How log lines look.
    #[arg(long, global = true, env = "KEYWARD_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// A network, or an address, which is one of one machine.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(|_| address())
        .map_err(|_| "say an address or a network, such as 10.0.0.5 or 10.0.0.0/8".to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// The database URL, from its file if one is named.
    pub fn database_url(&self) -> anyhow::Result<String> {
        let url = match &self.database_url_file {
            None => self.database_url.clone(),
            Some(file) => fs::read_to_string(file)
                .with_context(|| format!("cannot read the database URL from {}", file.display()))?,
        };
        // What comes next would say the URL, which may hold a password.
        let url = url.trim();
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|it| url.starts_with(it));
        ensure!(
            db::is_sqlite(url) || is_postgres,
            "the database URL begins with sqlite:// or postgres://"
        );
        ensure!(
            !is_postgres || Url::parse(url).is_ok(),
            "the database URL cannot be read: in its password, /, ?, # and % are written %2F, %3F, %23 and %25"
        );
        Ok(url.to_owned())
    }

    /// The SMTP server, from its file if one is named.
    pub fn smtp_url(&self) -> anyhow::Result<Option<Url>> {
        let (text, at) = match (&self.smtp_url_file, &self.smtp_url) {
            (None, None) => return Ok(None),
            (None, Some(text)) => (text.clone(), "--smtp-url".to_owned()),
            (Some(file), _) => {
                let at = file.display().to_string();
                let text = fs::read_to_string(file);
                (text.with_context(|| format!("cannot read the SMTP URL from {at}"))?, at)
            }
        };
        // The text may hold a password: no cause that shows it.
        let url = Url::parse(text.trim()).ok();
        Ok(Some(url.with_context(|| format!("{at} holds no SMTP URL, such as smtp://host:587"))?))
    }

    /// Where the pepper lives if no flag says it.
    pub fn pepper_file(&self) -> anyhow::Result<PathBuf> {
        if let Some(file) = &self.pepper_file {
            return Ok(file.clone());
        }
        let beside = db::sqlite_file(&self.database_url()?);
        Ok(beside.map_or_else(
            || PathBuf::from("./data/keyward.pepper"),
            |it| it.with_extension("pepper"),
        ))
    }

    pub fn site(&self) -> anyhow::Result<Site> {
        Site::new(self)
    }
}

/// Where people reach Keyward, and what follows for links, cookies and hosts.
#[derive(Clone, Debug)]
pub struct Site {
    /// Without a trailing slash, such as `https://keys.example.com`.
    pub origin: String,
    /// The values of `Host` that are answered.
    pub hosts: Vec<String>,
    pub cookies: Cookies,
}

/// What the scheme of the public URL allows for the session cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookies {
    /// https, or http on this machine: `__Host-sid; Secure`.
    Secure,
    /// http elsewhere and the operator accepts it: another name, a banner.
    Insecure,
    /// http elsewhere: browsers drop secure cookies, so signing in is refused and explained.
    Refused,
}

impl Site {
    fn new(config: &Config) -> anyhow::Result<Self> {
        let Some(url) = &config.public_url else {
            if !config.bind.ip().is_loopback() {
                bail!(
                    "--bind {} can be reached from elsewhere, so --public-url (KEYWARD_PUBLIC_URL) \
                     is needed: the address that people type, such as https://keys.example.com",
                    config.bind
                );
            }
            let port = config.bind.port();
            // As browsers spell it: without the port where that is 80.
            let spelled = |host: String| Url::parse(&format!("http://{host}"));
            let urls = [spelled(config.bind.to_string())?, spelled(format!("localhost:{port}"))?];
            let [origin, local] = urls.map(|it| it.origin().ascii_serialization());
            let host = |it: &str| it.trim_start_matches("http://").to_owned();
            let hosts = vec![host(&origin), host(&local)];
            return Ok(Self { origin, hosts, cookies: Cookies::Secure });
        };
        ensure!(
            matches!(url.scheme(), "http" | "https") && url.host().is_some(),
            "--public-url must start with http:// or https://"
        );
        ensure!(
            matches!(url.path(), "" | "/") && url.query().is_none(),
            "--public-url must have no path: Keyward serves from the root of its host"
        );
        ensure!(
            url.username().is_empty() && url.password().is_none() && url.fragment().is_none(),
            "--public-url is the address that people type: no user, no password, no #"
        );
        let origin = url.origin().ascii_serialization();
        let host = origin.split_once("://").map(|it| it.1.to_owned()).unwrap_or_default();
        let safe = url.scheme() == "https" || is_this_machine(url);
        let cookies = match (safe, config.insecure_cookies) {
            (true, _) => Cookies::Secure,
            (false, true) => Cookies::Insecure,
            (false, false) => Cookies::Refused,
        };
        Ok(Self { origin, hosts: vec![host], cookies })
    }

    /// An absolute URL to a path of ours. Never made from a request.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }
}

/// Whether nobody else can listen on the way.
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(url::Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(args: &[&str]) -> anyhow::Result<Site> {
        Cli::try_parse_from(["keyward"].iter().chain(args))?.config.site()
    }

    fn config(args: &[&str]) -> clap::error::Result<Config> {
        Ok(Cli::try_read(["keyward"].iter().chain(args))?.config)
    }

    #[test]
    fn of_a_url_and_the_file_that_holds_it_one_is_typed() {
        let typed = ["--database-url", "sqlite://./a.db"];
        let (file, both) = (["--database-url-file", "/nowhere"], "not both");
        let url = |args: &[&str]| config(args).unwrap().database_url();
        assert_eq!(url(&typed).unwrap(), "sqlite://./a.db");
        assert!(url(&file).unwrap_err().to_string().contains("/nowhere"));
        let after = ["migrate", typed[0], typed[1]];
        assert_eq!(url(&after).unwrap(), "sqlite://./a.db");
        for args in [[typed, file].concat(), [&["migrate"][..], &typed, &file].concat()] {
            assert!(config(&args).unwrap_err().to_string().contains(both), "{args:?}");
        }
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        let of = |text| config(&["--trusted-proxies", text]).map_err(|it| it.to_string());
        let known = of("10.0.0.5, 10.1.0.0/16,::1").unwrap().trusted_proxies;
        let known: Vec<_> = known.iter().map(IpNet::to_string).collect();
        assert_eq!(known, ["10.0.0.5/32", "10.1.0.0/16", "::1/128"]);
        assert!(of("gateway").unwrap_err().contains("such as 10.0.0.5"));
    }

    #[test]
    fn no_error_says_a_password() {
        let database = |url: &str| config(&["--database-url", url]).unwrap().database_url();
        let told = [
            database("postgresql+psycopg://u:pa55@h/db").unwrap_err(),
            database("postgres://u:pa55/x@h/db").unwrap_err(),
            config(&["--smtp-url", "smtps://u:pa55/x@mail"]).unwrap().smtp_url().unwrap_err(),
        ];
        for it in told {
            assert!(!format!("{it:#} {it:?}").contains("pa55"), "{it:#}");
        }
    }

    #[test]
    fn without_a_public_url_only_this_machine_is_served() {
        let local = site(&[]).unwrap();
        assert_eq!(local.origin, "http://127.0.0.1:8080");
        assert_eq!(local.hosts, ["127.0.0.1:8080", "localhost:8080"]);
        let plain = site(&["--bind", "127.0.0.1:80"]).unwrap();
        assert_eq!(plain.hosts, ["127.0.0.1", "localhost"]);
        let refused = site(&["--bind", "0.0.0.0:80"]).unwrap_err().to_string();
        assert!(refused.contains("--public-url"), "{refused}");
    }

    #[test]
    fn the_scheme_and_host_of_the_public_url_decide_about_cookies() {
        let cookies = |url: &str| site(&["--public-url", url]).unwrap().cookies;
        assert_eq!(cookies("https://keys.example.com"), Cookies::Secure);
        assert_eq!(cookies("http://localhost:9000"), Cookies::Secure);
        assert_eq!(cookies("http://[::1]:9000"), Cookies::Secure);
        assert_eq!(cookies("http://keys.lan"), Cookies::Refused);
        let accepted = site(&["--public-url", "http://keys.lan", "--insecure-cookies"]).unwrap();
        assert_eq!(accepted.cookies, Cookies::Insecure);
    }

    #[test]
    fn a_public_url_is_an_origin() {
        assert!(site(&["--public-url", "ftp://keys.example.com"]).is_err());
        assert!(site(&["--public-url", "https://example.com/keys"]).is_err());
        let it = site(&["--public-url", "https://keys.example.com:443/"]).unwrap();
        assert_eq!(
            (it.origin.as_str(), it.hosts[0].as_str()),
            ("https://keys.example.com", "keys.example.com")
        );
    }

    #[test]
    fn every_subcommand_parses() {
        Cli::whole().debug_assert();
        Cli::completed().debug_assert();
    }
}
