//! Notices by e-mail, taken by a real SMTP server: aiosmtpd, which keeps them in a Maildir.
use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use chrono::TimeDelta;
use keyward::{
    config::Config,
    key_groups::{self, Description},
    notices::{self, BACKOFF, Noticer},
};
use tempfile::TempDir;

use crate::support::{Database, TestApp, eventually, on_both};

on_both! {
    admins_and_the_contact_of_the_group_get_one_message_each,
    keys_that_end_together_are_told_of_in_one_message,
    a_server_that_is_away_gets_the_message_later,
    without_consent_or_server_nothing_is_sent,
    a_token_that_ends_is_told_to_admins,
}

/// Listens on a port of this machine until it is dropped.
struct Smtp {
    child: Option<Child>,
    port: u16,
    folder: TempDir,
}

impl Smtp {
    /// Not listening yet.
    fn closed() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { child: None, port, folder: tempfile::tempdir().unwrap() }
    }

    async fn start() -> Self {
        let mut it = Self::closed();
        it.listen().await;
        it
    }

    async fn listen(&mut self) {
        let at = format!("127.0.0.1:{}", self.port);
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-m", "aiosmtpd", "-n", "-l", &at, "-c", "aiosmtpd.handlers.Mailbox"]);
        command.arg(self.folder.path().join("mail")).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("python3-aiosmtpd, which tests/run installs"));
        let answers = async || tokio::net::TcpStream::connect(&at).await.is_ok();
        assert!(eventually(Duration::from_secs(20), answers).await, "no SMTP server");
    }

    fn configure(&self, config: &mut Config) {
        config.smtp_url = Some(format!("smtp://127.0.0.1:{}", self.port));
        config.mail_from = Some("Keyward <keys@example.com>".to_owned());
    }

    /// What has come so far, whole; long lines, which quoted-printable folds, in one piece.
    fn messages(&self) -> Vec<String> {
        let folder: PathBuf = self.folder.path().join("mail/new");
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let read = |it: fs::DirEntry| fs::read_to_string(it.path()).unwrap().replace("=\n", "");
        entries.map(|it| read(it.unwrap())).collect()
    }

    fn to(&self, address: &str) -> Vec<String> {
        let line = format!("\nTo: {address}\n");
        self.messages().into_iter().filter(|it| it.contains(&line)).collect()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn start(database: Database, smtp: &Smtp) -> TestApp {
    TestApp::start_with(database, |it| smtp.configure(it)).await
}

/// The group with another contact.
async fn contact(app: &TestApp, group: uuid::Uuid, contact: &str) {
    let desk = app.desk("acme").await;
    let it = key_groups::find(&desk.act(), group).await.unwrap();
    let wanted = Description { name: it.name, contact: contact.to_owned(), ..Default::default() };
    key_groups::edit(&desk.act(), group, &wanted, None).await.unwrap();
}

async fn admins_and_the_contact_of_the_group_get_one_message_each(database: &Database) {
    let smtp = Smtp::start().await;
    let app = start(*database, &smtp).await;
    let desk = app.desk("acme").await;
    let key = desk.group("quote-engine", desk.days(90)).await.instance;
    contact(&app, key.key_group_id, "Pricing@Example.com").await;
    app.user("acme", keyward::domain::Role::Member).await;
    let gone = desk.newcomer("gone@acme.example", keyward::domain::Role::Admin).await;
    let member = keyward::domain::Role::Member;
    keyward::members::change_role(&desk.act(), gone.id, member).await.unwrap();
    let mut noticer = Noticer::default();
    app.clock.advance(TimeDelta::days(83));
    noticer.round(&app.app).await.unwrap();
    noticer.round(&app.app).await.unwrap();
    assert_eq!(smtp.messages().len(), 2, "{:?}", smtp.messages());
    for to in ["admin@acme.example", "pricing@example.com"] {
        let message = smtp.to(to).remove(0);
        for part in [
            "From: Keyward <keys@example.com>",
            "Subject: ACME: quote-engine k-1 ends in 7 days",
            "Auto-Submitted: auto-generated",
            "No other key of the group takes over. Never used.",
            &format!("{}/s/acme/groups/{}/keys/{}", app.site.origin, key.key_group_id, key.id),
            "/s/acme/settings/notices",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(!message.contains("kw_"), "{message}");
    }
    // Who is an admin no more got none, and the log tells of those that were sent.
    let log = notices::deliveries(&desk.act(), None, 10).await.unwrap();
    assert!(log.iter().all(|it| it.0.state == "delivered") && log.len() == 2);
    app.stop().await;
}

async fn keys_that_end_together_are_told_of_in_one_message(database: &Database) {
    let smtp = Smtp::start().await;
    let app = start(*database, &smtp).await;
    let desk = app.desk("acme").await;
    for n in 0..25 {
        desk.group(&format!("group-{n:02}"), desk.days(90)).await;
    }
    for other in ["second@acme.example", "third@acme.example"] {
        desk.newcomer(other, keyward::domain::Role::Admin).await;
    }
    let mut noticer = Noticer::default();
    app.clock.advance(TimeDelta::days(89));
    noticer.round(&app.app).await.unwrap();
    for to in ["admin", "second", "third"] {
        let own = smtp.to(&format!("{to}@acme.example"));
        let [message] = &own[..] else { panic!("{} messages to {to}", own.len()) };
        assert!(message.contains("Subject: ACME: 25 keys end"), "{message}");
        for n in 0..25 {
            assert!(message.contains(&format!("group-{n:02} k-1 ends in ")), "{n}: {message}");
        }
    }
    app.stop().await;
}

async fn a_server_that_is_away_gets_the_message_later(database: &Database) {
    let mut smtp = Smtp::closed();
    let app = start(*database, &smtp).await;
    let desk = app.desk("acme").await;
    desk.group("quote-engine", desk.days(90)).await;
    let mut noticer = Noticer::default();
    app.clock.advance(TimeDelta::days(83));
    noticer.round(&app.app).await.unwrap();
    let log = notices::deliveries(&desk.act(), None, 10).await.unwrap();
    assert_eq!((log[0].0.state.as_str(), log[0].0.attempts), ("pending", 1));
    assert!(log[0].0.error.is_some());
    smtp.listen().await;
    app.clock.advance(BACKOFF[0]);
    noticer.round(&app.app).await.unwrap();
    noticer.round(&app.app).await.unwrap();
    assert_eq!(smtp.to("admin@acme.example").len(), 1);
    let log = notices::deliveries(&desk.act(), None, 10).await.unwrap();
    assert_eq!((log[0].0.state.as_str(), log[0].0.attempts), ("delivered", 2));
    app.stop().await;
}

async fn without_consent_or_server_nothing_is_sent(database: &Database) {
    let smtp = Smtp::start().await;
    let app = start(*database, &smtp).await;
    let desk = app.desk("acme").await;
    desk.group("quote-engine", desk.days(90)).await;
    let admin = app.signed_in("admin@acme.example").await;
    let settings = "/s/acme/settings/notices";
    assert!(admin.get(settings).await.expect(200).text().contains("name=\"mail_notices\" checked"));
    admin.post(settings, &[]).await.expect(303);
    let page = admin.get(settings).await.expect(200);
    assert!(!page.text().contains("name=\"mail_notices\" checked"));
    let mut noticer = Noticer::default();
    app.clock.advance(TimeDelta::days(83));
    noticer.round(&app.app).await.unwrap();
    assert!(notices::deliveries(&desk.act(), None, 10).await.unwrap().is_empty());
    // On again: what was noticed meanwhile stays unsent.
    notices::set_mail(&desk.act(), true).await.unwrap();
    noticer.round(&app.app).await.unwrap();
    assert!(smtp.messages().is_empty());
    app.clock.advance(TimeDelta::days(6));
    noticer.round(&app.app).await.unwrap();
    assert_eq!(smtp.messages().len(), 1);
    app.stop().await;
    // An installation without SMTP says so.
    let app = TestApp::start(*database).await;
    app.desk("acme").await;
    let admin = app.signed_in("admin@acme.example").await;
    assert!(admin.get(settings).await.expect(200).text().contains("No SMTP server is set up"));
    app.stop().await;
}

async fn a_token_that_ends_is_told_to_admins(database: &Database) {
    let smtp = Smtp::start().await;
    let app = start(*database, &smtp).await;
    let desk = app.desk("acme").await;
    app.user("acme", keyward::domain::Role::Member).await;
    desk.token_for(&["keys:read"], TimeDelta::days(90)).await;
    let mut noticer = Noticer::default();
    app.clock.advance(TimeDelta::days(83));
    noticer.round(&app.app).await.unwrap();
    desk.group("quote-engine", desk.days(7)).await;
    app.clock.advance(TimeDelta::days(6));
    noticer.round(&app.app).await.unwrap();
    let mut messages = smtp.to("admin@acme.example");
    assert_eq!(smtp.messages().len(), 2, "{messages:?}");
    messages.sort_by_key(|it| it.contains("1 key and 1 token end"));
    assert!(
        messages[0].contains("Subject: ACME: Token for keys:read ends in 7 days"),
        "{messages:?}"
    );
    let page = format!("{}/s/acme/settings/tokens", app.site.origin);
    for part in ["No other token of this name takes over. Never used.", &page] {
        assert!(messages[0].contains(part), "{part}: {messages:?}");
    }
    assert!(messages[1].contains("Subject: ACME: 1 key and 1 token end"), "{messages:?}");
    app.stop().await;
}
