//! Each call by its RPC name: `POST /rpc/AdminCreateApiKey` and so on. The body has the id of what it
//! is about beside what the same call by REST has.
use std::fmt;

use actix_web::{HttpRequest, HttpResponse, web::Payload};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    AccessRead, AccessWrite, KeysWrite, keys, policies,
    voice::Fault,
    wire::{Deletion, KeyChange, Nothing, PolicyChange},
};
use crate::{
    api::request,
    error::Error,
    http::fault::{self, Cause},
};

/// Of an object, each once.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut from: A,
            ) -> std::result::Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some((name, value)) = from.next_entry::<String, Value>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom("duplicate field"));
                    }
                }
                Ok(Fields(fields))
            }
        }

        from.deserialize_map(Once)
    }
}

/// What a call is about, and the rest of its body, which is what the same call by REST has.
async fn about<T: DeserializeOwned>(
    req: &HttpRequest,
    payload: Payload,
) -> Result<(Uuid, T), Cause> {
    let Fields(mut body) = fault::json(req, payload).await?;
    let id = body.remove("id");
    let id = id.as_ref().and_then(Value::as_str).and_then(|it| Uuid::try_parse(it).ok());
    let told = || Cause::Unreadable("/id".to_owned(), "id says what the call is about.".to_owned());
    let rest = serde_json::to_vec(&body).map_err(|it| Error::Internal(it.into()))?;
    Ok((id.ok_or_else(told)?, fault::parse(&rest)?))
}

/// `POST /rpc/AdminCreateApiKey`
pub async fn create_key(
    caller: KeysWrite,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let (new, submission) = request::creating(&caller, &req, payload).await?;
    keys::made(&caller, new, submission).await
}

/// `POST /rpc/AdminUpdateApiKey`
pub async fn update_key(
    caller: KeysWrite,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let (id, change): (_, KeyChange) = about(&req, payload).await?;
    keys::updated(&caller, id, change).await
}

/// `POST /rpc/AdminDeleteApiKey`
pub async fn delete_key(
    caller: KeysWrite,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let (id, Nothing {}) = about(&req, payload).await?;
    keys::deleted(&caller, id).await
}

/// `POST /rpc/AdminGetApiKeyPolicies`
pub async fn get_policies(
    caller: AccessRead,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let Nothing {} = fault::json(&req, payload).await?;
    policies::list(caller).await
}

/// `POST /rpc/AdminGetApiKeyPermissions`
pub async fn get_permissions(
    caller: AccessRead,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let Nothing {} = fault::json(&req, payload).await?;
    policies::permissions(caller).await
}

/// `POST /rpc/AdminCreateApiKeyPolicy`
pub async fn create_policy(
    caller: AccessWrite,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let (new, submission) = request::creating(&caller, &req, payload).await?;
    policies::made(&caller, new, submission).await
}

/// `POST /rpc/AdminUpdateApiKeyPolicy`
pub async fn update_policy(
    caller: AccessWrite,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let (id, change): (_, PolicyChange) = about(&req, payload).await?;
    policies::updated(&caller, id, change).await
}

/// `POST /rpc/AdminDeleteApiKeyPolicy`
pub async fn delete_policy(
    caller: AccessWrite,
    req: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Fault> {
    let it: Deletion = fault::json(&req, payload).await?;
    policies::deleted(&caller, it.id, it.expect, None).await
}
