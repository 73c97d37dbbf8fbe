//! What stands in bodies. Instants are RFC 3339 in UTC with milliseconds; ids are UUIDs.
use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::{
    access::{self, Catalogue, Held},
    clock::{instant, iso},
    domain::{ActivePeriod, SecretText, Status, access::Source, coverage::Run, lifecycle::Overlap},
    error::{Error, Result},
    http::fault::Cause,
    key_groups::{self, Description, KeyGroup},
    key_instances::{self, KeyInstance, NewKey},
    subscriptions::Act,
};

/// An id of a path: the nil one for rubbish, which nothing has.
pub fn id(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap_or_default()
}

/// Tells null from nothing.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    it: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(it).map(Some)
}

/// The text of a secret that the caller has chosen: wiped when it is dropped.
pub struct Chosen(SecretText);

impl<'de> Deserialize<'de> for Chosen {
    fn deserialize<D: Deserializer<'de>>(it: D) -> Result<Self, D::Error> {
        String::deserialize(it).map(|it| Self(SecretText::from_text(it)))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    #[default]
    Token,
    ClientCredentials,
}

/// `POST /api/v1/key-groups`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKeyGroup {
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub contact: String,
    #[serde(default)]
    pub kind: Kind,
    pub access: Option<WantedAccess>,
    /// The first one of a `token` group, which has one from the start (document 004).
    pub instance: Option<NewInstance>,
}

impl NewKeyGroup {
    pub fn description(&self) -> Description {
        Description {
            name: self.name.clone(),
            description: self.description.clone(),
            contact: self.contact.clone(),
        }
    }
}

/// `PATCH /api/v1/key-groups/{id}`: what is not there stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    pub name: Option<String>,
    pub description: Option<String>,
    pub contact: Option<String>,
}

impl GroupChange {
    pub fn applied_to(self, it: &KeyGroup) -> Description {
        let now = Description::of(it);
        Description {
            name: self.name.unwrap_or(now.name),
            description: self.description.unwrap_or(now.description),
            contact: self.contact.unwrap_or(now.contact),
        }
    }
}

/// What a key group is to hold.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedAccess {
    pub policy: Option<Uuid>,
    #[serde(default)]
    pub user_groups: BTreeSet<Uuid>,
    #[serde(default)]
    pub workspace_roles: BTreeSet<Uuid>,
}

impl From<WantedAccess> for Held {
    fn from(it: WantedAccess) -> Self {
        Self { policy: it.policy, user_groups: it.user_groups, roles: it.workspace_roles }
    }
}

/// A key to be made.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewInstance {
    /// Now, if it is not there.
    pub from: Option<DateTime<Utc>>,
    /// null: never. Not there: after the subscription's default lifetime.
    #[serde(default, deserialize_with = "present")]
    pub until: Option<Option<DateTime<Utc>>>,
    #[serde(default)]
    pub note: String,
    /// A custom key (document 004) or a client secret (document 001) of the caller's own.
    pub key: Option<Chosen>,
}

impl NewInstance {
    pub fn read(self, act: &Act<'_>) -> Result<NewKey, Cause> {
        let from = self.from.unwrap_or(act.now).trunc_subsecs(3);
        let days = act.scope.subscription().default_lifetime_days;
        let until = match self.until {
            Some(until) => until.map(|it| it.trunc_subsecs(3)),
            None => Some(from + TimeDelta::days(days.into())),
        };
        let source =
            self.key.map_or(key_instances::Source::Generate, |it| key_instances::Source::Own(it.0));
        Ok(NewKey { source, period: period(from, until)?, note: self.note })
    }
}

fn period(from: DateTime<Utc>, until: Option<DateTime<Utc>>) -> Result<ActivePeriod, Cause> {
    let it = ActivePeriod::new(from, until);
    it.map_err(|refusal| Error::refused_at("until", refusal).into())
}

/// `PATCH /api/v1/instances/{id}` and reactivation: what is not there stays; an `until` of null takes
/// the end away.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeriodChange {
    pub from: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "present")]
    pub until: Option<Option<DateTime<Utc>>>,
}

impl PeriodChange {
    pub fn applied_to(&self, it: &KeyInstance) -> Result<ActivePeriod, Cause> {
        let now = it.facts().period;
        let from = self.from.map_or(now.from(), |it| it.trunc_subsecs(3));
        let until = self.until.map_or(now.until(), |it| it.map(|it| it.trunc_subsecs(3)));
        period(from, until)
    }
}

/// `POST /api/v1/key-groups/{id}/rotation`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The key that gives way: the newest active one, if none is named.
    pub instance: Option<Uuid>,
    /// How long it still works: `now`, `1h`, `24h`, `7d`, or `own` for its own end.
    pub overlap: Option<String>,
    #[serde(default)]
    pub new: NewInstance,
}

impl Rotation {
    pub fn overlap(&self) -> Result<Overlap, Cause> {
        let told = "Use now, 1h, 24h, 7d or own.";
        match &self.overlap {
            None => Ok(Overlap::Hours(24)),
            Some(text) => Overlap::parse(text)
                .ok_or_else(|| Cause::Unreadable("/overlap".to_owned(), told.to_owned())),
        }
    }
}

/// `POST /api/v1/verify`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub secret: Chosen,
    pub client_id: Option<String>,
    pub permission: Option<String>,
    pub workspace: Option<String>,
}

impl Question {
    pub fn secret(&self) -> &str {
        self.secret.0.expose()
    }
}

/// A thing by its id and its name.
#[derive(Clone, Serialize)]
pub struct Reference {
    pub id: Uuid,
    pub name: String,
}

#[derive(Serialize)]
pub struct AccessBody {
    policy: Option<Reference>,
    user_groups: Vec<Reference>,
    workspace_roles: Vec<Reference>,
}

impl AccessBody {
    pub fn of(all: &Catalogue, held: &Held) -> Self {
        let policy = |id: Uuid| all.policy(id).map(|it| Reference { id, name: it.name.clone() });
        let role = |id: &Uuid| Reference { id: *id, name: all.name(Source::Role(*id)) };
        Self {
            policy: held.policy.and_then(policy),
            user_groups: user_groups(all, held),
            workspace_roles: held.roles.iter().map(role).collect(),
        }
    }
}

fn user_groups(all: &Catalogue, held: &Held) -> Vec<Reference> {
    let found = held.user_groups.iter().filter_map(|id| all.user_group(*id));
    found.map(|it| Reference { id: it.0.id, name: it.0.name.clone() }).collect()
}

#[derive(Serialize)]
struct CoverageBody {
    /// covered, runs_out, gap, forever, nothing
    state: &'static str,
    until: Option<String>,
    next_start: Option<String>,
}

impl CoverageBody {
    fn of(run: &Run) -> Self {
        let (state, until, next) = match run {
            Run::Covered { until } => ("covered", Some(until), None),
            Run::RunsOut { until } => ("runs_out", Some(until), None),
            Run::Gap { until, next } => ("gap", Some(until), Some(next)),
            Run::Forever => ("forever", None, None),
            Run::Nothing { next } => ("nothing", None, next.as_ref()),
        };
        Self { state, until: until.map(|it| iso(*it)), next_start: next.map(|it| iso(*it)) }
    }
}

#[derive(Serialize)]
struct Counts {
    active: i32,
    active_in_the_future: i32,
    expired: i32,
    deactivated: i32,
}

#[derive(Serialize)]
pub struct GroupBody {
    id: Uuid,
    name: String,
    description: String,
    contact: String,
    kind: String,
    client_id: String,
    access: AccessBody,
    coverage: CoverageBody,
    instances: Counts,
    /// An instance of it ends soon (document 004).
    warning: bool,
    created_at: String,
    last_used_at: Option<String>,
}

impl GroupBody {
    fn of(it: &KeyGroup, access: AccessBody) -> Self {
        Self {
            id: it.id,
            name: it.name.clone(),
            description: it.description.clone(),
            contact: it.contact.clone(),
            kind: it.kind.clone(),
            client_id: it.client_id.clone(),
            access,
            coverage: CoverageBody::of(&it.run()),
            instances: Counts {
                active: it.active_count,
                active_in_the_future: it.future_count,
                expired: it.expired_count,
                deactivated: it.deactivated_count,
            },
            warning: it.warns,
            created_at: iso(instant(it.created_at)),
            last_used_at: it.last_used().map(iso),
        }
    }
}

/// Groups with what they hold, in few queries.
pub async fn groups(act: &Act<'_>, groups: &[KeyGroup]) -> Result<Vec<GroupBody>> {
    let ids: Vec<Uuid> = groups.iter().map(|it| it.id).collect();
    let (all, held) = (Catalogue::load(act).await?, access::of_groups(act, &ids).await?);
    let nothing = Held::default();
    let body = |it: &KeyGroup| {
        GroupBody::of(it, AccessBody::of(&all, held.get(&it.id).unwrap_or(&nothing)))
    };
    Ok(groups.iter().map(body).collect())
}

#[derive(Serialize)]
pub struct InstanceBody {
    id: Uuid,
    /// `k-7`, counted within the group.
    label: String,
    key_group: Reference,
    /// Of the group, live (document 004).
    name: String,
    description: String,
    user_groups: Vec<Reference>,
    status: &'static str,
    revoked: bool,
    warning: bool,
    /// The active period.
    from: String,
    until: Option<String>,
    note: String,
    mask: String,
    custom: bool,
    created_at: String,
    deactivated_at: Option<String>,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
}

impl InstanceBody {
    fn of(it: &KeyInstance, group: &KeyGroup, user_groups: Vec<Reference>, act: &Act<'_>) -> Self {
        let facts = it.facts();
        Self {
            id: it.id,
            label: it.name(),
            key_group: Reference { id: group.id, name: group.name.clone() },
            name: group.name.clone(),
            description: group.description.clone(),
            user_groups,
            status: status(it.status(act.now)),
            revoked: it.is_revoked(),
            warning: it.warning(act.now).is_some(),
            from: iso(facts.period.from()),
            until: facts.period.until().map(iso),
            note: it.note.clone(),
            mask: it.mask.clone(),
            custom: it.custom,
            created_at: iso(instant(it.created_at)),
            deactivated_at: facts.deactivated_at.map(iso),
            revoked_at: facts.revoked_at.map(iso),
            last_used_at: it.last_used().map(iso),
        }
    }
}

fn status(it: Status) -> &'static str {
    match it {
        Status::Active => "active",
        Status::ActiveInTheFuture => "active_in_the_future",
        Status::Expired => "expired",
        Status::Deactivated => "deactivated",
    }
}

/// Instances with what they have of their groups, in few queries.
pub async fn instances(act: &Act<'_>, instances: &[KeyInstance]) -> Result<Vec<InstanceBody>> {
    let groups = key_groups::of_instances(act, instances).await?;
    let groups: HashMap<Uuid, KeyGroup> = groups.into_iter().map(|it| (it.id, it)).collect();
    let ids: Vec<Uuid> = groups.keys().copied().collect();
    let (all, held) = (Catalogue::load(act).await?, access::of_groups(act, &ids).await?);
    let nothing = Held::default();
    let body = |it: &KeyInstance| {
        // A group that was deleted a moment ago took its instances along.
        let group = groups.get(&it.key_group_id)?;
        let held = held.get(&group.id).unwrap_or(&nothing);
        Some(InstanceBody::of(it, group, user_groups(&all, held), act))
    };
    Ok(instances.iter().filter_map(body).collect())
}

/// A key that was just made: the only answer that has its secret.
#[derive(Serialize)]
pub struct MadeBody<'a> {
    pub instance: InstanceBody,
    pub secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_group: Option<GroupBody>,
}
