//! Why an operation was refused or failed. Knows nothing of HTTP.
use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use crate::domain::Refusal;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule of `domain` forbids it; the text is for the person who asked.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What was typed does not do; each field says what to change. Nothing was written.
    #[error("Some of what you entered needs a change.")]
    Invalid(Vec<FieldError>),
    /// The request itself makes no sense, whoever sent it.
    #[error("{0}")]
    Malformed(&'static str),
    /// No such thing, or a thing of another subscription: the caller must not see the difference.
    #[error("There is nothing at this address.")]
    NotFound,
    /// It existed and is gone for good.
    #[error("{0}")]
    Gone(&'static str),
    /// The same form was sent before; what it made is there.
    #[error("This was done already.")]
    AlreadyDone { location: String },
    #[error("Sign in first.")]
    Unauthenticated,
    /// Signed in, but the password was shown too long ago for this.
    #[error("Enter your password once more.")]
    Unproved,
    /// Signed in, and not allowed. The text says what it takes.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The request came from another site (SECURITY.md 3.5).
    #[error("This request did not come from Keyward's own pages, so nothing was done.")]
    CrossSite,
    #[error("This is more than Keyward takes in one request.")]
    TooLarge,
    #[error("The request took too long and was cut.")]
    TooSlow,
    /// Come back after so many seconds.
    #[error("Too many tries. Wait {0} seconds.")]
    TooMany(i64),
    /// The database does not answer. Nothing was decided.
    #[error("Keyward cannot reach its database. Try again in a moment.")]
    Unavailable(#[source] anyhow::Error),
    /// Ours to fix. Logged in full, shown as a request id.
    #[error("Something went wrong on our side.")]
    Internal(#[from] anyhow::Error),
}

/// One field of a form and the sentence to show beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    pub field: &'static str,
    pub message: String,
    /// What was sent could be read; a rule forbids it.
    pub is_rule: bool,
}

impl FieldError {
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into(), is_rule: false }
    }

    /// A rule that this field would break.
    pub fn refused(field: &'static str, refusal: &Refusal) -> Self {
        Self { field, message: refusal.to_string(), is_rule: true }
    }
}

impl Error {
    pub fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    /// The same of a rule.
    pub fn refused_at(field: &'static str, refusal: Refusal) -> Self {
        Self::Invalid(vec![FieldError::refused(field, &refusal)])
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if is_unavailable(&error) {
            Self::Unavailable(error.into())
        } else if is_unreadable(&error) {
            Self::Malformed("This text holds a character that cannot be read.")
        } else {
            Self::Internal(error.into())
        }
    }
}

/// Whether a unique index refused the write. What it means is said where the write is done.
pub fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Postgres takes no NUL in a text (22021), wherever it was typed.
fn is_unreadable(error: &DbErr) -> bool {
    let refusal = cause(error).and_then(|it| it.as_database_error());
    refusal.is_some_and(|it| it.code().as_deref() == Some("22021"))
}

fn cause(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => Some(cause),
        _ => None,
    }
}

/// The database is away, starting, stopping or locked for too long, as opposed to: it said no.
fn is_unavailable(error: &DbErr) -> bool {
    let Some(cause) = cause(error) else {
        return matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_));
    };
    match cause {
        sqlx::Error::Database(refusal) => {
            // Postgres: connection, rollback (deadlock), resource and operator classes.
            // SQLite: busy, locked, full, io.
            let code = refusal.code().unwrap_or_default();
            let classes = ["08", "40", "53", "57", "55P03", "25006"];
            let sqlite = ["5", "6", "10", "13", "14", "261", "517", "522"];
            classes.iter().any(|it| code.len() == 5 && code.starts_with(it))
                || sqlite.contains(&code.as_ref())
                || code.parse::<u32>().is_ok_and(|it| it < 10_000 && it & 0xff == 10)
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}
