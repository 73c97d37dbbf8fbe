//! What every list shares: filters in its address, a cursor, tabs and chips, columns to sort by, and where
//! a page stands.
use uuid::Uuid;

use super::words;

/// A tab with its count, or an active filter that can be taken away.
pub struct LinkView {
    pub label: String,
    pub path: String,
    pub count: String,
    pub current: bool,
}

/// The address of the list at `path` with these fields, one of them changed. Empty ones are left out.
pub fn address(path: &str, fields: &[(&str, &str)], (name, value): (&str, &str)) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (field, current) in fields {
        let value = if *field == name { value } else { current };
        if !value.is_empty() {
            query.append_pair(field, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Where a list goes on: `{value}_{id}`, opaque to callers.
pub fn cursor(text: &str) -> Option<(i64, Uuid)> {
    let (value, id) = text.split_once('_')?;
    Some((value.parse().ok()?, Uuid::try_parse(id).ok()?))
}

pub fn cursor_text((value, id): (i64, Uuid)) -> String {
    format!("{value}_{}", id.simple())
}

/// A column by which a list can be sorted.
pub struct SortLink {
    pub label: &'static str,
    /// The list sorted by it, the other way round where it is already; empty where it cannot be.
    pub path: String,
    /// As `aria-sort` has it; empty where the list is sorted by another column.
    pub sorted: &'static str,
}

impl SortLink {
    /// `now`: the column that the list is sorted by, and whether that is descending. `path`: of the list
    /// sorted by `name`, or by `-name` for descending.
    pub fn of(
        label: &'static str,
        name: &'static str,
        now: (&str, bool),
        path: impl Fn(&str) -> String,
    ) -> Self {
        let sorted = match now {
            (column, true) if column == name => "descending",
            (column, false) if column == name => "ascending",
            _ => "",
        };
        let path = if sorted == "ascending" { path(&format!("-{name}")) } else { path(name) };
        Self { label, path, sorted }
    }

    /// Without a way to sort by it.
    pub fn fixed(self) -> Self {
        Self { path: String::new(), ..self }
    }
}

/// Where a page of a list stands, and where to go from it.
pub struct Pager {
    /// `26 to 50 of 143`
    pub text: String,
    /// The first page, where this is another one.
    pub first: String,
    pub next: String,
}

impl Pager {
    /// `after`, `at`: what the address says of where the page begins, and of how many rows are before it. `total`:
    /// all rows, if that is known. `first`, `next`: the addresses of those pages.
    pub fn of(
        (after, at): (&str, &str),
        rows: usize,
        total: Option<i64>,
        first: String,
        next: Option<String>,
    ) -> Self {
        let before = if after.is_empty() { Some(0) } else { at.parse::<u32>().ok() };
        let to = before.map(|it| i64::from(it) + rows as i64);
        // What is counted beside the rows may be a moment older or younger than they.
        let total = if next.is_some() { total.filter(|it| Some(*it) > to) } else { to };
        let text = match (before, to, total) {
            (Some(before), Some(to), total) if rows > 0 => {
                let range =
                    format!("{} to {}", words::count(i64::from(before) + 1), words::count(to));
                total.map_or(range.clone(), |it| format!("{range} of {}", words::count(it)))
            }
            _ => format!("{rows} shown"),
        };
        let next = next.map(|path| match to {
            Some(to) => format!("{path}&at={to}"),
            None => path,
        });
        let first = if after.is_empty() { String::new() } else { first };
        Self { text, first, next: next.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_fields_that_are_set_with_one_changed() {
        let fields = [("status", "active"), ("q", "a&b"), ("until", ""), ("after", "")];
        let of = |name, value| address("/keys", &fields, (name, value));
        assert_eq!(of("", ""), "/keys?status=active&q=a%26b");
        assert_eq!(of("q", ""), "/keys?status=active");
        assert_eq!(of("after", "1_2"), "/keys?status=active&q=a%26b&after=1_2");
        assert_eq!(address("/keys", &[("q", "x")], ("q", "")), "/keys");
    }

    #[test]
    fn a_page_tells_where_it_stands() {
        let page = |place, rows, total, next: Option<&str>| {
            Pager::of(place, rows, total, "/keys".to_owned(), next.map(str::to_owned))
        };
        let first = page(("", ""), 25, Some(1_043), Some("/keys?after=1"));
        assert_eq!(first.text, "1 to 25 of 1\u{202f}043");
        assert_eq!((&*first.first, &*first.next), ("", "/keys?after=1&at=25"));
        let second = page(("1", "25"), 25, None, Some("/keys?after=2"));
        assert_eq!(second.text, "26 to 50");
        assert_eq!((&*second.first, &*second.next), ("/keys", "/keys?after=2&at=50"));
        // The last one knows better than a count.
        assert_eq!(page(("2", "50"), 3, Some(40), None).text, "51 to 53 of 53");
        assert_eq!(page(("1", "25"), 25, Some(40), Some("/keys?after=2")).text, "26 to 50");
        for nonsense in ["", "-1", "many", "99999999999"] {
            let it = page(("2", nonsense), 3, Some(40), Some("/keys?after=3"));
            assert_eq!((&*it.text, &*it.next), ("3 shown", "/keys?after=3"), "{nonsense}");
        }
    }

    #[test]
    fn a_column_is_sorted_the_other_way_round_the_second_time() {
        let of = |now| {
            let it = SortLink::of("End", "until", now, |sort| format!("?sort={sort}"));
            (it.path, it.sorted)
        };
        assert_eq!(of(("name", true)), ("?sort=until".to_owned(), ""));
        assert_eq!(of(("until", false)), ("?sort=-until".to_owned(), "ascending"));
        assert_eq!(of(("until", true)), ("?sort=until".to_owned(), "descending"));
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let it = (-7, Uuid::from_u128(42));
        assert_eq!(cursor(&cursor_text(it)), Some(it));
        for wrong in ["", "1", "1_2", "x_y", "9999999999999999999_0"] {
            assert_eq!(cursor(wrong), None, "{wrong}");
        }
    }
}
