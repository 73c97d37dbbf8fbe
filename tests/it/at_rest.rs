//! O10: no key, no password and no session id lies anywhere in the database.
use std::{fs, path::Path};

use keyward::subscriptions;

use crate::support::{Database, PASSWORD, TestApp, on_both, own_text};

on_both! { no_secret_lies_in_the_database }

async fn no_secret_lies_in_the_database(database: &Database) {
    let app = TestApp::start(*database).await;
    let desk = app.desk("acme").await;
    let first = desk.group("quote-engine", desk.days(90)).await;
    let group = first.instance.key_group_id;
    let admin = app.signed_in("admin@acme.example").await;
    let mut secrets = vec![first.secret.expose().to_owned()];
    for n in 0..24 {
        secrets.push(desk.key(group, desk.days(90)).await.secret.expose().to_owned());
        let text = own_text(n);
        desk.own_key(group, &text, desk.days(90)).await;
        secrets.push(text);
    }
    let path = format!("/s/acme/groups/{group}");
    secrets.push(admin.issue(&path, &[]).await.secret());
    assert!(secrets.len() >= 50);
    // Used, searched for, mistaken for something else, refused.
    for key in &secrets {
        app.service().synthetic(key, "acme").await.expect(204);
        let search = [("query", key.as_str()), ("list", "/s/acme/groups")];
        admin.post("/s/acme/search", &search).await.expect(303);
    }
    let own = own_text(1);
    let token = admin.get(&format!("{path}/keys/new")).await.field("submission");
    let again = [("submission", &*token), ("make", "own"), ("key", &*own), ("preset", "90")];
    admin.post(&format!("{path}/keys/new"), &again).await.expect(422);
    let stranger = app.anonymous();
    stranger.sign_in("admin@acme.example", &secrets[0]).await.expect(401);
    stranger.post(&format!("{path}/keys/new"), &again).await.expect(303); // kept as a draft
    let invited = {
        let owner = app.owner_user().await;
        let actor = desk.act().actor;
        assert!(owner.is_owner);
        let it = app.subscription("globex").await;
        subscriptions::invite_admin(&app, &it, "new@acme.example", &actor, app.clock.now()).await
    };
    secrets.push(invited.unwrap());
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    secrets.extend([PASSWORD.to_owned(), admin.session(), token]);
    let session = admin.session();
    secrets.push(session.rsplit("%3D").next().unwrap().to_owned());

    let stored = match database {
        Database::Sqlite => files(app.home.folder(), &["keyward.pepper"]),
        Database::Postgres => rows(&app).await,
    };
    let found = |text: &str| contains(&stored, text.as_bytes());
    assert!(found("quote-engine") && found("admin@acme.example"), "this is not the database");
    for secret in &secrets {
        assert!(!found(secret), "{secret} is stored");
        if let Some(random) = secret.strip_prefix("kw_") {
            assert!(!found(&random[5..38]), "most of {secret} is stored");
        }
    }
    app.stop().await;
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|it| it == part)
}

/// Every byte of the folder, also of what is not yet in the database file itself.
fn files(folder: &Path, without: &[&str]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if !without.contains(&name.as_str()) {
            all.extend(fs::read(entry.path()).unwrap());
            names.push(name);
        }
    }
    assert!(names.iter().any(|it| it.ends_with("-wal")), "{names:?}");
    all
}

/// Every column of every row; of bytes the bytes themselves.
async fn rows(app: &TestApp) -> Vec<u8> {
    let mut all = Vec::new();
    for (table, rows) in app.snapshot().await {
        for row in rows {
            all.extend(row.as_bytes());
            let row: serde_json::Value = serde_json::from_str(&row).unwrap();
            for value in row.as_object().unwrap().values() {
                let bytes = value.as_array().into_iter().flatten();
                all.extend(bytes.filter_map(|it| u8::try_from(it.as_u64()?).ok()));
            }
            all.push(b'\n');
        }
        all.extend(table.as_bytes());
    }
    all
}
