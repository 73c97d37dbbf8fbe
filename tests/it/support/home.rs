//! Where an installation lives: a folder with its pepper, and a database of its own.
use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use keyward::config::{Config, LogFormat};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use url::Url;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

const FILE: &str = "keyward.db";

pub(crate) struct Home {
    folder: TempDir,
    pub(crate) database_url: String,
    /// The name of a database that must be dropped at the end.
    on_server: Option<String>,
}

impl Home {
    pub(crate) async fn new(database: Database) -> Self {
        // Before any client of a test is made, also where no `App` is opened in this process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        match database {
            Database::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join(FILE);
                let database_url = format!("sqlite://{}", file.display());
                Self { folder, database_url, on_server: None }
            }
            Database::Postgres => Self::on_server("").await,
        }
    }

    async fn on_server(like: &str) -> Self {
        let name = new_name();
        on_the_server(&format!("CREATE DATABASE {name} {like}")).await;
        let mut url = server();
        url.set_path(&name);
        let folder = tempfile::tempdir().unwrap();
        Self { folder, database_url: url.into(), on_server: Some(name) }
    }

    /// The same with the schema of this version: to make it for each test would take a third of the time
    /// of all.
    pub(crate) async fn migrated(database: Database) -> Self {
        static TEMPLATES: [OnceCell<Home>; 2] = [OnceCell::const_new(), OnceCell::const_new()];
        let template =
            TEMPLATES[usize::from(database == Database::Postgres)].get_or_init(|| async {
                let home = Self::new(database).await;
                keyward::db::migrate(&home.database_url).await.unwrap();
                home
            });
        let template = template.await;
        match &template.on_server {
            None => {
                let home = Self::new(database).await;
                fs::copy(template.folder().join(FILE), home.folder().join(FILE)).unwrap();
                home
            }
            Some(template) => Self::on_server(&format!("TEMPLATE {template}")).await,
        }
    }

    /// On a database that somebody else keeps.
    pub(crate) fn at(database_url: String) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { folder: tempfile::tempdir().unwrap(), database_url, on_server: None }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn pepper_file(&self) -> PathBuf {
        self.folder.path().join("keyward.pepper")
    }

    /// What the command line would say, without reading this process's environment.
    pub(crate) fn config(&self, bind: SocketAddr) -> Config {
        Config {
            database_url: self.database_url.clone(),
            database_url_file: None,
            bind,
            metrics_bind: None,
            public_url: None,
            pepper_file: Some(self.pepper_file()),
            smtp_url: None,
            smtp_url_file: None,
            mail_from: None,
            webhook_networks: Vec::new(),
            trusted_proxies: Vec::new(),
            insecure_cookies: false,
            log_format: LogFormat::Text,
        }
    }

    /// A connection beside the program's own, to look at what it wrote or to put a trap there.
    pub(crate) async fn connect(&self) -> DatabaseConnection {
        connect(&self.database_url).await
    }

    pub(crate) async fn clean_up(self) {
        if let Some(name) = &self.on_server {
            on_the_server(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

fn server() -> Url {
    let url = env::var("KEYWARD_TEST_POSTGRES").ok().and_then(|it| it.parse().ok());
    url.expect("KEYWARD_TEST_POSTGRES names no Postgres to test on: start the tests with tests/run")
}

fn new_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    format!("keyward_{}_{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

async fn on_the_server(sql: &str) {
    let db = connect(server().as_str()).await;
    db.execute_unprepared(sql).await.unwrap();
    db.close().await.unwrap();
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.unwrap()
}
