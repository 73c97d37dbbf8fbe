//! `POST /api/v1/verify`: a service asks about a secret that was shown to it, and is told why it is not
//! good. About the own subscription only: what belongs to another one is as unknown as what never was.
use actix_web::{HttpRequest, HttpResponse, web::Payload};

use super::{
    caller::{Caller, KeysVerify, Token},
    voice::Problem,
    wire::Question,
    wire_verify::{
        AcceptedGroup, AcceptedInstance, AcceptedKey, AcceptedPerson, Denied, PersonalInstance,
        VerdictBody,
    },
};
use crate::{
    clock::iso,
    db::Applied,
    domain::{Denial, Permissions, label_name, permission, text},
    error::Result,
    http::fault::{self, Cause},
    metrics::Outcome,
    verify::{self, Credential, Holder, Presented, Verdict, personal, usage::Call},
};

const ACCEPTED: &str = "accepted";

/// `POST /api/v1/verify`
pub async fn verify(
    caller: Token<KeysVerify>,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    Applied::note_question();
    let asked: Question = fault::json(&req, payload).await?;
    if asked.permission.as_deref().is_some_and(|it| !permission::is_name(it)) {
        let told = "A permission is called service:action.";
        return Err(Cause::Unreadable("/permission".to_owned(), told.to_owned()).into());
    }
    // No workspace can be called anything else; and not every database takes every text.
    if asked.workspace.as_deref().is_some_and(|it| text::slug(it).as_deref() != Ok(it)) {
        let told = "A workspace is named by its short name: 2 to 63 of a-z, 0-9 and -.";
        return Err(Cause::Unreadable("/workspace".to_owned(), told.to_owned()).into());
    }
    let (verdict, denial) = answer(&caller, &asked).await?;
    caller.app.metrics.verified(denial.map_or(Outcome::Accepted, Outcome::Denied));
    Ok(HttpResponse::Ok().json(verdict))
}

async fn answer(caller: &Caller, asked: &Question) -> Result<(VerdictBody, Option<Denial>)> {
    let act = caller.act();
    let slug = act.scope.subscription().slug.clone();
    let secret = asked.secret();
    let credential = match &asked.client_id {
        // Nothing of ours is called that.
        Some(id) if !id.bytes().all(|it| (b' '..=b'~').contains(&it)) => return Ok(unknown()),
        Some(id) => Credential::Client { id, secret },
        None => Credential::Token(secret),
    };
    let presented = Presented {
        credential,
        from: caller.client.address,
        tenant: Some(&slug),
        permission: asked.permission.as_deref(),
        workspace: asked.workspace.as_deref(),
    };
    if asked.client_id.is_none() && personal::is_one(secret) {
        return Ok(match personal::verify(&caller.app, (secret, &presented), act.now).await? {
            Verdict::Accepted(it) => {
                caller.app.recorder.note_personal(it.key, call(caller, asked, None), act.now);
                let told = VerdictBody::Person(AcceptedPerson {
                    valid: true,
                    code: ACCEPTED,
                    subscription: it.subscription,
                    user: it.email.to_string(),
                    key_instance: PersonalInstance { id: it.key },
                    permissions: names(&it.permissions),
                    until: it.until.map(iso),
                });
                (told, None)
            }
            Verdict::Unknown | Verdict::Denied(_, Denial::WrongSubscription) => unknown(),
            Verdict::Denied(_, denial) => denied(denial),
        });
    }
    Ok(match verify::verify(&caller.app, &presented, act.now).await? {
        Verdict::Unknown | Verdict::Denied(_, Denial::WrongSubscription) => unknown(),
        Verdict::Accepted(it) => {
            caller.app.recorder.note(&it, call(caller, asked, None), act.now);
            (accepted(&it, &act), None)
        }
        Verdict::Denied(it, denial) => {
            caller.app.recorder.note(&it, call(caller, asked, Some(denial)), act.now);
            denied(denial)
        }
    })
}

fn accepted(it: &Holder<'_>, act: &crate::subscriptions::Act<'_>) -> VerdictBody {
    VerdictBody::Key(AcceptedKey {
        valid: true,
        code: ACCEPTED,
        subscription: it.subscription.to_string(),
        key_group: AcceptedGroup { id: it.group, name: it.group_name.to_string() },
        key_instance: AcceptedInstance { id: it.instance, label: label_name(it.label) },
        permissions: names(&it.permissions),
        from: iso(it.facts.period.from()),
        until: it.facts.period.until().map(iso),
        warning: it.facts.warning(act.now).is_some(),
    })
}

fn names(it: &Permissions) -> Vec<String> {
    it.iter().map(str::to_owned).collect()
}

fn denied(denial: Denial) -> (VerdictBody, Option<Denial>) {
    (VerdictBody::Denied(Denied { valid: false, code: denial.code() }), Some(denial))
}

fn unknown() -> (VerdictBody, Option<Denial>) {
    denied(Denial::Unknown)
}

fn call<'a>(caller: &'a Caller, asked: &'a Question, denial: Option<Denial>) -> Call<'a> {
    Call {
        denial,
        from: caller.client.address,
        agent: &caller.client.agent,
        asked: asked.permission.as_deref(),
        workspace: asked.workspace.as_deref(),
    }
}
