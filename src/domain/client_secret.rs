//! The rule for client secrets that a user chooses (document 001): 10 to 30 characters, from at least
//! three of four classes.

const LENGTH: std::ops::RangeInclusive<usize> = 10..=30;

/// What is wrong with a chosen secret, or nothing. Every failed rule is told at once.
pub fn faults(secret: &str) -> Vec<&'static str> {
    let mut faults = Vec::new();
    let mut fault = |is: bool, text| faults.extend(is.then_some(text));
    fault(!LENGTH.contains(&secret.chars().take(31).count()), "Use 10 to 30 characters.");
    // HTTP Basic carries bytes: what has more than one spelling in them fits only sometimes.
    fault(
        !secret.bytes().all(|it| it.is_ascii_graphic()),
        "Use letters, digits and special characters of ASCII, without spaces.",
    );
    fault(
        classes(secret) < 3,
        "Use at least three of: an upper-case letter, a lower-case letter, a digit, a special \
         character.",
    );
    faults
}

/// Whether a text can be a chosen secret at all, so that checking it makes sense.
pub fn has_the_shape(secret: &str) -> bool {
    faults(secret).is_empty()
}

fn classes(secret: &str) -> usize {
    let of: [fn(char) -> bool; 4] = [
        |it| it.is_ascii_uppercase(),
        |it| it.is_ascii_lowercase(),
        |it| it.is_ascii_digit(),
        |it| it.is_ascii_punctuation(),
    ];
    of.into_iter().filter(|is| secret.chars().any(is)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn refused(secret: &str, because: &str) {
        let faults = faults(secret);
        assert!(faults.iter().any(|it| it.contains(because)), "{secret}: {faults:?}");
    }

    #[test]
    fn the_secrets_of_the_document_pass() {
        for good in ["9011@83sd!f1042ds+f19fg86M", "kj@s$dfS124GDd35"] {
            assert_eq!(faults(good), [""; 0]);
        }
    }

    #[test]
    fn the_length_is_10_to_30() {
        refused("aB3aB3aB3", "10 to 30");
        refused(&"aB3".repeat(11), "10 to 30");
        assert!(has_the_shape("aB3aB3aB3a") && has_the_shape(&"aB3".repeat(10)));
    }

    #[test]
    fn three_of_four_classes_are_needed_whichever() {
        for two in
            ["lowerUPPER", "lower12345", "lower!!!!!", "UPPER12345", "UPPER!!!!!", "12345!!!!!"]
        {
            refused(two, "three of");
        }
        for three in ["lowerUPP12", "lowerUPP!!", "lower123!!", "UPPER123!!"] {
            assert_eq!(faults(three), [""; 0], "{three}");
        }
    }

    #[test]
    fn only_what_basic_carries_unchanged() {
        for wrong in ["aB3 aB3aB3aB3", "aB3äaB3aB3aB3", "aB3\0aB3aB3aB3", "aB3\taB3aB3aB3"] {
            refused(wrong, "ASCII");
        }
    }

    proptest! {
        #[test]
        fn no_generated_secret_is_taken_for_a_chosen_one(text in "kw[sa]?_[0-9A-Za-z]{49}") {
            prop_assert!(!has_the_shape(&text));
        }
    }
}
