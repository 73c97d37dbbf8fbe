//! What stands in bodies and queries, as document 001 has it: ids are texts, lists carry their count.
use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::query::{self, Condition};
use crate::http::fault::Cause;

/// `{"user", "password"}` or `{"client_id", "client_secret"}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    pub user: Option<String>,
    pub password: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
}

/// The body of a list of new things.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data<T> {
    pub data: Vec<T>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccess {
    pub name: String,
    pub client_secret: String,
    #[serde(default)]
    pub expiration: Option<DateTime<Utc>>,
    #[serde(default)]
    pub workspace_roles: Option<Data<Reference>>,
}

/// `{"type": "workspace_role", "id": "1028"}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    pub id: String,
}

/// What a PUT changes. A field that is not there stays; an `expiration` of null takes it away.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub is_valid: Option<bool>,
    pub client_secret: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub expiration: Option<Option<DateTime<Utc>>>,
    pub name: Option<String>,
    pub workspace_roles: Option<Data<Reference>>,
}

/// Tells null from nothing.
fn present<'de, D: serde::Deserializer<'de>>(
    it: D,
) -> Result<Option<Option<DateTime<Utc>>>, D::Error> {
    Deserialize::deserialize(it).map(Some)
}

/// What a request asks of a list.
#[derive(Debug, Default)]
pub struct Asked {
    /// `None`: what comes by itself.
    pub fields: Option<BTreeSet<String>>,
    pub conditions: Vec<Condition>,
    pub limit: u64,
    pub offset: u64,
}

/// Rows of one answer, unless asked otherwise, and at most.
const LIMIT: u64 = 50;
const MOST: u64 = 200;

impl Asked {
    /// `known`: the fields that can be asked for.
    pub fn read(req: &HttpRequest, known: &[&str]) -> Result<Self, Cause> {
        let mut asked = Self { limit: LIMIT, ..Self::default() };
        for (name, value) in form_urlencoded::parse(req.query_string().as_bytes()) {
            let malformed = |text: String| Cause::malformed("invalid_query", text);
            let number = |most| match value.parse::<u64>() {
                Ok(n) if n <= most => Ok(n),
                _ => Err(malformed(format!("{name} is a number up to {most}."))),
            };
            match &*name {
                "fields" => asked.fields = Some(fields(&value, known).map_err(malformed)?),
                "query" => {
                    asked.conditions =
                        query::parse(&value).map_err(|it| malformed(it.to_string()))?;
                }
                "limit" => asked.limit = number(MOST)?.max(1),
                "offset" => asked.offset = number(1_000_000)?,
                // A secret in a URL ends in logs; whatever else it is, it is not said again.
                _ => {
                    let text = "The parameters are fields, query, limit and offset.";
                    return Err(malformed(text.to_owned()));
                }
            }
        }
        Ok(asked)
    }

    /// Whether a field is part of the answer; `by_itself` if nothing was asked for.
    pub fn wants(&self, field: &str, by_itself: bool) -> bool {
        self.fields.as_ref().map_or(by_itself, |it| it.contains(field))
    }
}

fn fields(text: &str, known: &[&str]) -> Result<BTreeSet<String>, String> {
    let names = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let names: BTreeSet<String> = names.map(str::to_owned).collect();
    let always = ["id", "type"];
    match names.iter().find(|it| !known.contains(&it.as_str()) && !always.contains(&it.as_str())) {
        Some(_) => Err(format!("fields knows {}.", known.join(", "))),
        None => Ok(names),
    }
}

/// A list and how many there are; more than could be counted is said.
pub fn list(data: Vec<Value>, total: u64, most: u64) -> HttpResponse {
    HttpResponse::Ok().json(listed(data, total, most))
}

pub fn listed(data: Vec<Value>, total: u64, most: u64) -> Value {
    json!({
        "total_count": total.min(most),
        "data": data,
        "exceeds_total_count": total > most,
    })
}

/// `2021-08-24T00:00:00Z`
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `DevOps Admin` becomes `role.workspace.devops.admin`.
pub fn logical_name(name: &str) -> String {
    let plain = |it: char| if it.is_alphanumeric() { it } else { ' ' };
    let words: String = name.to_lowercase().chars().map(plain).collect();
    let words: Vec<&str> = words.split_whitespace().collect();
    format!("role.workspace.{}", words.join("."))
}

/// A reference's number, if it is of this kind; one that no thing has for rubbish.
pub fn number(id: &str) -> i32 {
    id.parse().ok().filter(|it| *it > 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logical_names_are_made_from_names() {
        assert_eq!(logical_name("DevOps Admin"), "role.workspace.devops.admin");
        assert_eq!(logical_name("CI/CD Integration"), "role.workspace.ci.cd.integration");
    }

    #[test]
    fn null_takes_an_expiration_away_and_nothing_leaves_it() {
        let read = |text: &str| serde_json::from_str::<Change>(text).unwrap().expiration;
        assert_eq!(read("{}"), None);
        assert_eq!(read(r#"{"expiration": null}"#), Some(None));
        assert!(read(r#"{"expiration": "2021-08-24T00:00:00Z"}"#).unwrap().is_some());
    }
}
