//! A database that is only looked at and stays as it is: evidence, or a copy of it in a folder of its own.
use std::{sync::Arc, time::Duration};

use sea_orm::{ConnectOptions, DbErr};
use tokio::{runtime::Handle, sync::Semaphore};

use super::{Db, pace::Pace, sqlite_file};

impl Db {
    /// No row is written, and no other schema made. What would write fails.
    pub async fn open_to_read(url: &str) -> Result<Self, DbErr> {
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(1)
            .connect_timeout(Duration::from_secs(5))
            .sqlx_logging_level(tracing::log::LevelFilter::Trace)
            .set_application_name("keyward");
        if let Some(file) = sqlite_file(url) {
            let has = |suffix: &str| {
                let mut beside = file.clone().into_os_string();
                beside.push(suffix);
                std::path::Path::new(&beside).exists()
            };
            // Who has it open, or was killed, has left one of these; SQLite then makes an index of the log where there
            // is none. Without them it is read as it lies there, from a place that takes no other file too.
            let is_at_rest = !has("-wal") && !has("-journal");
            options.map_sqlx_sqlite_opts(move |it| {
                it.read_only(true).create_if_missing(false).immutable(is_at_rest)
            });
        }
        Ok(Self {
            pool: super::connect(options).await?,
            writer: None,
            runtime: Handle::current(),
            follower: Arc::default(),
            alive: Arc::default(),
            turns: Arc::new(Semaphore::new(0)),
            pace: Pace::default(),
        })
    }
}
