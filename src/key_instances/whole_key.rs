//! Finding an instance by its whole secret, as somebody pastes it who wants to know whose it is.
use super::{KeyInstance, full_name, store};
use crate::{
    domain::secret::{Shape, shape},
    error::Result,
    key_groups,
    subscriptions::Act,
    throttle,
};

/// The instance with exactly this secret, whatever its status. The audit log gets its id, or that
/// nothing was found; never what was typed.
pub async fn search_by_key(act: &Act<'_>, typed: &str) -> Result<Option<KeyInstance>> {
    let found = by_secret(act, typed).await?;
    let event = act.event("key_instance.searched_by_key");
    let event = match &found {
        Some(it) => {
            let group = key_groups::find(act, it.key_group_id).await?;
            event.on("key_instance", it.id, full_name(&group, it))
        }
        None => event.refused(),
    };
    act.finish(act.app.db.write().await?, event).await?;
    Ok(found)
}

/// Whether a text that could be a name is some key of the subscription.
pub async fn is_key(act: &Act<'_>, typed: &str) -> Result<bool> {
    Ok(by_secret(act, typed).await?.is_some())
}

/// Nobody may guess: what is not found counts, and beyond the limit nothing is looked up.
async fn by_secret(act: &Act<'_>, typed: &str) -> Result<Option<KeyInstance>> {
    let peppers = &act.app.peppers;
    let digests = match shape(typed) {
        Shape::Generated(_) => peppers.candidates(typed),
        Shape::Custom => peppers.custom_candidates(act.scope.id(), typed),
        Shape::Impossible => return Ok(None),
    };
    let searcher = act.actor.user_id.unwrap_or_default();
    let attempt = throttle::search(act.app, searcher, act.now).await?;
    let digests: Vec<_> = digests.iter().map(|it| it.to_vec()).collect();
    let found = store::by_digest(act.app.db.read(), act.scope, digests).await?;
    if found.is_some() {
        attempt.take_back().await?;
    }
    Ok(found)
}
