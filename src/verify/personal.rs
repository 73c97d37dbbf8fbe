//! A presented personal key becomes a verdict: by its row and by what its person may do now, from the live
//! state in memory, or from the database where that cannot be relied on. Its claims are fixed; where they
//! said more than is true today, today counts.
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Presented, Verdict, stored_personal};
use crate::{
    clock::{instant, millis},
    domain::{Denial, Permissions, text},
    error::Result,
    http::App,
    live::FoundPerson,
    personal_keys::{Claims, token},
};

/// Whose key it is.
#[derive(Clone, Debug)]
pub struct Person {
    /// The KeyId.
    pub key: Uuid,
    pub email: Arc<str>,
    /// The slug of the subscription that is meant; `None` where several could be and none is named.
    pub subscription: Option<String>,
    pub until: Option<DateTime<Utc>>,
    /// All that the person may do at the place that was asked for, as far as the claims go.
    pub permissions: Permissions,
}

/// Whether this is to be read as a personal key, good or not.
pub fn is_one(secret: &str) -> bool {
    token::is_jwt(secret)
}

pub async fn verify(
    app: &App,
    (key, it): (&str, &Presented<'_>),
    now: DateTime<Utc>,
) -> Result<Verdict<Person>> {
    let Some(shown) = token::Presented::read(key) else { return Ok(Verdict::Unknown) };
    // Not proven yet: it says what to look for, and nothing is told before the signature is right.
    let Some(claims) = shown.unproven() else { return Ok(Verdict::Unknown) };
    let slug = meant(&claims, it.tenant);
    let known = match app.live.person(shown.id, slug, it.workspace) {
        Some(known) => known,
        None => stored_personal::find(app, shown.id, slug, it.workspace).await?,
    };
    let Some(known) = known else { return Ok(Verdict::Unknown) };
    let same = claims.jti == shown.id && claims.sub == known.user;
    if !known.public_key.is_some_and(|it| shown.is_signed_by(&it)) || !same {
        return Ok(Verdict::Unknown);
    }
    let mut denial = decide(&known, &claims, slug, it.tenant, now);
    if denial.is_none() && slug.is_none() && !claims.subscriptions.is_empty() {
        // None is named of several: at least one of them must still be the person's, and open.
        let claimed: Vec<&str> = claims.subscriptions.iter().map(|it| it.slug.as_str()).collect();
        let places = match app.live.places_of(known.user, &claimed) {
            Some(it) => it,
            None => stored_personal::places_of(app, known.user, claimed).await?,
        };
        denial = match places.as_slice() {
            [] => Some(Denial::WrongSubscription),
            places => places.iter().all(|it| *it).then_some(Denial::Suspended),
        };
    }
    let person = Person {
        key: shown.id,
        email: known.email,
        subscription: slug.map(str::to_owned),
        until: known.until.map(instant),
        permissions: known.permissions,
    };
    let lacks = it.permission.is_some_and(|asked| !person.permissions.contains(asked));
    let denial = denial.or(lacks.then_some(Denial::InsufficientPermissions));
    Ok(match denial {
        None => Verdict::Accepted(person),
        Some(denial) => Verdict::Denied(person, denial),
    })
}

/// The subscription that is asked about, if the claims have it: the one that is named, else the only
/// one.
fn meant<'a>(claims: &'a Claims, tenant: Option<&str>) -> Option<&'a str> {
    let slug = match (tenant, claims.subscriptions.as_slice()) {
        (Some(tenant), places) => {
            places.iter().map(|it| it.slug.as_str()).find(|it| *it == tenant)?
        }
        (None, [only]) => &only.slug,
        (None, _) => return None,
    };
    // Anybody can write claims, and not every database takes every text.
    (text::slug(slug).as_deref() == Ok(slug)).then_some(slug)
}

/// In this order: a reason that lies deeper is not told before the ones above it.
fn decide(
    known: &FoundPerson,
    claims: &Claims,
    slug: Option<&str>,
    tenant: Option<&str>,
    now: DateTime<Utc>,
) -> Option<Denial> {
    let is_meant = tenant.is_some() || slug.is_some();
    if is_meant && (slug.is_none() || !known.is_member) {
        return Some(Denial::WrongSubscription);
    }
    let has_passed = |at: i64| at <= millis(now);
    let ends = [claims.exp.map(|it| it.saturating_mul(1_000)), known.until];
    if ends.into_iter().flatten().any(has_passed) {
        return Some(Denial::Expired);
    }
    known.is_suspended.then_some(Denial::Suspended)
}
