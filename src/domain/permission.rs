//! Permissions: what a service lets its callers do, as `service:action` (documents 002 and 004).
use std::{collections::HashSet, sync::Arc};

use serde::{Deserialize, Serialize};

/// Our own name as a service: what we let keys do needs no declaration, and nobody else may declare
/// anything under it.
pub const OWN_SERVICE: &str = "keyward";

/// To list all keys of the subscription (document 004).
pub const READ_INSTANCES: &str = "keyward:instances.read";

/// All of our own, and what each lets a key do.
pub const OWN: [(&str, &str); 1] =
    [(READ_INSTANCES, "List all keys of the subscription, without their secrets")];

/// A service's name: as it stands before the colon.
pub fn service(text: &str) -> Result<String, String> {
    let text = text.trim();
    if (1..=64).contains(&text.len()) && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("Name the service with 1 to 64 letters, digits, dots, dashes or underscores.".into())
    }
}

/// An action's name: as it stands behind the colon. It may have parts, such as `orders:read`.
pub fn action(text: &str) -> Result<String, String> {
    let text = text.trim();
    let allowed = |it| is_plain(it) || matches!(it, b':' | b'/');
    if (1..=100).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{} is no action: use 1 to 100 letters, digits, or . - _ : /",
            if text.is_empty() { "Nothing" } else { text }
        ))
    }
}

fn is_plain(it: u8) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b'_')
}

/// Whether this could be the name of a permission: `service:action`, byte for byte.
pub fn is_name(text: &str) -> bool {
    let parts = text.split_once(':');
    parts.is_some_and(|it| {
        service(it.0).is_ok_and(|name| name == it.0) && it.1 == it.1.trim() && action(it.1).is_ok()
    })
}

/// A set of permissions: its names in order, with a space between them, as it is stored and as a
/// gateway is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Permissions(Arc<str>);

impl Permissions {
    /// The stored form, which [`Permissions::as_str`] gave.
    pub fn stored(text: String) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|it| !it.is_empty())
    }

    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|it| it == name)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whatever any of them has: document 004's "greatest of the permissions".
    pub fn union<'a>(all: impl IntoIterator<Item = &'a Permissions>) -> Self {
        all.into_iter().flat_map(Permissions::iter).collect()
    }

    /// What this one has and `other` has not.
    pub fn without(&self, other: &Permissions) -> Self {
        let other: HashSet<&str> = other.iter().collect();
        self.iter().filter(|it| !other.contains(it)).collect()
    }
}

impl From<String> for Permissions {
    fn from(text: String) -> Self {
        Self::stored(text)
    }
}

impl From<Permissions> for String {
    fn from(it: Permissions) -> Self {
        it.as_str().to_owned()
    }
}

impl<'a> FromIterator<&'a str> for Permissions {
    fn from_iter<T: IntoIterator<Item = &'a str>>(names: T) -> Self {
        // A space parts names wherever it stands.
        let names = names.into_iter().flat_map(|it| it.split(' '));
        let mut names: Vec<&str> = names.filter(|it| !it.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        Self(names.join(" ").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_service_a_colon_and_an_action() {
        for good in ["pricing:read", "Spark:DownloadServiceByCallId.json", "a:b:c", "s:a/b", "1:2"]
        {
            assert!(is_name(good), "{good}");
        }
        let long = format!("a:{}", "b".repeat(101));
        for wrong in
            ["", "pricing", ":read", "pricing:", "a b:c", "a:b c", "ä:b", "a/b:c", "a:b ", &long]
        {
            assert!(!is_name(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn our_own_are_permissions_too() {
        for (name, _) in OWN {
            assert!(is_name(name) && name.split_once(':').unwrap().0 == OWN_SERVICE, "{name}");
        }
    }

    #[test]
    fn a_set_is_sorted_and_knows_no_doubles() {
        let set: Permissions = ["b:x", "a:x", "b:x"].into_iter().collect();
        assert_eq!((set.as_str(), set.len()), ("a:x b:x", 2));
        assert!(
            set.contains("a:x")
                && !set.contains("a:")
                && !set.contains("a:x b:x")
                && !set.contains("")
        );
        assert_eq!(["b:x a:x", "", "a:x "].into_iter().collect::<Permissions>(), set);
        let other: Permissions = ["a:x", "c:x"].into_iter().collect();
        assert_eq!(set.without(&other).as_str(), "b:x");
        assert_eq!(Permissions::union([&set, &other]).as_str(), "a:x b:x c:x");
        assert!(
            Permissions::default().is_empty() && Permissions::default().iter().next().is_none()
        );
    }
}
