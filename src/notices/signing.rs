//! What is posted to a webhook, and its signature: Standard Webhooks 1.0
//! (<https://www.standardwebhooks.com>).
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::{entity::webhooks::Model as Webhook, told::Notice};
use crate::{
    clock::{instant, iso},
    domain::{label_name, notice::Threshold},
    http::App,
    pepper::Digest32,
};

/// After a new signing secret, the one before signs as well for so long.
pub const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// The secret of a webhook: nothing of it is in the database.
fn secret(app: &App, id: Uuid, version: i32) -> Digest32 {
    let purpose = format!("webhook {id} {version}");
    app.peppers.derive(&purpose)
}

/// As its receiver configures it.
pub fn shown_secret(app: &App, it: &Webhook) -> String {
    format!("whsec_{}", STANDARD.encode(secret(app, it.id, it.secret_version)))
}

/// `webhook-id` stays the same for each attempt of a delivery: receivers drop what they have seen.
pub fn headers(app: &App, it: &Webhook, (id, body): (Uuid, &str), now: DateTime<Utc>) -> HeaderMap {
    let (id, at) = (format!("msg_{}", id.simple()), now.timestamp());
    let mut versions = vec![it.secret_version];
    if it.secret_changed_at.is_some_and(|changed| now < instant(changed) + OVERLAP) {
        versions.push(it.secret_version - 1);
    }
    let signatures: Vec<String> = versions
        .into_iter()
        .map(|version| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret(app, it.id, version))
                .expect("HMAC takes keys of every length");
            mac.update(format!("{id}.{at}.{body}").as_bytes());
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        })
        .collect();
    let value = |text: String| HeaderValue::from_str(&text).expect("it is made of ASCII");
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("webhook-id", value(id));
    headers.insert("webhook-timestamp", value(at.to_string()));
    headers.insert("webhook-signature", value(signatures.join(" ")));
    headers
}

/// The body: the same at each attempt.
pub fn body(app: &App, slug: &str, notice: Option<&Notice>, made: DateTime<Utc>) -> String {
    let event =
        |kind: &str, data: Value| json!({ "type": kind, "timestamp": iso(made), "data": data });
    let Some(it) = notice else {
        return event("keyward.test", json!({ "subscription": slug })).to_string();
    };
    let has_ended = it.threshold() == Threshold::End;
    let mut data = json!({
        "subscription": slug,
        "threshold": it.threshold().as_str(),
        "active_until": iso(it.ends()),
        "last_used_at": it.last_used_at().map(|at| iso(instant(at))),
        "url": app.site.url(&it.path(slug)),
    });
    let kind = match it {
        Notice::Key(key) => {
            let successor = key
                .successor()
                .map(|(name, from)| json!({ "name": name, "active_from": iso(from) }));
            data["key_group"] = json!({ "id": key.key_group_id, "name": key.group_name });
            data["key_instance"] =
                json!({ "id": key.key_instance_id, "name": label_name(key.label) });
            data["successor"] = successor.into();
            if has_ended { "key_instance.expired" } else { "key_instance.expiring" }
        }
        Notice::Token(token) => {
            data["automation_token"] =
                json!({ "id": token.automation_token_id, "name": token.name });
            if has_ended { "automation_token.expired" } else { "automation_token.expiring" }
        }
    };
    event(kind, data).to_string()
}
