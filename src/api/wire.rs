//! What stands in bodies. Instants are RFC 3339 in UTC with milliseconds; ids are UUIDs.
use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use super::kind::Kind;
use super::openapi::texts::{
    ChosenKey, Contact, CoverageState, Description as DescriptionText, Name, Note, OverlapWord,
    PermissionName, StatusWord, WorkspaceSlug,
};
use crate::{
    access::{self, Catalogue, Held},
    clock::{instant, iso},
    domain::{
        ActivePeriod, SecretText, Status, access::Source, can_be_told, coverage::Run, days_after,
        lifecycle::Overlap,
    },
    error::{Error, Result},
    http::fault::Cause,
    key_groups::{self, Description, KeyGroup},
    key_instances::{self, KeyInstance, NewKey},
    subscriptions::Act,
    user_groups::UserGroup,
};

/// An id of a path: the nil one for rubbish, which nothing has.
pub fn id(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap_or_default()
}

/// Tells null from nothing.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
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

/// A key group to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKeyGroup {
    #[schema(value_type = Name)]
    pub name: String,
    #[serde(default)]
    #[schema(value_type = DescriptionText)]
    pub description: String,
    #[serde(default)]
    #[schema(value_type = Contact)]
    pub contact: String,
    #[serde(default)]
    pub kind: Kind,
    pub access: Option<WantedAccess>,
    /// The first key of a `token` group, which has one from the start. A client gets its secrets afterwards.
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

/// What shall change of a key group: what is null or not there stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyGroupChange)]
pub struct GroupChange {
    #[schema(value_type = Option<Name>)]
    pub name: Option<String>,
    #[schema(value_type = Option<DescriptionText>)]
    pub description: Option<String>,
    #[schema(value_type = Option<Contact>)]
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
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedAccess {
    pub policy: Option<Uuid>,
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>)]
    pub user_groups: BTreeSet<Uuid>,
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>)]
    pub workspace_roles: BTreeSet<Uuid>,
}

impl From<WantedAccess> for Held {
    fn from(it: WantedAccess) -> Self {
        Self { policy: it.policy, user_groups: it.user_groups, roles: it.workspace_roles }
    }
}

/// A key to be made.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInstance {
    /// Its start: now, if it is null or not there.
    pub from: Option<DateTime<Utc>>,
    /// Its end. null: it never ends. Not there: after the subscription's default lifetime.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub until: Option<Option<DateTime<Utc>>>,
    #[serde(default)]
    #[schema(value_type = Note)]
    pub note: String,
    /// A secret of your own choice, instead of a generated one.
    #[schema(value_type = Option<ChosenKey>)]
    pub key: Option<Chosen>,
}

impl NewInstance {
    pub fn read(self, act: &Act<'_>) -> Result<NewKey, Cause> {
        let from = self.from.unwrap_or(act.now).trunc_subsecs(3);
        let days = act.scope.subscription().default_lifetime_days;
        let until = match self.until {
            Some(until) => until.map(|it| it.trunc_subsecs(3)),
            None => {
                let last = days_after(from, days.into());
                Some(last.map_err(|it| Error::refused_at("from", it))?)
            }
        };
        let source =
            self.key.map_or(key_instances::Source::Generate, |it| key_instances::Source::Own(it.0));
        Ok(NewKey { source, period: period(from, until)?, note: self.note })
    }
}

pub(super) fn period(
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
) -> Result<ActivePeriod, Cause> {
    let field = if can_be_told(from) { "until" } else { "from" };
    let it = ActivePeriod::new(from, until).and_then(|it| it.check_years().map(|()| it));
    it.map_err(|refusal| Error::refused_at(field, refusal).into())
}

/// A new key takes the place of another one.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The key that gives way: the newest active one, if none is named.
    pub instance: Option<Uuid>,
    /// How long that one still works beside the new one, so from when that starts: a day, if it is null or not
    /// there. `now` ends it at once, whenever the new one starts.
    #[schema(value_type = Option<OverlapWord>)]
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

/// A secret that somebody has shown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VerificationRequest)]
pub struct Question {
    /// As it was shown, whatever it is.
    #[schema(value_type = String)]
    pub secret: Chosen,
    /// Of a client: who shows the secret.
    pub client_id: Option<String>,
    /// What it shall be good for.
    #[schema(value_type = Option<PermissionName>)]
    pub permission: Option<String>,
    /// Where it shall be good for that.
    #[schema(value_type = Option<WorkspaceSlug>)]
    pub workspace: Option<String>,
}

impl Question {
    pub fn secret(&self) -> &str {
        self.secret.0.expose()
    }
}

/// A thing by its id and its name.
#[derive(Clone, Serialize, ToSchema)]
pub struct Reference {
    pub id: Uuid,
    pub name: String,
}

/// What a key group holds.
#[derive(Serialize, ToSchema)]
#[schema(as = Access)]
pub struct AccessBody {
    #[schema(required)]
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
            user_groups: user_groups(|id| Some(&all.user_group(id)?.0), held),
            workspace_roles: held.roles.iter().map(role).collect(),
        }
    }
}

fn user_groups<'a>(find: impl Fn(Uuid) -> Option<&'a UserGroup>, held: &Held) -> Vec<Reference> {
    let found = held.user_groups.iter().filter_map(|id| find(*id));
    found.map(|it| Reference { id: it.id, name: it.name.clone() }).collect()
}

/// Until when the keys of a group follow each other without a gap, and when they go on.
#[derive(Serialize, ToSchema)]
#[schema(as = Coverage)]
struct CoverageBody {
    #[schema(value_type = CoverageState)]
    state: &'static str,
    #[schema(format = DateTime, required)]
    until: Option<String>,
    #[schema(format = DateTime, required)]
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

/// How many keys of a group are in which status.
#[derive(Serialize, ToSchema)]
#[schema(as = InstanceCounts)]
struct Counts {
    active: i32,
    active_in_the_future: i32,
    expired: i32,
    deactivated: i32,
}

/// A group of keys that follow each other, and what they may do.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyGroup)]
pub struct GroupBody {
    id: Uuid,
    name: String,
    description: String,
    contact: String,
    #[schema(value_type = Kind)]
    kind: String,
    client_id: String,
    access: AccessBody,
    coverage: CoverageBody,
    instances: Counts,
    /// A key of it ends soon.
    warning: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime, required)]
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

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Instance)]
pub struct InstanceBody {
    id: Uuid,
    /// `k-7`, counted within the group.
    label: String,
    key_group: Reference,
    /// Of the group, as it is now.
    name: String,
    description: String,
    user_groups: Vec<Reference>,
    #[schema(value_type = StatusWord)]
    status: &'static str,
    revoked: bool,
    warning: bool,
    /// When it becomes active.
    #[schema(format = DateTime)]
    from: String,
    /// When it ends; null: never.
    #[schema(format = DateTime, required)]
    until: Option<String>,
    note: String,
    mask: String,
    custom: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime, required)]
    deactivated_at: Option<String>,
    #[schema(format = DateTime, required)]
    revoked_at: Option<String>,
    #[schema(format = DateTime, required)]
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
    instances_of(act, key_groups::of_instances(act, instances).await?, instances).await
}

/// The same where the groups are known.
pub async fn instances_of(
    act: &Act<'_>,
    groups: Vec<KeyGroup>,
    instances: &[KeyInstance],
) -> Result<Vec<InstanceBody>> {
    let groups: HashMap<Uuid, KeyGroup> = groups.into_iter().map(|it| (it.id, it)).collect();
    let ids: Vec<Uuid> = groups.keys().copied().collect();
    let in_groups = access::user_groups_of(act, &ids).await?;
    let body = |it: &KeyInstance| {
        // A group that was deleted a moment ago took its instances along.
        let group = groups.get(&it.key_group_id)?;
        let named = in_groups.get(&group.id).into_iter().flatten();
        let named = named.map(|(id, name)| Reference { id: *id, name: name.clone() }).collect();
        Some(InstanceBody::of(it, group, named, act))
    };
    Ok(instances.iter().filter_map(body).collect())
}

/// A key that was just made: the only answer that has its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeInstance)]
pub struct MadeBody<'a> {
    pub instance: InstanceBody,
    /// The secret: nothing gives it again.
    pub secret: &'a str,
}

/// A key group that was just made. One of the kind `token` comes with its first key, and this is the
/// only answer that has the secret.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeKeyGroup)]
pub struct MadeGroup<'a> {
    pub key_group: GroupBody,
    /// The first key of a `token` group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceBody>,
    /// Its secret: nothing gives it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<&'a str>,
}
