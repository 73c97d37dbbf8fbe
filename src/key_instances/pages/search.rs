//! Search by whole key: always a POST, so that a key reaches no URL, log or history. What does not
//! look like a key becomes a search of the list it came from.
use actix_web::HttpResponse;
use serde::Deserialize;

use crate::{
    domain::{client_secret, custom_key},
    error::Error,
    http::{Flash, Form, PageError, Viewer, is_local_path, see_other},
    key_instances,
};

#[derive(Deserialize)]
pub struct SearchForm {
    #[serde(default)]
    query: String,
    /// The list to narrow when no key was typed.
    #[serde(default)]
    list: String,
}

/// `POST /s/{slug}/search`
pub async fn search(viewer: Viewer, form: Form<SearchForm>) -> Result<HttpResponse, PageError> {
    let app = &viewer.me.app;
    let lists = viewer.path("/");
    let list = Some(form.list.as_str())
        .filter(|it| is_local_path(it) && it.starts_with(&lists))
        .map_or_else(|| viewer.path("/groups"), str::to_owned);
    let typed = form.query.trim();
    if typed.contains('\0') {
        return Err(Error::Malformed("This search cannot be read.").into());
    }
    if key_within(typed).is_none() && could_be_chosen(typed) {
        let told = "A secret that somebody chose cannot be searched for: only a slow hash of it is \
                    stored.";
        return Ok(Flash::plain(told).then(app, &list));
    }
    let key = key_within(typed);
    if key.is_none() && !key_instances::is_key(&viewer.act(), typed).await? {
        let path = list.split('?').next().unwrap_or_default();
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("q", &typed.chars().take(100).collect::<String>())
            .finish();
        let query = if typed.is_empty() { String::new() } else { format!("?{query}") };
        return Ok(see_other(&format!("{path}{query}")));
    }
    let found = key_instances::search_by_key(&viewer.act(), key.unwrap_or(typed)).await?;
    Ok(match found {
        Some(it) => {
            let path = viewer.path(&format!("/groups/{}/keys/{}", it.key_group_id, it.id));
            Flash::new(format!("The key you searched for is {}.", it.name())).then(app, &path)
        }
        None => {
            let name = &viewer.scope.subscription().name;
            let told = format!("No key with this value in {name}. Was it pasted whole?");
            Flash::plain(told).then(app, &list)
        }
    })
}

/// The part that looks like a key, also within a line that was copied along with it: `Bearer kw_..`,
/// `API_KEY=kw_..`, `"kw_.."`. No such text ever reaches a URL. Words and dashes without a digit are
/// taken for a long name, unless they are a key.
fn key_within(typed: &str) -> Option<&str> {
    let inside = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    typed.split(|it| !inside(it)).find(|part| {
        let prefixed = ["kw_", "kws_", "kwa_"].iter().any(|it| part.starts_with(it));
        let has_digit = part.bytes().any(|it| it.is_ascii_digit());
        prefixed || (custom_key::has_the_shape(part) && has_digit)
    })
}

/// Whether it could be a client secret that a user chose (document 001), which must reach no URL either:
/// what people call things has no digit beside such characters.
fn could_be_chosen(typed: &str) -> bool {
    let has = |is: fn(&u8) -> bool| typed.as_bytes().iter().any(is);
    client_secret::has_the_shape(typed)
        && has(u8::is_ascii_digit)
        && has(|it| it.is_ascii_punctuation() && !b"-_.:/".contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_secret_is_no_word_to_search_for() {
        for secret in ["9011@83sd!f1042ds+f19fg86M", "kj@s$dfS124GDd35"] {
            assert!(could_be_chosen(secret), "{secret}");
        }
        for words in ["quote-engine", "Team-42-blue", "orders:read/v2", "k-7", "C++ build no 7"] {
            assert!(!could_be_chosen(words), "{words}");
        }
    }

    #[test]
    fn a_key_is_found_in_what_was_copied_along() {
        for line in ["kw_abc", "Bearer kw_abc", "API_KEY=kw_abc", "\"kw_abc\",", "(kw_abc)"] {
            assert_eq!(key_within(line), Some("kw_abc"), "{line}");
        }
        assert_eq!(key_within("Zr7-qPw2Lk9xBn4Td6Vy,"), Some("Zr7-qPw2Lk9xBn4Td6Vy"));
        assert_eq!(key_within("quote-engine-of-the-broker-desk"), None);
        assert_eq!(key_within("team 42"), None);
    }
}
