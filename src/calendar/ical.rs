//! Content lines of RFC 5545: escaped, folded at 75 octets, never inside of a letter.
use chrono::{DateTime, Utc};

/// Octets of a line, without its end.
const LONGEST: usize = 75;

/// A calendar that is being written.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    /// A value that holds nothing to be escaped: a date, a number, an address of ours.
    pub(super) fn plain(&mut self, name: &str, value: &str) {
        self.fold(&format!("{name}:{value}"));
    }

    /// A value that people wrote.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.fold(&format!("{name}:{}", escaped(value)));
    }

    pub(super) fn instant(&mut self, name: &str, at: DateTime<Utc>) {
        self.plain(name, &at.format("%Y%m%dT%H%M%SZ").to_string());
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn fold(&mut self, line: &str) {
        // The space at the start of a further line counts as well.
        let (mut rest, mut room) = (line, LONGEST);
        while rest.len() > room {
            let end = rest.floor_char_boundary(room);
            self.0 += &rest[..end];
            self.0 += "\r\n ";
            (rest, room) = (&rest[end..], LONGEST - 1);
        }
        self.0 += rest;
        self.0 += "\r\n";
    }
}

/// Newlines become `\n`; other control characters have no place in a calendar.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 8);
    for it in value.replace("\r\n", "\n").chars() {
        match it {
            '\n' | '\r' => text += "\\n",
            '\\' | ';' | ',' => text.extend(['\\', it]),
            _ if it.is_control() => text.push(' '),
            _ => text.push(it),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: &str) -> String {
        let mut lines = Lines::default();
        lines.text("SUMMARY", value);
        lines.finish()
    }

    /// What a reader makes of one line.
    fn read(text: &str) -> String {
        let line = text.replace("\r\n ", "");
        let line = line.strip_suffix("\r\n").unwrap().strip_prefix("SUMMARY:").unwrap();
        let (mut value, mut letters) = (String::new(), line.chars());
        while let Some(it) = letters.next() {
            match it {
                '\\' => {
                    value.push(letters.next().map_or('?', |it| if it == 'n' { '\n' } else { it }))
                }
                _ => value.push(it),
            }
        }
        value
    }

    #[test]
    fn what_separates_is_escaped() {
        assert_eq!(written(r"a,b;c\d"), "SUMMARY:a\\,b\\;c\\\\d\r\n");
        assert_eq!(written("a\r\nEND:VEVENT\nb\u{7}"), "SUMMARY:a\\nEND:VEVENT\\nb \r\n");
    }

    proptest! {
        #[test]
        fn lines_have_75_octets_at_most_and_say_the_same(value in "[ -~äß日🔑\n]{0,200}") {
            let text = written(&value);
            prop_assert!(text.split("\r\n").all(|it| it.len() <= LONGEST));
            prop_assert_eq!(read(&text), value);
        }
    }
}
