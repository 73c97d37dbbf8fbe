//! Every change of the database, oldest first. The only place, besides `src/db.rs`, that knows
//! which database it talks to.
//!
//! Instants are stored as milliseconds since 1970 (`bigint`), so that both databases keep, compare
//! and sort them alike.
#![expect(elided_lifetimes_in_paths, reason = "MigrationTrait fixes the signatures")]

pub use sea_orm_migration::prelude::*;

mod m20261120_000001_people;
mod m20261120_000002_keys;
mod m20261120_000003_audit;
mod m20261120_000004_access;
mod m20261128_000005_clients;
mod m20261128_000006_members;
mod m20261128_000007_personal_keys;
mod m20261128_000008_notices;
mod m20261128_000009_calendar;
mod m20261128_000010_overview;
mod m20261128_000011_review;
mod m20261128_000012_automation;
mod m20261128_000013_changes;
mod m20261128_000014_token_ends;
mod m20261128_000015_more_changes;
mod m20261129_000016_told;
mod m20261130_000017_shortcuts;

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_people::Migration),
            Box::new(m20261120_000002_keys::Migration),
            Box::new(m20261120_000003_audit::Migration),
            Box::new(m20261120_000004_access::Migration),
            Box::new(m20261128_000005_clients::Migration),
            Box::new(m20261128_000006_members::Migration),
            Box::new(m20261128_000007_personal_keys::Migration),
            Box::new(m20261128_000008_notices::Migration),
            Box::new(m20261128_000009_calendar::Migration),
            Box::new(m20261128_000010_overview::Migration),
            Box::new(m20261128_000011_review::Migration),
            Box::new(m20261128_000012_automation::Migration),
            Box::new(m20261128_000013_changes::Migration),
            Box::new(m20261128_000014_token_ends::Migration),
            Box::new(m20261128_000015_more_changes::Migration),
            Box::new(m20261129_000016_told::Migration),
            Box::new(m20261130_000017_shortcuts::Migration),
        ]
    }
}

/// One column more in `table`.
fn added(table: &'static str, column: &mut ColumnDef) -> TableAlterStatement {
    Table::alter().table(table).add_column(column).to_owned()
}

/// `name` on `columns` of `table`, in order.
fn index(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}
