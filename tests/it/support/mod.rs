//! What tests stand on: the real server with a database of its own and a clock that can be moved,
//! people and services that send requests, fixtures through public verbs, a browser.
mod access;
mod answer;
mod api;
mod app;
pub(crate) mod browser;
mod cable;
mod chromium;
mod cli;
mod desk;
mod eventually;
mod feed;
pub(crate) mod gateway;
mod home;
mod html;
mod load;
mod parser;
mod person;
mod personal;
mod postgres;
pub(crate) mod program;
mod reading;
mod refused;
mod routes;
mod service;
mod snapshot;
mod space;
pub(crate) mod wire;

pub(crate) use self::{
    access::{Things, held, wanted},
    answer::Answer,
    api::Program,
    app::{PASSWORD, TestApp, plain_client},
    cli::{Keys, Said},
    desk::{Desk, garbled, generated, ids, own_text, path_of},
    eventually::eventually,
    feed::Events,
    home::{Database, Home},
    load::Load,
    parser::read_with,
    person::Person,
    refused::{blamed, refusal},
    routes::path_to,
    service::basic,
    space::{ALL, OTHER, SECRET, Space, world},
};

/// Makes two tests of each function: one on SQLite, one on Postgres. Its argument says what it
/// needs: `&TestApp`, a running Keyward; or `&Database`, to start one in its own way.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::support::{Database, run};

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                run(Database::Sqlite, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                run(Database::Postgres, super::$name).await;
            }
        }
    )+};
}
pub(crate) use on_both;

/// One test of each function, on SQLite: for what no database can change.
macro_rules! on_sqlite {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::support::{Database, run};

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                run(Database::Sqlite, super::$name).await;
            }
        }
    )+};
}
pub(crate) use on_sqlite;

/// What a test may ask for as its argument.
pub(crate) trait Given: Sized {
    async fn given(database: Database) -> Self;
    async fn end(self);
}

impl Given for TestApp {
    async fn given(database: Database) -> Self {
        Self::start(database).await
    }

    async fn end(self) {
        self.stop().await;
    }
}

impl Given for Database {
    async fn given(database: Database) -> Self {
        database
    }

    async fn end(self) {}
}

pub(crate) async fn run<G: Given>(database: Database, test: impl AsyncFn(&G)) {
    let given = G::given(database).await;
    test(&given).await;
    given.end().await;
}
