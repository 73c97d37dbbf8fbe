//! The quality gate for keys that a user chooses (document 004: 20 to 128 of `[A-Za-z0-9-]`;
//! the rest is ours: such a key must not be guessable).

/// What is wrong with a chosen key, or nothing. Every failed rule is told at once.
pub fn faults(key: &str, group_name: &str) -> Vec<&'static str> {
    const LENGTH: &str = "Use 20 to 128 characters.";
    let chars: Vec<char> = key.chars().take(129).collect();
    // The other rules take time that grows with the square of the length.
    if chars.len() > 128 {
        return vec![LENGTH];
    }
    let mut faults = Vec::new();
    let mut fault = |is: bool, text| faults.extend(is.then_some(text));
    fault(chars.len() < 20, LENGTH);
    let allowed = |it: &char| it.is_ascii_alphanumeric() || *it == '-';
    fault(!chars.iter().all(allowed), "Use only letters A to Z, digits and dashes.");
    fault(distinct(&chars) < 10, "Use at least 10 different characters.");
    fault(
        most_frequent(&chars) * 4 > chars.len(),
        "No character may make up more than a quarter of the key.",
    );
    fault(
        longest_sequence(&chars) * 2 >= chars.len(),
        "A sequence such as abcdef or 123456 fills half of the key.",
    );
    fault(repeats_over_half(&chars), "A repetition fills half of the key.");
    fault(is_little_more_than(key, group_name), "The key is little more than the group's name.");
    faults
}

/// Whether a text can be a custom key at all, so that a look-up makes sense.
pub fn has_the_shape(key: &str) -> bool {
    (20..=128).contains(&key.len())
        && key.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
}

fn distinct(chars: &[char]) -> usize {
    chars.iter().collect::<std::collections::BTreeSet<_>>().len()
}

fn most_frequent(chars: &[char]) -> usize {
    chars.iter().map(|it| chars.iter().filter(|other| *other == it).count()).max().unwrap_or(0)
}

/// The longest ascending or descending run, such as `4567` or `dcba`, in characters.
pub(super) fn longest_sequence(chars: &[char]) -> usize {
    let longest = |step: i64| {
        let steps =
            chars.windows(2).map(|it| i64::from(u32::from(it[1])) - i64::from(u32::from(it[0])));
        let mut longest = 1;
        let mut current = 1;
        for it in steps {
            current = if it == step { current + 1 } else { 1 };
            longest = longest.max(current);
        }
        longest
    };
    longest(1).max(longest(-1))
}

/// Some part of any length, repeated directly after itself, covers at least half of the key.
pub(super) fn repeats_over_half(chars: &[char]) -> bool {
    let covered = |part: usize| {
        let mut current = 0;
        let mut longest = 0;
        for at in part..chars.len() {
            current = if chars[at] == chars[at - part] { current + 1 } else { 0 };
            longest = longest.max(current);
        }
        if longest >= part { longest + part } else { 0 }
    };
    (1..=chars.len() / 2).any(|part| covered(part) * 2 >= chars.len())
}

fn is_little_more_than(key: &str, group_name: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
    };
    let name = plain(group_name);
    name.len() >= 3 && plain(key).contains(&name) && plain(key).replace(&name, "").len() < 10
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Zr7-qPw2Lk9xBn4Td6Vy";

    #[track_caller]
    fn refused(key: &str, because: &str) {
        let faults = faults(key, "quote-engine");
        assert!(faults.iter().any(|it| it.contains(because)), "{key}: {faults:?}");
    }

    #[test]
    fn a_random_key_passes_at_both_lengths() {
        assert_eq!(GOOD.len(), 20);
        assert_eq!(faults(GOOD, "quote-engine"), [""; 0]);
        let long = "Zr7qPw2Lk9xBn4Td6VyHc8Gf3Js5Mm1DuXeRaWoKiYtNbQvCzFhElSgAjUpO0IT\
                    x4Yk2Bq9Wm7Lz5Vn3Dc8Xf6Pj1Rh0Gs-Ht4Ku2Ew9Av7Io5Ny3Mb8Tq6Ul1Ci0Sr";
        assert_eq!(&faults(&long[..127], "quote-engine"), &[""; 0]);
    }

    #[test]
    fn the_length_is_20_to_128() {
        refused(&GOOD[..19], "20 to 128");
        refused(&"Zr7-qPw2Lk9xBn4Td6Vy".repeat(7), "20 to 128");
    }

    #[test]
    fn only_letters_digits_and_dashes() {
        for wrong in ["_", " ", "ä", "\0", ".", "\u{202e}"] {
            refused(&format!("{GOOD}{wrong}"), "letters");
        }
    }

    #[test]
    fn guessable_keys_are_refused() {
        refused("aaaaaaaaaaaaaaaaaaaaaaaa", "different");
        refused("aaaaaaaabcdefghijxyz", "quarter");
        refused("abcdefghijklmnopX7q2", "sequence");
        refused("zyxwvutsrqponmlk4Bq2", "sequence");
        refused("q7Rt2Lp9Xwq7Rt2Lp9Xw", "repetition");
        refused("quote-engine-quote-engine-42", "name");
    }

    #[test]
    fn each_rule_ends_where_it_says() {
        for (wrong, good, because) in [
            ("adgbehcfigdafcbiheag", "adgbehcfigdafcbihezg", "different"),
            ("xaxdxgxbxexcfikmpqtw", "xaxdxgxbxehcfikmpqtw", "quarter"),
            ("abcdefghijX7q2Zr9Ptm", "abcdefghiXX7q2Zr9Ptm", "sequence"),
            ("q7Rt2q7Rt2Lp9XwZk4Bn", "q7Rt2q7RtALp9XwZk4Bn", "repetition"),
            ("quote-engine-Zr7qPw2Lk", "quote-engine-Zr7qPw2Lk9", "name"),
        ] {
            refused(wrong, because);
            assert_eq!(faults(good, "quote-engine"), [""; 0], "{good}");
        }
    }

    #[test]
    fn the_shape_alone_decides_whether_a_look_up_makes_sense() {
        assert!(has_the_shape(GOOD) && has_the_shape(&"a".repeat(128)));
        assert!(!has_the_shape(&"a".repeat(19)) && !has_the_shape(&"a".repeat(129)));
        assert!(!has_the_shape("kw_7Hq2vXn4TbR8yKcE5mZs0LdWfP3uJgA9x4Tb"));
    }
}
