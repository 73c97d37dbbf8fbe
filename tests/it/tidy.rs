//! The rules of ARCHITECTURE.md that the compiler cannot keep.
use std::{fs, path::Path};

/// A file's path and text.
type File = (String, String);

fn files(folder: &str, ending: &str) -> Vec<File> {
    let mut found = Vec::new();
    collect(Path::new(folder), ending, &mut found);
    assert!(!found.is_empty(), "there is no {ending} in {folder}; did it move?");
    found
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap().to_owned();
        if path.is_dir() {
            collect(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Without comments, blank lines and the tests below.
fn code(text: &str) -> Vec<&str> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = text.lines().map(str::trim);
    lines.filter(|it| !it.is_empty() && !it.starts_with("//")).collect()
}

fn forbid(files: &[File], words: &[&str]) {
    assert!(!files.is_empty(), "no file is looked at; did they move?");
    for (path, text) in files {
        for line in code(text) {
            for word in words {
                assert!(!line.contains(word), "{path} must not mention {word}: {line}");
            }
        }
    }
}

#[test]
fn the_domain_knows_no_io_no_clock_and_no_other_module() {
    let mut domain = files("src/domain", ".rs");
    for (_, text) in &mut domain {
        *text = text.replace("crate::domain", "");
    }
    forbid(&domain, &["crate::", "sea_orm", "actix_web", "askama", "::now(", "async fn"]);
}

#[test]
fn pages_do_not_query() {
    let mut pages = files("src", ".rs");
    pages.retain(|(path, _)| path.ends_with("/pages.rs") || path.contains("/pages/"));
    forbid(&pages, &["sea_orm", "entity::", "store::"]);
}

/// A dialect translates: what it is asked for is done by the verbs that pages call too.
#[test]
fn dialects_do_not_query_and_begin_no_transaction() {
    let dialects = files("src/dialects", ".rs");
    forbid(&dialects, &["sea_orm", "entity::", "store::", ".db", "Tx"]);
}

#[test]
fn no_database_is_named_outside_of_the_place_that_opens_it() {
    let mut all = files("src", ".rs");
    all.retain(|it| !it.0.starts_with("src/db/"));
    forbid(&all, &["Postgres", "Sqlite", "DbBackend"]);
}

/// `Db::write` takes the write lock at once; a transaction begun elsewhere would not.
#[test]
fn transactions_begin_in_one_place() {
    let mut all = files("src", ".rs");
    all.retain(|it| !it.0.starts_with("src/db/"));
    forbid(&all, &["TransactionTrait", ".begin_with_"]);
}

#[test]
fn files_stay_readable() {
    for (path, text) in files("src", ".rs").into_iter().chain(files("migrations/src", ".rs")) {
        let lines = code(&text).len();
        assert!(lines <= 400, "{path} has {lines} lines of code; split it");
    }
    for (path, text) in files("tests/it", ".rs") {
        let lines = text.lines().count();
        assert!(lines < 400, "{path} has {lines} lines; split it");
    }
    for (path, text) in files("templates", ".html") {
        let lines = text.lines().count();
        assert!(lines <= 120, "{path} has {lines} lines; split it");
    }
}

/// The content security policy would block them, and nobody would see more than a dead button.
#[test]
fn templates_have_no_inline_style_and_no_inline_script() {
    for (path, text) in files("templates", ".html") {
        let text = text.to_lowercase();
        assert!(!text.contains("<style") && !text.contains("style="), "{path} has inline style");
        assert!(!text.contains("javascript:"), "{path} has a script in a URL");
        for (at, _) in text.match_indices(" on") {
            let name = text[at + 3..].split(|it: char| !it.is_ascii_alphabetic()).next();
            let behind = text[at + 3 + name.unwrap_or_default().len()..].trim_start();
            let handles = name.is_some_and(|it| !it.is_empty()) && behind.starts_with('=');
            assert!(!handles, "{path} has an inline handler: {}", &text[at..at + 20]);
        }
        for part in text.split("<script").skip(1) {
            let (tag, rest) = part.split_once('>').unwrap();
            let content = rest.split("</script").next().unwrap_or_default();
            assert!(tag.contains("src="), "{path} has an inline script");
            assert!(content.is_empty(), "{path} has text inside <script src>");
        }
    }
}

/// `safe` prints unescaped text: no template may need it.
#[test]
fn templates_escape_everything() {
    for (path, text) in files("templates", ".html") {
        let unescaped = text.contains("|safe") || text.contains("| safe");
        assert!(!unescaped, "{path} prints something unescaped");
        assert!(!text.contains("escape"), "{path} changes how text is escaped");
    }
}

/// Trusted Types would refuse them at run time, in some browsers only.
#[test]
fn scripts_write_no_html_and_evaluate_no_text() {
    for (path, text) in files("static/js", ".js") {
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!text.contains(word), "{path} must not use {word}");
        }
    }
}

/// Without one of them cargo builds nothing.
#[test]
fn the_container_gets_every_member_of_the_workspace() {
    let manifest: toml::Table = fs::read_to_string("Cargo.toml").unwrap().parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let let_in = fs::read_to_string(".containerignore").unwrap();
    for member in members.iter().filter_map(|it| it.as_str()).filter(|it| *it != ".") {
        assert!(let_in.lines().any(|it| it == format!("!{member}")), "{member} is kept out");
    }
    assert!(members.len() > 2);
}
