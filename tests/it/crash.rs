//! O25: kill -9 in the middle of changes. What was acknowledged is there, and nothing by halves.
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use reqwest::Method;
use sea_orm::{DatabaseConnection, FromQueryResult, JsonValue, Statement};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{
    Database, Home, eventually,
    program::{Program, command},
};

const ROUNDS: usize = 50;
const WRITERS: usize = 4;

/// What an answer has promised.
#[derive(Clone, Debug)]
enum Promise {
    Group(Uuid, String),
    Gone(Uuid),
    /// The column of this instance is set.
    Set(Uuid, &'static str),
    Key(Uuid),
}

type Journal = Arc<Mutex<Vec<Promise>>>;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_program_is_killed() {
    let home = Home::new(Database::Sqlite).await;
    Program::set_up(&home);
    let journal = Journal::default();
    let numbers = Arc::new(AtomicUsize::new(0));
    let mut cookie = String::new();
    for round in 0..ROUNDS {
        let program = Arc::new(Program::start(&home).await);
        if round % 10 == 0 {
            cookie = program.sign_in().await; // the session outlives the process as well
        }
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let writer = Writer {
                program: program.clone(),
                cookie: cookie.clone(),
                journal: journal.clone(),
                numbers: numbers.clone(),
            };
            writers.spawn(writer.run());
        }
        let goal = journal.lock().unwrap().len() + 8 + round % 5;
        let changed = async || journal.lock().unwrap().len() >= goal;
        let limit = Duration::from_secs(20);
        assert!(eventually(limit, changed).await, "round {round}: no change is made");
        // Somewhere in the middle of a change, each round at another place.
        tokio::time::sleep(Duration::from_micros(700 * round as u64 % 9_000)).await;
        program.kill_now();
        while let Some(ended) = writers.join_next().await {
            ended.unwrap();
        }
        drop(program);
        let db = home.connect().await;
        let acknowledged = journal.lock().unwrap().clone();
        kept(&db, &acknowledged, round).await;
        whole(&db, round).await;
        db.close().await.unwrap();
        let verified = command(&home).args(["audit", "verify"]).output().unwrap();
        assert!(verified.status.success(), "round {round}: {verified:?}");
    }
    home.clean_up().await;
}

struct Writer {
    program: Arc<Program>,
    cookie: String,
    journal: Journal,
    numbers: Arc<AtomicUsize>,
}

impl Writer {
    /// Until the program is gone.
    async fn run(self) {
        while self.change().await.is_ok() {}
    }

    /// A new group, and one act on it.
    async fn change(&self) -> reqwest::Result<()> {
        let n = self.numbers.fetch_add(1, Relaxed);
        let (name, token) = (format!("group-{n}"), format!("a-token-of-some-length-{n}"));
        let fields = [
            ("submission", token.as_str()),
            ("name", &name),
            ("make", "generate"),
            ("preset", "90"),
        ];
        let secret = self.post("/s/acme/groups/new", &fields).await?;
        let key = secret.strip_suffix("/secret").unwrap();
        let (group, id) = key.split_once("/keys/").unwrap();
        let group_id: Uuid = group.rsplit('/').next().unwrap().parse().unwrap();
        let id: Uuid = id.parse().unwrap();
        if n % 7 != 5 {
            self.note(Promise::Key(id));
        }
        match n % 7 {
            0 => {
                self.post(&format!("{key}/revocation"), &[]).await?;
                self.note(Promise::Set(id, "revoked_at"));
            }
            1 => {
                self.post(&format!("{key}/deactivation"), &[]).await?;
                self.note(Promise::Set(id, "deactivated_at"));
            }
            2 => {
                let path = format!("{secret}/acknowledgement");
                self.post(&path, &[("saved_by", "clipboard")]).await?;
                self.note(Promise::Set(id, "saved_at"));
            }
            3 => {
                let renamed = format!("renamed-{n}");
                self.post(&format!("{group}/edit"), &[("name", &renamed)]).await?;
                self.note(Promise::Group(group_id, renamed));
            }
            4 => {
                let token = format!("another-token-of-some-length-{n}");
                let fields = [("submission", token.as_str()), ("preset", "30"), ("overlap", "now")];
                let new = self.post(&format!("{key}/rotation"), &fields).await?;
                let new = new.strip_suffix("/secret").unwrap().rsplit('/').next().unwrap();
                self.note(Promise::Key(new.parse().unwrap()));
                self.note(Promise::Set(id, "deactivated_at"));
            }
            5 => {
                let fields = [("confirm", name.as_str()), ("version", "1")];
                self.post(&format!("{group}/deletion"), &fields).await?;
                self.note(Promise::Gone(group_id));
            }
            _ => self.note(Promise::Group(group_id, name)),
        }
        Ok(())
    }

    fn note(&self, it: Promise) {
        self.journal.lock().unwrap().push(it);
    }

    /// Where the done act leads.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Result<String> {
        let answer = self.program.send(Method::POST, path, &self.cookie, fields).await?;
        assert_eq!(answer.status(), 303, "{path}");
        Ok(answer.headers()["location"].to_str().unwrap().to_owned())
    }
}

async fn rows(db: &DatabaseConnection, sql: &str) -> Vec<JsonValue> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    JsonValue::find_by_statement(statement).all(db).await.unwrap()
}

async fn by_id(db: &DatabaseConnection, sql: &str) -> HashMap<Uuid, JsonValue> {
    let rows = rows(db, sql).await;
    rows.into_iter().map(|it| (it["id"].as_str().unwrap().parse().unwrap(), it)).collect()
}

async fn kept(db: &DatabaseConnection, journal: &[Promise], round: usize) {
    let groups = by_id(db, "SELECT lower(hex(id)) AS id, name FROM key_groups").await;
    let columns = "lower(hex(id)) AS id, revoked_at, deactivated_at, saved_at";
    let keys = by_id(db, &format!("SELECT {columns} FROM key_instances")).await;
    for it in journal {
        let is_kept = match it {
            Promise::Group(id, name) => groups.get(id).is_some_and(|it| it["name"] == **name),
            Promise::Gone(id) => !groups.contains_key(id),
            Promise::Key(id) => keys.contains_key(id),
            Promise::Set(id, column) => keys.get(id).is_some_and(|it| it[column].is_number()),
        };
        assert!(is_kept, "round {round}: {it:?} was acknowledged and is lost");
    }
}

/// No half objects, and a sound file.
async fn whole(db: &DatabaseConnection, round: usize) {
    let sound = rows(db, "PRAGMA integrity_check").await;
    assert_eq!(sound[0]["integrity_check"], "ok", "round {round}: {sound:?}");
    assert_eq!(rows(db, "PRAGMA foreign_key_check").await.len(), 0, "round {round}");
    let event = |action: &str, id: &str| {
        format!(
            "(SELECT count(*) FROM audit_events WHERE action = '{action}' AND object_id = {id})"
        )
    };
    for (what, sql) in [
        (
            "a group without a key",
            "SELECT 1 FROM key_groups WHERE id NOT IN (SELECT key_group_id FROM key_instances)"
                .to_owned(),
        ),
        (
            "a group without its row in the audit log",
            format!("SELECT 1 FROM key_groups g WHERE {} <> 1", event("key_group.created", "g.id")),
        ),
        (
            "a key without its row in the audit log",
            format!(
                "SELECT 1 FROM key_instances k WHERE {} <> 1",
                event("key_instance.created", "k.id")
            ),
        ),
        (
            "a revocation without its row in the audit log",
            format!(
                "SELECT 1 FROM key_instances k WHERE (revoked_at IS NOT NULL) <> {}",
                event("key_instance.revoked", "k.id")
            ),
        ),
        (
            "a key without the form that made it, or the other way round",
            "SELECT 1 FROM (SELECT count(*) AS n FROM submissions) s, \
             (SELECT count(*) AS n FROM audit_events WHERE action = 'key_group.created') g, \
             (SELECT count(*) AS n FROM audit_events WHERE action = 'key_instance.rotated') r \
             WHERE s.n <> g.n + r.n"
                .to_owned(),
        ),
        (
            "a subscription with wrong sums",
            "SELECT 1 FROM subscriptions WHERE \
             group_count <> (SELECT count(*) FROM key_groups) OR \
             active_count + future_count + expired_count + deactivated_count <> \
             (SELECT count(*) FROM key_instances) OR \
             deactivated_count <> (SELECT count(*) FROM key_instances WHERE is_off)"
                .to_owned(),
        ),
    ] {
        assert_eq!(rows(db, &sql).await.len(), 0, "round {round}: there is {what}");
    }
}
