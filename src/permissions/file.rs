//! A service's declaration in a file, as it stands beside the code of the service: TOML or JSON.
use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::Declaration;

/// `service = "pricing"`, and a table `[permissions]` of actions with their descriptions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    service: String,
    permissions: BTreeMap<String, String>,
}

/// Reads a `.toml` or `.json` file.
pub fn read(path: &Path) -> anyhow::Result<Declaration> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let ending = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    parse(ending, &text).with_context(|| format!("{shown} is no declaration of permissions"))
}

fn parse(ending: &str, text: &str) -> anyhow::Result<Declaration> {
    let file: File = match ending {
        "toml" => toml::from_str(text)?,
        "json" => serde_json::from_str(text)?,
        other => bail!("a file ends in .toml or .json, not in {other:?}"),
    };
    Ok(Declaration { service: file.service, actions: file.permissions })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let toml = "service = \"pricing\"\n[permissions]\nread = \"Read price lists\"\n\"lists:write\" = \"\"\n";
        let json = r#"{"service": "pricing", "permissions": {"read": "Read price lists", "lists:write": ""}}"#;
        let it = parse("toml", toml).unwrap();
        assert_eq!((it.service.as_str(), it.actions.len()), ("pricing", 2));
        assert_eq!(it.actions["read"], "Read price lists");
        assert_eq!(parse("json", json).unwrap(), it);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (ending, text, told) in [
            ("yaml", "service: x", ".toml or .json"),
            ("toml", "service = 1", "line 1"),
            ("json", r#"{"service": "x"}"#, "permissions"),
            ("json", r#"{"service": "x", "permissions": {}, "extra": 1}"#, "extra"),
        ] {
            let error = format!("{:#}", parse(ending, text).unwrap_err());
            assert!(error.contains(told), "{error}");
        }
    }
}
