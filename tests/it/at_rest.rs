//! O10: no key, no password and no session id lies anywhere in the database, nor beside it.
use std::{fs, iter, path::Path};

use keyward::{calendar, subscriptions};
use reqwest::Method;

use crate::support::{Database, PASSWORD, TestApp, on_both, own_text};

on_both! { no_secret_is_stored }

async fn no_secret_is_stored(database: &Database) {
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
    let form = format!("/s/acme/groups/{group}/keys/new");
    let made = admin.submit(&form, &[]).await.expect(303);
    secrets.push(admin.follow(&made).await.expect(200).secret());
    let acknowledgement = format!("{}/acknowledgement", made.location());
    admin.post(&acknowledgement, &[("saved_by", "manual")]).await.expect(303);
    assert!(secrets.len() >= 50);
    // Used, searched for, mistaken for something else, refused.
    for key in &secrets {
        app.service().synthetic(key, "acme").await.expect(204);
        let search = [("query", key.as_str()), ("list", "/s/acme/groups")];
        admin.post("/s/acme/search", &search).await.expect(303);
    }
    let own = own_text(1);
    let token = admin.get(&form).await.expect(200).field("submission");
    let again = [("submission", &*token), ("make", "own"), ("key", &*own), ("preset", "90")];
    admin.post(&form, &again).await.expect(422);
    let stranger = app.anonymous();
    stranger.sign_in("admin@acme.example", &secrets[0]).await.expect(401);
    stranger.post(&form, &again).await.expect(303); // kept as a draft
    let invited = {
        let actor = app.own(&app.owner_user().await).actor;
        let it = app.subscription("globex").await;
        subscriptions::invite_admin(&app, &it, "new@acme.example", &actor, app.clock.now()).await
    };
    secrets.push(invited.unwrap());
    let feed = calendar::make(&desk.act(), Some(group), None).await.unwrap().url;
    app.service()
        .ask(Method::GET, feed.trim_start_matches(&app.site.origin), &[])
        .await
        .expect(200);
    secrets.push(desk.token(&["keys:read"]).await.1);
    secrets.push(feed.rsplit("/").next().unwrap().trim_end_matches(".ics").to_owned());
    app.recorder.flush(&app.db, app.clock.now()).await.unwrap();
    secrets.extend([PASSWORD.to_owned(), admin.session(), token]);
    let session = admin.session();
    secrets.push(session.rsplit("%3D").next().unwrap().to_owned());

    let (rows, files) = (rows(&app).await, files(app.home.folder(), *database));
    let told = |place: &[u8]| ["quote-engine", "admin@acme.example"].map(|it| contains(place, it));
    assert_eq!(told(&rows), [true; 2], "this is not the database");
    assert_eq!(told(&files), [*database == Database::Sqlite; 2], "this is another database");
    for part in secrets.iter().flat_map(|it| parts(it)) {
        assert!(!contains(&rows, part), "{part} is in the database");
        assert!(!contains(&files, part), "{part} is in a file");
    }
    for path in ["/s/acme", "/s/acme/groups", "/s/acme/keys", "/s/acme/keys.csv", "/s/acme/audit"] {
        let page = admin.get(path).await.expect(200);
        let shown = secrets.iter().flat_map(|it| parts(it)).find(|it| page.text().contains(it));
        assert_eq!(shown, None, "{path} shows a secret");
    }
    app.stop().await;
}

/// The secret, and of a generated key also most of it.
fn parts(secret: &str) -> impl Iterator<Item = &str> {
    iter::once(secret).chain(secret.strip_prefix("kw_").map(|it| &it[5..38]))
}

fn contains(all: &[u8], part: &str) -> bool {
    memchr::memmem::find(all, part.as_bytes()).is_some()
}

/// Every byte of the folder; on SQLite also of what is not yet in the database file itself.
fn files(folder: &Path, database: Database) -> Vec<u8> {
    let mut all = Vec::new();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        all.extend(fs::read(entry.path()).unwrap());
        names.push(entry.file_name().into_string().unwrap());
    }
    let has_log = names.iter().any(|it| it.ends_with("-wal"));
    assert_eq!(has_log, database == Database::Sqlite, "{names:?}");
    assert!(names.contains(&"keyward.pepper".to_owned()), "{names:?}");
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
