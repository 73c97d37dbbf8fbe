//! Notices by e-mail: one message to each address, whatever comes together.
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono_tz::Tz;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use url::Url;
use uuid::Uuid;

use super::{text, told::Notice};
use crate::{
    config::Site,
    http::words::{self, Here},
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends by the operator's SMTP server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why a message was not taken.
pub struct Failure {
    pub told: String,
    /// Another try would end the same.
    pub permanent: bool,
}

impl Mailer {
    /// `smtp://host:port`, `smtps://user:password@host` or `smtp://host?tls=required`.
    pub fn new(url: &Url, from: &str) -> anyhow::Result<Self> {
        ensure!(
            matches!(url.scheme(), "smtp" | "smtps"),
            "--smtp-url must start with smtp:// or smtps://"
        );
        // The provider of TLS, which the webhooks need as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str())
            .context("--smtp-url cannot be used")?
            .timeout(Some(TIMEOUT))
            .build();
        let from = from.parse().context("--mail-from is no e-mail address")?;
        Ok(Self { transport, from })
    }

    /// One message. Its id stays the same if it has to be sent again.
    pub async fn send(&self, to: &str, id: Uuid, letter: Letter) -> Result<(), Failure> {
        let failed = |told: String| Failure { told, permanent: true };
        let to = to.parse::<Mailbox>().map_err(|it| failed(it.to_string()))?;
        let auto = HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(), // RFC 3834: no out-of-office answers
        );
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject)
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .raw_header(auto)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.body)
            .map_err(|it| failed(it.to_string()))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let mut told = error.to_string();
                told.truncate(told.floor_char_boundary(200));
                // Also what the server calls permanent: a wrong password of ours is one day mended.
                Err(Failure { told, permanent: false })
            }
        }
    }
}

/// The address in a group's contact, if it is one and nothing else.
pub(super) fn address(contact: &str) -> Option<String> {
    contact.trim().parse::<Address>().ok().map(|it| it.to_string())
}

pub struct Letter {
    pub subject: String,
    pub body: String,
}

impl Letter {
    /// `notices` of one subscription, the first end first. Their times are in UTC: an address has
    /// no zone that we know.
    pub(super) fn of(
        site: &Site,
        (name, slug): (&str, &str),
        notices: &[Notice],
        now: chrono::DateTime<chrono::Utc>,
    ) -> Self {
        let here = Here { now, zone: Tz::UTC };
        let subject = match notices {
            [one] => format!("{}: {}", name, text::headline(one, &here)),
            many => format!("{}: {} end", name, what(many)),
        };
        let mut body = match notices.iter().any(Notice::is_of_token) {
            true => format!("Keyward tells you about API keys and automation tokens of {name}.\n"),
            false => format!("Keyward tells you about API keys of {name}.\n"),
        };
        for it in notices {
            body += &format!(
                "\n{}\n{}\n{}\n",
                text::headline(it, &here),
                text::detail(it, &here),
                site.url(&it.path(slug))
            );
        }
        body += &format!(
            "\nAll of them: {}\n\nYou get this because you are an admin of {name}, or the contact of \
             the key group.\nAdmins can switch these messages off: {}\n",
            site.url(&format!("/s/{slug}/notices")),
            site.url(&format!("/s/{slug}/settings/notices")),
        );
        // One line, whatever a name holds.
        let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { subject, body }
    }
}

/// `3 keys`, `2 tokens`, `3 keys and 1 token`
fn what(notices: &[Notice]) -> String {
    let tokens = notices.iter().filter(|it| it.is_of_token()).count() as i64;
    let keys = notices.len() as i64 - tokens;
    let counted = [(keys, "key"), (tokens, "token")].into_iter().filter(|it| it.0 > 0);
    words::list(&counted.map(|(n, noun)| words::plural(n, noun)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_an_address_or_it_is_none() {
        assert_eq!(address(" team@example.com ").as_deref(), Some("team@example.com"));
        for other in ["", "Team Pricing", "team@", "a@example.com, b@example.com", "#pricing"] {
            assert_eq!(address(other), None, "{other}");
        }
    }

    #[test]
    fn only_smtp_is_spoken() {
        let mailer = |url: &str, from: &str| Mailer::new(&url.parse().unwrap(), from);
        assert!(mailer("smtp://localhost:2525", "Keyward <keys@example.com>").is_ok());
        assert!(mailer("smtps://user:pw@mail.example.com", "keys@example.com").is_ok());
        assert!(mailer("https://mail.example.com", "keys@example.com").is_err());
        assert!(mailer("smtp://localhost", "no address").is_err());
    }
}
