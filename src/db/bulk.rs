//! Many rows at once: indexes are made anew behind them, so that each row is sorted once, and not searched
//! its place for in all of them; and the log of changes says that there was much, not each of it.
use std::ops::Deref;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Iterable,
    Statement, Value,
    sea_query::{Alias, Expr, Query, ValueTuple},
};

use super::{Db, Tx, changes};

/// A transaction of which some tables have no indexes but those of their keys, and tell the log of nothing that
/// is inserted, until it is committed: two rows that may not both be there are found by then.
pub struct Bulk {
    tx: Tx,
    /// What makes all of that again.
    restore: Vec<String>,
}

impl Db {
    /// Begins one. Nobody else can use these tables meanwhile.
    pub async fn write_in_bulk(&self, tables: &[&str]) -> Result<Bulk, DbErr> {
        let tx = self.write().await?;
        let backend = tx.get_database_backend();
        let sql = match backend {
            DbBackend::Postgres => {
                // Making an index of a large table takes longer than any request may.
                tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
                tx.execute_unprepared("SET LOCAL maintenance_work_mem = '256MB'").await?;
                "SELECT format('DROP INDEX %s', indexrelid::regclass) AS remove, \
                 pg_get_indexdef(indexrelid) AS restore FROM pg_index \
                 WHERE indrelid = $1::regclass AND NOT EXISTS \
                 (SELECT FROM pg_constraint WHERE conindid = indexrelid) UNION ALL \
                 SELECT format('ALTER TABLE %I DISABLE TRIGGER %I', $1, tgname), \
                 format('ALTER TABLE %I ENABLE TRIGGER %I', $1, tgname) \
                 FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = 'changes'"
            }
            _ => {
                // Rows refer to each other by their keys, and by unique indexes of several columns.
                "SELECT 'DROP ' || type || ' \"' || name || '\"' AS remove, sql AS restore \
                 FROM sqlite_schema WHERE tbl_name = $1 \
                 AND (sql LIKE 'CREATE INDEX %' OR name LIKE 'changes_i_%' OR sql LIKE 'CREATE UNIQUE %' \
                 AND (SELECT count(*) FROM pragma_index_info(sqlite_schema.name)) = 1)"
            }
        };
        let mut restore = Vec::new();
        for table in tables {
            let asked = Statement::from_sql_and_values(backend, sql, [(*table).into()]);
            for row in tx.query_all_raw(asked).await? {
                let remove: String = row.try_get("", "remove")?;
                tx.execute_unprepared(&remove).await?;
                restore.push(row.try_get("", "restore")?);
            }
        }
        Ok(Bulk { tx, restore })
    }
}

impl Deref for Bulk {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl Bulk {
    pub async fn commit(self) -> Result<(), DbErr> {
        for it in self.restore {
            self.tx.execute_unprepared(&it).await?;
        }
        changes::begin_anew(&self.tx).await?;
        self.tx.commit().await
    }
}

/// The statement that inserts different rows, at least one, which set the same columns. To carry a value costs as much as
/// to store it: so what is the same in all rows is said once.
pub fn insert_all<A: ActiveModelTrait>(backend: DbBackend, rows: &[A]) -> Result<Statement, DbErr> {
    let of_all = Alias::new("of_all");
    let (mut columns, mut select) = (Vec::new(), Query::select());
    let mut tuples = vec![Vec::new(); rows.len()];
    for column in <A::Entity as EntityTrait>::Column::iter() {
        let values: Vec<Value> = rows.iter().filter_map(|it| it.get(column).into_value()).collect();
        let Some(first) = values.first() else { continue };
        if values.len() != rows.len() {
            return Err(DbErr::Custom("rows made in bulk set the same columns".to_owned()));
        }
        let value = if values.iter().all(|it| it == first) {
            Expr::val(first.clone())
        } else {
            let name = format!("column{}", tuples[0].len() + 1);
            tuples.iter_mut().zip(values).for_each(|(tuple, it)| tuple.push(it));
            Expr::col((of_all.clone(), Alias::new(name)))
        };
        select.expr(column.save_as(value));
        columns.push(column);
    }
    if rows.len() != 1 {
        if tuples.first().is_none_or(Vec::is_empty) {
            return Err(DbErr::Custom("rows made in bulk differ from each other".to_owned()));
        }
        select.from_values(tuples.into_iter().map(ValueTuple::Many), of_all);
    }
    let mut insert = Query::insert();
    insert.into_table(A::Entity::default()).columns(columns);
    let made = insert.select_from(select).map_err(|it| DbErr::Custom(it.to_string()))?;
    Ok(backend.build(made))
}

#[cfg(test)]
mod tests {
    use sea_orm::{
        ActiveValue::{NotSet, Set},
        Database,
    };

    use super::*;

    mod thing {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "things")]
        pub struct Model {
            #[sea_orm(primary_key, auto_increment = false)]
            pub id: i32,
            pub name: String,
            pub note: Option<String>,
            pub until: Option<i64>,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }

    fn thing(id: i32, name: &str, note: Option<&str>) -> thing::ActiveModel {
        let (name, note) = (Set(name.to_owned()), Set(note.map(str::to_owned)));
        thing::ActiveModel { id: Set(id), name, note, until: NotSet }
    }

    #[tokio::test]
    async fn rows_are_stored_as_they_were_set_and_what_they_share_is_said_once() {
        let db = Database::connect("sqlite::memory:").await.unwrap();
        let made = "CREATE TABLE things (id int PRIMARY KEY, name text, note text, until int)";
        db.execute_unprepared(made).await.unwrap();
        let some = [thing(1, "a", Some("x")), thing(2, "a", None), thing(3, "a", Some("y"))];
        for (rows, values) in [(&some[..], 1 + 3 * 2), (&[thing(4, "b", None)], 3)] {
            let all = insert_all(DbBackend::Sqlite, rows).unwrap();
            assert_eq!(all.values.as_ref().unwrap().0.len(), values, "{}", all.sql);
            db.execute_raw(all).await.unwrap();
        }
        let rows = thing::Entity::find().all(&db).await.unwrap();
        let row = |id, name: &str, note: Option<&str>| {
            let (name, note) = (name.to_owned(), note.map(str::to_owned));
            thing::Model { id, name, note, until: None }
        };
        let wanted =
            [row(1, "a", Some("x")), row(2, "a", None), row(3, "a", Some("y")), row(4, "b", None)];
        assert_eq!(rows, wanted);
    }

    #[test]
    fn rows_that_set_different_columns_or_are_the_same_are_refused() {
        let one = thing(1, "a", None);
        let other = thing::ActiveModel { until: Set(Some(7)), ..thing(2, "b", None) };
        for rows in [&[one.clone(), other][..], &[one.clone(), one], &[]] {
            assert!(insert_all(DbBackend::Sqlite, rows).is_err());
        }
    }
}
