//! Calls about key groups and their keys.
use super::operation::{Operation, delete, get, operation, patch, post, put};
use crate::api::{
    instances, key_groups,
    wire::{
        AccessBody, GroupBody, GroupChange, InstanceBody, MadeBody, MadeGroup, NewInstance,
        NewKeyGroup, Rotation, WantedAccess,
    },
    wire_change::{KeyChange, Reactivation},
};

const GROUPS: &str = "Key groups";
const KEYS: &str = "Keys";
/// What can refuse a secret that the caller has chosen.
const BUSY: &str = "Too many chosen secrets are worked on at once. Nothing was made.";
const MADE: &str = "Made. Only this answer has the secret.";

pub fn operations() -> Vec<Operation> {
    let mut all = groups();
    all.extend(held());
    all.extend(keys());
    all
}

#[rustfmt::skip]
fn groups() -> Vec<Operation> {
    let group = "/api/v1/key-groups/{group}";
    vec![
        operation(get("/api/v1/key-groups", "listKeyGroups"), GROUPS, ("List key groups",
            "What runs out first comes before all else."))
            .asks::<key_groups::Asked>().page::<GroupBody>().leads("group", "/data/0/id"),
        operation(post("/api/v1/key-groups", "createKeyGroup"), GROUPS, ("Make a key group",
            "A `token` group comes with its first key, whose secret is in this answer only. A client comes without one; \
             its `Location` is that of the group. Naming what it shall hold takes the scope `access:write` as well."))
            .takes::<NewKeyGroup>().creates().refuses(429, BUSY)
            .gives::<MadeGroup<'static>>(201, MADE, &["ETag", "Location"])
            .leads("group", "/key_group/id").leads("key", "/instance/id"),
        operation(get(group, "getKeyGroup"), GROUPS, ("Read a key group", "Its `ETag` changes with the group, with what it holds and with its keys."))
            .gives::<GroupBody>(200, "The key group.", &["ETag"]),
        operation(patch(group, "changeKeyGroup"), GROUPS, ("Change the name, the description or the contact",
            "Its keys go on working."))
            .takes::<GroupChange>().conditional().gives::<GroupBody>(200, "The key group as it is now.", &["ETag"]),
        operation(delete(group, "deleteKeyGroup"), GROUPS, ("Delete a key group",
            "With all its keys, which are refused at once. This cannot be undone."))
            .conditional().answer(204, "Deleted.", &[], None),
    ]
}

#[rustfmt::skip]
fn held() -> Vec<Operation> {
    let access = "/api/v1/key-groups/{group}/access";
    vec![
        operation(get(access, "getAccess"), GROUPS, ("Read what a key group holds",
            "Its policy, user groups and workspace roles."))
            .gives::<AccessBody>(200, "What it holds.", &["ETag"]),
        operation(put(access, "setAccess"), GROUPS, ("Set what a key group holds",
            "All of it: what is not named is taken away. It counts from the next verification on."))
            .takes::<WantedAccess>().conditional().gives::<AccessBody>(200, "What it holds now.", &["ETag"]),
        operation(get("/api/v1/key-groups/{group}/instances", "listKeysOfGroup"), GROUPS, ("List the keys of a group",
            "The newest comes first. Secrets are not among what is told."))
            .asks::<instances::Asked>().page::<InstanceBody>().leads("key", "/data/0/id"),
        operation(post("/api/v1/key-groups/{group}/instances", "createKey"), GROUPS, ("Make a further key",
            "Its secret is in this answer only. Sent again with the same `Idempotency-Key`, the request is answered 409 \
             with the `Location` of the key, without the secret."))
            .takes::<NewInstance>().creates().refuses(429, BUSY)
            .gives::<MadeBody<'static>>(201, MADE, &["ETag", "Location"]).leads("key", "/instance/id"),
        operation(post("/api/v1/key-groups/{group}/rotation", "rotateKey"), GROUPS, ("Rotate a key",
            "A new key is made, and the one that gives way gets an end."))
            .takes::<Rotation>().creates().refuses(429, BUSY)
            .gives::<MadeBody<'static>>(201, MADE, &["ETag", "Location"]).leads("key", "/instance/id"),
    ]
}

#[rustfmt::skip]
fn keys() -> Vec<Operation> {
    const NOW: &str = "The key as it is now.";
    vec![
        operation(get("/api/v1/instances", "listKeys"), KEYS, ("List all keys",
            "All keys of the subscription, the newest first. A key that holds the permission `keyward:instances.read` may call \
             this too, and nothing else."))
            .asks::<instances::Asked>().refuses(429, "Too many wrong client secrets came from this address.").page::<InstanceBody>().leads("key", "/data/0/id"),
        operation(get("/api/v1/instances/{key}", "getKey"), KEYS, ("Read a key", "Without its secret, which nothing gives again."))
            .gives::<InstanceBody>(200, "The key.", &["ETag"]),
        operation(patch("/api/v1/instances/{key}", "changeKey"), KEYS, ("Change the active period or the note",
            "The period only of a key that is alive."))
            .takes::<KeyChange>().conditional().gives::<InstanceBody>(200, NOW, &["ETag"]),
        operation(post("/api/v1/instances/{key}/deactivation", "deactivateKey"), KEYS, ("Deactivate a key",
            "It is refused at once, until it is reactivated. A client secret is revoked instead."))
            .may_take::<instances::Ending>().conditional().gives::<InstanceBody>(200, NOW, &["ETag"]),
        operation(post("/api/v1/instances/{key}/reactivation", "reactivateKey"), KEYS, ("Reactivate a key",
            "One that was deactivated or has ended, with a new active period."))
            .takes::<Reactivation>().conditional().gives::<InstanceBody>(200, NOW, &["ETag"]),
        operation(post("/api/v1/instances/{key}/revocation", "revokeKey"), KEYS, ("Revoke a key",
            "It is refused at once and for good. This cannot be undone."))
            .may_take::<instances::Ending>().conditional().gives::<InstanceBody>(200, NOW, &["ETag"]),
    ]
}
