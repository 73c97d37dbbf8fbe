//! The pages of somebody's own personal keys, below the profile.
pub mod deletion;
pub mod issue;
pub mod list;
pub mod secret;

use super::{Own, SignedInBy};
use crate::http::SignedIn;

const LIST: &str = "/profile/keys";

/// A session of the pages begins with e-mail address and password.
fn own(me: &SignedIn) -> Own<'_> {
    Own {
        app: &me.app,
        user: &me.user,
        by: SignedInBy::Password,
        actor: me.actor(),
        now: me.here.now,
    }
}
