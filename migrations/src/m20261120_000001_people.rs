//! The installation, users, sessions, subscriptions, members, invitations.
use sea_orm_migration::{prelude::*, schema::*};

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(installation()).await?;
        m.create_table(users()).await?;
        m.create_index(index("uq_users_email", "users", &["email"]).unique().to_owned()).await?;
        m.create_table(sessions()).await?;
        m.create_index(index("ix_sessions_user", "sessions", &["user_id"])).await?;
        m.create_index(index("ix_sessions_created", "sessions", &["created_at"])).await?;
        m.create_table(subscriptions()).await?;
        let slug = index("uq_subscriptions_slug", "subscriptions", &["slug"]).unique().to_owned();
        m.create_index(slug).await?;
        m.create_table(members()).await?;
        m.create_index(index("ix_members_user", "members", &["user_id"])).await?;
        m.create_table(invitations()).await?;
        let digest = index("uq_invitations_digest", "invitations", &["digest"]).unique().to_owned();
        m.create_index(digest).await?;
        m.create_index(index("ix_invitations_sub", "invitations", &["subscription_id"])).await?;
        m.create_table(failures()).await?;
        m.create_table(submissions()).await?;
        m.create_index(index("ix_submissions_created", "submissions", &["created_at"])).await
    }
}

/// One row: which peppers this database belongs to, and the one-time set-up link.
fn installation() -> TableCreateStatement {
    Table::create()
        .table("installation")
        .col(integer("id").primary_key())
        .col(big_integer("created_at"))
        .col(text("canaries"))
        .col(text_null("setup_digest"))
        .col(big_integer_null("setup_expires_at"))
        .check(Expr::cust("id = 1"))
        .to_owned()
}

fn users() -> TableCreateStatement {
    Table::create()
        .table("users")
        .col(uuid("id").primary_key())
        .col(text("email"))
        .col(text("name"))
        .col(text("password_hash"))
        .col(boolean("is_owner"))
        .col(text("theme"))
        .col(text("time_zone"))
        .col(big_integer("created_at"))
        .col(big_integer_null("last_sign_in_at"))
        .to_owned()
}

fn sessions() -> TableCreateStatement {
    Table::create()
        .table("sessions")
        .col(text("digest").primary_key())
        .col(uuid_null("user_id"))
        .col(text("state"))
        .col(big_integer("created_at"))
        .col(big_integer("last_seen_at"))
        .col(big_integer_null("revoked_at"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_sessions_user")
                .from("sessions", "user_id")
                .to("users", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

/// The counters are sums over the key groups of the subscription, kept by the verbs.
fn subscriptions() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("subscriptions")
        .col(uuid("id").primary_key())
        .col(text("name"))
        .col(text("slug"))
        .col(big_integer_null("suspended_at"))
        .col(boolean("members_see_keys"))
        .col(integer("default_lifetime_days"))
        .col(integer_null("max_lifetime_days"))
        .col(boolean("never_expires_allowed"))
        .col(big_integer("created_at"));
    for counter in [
        "group_count",
        "warning_groups",
        "no_successor_groups",
        "nothing_active_groups",
        "attention_groups",
        "active_count",
        "soon_count",
        "future_count",
        "expired_count",
        "deactivated_count",
    ] {
        table.col(integer(counter).default(0));
    }
    table.check(Expr::cust("length(slug) BETWEEN 2 AND 63")).to_owned()
}

fn members() -> TableCreateStatement {
    Table::create()
        .table("members")
        .col(uuid("subscription_id"))
        .col(uuid("user_id"))
        .col(text("role"))
        .col(big_integer("created_at"))
        .primary_key(Index::create().col("subscription_id").col("user_id"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_members_subscription")
                .from("members", "subscription_id")
                .to("subscriptions", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("fk_members_user")
                .from("members", "user_id")
                .to("users", "id"),
        )
        .check(Expr::cust("role IN ('admin', 'member', 'auditor')"))
        .to_owned()
}

fn invitations() -> TableCreateStatement {
    Table::create()
        .table("invitations")
        .col(uuid("id").primary_key())
        .col(uuid("subscription_id"))
        .col(text("email"))
        .col(text("role"))
        .col(text("digest"))
        .col(uuid("invited_by"))
        .col(big_integer("created_at"))
        .col(big_integer("expires_at"))
        .col(big_integer_null("accepted_at"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_invitations_subscription")
                .from("invitations", "subscription_id")
                .to("subscriptions", "id"),
        )
        .to_owned()
}

/// Failed sign-ins by bucket: an account, a known browser, or an address.
fn failures() -> TableCreateStatement {
    Table::create()
        .table("sign_in_failures")
        .col(text("bucket").primary_key())
        .col(integer("failures"))
        .col(big_integer("first_at"))
        .col(big_integer("last_at"))
        .to_owned()
}

/// Forms that created something, so that a second submit finds the first one's result.
fn submissions() -> TableCreateStatement {
    Table::create()
        .table("submissions")
        .col(text("digest").primary_key())
        .col(text("location"))
        .col(big_integer("created_at"))
        .to_owned()
}
