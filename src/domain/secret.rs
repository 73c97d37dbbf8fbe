//! The text of a secret: how it is generated, checked and masked (DOMAIN.md, "Secrets").
use zeroize::Zeroizing;

use super::custom_key;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH: usize = 43; // 256 bits in base62
const CHECKSUM_LENGTH: usize = 6;

/// The only type that holds the text of a secret: no Debug, no Clone, no Serialize, wiped on drop.
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// A new secret of `kind`. `fill` fills a buffer from the operating system's generator.
    pub fn generate<E>(
        kind: Kind,
        mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(kind.prefix());
        let end = text.len() + RANDOM_LENGTH;
        let mut bytes = Zeroizing::new([0; 64]);
        while text.len() < end {
            fill(&mut *bytes)?;
            // 248 is the largest multiple of 62 in a byte: rejecting the rest keeps it uniform.
            let fair = bytes.iter().filter(|it| **it < 248).take(end - text.len());
            text.extend(fair.map(|it| char::from(BASE62[usize::from(it % 62)])));
        }
        let checksum = checksum(&text);
        text.extend(checksum.map(char::from));
        Ok(Self(text))
    }

    /// A secret that came from outside: chosen by a user, or unsealed.
    pub fn from_text(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A second copy for the one who hashes it elsewhere; wiped as this one is.
    pub fn copy(&self) -> Zeroizing<String> {
        self.0.clone()
    }

    /// The mask of a client secret that a user chose: nothing of it is shown.
    pub const HIDDEN: &str = "••••••••";

    /// What may be stored and shown: prefix, first and last 4 of the random part, never the
    /// checksum; of a custom key the last 4.
    pub fn mask(&self) -> String {
        match shape(&self.0) {
            Shape::Generated(kind) => {
                let random = &self.0[kind.prefix().len()..][..RANDOM_LENGTH];
                let last = &random[RANDOM_LENGTH - 4..];
                format!("{}{}••••{last}", kind.prefix(), &random[..4])
            }
            Shape::Custom | Shape::Impossible => {
                let last: Vec<char> = self.0.chars().rev().take(4).collect();
                format!("••••{}", last.into_iter().rev().collect::<String>())
            }
        }
    }
}

/// How a person has stored a secret that was shown, as its page says it.
pub fn saved_by(text: &str) -> Option<&'static str> {
    let ways = ["clipboard", "selection", "manual", "download", "box"];
    ways.into_iter().find(|it| *it == text)
}

/// What a generated secret is for; its prefix says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    KeyInstance,
    ClientSecret,
    AutomationToken,
}

impl Kind {
    pub fn prefix(self) -> &'static str {
        match self {
            Self::KeyInstance => "kw_",
            Self::ClientSecret => "kws_",
            Self::AutomationToken => "kwa_",
        }
    }
}

/// What a presented text can be, before any look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Right prefix, length, alphabet and checksum.
    Generated(Kind),
    Custom,
    Impossible,
}

/// Whether a text has the beginning and the length of generated secrets of this kind. Not yet, whether it
/// is one.
pub fn may_be(kind: Kind, text: &str) -> bool {
    let length = kind.prefix().len() + RANDOM_LENGTH + CHECKSUM_LENGTH;
    text.len() == length && text.starts_with(kind.prefix())
}

/// A wrong checksum is `Impossible`: refused without a look-up.
pub fn shape(text: &str) -> Shape {
    let kinds = [Kind::KeyInstance, Kind::ClientSecret, Kind::AutomationToken];
    if let Some(kind) = kinds.into_iter().find(|it| text.starts_with(it.prefix())) {
        let rest = &text[kind.prefix().len()..];
        let fits = rest.len() == RANDOM_LENGTH + CHECKSUM_LENGTH
            && rest.bytes().all(|it| it.is_ascii_alphanumeric());
        if fits
            && checksum(&text[..text.len() - CHECKSUM_LENGTH]) == rest.as_bytes()[RANDOM_LENGTH..]
        {
            return Shape::Generated(kind);
        }
    } else if custom_key::has_the_shape(text) {
        return Shape::Custom;
    }
    Shape::Impossible
}

/// CRC-32 (IEEE) in base62, zero-padded to 6 characters: a rule that secret scanners can check.
fn checksum(text: &str) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use rand::{TryRng, rngs::SysRng};

    use super::*;

    fn generate() -> SecretText {
        SecretText::generate(Kind::KeyInstance, |it| SysRng.try_fill_bytes(it)).unwrap()
    }

    #[test]
    fn ten_thousand_keys_are_distinct_well_formed_and_evenly_spread() {
        let keys: HashSet<String> = (0..10_000).map(|_| generate().expose().to_owned()).collect();
        assert_eq!(keys.len(), 10_000);
        assert!(keys.iter().all(|it| shape(it) == Shape::Generated(Kind::KeyInstance)));
        for position in 3..3 + RANDOM_LENGTH {
            let mut seen = [0_f64; 62];
            for key in &keys {
                let digit = key.as_bytes()[position];
                seen[BASE62.iter().position(|it| *it == digit).unwrap()] += 1.0;
            }
            let expected = 10_000.0 / 62.0;
            let chi: f64 = seen.iter().map(|it| (it - expected).powi(2) / expected).sum();
            // 61 degrees of freedom: above 150 in one of 10^9 tries.
            assert!(chi < 150.0, "position {position}: chi-squared {chi}");
        }
    }

    #[test]
    fn one_changed_character_breaks_the_checksum() {
        let key = generate();
        for at in 3..key.expose().len() {
            let mut bytes = key.expose().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(shape(std::str::from_utf8(&bytes).unwrap()), Shape::Impossible);
        }
    }

    #[test]
    fn the_mask_shows_eight_characters_of_the_random_part_and_never_the_checksum() {
        let key = generate();
        let (text, mask) = (key.expose(), key.mask());
        assert_eq!(mask, format!("kw_{}••••{}", &text[3..7], &text[42..46]));
        let custom = SecretText::from_text("Zr7-qPw2Lk9xBn4Td6Vy".into());
        assert_eq!(custom.mask(), "••••d6Vy");
    }

    #[test]
    fn the_checksum_is_crc32_over_all_that_stands_before() {
        // CRC-32("123456789") is the check value cbf43926 of the IEEE polynomial.
        assert_eq!(checksum("123456789"), *b"3jZRME");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_shape_panic(text in "\\PC{0,140}") {
            let _ = shape(&text);
        }

        #[test]
        fn a_custom_key_is_never_taken_for_a_generated_one(text in "[A-Za-z0-9-]{20,128}") {
            prop_assert_eq!(shape(&text), Shape::Custom);
        }
    }
}
