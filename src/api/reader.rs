//! Whoever may list keys: a program with an automation token, or a service whose key holds the
//! permission for it. This is all that a key can do here (document 003).
use std::ops::Deref;

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use futures_util::future::LocalBoxFuture;

use super::{
    caller::{self, Caller},
    voice::Problem,
};
use crate::{
    domain::{ApiScope, Denial, permission},
    error::Error,
    http::{App, fault::Cause},
    metrics::Outcome,
    subscriptions,
    verify::{
        self, Holder, Presented, Verdict, personal,
        shown::{Shown, What},
        usage::Call,
    },
};

/// A reader of the list of keys.
pub struct Reader(Caller);

impl Deref for Reader {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl FromRequest for Reader {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move { Ok(Self(read(&req).await?)) })
    }
}

async fn read(req: &HttpRequest) -> Result<Caller, Cause> {
    let app = caller::app_of(req)?;
    let shown = caller::shown(req, &app)?;
    match shown.what {
        What::Bearer(text) if caller::is_token(text) => {
            Caller::of_token(app, req, text, ApiScope::KeysRead).await
        }
        // Of a person, not of a subscription.
        What::Bearer(text) if personal::is_one(text) => Err(Cause::KeyManagesNothing),
        _ => of_key(app, req, &shown).await,
    }
}

/// The key is verified as a gateway would have it verified, and this is a use of it.
async fn of_key(app: Data<App>, req: &HttpRequest, shown: &Shown<'_>) -> Result<Caller, Cause> {
    let credential = shown.credential().ok_or(Cause::Unauthenticated)?;
    let (now, client) = (app.clock.now(), caller::client_of(req).await?);
    let presented = Presented {
        credential,
        from: client.address,
        tenant: shown.tenant,
        permission: Some(permission::READ_INSTANCES),
        workspace: None,
    };
    let note = |holder: &Holder<'_>, denial| {
        let call = Call {
            denial,
            from: client.address,
            agent: shown.agent,
            asked: Some(permission::READ_INSTANCES),
            workspace: None,
        };
        app.recorder.note(holder, call, now);
    };
    match verify::verify(&app, &presented, now).await? {
        Verdict::Accepted(holder) => {
            note(&holder, None);
            app.metrics.verified(Outcome::Accepted);
            let scope = subscriptions::enter_with_key(&app.db, &holder).await?;
            let name = format!("key {} k-{}", holder.group_name, holder.label);
            Caller::of_key(app, (now, client), scope, name).await
        }
        Verdict::Denied(holder, denial) => {
            note(&holder, Some(denial));
            app.metrics.verified(Outcome::Denied(denial));
            Err(refused(denial))
        }
        Verdict::Unknown => {
            app.metrics.verified(Outcome::Denied(Denial::Unknown));
            Err(Cause::Unauthenticated)
        }
    }
}

fn refused(denial: Denial) -> Cause {
    if denial != Denial::InsufficientPermissions {
        return Cause::Unauthenticated;
    }
    Error::Forbidden("This takes the permission keyward:instances.read, which the key lacks.")
        .into()
}
