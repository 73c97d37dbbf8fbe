//! What a password of a person must be (NIST SP 800-63B-4): long, with no composition rules, and not one of those
//! that everybody tries first.
use super::custom_key::{longest_sequence, repeats_over_half};

/// Of what common passwords are made, beside sequences and repetitions. The longer before what they begin with.
const COMMON: [&str; 30] = [
    "qwertyuiop",
    "asdfghjkl",
    "1q2w3e4r",
    "password",
    "passwort",
    "trustno1",
    "football",
    "baseball",
    "princess",
    "sunshine",
    "superman",
    "iloveyou",
    "letmeinnow",
    "changeme",
    "administrator",
    "welcome",
    "zxcvbnm",
    "qwertz",
    "qwerty",
    "asdfgh",
    "letmein",
    "keyward",
    "monkey",
    "dragon",
    "master",
    "secret",
    "admin",
    "login",
    "hello",
    "user",
];
/// What must be left.
const OWN: usize = 8;

/// Why a password will not do, for whoever has this e-mail address.
pub fn check(text: &str, email: &str) -> Result<(), String> {
    let chars: Vec<char> = text.chars().take(129).collect();
    let distinct = chars.iter().collect::<std::collections::BTreeSet<_>>().len();
    let guessed =
        "It is little more than common words or your own name: others would try that first.";
    match chars.len() {
        it @ 0..15 => Err(format!("Use at least 15 characters; these are {it}.")),
        129.. => Err(format!("Use at most 128 characters; these are {}.", text.chars().count())),
        _ if distinct < 5 => Err("Use at least 5 different characters.".into()),
        _ if text.eq_ignore_ascii_case(email) => Err("Do not use your e-mail address.".into()),
        it if longest_sequence(&chars) * 2 >= it => {
            Err("A sequence such as abcdef or 123456 fills half of it.".into())
        }
        _ if repeats_over_half(&chars) => Err("A repetition fills half of it.".into()),
        _ if left(text, email) < OWN => Err(guessed.into()),
        _ => Ok(()),
    }
}

/// How many characters are left without what others would try, and without spaces.
fn left(text: &str, email: &str) -> usize {
    let symbols = text.chars().filter(|it| !it.is_alphanumeric() && !it.is_whitespace()).count();
    let mut text: String = text.to_lowercase().chars().filter(|it| it.is_alphanumeric()).collect();
    let own = email.split(['@', '.', '-', '_', '+']).filter(|it| it.len() >= 4);
    for word in COMMON.into_iter().chain(own) {
        text = text.replace(&word.to_lowercase(), "");
    }
    text.chars().count() + symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDA: &str = "ida.marsh@northwind.example";

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let told = check(text, IDA).unwrap_err();
        assert!(told.contains(why), "{text}: {told}");
    }

    #[test]
    fn a_password_is_long_and_nothing_else_is_asked_of_it() {
        assert_eq!(check("correct horse battery staple", IDA), Ok(()));
        assert_eq!(check("äöüß çéèêë ñøåæœ", IDA), Ok(()));
        assert_eq!(check("#9{]%x&~T(>;@!^", IDA), Ok(()));
        assert!(check("aB3$aB3$aB3$aB", IDA).unwrap_err().contains("14"));
        refused(&"x".repeat(40), "different");
        refused(&"0123456789".repeat(13), "at most 128");
        refused("Ida.Marsh@Northwind.Example", "e-mail");
    }

    #[test]
    fn what_others_would_try_first_is_refused() {
        refused("123456789012345", "sequence");
        refused("password1password", "common");
        refused("keywardkeyward1", "repetition");
        refused("qwertyuiopasdfgh", "common");
        refused("Welcome-Admin-2026!", "common");
        refused("northwind-marsh-7", "common");
        for good in
            ["a password for the demo", "welcome back, old marmot", "northwind: seven grey herons"]
        {
            assert_eq!(check(good, IDA), Ok(()), "{good}");
        }
    }
}
