//! Who manages keys: a person who is signed in by something that is no key. How is told by the
//! credential, of which there is exactly one.
use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web::Data};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::LocalBoxFuture;
use zeroize::Zeroizing;

use super::voice::Fault;
use crate::{
    audit::Actor,
    config::Cookies,
    domain::secret::{self, Shape},
    error::Error,
    http::{App, Client, caller::note_wish, fault::Cause},
    personal_keys::{Own, SignedInBy, token},
    sessions::{self, SignIn, pages::cookie_name},
    users::User,
};

/// A person, and how she has signed in.
pub struct Caller {
    pub app: Data<App>,
    user: User,
    by: SignedInBy,
    client: Client,
}

impl Caller {
    pub fn own(&self) -> Own<'_> {
        let (id, name) = (Some(self.user.id), self.user.email.clone());
        Own {
            app: &self.app,
            user: &self.user,
            by: self.by,
            actor: Actor { user_id: id, name, client: self.client.clone() },
            now: self.app.clock.now(),
        }
    }

    async fn of(req: HttpRequest) -> Result<Self, Fault> {
        let app = req.app_data::<Data<App>>().cloned();
        let app = app.ok_or_else(|| Error::Internal(anyhow::anyhow!("the server sets it")))?;
        let now = app.clock.now();
        match Shown::read(&req, &app)? {
            Shown::Nothing => Err(Cause::Unauthenticated.into()),
            Shown::Key => Err(Cause::KeyManagesNothing.into()),
            Shown::Password { .. } if app.site.cookies == Cookies::Refused => {
                Err(Cause::InsecureTransport.into())
            }
            Shown::Password { email, password } => {
                let client = Client::extract(&req).await.map_err(|_| Cause::Unauthenticated)?;
                let tried = SignIn { email, password, known_browser: None };
                let user = sessions::sign_in(&app, tried, client.clone(), now).await?;
                Ok(Self { app, user, by: SignedInBy::Password, client })
            }
        }
    }
}

impl FromRequest for Caller {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            let caller = Self::of(req.clone()).await?;
            note_wish(&req);
            Ok(caller)
        })
    }
}

/// What kind of credential a request shows, before anything is looked up.
enum Shown {
    Nothing,
    /// A key of whatever kind, good or not.
    Key,
    Password {
        email: String,
        password: Zeroizing<String>,
    },
    // Room for the bearer token of an OpenID Connect provider.
}

impl Shown {
    fn read(req: &HttpRequest, app: &App) -> Result<Self, Cause> {
        // Whatever stands in a URL ends in logs.
        if !req.query_string().is_empty() {
            let told = "Nothing belongs into the query here, and a credential least of all.";
            return Err(Cause::malformed("credentials_never_in_url", told));
        }
        let authorization: Vec<_> = req.headers().get_all(AUTHORIZATION).collect();
        let synthetic = req.headers().get_all("x-synthetic-key").count();
        let has_session = req.cookie(cookie_name(app.site.cookies)).is_some();
        let keys = authorization.len() + synthetic;
        if keys > 1 || (keys == 1 && has_session) {
            let told = "Show one credential, not several.";
            return Err(Cause::malformed("ambiguous_credentials", told));
        }
        // The session of a browser alone means nothing here.
        Ok(match authorization.first() {
            Some(value) => Self::of_header(value.as_bytes()),
            None if synthetic == 1 => Self::Key,
            None => Self::Nothing,
        })
    }

    fn of_header(value: &[u8]) -> Self {
        let Ok(value) = std::str::from_utf8(value) else { return Self::Nothing };
        let (scheme, credential) = value.split_once(' ').unwrap_or(("", value));
        if scheme.eq_ignore_ascii_case("basic") {
            return Self::of_basic(credential);
        }
        if is_key(credential) || secret::shape(credential) == Shape::Custom {
            return Self::Key;
        }
        Self::Nothing
    }

    /// RFC 7617, strictly: the first colon splits, nothing is trimmed, nothing is left out.
    fn of_basic(credential: &str) -> Self {
        let Ok(decoded) = STANDARD.decode(credential) else { return Self::Nothing };
        let decoded = Zeroizing::new(decoded);
        let Ok(text) = std::str::from_utf8(&decoded) else { return Self::Nothing };
        let Some((name, password)) = text.split_once(':') else { return Self::Nothing };
        if text.chars().any(char::is_control) {
            return Self::Nothing;
        }
        // The id of a key group is no e-mail address: whoever shows it shows a client's secret.
        let is_client = !name.is_empty() && !name.contains('@');
        if is_client || is_key(name) || is_whole_key(password) {
            return Self::Key;
        }
        Self::Password { email: name.to_owned(), password: Zeroizing::new(password.to_owned()) }
    }
}

/// Whether it wants to be a key of ours, good or not.
fn is_key(text: &str) -> bool {
    ["kw_", "kws_", "kwa_"].iter().any(|it| text.starts_with(it))
        || token::Presented::read(text).is_some()
}

/// The same for what might be a password: it may begin with anything.
fn is_whole_key(text: &str) -> bool {
    matches!(secret::shape(text), Shape::Generated(_)) || token::Presented::read(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(header: &str) -> &'static str {
        match Shown::of_header(header.as_bytes()) {
            Shown::Nothing => "nothing",
            Shown::Key => "key",
            Shown::Password { .. } => "password",
        }
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn pair(header: &str) -> (String, String) {
        match Shown::of_header(header.as_bytes()) {
            Shown::Password { email, password } => (email, password.to_string()),
            _ => panic!("{header} is no password"),
        }
    }

    #[test]
    fn basic_is_decoded_strictly() {
        let of = |text: &str| pair(&basic(text));
        assert_eq!(of("ida@example.com:a:b "), ("ida@example.com".into(), "a:b ".into()));
        assert_eq!(of(" ida@example.com: x"), (" ida@example.com".into(), " x".into()));
        assert_eq!(of("ida@example.com:kw_is-how-my-password-begins").1.len(), 28);
        assert_eq!(of("ida@example.com:pässwörd"), ("ida@example.com".into(), "pässwörd".into()));
        let good = STANDARD.encode("ida@example.com:xy");
        assert_eq!(pair(&format!("bAsIc {good}")).1, "xy");
        for wrong in [
            format!("Basic  {good}"),
            format!("Basic {good} "),
            format!("Basic {good}="),
            basic("ida@example.com:x\0"),
            basic("ida@example.com:x\n"),
            basic("ida@\u{7f}example.com:x"),
            basic("ida@example.com"),
            "Basic".to_owned(),
            "Basic !!".to_owned(),
            format!("Basic {}", STANDARD.encode(b"ida@example.com:\xff")),
        ] {
            assert_eq!(kind(&wrong), "nothing", "{wrong}");
        }
    }

    #[test]
    fn a_key_is_a_key_in_whatever_scheme_it_is_shown() {
        let key = "kw_0123456789012345678901234567890123456789012345678";
        for header in [
            format!("Bearer {key}"),
            format!("bearer {key}"),
            format!("Token {key}"),
            key.to_owned(),
            "Bearer kws_whatever".to_owned(),
            "ApiKey kwa_whatever".to_owned(),
            "Bearer Zr7-qPw2Lk9xBn4Td6Vy".to_owned(),
            basic(&format!("{key}:x-oauth-basic")),
            basic("quote-engine_l2j4391xlw0k2ipwx5ejmdor8:secret"),
            basic("kwa_a@example.com:x"),
        ] {
            assert_eq!(kind(&header), "key", "{header}");
        }
        for header in ["Bearer x", "Bearer", "", "Digest username=\"ida\"", "Bearer a.b.c"] {
            assert_eq!(kind(header), "nothing", "{header}");
        }
        assert_eq!(kind(&basic(":x")), "password");
    }
}
