//! Permissions, policies, user groups, workspaces, and what key groups hold of them.
use sea_orm_migration::{prelude::*, schema::*};

use crate::{added, index};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(permissions()).await?;
        m.create_table(named("policies", |it| it.col(text("permissions")))).await?;
        m.create_table(named("user_groups", |it| it)).await?;
        m.create_table(named("workspaces", |it| it.col(text("slug")))).await?;
        for table in ["policies", "user_groups", "workspaces"] {
            for (name, column) in [("name", "name_folded"), ("scope", "id")] {
                let name = format!("uq_{table}_{name}");
                let mut unique = Index::create();
                unique.name(name).table(table).col("subscription_id").col(column).unique();
                m.create_index(unique).await?;
            }
        }
        m.create_table(user_group_policies()).await?;
        m.create_table(user_group_members()).await?;
        m.create_table(workspace_roles()).await?;
        let scope = &["subscription_id", "id"];
        let mut scope = index("uq_workspace_roles_scope", "workspace_roles", scope);
        m.create_index(scope.unique().to_owned()).await?;
        m.create_table(key_group_access()).await?;
        m.create_table(permission_days()).await?;
        m.create_table(access_edits()).await?;
        for (name, table, columns, unique) in [
            ("uq_permissions_name", "permissions", &["subscription_id", "name"][..], true),
            ("uq_workspaces_slug", "workspaces", &["subscription_id", "slug"], true),
            (
                "ix_user_group_policies_policy",
                "user_group_policies",
                &["policy_id", "user_group_id"],
                false,
            ),
            (
                "ix_user_group_members_user",
                "user_group_members",
                &["subscription_id", "user_id"],
                false,
            ),
            ("uq_workspace_roles_held", "workspace_roles", &["workspace_id", "policy_id"], true),
            ("ix_workspace_roles_policy", "workspace_roles", &["policy_id"], false),
            (
                "uq_key_group_access_user_group",
                "key_group_access",
                &["key_group_id", "user_group_id"],
                true,
            ),
            (
                "uq_key_group_access_role",
                "key_group_access",
                &["key_group_id", "workspace_role_id"],
                true,
            ),
            (
                "ix_key_group_access_policy",
                "key_group_access",
                &["policy_id", "key_group_id"],
                false,
            ),
            (
                "ix_key_group_access_user_group",
                "key_group_access",
                &["user_group_id", "key_group_id"],
                false,
            ),
            (
                "ix_key_group_access_role",
                "key_group_access",
                &["workspace_role_id", "key_group_id"],
                false,
            ),
            ("ix_permission_days_day", "permission_days", &["day"], false),
            (
                "ix_access_edits_object",
                "access_edits",
                &["subscription_id", "object_id", "made_at"],
                false,
            ),
            ("ix_access_edits_made", "access_edits", &["made_at"], false),
        ] {
            let mut index = index(name, table, columns);
            m.create_index(if unique { index.unique().to_owned() } else { index }).await?;
        }
        // At most one policy for each key group (document 002).
        let mut one = index("uq_key_group_access_policy", "key_group_access", &["key_group_id"]);
        one.unique().and_where(Expr::col("policy_id").is_not_null());
        m.create_index(one).await?;
        let whole = &["subscription_id", "policy_id"];
        let mut whole = index("uq_workspace_roles_whole", "workspace_roles", whole);
        whole.unique().and_where(Expr::col("workspace_id").is_null());
        m.create_index(whole).await?;
        m.alter_table(added("key_groups", integer("access_version").default(1))).await?;
        m.alter_table(added("subscriptions", boolean("policy_required").default(false))).await?;
        m.alter_table(added("subscriptions", integer("workspace_count").default(0))).await?;
        m.alter_table(added("key_instances", &mut text_null("last_refused_asked"))).await
    }
}

/// Within its subscription, so that no row can point into another one.
fn within(
    table: &'static str,
    column: &'static str,
    to: &'static str,
    on_delete: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{table}_{column}"))
        .from(table, ("subscription_id", column))
        .to(to, ("subscription_id", "id"))
        .on_delete(on_delete)
        .to_owned()
}

fn of_subscription(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{table}_subscription"))
        .from(table, "subscription_id")
        .to("subscriptions", "id")
        .to_owned()
}

/// `withdrawn_at`: its service no longer declares it.
fn permissions() -> TableCreateStatement {
    Table::create()
        .table("permissions")
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(text("name"))
        .col(text("service"))
        .col(text("description"))
        .col(big_integer("declared_at"))
        .col(big_integer_null("withdrawn_at"))
        .foreign_key(&mut of_subscription("permissions"))
        .to_owned()
}

/// Policies, user groups and workspaces: things with a name that is unique in its subscription.
/// `version` rises with every change.
fn named(
    table: &'static str,
    more: impl Fn(&mut TableCreateStatement) -> &mut TableCreateStatement,
) -> TableCreateStatement {
    let mut create = Table::create();
    create
        .table(table)
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(text("name"))
        .col(text("name_folded"))
        .col(text("description"))
        .col(integer("version"))
        .col(big_integer("created_at"))
        .col(uuid("created_by"))
        .foreign_key(&mut of_subscription(table));
    more(&mut create).to_owned()
}

fn user_group_policies() -> TableCreateStatement {
    const TABLE: &str = "user_group_policies";
    Table::create()
        .table(TABLE)
        .col(uuid("subscription_id"))
        .col(uuid("user_group_id"))
        .col(uuid("policy_id"))
        .primary_key(Index::create().col("user_group_id").col("policy_id"))
        .foreign_key(&mut within(TABLE, "user_group_id", "user_groups", ForeignKeyAction::Cascade))
        .foreign_key(&mut within(TABLE, "policy_id", "policies", ForeignKeyAction::Cascade))
        .to_owned()
}

fn user_group_members() -> TableCreateStatement {
    const TABLE: &str = "user_group_members";
    Table::create()
        .table(TABLE)
        .col(uuid("subscription_id"))
        .col(uuid("user_group_id"))
        .col(uuid("user_id"))
        .primary_key(Index::create().col("user_group_id").col("user_id"))
        .foreign_key(&mut within(TABLE, "user_group_id", "user_groups", ForeignKeyAction::Cascade))
        .foreign_key(
            ForeignKey::create()
                .name("fk_user_group_members_member")
                .from(TABLE, ("subscription_id", "user_id"))
                .to("members", ("subscription_id", "user_id"))
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

/// A policy held in a workspace; without one, in the whole subscription.
fn workspace_roles() -> TableCreateStatement {
    const TABLE: &str = "workspace_roles";
    Table::create()
        .table(TABLE)
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(uuid_null("workspace_id"))
        .col(uuid("policy_id"))
        .col(big_integer("created_at"))
        .foreign_key(&mut within(TABLE, "workspace_id", "workspaces", ForeignKeyAction::Cascade))
        .foreign_key(&mut within(TABLE, "policy_id", "policies", ForeignKeyAction::Cascade))
        .to_owned()
}

/// What key groups hold: each row one policy, one user group or one role. A policy cannot go while
/// it is the policy of a key group: its deletion takes those groups first.
fn key_group_access() -> TableCreateStatement {
    const TABLE: &str = "key_group_access";
    let one = "(CASE WHEN policy_id IS NULL THEN 0 ELSE 1 END) \
               + (CASE WHEN user_group_id IS NULL THEN 0 ELSE 1 END) \
               + (CASE WHEN workspace_role_id IS NULL THEN 0 ELSE 1 END) = 1";
    Table::create()
        .table(TABLE)
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(uuid("key_group_id"))
        .col(uuid_null("policy_id"))
        .col(uuid_null("user_group_id"))
        .col(uuid_null("workspace_role_id"))
        .foreign_key(&mut within(TABLE, "key_group_id", "key_groups", ForeignKeyAction::Cascade))
        .foreign_key(&mut within(TABLE, "policy_id", "policies", ForeignKeyAction::Restrict))
        .foreign_key(&mut within(TABLE, "user_group_id", "user_groups", ForeignKeyAction::Cascade))
        .foreign_key(&mut within(
            TABLE,
            "workspace_role_id",
            "workspace_roles",
            ForeignKeyAction::Cascade,
        ))
        .check(Expr::cust(one))
        .to_owned()
}

/// Accepted calls by the permission that they asked for, per key group and day since 1970. Without
/// a foreign key, as the other counts.
fn permission_days() -> TableCreateStatement {
    Table::create()
        .table("permission_days")
        .col(uuid("key_group_id"))
        .col(text("permission"))
        .col(integer("day"))
        .col(big_integer("accepted"))
        .primary_key(Index::create().col("key_group_id").col("permission").col("day"))
        .to_owned()
}

/// Edits that can be undone for a while: what they changed, and what it was before.
fn access_edits() -> TableCreateStatement {
    Table::create()
        .table("access_edits")
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(uuid("object_id"))
        .col(big_integer("made_at"))
        .col(uuid("made_by"))
        .col(text("changes"))
        .col(big_integer_null("undone_at"))
        .foreign_key(&mut of_subscription("access_edits"))
        .to_owned()
}
