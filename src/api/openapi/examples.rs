//! One example of each body: they belong together, as one small subscription.
use serde_json::{Value, json};

const GROUP: &str = "019a9fd0-2b1a-7c41-a3c6-6b0d5cf0e1aa";
const KEY: &str = "019a9fd0-2b1b-7f02-8a51-0f2d9f7f3c11";
const OLD_KEY: &str = "01998a3e-7c20-7d11-9b0e-51c6a2f0b7d4";
const POLICY: &str = "019a9f21-5d03-7a94-b7e1-1c9f20aa4b08";
const USER_GROUP: &str = "019a9f22-9e4f-7b3e-9a10-7d52c3e86f19";
const WORKSPACE: &str = "019a9f23-0c77-7e5d-8f64-aa01be93d527";
const ROLE: &str = "019a9f24-41d8-7006-b3f5-6e20c9d71a35";
const MEMBER: &str = "0199f1c4-66aa-7b90-8e2c-3b7d10f5a942";

fn named(id: &str, name: &str) -> Value {
    json!({ "id": id, "name": name })
}

/// Of a schema, by its name.
pub fn of(schema: &str) -> Option<Value> {
    let policy = || named(POLICY, "Quotes, read only");
    let access = || json!({ "policy": policy(), "user_groups": [named(USER_GROUP, "Pricing team")], "workspace_roles": [] });
    let secret = "kw_7Hq2vXn4TbR8yKcE5mZs0LdWfP3uJgA9x4Tb";
    let made = "2026-11-20T10:30:00.000Z";
    Some(match schema {
        "NewKeyGroup" => json!({
            "name": "quote-engine",
            "description": "Quotes for brokers, from the rating tables",
            "contact": "pricing-team@northwind.example",
            "kind": "token",
            "instance": { "until": "2027-02-18T10:30:00Z" }
        }),
        "KeyGroupChange" => json!({ "contact": "rating-team@northwind.example" }),
        "WantedAccess" => {
            json!({ "policy": POLICY, "user_groups": [USER_GROUP], "workspace_roles": [] })
        }
        "NewInstance" => json!({ "until": "2027-02-18T10:30:00Z", "note": "Prague cluster, blue" }),
        "Ending" => json!({ "reason": "Its caller was shut down on Friday" }),
        "KeyChange" | "Reactivation" => json!({ "until": "2027-03-31T22:00:00Z" }),
        "Rotation" => {
            json!({ "instance": OLD_KEY, "overlap": "24h", "new": { "until": "2027-02-18T10:30:00Z" } })
        }
        "KeyGroup" => json!({
            "id": GROUP,
            "name": "quote-engine",
            "description": "Quotes for brokers, from the rating tables",
            "contact": "pricing-team@northwind.example",
            "kind": "token",
            "client_id": "quote-engine_7d0k2m9x4q1w8e5r3t6y0u2i9",
            "access": access(),
            "coverage": { "state": "runs_out", "until": "2027-02-18T10:30:00.000Z", "next_start": null },
            "instances": { "active": 1, "active_in_the_future": 0, "expired": 1, "deactivated": 0 },
            "warning": false,
            "created_at": "2026-08-22T10:30:00.000Z",
            "last_used_at": "2026-11-20T10:28:41.090Z"
        }),
        "Instance" => json!({
            "id": KEY,
            "label": "k-2",
            "key_group": named(GROUP, "quote-engine"),
            "name": "quote-engine",
            "description": "Quotes for brokers, from the rating tables",
            "user_groups": [named(USER_GROUP, "Pricing team")],
            "status": "active",
            "revoked": false,
            "warning": false,
            "from": made,
            "until": "2027-02-18T10:30:00.000Z",
            "note": "Prague cluster, blue",
            "mask": "kw_7Hq2...x4Tb",
            "custom": false,
            "created_at": made,
            "deactivated_at": null,
            "revoked_at": null,
            "last_used_at": null
        }),
        "MadeInstance" => json!({ "instance": of("Instance"), "secret": secret }),
        "MadeKeyGroup" => {
            json!({ "key_group": of("KeyGroup"), "instance": of("Instance"), "secret": secret })
        }
        "Access" => access(),
        "NewPolicy" => json!({ "name": "Quotes, read only", "permissions": ["pricing:read"] }),
        "PolicyChange" => json!({ "permissions": ["pricing:read", "pricing:explain"] }),
        "Policy" => json!({
            "id": POLICY,
            "name": "Quotes, read only",
            "description": "",
            "permissions": ["pricing:read"],
            "created_at": "2026-11-20T07:18:00.579Z",
            "changed_at": "2026-11-20T07:18:00.579Z"
        }),
        "DeletionPreview" => json!({
            "policy": policy(),
            "key_groups": [{ "id": GROUP, "name": "quote-engine", "keys": 2 }],
            "keys": 2
        }),
        "NewUserGroup" => {
            json!({ "name": "Pricing team", "policies": [POLICY], "members": [MEMBER] })
        }
        "UserGroupChange" => json!({ "description": "Who answers for quotes" }),
        "UserGroup" => json!({
            "id": USER_GROUP,
            "name": "Pricing team",
            "description": "Who answers for quotes",
            "policies": [policy()],
            "members": [named(MEMBER, "Noor Admiraal")],
            "created_at": "2026-11-20T07:19:23.151Z"
        }),
        "NewWorkspace" => json!({ "name": "Claims, Europe", "slug": "claims-europe" }),
        "WorkspaceChange" => json!({ "name": "Claims, Europe and Africa" }),
        "Workspace" => json!({
            "id": WORKSPACE,
            "name": "Claims, Europe",
            "slug": "claims-europe",
            "description": "",
            "created_at": "2026-11-20T07:19:51.287Z"
        }),
        "NewWorkspaceRole" => json!({ "policy": POLICY, "workspace": WORKSPACE }),
        "WorkspaceRole" => json!({
            "id": ROLE,
            "name": "Quotes, read only in Claims, Europe",
            "policy": policy(),
            "workspace": named(WORKSPACE, "Claims, Europe"),
            "created_at": "2026-11-20T07:21:10.616Z"
        }),
        "DeclaredPermissions" => {
            json!({ "permissions": { "read": "Read quotes", "explain": "See how a quote came about" } })
        }
        "DeclarationResult" => json!({ "added": 2, "described": 0, "withdrawn": 0 }),
        "Permission" => {
            json!({ "name": "pricing:read", "service": "pricing", "description": "Read quotes", "declared": true })
        }
        "VerificationRequest" => json!({ "secret": secret, "permission": "pricing:read" }),
        "Verdict" => json!({
            "valid": true,
            "code": "accepted",
            "subscription": "northwind",
            "key_group": named(GROUP, "quote-engine"),
            "key_instance": { "id": KEY, "label": "k-2" },
            "permissions": ["pricing:read"],
            "from": made,
            "until": "2027-02-18T10:30:00.000Z",
            "warning": false
        }),
        "AuditEvent" => json!({
            "number": 412,
            "at": made,
            "actor": { "id": MEMBER, "name": "token build-pipeline" },
            "action": "key_instance.created",
            "outcome": "done",
            "object": { "kind": "key_instance", "id": KEY, "name": "quote-engine k-2" },
            "from": "192.0.2.17",
            "user_agent": "build-pipeline/4.2",
            "request_id": "019a9fd02b1b7f028a510f2d9f7f3c11",
            "before": null,
            "after": { "until": "2027-02-18T10:30:00.000Z" }
        }),
        _ => return None,
    })
}
