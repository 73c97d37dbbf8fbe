//! Calls about what keys may do.
use super::{
    operation::{Operation, delete, get, operation, patch, post, put},
    texts::PermissionCursor,
};
use crate::api::{
    policies, whole,
    wire_access::{
        ChangesBody, Declared, DoomedBody, NewPolicy, NewRole, NewUserGroup, NewWorkspace,
        PermissionBody, PolicyBody, PolicyChange, RoleBody, UserGroupBody, UserGroupChange,
        WorkspaceBody, WorkspaceChange,
    },
};

const POLICIES: &str = "Policies";
const USER_GROUPS: &str = "User groups";
const WORKSPACES: &str = "Workspaces and roles";
const PERMISSIONS: &str = "Permissions";
/// In which order short lists are.
const BY_MAKING: &str = "In the order of their making.";
const MADE: &str = "Made, now or by the same request before.";
const DELETED: &str = "Deleted.";
const LESS: &str = "Key groups merely lose what they had through it.";
const AT_ONCE: &str = "It counts from the next verification on.";

pub fn operations() -> Vec<Operation> {
    let mut all = of_policies();
    all.extend(of_user_groups());
    all.extend(of_workspaces());
    all.extend(of_roles());
    all.extend(of_permissions());
    all
}

#[rustfmt::skip]
fn of_policies() -> Vec<Operation> {
    let (all, one) = ("/api/v1/policies", "/api/v1/policies/{policy}");
    vec![
        operation(get(all, "listPolicies"), POLICIES, ("List policies", BY_MAKING))
            .asks::<whole::Asked>().page::<PolicyBody>().leads("policy", "/data/0/id"),
        operation(post(all, "createPolicy"), POLICIES, ("Make a policy", "A named set of permissions that services have declared."))
            .takes::<NewPolicy>().creates().gives::<PolicyBody>(201, MADE, &["ETag", "Location"]).leads("policy", "/id"),
        operation(get(one, "getPolicy"), POLICIES, ("Read a policy", "With its permissions."))
            .gives::<PolicyBody>(200, "The policy.", &["ETag"]),
        operation(patch(one, "changePolicy"), POLICIES, ("Change a policy", AT_ONCE))
            .takes::<PolicyChange>().conditional().gives::<PolicyBody>(200, "The policy as it is now.", &["ETag"]),
        operation(delete(one, "deletePolicy"), POLICIES, ("Delete a policy",
            "With the key groups that have it, and all their keys. The request says that this is meant: by `If-Match` with the `ETag` of \
             the deletion-preview, or by `expect`. Where keys end, it takes the scope `keys:write` as well."))
            .asks::<policies::Consent>().conditional()
            .refuses(409, "Nothing was deleted: the request did not say what would be, or that has changed. The answer lists it.")
            .answer(204, DELETED, &[], None),
        operation(get("/api/v1/policies/{policy}/deletion-preview", "previewPolicyDeletion"), POLICIES, ("See what a deletion would delete",
            "The key groups that have the policy. The `ETag` stands for exactly that."))
            .gives::<DoomedBody>(200, "What would be deleted.", &["ETag"]),
    ]
}

#[rustfmt::skip]
fn of_user_groups() -> Vec<Operation> {
    let (all, one) = ("/api/v1/user-groups", "/api/v1/user-groups/{user_group}");
    vec![
        operation(get(all, "listUserGroups"), USER_GROUPS, ("List user groups", BY_MAKING))
            .asks::<whole::Asked>().page::<UserGroupBody>().leads("user_group", "/data/0/id"),
        operation(post(all, "createUserGroup"), USER_GROUPS, ("Make a user group", "Policies that key groups and members hold together."))
            .takes::<NewUserGroup>().creates().gives::<UserGroupBody>(201, MADE, &["ETag", "Location"]).leads("user_group", "/id"),
        operation(get(one, "getUserGroup"), USER_GROUPS, ("Read a user group", "With its policies and members."))
            .gives::<UserGroupBody>(200, "The user group.", &["ETag"]),
        operation(patch(one, "changeUserGroup"), USER_GROUPS, ("Change a user group", AT_ONCE))
            .takes::<UserGroupChange>().conditional().gives::<UserGroupBody>(200, "The user group as it is now.", &["ETag"]),
        operation(delete(one, "deleteUserGroup"), USER_GROUPS, ("Delete a user group", LESS))
            .conditional().answer(204, DELETED, &[], None),
    ]
}

#[rustfmt::skip]
fn of_workspaces() -> Vec<Operation> {
    let (all, one) = ("/api/v1/workspaces", "/api/v1/workspaces/{workspace}");
    vec![
        operation(get(all, "listWorkspaces"), WORKSPACES, ("List workspaces", BY_MAKING))
            .asks::<whole::Asked>().page::<WorkspaceBody>().leads("workspace", "/data/0/id"),
        operation(post(all, "createWorkspace"), WORKSPACES, ("Make a workspace", "A part of the subscription in which roles count."))
            .takes::<NewWorkspace>().creates().gives::<WorkspaceBody>(201, MADE, &["ETag", "Location"]).leads("workspace", "/id"),
        operation(get(one, "getWorkspace"), WORKSPACES, ("Read a workspace", "With the short name by which verifications name it."))
            .gives::<WorkspaceBody>(200, "The workspace.", &["ETag"]),
        operation(patch(one, "changeWorkspace"), WORKSPACES, ("Change a workspace", "What gateways call it stays."))
            .takes::<WorkspaceChange>().conditional().gives::<WorkspaceBody>(200, "The workspace as it is now.", &["ETag"]),
        operation(delete(one, "deleteWorkspace"), WORKSPACES, ("Delete a workspace", "With its roles. Key groups merely lose what they had through them."))
            .conditional().answer(204, DELETED, &[], None),
    ]
}

#[rustfmt::skip]
fn of_roles() -> Vec<Operation> {
    let (all, one) = ("/api/v1/workspace-roles", "/api/v1/workspace-roles/{role}");
    vec![
        operation(get(all, "listWorkspaceRoles"), WORKSPACES, ("List workspace roles", BY_MAKING))
            .asks::<whole::Asked>().page::<RoleBody>().leads("role", "/data/0/id"),
        operation(post(all, "createWorkspaceRole"), WORKSPACES, ("Make a workspace role", "A policy that counts in one workspace, or everywhere."))
            .takes::<NewRole>().creates().gives::<RoleBody>(201, MADE, &["ETag", "Location"]).leads("role", "/id"),
        operation(get(one, "getWorkspaceRole"), WORKSPACES, ("Read a workspace role", "It has nothing to change."))
            .gives::<RoleBody>(200, "The role.", &["ETag"]),
        operation(delete(one, "deleteWorkspaceRole"), WORKSPACES, ("Delete a workspace role", LESS))
            .conditional().answer(204, DELETED, &[], None),
    ]
}

#[rustfmt::skip]
fn of_permissions() -> Vec<Operation> {
    vec![
        operation(get("/api/v1/permissions", "listPermissions"), PERMISSIONS, ("List permissions", "By service, then by name."))
            .asks::<whole::Asked>().cursor::<PermissionCursor>().page::<PermissionBody>(),
        operation(put("/api/v1/services/{service}/permissions", "declarePermissions"), PERMISSIONS, ("Declare the permissions of a service",
            "All that it knows: what it no longer names is withdrawn, and stays with the policies that hold it."))
            .takes::<Declared>().gives::<ChangesBody>(200, "What that has changed: numbers of permissions.", &[]),
    ]
}
