//! What every list shares: filters in its address, a cursor, tabs and chips.
use uuid::Uuid;

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
    fn a_cursor_is_read_as_it_was_written() {
        let it = (-7, Uuid::from_u128(42));
        assert_eq!(cursor(&cursor_text(it)), Some(it));
        for wrong in ["", "1", "1_2", "x_y", "9999999999999999999_0"] {
            assert_eq!(cursor(wrong), None, "{wrong}");
        }
    }
}
