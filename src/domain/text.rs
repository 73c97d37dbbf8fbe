//! What people may type: names, descriptions, e-mail addresses. Each function gives the
//! cleaned text, or the sentence to show beside the field.
use std::fmt::{self, Display};

/// A name of a group, a subscription or a person: 1 to 100 characters.
pub fn name(text: &str) -> Result<String, String> {
    let text = line(text, 100)?;
    if text.is_empty() { Err("Enter a name.".into()) } else { Ok(text) }
}

/// One optional line, such as a description, a contact or a note.
pub fn line(text: &str, max: usize) -> Result<String, String> {
    let text = text.trim();
    let length = text.chars().count();
    if length > max {
        return Err(format!("Use at most {max} characters; these are {length}."));
    }
    if let Some(wrong) = text.chars().find(|it| is_invisible(*it)) {
        return Err(format!("Remove the control character U+{:04X}.", u32::from(wrong)));
    }
    Ok(text.to_owned())
}

/// Control characters and the marks that reorder or hide text (Unicode bidi controls).
pub fn is_invisible(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The tenant name of URLs and of `x-tenant-name`: `[a-z0-9-]{2,63}`.
pub fn slug(text: &str) -> Result<String, String> {
    let text = text.trim();
    let allowed = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    if (2..=63).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("Use 2 to 63 lower-case letters, digits or dashes.".into())
    }
}

/// An address that mail could reach, in lower case. Nothing is sent to find out.
pub fn email(text: &str) -> Result<String, String> {
    let text = line(text, 254)?.to_lowercase();
    let parts = text.split_once('@').filter(|(local, domain)| {
        !local.is_empty() && domain.len() >= 2 && !domain.contains('@') && !text.contains(' ')
    });
    parts
        .map(|_| text.clone())
        .ok_or_else(|| "Enter an e-mail address, like ida@example.com.".into())
}

/// The `client_id` of a group: its name, `_`, and 25 characters `[0-9a-z]` (document 001).
/// What HTTP Basic could not carry in a user name becomes a dash.
pub fn client_id(name: &str, random: &[u8; 25]) -> String {
    let keep = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_');
    let name: String = name.chars().map(|it| if keep(it) { it } else { '-' }).collect();
    let alphabet = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let suffix = random.iter().map(|it| char::from(alphabet[usize::from(it % 36)]));
    format!("{name}_{}", suffix.collect::<String>())
}

/// A key instance as people call it: `k-7`, counted within its group.
pub fn label_name(label: i32) -> String {
    shown_label(label).to_string()
}

/// The same, written to where it is needed.
pub fn shown_label(label: i32) -> impl Display {
    fmt::from_fn(move |f| write!(f, "k-{label}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_need_a_visible_character() {
        assert_eq!(name("  quote-engine "), Ok("quote-engine".into()));
        assert!(name("   ").is_err());
    }

    #[test]
    fn names_refuse_control_characters_and_endless_text() {
        for wrong in ["a\nb", "a\u{0}b", "a\u{202e}b", "a\u{1b}[31m"] {
            assert!(name(wrong).unwrap_err().contains("control character"), "{wrong:?}");
        }
        assert!(name(&"x".repeat(10_000)).unwrap_err().contains("at most 100"));
        assert!(name(&"ä".repeat(100)).is_ok());
    }

    #[test]
    fn a_slug_is_2_to_63_lower_case_letters_digits_or_dashes() {
        for good in ["ab", "a-1", &"a".repeat(63)] {
            assert_eq!(slug(good).as_deref(), Ok(good));
        }
        for wrong in ["a", "A1", "a_b", "ä1", "", &"a".repeat(64), "a/b"] {
            assert!(slug(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_email_has_two_sides() {
        assert_eq!(email(" Ida@Example.COM "), Ok("ida@example.com".into()));
        for wrong in ["ida", "@x.de", "ida@", "a b@x.de", "a@b@c.de", "a@x.de\r\nBcc: b@x.de"] {
            assert!(email(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_client_id_carries_the_name_and_25_characters() {
        let id = client_id("my key: 1", &[7; 25]);
        assert_eq!(id, format!("my-key--1_{}", "7".repeat(25)));
    }
}
