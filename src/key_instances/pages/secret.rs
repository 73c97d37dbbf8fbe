//! The show-once page of a key instance. A reload shows the same; after the acknowledgement it is 410.
use actix_web::{HttpRequest, HttpResponse, web::Path};
use askama::Template;
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    KeyPath,
    list::{self, KeyList},
};
use crate::{
    clock::{instant, iso},
    domain::{GroupKind, SecretText},
    error::{Error, Result},
    http::{
        Admin, App, Flash, Form, Page, PageError, SignedIn, download, html,
        once::{self, AcknowledgeForm},
        page::Section,
    },
    key_groups::{self, KeyGroup},
    key_instances::{self, How, Issued, KeyInstance},
};

/// Seals a new secret into its cookie and sends the browser to its page.
pub fn hand_over(me: &SignedIn, issued: &Issued, path: &str) -> Result<HttpResponse, PageError> {
    Ok(once::hand_over(me, issued.instance.id, &issued.secret, path)?)
}

/// The secret of this instance, if this browser and this person still may see it.
fn unsealed(req: &HttpRequest, me: &SignedIn, instance: &KeyInstance) -> Result<SecretText> {
    let shown = once::unsealed(req, me, instance.id).filter(|_| instance.saved_at.is_none());
    shown.ok_or(Error::Gone(
        "This key is no longer shown. If nobody has it, open its group and replace it.",
    ))
}

#[derive(Template)]
#[template(path = "key_instances/secret.html")]
struct SecretPage {
    page: Page,
    list: KeyList,
    /// `API key` or `secret`
    what: &'static str,
    name: String,
    group_name: String,
    /// Of a client; else empty.
    client_id: String,
    secret: String,
    active: String,
    path: String,
    curl: String,
}

/// `GET .../secret`
pub async fn show(
    admin: Admin,
    req: HttpRequest,
    path: Path<KeyPath>,
) -> Result<HttpResponse, PageError> {
    let instance = key_instances::find(&admin.act(), path.ids()).await?;
    let secret = unsealed(&req, &admin.me, &instance)?;
    key_instances::expose(&admin.act(), instance.id, How::Shown).await?;
    let list = list::behind_dialog(&admin, instance.key_group_id).await?;
    let group = list.group.as_ref();
    let client = group.filter(|it| it.kind.is_client()).map(|it| it.client_id.clone());
    let here = &admin.me.here;
    let period = instance.facts().period;
    let from =
        if period.from() <= here.now { "now".to_owned() } else { here.minute(period.from()).text };
    let until = period
        .until()
        .map_or("without an end".to_owned(), |it| format!("to {}", here.day(it).text));
    html(&SecretPage {
        page: Page::within(&admin, Section::Keys),
        what: if client.is_some() { "secret" } else { "API key" },
        name: instance.name(),
        group_name: group.map(|it| it.name.clone()).unwrap_or_default(),
        client_id: client.clone().unwrap_or_default(),
        secret: secret.expose().to_owned(),
        active: format!("{from} {until}"),
        path: key_instances::secret_path(&admin.act(), instance.key_group_id, instance.id),
        curl: match &client {
            Some(id) => client_curl(&admin.me.app, id),
            None => curl(&admin.me.app, &admin.scope.subscription().slug, &instance),
        },
        list,
    })
}

/// How to try the key, with the headers of document 004.
fn curl(app: &App, slug: &str, instance: &KeyInstance) -> String {
    let url = app.site.url("/verify");
    if instance.custom {
        format!(
            "curl -i {url} \\\n  -H \"x-synthetic-key: $API_KEY\" \\\n  -H \"x-tenant-name: {slug}\""
        )
    } else {
        format!("curl -i {url} \\\n  -H \"Authorization: Bearer $API_KEY\"")
    }
}

/// The same with the name and the password of document 000.
fn client_curl(app: &App, client_id: &str) -> String {
    format!("curl -i {} \\\n  --user \"{client_id}:$API_KEY_SECRET\"", app.site.url("/verify"))
}

/// `GET .../secret/download.json`
pub async fn json(
    admin: Admin,
    req: HttpRequest,
    path: Path<KeyPath>,
) -> Result<HttpResponse, PageError> {
    let it = Download::of(&admin, &req, &path, How::Json).await?;
    let header = if it.instance.custom { "x-synthetic-key" } else { "Authorization: Bearer" };
    let until = it.instance.active_until.map(|at| iso(instant(at)));
    let mut text = json!({
        "_comment": it.comment(),
        "tenant": admin.scope.subscription().slug,
        "key_group": it.group.name,
        "key_id": it.instance.name(),
        "active_from": iso(instant(it.instance.active_from)),
        "active_until": until,
    });
    if it.group.kind().is_client() {
        // The names of document 000.
        text["api_key_id"] = it.group.client_id.clone().into();
        text["api_key_secret"] = it.secret.expose().into();
        text["header"] = "Authorization: Basic".into();
    } else {
        text["api_key"] = it.secret.expose().into();
        text["header"] = header.into();
    }
    let body = serde_json::to_vec_pretty(&text).map_err(anyhow::Error::from)?;
    Ok(download::attachment(&it.file_name("json"), "application/json", body))
}

/// `GET .../secret/download.env`
pub async fn env(
    admin: Admin,
    req: HttpRequest,
    path: Path<KeyPath>,
) -> Result<HttpResponse, PageError> {
    let it = Download::of(&admin, &req, &path, How::Env).await?;
    let (comment, secret) = (it.comment(), it.secret.expose());
    let body = match it.group.kind() {
        GroupKind::Token => format!("# {comment}\nAPI_KEY={secret}\n"),
        GroupKind::ClientCredentials => {
            let id = &it.group.client_id;
            let secret = Zeroizing::new(quoted(secret));
            format!("# {comment}\nAPI_KEY_ID={id}\nAPI_KEY_SECRET={}\n", *secret)
        }
    };
    Ok(download::attachment(&it.file_name("env"), "text/plain; charset=utf-8", body.into_bytes()))
}

/// A value as shells and readers of `.env` files take it: quoted where a chosen secret needs that.
fn quoted(secret: &str) -> String {
    if secret.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-')) {
        return secret.to_owned();
    }
    if !secret.contains('\'') {
        return format!("'{secret}'");
    }
    let escape = |it: char| {
        let escaped = matches!(it, '"' | '\\' | '$' | '`');
        escaped.then_some('\\').into_iter().chain([it])
    };
    format!("\"{}\"", secret.chars().flat_map(escape).collect::<String>())
}

struct Download {
    instance: KeyInstance,
    group: KeyGroup,
    secret: SecretText,
}

impl Download {
    async fn of(admin: &Admin, req: &HttpRequest, path: &KeyPath, how: How) -> Result<Self> {
        let act = admin.act();
        let instance = key_instances::find(&act, path.ids()).await?;
        let secret = unsealed(req, &admin.me, &instance)?;
        key_instances::expose(&act, instance.id, how).await?;
        let group = key_groups::find(&act, instance.key_group_id).await?;
        Ok(Self { instance, group, secret })
    }

    fn comment(&self) -> String {
        let end = self.instance.active_until.map(|at| iso(instant(at)));
        let end = end.map_or("It has no end.".to_owned(), |it| format!("It ends {it}."));
        format!("Keep this in your secret store and delete the file. {end}")
    }

    fn file_name(&self, ending: &str) -> String {
        let group = download::file_name(&self.group.name);
        format!("{group}-{}.{ending}", self.instance.name())
    }
}

/// `POST .../secret/acknowledgement`
pub async fn acknowledge(
    admin: Admin,
    path: Path<KeyPath>,
    form: Form<AcknowledgeForm>,
) -> Result<HttpResponse, PageError> {
    let act = admin.act();
    let instance = key_instances::acknowledge(&act, path.ids(), form.saved_by()?).await?;
    let done = Flash::new(format!("{} is ready to use.", instance.name()));
    let group = admin.path(&format!("/groups/{}", instance.key_group_id));
    let mut response = done.then(&admin.me.app, &group);
    let secret_path = key_instances::secret_path(&act, instance.key_group_id, instance.id);
    once::forget(&admin.me, &mut response, &secret_path)?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_quotes_what_a_shell_would_change() {
        assert_eq!(quoted("kws_Ab9"), "kws_Ab9");
        assert_eq!(quoted("9011@83sd!f$x"), "'9011@83sd!f$x'");
        assert_eq!(quoted("it's\\$5"), "\"it's\\\\\\$5\"");
    }
}
