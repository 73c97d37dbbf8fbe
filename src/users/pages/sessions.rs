//! Ending one's own sessions elsewhere.
use actix_session::Session;
use actix_web::HttpResponse;
use serde::Deserialize;

use crate::{
    error::Error,
    http::{Flash, Form, PageError, SignedIn, words},
    sessions::{self, Ending},
};

#[derive(Deserialize)]
pub struct EndForm {
    #[serde(default)]
    session: String,
}

/// `POST /profile/sessions/ending`: the one that the form names.
pub async fn end(
    me: SignedIn,
    session: Session,
    form: Form<EndForm>,
) -> Result<HttpResponse, PageError> {
    if form.session == sessions::current(&session) {
        return Err(Error::Malformed("This is the session that you use. Sign out instead.").into());
    }
    let ended = end_some(&me, Ending::One(&form.session)).await?;
    let told = if ended == 0 { "This session had ended already." } else { "The session is ended." };
    Ok(Flash::new(told).then(&me.app, "/profile"))
}

/// `POST /profile/sessions/others/ending`: all but this one.
pub async fn end_others(me: SignedIn, session: Session) -> Result<HttpResponse, PageError> {
    let ended = end_some(&me, Ending::AllBut(&sessions::current(&session))).await?;
    let told = format!("{} ended. This one goes on.", words::plural(ended, "other session"));
    Ok(Flash::new(told).then(&me.app, "/profile"))
}

async fn end_some(me: &SignedIn, which: Ending<'_>) -> Result<usize, PageError> {
    Ok(sessions::end(&me.app, me.user.id, which, &me.actor(), me.here.now).await?)
}
