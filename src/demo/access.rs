//! What the demonstration's keys may do: three services, policies, user groups, two workspaces.
use std::collections::HashMap;

use uuid::Uuid;

use crate::{
    access::{self, Held},
    key_groups,
    pepper::random_token,
    permissions::{self, Declaration},
    policies,
    subscriptions::Act,
    user_groups, workspaces,
};

/// Services with their actions and what these let a caller do.
const SERVICES: &[(&str, &[(&str, &str)])] = &[
    (
        "pricing",
        &[
            ("quote", "Compute a quote"),
            ("tables:read", "Read rating tables"),
            ("tables:write", "Change rating tables"),
        ],
    ),
    (
        "claims",
        &[
            ("read", "Read claims and their documents"),
            ("submit", "Submit a claim"),
            ("settle", "Settle a claim and start the payment"),
        ],
    ),
    ("documents", &[("download", "Download a document"), ("upload", "Upload a document")]),
];

const POLICIES: &[(&str, &str, &[&str])] = &[
    ("Quote", "What a front end needs to show prices", &["pricing:quote"]),
    (
        "Read rating",
        "Rating tables without changing them",
        &["pricing:quote", "pricing:tables:read"],
    ),
    (
        "Maintain rating",
        "For the actuaries' tools",
        &["pricing:tables:read", "pricing:tables:write"],
    ),
    ("Submit claims", "Portals and brokers", &["claims:submit", "documents:upload"]),
    ("Handle claims", "The claims desk", &["claims:read", "claims:settle", "documents:download"]),
];

const USER_GROUPS: &[(&str, &str, &[&str])] = &[
    ("actuaries", "Data and tools of the actuaries", &["Read rating", "Maintain rating"]),
    ("brokers", "Everything a broker's system may do", &["Quote", "Submit claims"]),
    ("download", "An action group, for keys only", &["Handle claims"]),
];

const WORKSPACES: &[&str] = &["Europe", "North America"];

/// Key group, policy, user groups, roles as policy and workspace.
type Grant = (
    &'static str,
    Option<&'static str>,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

const GRANTS: &[Grant] = &[
    ("payments-gateway", Some("Handle claims"), &[], &[]),
    ("claims-intake", Some("Submit claims"), &[], &[("Handle claims", "Europe")]),
    ("quote-engine", Some("Read rating"), &["brokers"], &[]),
    ("ci-regression", Some("Quote"), &[], &[]),
    ("broker-api", None, &["brokers"], &[]),
    ("policy-portal", Some("Quote"), &["download"], &[]),
    ("data-warehouse-sync", Some("Read rating"), &["actuaries", "brokers", "download"], &[]),
    ("mobile-bff", Some("Submit claims"), &["brokers"], &[]),
    ("reporting-nightly", Some("Read rating"), &[], &[]),
    ("actuary-notebooks", None, &["actuaries"], &[("Handle claims", "North America")]),
    ("archive-reader", None, &["download"], &[]),
];

/// Makes all of it. `groups`: the ids of the key groups by name.
pub(super) async fn fill(
    act: &Act<'_>,
    groups: &HashMap<&'static str, Uuid>,
) -> anyhow::Result<()> {
    for (service, actions) in SERVICES {
        let named = |it: &(&str, &str)| (it.0.to_owned(), it.1.to_owned());
        let actions = actions.iter().map(named).collect();
        let declaration = Declaration { service: (*service).to_owned(), actions };
        permissions::declare(act, &declaration, None).await?;
    }
    let mut policies = HashMap::new();
    for (name, description, permissions) in POLICIES {
        let wanted = policies::Wanted {
            name: (*name).to_owned(),
            description: (*description).to_owned(),
            permissions: permissions.iter().copied().collect(),
        };
        policies.insert(*name, policies::create(act, &wanted, &random_token()).await?.id);
    }
    let mut user_groups = HashMap::new();
    for (name, description, of) in USER_GROUPS {
        let wanted = user_groups::Wanted {
            name: (*name).to_owned(),
            description: (*description).to_owned(),
            policies: of.iter().map(|it| policies[it]).collect(),
            members: if *name == "actuaries" {
                act.actor.user_id.into_iter().collect()
            } else {
                Default::default()
            },
        };
        user_groups.insert(*name, user_groups::create(act, &wanted, &random_token()).await?.id);
    }
    let mut places = HashMap::new();
    for name in WORKSPACES {
        let wanted = workspaces::Wanted { name: (*name).to_owned(), ..Default::default() };
        places.insert(*name, workspaces::create(act, &wanted, &random_token()).await?.id);
    }
    let mut roles = HashMap::new();
    for (group, policy, of, held_roles) in GRANTS {
        for role in *held_roles {
            if !roles.contains_key(role) {
                let made = workspaces::create_role(
                    act,
                    policies[role.0],
                    Some(places[role.1]),
                    &random_token(),
                )
                .await?;
                roles.insert(*role, made.id);
            }
        }
        let held = Held {
            policy: policy.map(|it| policies[it]),
            user_groups: of.iter().map(|it| user_groups[it]).collect(),
            roles: held_roles.iter().map(|it| roles[it]).collect(),
        };
        let it = key_groups::find(act, groups[group]).await?;
        access::set(act, it.id, it.access_version, &held).await?;
    }
    Ok(())
}
