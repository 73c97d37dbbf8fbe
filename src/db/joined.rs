//! Several writes in one statement, or several questions: they go to the database and back once.
use sea_orm::{DbBackend, QueryResult, Statement};

/// Parameters of a joined statement of Postgres, which knows 65,535: those that are worth joining are small.
const MOST_VALUES: usize = 500;

/// For SQLite, where parameters have no numbers here: each statement takes the next ones.
pub(super) fn for_sqlite(all: Vec<Statement>) -> Statement {
    let (mut sql, mut values) = (String::new(), Vec::new());
    for it in all {
        if !sql.is_empty() {
            sql.push_str("; ");
        }
        sql.push_str(&it.sql);
        values.extend(it.values.into_iter().flat_map(|it| it.0));
    }
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

/// Its row comes between those of two questions. No entity has a column of this name.
const BETWEEN: &str = "between_questions";

/// Marks where its rows begin, behind those of a question before it.
pub(super) fn apart_for_sqlite(it: &mut Statement) {
    it.sql = format!("SELECT 0 AS {BETWEEN}; {}", it.sql);
}

/// The rows of each of some questions that were asked in one.
pub(super) fn of_each(rows: Vec<QueryResult>) -> Vec<Vec<QueryResult>> {
    let mut answers = vec![Vec::new()];
    for row in rows {
        match (row.try_get::<i32>("", BETWEEN), answers.last_mut()) {
            (Err(_), Some(last)) => last.push(row),
            _ => answers.push(Vec::new()),
        }
    }
    answers
}

/// For Postgres: neighbours become parts (`WITH`) of one statement. None of them sees what another did, and
/// two of them must not write one row: so a statement that names a table which one before it writes begins
/// anew.
pub(super) fn for_postgres(all: Vec<Statement>) -> Vec<Statement> {
    let mut done: Vec<Statement> = Vec::new();
    let mut parts = Parts::default();
    for it in all {
        if !parts.may_take(&it) {
            done.extend(std::mem::take(&mut parts).joined());
        }
        parts.take(it);
    }
    done.extend(parts.joined());
    done
}

/// Whether a statement names a table that one of those before it writes.
pub(super) fn depends(it: &Statement, before: &[Statement]) -> bool {
    before.iter().any(|before| written(&before.sql).is_none_or(|table| it.sql.contains(table)))
}

/// Statements that can be one.
#[derive(Default)]
struct Parts {
    all: Vec<Statement>,
    /// Names in their quotes; `None`: one that is not known.
    written: Vec<Option<String>>,
    values: usize,
}

impl Parts {
    fn may_take(&self, it: &Statement) -> bool {
        let is_apart = |table: &Option<String>| table.as_ref().is_some_and(|t| !it.sql.contains(t));
        self.all.is_empty()
            || written(&it.sql).is_some()
                && self.values + values(it) <= MOST_VALUES
                && self.written.iter().all(is_apart)
    }

    fn take(&mut self, it: Statement) {
        self.values += values(&it);
        self.written.push(written(&it.sql).map(str::to_owned));
        self.all.push(it);
    }

    fn joined(mut self) -> Option<Statement> {
        let mut last = self.all.pop()?;
        if self.all.is_empty() {
            return Some(last);
        }
        let (mut parts, mut values) = (Vec::new(), Vec::new());
        for (n, it) in self.all.into_iter().enumerate() {
            parts.push(format!("w{n} AS ({})", renumbered(&it.sql, values.len())));
            values.extend(it.values.into_iter().flat_map(|it| it.0));
        }
        let sql = format!("WITH {} {}", parts.join(", "), renumbered(&last.sql, values.len()));
        values.extend(last.values.take().into_iter().flat_map(|it| it.0));
        Some(Statement::from_sql_and_values(DbBackend::Postgres, sql, values))
    }
}

fn values(it: &Statement) -> usize {
    it.values.as_ref().map_or(0, |it| it.0.len())
}

/// The table that a statement writes, with its quotes; `None`: it stands alone. Postgres does the last part
/// first: rows that others may write as well, at a place that is not locked yet, must be in their order.
fn written(sql: &str) -> Option<&str> {
    if sql.contains(" DO UPDATE ") {
        return None;
    }
    let name = ["INSERT INTO ", "UPDATE "].iter().find_map(|it| sql.strip_prefix(it))?;
    let end = name.strip_prefix('"')?.find('"')?;
    name.get(..end + 2)
}

/// With `by` added to the number of each parameter.
fn renumbered(sql: &str, by: usize) -> String {
    let (mut out, mut rest, mut quote) = (String::with_capacity(sql.len() + 16), sql, None);
    while let Some(at) = rest.find(['$', '"', '\'']) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let (mark, behind) = found.split_at(1);
        out.push_str(mark);
        rest = behind;
        match (quote, mark) {
            (None, "$") => {
                let digits = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
                let (number, behind) = rest.split_at(digits);
                match number.parse::<usize>() {
                    Ok(n) => out.push_str(&(n + by).to_string()),
                    Err(_) => out.push_str(number),
                }
                rest = behind;
            }
            (None, _) => quote = Some(mark),
            (Some(open), _) if open == mark => quote = None,
            _ => {}
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn it(sql: &str, values: &[i32]) -> Statement {
        let values: Vec<_> = values.iter().map(|it| (*it).into()).collect();
        Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
    }

    #[test]
    fn parameters_are_numbered_on_behind_those_of_the_ones_before() {
        let all = vec![
            it(r#"UPDATE "a" SET "x" = $1 WHERE "id" = $2"#, &[1, 2]),
            it(r#"INSERT INTO "b" ("$1", "y") VALUES ($1, '$1 ''$2', $10)"#, &[3]),
        ];
        let joined = for_postgres(all);
        let expected = r#"WITH w0 AS (UPDATE "a" SET "x" = $1 WHERE "id" = $2) INSERT INTO "b" ("$1", "y") VALUES ($3, '$1 ''$2', $12)"#;
        assert_eq!(joined, [it(expected, &[1, 2, 3])]);
    }

    #[test]
    fn what_names_a_table_that_was_written_comes_behind() {
        let a = || it(r#"UPDATE "a" SET "x" = $1"#, &[1]);
        let b = || it(r#"UPDATE "b" SET "x" = (SELECT "x" FROM "a")"#, &[]);
        let other = || it(r#"DELETE FROM "c""#, &[]);
        assert_eq!(for_postgres(vec![a(), a()]), [a(), a()]);
        assert_eq!(for_postgres(vec![a(), b()]), [a(), b()]);
        assert_eq!(for_postgres(vec![b(), a()]).len(), 1, "it reads what was there before");
        assert_eq!(for_postgres(vec![other(), a()]), [other(), a()]);
        assert_eq!(for_postgres(vec![a(), other()]), [a(), other()]);
        let added = || {
            it(r#"INSERT INTO "d" ("x") VALUES (1) ON CONFLICT ("x") DO UPDATE SET "x" = 2"#, &[])
        };
        assert_eq!(for_postgres(vec![a(), added()]), [a(), added()]);
        assert_eq!(for_postgres(vec![added(), a()]), [added(), a()]);
        assert!(for_postgres(Vec::new()).is_empty());
    }

    #[test]
    fn a_question_depends_on_what_writes_a_table_that_it_names() {
        let question = it(r#"SELECT "x" FROM "a" JOIN "b""#, &[]);
        let writes = |table| it(&format!(r#"UPDATE "{table}" SET "x" = 1"#), &[]);
        assert!(depends(&question, &[writes("c"), writes("b")]));
        assert!(!depends(&question, &[writes("c"), writes("ab")]));
        assert!(depends(&question, &[it(r#"DELETE FROM "c""#, &[])]), "of that nothing is known");
    }

    #[test]
    fn what_is_large_stays_alone() {
        let large = || it(r#"INSERT INTO "b" ("x") VALUES ($1)"#, &[0; MOST_VALUES]);
        let a = it(r#"UPDATE "a" SET "x" = $1"#, &[1]);
        assert_eq!(for_postgres(vec![a.clone(), large()]), [a, large()]);
    }
}
