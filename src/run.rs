//! The subcommands.
use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::{rt::System, web::Data};
use anyhow::{Context, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::timeout,
};
use zeroize::Zeroizing;

use crate::{
    access,
    audit::{self, Actor},
    cli,
    clock::Clock,
    config::{Admin, Audit, Cli, Command, Config, CreateOwner, LogFormat, Permissions},
    db::{self, Db},
    demo,
    error::Error,
    http::App,
    installation::{self, SetUp},
    key_groups,
    live::{Keeper, Live},
    metrics::Metrics,
    notices::{self, Noticer, Senders},
    permissions, server, sessions, submissions,
    subscriptions::{self, Act, NewSubscription},
    throttle,
    users::{NewUser, Passwords},
    verify::{ClientSecrets, usage},
};

/// How long what is pending may take to be written when it stops, behind the requests that run.
const LAST_WORDS: Duration = Duration::from_secs(10);

pub fn main() -> ExitCode {
    let mut cli = Cli::read();
    // They are clients: without a log, a database or a pepper.
    cli.command = match cli.command {
        Some(Command::Keys(keys)) => return cli::keys(&keys),
        Some(Command::Completions { shell }) => return cli::completions(shell),
        other => other,
    };
    let done = start_log(cli.config.log_format);
    match done.and_then(|()| System::new().block_on(run(cli))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keyward: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    let config = cli.config;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config).await,
        Command::Migrate => migrate(&config).await,
        Command::Demo { folder, instances } => {
            let (config, _running) = demo::config(config, &folder)?;
            let mut app = open(config, Clock::System).await?;
            demo::fill(&app).await?;
            if instances > 0 {
                demo::fill_lab(&mut app, instances).await?;
            }
            let ports = Ports::bind(&app)?;
            announce_demo(&app);
            listen(Data::new(app), ports).await
        }
        Command::Admin(Admin::CreateOwner(it)) => create_owner(config, it).await,
        Command::Audit(Audit::Verify) => verify_audit(config).await,
        Command::Permissions(Permissions::Declare { subscription, file }) => {
            declare(config, &subscription, &file).await
        }
        Command::Keys(_) | Command::Completions { .. } => bail!("main has done these"),
    }
}

fn start_log(format: LogFormat) -> anyhow::Result<()> {
    let filter = match std::env::var("KEYWARD_LOG").ok().filter(|it| !it.is_empty()) {
        Some(wanted) => tracing_subscriber::EnvFilter::try_new(wanted)
            .context("KEYWARD_LOG is not understood: say info, debug or keyward=debug,info")?,
        None => {
            // Postgres notes at each start that what a migration makes if it is missing is not missing.
            let quiet = "actix_server=warn,sea_orm_migration=warn,sqlx::postgres::notice=warn";
            tracing_subscriber::EnvFilter::new(format!("info,{quiet}"))
        }
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Opens everything that serving needs: the same for `main` and for tests.
pub async fn open(config: Config, clock: Clock) -> anyhow::Result<App> {
    let site = config.site()?;
    let url = config.database_url()?;
    prepare_folders(&config, &url)?;
    restrict(&url)?;
    db::migrate(&url).await.context("the database cannot be brought to this version's schema")?;
    let db = Db::open(&url).await.context("cannot open the database")?;
    // A file that can only be read could revoke nothing.
    drop(db.write().await.context("the database cannot be written")?);
    let peppers =
        Arc::new(installation::open_pepper(&db, &config.pepper_file()?, clock.now()).await?);
    let passwords = Passwords::new(peppers.derive("passwords"));
    let senders = Senders::new(&config)?;
    let metrics = Metrics::new(clock.now());
    db.give_way_to(metrics.all_verified());
    Ok(App {
        client_secrets: ClientSecrets::new(&passwords),
        passwords,
        sealing_key: peppers.cookie_key("sealed cookies"),
        live: Arc::new(Live::new(peppers.clone())),
        recorder: usage::Recorder::default(),
        metrics,
        senders,
        db,
        clock,
        config,
        site,
        peppers,
    })
}

/// The folders of the database and of the pepper, which a first start makes.
fn prepare_folders(config: &Config, url: &str) -> anyhow::Result<()> {
    let files = [db::sqlite_file(url), Some(config.pepper_file()?)];
    for folder in files.iter().flatten().filter_map(|it| it.parent()) {
        if !folder.as_os_str().is_empty() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
    }
    if let Some(file) = db::sqlite_file(url).filter(|it| !it.exists()) {
        // SQLite gives its log files the mode that this one has when it is opened.
        use std::os::unix::fs::OpenOptionsExt;
        let made =
            fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&file);
        made.with_context(|| format!("cannot create {}", file.display()))?;
    }
    Ok(())
}

/// The database file is for nobody else's eyes.
fn restrict(url: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let Some(file) = db::sqlite_file(url).filter(|it| it.exists()) else { return Ok(()) };
    let wanted = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&file, wanted).with_context(|| {
        let file = file.display();
        format!("cannot make {file} writable, and readable for its owner alone: it must be yours")
    })
}

/// Of a database that must be there already: a mistyped path makes none.
async fn open_existing(config: Config) -> anyhow::Result<App> {
    if let Some(file) = db::sqlite_file(&config.database_url()?).filter(|it| !it.exists()) {
        bail!("there is no database at {}", file.display());
    }
    open(config, Clock::System).await
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let app = Data::new(open(config, Clock::System).await?);
    // A start that fails must not end the link of a server that runs.
    let ports = Ports::bind(&app)?;
    match installation::setup_link(&app).await? {
        Some(link) => println!(
            "\nNobody can sign in yet. Open this link within 24 hours to create the owner:\n\n    \
             {link}\n"
        ),
        None => println!("\nSign in at {}\n", app.site.url("/sign-in")),
    }
    listen(app, ports).await
}

/// Where it listens.
struct Ports {
    pages: TcpListener,
    metrics: Option<TcpListener>,
}

impl Ports {
    fn bind(app: &App) -> anyhow::Result<Self> {
        let metrics = app.config.metrics_bind.map(listener).transpose();
        Ok(Self {
            pages: listener(app.config.bind)?,
            metrics: metrics.context("the metrics cannot be served")?,
        })
    }
}

/// Serves until SIGTERM or SIGINT, lets running requests finish, and writes what is pending.
async fn listen(app: Data<App>, ports: Ports) -> anyhow::Result<()> {
    let bind = app.config.bind;
    let server = server::start(ports.pages, app.clone())?;
    let handle = server.handle();
    let metrics = match ports.metrics {
        Some(listener) => {
            let bind = listener.local_addr()?;
            let server = server::start_metrics(listener, app.clone())?;
            tracing::info!(%bind, "serving metrics");
            Some((server.handle(), actix_web::rt::spawn(server)))
        }
        None => None,
    };
    let keeper = Keeper::start(app.live.clone(), &app.db);
    let running = actix_web::rt::spawn(server);
    let (stop, stopped) = watch::channel(());
    let housekeeping = actix_web::rt::spawn(keep_house(app.clone(), stopped.clone()));
    let noticing = actix_web::rt::spawn(notice(app.clone(), stopped));
    tracing::info!(%bind, origin = app.site.origin, "listening");

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: running requests may finish");
    handle.stop(true).await;
    running.await??;
    if let Some((handle, running)) = metrics {
        handle.stop(true).await;
        running.await??;
    }
    // Not aborted: a batch that it is writing would be lost.
    drop(stop);
    let mut noticing = noticing;
    let noticed = async {
        if timeout(LAST_WORDS, &mut noticing).await.is_err() {
            tracing::warn!("a receiver of notices is slow: the next process sends them again");
            noticing.abort();
        }
    };
    let rest = async {
        housekeeping.await?;
        if let Err(error) = keeper.stop().await {
            tracing::warn!(?error, "other nodes wait for this one until its lease has run out");
        }
        anyhow::Ok(app.recorder.flush(&app.db, app.clock.now()).await?)
    };
    // At once: a supervisor does not wait for long. And a database that is silent would be waited for without end.
    let ((), ended) = tokio::join!(noticed, timeout(LAST_WORDS, rest));
    ended.context("the database does not answer: the last uses of keys are not written")??;
    app.db.clone().close().await?;
    tracing::info!("stopped");
    Ok(())
}

fn listener(bind: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(bind).with_context(|| format!("cannot listen on {bind}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Batches of usage, and forgetting what ended long ago.
async fn keep_house(app: Data<App>, mut stopped: watch::Receiver<()>) {
    const PRUNE_EVERY: u32 = 400; // batches: an hour
    let failing = AtomicBool::new(false);
    let mut next = tokio::time::Instant::now();
    for n in 0_u32.. {
        tokio::select! {
            _ = tokio::time::sleep_until(next) => {}
            _ = stopped.changed() => return,
        }
        let (start, now) = (tokio::time::Instant::now(), app.clock.now());
        let written = app.recorder.flush(&app.db, now).await;
        if let Err(error) = &written
            && !failing.load(Ordering::Relaxed)
        {
            tracing::warn!(?error, "the use of keys cannot be written; it is kept for later");
        }
        failing.store(written.is_err(), Ordering::Relaxed);
        if let Err(error) = key_groups::bring_all_up_to_date(&app.db, now).await {
            tracing::warn!(?error, "coverage cannot be brought up to date; readers will do it");
        }
        if n.is_multiple_of(PRUNE_EVERY)
            && let Err(error) = prune(&app).await
        {
            tracing::warn!(?error, "what ended long ago cannot be forgotten");
        }
        next = start + usage::until_next(start.elapsed());
    }
}

/// Tells of ends, while no other node does.
async fn notice(app: Data<App>, mut stopped: watch::Receiver<()>) {
    let mut noticer = Noticer::default();
    let mut failing = false;
    let mut ticks = tokio::time::interval(notices::EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => break,
        }
        let round = noticer.round(&app).await;
        if let Err(error) = &round
            && !failing
        {
            tracing::warn!(?error, "ends of keys cannot be told of; it is tried again");
        }
        failing = round.is_err();
    }
    if let Err(error) = noticer.stop(&app).await {
        tracing::warn!(?error, "another node tells of ends in half a minute");
    }
}

async fn prune(app: &App) -> crate::error::Result<()> {
    let now = app.clock.now();
    sessions::prune(&app.db, now).await?;
    sessions::rest::prune(&app.db, now).await?;
    throttle::prune(&app.db, now).await?;
    submissions::prune(&app.db, now).await?;
    access::undo::prune(&app.db, now).await?;
    notices::prune(&app.db, now).await?;
    usage::prune(&app.db, now).await
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    let url = config.database_url()?;
    prepare_folders(config, &url)?;
    db::migrate(&url).await?;
    println!("The database is at this version's schema.");
    Ok(())
}

async fn create_owner(config: Config, it: CreateOwner) -> anyhow::Result<()> {
    let app = open(config, Clock::System).await?;
    let password = match &it.password_file {
        Some(file) => {
            let text = fs::read_to_string(file)
                .with_context(|| format!("cannot read the password from {}", file.display()))?;
            Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
        }
        None => ask_password()?,
    };
    let owner = NewUser { email: it.email, name: it.name, password };
    let subscription = NewSubscription { name: it.subscription, slug: it.slug.unwrap_or_default() };
    let wanted = SetUp { owner, subscription };
    let actor = Actor::command_line();
    let made = installation::create_owner(&app, wanted, None, &actor, app.clock.now()).await;
    let (user, subscription) = made.map_err(in_lines)?;
    println!(
        "{} owns this installation and is admin of {}. Start `keyward serve` and sign in.",
        user.email, subscription.name
    );
    Ok(app.db.close().await?) // so that the file is whole without its log
}

/// Errors of fields, one a line.
fn in_lines(error: Error) -> anyhow::Error {
    match error {
        Error::Invalid(fields) => {
            let lines: Vec<_> =
                fields.iter().map(|it| format!("{}: {}", it.field, it.message)).collect();
            anyhow::anyhow!(lines.join("\n"))
        }
        other => other.into(),
    }
}

/// What a service declares, from a file. Seen at once by servers on the same database.
async fn declare(config: Config, subscription: &str, file: &Path) -> anyhow::Result<()> {
    let declaration = permissions::file::read(file)?;
    let app = open_existing(config).await?;
    let scope = subscriptions::enter_as_operator(&app.db, subscription).await;
    let scope = scope.map_err(|error| match error {
        Error::NotFound => anyhow::anyhow!("there is no subscription {subscription}"),
        other => other.into(),
    })?;
    let now = app.clock.now();
    let act = Act { app: &app, scope: &scope, actor: Actor::command_line(), now };
    let changes = permissions::declare(&act, &declaration, None).await.map_err(in_lines)?;
    println!("{}", permissions::pages::told(&declaration.service, changes));
    Ok(app.db.clone().close().await?)
}

fn ask_password() -> anyhow::Result<Zeroizing<String>> {
    let ask = |prompt| {
        let typed = rpassword::prompt_password(prompt).map(Zeroizing::new);
        typed.context("there is no terminal to ask for a password: give --password-file")
    };
    let first = ask("Password (15 characters or more): ")?;
    let second = ask("The same once more: ")?;
    if *first != *second {
        bail!("the two passwords differ; nothing was done");
    }
    Ok(first)
}

/// It only looks, so that what is kept as evidence stays what it is.
async fn verify_audit(config: Config) -> anyhow::Result<()> {
    let url = config.database_url()?;
    if let Some(file) = db::sqlite_file(&url).filter(|it| !it.exists()) {
        bail!("there is no database at {}", file.display());
    }
    let db = Db::open_to_read(&url).await.context("cannot open the database")?;
    let peppers = installation::known_pepper(&db, &config.pepper_file()?).await?;
    match audit::verify(&db, &peppers.derive("audit")).await? {
        Ok(rows) => {
            println!("The audit log is whole: {rows} rows.");
            Ok(())
        }
        Err(at) => bail!("the audit log of {} does not fit from row {} on", at.scope, at.seq),
    }
}

fn announce_demo(app: &App) {
    let mut out = std::io::stdout();
    let _ = writeln!(
        out,
        "\nA demonstration. Sign in at {}\n\n{}\n",
        app.site.url("/sign-in"),
        demo::SIGN_IN_HELP
    );
    let _ = out.flush();
}
